import Transport

extension Endpoint {
  private static var users: StaticString { "/v1/users" }
  private static var user: StaticString { "/v1/users/{id}" }

  /// The operation's endpoint in version 1 of the API.
  static func v1(_ operation: Operation.Kind) -> Endpoint {
    switch operation {
    case .createUser, .createUserWithFields:
      Endpoint(
        method: .post,
        path: users,
        body: .user,
        answer: .object(["id", "token"], about: .unspecified)
      )
    case .getUser:
      Endpoint(
        method: .get,
        path: user,
        body: .none,
        answer: .object(["id"], about: .member("id"))
      )
    case .updateUser, .updateUserWithFields:
      Endpoint(
        method: .patch,
        path: user,
        body: .user,
        answer: .object(["id"], about: .member("id"))
      )
    case .listUsers:
      Endpoint(method: .get, path: users, body: .none, answer: .page)
    case .deleteUser:
      Endpoint(method: .delete, path: user, body: .none, answer: .anything)
    case .createUserToken:
      Endpoint(
        method: .post,
        path: "/v1/user-tokens",
        body: .userID,
        answer: .object(["access"], about: .token("access"))
      )
    }
  }
}
