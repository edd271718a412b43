import Argyle
import CJansson

/// One member of a JSON object that the caller passed, read under its own name.
struct ObjectMember {
  private let key: UnsafePointer<CChar>
  private let keyCount: Int
  private let value: UnsafeMutablePointer<json_t>

  /// Goes through the members of an object; the name is for the error where the argument is none.
  static func forEach(
    in object: UnsafePointer<json_t>,
    _ name: String,
    _ body: (ObjectMember) throws(ArgyleError) -> Void
  ) throws(ArgyleError) {
    guard argyle_json_type(object) == JSON_OBJECT else {
      throw ArgyleError(.argument, "\(name) must be a JSON object")
    }
    var iterator = argyle_json_object_first(object)
    while let position = iterator {
      if let key = json_object_iter_key(position), let value = json_object_iter_value(position) {
        let keyCount = json_object_iter_key_len(position)
        try body(ObjectMember(key: key, keyCount: keyCount, value: value))
      }
      iterator = argyle_json_object_next(object, position)
    }
  }

  /// The member's name.
  var name: String { ObjectMember.string(key, keyCount) }

  /// Tells whether the member has this name.
  func isNamed(_ name: StaticString) -> Bool {
    name.withUTF8Buffer { $0.elementsEqual(UnsafeRawBufferPointer(start: key, count: keyCount)) }
  }

  /// The member's text.
  func text() throws(ArgyleError) -> String {
    guard let text = json_string_value(value) else { throw typeError("a string") }
    let bytes = UnsafeRawBufferPointer(start: text, count: json_string_length(value))
    guard let string = String(validating: bytes, as: UTF8.self) else { throw typeError("UTF-8") }
    return string
  }

  /// The member's whole number.
  func integer() throws(ArgyleError) -> Int {
    guard argyle_json_type(value) == JSON_INTEGER else { throw typeError("an integer") }
    return Int(json_integer_value(value))
  }

  /// The member's truth.
  func boolean() throws(ArgyleError) -> Bool {
    switch argyle_json_type(value) {
    case JSON_TRUE: return true
    case JSON_FALSE: return false
    default: throw typeError("a boolean")
    }
  }

  private func typeError(_ type: String) -> ArgyleError {
    ArgyleError(.argument, "\(name) must be \(type)")
  }

  private static func string(_ text: UnsafePointer<CChar>, _ count: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
  }
}
