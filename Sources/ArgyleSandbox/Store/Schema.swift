/// The database schema, as a sequence of migrations.
enum Schema {
  /// Identifies the sandbox's files in SQLite's header.
  static var applicationID: Int64 { 0x4172_6779 }

  /// Migration n, counted from 0, leads from schema version n to n + 1.
  ///
  /// A released migration is never changed.
  static var migrations: [String] {
    [
      """
      CREATE TABLE users (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        created_at INTEGER NOT NULL,
        external_metadata TEXT NOT NULL
      ) STRICT;
      CREATE INDEX users_by_creation ON users (created_at);

      CREATE TABLE user_count (users INTEGER NOT NULL) STRICT;
      INSERT INTO user_count VALUES (0);
      CREATE TRIGGER user_inserted AFTER INSERT ON users BEGIN
        UPDATE user_count SET users = users + 1;
      END;
      CREATE TRIGGER user_deleted AFTER DELETE ON users BEGIN
        UPDATE user_count SET users = users - 1;
      END;
      """,
      """
      ALTER TABLE users ADD COLUMN employers_connected TEXT NOT NULL DEFAULT '[]';
      ALTER TABLE users ADD COLUMN data_providers_connected TEXT NOT NULL DEFAULT '[]';
      """,
      // The fields of API v2: JSON texts, NULL if they were never set.
      """
      ALTER TABLE users ADD COLUMN items_connected TEXT NOT NULL DEFAULT '[]';
      ALTER TABLE users ADD COLUMN external_id TEXT;
      ALTER TABLE users ADD COLUMN first_name TEXT;
      ALTER TABLE users ADD COLUMN last_name TEXT;
      ALTER TABLE users ADD COLUMN email TEXT;
      ALTER TABLE users ADD COLUMN phone_number TEXT;
      ALTER TABLE users ADD COLUMN ssn TEXT;
      ALTER TABLE users ADD COLUMN address TEXT;
      ALTER TABLE users ADD COLUMN birth_date TEXT;
      CREATE INDEX users_by_external_id ON users (external_id, created_at)
        WHERE external_id IS NOT NULL;

      CREATE TABLE cursor_key (key TEXT NOT NULL) STRICT;
      INSERT INTO cursor_key VALUES (hex(randomblob(32)));
      """,
    ]
  }
}
