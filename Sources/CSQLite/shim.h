#ifndef ARGYLE_CSQLITE_SHIM_H
#define ARGYLE_CSQLITE_SHIM_H

#include <sqlite3.h>

// Necessary because SQLITE_TRANSIENT is a number cast to a function pointer, which Swift does not import.
static inline int argyle_sqlite_bind_text(
    sqlite3_stmt *statement, int index, const unsigned char *text, sqlite3_uint64 count) {
  return sqlite3_bind_text64(
      statement, index, (const char *)text, count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

// Necessary because sqlite3_db_config is variadic, which Swift does not import.
static inline void argyle_sqlite_enable_triggers(sqlite3 *database, int enabled) {
  sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, enabled, (int *)0);
}

static inline void argyle_sqlite_keep_journal(sqlite3 *database) {
  sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

#endif
