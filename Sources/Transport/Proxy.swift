import CCurl
import Support

/// A validated proxy.
package struct Proxy {
  /// The URL; empty for no proxy.
  package let url: String

  /// Secrets in the URL, which no message may show.
  package let secrets: [Secret]

  /// Validates a URL; returns nil if `url` is nil.
  ///
  /// The error omits the URL, which may hold a password.
  package init?(_ url: String?) throws(OptionError) {
    guard let url else { return nil }
    self.url = url
    guard !url.utf8.isEmpty else {
      secrets = []
      return
    }
    let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
    guard !url.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }),
      let parts = try URLParts(url, anyScheme: true), let scheme = try parts[CURLUPART_SCHEME],
      schemes.contains(where: { $0.utf8.elementsEqual(scheme.utf8) }),
      try parts[CURLUPART_HOST]?.utf8.isEmpty == false
    else {
      throw .invalid(
        "proxy",
        "must be \"\" or a URL with the scheme http, https, socks4, socks4a, socks5 or socks5h"
      )
    }
    // libcurl would ignore a proxy whose credentials it cannot decode.
    for part in [CURLUPART_USER, CURLUPART_PASSWORD] where try parts[part] != nil {
      guard try parts[part, decoded: true] != nil else {
        throw .invalid(
          "proxy",
          "must not contain control characters in its user name or password, not even percent-encoded"
        )
      }
    }
    secrets = [
      try parts[CURLUPART_PASSWORD], try parts[CURLUPART_PASSWORD, decoded: true],
    ].compactMap { $0.map { Secret($0.utf8) } }
  }
}
