import CJansson

/// One counted reference to a jansson value: released with the last Swift reference to it.
package final class JSONReference: @unchecked Sendable {
  // Unchecked: jansson counts references atomically, and nobody changes a value that was handed on.
  /// Only for use by `withValue`: Swift may release an object after its last use, with a pointer still in hand.
  private let value: UnsafeMutablePointer<json_t>

  /// Takes over a new reference.
  package init(owning value: UnsafeMutablePointer<json_t>) {
    self.value = value
  }

  /// Adds a reference to a borrowed value.
  package init(retaining value: UnsafeMutablePointer<json_t>) {
    self.value = argyle_json_retain(value)
  }

  deinit {
    argyle_json_release(value)
  }

  /// Lends the value, which lives at least until the body ends.
  package func withValue<Result, Failure: Error>(
    _ body: (UnsafeMutablePointer<json_t>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(value)
  }

  /// Hands out a new reference, for a caller in C to release.
  package func newReference() -> UnsafeMutablePointer<json_t> {
    withValue { argyle_json_retain($0) }
  }
}

// MARK: - Text

extension JSONReference {
  /// Parses one JSON document; of two members with the same name the last one counts, unless that is refused.
  package convenience init(
    parsing text: [UInt8],
    refusingDuplicates: Bool = false
  ) throws(JSONSyntaxError) {
    // jansson overlooks a NUL after a number or a literal.
    if let position = text.firstIndex(of: 0) { throw JSONSyntaxError(nulAt: position) }
    var failure = json_error_t()
    let duplicates = refusingDuplicates ? JSON_REJECT_DUPLICATES : 0
    let flags = Int(JSON_DECODE_ANY | JSON_ALLOW_NUL | duplicates)
    let value = text.withUnsafeBytes { bytes in
      // An empty array may have no address, and jansson takes NULL for a mistake rather than for empty text.
      bytes.isEmpty
        ? argyle_json_loadb("", 0, flags, &failure)
        : argyle_json_loadb(bytes.baseAddress, bytes.count, flags, &failure)
    }
    guard let value else { throw JSONSyntaxError(&failure) }
    self.init(owning: value)
  }

  /// Writes the value as compact JSON text; nil where jansson cannot.
  package func encoded() -> [UInt8]? {
    withValue { JSONReference.text(of: $0) }
  }

  /// Writes the value for people to read, 0.1 as 0.1; nil where jansson cannot.
  package func shortened() -> [UInt8]? {
    withValue { JSONReference.text(of: $0, flags: argyle_json_compact_flags()) }
  }

  /// Writes a value as compact JSON text; nil where jansson cannot, as with text that is not UTF-8.
  ///
  /// The text is collected by a callback, not taken from `json_dumps`: a host may have replaced jansson's
  /// allocator, and so nothing of jansson's has to be freed here.
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
  /// The kind of the value.
  package var type: json_type { withValue { argyle_json_type($0) } }

  /// Whether the value is an object.
  package var isObject: Bool { type == JSON_OBJECT }

  /// The member of an object, or nil where there is none or this is no object.
  package func member(_ key: StaticString) -> JSONReference? {
    withValue { argyle_json_object_get($0, key.cString).map { JSONReference(retaining: $0) } }
  }

  /// Whether the value is an object whose member of that name is a string that is not empty.
  package func hasText(_ key: StaticString) -> Bool {
    withValue { JSONReference.hasText($0, key) }
  }

  /// The index of the first item of an array that has no text of that name; nil where all have one.
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

  /// The first member of an object with its name, or nil where there is none.
  package var firstMember: (key: String, value: JSONReference)? {
    withValue { object in
      guard let first = argyle_json_object_first(object),
        let key = argyle_json_object_iter_key(first),
        let value = argyle_json_object_iter_value(first)
      else { return nil }
      return (String(cString: key), JSONReference(retaining: value))
    }
  }

  /// How many items an array has.
  package var count: Int { withValue { argyle_json_array_size($0) } }

  /// The item of an array, or nil where there is none or this is no array.
  package func item(_ index: Int) -> JSONReference? {
    withValue { argyle_json_array_get($0, index).map { JSONReference(retaining: $0) } }
  }

  /// The text of a string, otherwise nil.
  package var string: String? {
    withValue { value in
      guard let text = argyle_json_string_value(value) else { return nil }
      let bytes = UnsafeRawBufferPointer(start: text, count: argyle_json_string_length(value))
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// The text of a string that is not empty, otherwise nil.
  package var text: String? {
    guard let string, !string.utf8.isEmpty else { return nil }
    return string
  }

  /// The number of an integer, otherwise nil.
  package var integer: Int64? {
    withValue { argyle_json_type($0) == JSON_INTEGER ? Int64(argyle_json_integer_value($0)) : nil }
  }

  /// The number of an integer or a real, otherwise nil.
  package var number: Double? {
    withValue { value in
      let type = argyle_json_type(value)
      return type == JSON_INTEGER || type == JSON_REAL ? argyle_json_number_value(value) : nil
    }
  }
}
