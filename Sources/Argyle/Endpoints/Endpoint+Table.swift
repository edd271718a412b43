import Transport

extension Endpoint {
  /// The endpoint of an operation in a version of the API, which differ in paths and in the members with tokens.
  init(_ operation: Operation.Kind, _ version: APIVersion) {
    switch operation {
    case .createUser, .createUserWithFields:
      self.init(
        method: .post,
        path: "/users",
        body: .user,
        answer: .object(["id", version.createdTokenMember], about: .unspecified)
      )
    case .getUser:
      self.init(
        method: .get,
        path: "/users/{id}",
        body: .none,
        answer: .object(["id"], about: .member("id"))
      )
    case .updateUser, .updateUserWithFields:
      self.init(
        method: .patch,
        path: "/users/{id}",
        body: .user,
        answer: .object(["id"], about: .member("id"))
      )
    case .listUsers:
      self.init(method: .get, path: "/users", body: .none, answer: .page)
    case .deleteUser:
      self.init(method: .delete, path: "/users/{id}", body: .none, answer: .anything)
    case .createUserToken:
      self.init(
        method: .post,
        path: "/user-tokens",
        body: .userID,
        answer: .object([version.tokenMember], about: .token(version.tokenMember))
      )
    }
  }
}

extension APIVersion {
  /// The first segment of its paths.
  var path: StaticString { self == .v1 ? "/v1" : "/v2" }

  /// The member of a created user that contains a token.
  var createdTokenMember: StaticString { self == .v1 ? "token" : "user_token" }

  /// The member of a user token that contains the token for Argyle Link.
  var tokenMember: StaticString { self == .v1 ? "access" : "user_token" }
}
