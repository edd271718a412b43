extension JSONWriter {
  /// Appends a user in the service's format.
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
