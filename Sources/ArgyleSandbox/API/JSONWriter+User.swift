extension JSONWriter {
  /// Adds a user as the service shows one.
  mutating func user(_ user: User) {
    raw("{\"id\":")
    string(user.id.text)
    raw(",\"created_at\":")
    string(user.createdAt.text)
    raw(",\"employers_connected\":")
    raw(user.employersConnected)
    raw(",\"data_providers_connected\":")
    raw(user.dataProvidersConnected)
    raw(",\"external_metadata\":")
    raw(user.externalMetadata)
    raw("}")
  }
}
