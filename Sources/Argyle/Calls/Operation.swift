import Support
import Transport

/// One of the service's operations with its arguments.
package enum Operation: Sendable {
  /// "Create a user".
  case createUser(externalMetadata: Metadata?)
  /// "Retrieve a user and their metadata".
  case getUser(UserID)
  /// "Update a user's metadata".
  case updateUser(UserID, externalMetadata: Metadata)
  /// "List users", with the query part of the URL.
  case listUsers(query: String)
  /// "Delete a user".
  case deleteUser(UserID)
  /// "Create a user token".
  case createUserToken(UserID)
}

// MARK: - Kind

extension Operation {
  /// An operation without its arguments: the numbers of the C header's operations.
  package enum Kind: Int32, Sendable {
    case createUser = 1
    case getUser = 2
    case updateUser = 3
    case listUsers = 4
    case deleteUser = 5
    case createUserToken = 6
  }

  package var kind: Kind {
    switch self {
    case .createUser: .createUser
    case .getUser: .getUser
    case .updateUser: .updateUser
    case .listUsers: .listUsers
    case .deleteUser: .deleteUser
    case .createUserToken: .createUserToken
    }
  }
}

// MARK: - User

extension Operation {
  /// The user that the operation is about; nil where it takes none.
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
  private static let users = "/v1/users"

  /// The request that asks the service for this operation.
  func request() throws(ArgyleError) -> Request {
    switch self {
    case .createUser(let metadata):
      Request(.post, Operation.users, body: metadata?.document)
    case .getUser(let id):
      Request(.get, Operation.path(of: id))
    case .updateUser(let id, let metadata):
      Request(.patch, Operation.path(of: id), body: metadata.document)
    case .listUsers(let query):
      Request(.get, Operation.users, query: query)
    case .deleteUser(let id):
      Request(.delete, Operation.path(of: id))
    case .createUserToken(let id):
      Request(.post, "/v1/user-tokens", body: try Operation.tokenDocument(for: id))
    }
  }

  private static func path(of id: UserID) -> String { "\(users)/\(id.pathSegment)" }

  private static func tokenDocument(for id: UserID) throws(ArgyleError) -> [UInt8] {
    let document = try JSON.object(["user": .string(id.text)]).makeReference(argument: "user_id")
    guard let text = document.encoded() else { throw .outOfMemory }
    return text
  }
}
