import CJansson
import Support

// Both ways are loops with a list of the open arrays and objects, not recursion: without optimisation a frame
// of a recursive function is so large that 2048 of them overflow a thread's stack.

// MARK: - From jansson

extension JSON {
  /// Copies a jansson value.
  init(_ reference: JSONReference) {
    self = reference.withValue { JSON.copy($0) }
  }

  /// An array or object of jansson's that is being copied.
  private struct Source {
    let value: UnsafeMutablePointer<json_t>
    /// The name under which the value stands in its object.
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

    /// The next value in it with its name, or nil where all have been copied.
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

  /// The copy of a value that holds no others, nil for arrays and objects.
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
  /// How deep a value that is sent may be nested.
  ///
  /// jansson's parser goes 2048 levels deep: what stands around a user's metadata in a list takes three of them, and
  /// a number or text in the innermost array one. A value that is nested deeper could be sent and not be read back,
  /// and would make every list that it stands in unreadable.
  package static let maximumDepth = 2044

  /// The error for a value that is nested too deep.
  static func tooDeep(_ argument: String) -> ArgyleError {
    ArgyleError(.argument, "\(argument) must not be nested deeper than \(maximumDepth) levels")
  }

  /// An array or object for jansson that is being filled.
  private struct Target {
    let reference: JSONReference
    var members: ArraySlice<JSONObject.Member>

    /// Hangs a value into it under the name of the first member.
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

  /// Makes a jansson value; an error names the argument and the rule that the value breaks.
  package func makeReference(argument: String) throws(ArgyleError) -> JSONReference {
    var open: [Target] = []
    var value = self
    while true {
      var made = try value.makeEmptyReference(argument)
      if let members = value.members {
        guard open.count < JSON.maximumDepth else { throw JSON.tooDeep(argument) }
        open.append(Target(reference: made, members: members[...]))
      } else if !open.isEmpty {
        try open[open.count - 1].add(made)
      } else {
        return made
      }
      // Whatever is full now goes into what it stands in.
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

  /// The values in an array or object, those of an array without names; nil for other values.
  private var members: [JSONObject.Member]? {
    switch self {
    case .array(let items): items.map { JSONObject.Member(key: "", value: $0) }
    case .object(let object): object.members
    default: nil
    }
  }

  /// Makes a jansson value, an array or object without what is in it.
  private func makeEmptyReference(_ argument: String) throws(ArgyleError) -> JSONReference {
    if case .real(let real) = self, !real.isFinite {
      throw ArgyleError(.argument, "\(argument) must hold finite numbers only")
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
