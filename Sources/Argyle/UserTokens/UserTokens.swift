/// The operations on user tokens.
///
/// Each blocks for one call; any number of threads may use them at once.
public struct UserTokens: Sendable {
  let client: Client

  /// Creates a token for a user ("Create a user token": `POST /user-tokens`).
  ///
  /// - Parameter userID: the user's id, as for ``Users/get(_:)``.
  /// - Returns: the tokens, which are credentials to keep secret.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/invalidRequest`` if there is no such user.
  public func create(_ userID: String) throws(ArgyleError) -> UserToken {
    UserToken(try client.createUserToken(UserID(userID)), client.apiVersion)
  }
}
