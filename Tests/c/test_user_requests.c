/* The section "Users" of argyle.h on the wire: requests, refused arguments, and which answers can be read. */
#include "hostile_server.h"

#define USER "{\"id\": \"u1\", \"token\": \"t\", \"results\": []}"

/* ---------------------------------------------------------------- Helpers */

/* The four functions that take an id, each wrapped to return 0 or -1. */
static int get(argyle_client *client, const char *id, argyle_error **error) {
  json_t *user = argyle_user_get(client, id, error);
  json_decref(user);
  return user != NULL ? 0 : -1;
}

static int update(argyle_client *client, const char *id, argyle_error **error) {
  json_t *user = argyle_user_update(client, id, json_true(), error);
  json_decref(user);
  return user != NULL ? 0 : -1;
}

static int delete(argyle_client *client, const char *id, argyle_error **error) {
  return argyle_user_delete(client, id, error);
}

static int create_token(argyle_client *client, const char *id, argyle_error **error) {
  json_t *token = argyle_user_token_create(client, id, error);
  json_decref(token);
  return token != NULL ? 0 : -1;
}

static int (*const functions_with_id[])(argyle_client *, const char *, argyle_error **) = {
  get, update, delete, create_token,
};

#define assert_id_refused(state, id, fragment)                                        \
  do {                                                                                \
    hostile_fixture *fixture_ = *(state);                                             \
    for (size_t f = 0; f < COUNT(functions_with_id); f++) {                           \
      argyle_error *error_ = RUBBISH;                                                 \
      assert_int_equal(functions_with_id[f](fixture_->client, id, &error_), -1);      \
      assert_error(error_, ARGYLE_ERROR_ARGUMENT, "user_id");                         \
      assert_int_equal(argyle_error_attempts(error_), 0);                             \
      assert_failed(error_, ARGYLE_ERROR_ARGUMENT, fragment);                         \
      assert_int_equal(functions_with_id[f](fixture_->client, id, NULL), -1);         \
    }                                                                                 \
    assert_int_equal(hostile_server_connections(fixture_->server), 0);                \
  } while (0)

static const hostile_request *last_request(hostile_fixture *fixture) {
  return hostile_server_request(fixture->server, hostile_server_requests(fixture->server) - 1);
}

static void assert_header(const hostile_request *request, const char *name, const char *value) {
  const char *sent = hostile_request_header(request, name);
  assert_non_null(sent);
  assert_string_equal(sent, value);
}

/* ---------------------------------------------------------------- NULL */

static void the_client_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_create(NULL, NULL, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_user_list(NULL, NULL, &error));
  assert_null_refused(error, "client");
  for (size_t i = 0; i < COUNT(functions_with_id); i++) {
    assert_int_equal(functions_with_id[i](NULL, "u1", &error), -1);
    assert_null_refused(error, "client");
    assert_int_equal(functions_with_id[i](NULL, "u1", NULL), -1);
  }
  assert_null(argyle_user_create(NULL, NULL, NULL));
  assert_null(argyle_user_list(NULL, NULL, NULL));
}

static void the_id_must_not_be_null(void **state) {
  assert_id_refused(state, NULL, "NULL");
}

static void the_metadata_of_an_update_must_not_be_null(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_update(fixture->client, "u1", NULL, &error));
  assert_null_refused(error, "external_metadata");
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

/* ---------------------------------------------------------------- Ids */

static void an_empty_id_is_refused(void **state) {
  assert_id_refused(state, "", NULL);
}

static void dots_are_refused(void **state) {
  assert_id_refused(state, ".", NULL);
  assert_id_refused(state, "..", NULL);
}

static void an_id_of_256_bytes_is_refused(void **state) {
  char id[257];
  memset(id, 'a', 256);
  id[256] = '\0';
  assert_id_refused(state, id, "255");
}

static void an_id_that_is_not_utf8_is_refused(void **state) {
  static const char *const ids[] = {
    "\xff", "a\xc3", "\x80", "\xc0\xae", "\xe0\x80\xae", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf0\x80\x80\xae",
  };
  for (size_t i = 0; i < COUNT(ids); i++) {
    assert_id_refused(state, ids[i], "UTF-8");
  }
}

static void answer_with(hostile_fixture *fixture, const char *id) {
  json_t *user = json_pack("{s:s}", "id", id);
  char *text = json_dumps(user, 0);
  hostile_server_answer_json(fixture->server, 200, text);
  free(text);
  json_decref(user);
}

