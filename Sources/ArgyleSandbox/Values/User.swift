/// A user, as the service knows one.
struct User {
  let id: UUID
  let createdAt: Timestamp

  /// JSON arrays of strings.
  var employersConnected = Bytes("[]".utf8)
  var dataProvidersConnected = Bytes("[]".utf8)

  /// The JSON text, as it was sent.
  var externalMetadata: Bytes
}
