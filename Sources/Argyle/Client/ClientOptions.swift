import Support

/// Options of a client.
///
/// Error messages use the options' names in the C API.
public struct ClientOptions: Sendable {
  /// The API key's id (`key_id`): no ":" and no control characters.
  public var keyID: String

  /// The API key's secret (`key_secret`): no control characters.
  public var keySecret: String {
    get { secret.text }
    set { secret = Secret(newValue.utf8) }
  }

  package var secret: Secret

  /// The server (`environment` or `base_url`).
  public var environment: Environment

  /// The version of the service's API (`api_version`).
  public var apiVersion: APIVersion = .v1

  /// Timeout of one attempt, connecting included (`timeout_ms`): 1 to 2147483647 ms.
  public var timeout: Duration = .seconds(30)

  /// Timeout for name resolution, connecting and TLS (`connect_timeout_ms`): 1 to 2147483647 ms.
  public var connectTimeout: Duration = .seconds(10)

  /// Maximum time without a byte sent or received (`stall_timeout_ms`); nil for no limit.
  ///
  /// It starts once connected, and so includes the time until the response begins: 1 to 2147483647 ms.
  public var stallTimeout: Duration?

  /// Deadline of a whole call, including retries and backoff (`deadline_ms`); nil for no limit.
  ///
  /// In a queue, it starts with the call's turn; otherwise it includes waiting for the rate limit: 1 to 2147483647 ms.
  public var deadline: Duration?

  /// Maximum number of retries after transient failures (`max_retries`): 0 to 100.
  ///
  /// Creating a user or a token is retried only if the service cannot have acted.
  public var maxRetries = 2

  /// Maximum wait that the service may ask for (`max_retry_after_ms`): 1 to 2147483647 ms.
  ///
  /// If the service asks for more, the call fails at once.
  public var maxRetryAfter: Duration = .seconds(60)

  /// Maximum size of a response after decompression (`max_response_bytes`): 1 to 2147483647 bytes.
  public var maxResponseBytes = 16 * 1024 * 1024

  /// Maximum request rate per second (`max_requests_per_second`): 0.001 to 1000000; nil for no limit.
  ///
  /// Requests are evenly spaced, except for a burst of a tenth of a second's worth after a pause. All threads and
  /// queues share the rate. A 429 from the service halves it; it recovers within ten seconds.
  public var maxRequestsPerSecond: Double? {
    didSet { rateIsSet = true }
  }

  /// Whether ``maxRequestsPerSecond`` was set, even to the same value.
  var rateIsSet = false

  /// PEM file of the certificate authorities to trust instead of the system's (`ca_file`), for the server.
  ///
  /// An https proxy is checked against the system's.
  public var caFile: String?

  /// Proxy URL (`proxy`): http, https, socks4, socks4a, socks5 or socks5h, with credentials; "" for no proxy.
  ///
  /// If nil, libcurl's environment variables apply, but never for a loopback host.
  public var proxy: String?

  /// PEM file of the client certificate (`client_certificate_file`), with its intermediate certificates.
  public var clientCertificateFile: String?

  /// PEM file of the certificate's key (`client_key_file`); nil if the key is in the certificate's file.
  public var clientKeyFile: String?

  /// Password of the certificate's key (`client_key_password`).
  public var clientKeyPassword: String? {
    get { keyPassword?.text }
    set { keyPassword = newValue.map { Secret($0.utf8) } }
  }

  package var keyPassword: Secret?

  /// Text added to the User-Agent header (`application`): 1 to 128 printable ASCII characters.
  public var application: String?

  /// Allows http to any host, which exposes the key to the network (`allow_insecure_http`).
  public var allowInsecureHTTP = false

  /// Creates options with defaults for everything else.
  public init(keyID: String, keySecret: String, environment: Environment = .production) {
    self.keyID = keyID
    secret = Secret(keySecret.utf8)
    self.environment = environment
  }
}

// MARK: - Description

extension ClientOptions: CustomStringConvertible {
  /// Only the type's name, never the key.
  public var description: String { "ClientOptions" }
}

#if !hasFeature(Embedded)
  extension ClientOptions: CustomReflectable {
    /// Empty, so that no dump shows the key.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
