/// What a request sets of a user.
struct UserChange {
  /// JSON text; nil to leave it as it is.
  var externalMetadata: Bytes?

  /// JSON texts of the fields in `UserField.all`; nil for those to leave as they are.
  var fields = UserField.unset

  func apply(to user: inout User) {
    if let externalMetadata { user.externalMetadata = externalMetadata }
    user.fields = zip(fields, user.fields).map { $0 ?? $1 }
  }
}