static void an_id_is_one_path_segment(void **state) {
  static const struct {
    const char *id;
    const char *segment;
  } cases[] = {
    {"0994b847-cc69-4d98-bc99-c5e65e762add", "0994b847-cc69-4d98-bc99-c5e65e762add"},
    {"A-z_0.9~", "A-z_0.9~"},
    {"...", "..."},
    {".a", ".a"},
    {"a/b", "a%2Fb"},
    {"../a", "..%2Fa"},
    {"a b", "a%20b"},
    {"a+b", "a%2Bb"},
    {"\xc3\xbc", "%C3%BC"},
    {"\xf0\x9f\x98\x80", "%F0%9F%98%80"},
    {"%2e%2e", "%252e%252e"},
    {"%00", "%2500"},
    {"a?b#c", "a%3Fb%23c"},
    {"a\r\nX-Evil: 1", "a%0D%0AX-Evil%3A%201"},
    {"a\\b", "a%5Cb"},
  };
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    char target[256] = "/v1/users/";
    strcat(target, cases[i].segment);
    answer_with(fixture, cases[i].id);
    assert_int_equal(get(fixture->client, cases[i].id, NULL), 0);
    assert_string_equal(last_request(fixture)->target, target);
    assert_int_equal(update(fixture->client, cases[i].id, NULL), 0);
    assert_string_equal(last_request(fixture)->target, target);
    assert_int_equal(delete(fixture->client, cases[i].id, NULL), 0);
    assert_string_equal(last_request(fixture)->target, target);
    assert_null(hostile_request_header(last_request(fixture), "X-Evil"));
  }
}

static void an_id_of_255_bytes_is_sent(void **state) {
  hostile_fixture *fixture = *state;
  char id[256], target[300] = "/v1/users/";
  memset(id, 'a', 255);
  id[255] = '\0';
  strcat(target, id);
  answer_with(fixture, id);
  assert_int_equal(get(fixture->client, id, NULL), 0);
  assert_string_equal(last_request(fixture)->target, target);
}

/* ---------------------------------------------------------------- Requests */

static void creating_posts_to_users(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 201, USER);
  json_decref(argyle_user_create(fixture->client, NULL, NULL));
  assert_string_equal(last_request(fixture)->method, "POST");
  assert_string_equal(last_request(fixture)->target, "/v1/users");
}

static void creating_without_metadata_sends_none(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 201, USER);
  json_decref(argyle_user_create(fixture->client, NULL, NULL));
  const char *body = last_request(fixture)->body;
  assert_true(strcmp(body, "") == 0 || strcmp(body, "{}") == 0);
}

static void creating_with_metadata_sends_it_as_json(void **state) {
  hostile_fixture *fixture = *state;
  json_t *metadata = json_of("{\"z\": [1, null], \"a\": \"\\u00fc\"}");
  hostile_server_answer_json(fixture->server, 201, USER);
  json_decref(argyle_user_create(fixture->client, metadata, NULL));
  json_t *sent = json_of(last_request(fixture)->body);
  assert_json(sent, "{\"external_metadata\": {\"z\": [1, null], \"a\": \"\\u00fc\"}}");
  assert_header(last_request(fixture), "Content-Type", "application/json");
  json_decref(sent);
  json_decref(metadata);
}

static void getting_sends_no_body(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_get(fixture->client, "u1", NULL));
  assert_string_equal(last_request(fixture)->method, "GET");
  assert_int_equal(last_request(fixture)->body_length, 0);
  assert_header(last_request(fixture), "Accept", "application/json");
}

static void updating_patches_the_user(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_update(fixture->client, "u1", json_null(), NULL));
  assert_string_equal(last_request(fixture)->method, "PATCH");
  assert_string_equal(last_request(fixture)->target, "/v1/users/u1");
  assert_header(last_request(fixture), "Content-Type", "application/json");
  json_t *sent = json_of(last_request(fixture)->body);
  assert_json(sent, "{\"external_metadata\": null}");
  json_decref(sent);
}

static void deleting_sends_delete(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_http(fixture->server, 204, "", "", 0);
  assert_int_equal(argyle_user_delete(fixture->client, "u1", NULL), 0);
  assert_string_equal(last_request(fixture)->method, "DELETE");
  assert_string_equal(last_request(fixture)->target, "/v1/users/u1");
  assert_int_equal(last_request(fixture)->body_length, 0);
}

static void requests_name_the_host(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_get(fixture->client, "u1", NULL));
  assert_header(last_request(fixture), "Host", hostile_server_url(fixture->server) + strlen("http://"));
}

