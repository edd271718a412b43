#if !hasFeature(Embedded)
  // The operations of ``Users`` for Swift concurrency. None blocks a thread, any number of tasks may use them at
  // once, and the cancellation of a task ends its call with ``ArgyleError/Code/cancelled``.
  extension Users {
    /// Creates a user ("Create a user": `POST /v1/users`), without blocking.
    ///
    /// - Parameter externalMetadata: any JSON value, nested no deeper than 2044 levels; nil sends none, and the
    ///   service stores an empty object.
    /// - Returns: the user's id and a token: a credential to keep secret.
    /// - Throws: ``ArgyleError``.
    public func create(externalMetadata: JSON? = nil) async throws(ArgyleError) -> NewUser {
      let operation = Operation.createUser(
        externalMetadata: try Metadata(optional: externalMetadata)
      )
      return NewUser(try await client.perform(operation).document(of: operation))
    }

    /// Retrieves a user ("Retrieve a user and their metadata": `GET /v1/users/{id}`), without blocking.
    ///
    /// - Parameter id: the user's id: 1 to 255 bytes other than "." and "..".
    /// - Returns: the user as the service sent it.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
    public func get(_ id: String) async throws(ArgyleError) -> User {
      let operation = Operation.getUser(try UserID(id))
      return User(try await client.perform(operation).document(of: operation))
    }

    /// Replaces the metadata of a user ("Update a user's metadata": `PATCH /v1/users/{id}`), without blocking.
    ///
    /// - Parameters:
    ///   - id: the user's id, as for ``get(_:)``.
    ///   - externalMetadata: any JSON value, nested no deeper than 2044 levels.
    /// - Returns: the user as it is now.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
    public func update(_ id: String, externalMetadata: JSON) async throws(ArgyleError) -> User {
      let operation = Operation.updateUser(
        try UserID(id),
        externalMetadata: try Metadata(externalMetadata)
      )
      return User(try await client.perform(operation).document(of: operation))
    }

    /// Lists one page of users ("List users": `GET /v1/users`), without blocking.
    ///
    /// - Parameters:
    ///   - limit: users on the page, 1 to 2147483647; nil for the service's default of 10. It gives 200 at the most.
    ///   - offset: users to pass over; nil for none.
    ///   - ordering: the order; nil for newest first.
    /// - Returns: the page, in one form whether the service sends an object or a bare array.
    /// - Throws: ``ArgyleError``.
    public func list(
      limit: Int? = nil,
      offset: Int? = nil,
      ordering: UserQuery.Ordering? = nil
    ) async throws(ArgyleError) -> UserPage {
      let query = UserQuery(limit: limit, offset: offset, ordering: ordering)
      try query.validate()
      let operation = Operation.listUsers(query: query.text)
      return UserPage(try await client.perform(operation).document(of: operation))
    }

    /// Walks over all users as an asynchronous sequence, with the next page under way while this one is read.
    ///
    /// - Parameter query: where the walk begins and in what order; 200 users a page unless it says otherwise.
    /// - Returns: a sequence that walks the list anew each time, in the manner of ``UserCursor``.
    public func stream(_ query: UserQuery = UserQuery()) -> UserStream {
      UserStream(client: client, query: query)
    }

    /// Deletes a user with all accounts and resources ("Delete a user": `DELETE /v1/users/{id}`), without blocking.
    ///
    /// - Parameter id: the user's id, as for ``get(_:)``.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
    public func delete(_ id: String) async throws(ArgyleError) {
      _ = try await client.perform(.deleteUser(UserID(id)))
    }
  }
#endif
