/* Cursor helpers for tests that expect particular users. */
#ifndef CURSOR_H
#define CURSOR_H

#include "harness.h"

/* Creates a cursor for a query; NULL: all users. */
argyle_user_cursor *cursor_for(argyle_client *client, const char *query_text);

/* Asserts the id of the next user. */
void assert_next(argyle_user_cursor *cursor, const char *id);

/* Asserts that there are no more users. */
void assert_end(argyle_user_cursor *cursor);

#endif /* CURSOR_H */
