/// The operations on users.
///
/// Each blocks for one call; any number of threads may use them at once.
public struct Users: Sendable {
  let client: Client

  /// Creates a user ("Create a user": `POST /users`).
  ///
  /// The request is never retried if the service may have acted on it.
  ///
  /// - Parameter externalMetadata: any JSON value with at most 2044 levels of nesting; if nil, none is sent, and the
  ///   service stores an empty object.
  /// - Returns: the user's id and a token, which is a credential to keep secret.
  /// - Throws: ``ArgyleError``.
  public func create(externalMetadata: JSON? = nil) throws(ArgyleError) -> NewUser {
    NewUser(try client.createUser(UserDocument(metadata: externalMetadata)), client.apiVersion)
  }

  /// Creates a user with fields ("Create a user": `POST /users`).
  ///
  /// The request is never retried once it may have reached the service.
  ///
  /// - Parameter fields: the user's fields; version 1 of the API has only `external_metadata`.
  /// - Returns: the user's id and a token, which is a credential to keep secret.
  /// - Throws: ``ArgyleError``.
  public func create(_ fields: UserFields) throws(ArgyleError) -> NewUser {
    NewUser(try client.createUser(fields.document()), client.apiVersion)
  }

  /// Retrieves a user ("Retrieve a user and their metadata": `GET /users/{id}`).
  ///
  /// - Parameter id: the user's id: 1 to 255 bytes other than "." and "..".
  /// - Returns: the user as the service sent it.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
  public func get(_ id: String) throws(ArgyleError) -> User {
    User(try client.getUser(UserID(id)))
  }

  /// Replaces a user's metadata ("Update a user's metadata": `PATCH /users/{id}`).
  ///
  /// - Parameters:
  ///   - id: the user's id, as for ``get(_:)``.
  ///   - externalMetadata: any JSON value with at most 2044 levels of nesting.
  /// - Returns: the updated user.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
  public func update(_ id: String, externalMetadata: JSON) throws(ArgyleError) -> User {
    User(try client.updateUser(UserID(id), UserDocument(externalMetadata, .metadata)))
  }

  /// Updates fields of a user ("Update a user": `PATCH /users/{id}`).
  ///
  /// - Parameters:
  ///   - id: the user's id, as for ``get(_:)``.
  ///   - fields: the fields to replace; version 1 of the API has only `external_metadata`.
  /// - Returns: the updated user.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
  public func update(_ id: String, _ fields: UserFields) throws(ArgyleError) -> User {
    User(try client.updateUser(UserID(id), fields.document()))
  }

  /// Lists one page of users ("List users": `GET /users`).
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
  ) throws(ArgyleError) -> UserPage {
    let query = UserQuery(
      limit: limit,
      offset: offset,
      ordering: ordering,
      cursor: cursor,
      externalID: externalID
    )
    return UserPage(try client.listUsers(query))
  }

  /// Returns all users as a sequence of results.
  ///
  /// - Parameter query: first page and order; 200 users per page by default.
  /// - Returns: a sequence that lists the users anew for each iterator.
  public func all(_ query: UserQuery = UserQuery()) -> UserSequence {
    UserSequence(client: client, query: query)
  }

  /// Returns a cursor over all users.
  ///
  /// - Parameter query: as for ``all(_:)``.
  /// - Returns: a cursor that has not sent a request yet.
  /// - Throws: ``ArgyleError`` with ``ArgyleError/Code/argument`` or ``ArgyleError/Code/forked``.
  public func cursor(_ query: UserQuery = UserQuery()) throws(ArgyleError) -> UserCursor {
    try UserCursor(client, query)
  }

  /// Deletes a user with all accounts and resources ("Delete a user": `DELETE /users/{id}`).
  ///
  /// - Parameter id: the user's id, as for ``get(_:)``.
  /// - Throws: ``ArgyleError``: ``ArgyleError/Code/notFound`` if there is no such user.
  public func delete(_ id: String) throws(ArgyleError) {
    try client.deleteUser(UserID(id))
  }
}
