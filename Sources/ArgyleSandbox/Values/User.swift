/// A user, as the service knows one.
struct User {
  let id: UUID
  let createdAt: Timestamp

  /// The JSON text, as it was sent.
  var externalMetadata: Bytes
}
