import CJansson

/// Why jansson cannot parse a text, and where.
package struct JSONSyntaxError: Error {
  /// The reason and the position, without any of the text, which may be personal data.
  package let reason: String

  /// Whether jansson ran out of memory, so that the text may be valid.
  package let isOutOfMemory: Bool

  init(_ failure: inout json_error_t) {
    // If jansson cannot allocate one of its objects, it reports nothing.
    let isSilent = withUnsafeBytes(of: &failure.text) { $0.first == 0 }
    isOutOfMemory = isSilent || json_error_code(&failure) == json_error_out_of_memory
    let text = withUnsafeBytes(of: &failure.text) { bytes in
      String(decoding: JSONSyntaxError.reason(in: bytes), as: UTF8.self)
    }
    reason = "\(text) at line \(failure.line), column \(failure.column), byte \(failure.position)"
  }

  init(nulAt position: Int) {
    isOutOfMemory = false
    reason = "NUL at byte \(position)"
  }

  /// Returns jansson's message up to ` near '…'`, where it quotes the text.
  private static func reason(in message: UnsafeRawBufferPointer) -> Slice<UnsafeRawBufferPointer> {
    let end = message.firstIndex(of: 0) ?? message.endIndex
    var start = message.startIndex
    while start < end {
      if message[start..<end].starts(with: " near ".utf8) { return message[..<start] }
      start += 1
    }
    return message[..<end]
  }
}
