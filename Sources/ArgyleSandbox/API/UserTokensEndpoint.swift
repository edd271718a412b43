import Support

/// `/v1/user-tokens` and `/v2/user-tokens`.
struct UserTokensEndpoint {
  let version: APIVersion
  let users: UserStore
  let tokens: TokenIssuer

  func create(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let body: JSONObjectText
    do throws(InvalidRequest) {
      body = try JSONObjectText(request, version)
    } catch {
      return error.response
    }
    guard let value = body.member("user") else {
      return .invalid("user", "This field is required.")
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
    json.raw("{")
    switch version {
    case .v1:
      json.member("access", JSONWriter.string(try tokens.accessToken(for: id)))
      json.member("refresh", JSONWriter.string(try tokens.refreshToken(for: id)))
    case .v2:
      json.member("user_token", JSONWriter.string(try tokens.userToken(for: id)))
    }
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
