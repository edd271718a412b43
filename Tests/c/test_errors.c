/* The section "Errors" of argyle.h: each status, and the accessors. */
#include "hostile_server.h"

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"

/* The error of argyle_user_get() for an answer with this status. */
static argyle_error *error_of_get(hostile_fixture *fixture, int status, const char *headers, const char *body) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, status, headers, body, strlen(body));
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), status);
  return error;
}

static argyle_error *error_of_create(hostile_fixture *fixture, int status, const char *headers) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, status, headers, "{}", 2);
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_int_equal(argyle_error_http_status(error), status);
  return error;
}

/* ---------------------------------------------------------------- Without an error */

static void accessors_accept_null(void **state) {
  (void)state;
  assert_int_equal(argyle_error_code(NULL), ARGYLE_OK);
  assert_string_equal(argyle_error_name(NULL), "ok");
  assert_string_equal(argyle_error_message(NULL), "");
  assert_int_equal(argyle_error_http_status(NULL), 0);
  assert_null(argyle_error_trace_id(NULL));
  assert_int_equal(argyle_error_is_retryable(NULL), 0);
  assert_int_equal(argyle_error_retry_after_ms(NULL), -1);
  assert_int_equal(argyle_error_attempts(NULL), 0);
  assert_int_equal(argyle_error_body_size(NULL), 0);
  assert_null(argyle_error_body(NULL));
  assert_null(argyle_error_body_text(NULL));
}

static void a_code_has_its_name_without_an_error(void **state) {
  (void)state;
  assert_string_equal(argyle_error_code_name(ARGYLE_OK), "ok");
  for (int code = ARGYLE_ERROR_ARGUMENT; code <= ARGYLE_ERROR_CANCELLED; code++) {
    assert_string_equal(argyle_error_code_name(code), name_of_code(code));
  }
  static const int unknown[] = {ARGYLE_ERROR_CANCELLED + 1, -1, 1000, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < COUNT(unknown); i++) {
    assert_string_equal(argyle_error_code_name(unknown[i]), "unknown");
  }
  assert_ptr_equal(argyle_error_code_name(ARGYLE_ERROR_HTTP), argyle_error_code_name(ARGYLE_ERROR_HTTP));
}

static void freeing_null_does_nothing(void **state) {
  (void)state;
  argyle_error_free(NULL);
}

static void an_error_without_an_answer_has_no_data_of_one(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(NULL, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_null(argyle_error_trace_id(error));
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_retry_after_ms(error), -1);
  assert_int_equal(argyle_error_attempts(error), 0);
  assert_null(argyle_error_body(error));
  assert_null(argyle_error_body_text(error));
  assert_null_refused(error, "client");
}

/* ---------------------------------------------------------------- Codes */

static void each_status_has_its_code(void **state) {
  static const struct {
    int status;
    int code;
  } cases[] = {
    {300, ARGYLE_ERROR_REDIRECT},        {301, ARGYLE_ERROR_REDIRECT},
    {302, ARGYLE_ERROR_REDIRECT},        {303, ARGYLE_ERROR_REDIRECT},
    {304, ARGYLE_ERROR_REDIRECT},        {307, ARGYLE_ERROR_REDIRECT},
    {308, ARGYLE_ERROR_REDIRECT},        {400, ARGYLE_ERROR_INVALID_REQUEST},
    {401, ARGYLE_ERROR_AUTHENTICATION},  {402, ARGYLE_ERROR_HTTP},
    {403, ARGYLE_ERROR_PERMISSION},      {404, ARGYLE_ERROR_NOT_FOUND},
    {405, ARGYLE_ERROR_HTTP},            {409, ARGYLE_ERROR_CONFLICT},
    {418, ARGYLE_ERROR_HTTP},            {422, ARGYLE_ERROR_INVALID_REQUEST},
    {429, ARGYLE_ERROR_RATE_LIMITED},    {500, ARGYLE_ERROR_SERVER},
    {501, ARGYLE_ERROR_SERVER},          {502, ARGYLE_ERROR_SERVER},
    {503, ARGYLE_ERROR_SERVER},          {599, ARGYLE_ERROR_SERVER},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = error_of_get(*state, cases[i].status, "", "");
    assert_failed(error, cases[i].code, NULL);
  }
}

