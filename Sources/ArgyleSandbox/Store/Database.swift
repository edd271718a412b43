import CSQLite
import Support

/// A connection to the SQLite database, with an up-to-date schema.
final class Database {
  /// nil if memory ran out, in which case the initialiser throws.
  private let handle: OpaquePointer?
  private let lock = Lock()
  private var isInterrupted = false
  /// When to stop waiting for another process that has locked the database.
  private var busyDeadline = Moment.now()

  /// Opens a file, which is created if needed, or a database in memory.
  init(path: String?) throws(SandboxError) {
    var opened: OpaquePointer?
    let result = sqlite3_open_v2(
      Self.fileName(path),
      &opened,
      // Only one thread at a time uses it.
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nil
    )
    // Before anything can fail: Embedded Swift leaks an object that is incomplete when its initialiser throws.
    handle = opened
    guard result == SQLITE_OK else { throw failure() }

    let context = Unmanaged.passUnretained(self).toOpaque()
    // Both are called on the thread that runs a statement, which cannot be stopped in another way.
    sqlite3_busy_handler(handle, waitWhileBusy, context)
    sqlite3_progress_handler(handle, 10_000, checkInterrupt, context)
    try migrate()
    // Acknowledged writes survive the end of the process; only a power failure may lose the latest.
    try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
  }

  deinit {
    // A checkpoint of a long journal could take long; it is left to the next process that opens the database.
    if isInterrupted { argyle_sqlite_keep_journal(handle) }
    // With v2 the connection closes after its last statement, in whatever order they are released.
    sqlite3_close_v2(handle)
  }

  /// Makes long operations fail, the current and all later ones; any thread may call it.
  func interrupt() {
    lock.withLock { isInterrupted = true }
    // The checkpoint that follows a commit calls no handler.
    sqlite3_interrupt(handle)
  }

  fileprivate var wasInterrupted: Bool { lock.withLock { isInterrupted } }

  /// Waits briefly for another process that has locked the database; returns false after five seconds.
  fileprivate func waitBriefly(isFirst: Bool) -> Bool {
    if isFirst { busyDeadline = .now().adding(milliseconds: 5000) }
    if wasInterrupted || busyDeadline <= .now() { return false }
    sqlite3_sleep(10)
    return true
  }

  func execute(_ sql: String) throws(SandboxError) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw failure() }
  }

  func prepare(_ sql: String) throws(SandboxError) -> Statement {
    var statement: OpaquePointer?
    let result = sqlite3_prepare_v3(
      handle,
      sql,
      -1,
      UInt32(SQLITE_PREPARE_PERSISTENT),
      &statement,
      nil
    )
    guard result == SQLITE_OK, let statement else { throw failure() }
    return Statement(statement, of: self)
  }

  /// Runs `body` in a transaction, which is rolled back if it throws.
  func transaction(_ body: () throws(SandboxError) -> Void) throws(SandboxError) {
    try execute("BEGIN IMMEDIATE")
    do throws(SandboxError) {
      try body()
      try execute("COMMIT")
    } catch {
      sqlite3_exec(handle, "ROLLBACK", nil, nil, nil)
      throw error
    }
  }

  /// Runs `body`, which only reads, with the state of one moment.
  func snapshot<Value>(
    _ body: () throws(SandboxError) -> Value
  ) throws(SandboxError) -> Value {
    try execute("BEGIN")
    defer { sqlite3_exec(handle, "ROLLBACK", nil, nil, nil) }
    return try body()
  }

  /// Runs `body` in a transaction without triggers, which take half of the time for a million rows.
  func bulkTransaction(_ body: () throws(SandboxError) -> Void) throws(SandboxError) {
    argyle_sqlite_enable_triggers(handle, 0)
    defer { argyle_sqlite_enable_triggers(handle, 1) }
    try transaction(body)
  }

  /// Number of rows changed by the last statement.
  var changes: Int { Int(sqlite3_changes64(handle)) }

  func failure() -> SandboxError {
    .database(String(cString: sqlite3_errmsg(handle)))
  }

  private static func fileName(_ path: String?) -> String {
    guard let path else { return ":memory:" }
    // Debian's SQLite would interpret such a name as a URI with parameters.
    return path.utf8.starts(with: "file:".utf8) ? "./" + path : path
  }

  private func migrate() throws(SandboxError) {
    let migrations = Schema.migrations
    if try number("PRAGMA user_version") == Int64(migrations.count) { return try checkOwner() }
    // Locked first, because another process may be migrating too.
    try transaction { () throws(SandboxError) in try applyMigrations(migrations) }
  }

  private func applyMigrations(_ migrations: [String]) throws(SandboxError) {
    let version = try number("PRAGMA user_version")
    if version == 0, try number("SELECT count(*) FROM sqlite_schema") == 0 {
      try execute("PRAGMA application_id = \(Schema.applicationID)")
    }
    try checkOwner()
    guard 0...Int64(migrations.count) ~= version else {
      throw .database(
        "it was written by a newer version (schema \(version); "
          + "this version supports schemas up to \(migrations.count))"
      )
    }
    for migration in migrations[Int(version)...] { try execute(migration) }
    try execute("PRAGMA user_version = \(migrations.count)")
  }

  private func checkOwner() throws(SandboxError) {
    guard try number("PRAGMA application_id") == Schema.applicationID else {
      throw .database("it was written by another program")
    }
    if sqlite3_db_readonly(handle, "main") == 1 { throw .database("it is read-only") }
  }

  private func number(_ sql: String) throws(SandboxError) -> Int64 {
    let statement = try prepare(sql)
    guard try statement.step() else { throw failure() }
    return statement.integer(0)
  }
}

private func waitWhileBusy(_ context: UnsafeMutableRawPointer?, _ attempts: Int32) -> Int32 {
  guard let context else { return 0 }
  let database = Unmanaged<Database>.fromOpaque(context).takeUnretainedValue()
  return database.waitBriefly(isFirst: attempts == 0) ? 1 : 0
}

/// Called periodically while a statement runs; a result other than 0 aborts it.
private func checkInterrupt(_ context: UnsafeMutableRawPointer?) -> Int32 {
  guard let context else { return 0 }
  return Unmanaged<Database>.fromOpaque(context).takeUnretainedValue().wasInterrupted ? 1 : 0
}
