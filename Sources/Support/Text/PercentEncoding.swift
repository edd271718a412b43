/// The percent-encoding of RFC 3986.
package enum PercentEncoding {
  /// Whether a character never needs encoding.
  package static func isUnreserved(_ byte: UInt8) -> Bool {
    byte.isASCIILetter || byte.isASCIIDigit || "-._~".utf8.contains(byte)
  }

  /// Encodes all bytes except unreserved characters and those in `others`.
  package static func encode(
    _ bytes: some Sequence<UInt8>,
    keeping others: StaticString = ""
  ) -> String {
    var text: [UInt8] = []
    for byte in bytes {
      if isUnreserved(byte) || others.withUTF8Buffer({ $0.contains(byte) }) {
        text.append(byte)
      } else {
        text.append(UInt8(ascii: "%"))
        text.append(UInt8.hexadecimalDigit(of: byte >> 4, uppercase: true))
        text.append(UInt8.hexadecimalDigit(of: byte & 15, uppercase: true))
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}
