#include "user.h"

void assert_user(argyle_client *client, const char *text) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  assert_json(user, text);
  json_decref(user);
}
