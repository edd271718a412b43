/*
 * https: a server that breaks off the handshake, says nothing more, or does not speak TLS at all. Nothing was sent
 * then, which each error says.
 */
#include "clock.h"
#include "hostile_server.h"
#include "queued.h"
#include "tls_server.h"

#include <stdio.h>

/* Much shorter than the other time-outs, and over by a clock that stands when the server has the client's hello. */
#define CONNECT_TIMEOUT_MS SHORT_LIMIT_MS
#define TIME_OUT .advance_ms = CONNECT_TIMEOUT_MS + 1

/* The first 40 bytes of a ServerHello of TLS 1.2, which is to have 122. */
static const char half_a_hello[] =
  "\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"
  "0123456789abcdef0123456789abc";
/* Fatal alerts: a protocol version that the server does not take, and an error of its own. */
static const char version_alert[] = "\x15\x03\x03\x00\x02\x02\x46";
static const char internal_alert[] = "\x15\x03\x03\x00\x02\x02\x50";

/* What a client is to make of a server. */
typedef struct {
  hostile_answer answer;
  int code;
  const char *reason; /* a part of the message; NULL: any */
  int is_retryable;
} expectation;

/* Only its certificate is used: to read all that the system trusts would take most of the time. */
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

/* All that has come is a ClientHello, and the key is in none of it. */
static void assert_only_hellos(hostile_server *server) {
  for (int i = 0; i < hostile_server_requests(server); i++) {
    const hostile_request *request = hostile_server_request(server, i);
    assert_true(request->body_length > 0);
    assert_int_equal(request->body[0], 0x16);
    assert_null(memmem(request->body, request->body_length, KEY_BASIC, strlen(KEY_BASIC)));
    assert_null(memmem(request->body, request->body_length, KEY_SECRET, strlen(KEY_SECRET)));
  }
}

/* Makes a call that creates something and one that does not, in both forms, each on a connection of its own. */
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

static void a_server_that_tells_an_error_of_its_own(void **state) {
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

/* ---------------------------------------------------------------- Time-outs */

static void a_server_that_does_not_answer_the_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.then = HOSTILE_STALL, TIME_OUT}, .code = ARGYLE_ERROR_TIMEOUT,
    .reason = "connect_timeout_ms", .is_retryable = 1});
}

static void a_server_that_stops_within_its_hello(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.bytes = half_a_hello, .length = sizeof half_a_hello - 1, .then = HOSTILE_STALL, TIME_OUT},
    .code = ARGYLE_ERROR_TIMEOUT, .reason = "connect_timeout_ms", .is_retryable = 1});
}

static void a_server_whose_hello_never_ends(void **state) {
  assert_handshake_fails(((hostile_fixture *)*state)->server, CONNECT_TIMEOUT_MS, (expectation){
    .answer = {.bytes = "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb\x03\x03", .length = 11, .then = HOSTILE_DRIP,
               TIME_OUT},
    .code = ARGYLE_ERROR_TIMEOUT, .reason = "connect_timeout_ms", .is_retryable = 1});
}

/* ---------------------------------------------------------------- Trying again */

static void a_handshake_that_was_broken_off_is_tried_again(void **state) {
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
    hostile_test(a_server_that_tells_an_error_of_its_own),
    hostile_test(a_server_that_speaks_plain_http),
    hostile_test(a_server_that_sends_rubbish),
    hostile_test(a_server_that_does_not_answer_the_hello),
    hostile_test(a_server_that_stops_within_its_hello),
    hostile_test(a_server_whose_hello_never_ends),
    hostile_test(a_handshake_that_was_broken_off_is_tried_again),
  };
  return cmocka_run_group_tests_name("handshake", tests, start_trusted, stop_trusted);
}
