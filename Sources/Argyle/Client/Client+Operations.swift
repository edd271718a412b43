import Interop

// The six operations with their answers as jansson values, checked for what this library relies on.
extension Client {
  package func createUser(_ metadata: Metadata?) throws(ArgyleError) -> JSONReference {
    try perform(.createUser(externalMetadata: metadata)).object(with: "id", "token")
  }

  package func getUser(_ id: UserID) throws(ArgyleError) -> JSONReference {
    try perform(.getUser(id)).object(with: "id")
  }

  package func updateUser(_ id: UserID, _ metadata: Metadata) throws(ArgyleError) -> JSONReference {
    try perform(.updateUser(id, externalMetadata: metadata)).object(with: "id")
  }

  package func listUsers(_ query: UserQuery) throws(ArgyleError) -> UserPageDocument {
    try query.validate()
    return try UserPageDocument(perform(.listUsers(query: query.text)))
  }

  package func deleteUser(_ id: UserID) throws(ArgyleError) {
    _ = try perform(.deleteUser(id))
  }

  package func createUserToken(_ id: UserID) throws(ArgyleError) -> JSONReference {
    try perform(.createUserToken(id)).object(with: "access")
  }
}
