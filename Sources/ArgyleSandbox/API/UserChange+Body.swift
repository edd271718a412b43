import Support

extension UserChange {
  /// Reads from a request's body the fields that its version has; others are ignored.
  init(_ request: HTTPRequest, _ version: APIVersion) throws(InvalidRequest) {
    let body = try JSONObjectText(request, version)
    self.init()
    let metadata = body.member("external_metadata")
    externalMetadata = metadata.map { Bytes($0.text) }
    if version == .v1 { return }
    if metadata?.kind == .null { externalMetadata = User.unsetMetadata }
    let (values, errors) = body.check(UserField.writable)
    if let errors { throw InvalidRequest(response: HTTPResponse(status: 400, json: errors)) }
    fields = values.dropLast()
  }
}