static void every_function_reports_the_status(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = fixture->client;
  argyle_error *error = RUBBISH;
  json_t *metadata = json_true();
  hostile_server_answer_json(fixture->server, 403, "{\"detail\": \"no\"}");

  assert_null(argyle_user_create(client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
  assert_null(argyle_user_update(client, "u1", metadata, &error));
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
  assert_null(argyle_user_list(client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
  assert_int_equal(argyle_user_delete(client, "u1", &error), -1);
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
  assert_null(argyle_user_token_create(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PERMISSION, NULL);
}

static void the_error_pointer_is_optional_in_every_function(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = fixture->client;
  json_t *metadata = json_true();
  hostile_server_answer_json(fixture->server, 500, "");

  assert_null(argyle_user_create(client, NULL, NULL));
  assert_null(argyle_user_get(client, "u1", NULL));
  assert_null(argyle_user_update(client, "u1", metadata, NULL));
  assert_null(argyle_user_list(client, NULL, NULL));
  assert_int_equal(argyle_user_delete(client, "u1", NULL), -1);
  assert_null(argyle_user_token_create(client, "u1", NULL));
}

/* ---------------------------------------------------------------- Messages */

static void the_message_contains_the_detail_of_the_service(void **state) {
  argyle_error *error = error_of_get(*state, 404, "", "{\"detail\": \"Not found.\"}");
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, "Not found.");
}

static void the_message_names_a_field_within_a_field(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"birth_date\": {\"month\": [\"Too large.\"]}, \"x\": [\"y\"]}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "status 400: birth_date.month: Too large.");
  error = error_of_get(*state, 400, "", "{\"open_banking\": {\"end_user\": {\"zip\": [\"Wrong.\"]}}}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "status 400: open_banking.end_user.zip: Wrong.");
}

static void the_message_stays_one_line_whatever_the_service_says(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"detail\": \"one\\r\\ntwo\\u0007\\u0000three\\u007f\"}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "one");
}

static void the_message_does_not_repeat_a_secret_that_the_service_repeats(void **state) {
  /* assert_failed() checks for the secret. */
  argyle_error *error = error_of_get(*state, 400, "", "{\"detail\": \"key " KEY_SECRET " is wrong\"}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, NULL);
}

static void the_message_does_not_repeat_a_key_that_the_service_repeats(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"detail\": \"bad header Authorization: " KEY_BASIC "\"}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "bad header");
}

static void the_message_does_not_repeat_a_token_that_the_service_repeats(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"detail\": \"token eyJhbGciOiJIUzI1NiJ9.e30.sig is old\"}");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "is old");
}

static void no_header_of_the_answer_reveals_a_secret_in_the_error(void **state) {
  argyle_error *error = error_of_get(*state, 200,
    "Content-Type: text/html; a=" KEY_SECRET "; b=\"" KEY_BASIC "\"\r\nX-Trace-Id: " KEY_SECRET "\r\n", "<html>");
  assert_null(strstr(argyle_error_trace_id(error), KEY_SECRET));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "text/html");
}

static void a_trace_id_is_one_short_line(void **state) {
  char headers[5000] = "X-Trace-Id: \x1b[31m";
  memset(headers + strlen(headers), 'x', 4000);
  strcat(headers, "\r\n");
  argyle_error *error = error_of_get(*state, 500, headers, "");
  assert_null(strchr(argyle_error_trace_id(error), '\x1b'));
  assert_true(strlen(argyle_error_trace_id(error)) < 300);
  argyle_error_free(error);
}

static void a_very_long_detail_is_no_obstacle(void **state) {
  char body[200000];
  memset(body, 'x', sizeof body);
  memcpy(body, "{\"detail\": \"", 12);
  memcpy(body + sizeof body - 3, "\"}", 3);
  argyle_error *error = error_of_get(*state, 400, "", body);
  assert_string_equal(argyle_error_body_text(error), body);
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, NULL);
}

/* ---------------------------------------------------------------- Trace ids */

static void the_trace_id_is_kept(void **state) {
  argyle_error *error = error_of_get(*state, 500, "X-Trace-Id: 0994b847-cc69-4d98-bc99-c5e65e762add\r\n", "");
  assert_string_equal(argyle_error_trace_id(error), "0994b847-cc69-4d98-bc99-c5e65e762add");
  argyle_error_free(error);
}

static void header_names_are_case_insensitive(void **state) {
  argyle_error *error = error_of_get(*state, 429, "x-trace-ID: abc\r\nrETRY-after: 3\r\n", "");
  assert_string_equal(argyle_error_trace_id(error), "abc");
  assert_int_equal(argyle_error_retry_after_ms(error), 3000);
  argyle_error_free(error);
}

static void without_the_header_there_is_no_trace_id(void **state) {
  argyle_error *error = error_of_get(*state, 500, "", "");
  assert_null(argyle_error_trace_id(error));
  argyle_error_free(error);
}

static void a_trace_id_is_utf8_whatever_the_server_sends(void **state) {
  argyle_error *error = error_of_get(*state, 500, "X-Trace-Id: a\xff\xfe\r\n", "");
  const char *trace_id = argyle_error_trace_id(error);
  json_t *string = json_string(trace_id);
  assert_true(trace_id == NULL || string != NULL);
  json_decref(string);
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

/* ---------------------------------------------------------------- Retryable */

static int get_is_retryable(hostile_fixture *fixture, int status) {
  argyle_error *error = error_of_get(fixture, status, "", "{}");
  int is_retryable = argyle_error_is_retryable(error);
  argyle_error_free(error);
  return is_retryable;
}

static int create_is_retryable(hostile_fixture *fixture, int status) {
  argyle_error *error = error_of_create(fixture, status, "");
  int is_retryable = argyle_error_is_retryable(error);
  argyle_error_free(error);
  return is_retryable;
}

static void reading_is_retryable_if_it_may_succeed_later(void **state) {
  static const int statuses[] = {429, 500, 502, 503, 504};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    assert_int_equal(get_is_retryable(*state, statuses[i]), 1);
  }
}

static void reading_is_not_retryable_if_it_will_fail_again(void **state) {
  static const int statuses[] = {301, 302, 304, 400, 401, 403, 404, 418, 422};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    assert_int_equal(get_is_retryable(*state, statuses[i]), 0);
  }
}

static void creating_is_not_retryable_if_the_service_may_have_acted(void **state) {
  static const int statuses[] = {500, 502, 504};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    assert_int_equal(create_is_retryable(*state, statuses[i]), 0);
  }
}

