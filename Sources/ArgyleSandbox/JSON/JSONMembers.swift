import CJansson
import Support

/// Reads the members of a JSON object by name and type, and rejects unknown ones.
struct JSONMembers {
  private let object: JSONReference
  private var known: [StaticString] = []

  /// Parses a document; duplicate keys are an error.
  static func parse(_ text: Bytes) throws(SandboxError) -> JSONReference {
    do {
      return try JSONReference(parsing: text, refusingDuplicates: true)
    } catch {
      throw .option("invalid JSON: \(error.reason)")
    }
  }

  /// Parses a document that must be an object.
  init(_ text: Bytes) throws(SandboxError) {
    try self.init(JSONMembers.parse(text))
  }

  init(_ object: JSONReference) throws(SandboxError) {
    guard object.isObject else { throw .option("expected a JSON object") }
    self.object = object
  }

  /// Reads a string that must be one of `choices`; returns nil if absent.
  mutating func choice(
    _ key: StaticString,
    _ choices: [String]
  ) throws(SandboxError) -> String? {
    guard let value = member(key) else { return nil }
    if let text = value.string, choices.contains(where: { text.utf8.matches($0) }) { return text }
    var list = ""
    for choice in choices { list += (list.utf8.isEmpty ? "'" : ", '") + choice + "'" }
    throw invalid(key, "one of \(list)")
  }

  mutating func integer(
    _ key: StaticString,
    _ range: ClosedRange<Int>
  ) throws(SandboxError) -> Int? {
    guard let value = member(key) else { return nil }
    guard let number = value.integer, range.contains(Int(number)) else {
      throw invalid(key, "an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return Int(number)
  }

  /// Reads a number from 0 to 1; returns nil if absent.
  mutating func probability(_ key: StaticString) throws(SandboxError) -> Double? {
    guard let value = member(key) else { return nil }
    guard let number = value.number, number >= 0, number <= 1 else {
      throw invalid(key, "a number from 0 to 1")
    }
    return number
  }

  mutating func boolean(_ key: StaticString) throws(SandboxError) -> Bool? {
    guard let value = member(key) else { return nil }
    switch value.type {
    case JSON_TRUE: return true
    case JSON_FALSE: return false
    default: throw invalid(key, "true or false")
    }
  }

  mutating func strings(_ key: StaticString) throws(SandboxError) -> [String]? {
    guard let value = member(key) else { return nil }
    guard value.type == JSON_ARRAY else { throw invalid(key, "an array of strings") }
    var strings: [String] = []
    for index in 0..<value.count {
      guard let string = value.item(index)?.string else {
        throw invalid(key, "an array of strings")
      }
      strings.append(string)
    }
    return strings
  }

  /// Throws if the object has members that were not read.
  func rejectUnknown() throws(SandboxError) {
    let unknown: String? = object.withValue { object in
      let members = ObjectMember.all(of: object) ?? []
      return members.first { member in !known.contains { member.isNamed($0) } }?.name
    }
    if let unknown { throw .option("unknown key '\(unknown)'") }
  }

  private mutating func member(_ key: StaticString) -> JSONReference? {
    known.append(key)
    return object.member(key)
  }

  private func invalid(_ key: StaticString, _ rule: String) -> SandboxError {
    .option("'\(String(cString: key.cString))' must be \(rule)")
  }
}
