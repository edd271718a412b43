/// All users as a sequence, each a result: the walk ends at the end of the list or after its first failure.
///
/// Each iteration walks the list anew, in the manner of ``UserCursor``.
public struct UserSequence: Sequence, Sendable {
  let client: Client
  let query: UserQuery

  /// Starts a walk.
  public func makeIterator() -> Iterator {
    Iterator(client, query)
  }

  /// A walk over the users.
  public struct Iterator: IteratorProtocol {
    private var cursor: Result<UserCursor, ArgyleError>?

    init(_ client: Client, _ query: UserQuery) {
      cursor = Result { () throws(ArgyleError) in try UserCursor(client, query) }
    }

    /// Gives the next user, or the failure that ends the walk; it blocks where a page has to be fetched.
    public mutating func next() -> Result<User, ArgyleError>? {
      guard let cursor else { return nil }
      do {
        return try cursor.get().next().map { .success($0) }
      } catch {
        self.cursor = nil
        return .failure(error)
      }
    }
  }
}
