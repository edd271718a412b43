import Support

/// An API key, encoded for HTTP Basic authentication.
struct BasicCredentials {
  /// The result of a check.
  enum Verdict {
    case accepted, missing, wrong
  }

  private let encoded: Bytes

  init(keyID: String, keySecret: String) {
    encoded = Bytes(Base64.encode("\(keyID):\(keySecret)".utf8).utf8)
  }

  /// Checks the value of an `Authorization` header.
  func check(_ header: Bytes?) -> Verdict {
    guard let header else { return .missing }
    let scheme = header.prefix { !$0.isHTTPSpace }
    guard scheme.matchesIgnoringCase("Basic") else { return .missing }
    let given = header[scheme.endIndex...].drop { $0.isHTTPSpace }
    return isEncoded(given) ? .accepted : .wrong
  }

  /// Compares in constant time, except that a different length is noticed at once.
  private func isEncoded(_ given: ArraySlice<UInt8>) -> Bool {
    guard given.count == encoded.count else { return false }
    var difference: UInt8 = 0
    for (one, other) in zip(given, encoded) { difference |= one ^ other }
    return difference == 0
  }
}
