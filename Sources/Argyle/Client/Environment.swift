/// The server that a client talks to.
public enum Environment: Sendable {
  /// Argyle's production hosts, with real data.
  case production
  /// Argyle's own sandbox, with test data.
  case sandbox
  /// Another server.
  ///
  /// - Parameter baseURL: an http or https URL of host, optional port and optional path, to which `/v1` is added;
  ///   without user info, query and fragment. http is allowed for loopback hosts only, unless
  ///   ``ClientOptions/allowInsecureHTTP`` is set.
  case custom(baseURL: String)

  /// The URL before `/v1`.
  var baseURL: String {
    switch self {
    case .production: "https://api.argyle.com"
    case .sandbox: "https://api-sandbox.argyle.com"
    case .custom(let baseURL): baseURL
    }
  }
}
