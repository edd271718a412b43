/// The users in the database.
struct UserStore {
  private static var columns: String {
    "id, created_at, employers_connected, data_providers_connected, external_metadata"
  }

  private let database: Database
  private let clock: Clock
  private let insertUser: Statement
  private let selectUser: Statement
  private let updateUser: Statement
  private let connectUser: Statement
  private let deleteUser: Statement
  private let selectCount: Statement
  private let selectNewestFirst: Statement
  private let selectOldestFirst: Statement

  init(_ database: Database, clock: Clock) throws(SandboxError) {
    self.database = database
    self.clock = clock
    insertUser = try database.prepare(
      """
      INSERT INTO users (id, created_at, external_metadata) VALUES (?1, ?2, ?3)
      ON CONFLICT (id) DO NOTHING
      """
    )
    selectUser = try database.prepare("SELECT \(Self.columns) FROM users WHERE id = ?1")
    updateUser = try database.prepare("UPDATE users SET external_metadata = ?2 WHERE id = ?1")
    connectUser = try database.prepare(
      """
      UPDATE users SET employers_connected = ?2, data_providers_connected = ?3 WHERE id = ?1
      """
    )
    deleteUser = try database.prepare("DELETE FROM users WHERE id = ?1")
    selectCount = try database.prepare("SELECT users FROM user_count")
    // The sequence orders users created in the same millisecond.
    selectNewestFirst = try database.prepare(
      """
      SELECT \(Self.columns) FROM users
      ORDER BY created_at DESC, sequence DESC LIMIT ?1 OFFSET ?2
      """
    )
    selectOldestFirst = try database.prepare(
      """
      SELECT \(Self.columns) FROM users
      ORDER BY created_at, sequence LIMIT ?1 OFFSET ?2
      """
    )
  }

  /// Aborts and rolls back long operations, now and later; any thread may call it.
  func interrupt() { database.interrupt() }

  func create(externalMetadata: Bytes) throws(SandboxError) -> User {
    let now = clock.now()
    let user = User(id: .timeOrdered(now), createdAt: now, externalMetadata: externalMetadata)
    try insert(user)
    return user
  }

  /// Adds the first users of a seed, always the same ones; those that already exist are skipped.
  func create(count: Int, fromSeed seed: Int) throws(SandboxError) {
    try database.bulkTransaction { () throws(SandboxError) in
      var users = SeededUsers(seed: seed)
      var added = 0
      for _ in 0..<count {
        try insert(users.next())
        added += database.changes
      }
      try database.execute("UPDATE user_count SET users = users + \(added)")
    }
  }

  func user(_ id: UUID) throws(SandboxError) -> User? {
    defer { selectUser.reset() }
    try selectUser.bind(1, id.text)
    return try selectUser.step() ? try row(of: selectUser) : nil
  }

  /// Replaces a user's metadata; returns false if the user does not exist.
  func update(_ id: UUID, externalMetadata: Bytes) throws(SandboxError) -> Bool {
    defer { updateUser.reset() }
    try updateUser.bind(1, id.text)
    try updateUser.bind(2, externalMetadata)
    _ = try updateUser.step()
    return database.changes > 0
  }

  /// Stores a user's employers and data providers.
  func connect(_ user: User) throws(SandboxError) {
    defer { connectUser.reset() }
    try connectUser.bind(1, user.id.text)
    try connectUser.bind(2, user.employersConnected)
    try connectUser.bind(3, user.dataProvidersConnected)
    _ = try connectUser.step()
  }

  func deleteAll() throws(SandboxError) {
    try database.bulkTransaction { () throws(SandboxError) in
      try database.execute("DELETE FROM users; UPDATE user_count SET users = 0")
    }
  }

  /// Deletes a user; returns false if the user does not exist.
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
    // SQLite steps over skipped rows: read from the nearer end of the list, and nothing past its end.
    let count = try count()
    guard offset < count else { return [] }
    let limit = min(limit, count - offset)
    let remaining = count - offset - limit
    if remaining >= offset {
      return try rows(of: newestFirst ? selectNewestFirst : selectOldestFirst, limit, offset)
    }
    return try rows(of: newestFirst ? selectOldestFirst : selectNewestFirst, limit, remaining)
      .reversed()
  }

  private func rows(
    of statement: Statement,
    _ limit: Int,
    _ offset: Int
  ) throws(SandboxError) -> [User] {
    defer { statement.reset() }
    try statement.bind(1, Int64(limit))
    try statement.bind(2, Int64(offset))
    var users: [User] = []
    while try statement.step() { users.append(try row(of: statement)) }
    return users
  }

  private func insert(_ user: User) throws(SandboxError) {
    defer { insertUser.reset() }
    try insertUser.bind(1, user.id.text)
    try insertUser.bind(2, user.createdAt.milliseconds)
    try insertUser.bind(3, user.externalMetadata)
    _ = try insertUser.step()
  }

  private func row(of statement: Statement) throws(SandboxError) -> User {
    guard let id = UUID(statement.text(0)) else {
      throw .database("the database contains a user with an invalid id")
    }
    return User(
      id: id,
      createdAt: Timestamp(milliseconds: statement.integer(1)),
      employersConnected: statement.text(2),
      dataProvidersConnected: statement.text(3),
      externalMetadata: statement.text(4)
    )
  }
}
