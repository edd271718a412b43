import Support

// The six operations, returning jansson values with the members that this library relies on checked.
extension Client {
  package func createUser(_ user: UserDocument?) throws(ArgyleError) -> JSONReference {
    try document(.createUser(user))
  }

  package func getUser(_ id: UserID) throws(ArgyleError) -> JSONReference {
    try document(.getUser(id))
  }

  package func updateUser(
    _ id: UserID,
    _ user: UserDocument
  ) throws(ArgyleError) -> JSONReference {
    try document(.updateUser(id, user))
  }

  package func listUsers(_ query: UserQuery) throws(ArgyleError) -> JSONReference {
    try query.validate(apiVersion)
    return try document(.listUsers(query: query.text))
  }

  package func deleteUser(_ id: UserID) throws(ArgyleError) {
    try Call(self, .deleteUser(id)).run()
  }

  package func createUserToken(_ id: UserID) throws(ArgyleError) -> JSONReference {
    try document(.createUserToken(id))
  }

  private func document(_ operation: Operation) throws(ArgyleError) -> JSONReference {
    let call = try Call(self, operation)
    try call.run()
    return try call.answer().document(of: operation)
  }
}
