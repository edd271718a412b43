extension JSONWriter {
  /// Appends a user in the service's format.
  mutating func user(_ user: User, _ version: APIVersion) {
    raw("{\"id\":")
    string(user.id.text)
    raw(",\"created_at\":")
    switch version {
    case .v1:
      string(user.createdAt.text)
      raw(",\"employers_connected\":")
      raw(user.employersConnected)
      raw(",\"data_providers_connected\":")
      raw(user.dataProvidersConnected)
      raw(",\"external_metadata\":")
      raw(user.externalMetadata)
    case .v2:
      string(user.createdAt.microsecondText)
      raw(",\"items_connected\":")
      raw(user.itemsConnected)
      raw(",\"employers_connected\":")
      raw(user.employersConnected)
      raw(",\"external_metadata\":")
      raw(user.externalMetadata)
      for (field, value) in zip(UserField.all, user.fields) {
        member(field.name, value ?? field.unset)
      }
    }
    raw("}")
  }
}