static void creating_is_retryable_if_the_service_refused_it(void **state) {
  assert_int_equal(create_is_retryable(*state, 429), 1);
}

static void replacing_metadata_is_idempotent(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 502, "");
  assert_null(argyle_user_update(fixture->client, "u1", json_true(), &error));
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

/* ---------------------------------------------------------------- Retry-After */

static int64_t retry_after(hostile_fixture *fixture, int status, const char *header) {
  argyle_error *error = error_of_get(fixture, status, header, "");
  int64_t milliseconds = argyle_error_retry_after_ms(error);
  argyle_error_free(error);
  return milliseconds;
}

static void retry_after_is_parsed_as_seconds(void **state) {
  assert_int_equal(retry_after(*state, 429, "Retry-After: 7\r\n"), 7000);
  assert_int_equal(retry_after(*state, 429, "Retry-After: 0\r\n"), 0);
  assert_int_equal(retry_after(*state, 503, "Retry-After: 120\r\n"), 120000);
}

static void retry_after_is_parsed_as_a_date(void **state) {
  assert_true(retry_after(*state, 429, "Retry-After: Fri, 31 Dec 2099 23:59:59 GMT\r\n") > 0);
}

static void a_date_that_has_passed_means_now(void **state) {
  assert_int_equal(retry_after(*state, 429, "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\n"), 0);
}

