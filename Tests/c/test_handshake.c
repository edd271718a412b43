/*
 * https: a server that breaks off or stalls the handshake, or does not speak TLS at all. Each error says that the
 * request was not sent.
 */
#include "clock.h"
#include "hostile_server.h"
#include "queued.h"
#include "tls_server.h"

#include <stdio.h>

/* Much shorter than the other timeouts; the stopped clock exceeds it once the server has the client's hello. */
#define CONNECT_TIMEOUT_MS SHORT_LIMIT_MS
#define EXPIRES .advance_ms = CONNECT_TIMEOUT_MS + 1

/* The first 40 bytes of a TLS 1.2 ServerHello that announces 122. */
static const char half_a_hello[] =
  "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
  "0123456789abcdef0123456789abc";
/* Fatal alerts: unsupported protocol version, and internal error. */
static const char version_alert[] = "\x15\x03\x03\x00\x02\x02\x46";
static const char internal_alert[] = "\x15\x03\x03\x00\x02\x02\x50";

/* A server's answer and the expected error. */
typedef struct {
  hostile_answer answer;
  int code;
  const char *reason; /* part of the message; NULL: any */
  int is_retryable;
} expectation;

/* Only its certificate is used: loading the system's authorities would take most of the time. */
static tls_server *trusted;

static int start_trusted(void **state) {
  (void)state;
  trusted = tls_server_start("IP:127.0.0.1");
  return 0;
}

static int stop_trusted(void **state) {
  (void)state;
  return tls_server_stop(trusted) == 0 ? 0 : -1;
}

static argyle_client *https_client(const hostile_server *server, int timeout_ms) {
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", hostile_server_port(server));
  json_t *options = options_for(url);
  json_object_set_new(options, "connect_timeout_ms", json_integer(timeout_ms));
  json_object_set_new(options, "ca_file", json_string(trusted->certificate));
  return client_with_options(options);
}

static void assert_as_expected(const argyle_error *error, const expectation *expectation) {
  assert_error(error, expectation->code, "127.0.0.1");
  assert_error(error, expectation->code, expectation->reason);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_int_equal(argyle_error_is_retryable(error), expectation->is_retryable);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
}

/* Asserts that the server received only ClientHellos, without the key. */
static void assert_only_hellos(hostile_server *server) {
  for (int i = 0; i < hostile_server_requests(server); i++) {
    const hostile_request *request = hostile_server_request(server, i);
    assert_true(request->body_length > 0);
    assert_int_equal(request->body[0], 0x16);
    assert_null(memmem(request->body, request->body_length, KEY_BASIC, strlen(KEY_BASIC)));
    assert_null(memmem(request->body, request->body_length, KEY_SECRET, strlen(KEY_SECRET)));
  }
}

/* Makes a call that creates something and one that does not, in both forms, each on its own connection. */
static void assert_handshake_fails(hostile_server *server, int timeout_ms, expectation expectation) {
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_client *client = https_client(server, timeout_ms);
  expectation.answer.any_bytes = true;
  hostile_server_answer(server, expectation.answer);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_as_expected(error, &expectation);
  argyle_error_free(error);
  error = RUBBISH;
  assert_null(argyle_user_create(client, NULL, &error));
  assert_as_expected(error, &expectation);
  argyle_error_free(error);
  argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_CREATE, NULL);
  assert_as_expected(argyle_call_error(call), &expectation);
  argyle_call_free(call);
  argyle_client_free(client);
  hostile_server_wait_for_closed(server, 3);
  assert_int_equal(hostile_server_connections(server), 3);
  assert_int_equal(hostile_server_requests(server), 3);
  assert_only_hellos(server);
}

#define LONG_MS 600000

static void a_server_that_closes_after_the_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.then = HOSTILE_CLOSE}, .code = ARGYLE_ERROR_CONNECTION,
    .reason = "lost in the TLS handshake", .is_retryable = 1});
}

