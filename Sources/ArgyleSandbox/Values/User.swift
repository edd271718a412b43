/// A user of the service.
struct User {
  /// Metadata that was never set, or was cleared.
  static var unsetMetadata: Bytes { Bytes("{}".utf8) }

  let id: UUID
  let createdAt: Timestamp

  /// Orders users of the same time; 0 until the user is stored.
  var sequence: Int64 = 0

  /// JSON arrays of strings.
  var itemsConnected = Bytes("[]".utf8)
  var employersConnected = Bytes("[]".utf8)
  var dataProvidersConnected = Bytes("[]".utf8)

  /// JSON text, as sent.
  var externalMetadata: Bytes

  /// JSON texts of the fields in `UserField.all`; nil for those that were never set.
  var fields = UserField.unset

  /// The user's place in a list.
  var position: UserPosition { UserPosition(createdAt: createdAt, sequence: sequence) }
}
