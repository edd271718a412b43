/* The section "Users" of argyle.h, end to end with the sandbox. */
#include "sandbox.h"

#define UNKNOWN_ID "00000000-0000-4000-8000-000000000000"

/* Creates a user; the caller frees the id. */
static char *create_user(sandbox *sandbox, const json_t *metadata) {
  argyle_error *error = RUBBISH;
  json_t *created = argyle_user_create(sandbox->client, metadata, &error);
  assert_null(error);
  char *id = strdup(string_at(created, "id"));
  json_decref(created);
  return id;
}

/* ---------------------------------------------------------------- Create */

static void creating_returns_an_id_and_a_token(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *created = argyle_user_create(sandbox->client, NULL, &error);
  assert_null(error);
  assert_int_equal(created->refcount, 1);
  assert_int_not_equal(strlen(string_at(created, "id")), 0);
  assert_int_not_equal(strlen(string_at(created, "token")), 0);
  json_decref(created);
}

static void each_created_user_is_different(void **state) {
  char *first = create_user(*state, NULL);
  char *second = create_user(*state, NULL);
  assert_string_not_equal(first, second);
  free(first);
  free(second);
}

static void the_token_of_a_created_user_belongs_to_it(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *created = argyle_user_create(sandbox->client, NULL, &error);
  json_t *claims = argyle_token_claims(string_at(created, "token"), &error);
  assert_null(error);
  assert_string_equal(string_at(claims, "user_id"), string_at(created, "id"));
  json_decref(claims);
  json_decref(created);
}

static void without_metadata_the_service_stores_an_empty_object(void **state) {
  sandbox *sandbox = *state;
  char *id = create_user(sandbox, NULL);
  json_t *user = argyle_user_get(sandbox->client, id, NULL);
  assert_json(json_object_get(user, "external_metadata"), "{}");
  json_decref(user);
  free(id);
}

/* ---------------------------------------------------------------- Retrieve */

static void retrieving_returns_the_whole_user(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  char *id = create_user(sandbox, NULL);
  json_t *user = argyle_user_get(sandbox->client, id, &error);
  assert_null(error);
  assert_int_equal(user->refcount, 1);
  assert_string_equal(string_at(user, "id"), id);
  assert_int_not_equal(strlen(string_at(user, "created_at")), 0);
  assert_json(json_object_get(user, "employers_connected"), "[]");
  assert_json(json_object_get(user, "data_providers_connected"), "[]");
  json_decref(user);
  free(id);
}

static void an_unknown_user_is_not_found(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(sandbox->client, UNKNOWN_ID, &error));
  assert_int_equal(argyle_error_http_status(error), 404);
  assert_json(argyle_error_body(error), "{\"detail\": \"Not found.\"}");
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, UNKNOWN_ID);
}

static void an_id_that_looks_like_a_path_names_no_user(void **state) {
  sandbox *sandbox = *state;
  static const char *const ids[] = {"a/b", "../users", "a?limit=1", "a#b", "%2e%2e", "a b", "\xc3\xbc", "a\nb", "..."};
  for (size_t i = 0; i < COUNT(ids); i++) {
    argyle_error *error = RUBBISH;
    assert_null(argyle_user_get(sandbox->client, ids[i], &error));
    assert_failed(error, ARGYLE_ERROR_NOT_FOUND, NULL);
  }
}

/* ---------------------------------------------------------------- Update */

static void updating_replaces_the_metadata(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *first = json_of("{\"a\": 1}");
  json_t *second = json_of("{\"b\": 2}");
  char *id = create_user(sandbox, first);
  json_t *user = argyle_user_update(sandbox->client, id, second, &error);
  assert_null(error);
  assert_int_equal(user->refcount, 1);
  assert_string_equal(string_at(user, "id"), id);
  assert_same_json(json_object_get(user, "external_metadata"), second);
  json_decref(user);
  user = argyle_user_get(sandbox->client, id, &error);
  assert_same_json(json_object_get(user, "external_metadata"), second);
  json_decref(user);
  json_decref(second);
  json_decref(first);
  free(id);
}

static void updating_an_unknown_user_fails(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_update(sandbox->client, UNKNOWN_ID, json_true(), &error));
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, UNKNOWN_ID);
}

/* ---------------------------------------------------------------- List */

static void a_page_holds_the_newest_users_first(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  char *older = create_user(sandbox, NULL);
  char *newer = create_user(sandbox, NULL);
  json_t *query = json_pack("{s:i}", "limit", 2);
  json_t *page = argyle_user_list(sandbox->client, query, &error);
  assert_null(error);
  assert_int_equal(page->refcount, 1);
  const json_t *results = json_object_get(page, "results");
  assert_int_equal(json_array_size(results), 2);
  assert_string_equal(string_at(json_array_get(results, 0), "id"), newer);
  assert_string_equal(string_at(json_array_get(results, 1), "id"), older);
  json_decref(page);
  json_decref(query);
  free(newer);
  free(older);
}

