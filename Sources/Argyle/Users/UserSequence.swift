/// All users as a sequence of results, which ends at the end of the list or after its first failure.
///
/// Each iterator lists the users anew, like ``UserCursor``.
public struct UserSequence: Sequence, Sendable {
  let client: Client
  let query: UserQuery

  /// Creates an iterator.
  public func makeIterator() -> Iterator {
    Iterator(client, query)
  }

  /// An iterator over the users.
  public struct Iterator: IteratorProtocol {
    private var cursor: Result<UserCursor, ArgyleError>?

    init(_ client: Client, _ query: UserQuery) {
      cursor = Result { () throws(ArgyleError) in try UserCursor(client, query) }
    }

    /// Returns the next user, or the failure that ends the sequence; blocks if a page must be fetched.
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
