import CSQLite
import Interop

/// A connection to the SQLite database, with its schema up to date.
final class Database {
  /// NULL where there was no memory for it, and then the object does not come to be.
  private let handle: OpaquePointer?
  private let lock = Lock()
  private var isInterrupted = false

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

    sqlite3_busy_timeout(handle, 5000)
    try migrate()
    // What was answered survives the end of the process; only a power cut may lose the last of it.
    try execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
  }

  deinit {
    // With v2 the connection ends after its last statement, in whatever order they are released.
    sqlite3_close_v2(handle)
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
        "it was written by a newer version (its schema is \(version), "
          + "the newest known here is \(migrations.count))"
      )
    }
    for migration in migrations[Int(version)...] { try execute(migration) }
    try execute("PRAGMA user_version = \(migrations.count)")
  }

  private func checkOwner() throws(SandboxError) {
    guard try number("PRAGMA application_id") == Schema.applicationID else {
      throw .database("it was written by another program")
    }
    if sqlite3_db_readonly(handle, "main") == 1 { throw .database("it cannot be written to") }
  }

  private func number(_ sql: String) throws(SandboxError) -> Int64 {
    let statement = try prepare(sql)
    guard try statement.step() else { throw failure() }
    return statement.integer(0)
  }
}
