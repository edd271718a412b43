import Argyle
import CJansson
import Support

extension Operation {
  /// An operation's document as passed by C.
  enum Document {
    case value(UnsafePointer<json_t>)
    case text([UInt8])
  }

  /// Creates an operation from C arguments; the error names the argument and the broken rule.
  init(
    _ number: Int32,
    _ version: APIVersion,
    _ userID: UnsafePointer<CChar>?,
    _ document: Document?
  ) throws(ArgyleError) {
    guard let kind = Kind(rawValue: number) else {
      throw ArgyleError(.argument, "operation must be one of the ARGYLE_OPERATION_ numbers")
    }
    switch kind {
    case .createUser, .createUserWithFields, .listUsers:
      try Operation.requireNull(userID, "user_id")
    case .getUser, .deleteUser, .createUserToken:
      try Operation.requireNull(document, "document")
    case .updateUser, .updateUserWithFields: break
    }
    switch kind {
    case .createUser:
      self = .createUser(try document?.user(.metadata))
    case .createUserWithFields:
      self = .createUser(try Arguments.require(document, "document").user(.fields))
    case .getUser:
      self = .getUser(try Arguments.userID(userID))
    case .updateUser:
      self = .updateUser(
        try Arguments.userID(userID),
        try Arguments.require(document, "document").user(.metadata)
      )
    case .updateUserWithFields:
      self = .updateUser(
        try Arguments.userID(userID),
        try Arguments.require(document, "document").user(.fields)
      )
    case .listUsers:
      self = .listUsers(query: try document?.query(version).text ?? "")
    case .deleteUser:
      self = .deleteUser(try Arguments.userID(userID))
    case .createUserToken:
      self = .createUserToken(try Arguments.userID(userID))
    }
  }

  private static func requireNull<Value>(_ value: Value?, _ name: String) throws(ArgyleError) {
    guard value == nil else {
      throw ArgyleError(.argument, "\(name) must be NULL for this operation")
    }
  }
}

extension Operation.Document {
  fileprivate func user(_ form: UserDocument.Form) throws(ArgyleError) -> UserDocument {
    switch self {
    case .value(let value): try UserDocument(value, form)
    case .text(let text): try UserDocument(text: text, form)
    }
  }

  fileprivate func query(_ version: APIVersion) throws(ArgyleError) -> UserQuery {
    let query: UserQuery
    switch self {
    case .value(let value): query = try UserQuery(value)
    case .text(let text):
      query = try Arguments.json(text, "query").withValue { (value) throws(ArgyleError) in
        try UserQuery(value)
      }
    }
    try query.validate(version)
    return query
  }
}
