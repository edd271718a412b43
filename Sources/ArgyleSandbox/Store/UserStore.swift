/// The users, kept in the database.
struct UserStore {
  private let database: Database
  private let insertUser: Statement
  private let selectUser: Statement
  private let updateUser: Statement
  private let deleteUser: Statement
  private let selectCount: Statement
  private let selectNewestFirst: Statement
  private let selectOldestFirst: Statement

  init(_ database: Database) throws(SandboxError) {
    self.database = database
    insertUser = try database.prepare(
      "INSERT INTO users (id, created_at, external_metadata) VALUES (?1, ?2, ?3)"
    )
    selectUser = try database.prepare(
      "SELECT id, created_at, external_metadata FROM users WHERE id = ?1"
    )
    updateUser = try database.prepare("UPDATE users SET external_metadata = ?2 WHERE id = ?1")
    deleteUser = try database.prepare("DELETE FROM users WHERE id = ?1")
    selectCount = try database.prepare("SELECT users FROM user_count")
    // The sequence keeps the order of users that were made in the same millisecond.
    selectNewestFirst = try database.prepare(
      """
      SELECT id, created_at, external_metadata FROM users
      ORDER BY created_at DESC, sequence DESC LIMIT ?1 OFFSET ?2
      """
    )
    selectOldestFirst = try database.prepare(
      """
      SELECT id, created_at, external_metadata FROM users
      ORDER BY created_at, sequence LIMIT ?1 OFFSET ?2
      """
    )
  }

  func create(externalMetadata: Bytes) throws(SandboxError) -> User {
    let now = Timestamp.now()
    let user = User(id: .timeOrdered(now), createdAt: now, externalMetadata: externalMetadata)
    defer { insertUser.reset() }
    try insertUser.bind(1, user.id.text)
    try insertUser.bind(2, now.milliseconds)
    try insertUser.bind(3, externalMetadata)
    _ = try insertUser.step()
    return user
  }

  func user(_ id: UUID) throws(SandboxError) -> User? {
    defer { selectUser.reset() }
    try selectUser.bind(1, id.text)
    return try selectUser.step() ? try row(of: selectUser) : nil
  }

  /// Replaces the metadata; false where there is no such user.
  func update(_ id: UUID, externalMetadata: Bytes) throws(SandboxError) -> Bool {
    defer { updateUser.reset() }
    try updateUser.bind(1, id.text)
    try updateUser.bind(2, externalMetadata)
    _ = try updateUser.step()
    return database.changes > 0
  }

  /// Deletes a user; false where there is no such user.
  func delete(_ id: UUID) throws(SandboxError) -> Bool {
    defer { deleteUser.reset() }
    try deleteUser.bind(1, id.text)
    _ = try deleteUser.step()
    return database.changes > 0
  }

  func count() throws(SandboxError) -> Int {
    defer { selectCount.reset() }
    return try selectCount.step() ? Int(selectCount.integer(0)) : 0
  }

  func users(limit: Int, offset: Int, newestFirst: Bool) throws(SandboxError) -> [User] {
    let statement = newestFirst ? selectNewestFirst : selectOldestFirst
    defer { statement.reset() }
    try statement.bind(1, Int64(limit))
    try statement.bind(2, Int64(offset))
    var users: [User] = []
    while try statement.step() { users.append(try row(of: statement)) }
    return users
  }

  private func row(of statement: Statement) throws(SandboxError) -> User {
    guard let id = UUID(statement.text(0)) else {
      throw .database("the database holds a user whose id is not one")
    }
    return User(
      id: id,
      createdAt: Timestamp(milliseconds: statement.integer(1)),
      externalMetadata: statement.text(2)
    )
  }
}
