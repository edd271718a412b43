/// A text with a NUL after it, at an address that stays, for C to borrow.
package final class CText {
  private let characters: UnsafeMutableBufferPointer<CChar>

  package convenience init(_ text: String) {
    self.init(Array(text.utf8))
  }

  package init(_ bytes: [UInt8]) {
    characters = .allocate(capacity: bytes.count + 1)
    var index = 0
    for byte in bytes {
      characters.initializeElement(at: index, to: CChar(bitPattern: byte))
      index += 1
    }
    characters.initializeElement(at: index, to: 0)
  }

  deinit {
    characters.deallocate()
  }

  /// The first character.
  package var pointer: UnsafePointer<CChar>? { UnsafePointer(characters.baseAddress) }
}
