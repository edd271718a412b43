import CJansson

/// The `external_metadata` of a user as JSON text, ready to be sent.
package struct Metadata: Sendable {
  private let text: [UInt8]

  /// Encodes a jansson value; an error names the rule that it breaks.
  package init(_ value: UnsafePointer<json_t>) throws(ArgyleError) {
    guard !JSONReference.isDeeper(value, than: JSON.maximumDepth) else {
      throw JSON.tooDeep("external_metadata")
    }
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
