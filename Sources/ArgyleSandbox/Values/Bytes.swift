import Support

/// Text in UTF-8, which may be invalid.
///
/// Comparing bytes needs no Unicode tables, which Embedded Swift would have to link.
typealias Bytes = [UInt8]

extension Sequence where Element == UInt8 {
  func matches(_ text: String) -> Bool {
    elementsEqual(text.utf8)
  }

  /// Compares case-insensitively in ASCII, as HTTP compares names.
  func matchesIgnoringCase(_ text: String) -> Bool {
    elementsEqual(text.utf8) { $0.asciiLowercased == $1.asciiLowercased }
  }
}

extension UInt8 {
  /// A space or a tab, which HTTP allows around values.
  var isHTTPSpace: Bool {
    self == UInt8(ascii: " ") || self == UInt8(ascii: "\t")
  }
}
