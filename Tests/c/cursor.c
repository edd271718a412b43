#include "cursor.h"

argyle_user_cursor *cursor_for(argyle_client *client, const char *query_text) {
  argyle_error *error = RUBBISH;
  json_t *query = query_text != NULL ? json_of(query_text) : NULL;
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, query, &error);
  assert_null(error);
  assert_non_null(cursor);
  json_decref(query);
  return cursor;
}

void assert_next(argyle_user_cursor *cursor, const char *id) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_cursor_next(cursor, &error);
  if (user == NULL) {
    print_error("instead of %s: %s\n", id, error != NULL ? argyle_error_message(error) : "the end");
  }
  assert_null(error);
  assert_non_null(user);
  assert_string_equal(string_at(user, "id"), id);
  json_decref(user);
}

void assert_end(argyle_user_cursor *cursor) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_cursor_next(cursor, &error);
  if (user != NULL || error != NULL) {
    print_error("instead of the end: %s%s\n", string_at(user, "id"), argyle_error_message(error));
  }
  assert_null(user);
  assert_null(error);
}
