import CJansson

/// One member of a JSON object that a caller in C passed, read under its own name.
package struct ObjectMember {
  private let key: UnsafePointer<CChar>
  private let keyCount: Int
  private let value: UnsafeMutablePointer<json_t>

  /// The members of an object, in their order; nil where the value is none.
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

  /// The member's name.
  package var name: String { ObjectMember.string(key, keyCount) }

  /// Tells whether the member has this name.
  package func isNamed(_ name: StaticString) -> Bool {
    name.withUTF8Buffer { $0.elementsEqual(UnsafeRawBufferPointer(start: key, count: keyCount)) }
  }

  /// Whether the member is a string.
  package var isString: Bool { argyle_json_type(value) == JSON_STRING }

  /// The member's text; nil where it is no string, or one that is not UTF-8.
  package var string: String? {
    bytes.flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// The bytes of the member's text, borrowed from the object; nil where it is no string, or one that is not UTF-8.
  package var utf8: UnsafeRawBufferPointer? {
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

  /// The member's whole number; nil where it is none.
  package var integer: Int? {
    argyle_json_type(value) == JSON_INTEGER ? Int(argyle_json_integer_value(value)) : nil
  }

  /// The member's number, whole or not; nil where it is none.
  package var number: Double? {
    let type = argyle_json_type(value)
    return type == JSON_INTEGER || type == JSON_REAL ? argyle_json_number_value(value) : nil
  }

  /// The member's truth; nil where it is no boolean.
  package var boolean: Bool? {
    switch argyle_json_type(value) {
    case JSON_TRUE: true
    case JSON_FALSE: false
    default: nil
    }
  }

  /// The texts of the member's objects, where it is an array of flat ones; nil where it is none.
  package var flatObjects: [String]? {
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
