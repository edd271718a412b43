/* argyle_user_list(): the query that it sends, and the uniform result. */
#include "hostile_server.h"

#define PAGE "{\"count\": 0, \"next\": null, \"previous\": null, \"results\": []}"

static const hostile_request *last_request(hostile_fixture *fixture) {
  return hostile_server_request(fixture->server, hostile_server_requests(fixture->server) - 1);
}

/* ---------------------------------------------------------------- The query */

/* The request for a list with this query. */
static const hostile_request *request_for(hostile_fixture *fixture, const char *query_text) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, PAGE);
  json_t *query = json_of(query_text);
  size_t references = query->refcount;
  json_t *page = argyle_user_list(fixture->client, query, &error);
  assert_null(error);
  assert_non_null(page);
  json_decref(page);
  assert_int_equal(query->refcount, references);
  assert_json(query, query_text);
  json_decref(query);
  return last_request(fixture);
}

static void without_a_query_no_parameters_are_sent(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, PAGE);
  json_t *page = argyle_user_list(fixture->client, NULL, &error);
  assert_null(error);
  assert_string_equal(last_request(fixture)->method, "GET");
  assert_string_equal(last_request(fixture)->target, "/v1/users");
  json_decref(page);
}

static void an_empty_query_sends_no_parameters_either(void **state) {
  assert_string_equal(request_for(*state, "{}")->target, "/v1/users");
}

static void the_query_is_sent(void **state) {
  const hostile_request *request = request_for(*state, "{\"ordering\": \"created_at\", \"limit\": 5, \"offset\": 10}");
  assert_true(hostile_request_has_query(request, "limit=5"));
  assert_true(hostile_request_has_query(request, "offset=10"));
  assert_true(hostile_request_has_query(request, "ordering=created_at"));
}

static void newest_first_can_be_requested(void **state) {
  const hostile_request *request = request_for(*state, "{\"ordering\": \"-created_at\"}");
  assert_true(hostile_request_has_query(request, "ordering=-created_at"));
}

static void the_bounds_are_sent(void **state) {
  const hostile_request *request = request_for(*state, "{\"limit\": 2147483647, \"offset\": 9007199254740991}");
  assert_true(hostile_request_has_query(request, "limit=2147483647"));
  assert_true(hostile_request_has_query(request, "offset=9007199254740991"));
  request = request_for(*state, "{\"limit\": 1, \"offset\": 0}");
  assert_true(hostile_request_has_query(request, "limit=1"));
}

/* Asserts that list and cursor refuse the query with a message that names the key. */
static void assert_query_refused(hostile_fixture *fixture, json_t *query, const char *key) {
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_list(fixture->client, query, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, key);
  assert_null(argyle_user_list(fixture->client, query, NULL));
  assert_null(argyle_user_cursor_new(fixture->client, query, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, key);
  assert_null(argyle_user_cursor_new(fixture->client, query, NULL));
  assert_int_equal(hostile_server_connections(fixture->server), 0);
  json_decref(query);
}

static void assert_values_refused(hostile_fixture *fixture, const char *key, const char *const *values, size_t count) {
  for (size_t i = 0; i < count; i++) {
    json_t *query = json_object();
    json_object_set_new(query, key, json_of(values[i]));
    assert_query_refused(fixture, query, key);
  }
}

static void a_limit_is_an_integer_from_1(void **state) {
  static const char *const values[] = {"0", "-1", "2147483648", "5.0", "\"5\"", "true", "null", "[5]"};
  assert_values_refused(*state, "limit", values, COUNT(values));
}

static void an_offset_is_an_integer_from_0(void **state) {
  static const char *const values[] = {
    "-1", "9007199254740992", "9223372036854775807", "0.0", "\"0\"", "false", "null",
  };
  assert_values_refused(*state, "offset", values, COUNT(values));
}

static void an_ordering_is_one_of_two(void **state) {
  static const char *const values[] = {
    "\"\"", "\"id\"", "\"+created_at\"", "\"created_at&limit=1\"", "\"created_at\\u0000\"", "1", "null",
  };
  assert_values_refused(*state, "ordering", values, COUNT(values));
}

static void an_unknown_key_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  assert_query_refused(fixture, json_of("{\"page\": 2}"), "page");
  assert_query_refused(fixture, json_of("{\"limit\": 5, \"Offset\": 2}"), "Offset");
  assert_query_refused(fixture, json_of("{\"a\\nb\": 2}"), NULL);
}

static void a_query_is_an_object(void **state) {
  static const char *const values[] = {"[]", "\"limit=5\"", "5", "true", "null"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_query_refused(*state, json_of(values[i]), "query");
  }
}

/* ---------------------------------------------------------------- The result */

/* The result for a 200 answer with this body. */
static json_t *list_with_body(hostile_fixture *fixture, const char *body) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, body);
  json_t *page = argyle_user_list(fixture->client, NULL, &error);
  if (error != NULL) {
    print_error("%s: %s\n", body, argyle_error_message(error));
  }
  assert_null(error);
  assert_non_null(page);
  return page;
}