static void without_the_header_there_is_no_retry_after(void **state) {
  assert_int_equal(retry_after(*state, 429, ""), -1);
}

static void an_invalid_retry_after_is_ignored(void **state) {
  assert_int_equal(retry_after(*state, 429, "Retry-After: soon\r\n"), -1);
  assert_int_equal(retry_after(*state, 429, "Retry-After:\r\n"), -1);
}

static void a_retry_after_out_of_range_is_never_negative(void **state) {
  assert_in_range(retry_after(*state, 429, "Retry-After: -5\r\n") + 1, 0, 1);
  assert_true(retry_after(*state, 429, "Retry-After: 9223372036854775807\r\n") >= -1);
  assert_true(retry_after(*state, 429, "Retry-After: 99999999999999999999999999\r\n") >= -1);
  assert_true(retry_after(*state, 429, "Retry-After: -99999999999999999999999999\r\n") >= -1);
}

/* ---------------------------------------------------------------- Attempts */

static void one_request_is_one_attempt(void **state) {
  argyle_error *error = error_of_get(*state, 404, "", "");
  assert_int_equal(argyle_error_attempts(error), 1);
  argyle_error_free(error);
}

/* ---------------------------------------------------------------- Bodies */

static void the_body_is_available_as_json(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"user\": [\"This field is required.\"]}");
  assert_json(argyle_error_body(error), "{\"user\": [\"This field is required.\"]}");
  argyle_error_free(error);
}

static void the_body_is_available_as_text(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"user\":  [ ] }\n");
  assert_string_equal(argyle_error_body_text(error), "{\"user\":  [ ] }\n");
  argyle_error_free(error);
}

static void the_body_is_borrowed_and_may_be_kept(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "{\"a\": 1}");
  json_t *body = argyle_error_body(error);
  assert_ptr_equal(argyle_error_body(error), body);
  json_incref(body);
  argyle_error_free(error);
  assert_json(body, "{\"a\": 1}");
  json_decref(body);
}

static void any_json_value_is_a_body(void **state) {
  argyle_error *error = error_of_get(*state, 400, "", "\"why\"");
  assert_json(argyle_error_body(error), "\"why\"");
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, NULL);
}

static void a_body_of_html_is_text_only(void **state) {
  argyle_error *error = error_of_get(*state, 502, "Content-Type: text/html\r\n", "<html>Bad gateway</html>");
  assert_null(argyle_error_body(error));
  assert_string_equal(argyle_error_body_text(error), "<html>Bad gateway</html>");
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

static void an_empty_body_is_empty_text(void **state) {
  argyle_error *error = error_of_get(*state, 503, "", "");
  assert_null(argyle_error_body(error));
  assert_string_equal(argyle_error_body_text(error), "");
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

static void a_body_with_a_nul_is_kept_whole(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 500, "", "a\0\xff" "b", 4);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_body_size(error), 4);
  assert_memory_equal(argyle_error_body_text(error), "a\0\xff" "b", 5);
  assert_null(argyle_error_body(error));
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

static void an_error_body_of_another_form_is_no_obstacle(void **state) {
  static const char *const bodies[] = {
    "null", "[]", "{}", "12", "{\"detail\": 5}", "{\"detail\": null}", "{\"user\": []}", "{\"user\": [[1]]}",
    "{\"user\": {}}", "{\"user\": {\"x\": {\"y\": []}}}",
    "{\"detail\": {\"detail\": \"deep\"}}", "\"\\ud800\"", "{\"\\u0000\": 1}", "[1e400]", "{", "\xff",
  };
  for (size_t i = 0; i < COUNT(bodies); i++) {
    argyle_error *error = error_of_get(*state, 422, "Content-Type: application/json\r\n", bodies[i]);
    assert_string_equal(argyle_error_body_text(error), bodies[i]);
    assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, NULL);
  }
}

