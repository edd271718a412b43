/* External metadata: any JSON value is sent to the service and returned unchanged. */
#include "hostile_server.h"
#include "sandbox.h"

#include <float.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"

/* ---------------------------------------------------------------- Round trips through the sandbox */

/* The newest user, from a list; a new reference. */
static json_t *newest_user(argyle_client *client) {
  argyle_error *error = RUBBISH;
  json_t *query = json_pack("{s:i}", "limit", 1);
  json_t *page = argyle_user_list(client, query, &error);
  assert_null(error);
  json_t *user = json_incref(json_array_get(json_object_get(page, "results"), 0));
  json_decref(page);
  json_decref(query);
  return user;
}

static void assert_user(json_t *user, const char *id, const json_t *metadata) {
  assert_string_equal(string_at(user, "id"), id);
  assert_same_json(json_object_get(user, "external_metadata"), metadata);
  json_decref(user);
}

/* Creates a user with this metadata, which is released, and checks it with each function that returns a user. */
static void assert_round_trip(sandbox *sandbox, json_t *metadata) {
  argyle_client *client = sandbox->client;
  argyle_error *error = RUBBISH;
  size_t references = metadata->refcount;
  json_t *created = argyle_user_create(client, metadata, &error);
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  char *id = strdup(string_at(created, "id"));
  json_decref(created);

  assert_user(argyle_user_get(client, id, &error), id, metadata);
  assert_null(error);
  assert_user(newest_user(client), id, metadata);
  json_decref(argyle_user_update(client, id, json_true(), &error));
  assert_null(error);
  assert_user(argyle_user_update(client, id, metadata, &error), id, metadata);
  assert_null(error);

  assert_int_equal(metadata->refcount, references);
  json_decref(metadata);
  free(id);
}

static void every_kind_of_json_comes_back(void **state) {
  static const char *const values[] = {
    "\"User group A\"", "\"\"", "0", "-1", "1.5", "{}", "[]", "{\"customer group\": \"lending\"}",
    "[1, [2, {\"a\": []}]]", "true", "false", "null", "[null, true, false]",
  };
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_round_trip(*state, json_of(values[i]));
  }
}

static void the_extremes_of_64_bit_integers_come_back(void **state) {
  assert_round_trip(*state, json_integer(INT64_MAX));
  assert_round_trip(*state, json_integer(INT64_MIN));
  assert_round_trip(*state, json_integer(INT64_C(9007199254740993)));
}

static void finite_doubles_come_back(void **state) {
  static const double values[] = {0.1, 1.0, 1.0 / 3.0, DBL_MAX, -DBL_MAX, DBL_MIN, 4.9406564584124654e-324, 1e21, 1e-7};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_round_trip(*state, json_real(values[i]));
  }
}

static void any_unicode_comes_back(void **state) {
  static const char *const values[] = {
    "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"", /* two, three and four bytes */
    "\"e\\u0301 \\u00e9\"",                     /* not normalised */
    "\"\\u0001\\u001f\\u007f\\u0085\\u2028\\u2029\\ufeff\\uffff\\ufffe\"",
    "\"\\\" \\\\ / \\b\\f\\n\\r\\t\"",
    "\"\\udbff\\udfff\"",
    "{\"\xf0\x9f\x98\x80\": \"\xf0\x9f\x98\x80\", \"\": \"empty key\"}",
  };
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_round_trip(*state, json_of(values[i]));
  }
}

static void a_nul_in_a_string_comes_back(void **state) {
  assert_round_trip(*state, json_of("\"a\\u0000b\""));
  assert_round_trip(*state, json_of("{\"a\": \"\\u0000\"}"));
}

static void the_order_of_keys_comes_back(void **state) {
  assert_round_trip(*state, json_of("{\"z\": 1, \"a\": 2, \"M\": {\"2\": 0, \"1\": 0, \"10\": 0}, \"b\": 3}"));
}

static void a_megabyte_comes_back(void **state) {
  static const char letters[] = "a\xc3\xbc\xf0\x9f\x98\x80"; /* 7 bytes */
  size_t count = 143000;
  char *text = malloc(count * 7);
  for (size_t i = 0; i < count; i++) {
    memcpy(text + 7 * i, letters, 7);
  }
  assert_round_trip(*state, json_pack("{s:o}", "text", json_stringn(text, count * 7)));
  free(text);
}

static void many_keys_come_back(void **state) {
  json_t *object = json_object();
  for (int i = 0; i < 20000; i++) {
    json_t *name = json_sprintf("key %d", (i * 7919) % 20000);
    json_object_set_new(object, json_string_value(name), json_integer(i));
    json_decref(name);
  }
  assert_round_trip(*state, object);
}

static void a_hundred_levels_come_back(void **state) {
  assert_round_trip(*state, nested_arrays(100));
  assert_round_trip(*state, nested_objects(100));
}

/* ---------------------------------------------------------------- Depth, on the wire */

