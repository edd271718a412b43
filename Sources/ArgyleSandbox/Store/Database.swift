import CSQLite
import Support

/// A connection to the SQLite database, with its schema up to date.
final class Database {
  /// NULL where there was no memory for it, and then the object does not come to be.
  private let handle: OpaquePointer?
  private let lock = Lock()
  private var isInterrupted = false
  /// Until when another process that is at the database is waited for.
  private var otherDeadline = Moment.now()

  /// Opens a file, which is made where there is none, or a database in memory.
  init(path: String?) throws(SandboxError) {
    var opened: OpaquePointer?
    let result = sqlite3_open_v2(
      Self.fileName(path),
      &opened,
      // One thread at a time uses it.
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
      nil
    )
    // Before anything fails: in Embedded Swift, an object that is incomplete when its initializer throws is
    // leaked.
    handle = opened
    guard result == SQLITE_OK else { throw failure() }

    let context = Unmanaged.passUnretained(self).toOpaque()
    // Both are called by the thread that is at work, which cannot be asked to stop in another way.
    sqlite3_busy_handler(handle, waitForOther, context)
    sqlite3_progress_handler(handle, 10_000, mustStop, context)
    try migrate()
    // What was answered survives the end of the process; only a power cut may lose the last of it.
    try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
  }

  deinit {
    // Copying a long journal into the database could take long; who opens it next does that.
    if isInterrupted { argyle_sqlite_keep_journal(handle) }
    // With v2 the connection ends after its last statement, in whatever order they are released.
    sqlite3_close_v2(handle)
  }

  /// Makes everything fail that takes longer than a moment, what runs now too, for good; any thread may
  /// call it.
  func interrupt() {
    lock.withLock { isInterrupted = true }
    // The copying of the journal that follows a commit asks no handler.
    sqlite3_interrupt(handle)
  }

  fileprivate var isOver: Bool { lock.withLock { isInterrupted } }

  /// Waits a little while another process is at the database; returns false after five seconds.
  fileprivate func waitAWhile(isFirst: Bool) -> Bool {
    if isFirst { otherDeadline = .now().adding(milliseconds: 5000) }
    if isOver || otherDeadline <= .now() { return false }
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

  /// Does all of it or nothing.
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

  /// Does all of it or nothing, and no trigger fires: they take half of the time of a million rows.
  func bulkTransaction(_ body: () throws(SandboxError) -> Void) throws(SandboxError) {
    argyle_sqlite_enable_triggers(handle, 0)
    defer { argyle_sqlite_enable_triggers(handle, 1) }
    try transaction(body)
  }

  /// How many rows the last statement changed.
  var changes: Int { Int(sqlite3_changes64(handle)) }

  func failure() -> SandboxError {
    .database(String(cString: sqlite3_errmsg(handle)))
  }

  private static func fileName(_ path: String?) -> String {
    guard let path else { return ":memory:" }
    // Debian's SQLite takes such a name as a URI, with parameters in it.
    return path.utf8.starts(with: "file:".utf8) ? "./" + path : path
  }

  private func migrate() throws(SandboxError) {
    let migrations = Schema.migrations
    if try number("PRAGMA user_version") == Int64(migrations.count) { return try checkOwner() }
    // The lock comes first: another process may be at the same work.
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

private func waitForOther(_ context: UnsafeMutableRawPointer?, _ attempts: Int32) -> Int32 {
  guard let context else { return 0 }
  let database = Unmanaged<Database>.fromOpaque(context).takeUnretainedValue()
  return database.waitAWhile(isFirst: attempts == 0) ? 1 : 0
}

/// Called now and then while a statement runs, to break it off.
private func mustStop(_ context: UnsafeMutableRawPointer?) -> Int32 {
  guard let context else { return 0 }
  return Unmanaged<Database>.fromOpaque(context).takeUnretainedValue().isOver ? 1 : 0
}
