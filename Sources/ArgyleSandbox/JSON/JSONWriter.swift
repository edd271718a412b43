import Support

/// Builds JSON text.
struct JSONWriter {
  private(set) var text = Bytes()

  /// Appends text that is already JSON.
  mutating func raw(_ json: String) {
    text.append(contentsOf: json.utf8)
  }

  /// Appends bytes that are already JSON.
  mutating func raw(_ json: some Collection<UInt8>) {
    text.append(contentsOf: json)
  }

  /// Appends a string, escaped and with quotes.
  mutating func string(_ characters: String) {
    text.append(UInt8(ascii: "\""))
    for byte in characters.utf8 {
      switch byte {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"):
        text.append(UInt8(ascii: "\\"))
        text.append(byte)
      case 0x00..<0x20:
        raw("\\u00")
        text.append(UInt8.hexadecimalDigit(of: byte >> 4))
        text.append(UInt8.hexadecimalDigit(of: byte & 0xF))
      default:
        text.append(byte)
      }
    }
    text.append(UInt8(ascii: "\""))
  }
}
