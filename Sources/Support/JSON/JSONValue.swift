/// A valid JSON value as received text.
package struct JSONValue {
  package let kind: JSONKind

  /// A slice of the document, whose indices give the value's position.
  package let text: ArraySlice<UInt8>

  /// The escaped text between a string's quotes; empty for other kinds.
  package var escapedContent: ArraySlice<UInt8> {
    kind == .string ? text.dropFirst().dropLast() : []
  }

  /// A string's unescaped characters; an unpaired surrogate becomes U+FFFD.
  package var characters: [UInt8] {
    unescape(escapedContent)
  }
}

/// Unescapes the content of a valid JSON string.
func unescape(_ content: ArraySlice<UInt8>) -> [UInt8] {
  guard content.contains(UInt8(ascii: "\\")) else { return [UInt8](content) }
  var result: [UInt8] = []
  // The result is never longer; reserving leaves no copy of a possible secret behind.
  result.reserveCapacity(content.count)
  var rest = content
  while let byte = rest.popFirst() {
    guard byte == UInt8(ascii: "\\"), let escape = rest.popFirst() else {
      result.append(byte)
      continue
    }
    switch escape {
    case UInt8(ascii: "b"): result.append(0x08)
    case UInt8(ascii: "f"): result.append(0x0C)
    case UInt8(ascii: "n"): result.append(0x0A)
    case UInt8(ascii: "r"): result.append(0x0D)
    case UInt8(ascii: "t"): result.append(0x09)
    case UInt8(ascii: "u"):
      var scalar = takeCodeUnit(&rest)
      if scalar & 0xFC00 == 0xD800, rest.starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
        var following = rest.dropFirst(2)
        let low = takeCodeUnit(&following)
        if low & 0xFC00 == 0xDC00 {
          scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
          rest = following
        }
      }
      let character = Unicode.Scalar(scalar) ?? "\u{FFFD}"
      for unit in UTF8.encode(character) ?? UTF8.encodedReplacementCharacter {
        result.append(unit)
      }
    default: result.append(escape)
    }
  }
  return result
}

/// Consumes the four digits of a `\u` escape.
private func takeCodeUnit(_ rest: inout ArraySlice<UInt8>) -> UInt32 {
  let digits = String(decoding: rest.prefix(4), as: UTF8.self)
  rest = rest.dropFirst(4)
  return UInt32(digits, radix: 16) ?? 0
}
