/// A text with a NUL after it, at an address that stays, for C to borrow.
final class CText {
  private let characters: UnsafeMutableBufferPointer<CChar>

  init(_ bytes: some Collection<UInt8>) {
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
  var pointer: UnsafePointer<CChar>? { UnsafePointer(characters.baseAddress) }
}
