import Support
import Transport

/// An operation of the service with its arguments.
package enum Operation: Sendable {
  /// "Create a user".
  case createUser(UserDocument?)
  /// "Retrieve a user and their metadata".
  case getUser(UserID)
  /// "Update a user's metadata".
  case updateUser(UserID, UserDocument)
  /// "List users", with the URL's query.
  case listUsers(query: String)
  /// "Delete a user".
  case deleteUser(UserID)
  /// "Create a user token".
  case createUserToken(UserID)
}

// MARK: - Kind

extension Operation {
  /// An operation without arguments; the raw values are those of the C header.
  package enum Kind: Int32, Sendable {
    case createUser = 1
    case getUser = 2
    case updateUser = 3
    case listUsers = 4
    case deleteUser = 5
    case createUserToken = 6
    case createUserWithFields = 7
    case updateUserWithFields = 8
  }

  package var kind: Kind {
    switch self {
    case .createUser(let user): user?.form == .fields ? .createUserWithFields : .createUser
    case .getUser: .getUser
    case .updateUser(_, let user): user.form == .fields ? .updateUserWithFields : .updateUser
    case .listUsers: .listUsers
    case .deleteUser: .deleteUser
    case .createUserToken: .createUserToken
    }
  }
}

// MARK: - User

extension Operation {
  /// The operation's user; nil if it has none.
  package var userID: UserID? {
    switch self {
    case .createUser, .listUsers: nil
    case .getUser(let id), .updateUser(let id, _), .deleteUser(let id), .createUserToken(let id):
      id
    }
  }
}

// MARK: - Request

extension Operation {
  /// Builds the request; throws if the version lacks a field.
  func request(_ version: APIVersion) throws(ArgyleError) -> Request {
    try user?.check(version)
    let endpoint = Endpoint(kind, version)
    return Request(
      endpoint.method,
      String(cString: version.path.cString) + path(endpoint.path),
      query: query,
      body: try document(endpoint.body),
      isBodyPersonal: endpoint.body == .user
    )
  }

  private func path(_ template: StaticString) -> String {
    template.withUTF8Buffer { text in
      guard let userID, text.last == UInt8(ascii: "}") else {
        return String(decoding: text, as: UTF8.self)
      }
      let collection = text.dropLast("{id}".utf8.count)
      return String(decoding: collection, as: UTF8.self) + userID.pathSegment
    }
  }

  private var query: String {
    if case .listUsers(let query) = self { query } else { "" }
  }

  private func document(_ form: Endpoint.Body) throws(ArgyleError) -> [UInt8]? {
    switch form {
    case .none: return nil
    case .user: return user?.text
    case .userID:
      let id = JSON.string(userID?.text ?? "")
      let document = try JSON.object(["user": id]).makeReference(argument: "user_id")
      guard let text = document.encoded() else { throw .outOfMemory }
      return text
    }
  }

  private var user: UserDocument? {
    switch self {
    case .createUser(let user): user
    case .updateUser(_, let user): user
    case .getUser, .listUsers, .deleteUser, .createUserToken: nil
    }
  }
}
