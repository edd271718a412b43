/// The operations on users.
///
/// Each blocks for one call, and any number of threads may use them at once.
public struct Users: Sendable {
  let client: Client

  /// Creates a user ("Create a user": `POST /v1/users`).
  ///
  /// The request is sent once and never repeated by itself once it may have reached the service.
  ///
  /// - Parameter externalMetadata: any JSON value, nested no deeper than 2044 levels; nil sends none, and the
  ///   service stores an empty object.
  /// - Returns: the user's id and a token: a credential to keep secret.
  /// - Throws: ``ArgyleError``.
  public func create(externalMetadata: JSON? = nil) throws(ArgyleError) -> NewUser {
    NewUser(try client.createUser(Metadata(optional: externalMetadata)))
  }

  /// Retrieves a user ("Retrieve a user and their metadata": `GET /v1/users/{id}`).
  ///
  /// - Parameter id: the user's id: 1 to 255 bytes other than "." and "..".
  /// - Returns: the user as the service sent it.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
  public func get(_ id: String) throws(ArgyleError) -> User {
    User(try client.getUser(UserID(id)))
  }

  /// Replaces the metadata of a user ("Update a user's metadata": `PATCH /v1/users/{id}`).
  ///
  /// - Parameters:
  ///   - id: the user's id, as for ``get(_:)``.
  ///   - externalMetadata: any JSON value, nested no deeper than 2044 levels.
  /// - Returns: the user as it is now.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
  public func update(_ id: String, externalMetadata: JSON) throws(ArgyleError) -> User {
    User(try client.updateUser(UserID(id), Metadata(externalMetadata)))
  }

  /// Lists one page of users ("List users": `GET /v1/users`).
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
  ) throws(ArgyleError) -> UserPage {
    UserPage(try client.listUsers(UserQuery(limit: limit, offset: offset, ordering: ordering)))
  }

  /// Walks over all users as a sequence of results.
  ///
  /// - Parameter query: where the walk begins and in what order; 200 users a page unless it says otherwise.
  /// - Returns: a sequence that walks the list anew each time.
  public func all(_ query: UserQuery = UserQuery()) -> UserSequence {
    UserSequence(client: client, query: query)
  }

  /// Walks over all users, a user at a time.
  ///
  /// - Parameter query: as for ``all(_:)``.
  /// - Returns: a cursor, which has sent nothing yet.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument``, or ``ArgyleError/Code/forked``.
  public func cursor(_ query: UserQuery = UserQuery()) throws(ArgyleError) -> UserCursor {
    try UserCursor(client, query)
  }

  /// Deletes a user with all accounts and resources ("Delete a user": `DELETE /v1/users/{id}`).
  ///
  /// - Parameter id: the user's id, as for ``get(_:)``.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` where there is no such user.
  public func delete(_ id: String) throws(ArgyleError) {
    try client.deleteUser(UserID(id))
  }
}
