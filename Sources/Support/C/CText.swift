/// A NUL-terminated string at a stable address, for C to borrow.
package final class CText {
  private let characters: UnsafeMutableBufferPointer<CChar>

  package convenience init(_ text: String) {
    self.init(Array(text.utf8))
  }

  package init(_ bytes: [UInt8]) {
    characters = .allocate(capacity: bytes.count + 1)
    bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(characters).copyMemory(from: $0) }
    characters.initializeElement(at: bytes.count, to: 0)
  }

  deinit {
    characters.deallocate()
  }

  package var pointer: UnsafePointer<CChar>? { UnsafePointer(characters.baseAddress) }
}
