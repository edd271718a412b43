import Transport

extension Endpoint {
  private static var users: StaticString { "/v2/users" }
  private static var user: StaticString { "/v2/users/{id}" }

  /// The operation's endpoint in version 2 of the API.
  static func v2(_ operation: Operation.Kind) -> Endpoint {
    switch operation {
    case .createUser, .createUserWithFields:
      Endpoint(
        method: .post,
        path: users,
        body: .user,
        answer: .object(["id", "user_token"], about: .unspecified)
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
        path: "/v2/user-tokens",
        body: .userID,
        answer: .object(["user_token"], about: .token("user_token"))
      )
    }
  }
}
