/// The v1 API: authenticates requests and dispatches them to endpoints.
final class API {
  private let credentials: BasicCredentials
  private let otherCredentials: BasicCredentials?
  private let users: UsersEndpoint
  private let userTokens: UserTokensEndpoint

  /// Creates the API; `otherCredentials` belong to the other environment and are recognised but rejected.
  init(
    credentials: BasicCredentials,
    otherCredentials: BasicCredentials?,
    users: UserStore,
    tokens: TokenIssuer
  ) {
    self.credentials = credentials
    self.otherCredentials = otherCredentials
    self.users = UsersEndpoint(users: users, tokens: tokens)
    userTokens = UserTokensEndpoint(users: users, tokens: tokens)
  }

  func respond(to request: HTTPRequest) -> HTTPResponse {
    let response: HTTPResponse
    do {
      response = try route(request)
    } catch {
      response = .error(500, detail: "A server error occurred: \(error.message).")
    }
    return response.adding("X-Trace-Id", UUID.random().text)
  }

  private func route(_ request: HTTPRequest) throws(SandboxError) -> HTTPResponse {
    let route = Route(request.target.segments)
    if case .foreign = route { return .notFound }
    if case .description = route { return OpenAPIEndpoint.respond(to: request) }
    switch credentials.check(request.authorization) {
    case .accepted: break
    case .missing: return .unauthorized("Authentication credentials were not provided.")
    case .wrong:
      let other = otherCredentials?.check(request.authorization)
      return .unauthorized(
        other == .accepted ? "Invalid environment." : "Invalid username/password."
      )
    }
    if request.bodyIsTooLarge { return .error(413, detail: "Request body is too large.") }

    switch (route, request.method) {
    case (.foreign, _), (.description, _), (.unknown, _): return .notFound
    case (.users, .get), (.users, .head): return try users.list(request)
    case (.users, .post): return try users.create(request)
    case (.user(let id), .get), (.user(let id), .head): return try users.retrieve(id)
    case (.user(let id), .patch): return try users.update(id, request)
    case (.user(let id), .delete): return try users.delete(id)
    case (.userTokens, .post): return try userTokens.create(request)
    case (_, .options): return HTTPResponse(status: 200).adding("Allow", route.allowedMethods)
    default:
      return .methodNotAllowed(request.method, allowing: route.allowedMethods)
    }
  }
}
