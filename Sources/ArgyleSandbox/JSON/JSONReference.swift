import CJansson

/// A jansson value, released with its last owner.
final class JSONReference {
  let value: UnsafeMutablePointer<json_t>

  /// Takes over a reference.
  init(_ value: UnsafeMutablePointer<json_t>) {
    self.value = value
  }

  deinit { argyle_json_release(value) }

  /// Reads a document.
  static func parse(_ text: Bytes) throws(SandboxError) -> JSONReference {
    var error = json_error_t()
    let flags = Int(JSON_REJECT_DUPLICATES) | Int(JSON_DECODE_ANY)
    let value = text.withUnsafeBytes {
      json_loadb($0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, flags, &error)
    }
    if let value { return JSONReference(value) }
    let reason = withUnsafeBytes(of: error.text) { Bytes($0.prefix { $0 != 0 }) }
    throw .option("not JSON: \(String(decoding: reason, as: UTF8.self))")
  }

  /// The compact text, with numbers as they were written as far as that can be.
  var text: Bytes {
    let flags = argyle_json_compact_flags()
    var text = Bytes(repeating: 0, count: json_dumpb(value, nil, 0, flags))
    let written = text.withUnsafeMutableBytes {
      json_dumpb(value, $0.baseAddress?.assumingMemoryBound(to: CChar.self), $0.count, flags)
    }
    return Bytes(text.prefix(written))
  }
}