static void no_request_announces_cookies_or_a_referrer(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_http(fixture->server, 200, "Set-Cookie: a=b; Path=/\r\n", USER, strlen(USER));
  json_decref(argyle_user_get(fixture->client, "u1", NULL));
  json_decref(argyle_user_get(fixture->client, "u1", NULL));
  assert_null(hostile_request_header(last_request(fixture), "Cookie"));
  assert_null(hostile_request_header(last_request(fixture), "Referer"));
}

/* ---------------------------------------------------------------- Answers */

/* The result of argyle_user_get() for a 200 answer with this body. */
static json_t *get_with_body(hostile_fixture *fixture, const char *body, argyle_error **error) {
  hostile_server_answer_json(fixture->server, 200, body);
  return argyle_user_get(fixture->client, "u1", error);
}

static void unknown_fields_survive_in_their_order(void **state) {
  static const char user[] =
    "{\"zeta\": {\"deep\": [true]}, \"id\": \"u1\", \"created_at\": \"2019-11-27T15:56:50.583Z\", \"alpha\": 5,"
    " \"external_metadata\": \"User group A\", \"items_connected\": null}";
  argyle_error *error = RUBBISH;
  json_t *got = get_with_body(*state, user, &error);
  assert_null(error);
  assert_json(got, user);
  json_decref(got);
}

static void an_update_returns_the_whole_user_too(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 202, "{\"new\": [], \"id\": \"u1\"}");
  json_t *user = argyle_user_update(fixture->client, "u1", json_true(), &error);
  assert_null(error);
  assert_json(user, "{\"new\": [], \"id\": \"u1\"}");
  json_decref(user);
}

static void any_success_creates(void **state) {
  static const int statuses[] = {200, 201, 202, 299};
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(statuses); i++) {
    argyle_error *error = RUBBISH;
    hostile_server_answer_json(fixture->server, statuses[i], "{\"id\": \"u1\", \"token\": \"t\", \"more\": 1}");
    json_t *created = argyle_user_create(fixture->client, NULL, &error);
    assert_null(error);
    assert_json(created, "{\"id\": \"u1\", \"token\": \"t\", \"more\": 1}");
    json_decref(created);
  }
}

static void any_success_deletes(void **state) {
  static const struct {
    int status;
    const char *body;
  } cases[] = {
    {204, ""}, {200, ""}, {200, "{}"}, {200, "\"204 status code: No content.\""}, {202, "<html>gone</html>"},
  };
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    hostile_server_answer_http(fixture->server, cases[i].status, "", cases[i].body, strlen(cases[i].body));
    assert_int_equal(argyle_user_delete(fixture->client, "u1", &error), 0);
    assert_null(error);
  }
}

static void the_last_of_duplicate_keys_wins(void **state) {
  argyle_error *error = RUBBISH;
  json_t *user = get_with_body(*state, "{\"id\": \"u1\", \"x\": 1, \"x\": 2}", &error);
  assert_null(error);
  assert_int_equal(json_integer_value(json_object_get(user, "x")), 2);
  json_decref(user);
}

static void space_around_the_answer_is_no_obstacle(void **state) {
  argyle_error *error = RUBBISH;
  json_t *user = get_with_body(*state, "\r\n {\"id\": \"u1\"} \n\n", &error);
  assert_null(error);
  assert_json(user, "{\"id\": \"u1\"}");
  json_decref(user);
}

static void the_content_type_does_not_matter(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 200, "Content-Type: text/html\r\n", USER, strlen(USER));
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
}

/* ---------------------------------------------------------------- Unreadable answers */

/* Asserts a protocol error that keeps the body's text. */
static void assert_unreadable(hostile_fixture *fixture, const char *body, const char *fragment) {
  argyle_error *error = RUBBISH;
  assert_null(get_with_body(fixture, body, &error));
  assert_int_equal(argyle_error_http_status(error), 200);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_string_equal(argyle_error_body_text(error), body);
  assert_error(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, fragment);
}

static void a_user_without_an_id_cannot_be_read(void **state) {
  static const char *const bodies[] = {
    "{}", "{\"Id\": \"u1\"}", "{\"id\": 5}", "{\"id\": null}", "{\"id\": [\"u1\"]}",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], "id");
  }
}

static void a_user_that_is_no_object_cannot_be_read(void **state) {
  static const char *const bodies[] = {"[]", "\"u1\"", "1", "true", "null", "[{\"id\": \"u1\"}]"};
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], "object");
  }
}

