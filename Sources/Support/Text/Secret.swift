import CPlatform

/// A string that no message may show, wiped from memory on release.
package final class Secret: Sendable {
  // Never written after the initialiser. A NUL follows the text.
  nonisolated(unsafe) private let memory: UnsafeMutableBufferPointer<UInt8>

  /// Creates a secret of `count` bytes, which `fill` passes to `put` one by one.
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

  /// Copies UTF-8 text.
  package convenience init(_ text: some Collection<UInt8>) {
    self.init(count: text.count) { put in text.forEach(put) }
  }

  deinit {
    argyle_wipe(memory.baseAddress, memory.count)
    memory.deallocate()
  }

  /// Length in bytes.
  package var count: Int { memory.count - 1 }

  /// Passes the text to `body`.
  package func withUTF8<Value, Failure>(
    _ body: (UnsafeBufferPointer<UInt8>) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeBufferPointer(rebasing: UnsafeBufferPointer(memory).dropLast()))
  }

  /// Passes the text to `body` as a C string.
  package func withCString<Value>(_ body: (UnsafePointer<CChar>) -> Value) -> Value? {
    withExtendedLifetime(self) {
      memory.baseAddress.map { body(UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self)) }
    }
  }

  /// A copy of the text, which is not wiped.
  package var text: String { withUTF8 { String(decoding: $0, as: UTF8.self) } }
}
