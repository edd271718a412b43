import CCurl
import CPlatform
import Support

/// A client's options once they are known to be good, in the form in which every transfer needs them.
///
/// An object, by whose identity an easy handle knows what it is set up for.
final class TransferSettings: Sendable {
  let headers: RequestHeaders
  let baseURL: BaseURL
  let limits: CallLimits
  let connectTimeoutMilliseconds: Int
  let maxResponseBytes: Int
  let caFile: String?
  let proxy: String?
  let clientCertificate: ClientCertificate?
  let userAgent: String
  /// What no message may show: the key's secret, the key as HTTP Basic authentication writes it, and passwords.
  let secrets: [Secret]

  /// Checks options; an error names the one that breaks a rule.
  ///
  /// It delegates, because Embedded Swift leaks an object whose own initialiser throws.
  convenience init(_ options: ClientOptions) throws(ArgyleError) {
    try TransferSettings.check(maxRequestsPerSecond: options.maxRequestsPerSecond)
    let keyID = try TransferSettings.check("key_id", options.keyID)
    guard !keyID.utf8.contains(UInt8(ascii: ":")) else {
      throw ArgyleError(.argument, "key_id must not contain \":\"")
    }
    let secret = try TransferSettings.check("key_secret", options.secret)
    let credentials = TransferSettings.basicCredentials(keyID, secret)
    guard let headers = RequestHeaders.make(credentials) else { throw .outOfMemory }
    try self.init(
      headers: headers,
      keySecrets: [secret, credentials],
      baseURL: BaseURL(
        options.environment.baseURL,
        allowInsecureHTTP: options.allowInsecureHTTP
      ),
      limits: TransferSettings.limits(options),
      connectTimeoutMilliseconds: TransferSettings.check(
        "connect_timeout_ms",
        options.connectTimeout
      ),
      maxResponseBytes: TransferSettings.check(maxResponseBytes: options.maxResponseBytes),
      caFile: TransferSettings.check("ca_file", file: options.caFile),
      proxy: Proxy(options.proxy),
      clientCertificate: ClientCertificate(options),
      userAgent: TransferSettings.userAgent(options.application)
    )
  }

  private init(
    headers: RequestHeaders,
    keySecrets: [Secret],
    baseURL: BaseURL,
    limits: CallLimits,
    connectTimeoutMilliseconds: Int,
    maxResponseBytes: Int,
    caFile: String?,
    proxy: Proxy?,
    clientCertificate: ClientCertificate?,
    userAgent: String
  ) {
    self.headers = headers
    self.baseURL = baseURL
    self.limits = limits
    self.connectTimeoutMilliseconds = connectTimeoutMilliseconds
    self.maxResponseBytes = maxResponseBytes
    self.caFile = caFile
    self.proxy = proxy?.url
    self.clientCertificate = clientCertificate
    self.userAgent = userAgent
    let secrets =
      keySecrets + (proxy?.secrets ?? []) + [clientCertificate?.password].compactMap { $0 }
    // A long one first: a shorter one may be a part of it.
    self.secrets = secrets.sorted { $0.count > $1.count }
  }
}

// MARK: - Rules

extension TransferSettings {
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

  /// Checks that a file is there and can be read.
  static func check(_ name: String, file: String?) throws(ArgyleError) -> String? {
    guard let file else { return nil }
    guard !file.utf8.contains(0), isRegular(file) == true, access(file, R_OK) == 0 else {
      throw ArgyleError(.argument, "\(name) must be a regular file that can be read")
    }
    return file
  }

  /// Whether a file is a regular one; nil where there is none.
  ///
  /// To open another may take for ever: a FIFO waits for somebody who writes to it.
  private static func isRegular(_ file: String) -> Bool? {
    var status = stat()
    guard stat(file, &status) == 0 else { return nil }
    return status.st_mode & mode_t(S_IFMT) == mode_t(S_IFREG)
  }

  /// The option of a file, needed for a secure connection, that is not a regular one any more; nil: none is.
  var irregularFile: String? {
    guard baseURL.isSecure else { return nil }
    let files = [
      ("ca_file", caFile),
      ("client_certificate_file", clientCertificate?.file),
      ("client_key_file", clientCertificate?.keyFile),
    ]
    for case (let name, let file?) in files where TransferSettings.isRegular(file) == false {
      return name
    }
    return nil
  }

  private static func userAgent(_ application: String?) throws(ArgyleError) -> String {
    // Not `curl_version`, which lets the LDAP library resolve this machine's name, and waits for it.
    let curl = String(cString: curl_version_info(CURLVERSION_FIRST).pointee.version)
    var userAgent = "libargyle/\(Version.text) libcurl/\(curl)"
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
