import Support

/// What a client is made of.
///
/// Errors name each option as the C API does.
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

  /// The time of one attempt, connecting included (`timeout_ms`): 1 to 2147483647 ms.
  public var timeout: Duration = .seconds(30)

  /// The time to resolve, connect and secure (`connect_timeout_ms`): 1 to 2147483647 ms.
  public var connectTimeout: Duration = .seconds(10)

  /// The longest time in which no byte of an attempt comes or goes (`stall_timeout_ms`); nil for any.
  ///
  /// It begins when the connection stands, so that the time until the answer begins counts: 1 to 2147483647 ms.
  public var stallTimeout: Duration?

  /// The time of a whole call, across attempts and the waits between them (`deadline_ms`); nil for any.
  ///
  /// It begins when the call has its turn: 1 to 2147483647 ms.
  public var deadline: Duration?

  /// How often a request is made again after a failure that may pass (`max_retries`): 0 to 100.
  ///
  /// Creating a user or a token is repeated only where the service cannot have acted.
  public var maxRetries = 2

  /// The longest wait that the service may ask for (`max_retry_after_ms`): 1 to 2147483647 ms.
  ///
  /// Where it asks for more, the failure is told at once.
  public var maxRetryAfter: Duration = .seconds(60)

  /// The largest answer after decompression (`max_response_bytes`): 1 to 2147483647 bytes.
  public var maxResponseBytes = 16 * 1024 * 1024

  /// How many requests a second are made at the most (`max_requests_per_second`): 0.001 to 1000000; nil for any.
  ///
  /// They are evenly spaced, but for a tenth of a second's worth after a pause, and shared by all threads and queues.
  /// Where the service answers 429 all the same, the pace is lowered by half, and recovers within ten seconds.
  public var maxRequestsPerSecond: Double? {
    didSet { rateIsSet = true }
  }

  /// Whether ``maxRequestsPerSecond`` was set, even if to what it was before.
  var rateIsSet = false

  /// A PEM file of the certificate authorities to trust instead of the system's (`ca_file`).
  public var caFile: String?

  /// A proxy (`proxy`): a URL with http, https, socks4, socks4a, socks5 or socks5h, credentials included; "" for none.
  ///
  /// Absent, the environment decides as for every program on libcurl, but never for a loopback host.
  public var proxy: String?

  /// A PEM file of the certificate to show to the server (`client_certificate_file`), with those that vouch for it.
  public var clientCertificateFile: String?

  /// A PEM file of the certificate's key (`client_key_file`); absent, the key is in the certificate's file.
  public var clientKeyFile: String?

  /// The password of the certificate's key (`client_key_password`).
  public var clientKeyPassword: String? {
    get { keyPassword?.text }
    set { keyPassword = newValue.map { Secret($0.utf8) } }
  }

  package var keyPassword: Secret?

  /// What is added to the User-Agent header (`application`): 1 to 128 printable ASCII characters.
  public var application: String?

  /// Allows http to any host, which shows the key to the network (`allow_insecure_http`).
  public var allowInsecureHTTP = false

  /// Makes options with the defaults for all that is not given.
  public init(keyID: String, keySecret: String, environment: Environment = .production) {
    self.keyID = keyID
    secret = Secret(keySecret.utf8)
    self.environment = environment
  }
}

// MARK: - Description

extension ClientOptions: CustomStringConvertible {
  /// The type's name alone: never the key.
  public var description: String { "ClientOptions" }
}

#if !hasFeature(Embedded)
  extension ClientOptions: CustomReflectable {
    /// Nothing, so that no dump shows the key.
    public var customMirror: Mirror { Mirror(self, children: []) }
  }
#endif
