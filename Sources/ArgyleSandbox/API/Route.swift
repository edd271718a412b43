/// What a path refers to.
enum Route {
  case users(APIVersion)
  case user(APIVersion, id: Bytes)
  case userTokens(APIVersion)
  /// A path within the API that does not exist.
  case unknown(APIVersion)
  /// The description of the API, which is outside the API.
  case description
  /// A path outside the API.
  case foreign

  init(_ segments: [Bytes]) {
    if segments.count == 1, segments[0].matches("openapi.json") {
      self = .description
      return
    }
    guard let first = segments.first, let version = APIVersion(first) else {
      self = .foreign
      return
    }
    let rest = segments.dropFirst()
    if rest.count == 1, rest[1].matches("users") {
      self = .users(version)
    } else if rest.count == 2, rest[1].matches("users") {
      self = .user(version, id: rest[2])
    } else if rest.count == 1, rest[1].matches("user-tokens") {
      self = .userTokens(version)
    } else {
      self = .unknown(version)
    }
  }

  /// The paths of the API's operations, as in its documentation.
  static var templates: [String] {
    APIVersion.all.flatMap { version in
      ["users", "users/{id}", "user-tokens"].map { "/\(version.name)/\($0)" }
    }
  }

  /// The operation's path, as in the documentation; nil if there is no operation.
  var template: String? {
    switch self {
    case .users(let version): "/\(version.name)/users"
    case .user(let version, _): "/\(version.name)/users/{id}"
    case .userTokens(let version): "/\(version.name)/user-tokens"
    case .unknown, .description, .foreign: nil
    }
  }

  /// The API's version; nil outside the API.
  var version: APIVersion? {
    switch self {
    case .users(let version), .user(let version, _), .userTokens(let version),
      .unknown(let version):
      version
    case .description, .foreign: nil
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
