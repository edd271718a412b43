import Support

/// The rule for email addresses.
enum EmailAddress {
  /// Whether a text is an email address by the rule of Django's `EmailValidator`.
  ///
  /// Its rare forms are not accepted: quoted local parts, IP addresses, `localhost`, and domains beyond ASCII.
  static func isValid(_ text: Bytes) -> Bool {
    guard text.count <= 320, let at = text.lastIndex(of: UInt8(ascii: "@")) else { return false }
    let dot = UInt8(ascii: ".")
    let words = text[..<at].split(separator: dot, omittingEmptySubsequences: false)
    let labels = text[(at + 1)...].split(separator: dot, omittingEmptySubsequences: false)
    return words.allSatisfy { !$0.isEmpty && $0.allSatisfy(isAllowedInWord) }
      && labels.count > 1 && labels.allSatisfy(isLabel) && (labels.last?.count ?? 0) > 1
  }

  private static func isAllowedInWord(_ byte: UInt8) -> Bool {
    byte.isASCIILetter || byte.isASCIIDigit || "!#$%&'*+/=?^_`{|}~-".utf8.contains(byte)
  }

  /// Whether a text is a part of a domain name: letters, digits, and hyphens in between.
  private static func isLabel(_ text: ArraySlice<UInt8>) -> Bool {
    let hyphen = UInt8(ascii: "-")
    return 1...63 ~= text.count && text.first != hyphen && text.last != hyphen
      && text.allSatisfy { $0.isASCIILetter || $0.isASCIIDigit || $0 == hyphen }
  }
}
