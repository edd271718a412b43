import Support

/// `/v1/users` and `/v1/users/{id}`.
struct UsersEndpoint {
  let users: UserStore
  let tokens: TokenIssuer

  func create(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let metadata: Bytes
    switch BodyMember("external_metadata", of: request) {
    case .rejected(let response): return response
    case .present(let value): metadata = Bytes(value.text)
    case .absent: metadata = Bytes("{}".utf8)
    }
    let user = try users.create(externalMetadata: metadata)
    var json = JSONWriter()
    json.raw("{\"token\":")
    json.string(try tokens.accessToken(for: user.id))
    json.raw(",\"id\":")
    json.string(user.id.text)
    json.raw("}")
    return HTTPResponse(status: 201, json: json)
  }

  func retrieve(_ id: Bytes) throws(SandboxError) -> HTTPResponse {
    guard let user = try find(id) else { return .notFound }
    return response(user)
  }

  func update(_ id: Bytes, _ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    guard var user = try find(id) else { return .notFound }
    switch BodyMember("external_metadata", of: request) {
    case .rejected(let response): return response
    case .absent: break
    case .present(let value):
      let metadata = Bytes(value.text)
      user.externalMetadata = metadata
      guard try users.update(user.id, externalMetadata: metadata) else { return .notFound }
    }
    return response(user)
  }

  func delete(_ id: Bytes) throws(SandboxError) -> HTTPResponse {
    guard let id = UUID(id), try users.delete(id) else { return .notFound }
    return HTTPResponse(status: 204)
  }

  func list(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let page = Page(request.target)
    let count = try users.count()
    var results = try users.users(
      limit: page.limit,
      offset: page.offset,
      newestFirst: page.newestFirst
    )
    var json = JSONWriter()
    json.raw("{\"count\":\(count),\"next\":")
    write(page.next(of: count, for: request), to: &json)
    json.raw(",\"previous\":")
    write(page.previous(for: request), to: &json)
    json.raw(",\"results\":[")
    // Reversed and then popped, so that each user is released once written: together they can be large.
    results.reverse()
    while let user = results.popLast() {
      json.user(user)
      if !results.isEmpty { json.raw(",") }
    }
    json.raw("]}")
    return HTTPResponse(status: 200, json: json)
  }

  private func find(_ id: Bytes) throws(SandboxError) -> User? {
    guard let id = UUID(id) else { return nil }
    return try users.user(id)
  }

  private func response(_ user: User) -> HTTPResponse {
    var json = JSONWriter()
    json.user(user)
    return HTTPResponse(status: 200, json: json)
  }

  private func write(_ url: String?, to json: inout JSONWriter) {
    if let url { json.string(url) } else { json.raw("null") }
  }
}
