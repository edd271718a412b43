/// A valid JSON value as the text it came in.
struct JSONValue {
  let kind: JSONKind
  let text: Bytes

  /// What stands between the quotes of a string, with its escapes.
  var escapedContent: ArraySlice<UInt8> {
    kind == .string ? text.dropFirst().dropLast() : []
  }

  /// A string's characters; a surrogate that lacks its pair becomes U+FFFD.
  var characters: Bytes {
    unescape(escapedContent)
  }
}

/// Resolves the escapes in the content of a valid JSON string.
func unescape(_ content: ArraySlice<UInt8>) -> Bytes {
  guard content.contains(UInt8(ascii: "\\")) else { return Bytes(content) }
  var result = Bytes()
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

/// Takes the four digits of a `\u` escape.
private func takeCodeUnit(_ rest: inout ArraySlice<UInt8>) -> UInt32 {
  var unit: UInt32 = 0
  for digit in rest.prefix(4) { unit = unit << 4 | UInt32(digit.hexadecimalValue ?? 0) }
  rest = rest.dropFirst(4)
  return unit
}
