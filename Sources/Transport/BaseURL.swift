import CCurl
import CPlatform
import Support

/// The validated part of every URL before a request's path.
package struct BaseURL: Sendable {
  /// Scheme, host, port and path, without a trailing slash.
  package let text: String

  /// The path, without a trailing slash.
  package let path: String

  /// Host and port, for error messages.
  package let authority: String

  /// Whether the scheme is https.
  package let isSecure: Bool

  /// Whether the host is a loopback address.
  package let isLoopback: Bool

  /// Validates a URL; the error names the broken rule but omits the URL, which may hold a password.
  package init(_ url: String, allowInsecureHTTP: Bool) throws(OptionError) {
    guard let parts = try URLParts(url), let scheme = try parts[CURLUPART_SCHEME],
      let host = try parts[CURLUPART_HOST], !host.isEmpty
    else { throw BaseURL.error("must be a URL such as https://api.argyle.com") }

    isSecure = scheme.utf8.elementsEqual("https".utf8)
    guard isSecure || scheme.utf8.elementsEqual("http".utf8) else {
      throw BaseURL.error("must begin with https:// or http://")
    }
    guard try parts[CURLUPART_USER] == nil, try parts[CURLUPART_PASSWORD] == nil else {
      throw BaseURL.error("must not contain a user name or password")
    }
    guard try parts[CURLUPART_ZONEID] == nil else {
      throw BaseURL.error("must not contain an IPv6 zone")
    }
    // libcurl does not report an empty query or fragment, so the text is searched.
    let delimiters = [UInt8(ascii: "?"), UInt8(ascii: "#")]
    guard !url.utf8.contains(where: { delimiters.contains($0) }) else {
      throw BaseURL.error("must not contain a query or a fragment")
    }
    isLoopback = BaseURL.isLoopback(host)
    guard isSecure || isLoopback || allowInsecureHTTP else {
      throw BaseURL.error(
        "must begin with https:// unless the host is a loopback address or allow_insecure_http is true"
      )
    }

    authority = try parts[CURLUPART_PORT].map { "\(host):\($0)" } ?? host
    path = BaseURL.withoutTrailingSlashes(try parts[CURLUPART_PATH] ?? "")
    text = "\(scheme)://\(authority)\(path)"
  }

  private static func error(_ rule: String) -> OptionError {
    .invalid("base_url", rule)
  }

  private static func withoutTrailingSlashes(_ path: String) -> String {
    var bytes = Array(path.utf8)
    while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Whether a host, as libcurl writes it, is localhost, in 127.0.0.0/8 or ::1.
  private static func isLoopback(_ host: String) -> Bool {
    if ASCII.areEqualIgnoringCase(host.utf8, "localhost".utf8)
      || host.utf8.elementsEqual("[::1]".utf8)
    {
      return true
    }
    var address = in_addr()
    guard inet_pton(AF_INET, host, &address) == 1 else { return false }
    return withUnsafeBytes(of: &address) { $0.first == 127 }
  }
}
