/* Version 2 of the API: what is sent, which responses are read, and how a client chooses the version. */
#include "hostile_server.h"

#define CREATED_V1 "{\"token\": \"t\", \"id\": \"u1\"}"
#define CREATED_V2 "{\"user_token\": \"t\", \"id\": \"u1\"}"
#define USER "{\"id\": \"u1\", \"user_token\": \"t\", \"results\": []}"
#define CANARY "canary-personal-7d1e"

/* ---------------------------------------------------------------- Helpers */

static argyle_client *client_of_version(hostile_fixture *fixture, int version) {
  return client_with_integer(hostile_server_url(fixture->server), "api_version", version);
}

/* Replaces the fixture's client by one of version 2. */
static int setup_v2(void **state) {
  if (hostile_setup(state) != 0) {
    return -1;
  }
  hostile_fixture *fixture = *state;
  argyle_client_free(fixture->client);
  fixture->client = client_of_version(fixture, 2);
  return 0;
}

#define v2_test(test) cmocka_unit_test_setup_teardown(test, setup_v2, hostile_teardown)

static void assert_last_request(hostile_fixture *fixture, const char *method, const char *target, const char *body) {
  const hostile_request *request =
    hostile_server_request(fixture->server, hostile_server_requests(fixture->server) - 1);
  assert_string_equal(request->method, method);
  assert_string_equal(request->target, target);
  assert_string_equal(request->body, body);
}

/* Runs a call of an operation on the text of a document, or on its value. */
static int run(argyle_client *client, int operation, const char *user_id, const char *text, bool as_text,
               argyle_error **error) {
  json_t *value = json_of(text);
  argyle_call *call = as_text ? argyle_call_new_text(client, operation, user_id, text, strlen(text), error)
                              : argyle_call_new(client, operation, user_id, value, error);
  json_decref(value);
  int status = call != NULL ? argyle_call_run(call, error) : -1;
  if (call != NULL) {
    assert_int_equal(argyle_call_operation(call), operation);
  }
  argyle_call_free(call);
  return status;
}

/* ---------------------------------------------------------------- Requests */

