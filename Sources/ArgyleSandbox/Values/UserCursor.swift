/// A page of API v2's list.
///
/// It is next to a place in the list, not at an offset, so no user is missed or repeated when others come and go.
struct UserCursor {
  /// Maximum number of users on the page.
  var limit: Int

  /// The external id of the users, as JSON; nil for all users.
  var externalID: Bytes?

  /// The place next to the page, and not on it.
  var position: UserPosition

  /// Whether the page has the users newer than the position, and not the older ones.
  var isBackward: Bool

  /// Returns the page of newer users and that of older ones, given the users on this page, newest first.
  func neighbours(of users: [User]) -> (newer: UserCursor, older: UserCursor) {
    var newer = self
    var older = self
    newer.isBackward = true
    older.isBackward = false
    if let first = users.first, let last = users.last {
      newer.position = first.position
      older.position = last.position
    } else if isBackward {
      // Of an empty page, the user at its position is on the neighbour.
      older.position = position.shifted(by: 1)
    } else {
      newer.position = position.shifted(by: -1)
    }
    return (newer, older)
  }
}
