import CJansson

/// A member of a JSON object passed by a C caller; errors carry its name.
package struct ObjectMember {
  private let key: UnsafePointer<CChar>
  private let keyCount: Int
  let value: UnsafeMutablePointer<json_t>

  /// Returns the members of an object in order; nil if the value is not an object.
  package static func all(of object: UnsafePointer<json_t>) -> [ObjectMember]? {
    guard argyle_json_type(object) == JSON_OBJECT else { return nil }
    var members: [ObjectMember] = []
    var iterator = argyle_json_object_first(object)
    while let position = iterator {
      if let key = argyle_json_object_iter_key(position),
        let value = argyle_json_object_iter_value(position)
      {
        let keyCount = argyle_json_object_iter_key_len(position)
        members.append(ObjectMember(key: key, keyCount: keyCount, value: value))
      }
      iterator = argyle_json_object_next(object, position)
    }
    return members
  }

  package var name: String { ObjectMember.string(key, keyCount) }

  /// Whether the member has this name.
  package func isNamed(_ name: StaticString) -> Bool {
    name.withUTF8Buffer { $0.elementsEqual(UnsafeRawBufferPointer(start: key, count: keyCount)) }
  }

  /// Returns the index of the member's value among `texts`.
  func choice(of texts: [StaticString]) throws(OptionError) -> Int {
    _ = try text()
    guard let bytes else { return 0 }
    for index in texts.indices {
      if texts[index].withUTF8Buffer({ $0.elementsEqual(bytes) }) { return index }
    }
    let all = texts.reduce("") {
      "\($0)\($0.isEmpty ? "" : " or ")\"\(String(cString: $1.cString))\""
    }
    throw .invalid(name: name, rule: "must be \(all)")
  }

  /// The member as a string.
  func text() throws(OptionError) -> String {
    try require(bytes.flatMap { String(validating: $0, as: UTF8.self) }, textType)
  }

  /// The member as a secret string, of which no copy is left behind.
  func secret() throws(OptionError) -> Secret {
    try require(validBytes.map { Secret($0) }, textType)
  }

  /// The member as an integer.
  func integer() throws(OptionError) -> Int {
    let isInteger = argyle_json_type(value) == JSON_INTEGER
    return try require(isInteger ? Int(argyle_json_integer_value(value)) : nil, "an integer")
  }

  /// The member as a number, integer or not.
  func number() throws(OptionError) -> Double {
    let type = argyle_json_type(value)
    let isNumber = type == JSON_INTEGER || type == JSON_REAL
    return try require(isNumber ? argyle_json_number_value(value) : nil, "a number")
  }

  /// The member as a boolean.
  func boolean() throws(OptionError) -> Bool {
    let type = argyle_json_type(value)
    let isBoolean = type == JSON_TRUE || type == JSON_FALSE
    return try require(isBoolean ? type == JSON_TRUE : nil, "a boolean")
  }

  private func require<Value>(_ value: Value?, _ type: String) throws(OptionError) -> Value {
    guard let value else { throw .invalid(name: name, rule: "must be \(type)") }
    return value
  }

  /// The required type or encoding that the member lacks.
  private var textType: String { argyle_json_type(value) == JSON_STRING ? "UTF-8" : "a string" }

  /// The member's bytes; nil if it is not a string or not UTF-8.
  private var validBytes: UnsafeRawBufferPointer? {
    guard let bytes else { return nil }
    var parser = Unicode.UTF8.ForwardParser()
    var rest = bytes.makeIterator()
    while true {
      switch parser.parseScalar(from: &rest) {
      case .valid: continue
      case .emptyInput: return bytes
      case .error: return nil
      }
    }
  }

  private var bytes: UnsafeRawBufferPointer? {
    argyle_json_string_value(value).map {
      UnsafeRawBufferPointer(start: $0, count: argyle_json_string_length(value))
    }
  }

  /// The member's objects as JSON texts, if it is an array of flat objects.
  func flatObjects() throws(OptionError) -> [String] {
    try require(flatObjectTexts, "an array of flat JSON objects")
  }

  private var flatObjectTexts: [String]? {
    guard argyle_json_type(value) == JSON_ARRAY else { return nil }
    var texts: [String] = []
    for index in 0..<argyle_json_array_size(value) {
      guard let object = argyle_json_array_get(value, index),
        let members = ObjectMember.all(of: object),
        members.allSatisfy({ $0.isScalar })
      else { return nil }
      let text = JSONReference(retaining: object).shortened() ?? []
      texts.append(String(decoding: text, as: UTF8.self))
    }
    return texts
  }

  private var isScalar: Bool {
    let type = argyle_json_type(value)
    return type != JSON_ARRAY && type != JSON_OBJECT
  }

  private static func string(_ text: UnsafePointer<CChar>, _ count: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
  }
}
