/// The server that a client talks to.
public enum Environment: Sendable {
  /// Argyle's production host, with real data.
  case production
  /// Argyle's own sandbox, with test data.
  case sandbox
  /// Another server.
  ///
  /// - Parameter baseURL: an http or https URL with host, optional port and optional path, to which `/v1` is added;
  ///   without user info, query and fragment. http is allowed only for loopback hosts, unless
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

// MARK: - Description

extension Environment: CustomStringConvertible {
  /// The kind of server, without the URL, which may contain a password.
  public var description: String {
    switch self {
    case .production: "production"
    case .sandbox: "sandbox"
    case .custom: "custom"
    }
  }
}

#if !hasFeature(Embedded)
  extension Environment: CustomReflectable {
    /// Empty; see ``description``.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
