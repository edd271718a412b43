import Argyle
import CJansson
import Support

extension ObjectMember {
  /// Goes through the members of an object; the name is for the error where the argument is none.
  static func forEach(
    in object: UnsafePointer<json_t>,
    _ name: String,
    _ body: (ObjectMember) throws(ArgyleError) -> Void
  ) throws(ArgyleError) {
    guard let members = all(of: object) else {
      throw ArgyleError(.argument, "\(name) must be a JSON object")
    }
    for member in members { try body(member) }
  }

  /// The member's text.
  func text() throws(ArgyleError) -> String {
    try require(string, isString ? "UTF-8" : "a string")
  }

  /// The member's text, of which no copy is left behind.
  func secret() throws(ArgyleError) -> Secret {
    try require(utf8.map { Secret($0) }, isString ? "UTF-8" : "a string")
  }

  /// The member's whole number.
  func integer() throws(ArgyleError) -> Int {
    try require(integer, "an integer")
  }

  /// The member's number.
  func number() throws(ArgyleError) -> Double {
    try require(number, "a number")
  }

  /// The member's truth.
  func boolean() throws(ArgyleError) -> Bool {
    try require(boolean, "a boolean")
  }

  private func require<Value>(_ value: Value?, _ type: String) throws(ArgyleError) -> Value {
    guard let value else { throw ArgyleError(.argument, "\(name) must be \(type)") }
    return value
  }
}