/* ---------------------------------------------------------------- Redirects */

static void a_redirect_is_not_followed(void **state) {
  static const int statuses[] = {301, 302, 303, 307, 308};
  hostile_fixture *fixture = *state;
  hostile_server *elsewhere = hostile_server_start();
  hostile_server_answer_json(elsewhere, 200, USER);
  char location[128] = "Location: ";
  strcat(strcat(location, hostile_server_url(elsewhere)), "/v1/users/u1\r\n");

  for (size_t i = 0; i < COUNT(statuses); i++) {
    argyle_error *error = error_of_get(fixture, statuses[i], location, "");
    assert_failed(error, ARGYLE_ERROR_REDIRECT, NULL);
    error = error_of_create(fixture, statuses[i], location);
    assert_failed(error, ARGYLE_ERROR_REDIRECT, NULL);
  }
  assert_int_equal(hostile_server_connections(elsewhere), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 2 * COUNT(statuses));
  hostile_server_stop(elsewhere);
}

static void a_redirect_to_the_same_host_is_not_followed_either(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = error_of_get(fixture, 302, "Location: /v1/users/u2\r\n", "");
  assert_failed(error, ARGYLE_ERROR_REDIRECT, NULL);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(accessors_accept_null),
    cmocka_unit_test(a_code_has_its_name_without_an_error),
    cmocka_unit_test(freeing_null_does_nothing),
    cmocka_unit_test(an_error_without_an_answer_has_no_data_of_one),
    hostile_test(each_status_has_its_code),
    hostile_test(every_function_reports_the_status),
    hostile_test(the_error_pointer_is_optional_in_every_function),
    hostile_test(the_message_contains_the_detail_of_the_service),
    hostile_test(the_message_names_a_field_within_a_field),
    hostile_test(the_message_stays_one_line_whatever_the_service_says),
    hostile_test(the_message_does_not_repeat_a_secret_that_the_service_repeats),
    hostile_test(the_message_does_not_repeat_a_key_that_the_service_repeats),
    hostile_test(the_message_does_not_repeat_a_token_that_the_service_repeats),
    hostile_test(no_header_of_the_answer_reveals_a_secret_in_the_error),
    hostile_test(a_trace_id_is_one_short_line),
    hostile_test(a_very_long_detail_is_no_obstacle),
    hostile_test(the_trace_id_is_kept),
    hostile_test(header_names_are_case_insensitive),
    hostile_test(without_the_header_there_is_no_trace_id),
    hostile_test(a_trace_id_is_utf8_whatever_the_server_sends),
    hostile_test(reading_is_retryable_if_it_may_succeed_later),
    hostile_test(reading_is_not_retryable_if_it_will_fail_again),
    hostile_test(creating_is_not_retryable_if_the_service_may_have_acted),
    hostile_test(creating_is_retryable_if_the_service_refused_it),
    hostile_test(replacing_metadata_is_idempotent),
    hostile_test(retry_after_is_parsed_as_seconds),
    hostile_test(retry_after_is_parsed_as_a_date),
    hostile_test(a_date_that_has_passed_means_now),
    hostile_test(without_the_header_there_is_no_retry_after),
    hostile_test(an_invalid_retry_after_is_ignored),
    hostile_test(a_retry_after_out_of_range_is_never_negative),
    hostile_test(one_request_is_one_attempt),
    hostile_test(the_body_is_available_as_json),
    hostile_test(the_body_is_available_as_text),
    hostile_test(the_body_is_borrowed_and_may_be_kept),
    hostile_test(any_json_value_is_a_body),
    hostile_test(a_body_of_html_is_text_only),
    hostile_test(an_empty_body_is_empty_text),
    hostile_test(a_body_with_a_nul_is_kept_whole),
    hostile_test(an_error_body_of_another_form_is_no_obstacle),
    hostile_test(a_redirect_is_not_followed),
    hostile_test(a_redirect_to_the_same_host_is_not_followed_either),
  };
  return cmocka_run_group_tests_name("errors", tests, NULL, NULL);
}
