/// The API in both versions: authenticates requests and dispatches them to endpoints.
final class API {
  private let credentials: BasicCredentials
  private let otherCredentials: BasicCredentials?
  private let users: UserStore
  private let tokens: TokenIssuer
  private let cursors: CursorIssuer

  /// Creates the API; `otherCredentials` belong to the other environment and are recognised but rejected.
  init(
    credentials: BasicCredentials,
    otherCredentials: BasicCredentials?,
    users: UserStore,
    tokens: TokenIssuer,
    cursors: CursorIssuer
  ) {
    self.credentials = credentials
    self.otherCredentials = otherCredentials
    self.users = users
    self.tokens = tokens
    self.cursors = cursors
  }

  func respond(to request: HTTPRequest) -> HTTPResponse {
    let route = Route(request.target.segments)
    var response = respond(to: request, route)
    if route.version == .v2 { response = response.addingHeadersOfV2(route) }
    return response.adding("X-Trace-Id", UUID.random().text)
  }

  private func respond(to request: HTTPRequest, _ route: Route) -> HTTPResponse {
    if case .description = route { return OpenAPIEndpoint.respond(to: request) }
    guard let version = route.version else { return .notFound }
    if version == .v2, request.isPreflight, route.template != nil { return .preflight(route) }
    if let rejection = rejection(of: request) { return rejection }
    let response: HTTPResponse
    do throws(SandboxError) {
      response = try request.bodyIsTooLarge ? .bodyTooLarge : carryOut(request, route, version)
    } catch {
      response = .error(500, detail: "A server error occurred: \(error.message).")
    }
    return version == .v2 ? response.adding("X-Client-Id", TokenIssuer.clientID) : response
  }

  /// The response to a request without the right credentials; nil if it has them.
  private func rejection(of request: HTTPRequest) -> HTTPResponse? {
    switch credentials.check(request.authorization) {
    case .accepted: return nil
    case .missing: return .unauthorized("Authentication credentials were not provided.")
    case .wrong:
      let other = otherCredentials?.check(request.authorization)
      return .unauthorized(
        other == .accepted ? "Invalid environment." : "Invalid username/password."
      )
    }
  }

  private func carryOut(
    _ request: HTTPRequest,
    _ route: Route,
    _ version: APIVersion
  ) throws(SandboxError) -> HTTPResponse {
    let users = UsersEndpoint(
      version: version,
      users: self.users,
      tokens: tokens,
      cursors: cursors
    )
    let userTokens = UserTokensEndpoint(version: version, users: self.users, tokens: tokens)
    switch (route, request.method) {
    case (.foreign, _), (.description, _), (.unknown, _): return .notFound
    case (.users, .get), (.users, .head): return try users.list(request)
    case (.users, .post): return try users.create(request)
    case (.user(_, let id), .get), (.user(_, let id), .head): return try users.retrieve(id)
    case (.user(_, let id), .patch): return try users.update(id, request)
    case (.user(_, let id), .delete): return try users.delete(id)
    case (.userTokens, .post): return try userTokens.create(request)
    case (_, .options): return HTTPResponse(status: 200).adding("Allow", route.allowedMethods)
    default:
      return .methodNotAllowed(request.method, allowing: route.allowedMethods)
    }
  }
}
