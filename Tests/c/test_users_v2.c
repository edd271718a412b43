/* Version 2 of the API, end to end with the sandbox. */
#include "cursor.h"
#include "sandbox.h"

static argyle_client *client_v2(const sandbox *sandbox) {
  return client_with_integer(sandbox->url, "api_version", 2);
}

/* Creates a user with fields; the caller frees the id. */
static char *create_user(argyle_client *client, const char *fields_text) {
  argyle_error *error = RUBBISH;
  json_t *fields = json_of(fields_text);
  json_t *created = argyle_user_create_with_fields(client, fields, &error);
  assert_null(error);
  char *id = strdup(string_at(created, "id"));
  json_decref(created);
  json_decref(fields);
  return id;
}

static void fields_are_stored_replaced_and_cleared(void **state) {
  argyle_client *client = client_v2(*state);
  argyle_error *error = RUBBISH;
  char *id = create_user(client, "{\"external_id\": \"7\", \"first_name\": \"Ada\", \"phone_number\": \"2125555555\", "
                                 "\"address\": {\"city\": \"Springfield\"}, \"external_metadata\": [1], "
                                 "\"birth_date\": {\"year\": 1985, \"month\": 12, \"day\": 10}, \"new\": {}}");
  json_t *user = argyle_user_get(client, id, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "external_id"), "7");
  assert_string_equal(string_at(user, "first_name"), "Ada");
  assert_string_equal(string_at(user, "phone_number"), "+12125555555");
  assert_json(json_object_get(user, "external_metadata"), "[1]");
  assert_json(json_object_get(user, "birth_date"), "{\"year\": 1985, \"month\": 12, \"day\": 10}");
  assert_json(json_object_get(user, "ssn"), "null");
  json_decref(user);

  json_t *changes = json_of("{\"first_name\": null, \"address\": {\"state\": \"IL\"}, \"external_metadata\": {}}");
  user = argyle_user_update_with_fields(client, id, changes, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "external_id"), "7");
  assert_json(json_object_get(user, "first_name"), "null");
  assert_json(json_object_get(user, "external_metadata"), "{}");
  assert_string_equal(string_at(json_object_get(user, "address"), "state"), "IL");
  assert_json(json_object_get(json_object_get(user, "address"), "city"), "null");
  json_decref(changes);
  json_decref(user);
  free(id);
  argyle_client_free(client);
}

static void both_versions_have_the_same_users(void **state) {
  sandbox *sandbox = *state;
  argyle_client *client = client_v2(sandbox);
  argyle_error *error = RUBBISH;
  json_t *metadata = json_of("{\"group\": \"A\"}");
  json_t *created = argyle_user_create(sandbox->client, metadata, &error);
  assert_null(error);
  json_t *user = argyle_user_get(client, string_at(created, "id"), &error);
  assert_null(error);
  assert_true(json_equal(json_object_get(user, "external_metadata"), metadata));
  assert_json(json_object_get(user, "items_connected"), "[]");
  json_decref(user);
  assert_int_equal(argyle_user_delete(client, string_at(created, "id"), &error), 0);
  assert_null(argyle_user_get(sandbox->client, string_at(created, "id"), &error));
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, NULL);
  json_decref(created);
  json_decref(metadata);

  char *id = create_user(client, "{\"first_name\": \"Ada\"}");
  user = argyle_user_get(sandbox->client, id, &error);
  assert_null(error);
  assert_null(json_object_get(user, "first_name"));
  assert_json(json_object_get(user, "data_providers_connected"), "[]");
  json_decref(user);
  free(id);
  argyle_client_free(client);
}

static void metadata_alone_works_in_version_2(void **state) {
  argyle_client *client = client_v2(*state);
  argyle_error *error = RUBBISH;
  json_t *metadata = json_of("{\"group\": \"A\"}");
  json_t *created = argyle_user_create(client, metadata, &error);
  assert_null(error);
  json_t *claims = argyle_token_claims(string_at(created, "user_token"), &error);
  assert_string_equal(string_at(claims, "user_id"), string_at(created, "id"));
  json_t *user = argyle_user_update(client, string_at(created, "id"), json_object_get(metadata, "group"), &error);
  assert_null(error);
  assert_string_equal(string_at(user, "external_metadata"), "A");
  json_t *token = argyle_user_token_create(client, string_at(created, "id"), &error);
  assert_null(error);
  assert_int_equal(json_object_size(token), 1);
  assert_non_null(string_at(token, "user_token"));
  json_decref(token);
  json_decref(user);
  json_decref(claims);
  json_decref(created);
  json_decref(metadata);
  argyle_client_free(client);
}

static void a_cursor_finds_users_by_external_id(void **state) {
  argyle_client *client = client_v2(*state);
  char *ids[3];
  for (int i = 0; i < 3; i++) {
    ids[i] = create_user(client, "{\"external_id\": \"a&b=\\u00fc\"}");
    free(create_user(client, "{\"external_id\": \"a\"}"));
  }
  argyle_user_cursor *cursor = cursor_for(client, "{\"limit\": 1, \"external_id\": \"a&b=\\u00fc\"}");
  assert_next(cursor, ids[2]);
  /* The page stands on this user. */
  assert_int_equal(argyle_user_delete(client, ids[2], NULL), 0);
  free(create_user(client, "{\"external_id\": \"a&b=\\u00fc\"}"));
  assert_next(cursor, ids[1]);
  assert_next(cursor, ids[0]);
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  for (int i = 0; i < 3; i++) {
    free(ids[i]);
  }
  argyle_client_free(client);
}

static void an_invalid_field_is_named_and_not_shown(void **state) {
  argyle_client *client = client_v2(*state);
  argyle_error *error = RUBBISH;
  json_t *fields = json_of("{\"email\": \"canary\", \"birth_date\": {\"month\": 13}}");
  assert_null(argyle_user_create_with_fields(client, fields, &error));
  assert_non_null(strstr(argyle_error_message(error), "status 400: email: Enter a valid email address."));
  assert_null(strstr(argyle_error_message(error), "canary"));
  assert_false(argyle_error_outcome_is_unknown(error));
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, NULL);
  json_decref(fields);
  argyle_client_free(client);
}

static void a_cursor_of_another_service_is_not_found(void **state) {
  argyle_client *client = client_v2(*state);
  argyle_error *error = RUBBISH;
  json_t *query = json_of("{\"cursor\": \"cD0yMDIz\"}");
  assert_null(argyle_user_list(client, query, &error));
  assert_non_null(strstr(argyle_error_message(error), "Invalid cursor"));
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, NULL);
  json_decref(query);
  argyle_client_free(client);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fields_are_stored_replaced_and_cleared),
      cmocka_unit_test(both_versions_have_the_same_users),
      cmocka_unit_test(metadata_alone_works_in_version_2),
      cmocka_unit_test(a_cursor_finds_users_by_external_id),
      cmocka_unit_test(an_invalid_field_is_named_and_not_shown),
      cmocka_unit_test(a_cursor_of_another_service_is_not_found),
  };
  return cmocka_run_group_tests(tests, sandbox_setup, sandbox_teardown);
}
