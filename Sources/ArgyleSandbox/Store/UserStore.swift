/// The users in the database.
struct UserStore {
  private static var columns: String {
    """
    id, created_at, sequence, items_connected, employers_connected, data_providers_connected,
    external_metadata, \(fieldColumns { name, _ in name })
    """
  }

  /// The first parameter for a field, in statements that write fields.
  private static var firstField: Int32 { 4 }

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
  private let selectOlder: Statement
  private let selectNewer: Statement
  private let selectOlderWithID: Statement
  private let selectNewerWithID: Statement

  init(_ database: Database, clock: Clock) throws(SandboxError) {
    self.database = database
    self.clock = clock
    insertUser = try database.prepare(
      """
      INSERT INTO users (id, external_metadata, created_at, \(Self.fieldColumns { name, _ in name }))
      VALUES (?1, ?2, ?3, \(Self.fieldColumns { "?\($1)" })) ON CONFLICT (id) DO NOTHING
      """
    )
    selectUser = try database.prepare("SELECT \(Self.columns) FROM users WHERE id = ?1")
    updateUser = try database.prepare(
      """
      UPDATE users SET external_metadata = ?2, \(Self.fieldColumns { "\($0) = ?\($1)" })
      WHERE id = ?1
      """
    )
    connectUser = try database.prepare(
      """
      UPDATE users
      SET items_connected = ?2, employers_connected = ?3, data_providers_connected = ?4
      WHERE id = ?1
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
    selectOlder = try database.prepare(Self.selection("<", "DESC"))
    selectNewer = try database.prepare(Self.selection(">", "ASC"))
    selectOlderWithID = try database.prepare(Self.selection("<", "DESC", "external_id = ?4 AND"))
    selectNewerWithID = try database.prepare(Self.selection(">", "ASC", "external_id = ?4 AND"))
  }

  /// The statement for users beyond a place in the list, the nearest first.
  private static func selection(
    _ comparison: String,
    _ order: String,
    _ condition: String = ""
  ) -> String {
    """
    SELECT \(columns) FROM users WHERE \(condition) (created_at, sequence) \(comparison) (?2, ?3)
    ORDER BY created_at \(order), sequence \(order) LIMIT ?1
    """
  }

  /// Joins what `text` returns for the columns of the fields and the numbers of their parameters.
  private static func fieldColumns(_ text: (String, Int32) -> String) -> String {
    var list = ""
    for (field, number) in zip(UserField.all, firstField...) {
      list += (list.utf8.isEmpty ? "" : ", ") + text(field.name, number)
    }
    return list
  }

  /// The key that signs cursors, which is created with the database.
  func cursorKey() throws(SandboxError) -> Bytes {
    let statement = try database.prepare("SELECT key FROM cursor_key")
    guard try statement.step() else { throw database.failure() }
    return statement.text(0)
  }

  /// Aborts and rolls back long operations, now and later; any thread may call it.
  func interrupt() { database.interrupt() }

  /// Creates a user; returns the id.
  func create(_ change: UserChange) throws(SandboxError) -> UUID {
    let now = clock.now()
    var user = User(id: .timeOrdered(now), createdAt: now, externalMetadata: User.unsetMetadata)
    change.apply(to: &user)
    try insert(user)
    return user.id
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

  /// Changes a user; returns nil if the user does not exist.
  func update(_ id: UUID, _ change: UserChange) throws(SandboxError) -> User? {
    var updated: User?
    // Another process may be changing the same user.
    try database.transaction { () throws(SandboxError) in
      guard var user = try self.user(id) else { return }
      change.apply(to: &user)
      defer { updateUser.reset() }
      try bind(user, to: updateUser)
      _ = try updateUser.step()
      updated = user
    }
    return updated
  }

  /// Stores a user's items, employers and data providers.
  func connect(_ user: User) throws(SandboxError) {
    defer { connectUser.reset() }
    try connectUser.bind(1, user.id.text)
    try connectUser.bind(2, user.itemsConnected)
    try connectUser.bind(3, user.employersConnected)
    try connectUser.bind(4, user.dataProvidersConnected)
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

  /// Returns the users on a page, newest first.
  func users(_ cursor: UserCursor) throws(SandboxError) -> [User] {
    let statement = selection(of: cursor)
    defer { statement.reset() }
    try bind(cursor, limit: cursor.limit, to: statement)
    let users = try rows(of: statement)
    return cursor.isBackward ? users.reversed() : users
  }

  /// Whether there are users on a page.
  func hasUsers(_ cursor: UserCursor) throws(SandboxError) -> Bool {
    let statement = selection(of: cursor)
    defer { statement.reset() }
    try bind(cursor, limit: 1, to: statement)
    return try statement.step()
  }

  /// Runs `body` with the users of one moment, whatever other processes do.
  func snapshot<Value>(
    _ body: () throws(SandboxError) -> Value
  ) throws(SandboxError) -> Value {
    try database.snapshot(body)
  }

  /// The statement for the users on a page, beginning with the nearest to its position.
  private func selection(of cursor: UserCursor) -> Statement {
    switch (cursor.isBackward, cursor.externalID) {
    case (false, nil): selectOlder
    case (false, _): selectOlderWithID
    case (true, nil): selectNewer
    case (true, _): selectNewerWithID
    }
  }

  private func bind(
    _ cursor: UserCursor,
    limit: Int,
    to statement: Statement
  ) throws(SandboxError) {
    try statement.bind(1, Int64(limit))
    try statement.bind(2, cursor.position.createdAt.milliseconds)
    try statement.bind(3, cursor.position.sequence)
    if let id = cursor.externalID { try statement.bind(4, id) }
  }

  private func rows(
    of statement: Statement,
    _ limit: Int,
    _ offset: Int
  ) throws(SandboxError) -> [User] {
    defer { statement.reset() }
    try statement.bind(1, Int64(limit))
    try statement.bind(2, Int64(offset))
    return try rows(of: statement)
  }

  private func rows(of statement: Statement) throws(SandboxError) -> [User] {
    var users: [User] = []
    while try statement.step() { users.append(try row(of: statement)) }
    return users
  }

  private func insert(_ user: User) throws(SandboxError) {
    defer { insertUser.reset() }
    try bind(user, to: insertUser)
    try insertUser.bind(3, user.createdAt.milliseconds)
    _ = try insertUser.step()
  }

  /// Binds the id and what clients write; fields that were never set stay NULL.
  private func bind(_ user: User, to statement: Statement) throws(SandboxError) {
    try statement.bind(1, user.id.text)
    try statement.bind(2, user.externalMetadata)
    for (value, number) in zip(user.fields, Self.firstField...) {
      if let value { try statement.bind(number, value) }
    }
  }

  private func row(of statement: Statement) throws(SandboxError) -> User {
    guard let id = UUID(statement.text(0)) else {
      throw .database("the database contains a user with an invalid id")
    }
    var user = User(
      id: id,
      createdAt: Timestamp(milliseconds: statement.integer(1)),
      sequence: statement.integer(2),
      itemsConnected: statement.text(3),
      employersConnected: statement.text(4),
      dataProvidersConnected: statement.text(5),
      externalMetadata: statement.text(6)
    )
    for (index, column) in zip(user.fields.indices, Int32(7)...) where !statement.isNull(column) {
      user.fields[index] = statement.text(column)
    }
    return user
  }
}
