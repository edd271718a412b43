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

  /// Appends a member of an object whose `{` was appended; the value is already JSON.
  mutating func member(_ name: String, _ value: some Collection<UInt8>) {
    if text.last != UInt8(ascii: "{") { raw(",") }
    string(name)
    raw(":")
    raw(value)
  }

  /// Returns a string as JSON.
  static func string(_ characters: String) -> Bytes {
    var json = JSONWriter()
    json.string(characters)
    return json.text
  }

  /// Returns a string as JSON; invalid UTF-8 becomes U+FFFD.
  static func string(_ characters: Bytes) -> Bytes {
    string(String(decoding: characters, as: UTF8.self))
  }

  /// Returns an array of strings as JSON.
  static func array(_ strings: [String]) -> Bytes {
    var json = JSONWriter()
    json.raw("[")
    for (index, string) in strings.enumerated() {
      if index > 0 { json.raw(",") }
      json.string(string)
    }
    json.raw("]")
    return json.text
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
