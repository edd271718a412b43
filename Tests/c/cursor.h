/* Walks over users, for tests that expect certain ones. */
#ifndef CURSOR_H
#define CURSOR_H

#include "harness.h"

/* A cursor for this query; NULL: for all users. */
argyle_user_cursor *cursor_for(argyle_client *client, const char *query_text);

/* Asserts that the next user is the one of this id. */
void assert_next(argyle_user_cursor *cursor, const char *id);

/* Asserts that there are no more users. */
void assert_end(argyle_user_cursor *cursor);

#endif /* CURSOR_H */
