#if !hasFeature(Embedded)
  extension UserTokens {
    /// Creates a token for a user ("Create a user token": `POST /user-tokens`) without blocking.
    ///
    /// Cancelling the task fails the call with ``ArgyleError/Code/cancelled``.
    ///
    /// - Parameter userID: the user's id, as for ``Users/get(_:)``.
    /// - Returns: the tokens, which are credentials to keep secret.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/invalidRequest`` if there is no such user.
    public func create(_ userID: String) async throws(ArgyleError) -> UserToken {
      let operation = Operation.createUserToken(try UserID(userID))
      let document = try await client.perform(operation).document(of: operation)
      return UserToken(document, client.apiVersion)
    }
  }
#endif
