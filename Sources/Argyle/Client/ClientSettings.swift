import Support
import Transport

/// A client's options once they are known to be good, apart for those who need them.
struct ClientSettings: Sendable {
  /// What transfers need.
  let transfer: TransferSettings
  /// What calls need.
  let limits: CallLimits
  /// What no message may show: the key's secret, the key as HTTP Basic authentication writes it, and passwords.
  let secrets: [Secret]

  /// Checks options; an error names the one that breaks a rule.
  init(_ options: ClientOptions) throws(ArgyleError) {
    try ClientSettings.check(maxRequestsPerSecond: options.maxRequestsPerSecond)
    let keyID = try ClientSettings.check("key_id", options.keyID)
    guard !keyID.utf8.contains(UInt8(ascii: ":")) else {
      throw ArgyleError(.argument, "key_id must not contain \":\"")
    }
    let secret = try ClientSettings.check("key_secret", options.secret)
    let credentials = ClientSettings.basicCredentials(keyID, secret)
    limits = try ClientSettings.limits(options)
    let connectTimeout = try ClientSettings.check("connect_timeout_ms", options.connectTimeout)
    let maxResponseBytes = try ClientSettings.check(maxResponseBytes: options.maxResponseBytes)
    let userAgent = try ClientSettings.userAgent(options.application)
    do {
      let proxy = try Proxy(options.proxy)
      let certificate = try ClientCertificate(
        file: options.clientCertificateFile,
        keyFile: options.clientKeyFile,
        password: options.keyPassword
      )
      transfer = TransferSettings(
        headers: try RequestHeaders.make(credentials),
        baseURL: try ClientSettings.baseURL(options),
        connectTimeoutMilliseconds: connectTimeout,
        maxResponseBytes: maxResponseBytes,
        watchesProgress: limits.stallTimeoutMilliseconds != nil,
        caFile: try RegularFile.check("ca_file", options.caFile),
        proxy: proxy,
        clientCertificate: certificate,
        userAgent: userAgent
      )
      let passwords = (proxy?.secrets ?? []) + [certificate?.password].compactMap { $0 }
      // A long one first: a shorter one may be a part of it.
      secrets = ([secret, credentials] + passwords).sorted { $0.count > $1.count }
    } catch {
      throw ArgyleError(error)
    }
  }
}

// MARK: - Rules

extension ClientSettings {
  private static func check(_ name: String, _ text: String) throws(ArgyleError) -> String {
    try check(name, text.utf8)
    return text
  }

  private static func check(_ name: String, _ secret: Secret) throws(ArgyleError) -> Secret {
    try secret.withUTF8 { text throws(ArgyleError) in try check(name, text) }
    return secret
  }

  private static func check(_ name: String, _ text: some Collection<UInt8>) throws(ArgyleError) {
    guard !text.isEmpty else { throw ArgyleError(.argument, "\(name) must not be empty") }
    guard !text.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
      throw ArgyleError(.argument, "\(name) must not contain control characters")
    }
  }

  /// A key as HTTP Basic authentication writes it.
  private static func basicCredentials(_ keyID: String, _ secret: Secret) -> Secret {
    let count = keyID.utf8.count + 1 + secret.count
    let pair = Secret(count: count) { put in
      keyID.utf8.forEach(put)
      put(UInt8(ascii: ":"))
      secret.withUTF8 { $0.forEach(put) }
    }
    return Secret(count: (count + 2) / 3 * 4) { put in pair.withUTF8 { Base64.encode($0, put) } }
  }

  private static func check(_ name: String, _ time: Duration) throws(ArgyleError) -> Int {
    let parts = time.components
    // Bounded first, so that nothing below can overflow.
    if (0...Int64(Int32.max)).contains(parts.seconds) {
      let milliseconds = parts.seconds * 1000 + parts.attoseconds / 1_000_000_000_000_000
      if (1...Int64(Int32.max)).contains(milliseconds) { return Int(milliseconds) }
    }
    throw ArgyleError(.argument, "\(name) must be between 1 and \(Int32.max) milliseconds")
  }

  private static func limits(_ options: ClientOptions) throws(ArgyleError) -> CallLimits {
    guard (0...100).contains(options.maxRetries) else {
      throw ArgyleError(.argument, "max_retries must be between 0 and 100")
    }
    var deadline: Int?
    if let time = options.deadline { deadline = try check("deadline_ms", time) }
    var stallTimeout: Int?
    if let time = options.stallTimeout { stallTimeout = try check("stall_timeout_ms", time) }
    return CallLimits(
      timeoutMilliseconds: try check("timeout_ms", options.timeout),
      stallTimeoutMilliseconds: stallTimeout,
      deadlineMilliseconds: deadline,
      maxRetries: options.maxRetries,
      maxRetryAfterMilliseconds: Int64(try check("max_retry_after_ms", options.maxRetryAfter))
    )
  }

  private static func check(maxResponseBytes: Int) throws(ArgyleError) -> Int {
    guard (1...Int(Int32.max)).contains(maxResponseBytes) else {
      throw ArgyleError(.argument, "max_response_bytes must be between 1 and \(Int32.max)")
    }
    return maxResponseBytes
  }

  private static func check(maxRequestsPerSecond: Double?) throws(ArgyleError) {
    if let maxRequestsPerSecond, !(0.001...1_000_000).contains(maxRequestsPerSecond) {
      throw ArgyleError(.argument, "max_requests_per_second must be between 0.001 and 1000000")
    }
  }

  private static func baseURL(_ options: ClientOptions) throws(SettingError) -> BaseURL {
    let url = try BaseURL(
      options.environment.baseURL,
      allowInsecureHTTP: options.allowInsecureHTTP
    )
    guard !url.text.utf8.reversed().starts(with: "/v1".utf8.reversed()) else {
      throw .invalid("base_url must not end with /v1, which is added to it")
    }
    return url
  }

  private static func userAgent(_ application: String?) throws(ArgyleError) -> String {
    var userAgent = "libargyle/\(Version.text) libcurl/\(Libcurl.version)"
    if let application {
      let isPrintable = application.utf8.allSatisfy { (0x20...0x7E).contains($0) }
      guard (1...128).contains(application.utf8.count), isPrintable else {
        throw ArgyleError(.argument, "application must be 1 to 128 printable ASCII characters")
      }
      userAgent += " \(application)"
    }
    return userAgent
  }
}
