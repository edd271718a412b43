/// A version of the API.
enum APIVersion {
  case v1, v2

  static var all: [APIVersion] { [.v1, .v2] }

  /// Creates the version whose paths begin with a segment.
  init?(_ segment: Bytes) {
    guard let version = Self.all.first(where: { segment.matches($0.name) }) else { return nil }
    self = version
  }

  /// The first segment of its paths.
  var name: String {
    switch self {
    case .v1: "v1"
    case .v2: "v2"
    }
  }
}
