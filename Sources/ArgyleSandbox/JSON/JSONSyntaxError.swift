/// Where and why a text is not JSON.
struct JSONSyntaxError: Error {
  let reason: String
  let offset: Int

  /// The message in the manner of Python's json module, with line, column and character.
  func message(in text: Bytes) -> String {
    var line = 1
    var column = 1
    var character = 0
    for byte in text.prefix(offset) where byte & 0xC0 != 0x80 {
      character += 1
      column += 1
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 1
      }
    }
    return "\(reason): line \(line) column \(column) (char \(character))"
  }
}