/* Asserts that neither function sends this metadata. */
static void assert_refused(json_t *metadata, const char *fragment) {
  hostile_server *server = hostile_server_start();
  argyle_client *client = client_for(hostile_server_url(server));
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_create(client, metadata, &error));
  assert_error(error, ARGYLE_ERROR_ARGUMENT, "external_metadata");
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, fragment);
  assert_null(argyle_user_update(client, "u1", metadata, &error));
  assert_error(error, ARGYLE_ERROR_ARGUMENT, "external_metadata");
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, fragment);
  assert_null(argyle_user_create(client, metadata, NULL));
  assert_int_equal(hostile_server_connections(server), 0);
  argyle_client_free(client);
  hostile_server_stop(server);
}

/* Asserts that both functions send this metadata as this text. */
static void assert_sent(const json_t *metadata, const char *text) {
  hostile_server *server = hostile_server_start();
  argyle_client *client = client_for(hostile_server_url(server));
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(server, 200, USER);
  json_decref(argyle_user_create(client, metadata, &error));
  assert_null(error);
  json_decref(argyle_user_update(client, "u1", metadata, &error));
  assert_null(error);
  assert_non_null(strstr(hostile_server_request(server, 0)->body, text));
  assert_non_null(strstr(hostile_server_request(server, 1)->body, text));
  argyle_client_free(client);
  hostile_server_stop(server);
}

static void metadata_of_2044_levels_is_sent(void **state) {
  (void)state;
  char brackets[2 * 2044 + 1];
  memset(brackets, '[', 2044);
  memset(brackets + 2044, ']', 2044);
  brackets[2 * 2044] = '\0';
  json_t *metadata = nested_arrays(2044);
  assert_sent(metadata, brackets);
  release_nested(metadata);
}

static void objects_of_2044_levels_are_sent(void **state) {
  (void)state;
  json_t *metadata = nested_objects(2044);
  assert_sent(metadata, "{}");
  release_nested(metadata);
}

static void metadata_of_2045_levels_is_refused(void **state) {
  (void)state;
  json_t *metadata = nested_arrays(2045);
  assert_refused(metadata, "2044");
  release_nested(metadata);
  metadata = nested_objects(2045);
  assert_refused(metadata, "2044");
  release_nested(metadata);
}

static void very_deep_metadata_does_not_overflow_the_stack(void **state) {
  (void)state;
  json_t *metadata = nested_arrays(100000);
  assert_refused(metadata, "2044");
  release_nested(metadata);
  metadata = nested_objects(100000);
  assert_refused(metadata, "2044");
  release_nested(metadata);
}

static void depth_hidden_behind_other_members_is_found(void **state) {
  (void)state;
  json_t *deep = nested_arrays(2045);
  json_t *metadata = json_pack("[i, {s:[], s:[]}, O]", 1, "a", "b", deep);
  assert_refused(metadata, "2044");
  json_decref(metadata);
  release_nested(deep);
}

static void metadata_that_contains_itself_is_refused(void **state) {
  (void)state;
  json_t *outer = json_array();
  json_t *inner = json_array();
  json_array_append(outer, inner);
  json_array_append(inner, outer);
  assert_refused(outer, NULL);
  json_array_clear(inner);
  json_decref(inner);
  json_decref(outer);
}

/* ---------------------------------------------------------------- Unencodable metadata */

static void a_string_that_is_not_utf8_is_refused(void **state) {
  (void)state;
  json_t *metadata = json_string_nocheck("\xff");
  assert_refused(metadata, NULL);
  json_decref(metadata);
}

static void a_key_that_is_not_utf8_is_refused(void **state) {
  (void)state;
  json_t *metadata = json_object();
  json_object_set_new_nocheck(metadata, "a\xff", json_true());
  assert_refused(metadata, NULL);
  json_decref(metadata);
}

static void a_key_that_cannot_be_read_back_is_refused(void **state) {
  (void)state;
  json_t *metadata = json_object();
  assert_int_equal(json_object_setn_new(metadata, "a\0b", 3, json_true()), 0);
  assert_refused(metadata, "NUL");
  json_decref(metadata);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_kind_of_json_comes_back),
    cmocka_unit_test(the_extremes_of_64_bit_integers_come_back),
    cmocka_unit_test(finite_doubles_come_back),
    cmocka_unit_test(any_unicode_comes_back),
    cmocka_unit_test(a_nul_in_a_string_comes_back),
    cmocka_unit_test(the_order_of_keys_comes_back),
    cmocka_unit_test(a_megabyte_comes_back),
    cmocka_unit_test(many_keys_come_back),
    cmocka_unit_test(a_hundred_levels_come_back),
    cmocka_unit_test(metadata_of_2044_levels_is_sent),
    cmocka_unit_test(objects_of_2044_levels_are_sent),
    cmocka_unit_test(metadata_of_2045_levels_is_refused),
    cmocka_unit_test(very_deep_metadata_does_not_overflow_the_stack),
    cmocka_unit_test(depth_hidden_behind_other_members_is_found),
    cmocka_unit_test(metadata_that_contains_itself_is_refused),
    cmocka_unit_test(a_string_that_is_not_utf8_is_refused),
    cmocka_unit_test(a_key_that_is_not_utf8_is_refused),
    cmocka_unit_test(a_key_that_cannot_be_read_back_is_refused),
  };
  return cmocka_run_group_tests_name("metadata", tests, sandbox_setup, sandbox_teardown);
}
