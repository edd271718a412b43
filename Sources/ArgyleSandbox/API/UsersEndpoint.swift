import Support

/// `/v1/users`, `/v2/users` and the users in them.
struct UsersEndpoint {
  let version: APIVersion
  let users: UserStore
  let tokens: TokenIssuer
  let cursors: CursorIssuer

  func create(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let change: UserChange
    do throws(InvalidRequest) {
      change = try UserChange(request, version)
    } catch {
      return error.response
    }
    let id = try users.create(change)
    var json = JSONWriter()
    json.raw("{")
    switch version {
    case .v1: json.member("token", JSONWriter.string(try tokens.accessToken(for: id)))
    case .v2: json.member("user_token", JSONWriter.string(try tokens.userToken(for: id)))
    }
    json.member("id", JSONWriter.string(id.text))
    json.raw("}")
    return HTTPResponse(status: 201, json: json)
  }

  func retrieve(_ id: Bytes) throws(SandboxError) -> HTTPResponse {
    guard let id = UUID(id), let user = try users.user(id) else { return .notFound }
    return response(user)
  }

  func update(_ id: Bytes, _ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    guard let id = UUID(id) else { return .notFound }
    let change: UserChange
    do throws(InvalidRequest) {
      change = try UserChange(request, version)
    } catch {
      // An unknown user comes first.
      return try users.user(id) == nil ? .notFound : error.response
    }
    guard let updated = try users.update(id, change) else { return .notFound }
    return response(updated)
  }

  func delete(_ id: Bytes) throws(SandboxError) -> HTTPResponse {
    guard let id = UUID(id), try users.delete(id) else { return .notFound }
    return HTTPResponse(status: 204)
  }

  func list(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    // Another process may be changing the users between two reads.
    try users.snapshot { () throws(SandboxError) in
      switch version {
      case .v1: try listByOffset(request)
      case .v2: try listByCursor(request)
      }
    }
  }

  private func listByOffset(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let page = Page(request.target)
    let count = try users.count()
    var results = try users.users(
      limit: page.limit,
      offset: page.offset,
      newestFirst: page.newestFirst
    )
    var json = JSONWriter()
    json.raw("{\"count\":\(count),")
    write(
      &results,
      next: page.next(of: count, for: request),
      previous: page.previous(for: request),
      to: &json
    )
    return HTTPResponse(status: 200, json: json)
  }

  private func listByCursor(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    guard let page = CursorPage(request.target, cursors) else {
      return .error(404, detail: "Invalid cursor")
    }
    var results = try users.users(page.cursor)
    let neighbours = page.cursor.neighbours(of: results)
    var json = JSONWriter()
    json.raw("{")
    write(
      &results,
      next: try link(to: neighbours.older, for: request),
      previous: try link(to: neighbours.newer, for: request),
      to: &json
    )
    return HTTPResponse(status: 200, json: json)
  }

  /// The URL of a page; nil if it is empty.
  private func link(
    to cursor: UserCursor,
    for request: HTTPRequest
  ) throws(SandboxError) -> String? {
    guard try users.hasUsers(cursor) else { return nil }
    let text = PercentEncoding.encode(try cursors.text(of: cursor).utf8)
    return request.url("/v2/users?cursor=\(text)", replacing: ["cursor"])
  }

  private func response(_ user: User) -> HTTPResponse {
    var json = JSONWriter()
    json.user(user, version)
    return HTTPResponse(status: 200, json: json)
  }

  /// Appends the last three members of a list, and releases its users.
  private func write(
    _ results: inout [User],
    next: String?,
    previous: String?,
    to json: inout JSONWriter
  ) {
    json.raw("\"next\":")
    write(next, to: &json)
    json.raw(",\"previous\":")
    write(previous, to: &json)
    json.raw(",\"results\":[")
    // Reversed and then popped, so that each user is released once written: together they can be large.
    results.reverse()
    while let user = results.popLast() {
      json.user(user, version)
      if !results.isEmpty { json.raw(",") }
    }
    json.raw("]}")
  }

  private func write(_ url: String?, to json: inout JSONWriter) {
    if let url { json.string(url) } else { json.raw("null") }
  }
}
