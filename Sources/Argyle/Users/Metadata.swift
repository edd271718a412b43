import CJansson

/// The `external_metadata` of a user as JSON text, ready to be sent.
package struct Metadata: Sendable {
  private let text: [UInt8]

  /// Encodes a jansson value; an error names the rule that it breaks.
  package init(_ value: UnsafePointer<json_t>) throws(ArgyleError) {
    try Metadata.check(value, levels: JSON.maximumDepth)
    guard let text = JSONReference.text(of: value) else {
      throw ArgyleError(.argument, "external_metadata must be a JSON value that jansson can encode")
    }
    self.text = text
  }

  /// Encodes a Swift value; an error names the rule that it breaks.
  init(_ value: JSON) throws(ArgyleError) {
    let reference = try value.makeReference(argument: "external_metadata")
    self = try reference.withValue { (value) throws(ArgyleError) in try Metadata(value) }
  }

  /// The request's body.
  var document: [UInt8] {
    Array("{\"external_metadata\":".utf8) + text + [UInt8(ascii: "}")]
  }
}

// MARK: - Rules

extension Metadata {
  /// Checks what jansson's encoder does not: how deep a value is nested, and that names are UTF-8.
  ///
  /// It goes no deeper itself than the levels that are left, so that no tree can overflow the stack.
  private static func check(_ value: UnsafePointer<json_t>, levels: Int) throws(ArgyleError) {
    let type = argyle_json_type(value)
    guard type == JSON_ARRAY || type == JSON_OBJECT else { return }
    guard levels > 0 else { throw JSON.tooDeep("external_metadata") }
    for index in 0..<json_array_size(value) {
      if let item = json_array_get(value, index) { try check(item, levels: levels - 1) }
    }
    var iterator = argyle_json_object_first(value)
    while let position = iterator {
      guard isUTF8(json_object_iter_key(position), json_object_iter_key_len(position)) else {
        throw ArgyleError(.argument, "external_metadata must have names in UTF-8")
      }
      if let item = json_object_iter_value(position) { try check(item, levels: levels - 1) }
      iterator = argyle_json_object_next(value, position)
    }
  }

  private static func isUTF8(_ text: UnsafePointer<CChar>?, _ count: Int) -> Bool {
    String(validating: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self) != nil
  }
}
