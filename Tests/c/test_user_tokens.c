/* The section "User tokens" of argyle.h. */
#include "hostile_server.h"
#include "sandbox.h"

#define UNKNOWN_ID "00000000-0000-4000-8000-000000000000"

/* Parts of tokens: {"alg":"HS256","typ":"JWT"}, {"a":1} and some signature. */
#define HEAD "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
#define CLAIMS "eyJhIjoxfQ"
#define SIGNATURE "qC0bQ0wFzVIp3I0a7BxjqrRha2Bexw5PycWIh1WQjTw"

/* The access token in the example of Argyle's page "Users". */
#define EXAMPLE                                                                                                    \
  HEAD "."                                                                                                         \
  "eyJjbGllbnRfaWQiOiIwZDliNWJmMy05N2ZhLTQ3NTctYTEzNi1iMmEwM2QxNzE0MTQiLCJleHAiOjE2NTMyMzIxNDUsImlhdCI6MTY1MDY0" \
  "MDE0NSwiaXNzIjoiYXJneWxlLWNvcmUtYXV0aC1wcm9kIiwianRpIjoiNzFkZjgzMGItOGJjYy00MDgyLTkxYzYtNjEwMTE0Njc3ODRhIiwi" \
  "c3ViIjoiMDE4MDUxOWUtNjIwZi1hNDgwLTBhNmQtMzA3YzA4NmMwNzczIiwidXNlcl9pZCI6IjAxODA1MTllLTYyMGYtYTQ4MC0wYTZkLTMw" \
  "N2MwODZjMDc3MyJ9." SIGNATURE

/* ---------------------------------------------------------------- Creating a token, in the sandbox */

static void a_token_is_created_for_a_user(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *created = argyle_user_create(sandbox->client, NULL, NULL);
  json_t *token = argyle_user_token_create(sandbox->client, string_at(created, "id"), &error);
  assert_null(error);
  assert_int_equal(token->refcount, 1);
  json_t *claims = argyle_token_claims(string_at(token, "access"), &error);
  assert_null(error);
  assert_string_equal(string_at(claims, "user_id"), string_at(created, "id"));
  json_decref(claims);
  json_decref(token);
  json_decref(created);
}

static void each_token_is_different(void **state) {
  sandbox *sandbox = *state;
  json_t *created = argyle_user_create(sandbox->client, NULL, NULL);
  json_t *first = argyle_user_token_create(sandbox->client, string_at(created, "id"), NULL);
  json_t *second = argyle_user_token_create(sandbox->client, string_at(created, "id"), NULL);
  assert_string_not_equal(string_at(first, "access"), string_at(second, "access"));
  json_decref(second);
  json_decref(first);
  json_decref(created);
}

static void a_token_for_an_unknown_user_is_an_invalid_request(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_token_create(sandbox->client, UNKNOWN_ID, &error));
  assert_int_equal(argyle_error_http_status(error), 400);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_true(json_is_array(json_object_get(argyle_error_body(error), "user")));
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, UNKNOWN_ID);
}

/* ---------------------------------------------------------------- Creating a token, on the wire */

static void the_user_is_named_in_the_body(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const ids[] = {"u1", "a/b\"c\\", "\xc3\xbc\xf0\x9f\x98\x80"};
  hostile_server_answer_json(fixture->server, 201, "{\"access\": \"a\", \"refresh\": \"r\"}");
  for (int i = 0; i < (int)COUNT(ids); i++) {
    argyle_error *error = RUBBISH;
    json_t *token = argyle_user_token_create(fixture->client, ids[i], &error);
    assert_null(error);
    assert_json(token, "{\"access\": \"a\", \"refresh\": \"r\"}");
    const hostile_request *request = hostile_server_request(fixture->server, i);
    assert_string_equal(request->method, "POST");
    assert_string_equal(request->target, "/v1/user-tokens");
    assert_string_equal(hostile_request_header(request, "Content-Type"), "application/json");
    json_t *sent = json_of(request->body);
    assert_int_equal(json_object_size(sent), 1);
    assert_string_equal(string_at(sent, "user"), ids[i]);
    json_decref(sent);
    json_decref(token);
  }
}

static void an_answer_without_an_access_token_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const bodies[] = {"{}", "{\"refresh\": \"r\"}", "{\"access\": 5}", "{\"access\": null}"};
  for (size_t i = 0; i < COUNT(bodies); i++) {
    argyle_error *error = RUBBISH;
    hostile_server_answer_json(fixture->server, 201, bodies[i]);
    assert_null(argyle_user_token_create(fixture->client, "u1", &error));
    assert_int_equal(argyle_error_is_retryable(error), 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, "access");
  }
}

static void an_unreadable_answer_does_not_show_its_token(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 201, "{\"access\": [\"" KEY_SECRET "\"], \"" KEY_SECRET "\": 1}");
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "access");
  hostile_server_answer_json(fixture->server, 201, "{\"access\": \"" KEY_SECRET "\" \"" KEY_SECRET "\"}");
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
}

/* ---------------------------------------------------------------- Reading claims */

static void assert_claims(const char *token, const char *claims_text) {
  argyle_error *error = RUBBISH;
  json_t *claims = argyle_token_claims(token, &error);
  assert_null(error);
  assert_json(claims, claims_text);
  assert_int_equal(claims->refcount, 1);
  json_decref(claims);
  claims = argyle_token_claims(token, NULL);
  assert_non_null(claims);
  json_decref(claims);
}

