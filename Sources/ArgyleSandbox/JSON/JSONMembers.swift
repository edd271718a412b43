import CJansson

/// The members of a JSON object, asked for by name and type; what was not asked for is an error.
struct JSONMembers {
  let object: JSONReference
  private var known: [String] = []

  /// Reads a document, which has to be an object.
  init(_ text: Bytes) throws(SandboxError) {
    try self.init(.parse(text))
  }

  init(_ object: JSONReference) throws(SandboxError) {
    guard argyle_json_type(object.value) == JSON_OBJECT else {
      throw .option("a JSON object is expected")
    }
    self.object = object
  }

  mutating func text(_ key: String) throws(SandboxError) -> String? {
    guard let value = member(key) else { return nil }
    guard let text = Self.string(value) else { throw .option("'\(key)' must be a string") }
    return text
  }

  /// A string that has to be one of some.
  mutating func choice(_ key: String, _ choices: [String]) throws(SandboxError) -> String? {
    guard let value = member(key) else { return nil }
    if let text = Self.string(value), choices.contains(where: { text.utf8.matches($0) }) {
      return text
    }
    var list = ""
    for choice in choices { list += (list.utf8.isEmpty ? "'" : ", '") + choice + "'" }
    throw .option("'\(key)' must be one of \(list)")
  }

  mutating func integer(_ key: String, _ range: ClosedRange<Int>) throws(SandboxError) -> Int? {
    guard let value = member(key) else { return nil }
    let number = Int(json_integer_value(value))
    guard argyle_json_type(value) == JSON_INTEGER, range.contains(number) else {
      throw .option(
        "'\(key)' must be an integer from \(range.lowerBound) to \(range.upperBound)"
      )
    }
    return number
  }

  /// A number from 0 to 1.
  mutating func probability(_ key: String) throws(SandboxError) -> Double? {
    guard let value = member(key) else { return nil }
    let type = argyle_json_type(value)
    let number = json_number_value(value)
    guard type == JSON_INTEGER || type == JSON_REAL, number >= 0, number <= 1 else {
      throw .option("'\(key)' must be a number from 0 to 1")
    }
    return number
  }

  mutating func boolean(_ key: String) throws(SandboxError) -> Bool? {
    guard let value = member(key) else { return nil }
    switch argyle_json_type(value) {
    case JSON_TRUE: return true
    case JSON_FALSE: return false
    default: throw .option("'\(key)' must be true or false")
    }
  }

  mutating func strings(_ key: String) throws(SandboxError) -> [String]? {
    guard let value = member(key) else { return nil }
    let problem = SandboxError.option("'\(key)' must be an array of strings")
    guard argyle_json_type(value) == JSON_ARRAY else { throw problem }
    var strings: [String] = []
    for index in 0..<json_array_size(value) {
      guard let item = json_array_get(value, index), let string = Self.string(item) else {
        throw problem
      }
      strings.append(string)
    }
    return strings
  }

  /// Refuses members that nobody asked for.
  func finish() throws(SandboxError) {
    var iterator = argyle_json_object_first(object.value)
    while let position = iterator {
      if let name = json_object_iter_key(position) {
        let key = bytes(of: name)
        if !known.contains(where: { key.matches($0) }) {
          throw .option("'\(String(decoding: key, as: UTF8.self))' is not understood")
        }
      }
      iterator = argyle_json_object_next(object.value, position)
    }
  }

  private mutating func member(_ key: String) -> UnsafeMutablePointer<json_t>? {
    known.append(key)
    return json_object_get(object.value, key)
  }

  private static func string(_ value: UnsafeMutablePointer<json_t>) -> String? {
    guard let text = json_string_value(value) else { return nil }
    let bytes = UnsafeRawBufferPointer(start: text, count: json_string_length(value))
    return String(decoding: bytes, as: UTF8.self)
  }
}
