import Support

extension PercentEncoding {
  /// Decodes escapes; a percent sign without two hexadecimal digits is kept.
  static func decode(_ text: some Sequence<UInt8>, plusIsSpace: Bool = false) -> Bytes {
    var rest = Array(text)[...]
    var result = Bytes()
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let high = rest[rest.startIndex].hexadecimalValue,
        let low = rest[rest.startIndex + 1].hexadecimalValue
      {
        result.append(high << 4 | low)
        rest = rest.dropFirst(2)
      } else if plusIsSpace, byte == UInt8(ascii: "+") {
        result.append(UInt8(ascii: " "))
      } else {
        result.append(byte)
      }
    }
    return result
  }

  /// Encodes bytes that a query must not contain; existing escapes and separators are kept.
  static func sanitizeQuery(_ query: some Sequence<UInt8>) -> String {
    encode(query, keeping: "!$&'()*+,;=:@/?%")
  }
}