static void the_token_of_the_documentation_is_decoded(void **state) {
  (void)state;
  assert_claims(EXAMPLE,
    "{\"client_id\": \"0d9b5bf3-97fa-4757-a136-b2a03d171414\", \"exp\": 1653232145, \"iat\": 1650640145,"
    " \"iss\": \"argyle-core-auth-prod\", \"jti\": \"71df830b-8bcc-4082-91c6-61011467784a\","
    " \"sub\": \"0180519e-620f-a480-0a6d-307c086c0773\", \"user_id\": \"0180519e-620f-a480-0a6d-307c086c0773\"}");
}

static void claims_of_any_length_are_decoded(void **state) {
  (void)state;
  assert_claims(HEAD "." CLAIMS "." SIGNATURE, "{\"a\": 1}");
  assert_claims(HEAD ".e30." SIGNATURE, "{}");
  assert_claims(HEAD ".eyJhIjoxMn0." SIGNATURE, "{\"a\": 12}");
}

static void the_alphabet_is_that_of_urls(void **state) {
  (void)state;
  assert_claims(HEAD ".eyJ1c2VyX2lkIjoiw7w_PsO_In0." SIGNATURE, "{\"user_id\": \"\xc3\xbc?>\xc3\xbf\"}");
}

static void assert_token_refused(const char *token) {
  argyle_error *error = RUBBISH;
  json_t *claims = argyle_token_claims(token, &error);
  if (claims != NULL) {
    print_error("this token was accepted: %s\n", token);
  }
  assert_null(claims);
  assert_int_equal(argyle_error_attempts(error), 0);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "token");
  assert_null(argyle_token_claims(token, NULL));
}

static void a_token_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_token_claims(NULL, &error));
  assert_null_refused(error, "token");
  assert_null(argyle_token_claims(NULL, NULL));
}

static void a_token_has_three_parts(void **state) {
  (void)state;
  static const char *const tokens[] = {
    "", ".", "..", CLAIMS, HEAD "." CLAIMS, HEAD "." CLAIMS "." SIGNATURE "." SIGNATURE, HEAD ".." SIGNATURE,
    "." CLAIMS "." SIGNATURE, "." HEAD "." CLAIMS "." SIGNATURE, HEAD "." CLAIMS "." SIGNATURE ".",
  };
  for (size_t i = 0; i < COUNT(tokens); i++) {
    assert_token_refused(tokens[i]);
  }
}

static void the_parts_of_a_token_are_base64url(void **state) {
  (void)state;
  static const char *const tokens[] = {
    HEAD ".eyJhIjoxfQ==." SIGNATURE, HEAD ".eyJ1c2VyX2lkIjoiw7w/PsO/In0." SIGNATURE, HEAD ". " CLAIMS "." SIGNATURE,
    HEAD "." CLAIMS "\n." SIGNATURE, HEAD ".eyJhI.joxfQ", HEAD "." CLAIMS "A." SIGNATURE "!",
    HEAD ".\xc3\xbc." SIGNATURE,
    HEAD ".eyJhIjoxf." SIGNATURE, "!." CLAIMS "." SIGNATURE, HEAD "." CLAIMS ".!", HEAD "." CLAIMS "." SIGNATURE "=",
    HEAD "." CLAIMS "." SIGNATURE "\n", " " HEAD "." CLAIMS "." SIGNATURE,
  };
  for (size_t i = 0; i < COUNT(tokens); i++) {
    assert_token_refused(tokens[i]);
  }
}

static void the_claims_are_a_json_object(void **state) {
  (void)state;
  /* nope, [1], "x", 1, {"a":"\xff"}, and an integer beyond 64 bits */
  static const char *const parts[] = {
    "bm9wZQ", "WzFd", "Ingi", "MQ", "eyJhIjoi_yJ9", "eyJleHAiOjkyMjMzNzIwMzY4NTQ3NzU4MDh9",
  };
  for (size_t i = 0; i < COUNT(parts); i++) {
    json_t *token = json_sprintf("%s.%s.%s", HEAD, parts[i], SIGNATURE);
    assert_token_refused(json_string_value(token));
    json_decref(token);
  }
}

static void a_refused_token_is_not_shown(void **state) {
  (void)state;
  /* assert_failed() checks for the secret. */
  assert_token_refused(KEY_SECRET);
  assert_token_refused(HEAD "." KEY_SECRET "." SIGNATURE);
  assert_token_refused(HEAD "." CLAIMS "." KEY_SECRET "!");
}

static void a_very_long_token_is_no_obstacle(void **state) {
  (void)state;
  size_t length = 4 * 1024 * 1024;
  char *token = malloc(length + 1);
  memset(token, 'A', length);
  token[length] = '\0';
  assert_token_refused(token);
  memset(token, '.', length);
  assert_token_refused(token);
  free(token);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_token_is_created_for_a_user),
    cmocka_unit_test(each_token_is_different),
    cmocka_unit_test(a_token_for_an_unknown_user_is_an_invalid_request),
    hostile_test(the_user_is_named_in_the_body),
    hostile_test(an_answer_without_an_access_token_cannot_be_read),
    hostile_test(an_unreadable_answer_does_not_show_its_token),
    cmocka_unit_test(the_token_of_the_documentation_is_decoded),
    cmocka_unit_test(claims_of_any_length_are_decoded),
    cmocka_unit_test(the_alphabet_is_that_of_urls),
    cmocka_unit_test(a_token_must_not_be_null),
    cmocka_unit_test(a_token_has_three_parts),
    cmocka_unit_test(the_parts_of_a_token_are_base64url),
    cmocka_unit_test(the_claims_are_a_json_object),
    cmocka_unit_test(a_refused_token_is_not_shown),
    cmocka_unit_test(a_very_long_token_is_no_obstacle),
  };
  return cmocka_run_group_tests_name("user_tokens", tests, sandbox_setup, sandbox_teardown);
}
