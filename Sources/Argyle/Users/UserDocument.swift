import CJansson
import Support

/// The body of a request that creates or updates a user, ready to be sent.
package struct UserDocument: Sendable {
  /// What the caller gave.
  package enum Form: Sendable {
    /// A value for the member `external_metadata`.
    case metadata
    /// The whole object.
    case fields
  }

  package let form: Form
  /// JSON text.
  package let text: [UInt8]
  /// The name of the first member that only version 2 of the API has; nil if there is none.
  private let fieldOfVersion2: String?

  /// Encodes a jansson value; the error names the broken rule.
  package init(_ value: UnsafePointer<json_t>, _ form: Form) throws(ArgyleError) {
    guard form == .metadata || argyle_json_type(value) == JSON_OBJECT else {
      throw form.notAnObject
    }
    try UserDocument.check(value, form)
    guard let text = JSONReference.text(of: value) else {
      throw form.error("must be a JSON value that jansson can encode")
    }
    let members = form == .fields ? ObjectMember.all(of: value) : nil
    let other = members?.first { !$0.isNamed("external_metadata") }
    self.init(form, text, fieldOfVersion2: other?.name)
  }

  /// Encodes a Swift value; the error names the broken rule.
  init(_ value: JSON, _ form: Form) throws(ArgyleError) {
    let depth = form.maximumDepth
    let reference = try value.makeReference(argument: form.argument, maximumDepth: depth)
    self = try reference.withValue { (value) throws(ArgyleError) in try UserDocument(value, form) }
  }

  /// Encodes metadata; returns nil if `metadata` is nil.
  init?(metadata: JSON?) throws(ArgyleError) {
    guard let metadata else { return nil }
    try self.init(metadata, .metadata)
  }

  /// Validates JSON text, which is sent as is; the error names the broken rule.
  package init(text: [UInt8], _ form: Form) throws(ArgyleError) {
    let found: JSONScan
    do {
      let member = form == .fields ? "external_metadata" : nil
      found = try JSONScanner.scan(text, maximumDepth: form.maximumDepth, member: member)
    } catch {
      if error.isTooDeep { throw form.tooDeep }
      throw form.error("must be one JSON value: \(error.message(in: text))")
    }
    guard form == .metadata || found.kind == .object else { throw form.notAnObject }
    self.init(form, text, fieldOfVersion2: form == .fields ? found.otherName : nil)
  }

  private init(_ form: Form, _ text: [UInt8], fieldOfVersion2: String?) {
    self.form = form
    self.text =
      form == .fields ? text : Array("{\"external_metadata\":".utf8) + text + [UInt8(ascii: "}")]
    self.fieldOfVersion2 = fieldOfVersion2
  }

  /// Throws if a version of the API lacks one of the fields.
  func check(_ version: APIVersion) throws(ArgyleError) {
    guard version == .v1, let fieldOfVersion2 else { return }
    let name = fieldOfVersion2.printable
    throw form.error("must hold external_metadata only: \"\(name)\" needs api_version 2")
  }
}

// MARK: - Rules

extension UserDocument {
  /// Checks what jansson's encoder does not: nesting depth, and names that can be sent and read back.
  ///
  /// It keeps its own stack, because recursion would overflow the stack of some threads.
  private static func check(
    _ value: UnsafePointer<json_t>,
    _ form: Form
  ) throws(ArgyleError) {
    var left = [(value: value, levels: form.maximumDepth)]
    while let (value, levels) = left.popLast() {
      let type = argyle_json_type(value)
      guard type == JSON_ARRAY || type == JSON_OBJECT else { continue }
      guard levels > 0 else { throw form.tooDeep }
      for index in 0..<argyle_json_array_size(value) {
        if let item = argyle_json_array_get(value, index) {
          left.append((UnsafePointer(item), levels - 1))
        }
      }
      var iterator = argyle_json_object_first(value)
      while let position = iterator {
        let count = argyle_json_object_iter_key_len(position)
        try checkName(argyle_json_object_iter_key(position), count, form)
        if let item = argyle_json_object_iter_value(position) {
          left.append((UnsafePointer(item), levels - 1))
        }
        iterator = argyle_json_object_next(value, position)
      }
    }
  }

  private static func checkName(
    _ text: UnsafePointer<CChar>?,
    _ count: Int,
    _ form: Form
  ) throws(ArgyleError) {
    let bytes = UnsafeRawBufferPointer(start: text, count: count)
    guard !bytes.contains(0) else {
      throw form.error("must not contain a NUL in a key: jansson could not read it back")
    }
    guard String(validating: bytes, as: UTF8.self) != nil else {
      throw form.error("must have keys in UTF-8")
    }
  }
}

extension UserDocument.Form {
  /// The argument's name in messages.
  fileprivate var argument: String { self == .metadata ? "external_metadata" : "fields" }

  /// Maximum nesting depth: fields contain the metadata.
  fileprivate var maximumDepth: Int { JSON.maximumDepth + (self == .metadata ? 0 : 1) }

  fileprivate var tooDeep: ArgyleError { JSON.tooDeep(argument, maximumDepth) }

  fileprivate var notAnObject: ArgyleError { error("must be a JSON object") }

  fileprivate func error(_ rule: String) -> ArgyleError {
    ArgyleError(.argument, "\(argument) \(rule)")
  }
}