/* Asserts the four members of a page and releases it. */
static void assert_page(json_t *page, const char *results, const char *next, const char *previous, const char *count) {
  assert_json(json_object_get(page, "results"), results);
  assert_json(json_object_get(page, "next"), next);
  assert_json(json_object_get(page, "previous"), previous);
  assert_json(json_object_get(page, "count"), count);
  json_decref(page);
}

static void an_object_is_returned_unchanged(void **state) {
  json_t *page = list_with_body(*state,
    "{\"count\": 3, \"next\": \"https://h/v1/users?offset=1\", \"previous\": \"https://h/v1/users\","
    " \"results\": [{\"id\": \"u1\"}]}");
  assert_page(page, "[{\"id\": \"u1\"}]", "\"https://h/v1/users?offset=1\"", "\"https://h/v1/users\"", "3");
}

static void a_bare_array_is_returned_as_an_object(void **state) {
  json_t *page = list_with_body(*state, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  assert_page(page, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]", "null", "null", "null");
}

static void an_empty_bare_array_is_an_empty_page(void **state) {
  assert_page(list_with_body(*state, "[]"), "[]", "null", "null", "null");
}

static void missing_members_are_null(void **state) {
  assert_page(list_with_body(*state, "{\"results\": []}"), "[]", "null", "null", "null");
}

static void null_members_stay_null(void **state) {
  json_t *page = list_with_body(*state, "{\"results\": [], \"next\": null, \"previous\": null, \"count\": null}");
  assert_page(page, "[]", "null", "null", "null");
}

static void unknown_fields_of_users_survive(void **state) {
  static const char results[] = "[{\"z\": {\"new\": 1}, \"id\": \"u1\", \"a\": null}]";
  assert_page(list_with_body(*state, results), results, "null", "null", "null");
}

/* ---------------------------------------------------------------- Unreadable answers */

static void assert_unreadable(hostile_fixture *fixture, const char *body, const char *fragment) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, body);
  assert_null(argyle_user_list(fixture->client, NULL, &error));
  assert_string_equal(argyle_error_body_text(error), body);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, fragment);
}

static void a_list_needs_results(void **state) {
  static const char *const bodies[] = {
    "{}", "{\"count\": 0, \"next\": null, \"previous\": null}", "{\"results\": null}", "{\"results\": {}}",
    "{\"results\": \"\"}", "{\"detail\": \"maintenance\"}",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], "results");
  }
}

static void a_list_is_an_object_or_an_array(void **state) {
  static const char *const bodies[] = {"null", "5", "\"users\"", "true", ""};
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], NULL);
  }
}

static void each_user_of_a_list_needs_an_id(void **state) {
  static const char *const bodies[] = {
    "[{}]", "{\"results\": [{\"id\": \"u1\"}, {\"id\": 5}]}", "[{\"id\": null}]",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], "id");
  }
  assert_unreadable(*state, "[5]", NULL);
  assert_unreadable(*state, "{\"results\": [\"u1\"]}", NULL);
}

static void links_are_strings_or_null(void **state) {
  static const char *const values[] = {"5", "true", "{}", "[]"};
  for (size_t i = 0; i < COUNT(values); i++) {
    json_t *body = json_sprintf("{\"results\": [], \"next\": %s}", values[i]);
    assert_unreadable(*state, json_string_value(body), "next");
    json_decref(body);
    body = json_sprintf("{\"results\": [], \"previous\": %s}", values[i]);
    assert_unreadable(*state, json_string_value(body), "previous");
    json_decref(body);
  }
}

static void a_count_is_an_integer_or_null(void **state) {
  assert_unreadable(*state, "{\"results\": [], \"count\": \"5\"}", "count");
  assert_unreadable(*state, "{\"results\": [], \"count\": 1.5}", "count");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(without_a_query_no_parameters_are_sent),
    hostile_test(an_empty_query_sends_no_parameters_either),
    hostile_test(the_query_is_sent),
    hostile_test(newest_first_can_be_requested),
    hostile_test(the_bounds_are_sent),
    hostile_test(a_limit_is_an_integer_from_1),
    hostile_test(an_offset_is_an_integer_from_0),
    hostile_test(an_ordering_is_one_of_two),
    hostile_test(an_unknown_key_is_refused),
    hostile_test(a_query_is_an_object),
    hostile_test(an_object_is_returned_unchanged),
    hostile_test(a_bare_array_is_returned_as_an_object),
    hostile_test(an_empty_bare_array_is_an_empty_page),
    hostile_test(missing_members_are_null),
    hostile_test(null_members_stay_null),
    hostile_test(unknown_fields_of_users_survive),
    hostile_test(a_list_needs_results),
    hostile_test(a_list_is_an_object_or_an_array),
    hostile_test(each_user_of_a_list_needs_an_id),
    hostile_test(links_are_strings_or_null),
    hostile_test(a_count_is_an_integer_or_null),
  };
  return cmocka_run_group_tests_name("user_list", tests, NULL, NULL);
}
