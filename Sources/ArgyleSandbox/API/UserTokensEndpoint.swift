import Support

/// `/v1/user-tokens`.
struct UserTokensEndpoint {
  let users: UserStore
  let tokens: TokenIssuer

  func create(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let value: JSONValue
    switch BodyMember("user", of: request) {
    case .rejected(let response): return response
    case .absent: return .invalid("user", "This field is required.")
    case .present(let given): value = given
    }
    switch value.kind {
    case .null: return .invalid("user", "This field may not be null.")
    case .string where value.escapedContent.isEmpty:
      return .invalid("user", "This field may not be null.")
    case .string: break
    default:
      let message = "Incorrect type. Expected pk value, received \(value.kind.pythonName)."
      return .invalid("user", message)
    }
    guard let id = UUID(value.characters), try users.user(id) != nil else {
      return unknownUser(value)
    }
    var json = JSONWriter()
    json.raw("{\"access\":")
    json.string(try tokens.accessToken(for: id))
    json.raw(",\"refresh\":")
    json.string(try tokens.refreshToken(for: id))
    json.raw("}")
    return HTTPResponse(status: 201, json: json)
  }

  /// Returns the error for an unknown id, which is quoted as sent: it is already escaped for JSON.
  private func unknownUser(_ id: JSONValue) -> HTTPResponse {
    var json = JSONWriter()
    json.raw("{\"user\":[\"Invalid pk \\\"")
    json.raw(id.escapedContent)
    json.raw("\\\" - object does not exist.\"]}")
    return HTTPResponse(status: 400, json: json)
  }
}
