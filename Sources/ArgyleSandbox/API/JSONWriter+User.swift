extension JSONWriter {
  /// Appends a user in the service's format.
  mutating func user(_ user: User, _ version: APIVersion) {
    raw("{\"id\":")
    string(user.id.text)
    raw(",\"created_at\":")
    string(version == .v1 ? user.createdAt.text : user.createdAt.microsecondText)
    if version == .v2 {
      raw(",\"items_connected\":")
      raw(user.itemsConnected)
    }
    raw(",\"employers_connected\":")
    raw(user.employersConnected)
    if version == .v1 {
      raw(",\"data_providers_connected\":")
      raw(user.dataProvidersConnected)
    }
    raw(",\"external_metadata\":")
    raw(user.externalMetadata)
    if version == .v2 {
      for (field, value) in zip(UserField.all, user.fields) {
        member(field.name, value ?? field.unset)
      }
    }
    raw("}")
  }
}