static void a_page_has_all_four_keys(void **state) {
  sandbox *sandbox = *state;
  json_t *page = argyle_user_list(sandbox->client, NULL, NULL);
  assert_int_equal(json_object_size(page), 4);
  assert_true(json_is_array(json_object_get(page, "results")));
  assert_true(json_is_integer(json_object_get(page, "count")));
  assert_non_null(json_object_get(page, "next"));
  assert_true(json_is_null(json_object_get(page, "previous")));
  json_decref(page);
}

static void an_offset_past_the_end_is_an_empty_page(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *query = json_pack("{s:I}", "offset", (json_int_t)9007199254740991);
  json_t *page = argyle_user_list(sandbox->client, query, &error);
  assert_null(error);
  assert_json(json_object_get(page, "results"), "[]");
  assert_true(json_is_null(json_object_get(page, "next")));
  json_decref(page);
  json_decref(query);
}

static void an_offset_skips_users(void **state) {
  sandbox *sandbox = *state;
  char *passed_over = create_user(sandbox, NULL);
  char *first = create_user(sandbox, NULL);
  free(first);
  json_t *query = json_pack("{s:i, s:i, s:s}", "limit", 1, "offset", 1, "ordering", "-created_at");
  json_t *page = argyle_user_list(sandbox->client, query, NULL);
  assert_string_equal(string_at(json_array_get(json_object_get(page, "results"), 0), "id"), passed_over);
  json_decref(page);
  json_decref(query);
  free(passed_over);
}

/* ---------------------------------------------------------------- Delete */

static void a_deleted_user_is_gone(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  char *id = create_user(sandbox, NULL);
  assert_int_equal(argyle_user_delete(sandbox->client, id, &error), 0);
  assert_null(error);
  assert_null(argyle_user_get(sandbox->client, id, &error));
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, id);
  free(id);
}

static void deleting_twice_is_not_found(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  char *id = create_user(sandbox, NULL);
  assert_int_equal(argyle_user_delete(sandbox->client, id, NULL), 0);
  assert_int_equal(argyle_user_delete(sandbox->client, id, &error), -1);
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, id);
  free(id);
}

/* ---------------------------------------------------------------- The key */

static void a_wrong_key_is_refused_without_showing_it(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_options(
    json_pack("{s:s, s:s, s:s}", "key_id", "nobody", "key_secret", KEY_SECRET, "base_url", sandbox->url));
  assert_null(argyle_user_list(client, NULL, &error));
  assert_int_equal(argyle_error_http_status(error), 401);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_failed(error, ARGYLE_ERROR_AUTHENTICATION, "Invalid username/password");
  argyle_client_free(client);
}

static void an_error_of_the_service_has_a_trace_id(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(sandbox->client, UNKNOWN_ID, &error));
  assert_non_null(argyle_error_trace_id(error));
  assert_int_equal(strlen(argyle_error_trace_id(error)), 36);
  argyle_error_free(error);
}

/* ---------------------------------------------------------------- Without an error pointer */

static void the_error_pointer_is_optional(void **state) {
  sandbox *sandbox = *state;
  argyle_client *client = sandbox->client;
  json_t *created = argyle_user_create(client, NULL, NULL);
  const char *id = string_at(created, "id");
  json_t *results[] = {
    argyle_user_get(client, id, NULL),
    argyle_user_update(client, id, json_true(), NULL),
    argyle_user_list(client, NULL, NULL),
    argyle_user_token_create(client, id, NULL),
  };
  for (size_t i = 0; i < COUNT(results); i++) {
    assert_non_null(results[i]);
    json_decref(results[i]);
  }
  assert_int_equal(argyle_user_delete(client, id, NULL), 0);
  json_decref(created);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(creating_returns_an_id_and_a_token),
    cmocka_unit_test(each_created_user_is_different),
    cmocka_unit_test(the_token_of_a_created_user_belongs_to_it),
    cmocka_unit_test(without_metadata_the_service_stores_an_empty_object),
    cmocka_unit_test(retrieving_returns_the_whole_user),
    cmocka_unit_test(an_unknown_user_is_not_found),
    cmocka_unit_test(an_id_that_looks_like_a_path_names_no_user),
    cmocka_unit_test(updating_replaces_the_metadata),
    cmocka_unit_test(updating_an_unknown_user_fails),
    cmocka_unit_test(a_page_holds_the_newest_users_first),
    cmocka_unit_test(a_page_has_all_four_keys),
    cmocka_unit_test(an_offset_past_the_end_is_an_empty_page),
    cmocka_unit_test(an_offset_skips_users),
    cmocka_unit_test(a_deleted_user_is_gone),
    cmocka_unit_test(deleting_twice_is_not_found),
    cmocka_unit_test(a_wrong_key_is_refused_without_showing_it),
    cmocka_unit_test(an_error_of_the_service_has_a_trace_id),
    cmocka_unit_test(the_error_pointer_is_optional),
  };
  return cmocka_run_group_tests_name("users", tests, sandbox_setup, sandbox_teardown);
}
