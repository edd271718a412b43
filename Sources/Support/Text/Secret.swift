import CPlatform

/// A text that no message may show, wiped from memory once nobody needs it.
package final class Secret: Sendable {
  // Nobody writes to it after the initialiser. A NUL follows the text.
  nonisolated(unsafe) private let memory: UnsafeMutableBufferPointer<UInt8>

  /// Makes a secret of so many bytes, which a closure hands over one after the other.
  package init(count: Int, _ fill: (_ put: (UInt8) -> Void) -> Void) {
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: count + 1)
    memory.initialize(repeating: 0)
    var index = 0
    fill { byte in
      guard index < count else { return }
      memory[index] = byte
      index += 1
    }
    self.memory = memory
  }

  /// Keeps a copy of a text in UTF-8.
  package convenience init(_ text: some Collection<UInt8>) {
    self.init(count: text.count) { put in text.forEach(put) }
  }

  deinit {
    argyle_wipe(memory.baseAddress, memory.count)
    memory.deallocate()
  }

  /// How many bytes the text has.
  package var count: Int { memory.count - 1 }

  /// Lends the text.
  package func withUTF8<Value, Failure>(
    _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(memory).dropLast()))
  }

  /// Lends the text as C reads it.
  package func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value? {
    withExtendedLifetime(self) {
      memory.baseAddress.map { body(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)) }
    }
  }

  /// A copy of the text, which is not wiped.
  package var text: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }
}