static void what_is_not_json_cannot_be_read(void **state) {
  static const char *const bodies[] = {
    "", " ", "x", "{", "{\"id\": \"u1\"", "{\"id\": \"u1\"} x", "{\"id\": \"u1\"}{}", "{\"id\": \"u1\",}",
    "{'id': 'u1'}", "<html><body>It works!</body></html>", "{\"id\": \"u1\", \"x\": NaN}",
    "{\"id\": \"u1\", \"x\": \"\xff\"}",
    "{\"id\": \"u1\", \"x\": \"\xc0\xae\"}", "{\"id\": \"u1\", \"x\": \"a\nb\"}",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], NULL);
  }
}

static void a_number_that_would_be_rounded_cannot_be_read(void **state) {
  static const char *const bodies[] = {
    "{\"id\": \"u1\", \"x\": 9223372036854775808}", "{\"id\": \"u1\", \"x\": -9223372036854775809}",
    "{\"id\": \"u1\", \"x\": 18446744073709551616}", "{\"id\": \"u1\", \"x\": 1e400}",
    "{\"id\": \"u1\", \"x\": -1e400}",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    assert_unreadable(*state, bodies[i], NULL);
  }
}

static void text_that_jansson_cannot_parse_is_unreadable(void **state) {
  assert_unreadable(*state, "{\"id\": \"u1\", \"x\": \"\\ud800\"}", NULL);
  assert_unreadable(*state, "{\"id\": \"u1\", \"x\": \"\\udc00\\ud800\"}", NULL);
  assert_unreadable(*state, "{\"id\": \"u1\", \"a\\u0000b\": 1}", NULL);
}

static void a_nul_in_the_answer_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  static const char body[] = "{\"id\": \"u1\"}\0{}";
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 200, "", body, sizeof body - 1);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_memory_equal(argyle_error_body_text(error), body, sizeof body);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
}

static void an_answer_nested_too_deep_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  size_t levels = 200000;
  char *body = malloc(levels);
  memset(body, '[', levels);
  hostile_server_answer_http(fixture->server, 200, "", body, levels);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  free(body);
}

static void a_created_user_without_id_or_token_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *body;
    const char *fragment;
  } cases[] = {
    {"", NULL}, {"[]", NULL}, {"{\"token\": \"t\"}", "id"}, {"{\"id\": \"u1\"}", "token"},
    {"{\"id\": \"u1\", \"token\": 5}", "token"}, {"{\"id\": 5, \"token\": \"t\"}", "id"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    hostile_server_answer_json(fixture->server, 201, cases[i].body);
    assert_null(argyle_user_create(fixture->client, NULL, &error));
    assert_int_equal(argyle_error_is_retryable(error), 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, cases[i].fragment);
  }
}

static void an_update_without_an_id_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{}");
  assert_null(argyle_user_update(fixture->client, "u1", json_true(), &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "id");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_client_must_not_be_null),
    hostile_test(the_id_must_not_be_null),
    hostile_test(the_metadata_of_an_update_must_not_be_null),
    hostile_test(an_empty_id_is_refused),
    hostile_test(dots_are_refused),
    hostile_test(an_id_of_256_bytes_is_refused),
    hostile_test(an_id_that_is_not_utf8_is_refused),
    hostile_test(an_id_is_one_path_segment),
    hostile_test(an_id_of_255_bytes_is_sent),
    hostile_test(creating_posts_to_users),
    hostile_test(creating_without_metadata_sends_none),
    hostile_test(creating_with_metadata_sends_it_as_json),
    hostile_test(getting_sends_no_body),
    hostile_test(updating_patches_the_user),
    hostile_test(deleting_sends_delete),
    hostile_test(requests_name_the_host),
    hostile_test(no_request_announces_cookies_or_a_referrer),
    hostile_test(unknown_fields_survive_in_their_order),
    hostile_test(an_update_returns_the_whole_user_too),
    hostile_test(any_success_creates),
    hostile_test(any_success_deletes),
    hostile_test(the_last_of_duplicate_keys_wins),
    hostile_test(space_around_the_answer_is_no_obstacle),
    hostile_test(the_content_type_does_not_matter),
    hostile_test(a_user_without_an_id_cannot_be_read),
    hostile_test(a_user_that_is_no_object_cannot_be_read),
    hostile_test(what_is_not_json_cannot_be_read),
    hostile_test(a_number_that_would_be_rounded_cannot_be_read),
    hostile_test(text_that_jansson_cannot_parse_is_unreadable),
    hostile_test(a_nul_in_the_answer_cannot_be_read),
    hostile_test(an_answer_nested_too_deep_cannot_be_read),
    hostile_test(a_created_user_without_id_or_token_cannot_be_read),
    hostile_test(an_update_without_an_id_cannot_be_read),
  };
  return cmocka_run_group_tests_name("user_requests", tests, NULL, NULL);
}
