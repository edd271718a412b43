import CJansson

/// A strong reference to a jansson value, released with the last Swift reference to this object.
package final class JSONReference: @unchecked Sendable {
  // Unchecked: jansson's reference counts are atomic, and nobody changes a shared value.
  /// Only for `withValue`: Swift may release an object after its last use, while the pointer is still in use.
  private let value: UnsafeMutablePointer<json_t>

  /// Takes ownership of a new reference.
  package init(owning value: UnsafeMutablePointer<json_t>) {
    self.value = value
  }

  /// Retains a borrowed value.
  package init(retaining value: UnsafeMutablePointer<json_t>) {
    self.value = argyle_json_retain(value)
  }

  deinit {
    argyle_json_release(value)
  }

  /// Passes the value to `body`, at whose end the value may be released.
  package func withValue<Result, Failure: Error>(
    _ body: (UnsafeMutablePointer<json_t>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(value)
  }

  /// Returns a new reference, which the C caller must release.
  package func newReference() -> UnsafeMutablePointer<json_t> {
    withValue { argyle_json_retain($0) }
  }
}

// MARK: - Text

extension JSONReference {
  /// Parses a JSON document; for duplicate names the last member counts, unless they are refused.
  package convenience init(
    parsing text: [UInt8],
    refusingDuplicates: Bool = false
  ) throws(JSONSyntaxError) {
    // jansson ignores a NUL after a number or a literal.
    if let position = text.firstIndex(of: 0) { throw JSONSyntaxError(nulAt: position) }
    var failure = json_error_t()
    let duplicates = refusingDuplicates ? JSON_REJECT_DUPLICATES : 0
    let flags = Int(JSON_DECODE_ANY | JSON_ALLOW_NUL | duplicates)
    let value = text.withUnsafeBytes { bytes in
      // An empty array may have no address, and jansson treats NULL as an error, not as empty text.
      bytes.isEmpty
        ? argyle_json_loadb("", 0, flags, &failure)
        : argyle_json_loadb(bytes.baseAddress, bytes.count, flags, &failure)
    }
    guard let value else { throw JSONSyntaxError(&failure) }
    self.init(owning: value)
  }

  /// Encodes the value as compact JSON; returns nil if jansson cannot.
  package func encoded() -> [UInt8]? {
    withValue { JSONReference.text(of: $0) }
  }

  /// Encodes the value for humans, 0.1 as 0.1; returns nil if jansson cannot.
  package func shortened() -> [UInt8]? {
    withValue { JSONReference.text(of: $0, flags: argyle_json_compact_flags()) }
  }

  /// Encodes a value as compact JSON; returns nil if jansson cannot, such as for text that is not UTF-8.
  ///
  /// It uses a callback, not `json_dumps`: a host may have replaced jansson's allocator, so nothing allocated by
  /// jansson should have to be freed here.
  package static func text(
    of value: UnsafePointer<json_t>,
    flags: Int = Int(JSON_COMPACT | JSON_ENCODE_ANY)
  ) -> [UInt8]? {
    var text: [UInt8] = []
    let status = withUnsafeMutablePointer(to: &text) { text in
      argyle_json_dump_callback(
        value,
        { piece, count, context in
          guard let piece, let context else { return -1 }
          context.assumingMemoryBound(to: [UInt8].self).pointee
            .append(contentsOf: UnsafeRawBufferPointer(start: piece, count: count))
          return 0
        },
        text,
        flags
      )
    }
    return status == 0 ? text : nil
  }
}

// MARK: - Reading

extension JSONReference {
  package var type: json_type { withValue { argyle_json_type($0) } }

  package var isObject: Bool { type == JSON_OBJECT }

  /// Returns an object's member; nil if absent or not an object.
  package func member(_ key: StaticString) -> JSONReference? {
    withValue { argyle_json_object_get($0, key.cString).map { JSONReference(retaining: $0) } }
  }

  /// Whether the value is an object with a non-empty string under this name.
  package func hasText(_ key: StaticString) -> Bool {
    withValue { JSONReference.hasText($0, key) }
  }

  /// Returns the index of an array's first item without a non-empty string under this name; nil if all have one.
  package func firstItem(without key: StaticString) -> Int? {
    withValue { array in
      (0..<argyle_json_array_size(array)).first {
        !JSONReference.hasText(argyle_json_array_get(array, $0), key)
      }
    }
  }

  private static func hasText(_ value: UnsafeMutablePointer<json_t>?, _ key: StaticString) -> Bool {
    argyle_json_string_length(argyle_json_object_get(value, key.cString)) > 0
  }

  /// The first member of an object with its name; nil if there is none.
  package var firstMember: (key: String, value: JSONReference)? {
    withValue { object in
      guard let first = argyle_json_object_first(object),
        let key = argyle_json_object_iter_key(first),
        let value = argyle_json_object_iter_value(first)
      else { return nil }
      return (String(cString: key), JSONReference(retaining: value))
    }
  }

  /// All strings in the value at any depth, except keys.
  package var texts: [String] {
    withValue { root in
      var texts: [String] = []
      // Not recursive, because recursion would overflow the stack of some threads.
      var left = [root]
      while let value = left.popLast() {
        if let text = JSONReference(retaining: value).text { texts.append(text) }
        for index in 0..<argyle_json_array_size(value) {
          if let item = argyle_json_array_get(value, index) { left.append(item) }
        }
        left += (ObjectMember.all(of: value) ?? []).map { $0.value }
      }
      return texts
    }
  }

  /// Number of items in an array.
  package var count: Int { withValue { argyle_json_array_size($0) } }

  /// Returns an array's item; nil if out of range or not an array.
  package func item(_ index: Int) -> JSONReference? {
    withValue { argyle_json_array_get($0, index).map { JSONReference(retaining: $0) } }
  }

  /// The value of a string; nil for other types.
  package var string: String? {
    withValue { value in
      guard let text = argyle_json_string_value(value) else { return nil }
      let bytes = UnsafeRawBufferPointer(start: text, count: argyle_json_string_length(value))
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// The value of a non-empty string; nil for anything else.
  package var text: String? {
    guard let string, !string.utf8.isEmpty else { return nil }
    return string
  }

  /// The value of an integer; nil for other types.
  package var integer: Int64? {
    withValue { argyle_json_type($0) == JSON_INTEGER ? Int64(argyle_json_integer_value($0)) : nil }
  }

  /// The value of an integer or a real; nil for other types.
  package var number: Double? {
    withValue { value in
      let type = argyle_json_type(value)
      return type == JSON_INTEGER || type == JSON_REAL ? argyle_json_number_value(value) : nil
    }
  }
}
