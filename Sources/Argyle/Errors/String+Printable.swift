import Support

extension String {
  /// The most characters of a text from outside that a message repeats.
  private static let longestQuote = 200

  /// A text from outside, fit for one line of a log: control characters made spaces, and cut at a length.
  package var printable: String {
    var line = ""
    var count = 0
    for scalar in unicodeScalars {
      if count == String.longestQuote { return line + "…" }
      let isControl = scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value)
      // Line and paragraph separators end a line for some readers.
      let isSeparator = scalar.value == 0x2028 || scalar.value == 0x2029
      line.unicodeScalars.append(isControl || isSeparator ? " " : scalar)
      count += 1
    }
    return line
  }

  /// The text with all that looks like a JSON Web Token blacked out: such a token begins with `{"` in base64url.
  var redactingTokens: String {
    let text = Array(utf8)
    var result: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index...].starts(with: "eyJ".utf8) {
        result += "[redacted]".utf8
        while index < text.count, String.isTokenCharacter(text[index]) { index += 1 }
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func isTokenCharacter(_ character: UInt8) -> Bool {
    switch character {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "."), UInt8(ascii: "="):
      true
    default: false
    }
  }

  /// The text with every occurrence of a secret blacked out.
  func redacting(_ secret: Secret) -> String {
    secret.withUTF8 { redacting($0) }
  }

  private func redacting(_ hidden: UnsafeBufferPointer<UInt8>) -> String {
    let text = Array(utf8)
    guard !hidden.isEmpty else { return self }
    var result: [UInt8] = []
    var index = 0
    while index < text.count {
      if text[index...].starts(with: hidden) {
        result += "[redacted]".utf8
        index += hidden.count
      } else {
        result.append(text[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
