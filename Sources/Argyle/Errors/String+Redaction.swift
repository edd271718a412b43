import Support

extension String {
  /// The text with JSON Web Tokens redacted: they start with `{"` in base64url.
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
    character.isASCIILetter || character.isASCIIDigit || "-_.=".utf8.contains(character)
  }

  /// The text with every occurrence of a secret redacted.
  func redacting(_ secret: Secret) -> String {
    secret.withUTF8 { redacting($0) }
  }

  /// The text with every occurrence of other texts redacted, which may overlap.
  func redacting(_ others: [String]) -> String {
    let text = Array(utf8)
    var isHidden = [Bool](repeating: false, count: text.count)
    for other in others {
      let hidden = Array(other.utf8)
      for start in text.indices where text[start...].starts(with: hidden) {
        for index in start..<(start + hidden.count) { isHidden[index] = true }
      }
    }
    var result: [UInt8] = []
    for index in text.indices {
      if !isHidden[index] {
        result.append(text[index])
      } else if index == 0 || !isHidden[index - 1] {
        result += "[redacted]".utf8
      }
    }
    return String(decoding: result, as: UTF8.self)
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
