import Support

/// A walk over all users, page after page, in memory that does not grow with their number ("List users").
///
/// The service counts pages by offset: a user deleted during the walk can make it pass over another, and a user
/// created during it can make it give another twice, unless the ordering is
/// ``UserQuery/Ordering/oldestFirst``. Where a page is larger than ``ClientOptions/maxResponseBytes``, the walk goes on
/// with smaller ones. A cursor is used by one thread at a time.
public final class UserCursor {
  private let walk: UserWalk

  init(_ walk: UserWalk) {
    self.walk = walk
  }

  /// Gives the next user, or nil at the end; it blocks where the next page has to be fetched.
  ///
  /// A page that could not be fetched is asked for again by the next call.
  public func next() throws(ArgyleError) -> User? {
    try walk.next().map { User($0) }
  }

  /// Gives the next page, or nil at the end; it blocks where the page is not there yet.
  ///
  /// A cursor gives either users or pages. A page that could not be fetched is asked for again by the next call.
  public func nextPage() throws(ArgyleError) -> UserPage? {
    try walk.nextPage().map { UserPage($0) }
  }
}
