/// Why a text is not JSON, and where, without any of the text, which may be personal data.
package struct JSONTextError: Error {
  package let reason: String

  /// Byte offset of the error.
  package let offset: Int

  /// Whether values are nested deeper than allowed.
  package let isTooDeep: Bool

  package init(reason: String, offset: Int, isTooDeep: Bool = false) {
    self.reason = reason
    self.offset = offset
    self.isTooDeep = isTooDeep
  }

  /// The message in the style of Python's json module, with line, column and character.
  package func message(in text: [UInt8]) -> String {
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
