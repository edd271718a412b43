import CJansson
import Support

/// A page of users as a jansson value in normal form: `results`, `next`, `previous` and `count`.
package struct UserPageDocument {
  /// The page in normal form.
  package let document: JSONReference

  let results: JSONReference

  /// Whether the service sent a bare array of users, without links to other pages.
  let isBareArray: Bool

  /// Reads a response; the error names what is wrong with it.
  init(_ answer: Answer) throws(ArgyleError) {
    let received = try answer.document()
    let version = answer.context.version
    isBareArray = version == .v1 && received.type == JSON_ARRAY
    document = isBareArray ? try UserPageDocument.envelope(around: received) : received
    guard document.isObject else {
      throw answer.protocolError(
        UserPageDocument.wrongType(version, isArray: received.type == JSON_ARRAY)
      )
    }
    guard let results = document.member("results"), results.type == JSON_ARRAY else {
      throw answer.protocolError("the response has no array \"results\"")
    }
    self.results = results
    if let index = results.firstItem(without: "id") {
      throw answer.protocolError("the user at index \(index) of the response has no string \"id\"")
    }
    try normalize("next", JSON_STRING, "a string", answer)
    try normalize("previous", JSON_STRING, "a string", answer)
    switch version {
    case .v1: try normalize("count", JSON_INTEGER, "an integer", answer)
    case .v2: try UserPageDocument.set("count", of: document, to: argyle_json_null())
    }
  }

  /// What is wrong with a response that is no page.
  static func wrongType(_ version: APIVersion, isArray: Bool) -> String {
    switch version {
    case .v1: "the response is neither a JSON object nor an array of users"
    case .v2: "the response is not a JSON object" + (isArray ? APIVersion.v1.isResponse : "")
    }
  }

  private static func envelope(around array: JSONReference) throws(ArgyleError) -> JSONReference {
    guard let object = argyle_json_object() else { throw .outOfMemory }
    let envelope = JSONReference(owning: object)
    try set("results", of: envelope, to: array.newReference())
    return envelope
  }

  /// Checks that a member has its type or is null, and adds null if it is absent.
  private func normalize(
    _ key: StaticString,
    _ type: json_type,
    _ typeName: String,
    _ answer: Answer
  ) throws(ArgyleError) {
    guard let member = document.member(key) else {
      return try UserPageDocument.set(key, of: document, to: argyle_json_null())
    }
    guard member.type == type || member.type == JSON_NULL else {
      let name = String(cString: key.cString)
      throw answer.protocolError("\"\(name)\" in the response is neither \(typeName) nor null")
    }
  }

  private static func set(
    _ key: StaticString,
    of object: JSONReference,
    to value: UnsafeMutablePointer<json_t>?
  ) throws(ArgyleError) {
    let status = object.withValue { argyle_json_object_set_new($0, key.cString, value) }
    guard status == 0 else { throw .outOfMemory }
  }
}
