#if !hasFeature(Embedded)
  // The operations of ``Users`` for Swift concurrency. None blocks a thread, any number of tasks may use them at once,
  // and cancelling a task fails its call with ``ArgyleError/Code/cancelled``.
  extension Users {
    /// Creates a user ("Create a user": `POST /users`) without blocking.
    ///
    /// - Parameter externalMetadata: any JSON value with at most 2044 levels of nesting; if nil, none is sent, and the
    ///   service stores an empty object.
    /// - Returns: the user's id and a token, which is a credential to keep secret.
    /// - Throws: ``ArgyleError``.
    public func create(externalMetadata: JSON? = nil) async throws(ArgyleError) -> NewUser {
      try await create(UserDocument(metadata: externalMetadata))
    }

    /// Creates a user with fields ("Create a user": `POST /users`) without blocking.
    ///
    /// - Parameter fields: the user's fields; version 1 of the API has only `external_metadata`.
    /// - Returns: the user's id and a token, which is a credential to keep secret.
    /// - Throws: ``ArgyleError``.
    public func create(_ fields: UserFields) async throws(ArgyleError) -> NewUser {
      try await create(fields.document())
    }

    private func create(_ user: UserDocument?) async throws(ArgyleError) -> NewUser {
      let operation = Operation.createUser(user)
      let document = try await client.perform(operation).document(of: operation)
      return NewUser(document, client.apiVersion)
    }

    /// Retrieves a user ("Retrieve a user and their metadata": `GET /users/{id}`) without blocking.
    ///
    /// - Parameter id: the user's id: 1 to 255 bytes other than "." and "..".
    /// - Returns: the user as the service sent it.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
    public func get(_ id: String) async throws(ArgyleError) -> User {
      let operation = Operation.getUser(try UserID(id))
      return User(try await client.perform(operation).document(of: operation))
    }

    /// Replaces a user's metadata ("Update a user's metadata": `PATCH /users/{id}`) without blocking.
    ///
    /// - Parameters:
    ///   - id: the user's id, as for ``get(_:)``.
    ///   - externalMetadata: any JSON value with at most 2044 levels of nesting.
    /// - Returns: the updated user.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
    public func update(_ id: String, externalMetadata: JSON) async throws(ArgyleError) -> User {
      try await update(UserID(id), UserDocument(externalMetadata, .metadata))
    }

    /// Updates fields of a user ("Update a user": `PATCH /users/{id}`) without blocking.
    ///
    /// - Parameters:
    ///   - id: the user's id, as for ``get(_:)``.
    ///   - fields: the fields to replace; version 1 of the API has only `external_metadata`.
    /// - Returns: the updated user.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
    public func update(_ id: String, _ fields: UserFields) async throws(ArgyleError) -> User {
      try await update(UserID(id), fields.document())
    }

    private func update(_ id: UserID, _ user: UserDocument) async throws(ArgyleError) -> User {
      let operation = Operation.updateUser(id, user)
      return User(try await client.perform(operation).document(of: operation))
    }

    /// Lists one page of users ("List users": `GET /users`) without blocking.
    ///
    /// - Parameters:
    ///   - limit: page size, 1 to 2147483647; nil for the service's default of 10. The service returns at most 200.
    ///   - offset: number of users to skip; nil for none. Version 1 of the API only.
    ///   - ordering: the order; nil for newest first. Version 1 of the API only.
    ///   - cursor: where to continue, as for ``UserQuery/cursor``. Version 2 of the API only.
    ///   - externalID: only users with this `external_id`; nil for all. Version 2 of the API only.
    /// - Returns: the page, in the same form whether the service sends an object or a bare array.
    /// - Throws: ``ArgyleError``.
    public func list(
      limit: Int? = nil,
      offset: Int? = nil,
      ordering: UserQuery.Ordering? = nil,
      cursor: String? = nil,
      externalID: String? = nil
    ) async throws(ArgyleError) -> UserPage {
      let query = UserQuery(
        limit: limit,
        offset: offset,
        ordering: ordering,
        cursor: cursor,
        externalID: externalID
      )
      try query.validate(client.apiVersion)
      let operation = Operation.listUsers(query: query.text)
      return UserPage(try await client.perform(operation).document(of: operation))
    }

    /// Returns all users as an asynchronous sequence that prefetches the next page.
    ///
    /// - Parameter query: first page and order; 200 users per page by default.
    /// - Returns: a sequence that lists the users anew for each iterator, like ``UserCursor``.
    public func stream(_ query: UserQuery = UserQuery()) -> UserStream {
      UserStream(client: client, query: query)
    }

    /// Deletes a user with all accounts and resources ("Delete a user": `DELETE /users/{id}`) without blocking.
    ///
    /// - Parameter id: the user's id, as for ``get(_:)``.
    /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
    public func delete(_ id: String) async throws(ArgyleError) {
      _ = try await client.perform(.deleteUser(UserID(id)))
    }
  }
#endif