static void a_server_that_resets_after_the_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.then = HOSTILE_RESET}, .code = ARGYLE_ERROR_CONNECTION,
    .reason = "lost in the TLS handshake", .is_retryable = 1});
}

static void a_server_that_closes_within_its_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = half_a_hello, .length = sizeof half_a_hello - 1, .then = HOSTILE_CLOSE},
    .code = ARGYLE_ERROR_CONNECTION, .reason = "lost in the TLS handshake", .is_retryable = 1});
}

static void a_server_that_resets_within_its_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = half_a_hello, .length = sizeof half_a_hello - 1, .then = HOSTILE_RESET},
    .code = ARGYLE_ERROR_CONNECTION, .reason = "lost in the TLS handshake", .is_retryable = 1});
}

static void a_server_that_refuses_the_version(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = version_alert, .length = sizeof version_alert - 1, .then = HOSTILE_CLOSE},
    .code = ARGYLE_ERROR_TLS, .reason = "protocol version"});
}

static void a_server_that_reports_an_internal_error(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = internal_alert, .length = sizeof internal_alert - 1, .then = HOSTILE_CLOSE},
    .code = ARGYLE_ERROR_TLS, .reason = "internal error"});
}

static void a_server_that_speaks_plain_http(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", .then = HOSTILE_CLOSE},
    .code = ARGYLE_ERROR_TLS, .reason = "wrong version number"});
}

static void a_server_that_sends_rubbish(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, LONG_MS, (expectation){
    .answer = {.bytes = "\x16\x03\x03\x00\x04rubbish", .length = 12, .then = HOSTILE_CLOSE},
    .code = ARGYLE_ERROR_TLS});
}

/* ---------------------------------------------------------------- Timeouts */

static void a_server_that_does_not_answer_the_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.then = HOSTILE_STALL, EXPIRES}, .code = ARGYLE_ERROR_TIMEOUT,
    .reason = "connect_timeout_ms", .is_retryable = 1});
}

static void a_server_that_stops_within_its_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.bytes = half_a_hello, .length = sizeof half_a_hello - 1, .then = HOSTILE_STALL, EXPIRES},
    .code = ARGYLE_ERROR_TIMEOUT, .reason = "connect_timeout_ms", .is_retryable = 1});
}

static void a_server_whose_hello_never_ends(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.bytes = "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03", .length = 11, .then = HOSTILE_DRIP,
               EXPIRES},
    .code = ARGYLE_ERROR_TIMEOUT, .reason = "connect_timeout_ms", .is_retryable = 1});
}

/* ---------------------------------------------------------------- Retries */

static void a_broken_handshake_is_retried(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_client *once = without_waits(https_client(fixture->server, LONG_MS));
  json_t *overrides = json_pack("{s:i}", "max_retries", 1);
  argyle_client *client = argyle_client_with(once, overrides, &error);
  hostile_server_answer(fixture->server, (hostile_answer){.any_bytes = true, .then = HOSTILE_CLOSE});
  assert_null(argyle_user_create(client, NULL, &error));
  assert_int_equal(argyle_error_attempts(error), 2);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, NULL);
  argyle_client_free(client);
  argyle_client_free(once);
  json_decref(overrides);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_server_that_closes_after_the_hello),
    hostile_test(a_server_that_resets_after_the_hello),
    hostile_test(a_server_that_closes_within_its_hello),
    hostile_test(a_server_that_resets_within_its_hello),
    hostile_test(a_server_that_refuses_the_version),
    hostile_test(a_server_that_reports_an_internal_error),
    hostile_test(a_server_that_speaks_plain_http),
    hostile_test(a_server_that_sends_rubbish),
    hostile_test(a_server_that_does_not_answer_the_hello),
    hostile_test(a_server_that_stops_within_its_hello),
    hostile_test(a_server_whose_hello_never_ends),
    hostile_test(a_broken_handshake_is_retried),
  };
  return cmocka_run_group_tests_name("handshake", tests, start_trusted, stop_trusted);
}
