/// A user of the service.
struct User {
  let id: UUID
  let createdAt: Timestamp

  /// JSON arrays of strings.
  var employersConnected = Bytes("[]".utf8)
  var dataProvidersConnected = Bytes("[]".utf8)

  /// JSON text, as sent.
  var externalMetadata: Bytes
}
