/// What a path means.
enum Route {
  case users
  case user(id: Bytes)
  case userTokens
  /// Within the API, but nothing is there.
  case unknown
  /// Outside of the API.
  case foreign

  init(_ segments: [Bytes]) {
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

  /// The methods that it answers, for the header `Allow`.
  var allowedMethods: String {
    switch self {
    case .users: "GET, POST, HEAD, OPTIONS"
    case .user: "GET, PATCH, DELETE, HEAD, OPTIONS"
    case .userTokens: "POST, OPTIONS"
    case .unknown, .foreign: ""
    }
  }
}
