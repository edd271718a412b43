import CJansson
import Support

// Both conversions keep their own stack instead of recursing: without optimisation, 2048 frames of a recursive function
// overflow a thread's stack.

// MARK: - From jansson

extension JSON {
  init(_ reference: JSONReference) {
    self = reference.withValue { JSON.copy($0) }
  }

  /// An array or object of jansson's being copied.
  private struct Source {
    let value: UnsafeMutablePointer<json_t>
    /// The value's name in its object.
    let key: String
    var index = 0
    var iterator: UnsafeMutableRawPointer?
    var items: [JSON] = []
    var members: [JSONObject.Member] = []

    init(_ value: UnsafeMutablePointer<json_t>, _ key: String) {
      self.value = value
      self.key = key
      iterator = argyle_json_object_first(value)
    }

    /// Returns the next element with its name; nil at the end.
    mutating func next() -> (key: String, value: UnsafeMutablePointer<json_t>)? {
      if let position = iterator, let key = argyle_json_object_iter_key(position),
        let member = argyle_json_object_iter_value(position)
      {
        iterator = argyle_json_object_next(value, position)
        return (JSON.string(key, argyle_json_object_iter_key_len(position)), member)
      }
      index += 1
      return argyle_json_array_get(value, index - 1).map { ("", $0) }
    }

    mutating func add(_ copy: JSON, _ key: String) {
      if argyle_json_type(value) == JSON_OBJECT {
        members.append(JSONObject.Member(key: key, value: copy))
      } else {
        items.append(copy)
      }
    }

    var copy: JSON {
      argyle_json_type(value) == JSON_OBJECT
        ? .object(JSONObject(distinct: members)) : .array(items)
    }
  }

  private static func copy(_ value: UnsafeMutablePointer<json_t>) -> JSON {
    if let scalar = scalar(value) { return scalar }
    var open: [Source] = []
    var current = Source(value, "")
    while true {
      if let (key, value) = current.next() {
        if let scalar = scalar(value) {
          current.add(scalar, key)
        } else {
          open.append(current)
          current = Source(value, key)
        }
      } else {
        guard var outer = open.popLast() else { return current.copy }
        outer.add(current.copy, current.key)
        current = outer
      }
    }
  }

  /// Copies a scalar; returns nil for arrays and objects.
  private static func scalar(_ value: UnsafeMutablePointer<json_t>) -> JSON? {
    switch argyle_json_type(value) {
    case JSON_OBJECT, JSON_ARRAY: nil
    case JSON_STRING:
      .string(
        argyle_json_string_value(value).map { string($0, argyle_json_string_length(value)) } ?? ""
      )
    case JSON_INTEGER: .integer(Int64(argyle_json_integer_value(value)))
    case JSON_REAL: .real(argyle_json_real_value(value))
    case JSON_TRUE: .bool(true)
    case JSON_FALSE: .bool(false)
    default: .null
    }
  }

  private static func string(_ text: UnsafePointer<CChar>, _ count: Int) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text, count: count), as: UTF8.self)
  }
}

// MARK: - To jansson

extension JSON {
  /// Maximum nesting depth of a value to be sent.
  ///
  /// jansson parses up to 2048 levels: what surrounds a user's metadata in a list takes three of them, and a number or
  /// string in the innermost array one. A deeper value could be sent but not read back, and would make every list that
  /// contains it unreadable.
  package static let maximumDepth = 2044

  /// The error for a value that is nested too deeply.
  static func tooDeep(_ argument: String, _ maximumDepth: Int) -> ArgyleError {
    ArgyleError(.argument, "\(argument) must not be nested deeper than \(maximumDepth) levels")
  }

  /// An array or object being filled for jansson.
  private struct Target {
    let reference: JSONReference
    var members: ArraySlice<JSONObject.Member>

    /// Adds a value under the first remaining member's name.
    mutating func add(_ value: JSONReference) throws(ArgyleError) {
      guard let key = members.popFirst()?.key else { return }
      let status = reference.withValue { target in
        argyle_json_type(target) == JSON_ARRAY
          ? argyle_json_array_append_new(target, value.newReference())
          : JSON.withBytes(of: key) {
            argyle_json_object_setn_new_nocheck(target, $0, $1, value.newReference())
          }
      }
      guard status == 0 else { throw .outOfMemory }
    }
  }

  /// Converts to a jansson value; the error names the argument and the broken rule.
  package func makeReference(
    argument: String,
    maximumDepth: Int = JSON.maximumDepth
  ) throws(ArgyleError) -> JSONReference {
    var open: [Target] = []
    var value = self
    while true {
      var made = try value.makeEmptyReference(argument)
      if let members = value.members {
        guard open.count < maximumDepth else { throw JSON.tooDeep(argument, maximumDepth) }
        open.append(Target(reference: made, members: members[...]))
      } else if !open.isEmpty {
        try open[open.count - 1].add(made)
      } else {
        return made
      }
      // Complete containers are added to their parents.
      while let last = open.last, last.members.isEmpty {
        made = last.reference
        open.removeLast()
        if open.isEmpty { return made }
        try open[open.count - 1].add(made)
      }
      guard let next = open.last?.members.first else { return made }
      value = next.value
    }
  }

  /// The members of an object, or the items of an array with empty names; nil for scalars.
  private var members: [JSONObject.Member]? {
    switch self {
    case .array(let items): items.map { JSONObject.Member(key: "", value: $0) }
    case .object(let object): object.members
    default: nil
    }
  }

  /// Converts a scalar, or creates an empty array or object.
  private func makeEmptyReference(_ argument: String) throws(ArgyleError) -> JSONReference {
    if case .real(let real) = self, !real.isFinite {
      throw ArgyleError(.argument, "\(argument) must contain only finite numbers")
    }
    let value =
      switch self {
      case .null: argyle_json_null()
      case .bool(let bool): bool ? argyle_json_true() : argyle_json_false()
      case .integer(let integer): argyle_json_integer(json_int_t(integer))
      case .real(let real): argyle_json_real(real)
      case .string(let string): JSON.withBytes(of: string) { argyle_json_stringn_nocheck($0, $1) }
      case .array: argyle_json_array()
      case .object: argyle_json_object()
      }
    guard let value else { throw .outOfMemory }
    return JSONReference(owning: value)
  }

  private static func withBytes<Result>(
    of string: String,
    _ body: (UnsafePointer<CChar>, Int) -> Result
  ) -> Result {
    let count = string.utf8.count
    return string.withCString { body($0, count) }
  }
}
