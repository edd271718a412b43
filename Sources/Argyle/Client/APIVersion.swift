/// A version of the service's API.
public enum APIVersion: Int, Sendable {
  /// Version 1, which the service has not changed since 2024.
  case v1 = 1
  /// Version 2, which the service develops.
  case v2 = 2

  /// The other version.
  var other: APIVersion { self == .v1 ? .v2 : .v1 }

  /// The end of an error about a response of this version to a client of the other one.
  var isResponse: String {
    ": it is a response of API version " + (self == .v1 ? "1" : "2")
  }
}
