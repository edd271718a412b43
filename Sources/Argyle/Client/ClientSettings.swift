import Support
import Transport

/// A client's validated options, split by who needs them.
struct ClientSettings: Sendable {
  let apiVersion: APIVersion
  let transfer: TransferSettings
  let limits: CallLimits
  /// Secrets to redact: the key's secret, its base64-encoded Basic credentials, and passwords.
  let secrets: [Secret]

  /// Validates options; the error names the one that breaks a rule.
  init(_ options: ClientOptions) throws(OptionError) {
    // From here on all durations are whole milliseconds in range, and `?? 1` is never used.
    try ClientOptions.table.check(options)
    apiVersion = options.apiVersion
    let credentials = ClientSettings.basicCredentials(options.keyID, options.secret)
    limits = CallLimits(
      timeoutMilliseconds: options.timeout.wholeMilliseconds ?? 1,
      stallTimeoutMilliseconds: options.stallTimeout?.wholeMilliseconds,
      deadlineMilliseconds: options.deadline?.wholeMilliseconds,
      maxRetries: options.maxRetries,
      maxRetryAfterMilliseconds: Int64(options.maxRetryAfter.wholeMilliseconds ?? 1)
    )
    let proxy = try Proxy(options.proxy)
    let certificate = try ClientSettings.certificate(options)
    transfer = TransferSettings(
      headers: try RequestHeaders.make(credentials),
      baseURL: try ClientSettings.baseURL(options),
      connectTimeoutMilliseconds: options.connectTimeout.wholeMilliseconds ?? 1,
      maxResponseBytes: options.maxResponseBytes,
      tracksProgress: limits.stallTimeoutMilliseconds != nil,
      caFile: options.caFile,
      proxy: proxy,
      clientCertificate: certificate,
      userAgent: ClientSettings.userAgent(options.application)
    )
    let passwords = (proxy?.secrets ?? []) + [certificate?.password].compactMap { $0 }
    // Longest first: a shorter one may be part of it.
    secrets = ([options.secret, credentials] + passwords).sorted { $0.count > $1.count }
  }

  /// The base64-encoded credentials of HTTP Basic authentication.
  private static func basicCredentials(_ keyID: String, _ secret: Secret) -> Secret {
    let count = keyID.utf8.count + 1 + secret.count
    let pair = Secret(count: count) { put in
      keyID.utf8.forEach(put)
      put(UInt8(ascii: ":"))
      secret.withUTF8 { $0.forEach(put) }
    }
    return Secret(count: (count + 2) / 3 * 4) { put in pair.withUTF8 { Base64.encode($0, put) } }
  }

  private static func baseURL(_ options: ClientOptions) throws(OptionError) -> BaseURL {
    let url = try BaseURL(
      options.environment.baseURL,
      allowInsecureHTTP: options.allowInsecureHTTP
    )
    for version in [APIVersion.v1, .v2] {
      let path = String(cString: version.path.cString)
      guard !url.path.utf8.suffix(path.utf8.count).elementsEqual(path.utf8) else {
        throw .invalid("base_url", "must not end with \(path), which is added to it")
      }
    }
    return url
  }

  private static func certificate(
    _ options: ClientOptions
  ) throws(OptionError) -> ClientCertificate? {
    if let file = options.clientCertificateFile {
      let (keyFile, password) = (options.clientKeyFile, options.keyPassword)
      return ClientCertificate(file: file, keyFile: keyFile, password: password)
    }
    guard options.clientKeyFile == nil, options.keyPassword == nil else {
      throw .invalid(
        name: "client_key_file and client_key_password",
        rule: "require client_certificate_file"
      )
    }
    return nil
  }

  private static func userAgent(_ application: String?) -> String {
    let library = "libargyle/\(Version.text) libcurl/\(Libcurl.version)"
    return application.map { "\(library) \($0)" } ?? library
  }
}
