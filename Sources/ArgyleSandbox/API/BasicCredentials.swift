/// The API key, in the form in which HTTP Basic authentication carries it.
struct BasicCredentials {
  /// What a check found.
  enum Verdict {
    case accepted, missing, wrong
  }

  private let encoded: Bytes

  init(keyID: String, keySecret: String) {
    encoded = Self.base64(Bytes("\(keyID):\(keySecret)".utf8))
  }

  /// Checks the value of an `Authorization` header.
  func check(_ header: Bytes?) -> Verdict {
    guard let header else { return .missing }
    let scheme = header.prefix { !$0.isHTTPSpace }
    guard scheme.matchesIgnoringCase("Basic") else { return .missing }
    let given = header[scheme.endIndex...].drop { $0.isHTTPSpace }
    return isEncoded(given) ? .accepted : .wrong
  }

  /// Takes the same time wherever the difference is.
  private func isEncoded(_ given: ArraySlice<UInt8>) -> Bool {
    guard given.count == encoded.count else { return false }
    var difference: UInt8 = 0
    for (one, other) in zip(given, encoded) { difference |= one ^ other }
    return difference == 0
  }

  private static func base64(_ bytes: Bytes) -> Bytes {
    let alphabet = Bytes("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var result = Bytes()
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var bits = 0
      for index in 0..<3 {
        bits = bits << 8 | (index < group.count ? Int(group[start + index]) : 0)
      }
      for index in 0..<4 {
        let digit = alphabet[bits >> (18 - index * 6) & 0x3F]
        result.append(index <= group.count ? digit : UInt8(ascii: "="))
      }
    }
    return result
  }
}