static void every_operation_uses_v2(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = fixture->client;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);

  json_decref(argyle_user_create(client, NULL, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v2/users", "");
  json_decref(argyle_user_get(client, "u1", &error));
  assert_null(error);
  assert_last_request(fixture, "GET", "/v2/users/u1", "");
  json_decref(argyle_user_update(client, "u1", json_true(), &error));
  assert_null(error);
  assert_last_request(fixture, "PATCH", "/v2/users/u1", "{\"external_metadata\":true}");
  json_decref(argyle_user_list(client, NULL, &error));
  assert_null(error);
  assert_last_request(fixture, "GET", "/v2/users", "");
  json_decref(argyle_user_token_create(client, "u1", &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v2/user-tokens", "{\"user\":\"u1\"}");
  assert_int_equal(argyle_user_delete(client, "u1", &error), 0);
  assert_null(error);
  assert_last_request(fixture, "DELETE", "/v2/users/u1", "");
}

static void fields_are_the_body(void **state) {
  static const char text[] =
    "{\"first_name\":\"Ada\",\"birth_date\":{\"year\":1815,\"month\":12,\"day\":10},\"ssn\":null,\"later\":[1]}";
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *fields = json_of(text);
  size_t references = fields->refcount;
  hostile_server_answer_json(fixture->server, 200, USER);

  json_decref(argyle_user_create_with_fields(fixture->client, fields, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v2/users", text);
  json_decref(argyle_user_update_with_fields(fixture->client, "u1", fields, &error));
  assert_null(error);
  assert_last_request(fixture, "PATCH", "/v2/users/u1", text);
  assert_int_equal(fields->refcount, references);
  json_decref(fields);

  for (int as_text = 0; as_text <= 1; as_text++) {
    int status = run(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, text, as_text, &error);
    assert_int_equal(status, 0);
    assert_last_request(fixture, "POST", "/v2/users", text);
    status = run(fixture->client, ARGYLE_OPERATION_USER_UPDATE_WITH_FIELDS, "u1", text, as_text, &error);
    assert_int_equal(status, 0);
    assert_last_request(fixture, "PATCH", "/v2/users/u1", text);
  }
}

static void fields_given_as_text_are_sent_unchanged(void **state) {
  static const char text[] = "{ \"external_metadata\": 1e400, \"a\": 0.10, \"a\": 12345678901234567890123 }";
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_call *call = argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, text,
                                           strlen(text), &error);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_last_request(fixture, "POST", "/v2/users", text);
  argyle_call_free(call);
}

static void an_external_id_is_percent_encoded(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *query = json_pack("{s:s, s:s, s:i}", "cursor", "c+/=", "external_id", "a b&\xc3\xa4", "limit", 3);
  json_decref(argyle_user_list(fixture->client, query, &error));
  assert_null(error);
  assert_last_request(fixture, "GET", "/v2/users?limit=3&external_id=a%20b%26%C3%A4&cursor=c%2B%2F%3D", "");
  json_decref(query);
}

/* ---------------------------------------------------------------- Bad input */

static void new_fields_need_version_2(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *fields = json_pack("{s:{}, s:s}", "external_metadata", "first_name", CANARY);
  assert_null(argyle_user_create_with_fields(fixture->client, fields, &error));
  assert_error(error, ARGYLE_ERROR_ARGUMENT, "\"first_name\" needs api_version 2");
  assert_null(strstr(argyle_error_message(error), CANARY));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields");
  assert_null(argyle_user_update_with_fields(fixture->client, "u1", fields, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "\"first_name\" needs api_version 2");
  json_decref(fields);
  for (int as_text = 0; as_text <= 1; as_text++) {
    int status = run(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, "{\"ssn\": 1}", as_text, &error);
    assert_int_equal(status, -1);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "\"ssn\" needs api_version 2");
  }
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void version_1_takes_metadata_as_a_field(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *fields = json_of("{\"external_metadata\":[1]}");
  hostile_server_answer_json(fixture->server, 200, CREATED_V1);
  json_decref(argyle_user_create_with_fields(fixture->client, fields, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v1/users", "{\"external_metadata\":[1]}");
  json_decref(argyle_user_update_with_fields(fixture->client, "u1", fields, &error));
  assert_null(error);
  assert_last_request(fixture, "PATCH", "/v1/users/u1", "{\"external_metadata\":[1]}");
  json_decref(fields);
}

static void fields_must_be_an_object(void **state) {
  static const char *const values[] = {"[]", "null", "true", "\"{}\"", "1"};
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(values); i++) {
    json_t *value = json_of(values[i]);
    assert_null(argyle_user_create_with_fields(fixture->client, value, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields must be a JSON object");
    assert_null(argyle_user_update_with_fields(fixture->client, "u1", value, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields must be a JSON object");
    json_decref(value);
    for (int as_text = 0; as_text <= 1; as_text++) {
      int status = run(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, values[i], as_text, &error);
      assert_int_equal(status, -1);
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields must be a JSON object");
    }
  }
  assert_null(argyle_user_create_with_fields(fixture->client, NULL, &error));
  assert_null_refused(error, "fields");
  assert_null(argyle_user_update_with_fields(fixture->client, "u1", NULL, &error));
  assert_null_refused(error, "fields");
  assert_null(argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, NULL, &error));
  assert_null_refused(error, "document");
  assert_null(argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_UPDATE_WITH_FIELDS, "u1", NULL, &error));
  assert_null_refused(error, "document");
  json_t *fields = json_object();
  assert_null(argyle_user_create_with_fields(NULL, fields, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_user_update_with_fields(NULL, "u1", fields, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_user_update_with_fields(fixture->client, NULL, fields, &error));
  assert_null_refused(error, "user_id");
  assert_null(argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, "u1", fields, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "user_id must be NULL");
  json_decref(fields);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void fields_take_the_deepest_metadata_and_no_deeper(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  for (size_t levels = 2044; levels <= 2045; levels++) {
    json_t *metadata = nested_arrays(levels);
    json_t *fields = json_object();
    json_object_set(fields, "external_metadata", metadata);
    json_t *user = argyle_user_create_with_fields(fixture->client, fields, &error);
    if (levels == 2044) {
      assert_null(error);
      assert_non_null(user);
    } else {
      assert_null(user);
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields must not be nested deeper than 2045 levels");
    }
    json_decref(user);
    json_object_clear(fields);
    json_decref(fields);
    release_nested(metadata);
  }
}

static void names_of_fields_are_checked(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *fields = json_object();
  json_object_setn_new_nocheck(fields, "a\0b", 3, json_true());
  assert_null(argyle_user_create_with_fields(fixture->client, fields, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "fields must not contain a NUL in a key");
  json_object_clear(fields);
  json_object_setn_new_nocheck(fields, "\xff", 1, json_true());
  assert_null(argyle_user_create_with_fields(fixture->client, fields, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "UTF-8");
  json_decref(fields);
}

/* A query of one string, or of one integer where that is NULL. */
static json_t *query_of(const char *name, const char *text) {
  json_t *query = json_object();
  json_object_set_new(query, name, text != NULL ? json_string(text) : json_integer(0));
  return query;
}

static void each_version_has_its_parameters(void **state) {
  static const struct {
    int version;
    const char *name;
    const char *text;
    const char *fragment;
  } cases[] = {
    {2, "offset", NULL, "offset needs api_version 1"},
    {2, "ordering", "created_at", "ordering needs api_version 1"},
    {1, "cursor", "c", "cursor needs api_version 2"},
    {1, "external_id", "e", "external_id needs api_version 2"},
    {2, "cursor", "", "cursor must be 1 to 8192 bytes"},
    {2, "external_id", "", "external_id must be 1 to 1024 bytes"},
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_client *client = client_of_version(fixture, cases[i].version);
    json_t *query = query_of(cases[i].name, cases[i].text);
    assert_null(argyle_user_list(client, query, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    assert_null(argyle_user_cursor_new(client, query, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    assert_null(argyle_call_new(client, ARGYLE_OPERATION_USER_LIST, NULL, query, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    char *text = json_dumps(query, 0);
    assert_null(argyle_user_cursor_new_text(client, text, strlen(text), &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    free(text);
    json_decref(query);
    argyle_client_free(client);
  }
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void the_version_is_1_or_2(void **state) {
  hostile_fixture *fixture = *state;
  json_t *wrong[] = {json_integer(0), json_integer(3), json_integer(-1), json_string("2"), json_true(), json_real(2)};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    argyle_error *error = RUBBISH;
    json_t *options = options_for(hostile_server_url(fixture->server));
    json_object_set_new(options, "api_version", wrong[i]);
    assert_null(argyle_client_new(options, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "api_version");
    json_decref(options);
  }
}

static void the_base_url_has_no_version(void **state) {
  (void)state;
  for (int version = 1; version <= 2; version++) {
    for (int path = 1; path <= 2; path++) {
      argyle_error *error = RUBBISH;
      json_t *options = options_for(path == 1 ? "http://127.0.0.1:1/v1" : "http://127.0.0.1:1/x/v2/");
      json_object_set_new(options, "api_version", json_integer(version));
      assert_null(argyle_client_new(options, &error));
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, path == 1 ? "must not end with /v1" : "must not end with /v2");
      json_decref(options);
    }
  }
}

static void a_host_may_be_named_like_a_version(void **state) {
  (void)state;
  static const char *const urls[] = {"https://v1", "https://v2/", "https://v2:8443", "https://host/v22", "https://host/xv2"};
  for (size_t i = 0; i < COUNT(urls); i++) {
    json_t *options = options_for(urls[i]);
    argyle_client_free(client_with_options(options));
  }
}

/* ---------------------------------------------------------------- Responses */

static void documents_are_handed_over_as_sent(void **state) {
  static const char text[] =
    "{\"id\": \"u1\", \"created_at\": \"2026-01-01T00:00:00.000000Z\", \"items_connected\": [], \"ssn\": null,"
    " \"address\": {\"city\": null}, \"later\": {\"x\": 1}}";
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, text);
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_json(user, text);
  json_decref(user);
}

static void a_response_of_version_1_is_told_apart(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 201, CREATED_V1);
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_error(error, ARGYLE_ERROR_PROTOCOL, "user_token");
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "it is a response of API version 1");
  hostile_server_answer_json(fixture->server, 201, "{\"access\": \"a\", \"refresh\": \"r\"}");
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "it is a response of API version 1");
}

static void a_response_of_version_2_is_told_apart(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 201, CREATED_V2);
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "it is a response of API version 2");
  hostile_server_answer_json(fixture->server, 201, "{\"user_token\": \"t\"}");
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "it is a response of API version 2");
}

static void a_creation_without_id_or_token_cannot_be_read(void **state) {
  static const char *const bodies[] = {
    "{\"id\": \"u1\"}", "{\"user_token\": \"t\"}", "{\"id\": \"u1\", \"user_token\": 5}",
    "{\"id\": \"u1\", \"user_token\": \"\"}", "{}",
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(bodies); i++) {
    hostile_server_answer_json(fixture->server, 201, bodies[i]);
    assert_null(argyle_user_create(fixture->client, NULL, &error));
    assert_null(strstr(argyle_error_message(error), "version 1"));
    assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, "the response has no string");
  }
}

static void a_token_of_another_user_is_refused(void **state) {
  /* {"user_id": "u2"} */
  static const char answer[] = "{\"user_token\": \"e30.eyJ1c2VyX2lkIjogInUyIn0.eA\"}";
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 201, answer);
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "another user's");
  json_t *token = argyle_user_token_create(fixture->client, "u2", &error);
  assert_null(error);
  json_decref(token);
}

static void a_page_has_no_count(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"next\": null, \"previous\": null, \"results\": []}");
  json_t *page = argyle_user_list(fixture->client, NULL, &error);
  assert_null(error);
  assert_json(page, "{\"next\": null, \"previous\": null, \"results\": [], \"count\": null}");
  json_decref(page);
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}]");
  assert_null(argyle_user_list(fixture->client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "the response is not a JSON object");
}

static void a_field_is_not_shown_in_an_error(void **state) {
  static const char *const names[] = {
    "first_name", "last_name", "email", "phone_number", "ssn", "external_id", "external_metadata", "open_banking",
  };
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(names); i++) {
    argyle_error *error = RUBBISH;
    json_t *fields = json_pack("{s:s}", names[i], CANARY);
    hostile_server_answer_json(fixture->server, i % 2 == 0 ? 400 : 500, "{\"detail\": \"no\"}");
    assert_null(argyle_user_create_with_fields(fixture->client, fields, &error));
    assert_non_null(strstr(argyle_error_message(error), "POST /v2/users"));
    assert_null(strstr(argyle_error_message(error), CANARY));
    argyle_error_free(error);
    json_decref(fields);
  }
}

/* ---------------------------------------------------------------- Walks */

static void answer_page(hostile_fixture *fixture, const char *id, const char *next) {
  json_t *page = json_pack("{s:s?, s:n, s:[{s:s}]}", "next", next, "previous", "results", "id", id);
  char *text = json_dumps(page, 0);
  hostile_server_answer_json(fixture->server, 200, text);
  free(text);
  json_decref(page);
}

/* Walks over all users by this query and returns how many there were, and the error at the end. */
static int walk(hostile_fixture *fixture, const char *query, argyle_error **error) {
  argyle_user_cursor *cursor = argyle_user_cursor_new_text(fixture->client, query, strlen(query), error);
  assert_null(*error);
  int count = 0;
  for (json_t *user; (user = argyle_user_cursor_next(cursor, error)) != NULL; count++) {
    json_decref(user);
  }
  argyle_user_cursor_free(cursor);
  return count;
}

static void a_walk_follows_the_cursor(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  answer_page(fixture, "u1", "https://elsewhere:1/v9/x?limit=9&cursor=a%3D%2B");
  answer_page(fixture, "u2", "bare/cursor=");
  answer_page(fixture, "u3", NULL);
  assert_int_equal(walk(fixture, "{\"external_id\": \"e 1\", \"limit\": 2}", &error), 3);
  assert_null(error);
  static const char *const targets[] = {
    "/v2/users?limit=2&external_id=e%201",
    "/v2/users?limit=2&external_id=e%201&cursor=a%3D%2B",
    "/v2/users?limit=2&external_id=e%201&cursor=bare%2Fcursor%3D",
  };
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  for (int i = 0; i < 3; i++) {
    assert_string_equal(hostile_server_request(fixture->server, i)->target, targets[i]);
  }
}

static void a_link_without_a_cursor_is_no_silent_end(void **state) {
  static const char *const links[] = {"https://host/v2/users?offset=1&limit=2", "https://host/v2/users", ""};
  for (size_t i = 0; i < COUNT(links); i++) {
    hostile_fixture *fixture = *state;
    argyle_error *error = RUBBISH;
    answer_page(fixture, "u1", links[i]);
    assert_int_equal(walk(fixture, "{}", &error), 1);
    assert_non_null(strstr(argyle_error_message(error), "\"next\" in the response is not a link with a cursor"));
    assert_int_equal(strstr(argyle_error_message(error), "it is a response of API version 1") != NULL, i == 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  }
}

/* Version 1 would ignore the filter, and version 2 the offset. */
static void a_cursor_is_run_with_its_own_version(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *second = client_of_version(fixture, 2);
  argyle_client *clients[] = {fixture->client, second};
  static const char *const queries[] = {"{\"offset\": 1}", "{\"external_id\": \"e\"}"};
  static const char *const messages[] = {
    "client must use the cursor's api_version, 1", "client must use the cursor's api_version, 2",
  };
  for (int i = 0; i < 2; i++) {
    argyle_error *error = RUBBISH;
    argyle_user_cursor *cursor = argyle_user_cursor_new_text(clients[i], queries[i], strlen(queries[i]), &error);
    assert_null(argyle_user_cursor_next_call(cursor, clients[1 - i], &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, messages[i]);
    argyle_call *call = argyle_user_cursor_next_call(cursor, clients[i], &error);
    assert_non_null(call);
    argyle_call_free(call);
    argyle_user_cursor_free(cursor);
  }
  /* A call of another client for the same query is not the cursor's either. */
  argyle_error *error = RUBBISH;
  argyle_user_cursor *cursor = argyle_user_cursor_new(second, NULL, &error);
  argyle_user_cursor *other = argyle_user_cursor_new(fixture->client, NULL, &error);
  argyle_call *call = argyle_user_cursor_next_call(other, fixture->client, &error);
  answer_page(fixture, "u1", NULL);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page of the cursor");
  argyle_call_free(call);
  argyle_user_cursor_free(cursor);
  argyle_user_cursor_free(other);
  argyle_client_free(second);
}

static void a_cursor_can_begin_anywhere(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  answer_page(fixture, "u1", NULL);
  assert_int_equal(walk(fixture, "{\"cursor\": \"c=\"}", &error), 1);
  assert_null(error);
  assert_last_request(fixture, "GET", "/v2/users?limit=200&cursor=c%3D", "");
}

/* ---------------------------------------------------------------- Both versions */

static void both_versions_share_connections(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *overrides = json_pack("{s:i}", "api_version", 2);
  argyle_client *second = argyle_client_with(fixture->client, overrides, &error);
  json_decref(overrides);
  assert_null(error);
  hostile_server_answer_json(fixture->server, 200, CREATED_V1);
  hostile_server_answer_json(fixture->server, 200, CREATED_V2);
  hostile_server_answer_json(fixture->server, 200, CREATED_V1);
  json_decref(argyle_user_create(fixture->client, NULL, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v1/users", "");
  json_decref(argyle_user_create(second, NULL, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v2/users", "");
  json_decref(argyle_user_create(fixture->client, NULL, &error));
  assert_null(error);
  assert_last_request(fixture, "POST", "/v1/users", "");
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  argyle_client_free(second);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    v2_test(every_operation_uses_v2),
    v2_test(fields_are_the_body),
    v2_test(fields_given_as_text_are_sent_unchanged),
    v2_test(an_external_id_is_percent_encoded),
    hostile_test(new_fields_need_version_2),
    hostile_test(version_1_takes_metadata_as_a_field),
    v2_test(fields_must_be_an_object),
    v2_test(fields_take_the_deepest_metadata_and_no_deeper),
    v2_test(names_of_fields_are_checked),
    hostile_test(each_version_has_its_parameters),
    hostile_test(the_version_is_1_or_2),
    cmocka_unit_test(the_base_url_has_no_version),
    cmocka_unit_test(a_host_may_be_named_like_a_version),
    v2_test(documents_are_handed_over_as_sent),
    v2_test(a_response_of_version_1_is_told_apart),
    hostile_test(a_response_of_version_2_is_told_apart),
    v2_test(a_creation_without_id_or_token_cannot_be_read),
    v2_test(a_token_of_another_user_is_refused),
    v2_test(a_page_has_no_count),
    v2_test(a_field_is_not_shown_in_an_error),
    v2_test(a_walk_follows_the_cursor),
    v2_test(a_link_without_a_cursor_is_no_silent_end),
    hostile_test(a_cursor_is_run_with_its_own_version),
    v2_test(a_cursor_can_begin_anywhere),
    hostile_test(both_versions_share_connections),
  };
  return cmocka_run_group_tests_name("api_v2", tests, NULL, NULL);
}
