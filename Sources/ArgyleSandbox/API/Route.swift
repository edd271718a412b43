/// What a path refers to.
enum Route {
  case users
  case user(id: Bytes)
  case userTokens
  /// A path within the API that does not exist.
  case unknown
  /// The description of the API, which is outside the API.
  case description
  /// A path outside the API.
  case foreign

  init(_ segments: [Bytes]) {
    if segments.count == 1, segments[0].matches("openapi.json") {
      self = .description
      return
    }
    guard let first = segments.first, first.matches("v1") else {
      self = .foreign
      return
    }
    let rest = segments.dropFirst()
    if rest.count == 1, rest[1].matches("users") {
      self = .users
    } else if rest.count == 2, rest[1].matches("users") {
      self = .user(id: rest[2])
    } else if rest.count == 1, rest[1].matches("user-tokens") {
      self = .userTokens
    } else {
      self = .unknown
    }
  }

  /// The paths of the API's operations, as in its documentation.
  static var templates: [String] { ["/v1/users", "/v1/users/{id}", "/v1/user-tokens"] }

  /// The operation's path, as in the documentation; nil if there is no operation.
  var template: String? {
    switch self {
    case .users: "/v1/users"
    case .user: "/v1/users/{id}"
    case .userTokens: "/v1/user-tokens"
    case .unknown, .description, .foreign: nil
    }
  }

  /// Whether the path is within the API.
  var isInAPI: Bool {
    switch self {
    case .description, .foreign: false
    default: true
    }
  }

  /// The supported methods, for the `Allow` header.
  var allowedMethods: String {
    switch self {
    case .users: "GET, POST, HEAD, OPTIONS"
    case .user: "GET, PATCH, DELETE, HEAD, OPTIONS"
    case .userTokens: "POST, OPTIONS"
    case .unknown, .description, .foreign: ""
    }
  }
}
