import CJansson
import Support

/// A user's `external_metadata` as JSON text, ready to be sent.
package struct Metadata: Sendable {
  private let text: [UInt8]

  /// Encodes a jansson value; the error names the broken rule.
  package init(_ value: UnsafePointer<json_t>) throws(ArgyleError) {
    try Metadata.check(value)
    guard let text = JSONReference.text(of: value) else {
      throw ArgyleError(.argument, "external_metadata must be a JSON value that jansson can encode")
    }
    self.text = text
  }

  /// Encodes a Swift value; the error names the broken rule.
  init(_ value: JSON) throws(ArgyleError) {
    let reference = try value.makeReference(argument: "external_metadata")
    self = try reference.withValue { (value) throws(ArgyleError) in try Metadata(value) }
  }

  /// Encodes a Swift value; returns nil if `value` is nil.
  init?(optional value: JSON?) throws(ArgyleError) {
    guard let value else { return nil }
    try self.init(value)
  }

  /// Validates JSON text, which is sent as is; the error names the broken rule.
  package init(text: [UInt8]) throws(ArgyleError) {
    do {
      _ = try JSONScanner.scan(text, maximumDepth: JSON.maximumDepth)
    } catch {
      if error.isTooDeep { throw JSON.tooDeep("external_metadata") }
      let message = error.message(in: text)
      throw ArgyleError(.argument, "external_metadata must be one JSON value: \(message)")
    }
    self.text = text
  }

  /// The request's body.
  var document: [UInt8] {
    Array("{\"external_metadata\":".utf8) + text + [UInt8(ascii: "}")]
  }
}

// MARK: - Rules

extension Metadata {
  /// Checks what jansson's encoder does not: nesting depth, and names that can be sent and read back.
  ///
  /// It keeps its own stack, because recursion would overflow the stack of some threads.
  private static func check(_ value: UnsafePointer<json_t>) throws(ArgyleError) {
    var left = [(value: value, levels: JSON.maximumDepth)]
    while let (value, levels) = left.popLast() {
      let type = argyle_json_type(value)
      guard type == JSON_ARRAY || type == JSON_OBJECT else { continue }
      guard levels > 0 else { throw JSON.tooDeep("external_metadata") }
      for index in 0..<argyle_json_array_size(value) {
        if let item = argyle_json_array_get(value, index) {
          left.append((UnsafePointer(item), levels - 1))
        }
      }
      var iterator = argyle_json_object_first(value)
      while let position = iterator {
        try checkName(
          argyle_json_object_iter_key(position),
          argyle_json_object_iter_key_len(position)
        )
        if let item = argyle_json_object_iter_value(position) {
          left.append((UnsafePointer(item), levels - 1))
        }
        iterator = argyle_json_object_next(value, position)
      }
    }
  }

  private static func checkName(
    _ text: UnsafePointer<CChar>?,
    _ count: Int
  ) throws(ArgyleError) {
    let bytes = UnsafeRawBufferPointer(start: text, count: count)
    guard !bytes.contains(0) else {
      throw ArgyleError(
        .argument,
        "external_metadata must not contain a NUL in a key: jansson could not read it back"
      )
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw ArgyleError(.argument, "external_metadata must have keys in UTF-8")
    }
  }
}
