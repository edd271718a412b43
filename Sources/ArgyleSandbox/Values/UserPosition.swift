/// A user's place in the list, which remains valid when the user is deleted.
struct UserPosition {
  let createdAt: Timestamp
  /// Orders users of the same time.
  let sequence: Int64

  /// The place before all users, newest first.
  static var start: UserPosition {
    UserPosition(createdAt: Timestamp(milliseconds: .max), sequence: .max)
  }

  /// Returns the place this many steps newer.
  func shifted(by steps: Int64) -> UserPosition {
    UserPosition(createdAt: createdAt, sequence: sequence &+ steps)
  }
}
