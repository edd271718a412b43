import CSQLite

/// A prepared statement.
final class Statement {
  private let handle: OpaquePointer
  private let database: Database

  init(_ handle: OpaquePointer, of database: Database) {
    self.handle = handle
    self.database = database
  }

  deinit { sqlite3_finalize(handle) }

  func bind(_ index: Int32, _ value: Int64) throws(SandboxError) {
    guard sqlite3_bind_int64(handle, index, value) == SQLITE_OK else { throw database.failure() }
  }

  func bind(_ index: Int32, _ value: String) throws(SandboxError) {
    try bind(index, Bytes(value.utf8))
  }

  func bind(_ index: Int32, _ text: Bytes) throws(SandboxError) {
    guard argyle_sqlite_bind_text(handle, index, text, UInt64(text.count)) == SQLITE_OK else {
      throw database.failure()
    }
  }

  /// Advances to the next row; returns false at the end.
  func step() throws(SandboxError) -> Bool {
    switch sqlite3_step(handle) {
    case SQLITE_ROW: return true
    case SQLITE_DONE: return false
    default: throw database.failure()
    }
  }

  /// Makes the statement ready to run again, and releases its locks and values.
  func reset() {
    sqlite3_reset(handle)
    sqlite3_clear_bindings(handle)
  }

  func integer(_ column: Int32) -> Int64 {
    sqlite3_column_int64(handle, column)
  }

  func isNull(_ column: Int32) -> Bool {
    sqlite3_column_type(handle, column) == SQLITE_NULL
  }

  func text(_ column: Int32) -> Bytes {
    // The length comes second: SQLite may convert the value when it returns the pointer.
    let start = sqlite3_column_text(handle, column)
    let count = Int(sqlite3_column_bytes(handle, column))
    return Bytes(UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
  }
}
