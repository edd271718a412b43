/* Servers that are down, stall, lie, or send too much: always an error, never a crash, a hang or a leak. */
#include "brotli.h"
#include "clock.h"
#include "gzip.h"
#include "queue.h"
#include "user.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#define MIB (1024 * 1024)

/* Timeouts: one that expires as there is no answer, and one that never does, even on the slowest machine. */
#define SHORT_MS SHORT_LIMIT_MS
#define LONG_MS 600000

/* ---------------------------------------------------------------- Helpers */

/* Asserts that every operation fails like this with the answer, each on a new server and client. */
#define assert_fault(answer, code, fragment) assert_fault_at(answer, code, fragment, __FILE__, __LINE__)
static void assert_fault_at(hostile_answer answer, int code, const char *fragment, const char *file, int line) {
  for (int operation = 0; operation < 6; operation++) {
    hostile_server *server = hostile_server_start();
    int timeout_ms = LONG_MS;
    if (code == ARGYLE_ERROR_TIMEOUT) {
      timeout_ms = answer.advance_ms = SHORT_MS;
      stop_clock();
    }
    hostile_server_answer(server, answer);
    argyle_client *client = client_with_integer(hostile_server_url(server), "timeout_ms", timeout_ms);
    argyle_error *error = RUBBISH;
    json_t *result = NULL;
    int deleted = -1;
    switch (operation) {
    case 0:
      result = argyle_user_get(client, "u1", &error);
      break;
    case 1:
      result = argyle_user_create(client, NULL, &error);
      break;
    case 2:
      result = argyle_user_update(client, "u1", json_true(), &error);
      break;
    case 3:
      result = argyle_user_list(client, NULL, &error);
      break;
    case 4:
      result = argyle_user_token_create(client, "u1", &error);
      break;
    case 5:
      deleted = argyle_user_delete(client, "u1", &error);
      break;
    }
    _assert_true(result == NULL && deleted == -1, "the operation failed", file, line);
    assert_error_at(error, code, "127.0.0.1", file, line);
    assert_error_at(error, code, fragment, file, line);
    argyle_error_free(error);
    argyle_client_free(client);
    hostile_server_stop(server);
    clock_teardown(NULL);
  }
}

#define CLOSING(text) ((hostile_answer){.bytes = text, .then = HOSTILE_CLOSE})
#define STALLING(text) ((hostile_answer){.bytes = text, .then = HOSTILE_STALL})
#define KEEPING(text) ((hostile_answer){.bytes = text, .then = HOSTILE_KEEP})

/* The error of argyle_user_get() for this answer. */
static argyle_error *error_of_get(hostile_fixture *fixture, argyle_client *client, hostile_answer answer) {
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, answer);
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(user);
  return error;
}

/* ---------------------------------------------------------------- Down */

static void a_server_that_is_not_there(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  char url[64];
  closed_port_url(url, sizeof url);
  argyle_client *client = client_for(url);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_int_equal(argyle_error_retry_after_ms(error), -1);
  assert_null(argyle_error_body(error));
  assert_null(argyle_error_body_text(error));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  argyle_client_free(client);
}

static void a_create_that_was_not_sent_is_retryable(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  char url[64];
  closed_port_url(url, sizeof url);
  argyle_client *client = client_for(url);
  assert_null(argyle_user_create(client, NULL, &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Closing early */

static void closing_on_accept(void **state) {
  (void)state;
  assert_fault(((hostile_answer){.on_connect = true, .then = HOSTILE_CLOSE}), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_without_an_answer(void **state) {
  (void)state;
  assert_fault(CLOSING(""), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_within_the_status_line(void **state) {
  (void)state;
  assert_fault(CLOSING("HTTP/1.1 20"), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_within_the_headers(void **state) {
  (void)state;
  assert_fault(CLOSING("HTTP/1.1 200 OK\r\nContent-Ty"), ARGYLE_ERROR_CONNECTION, NULL);
  assert_fault(CLOSING("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_within_the_body(void **state) {
  (void)state;
  assert_fault(CLOSING(HEAD "Content-Length: 100\r\n\r\n" USER), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_within_a_chunk(void **state) {
  (void)state;
  assert_fault(CLOSING(HEAD "Transfer-Encoding: chunked\r\n\r\n40\r\n" USER), ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_before_the_last_chunk(void **state) {
  (void)state;
  assert_fault(CLOSING(HEAD "Transfer-Encoding: chunked\r\n\r\n1c\r\n{\"id\": \"u1\", \"token\": \"t\"}  \r\n"),
               ARGYLE_ERROR_CONNECTION, NULL);
}

static void closing_while_a_large_create_is_sent(void **state) {
  (void)state;
  /* The reset arrives while the client still sends; the process must not die of SIGPIPE. */
  hostile_server *server = hostile_server_start();
  hostile_server_answer(server, (hostile_answer){.unread = true, .then = HOSTILE_CLOSE});
  argyle_client *client = client_for(hostile_server_url(server));
  argyle_error *error = RUBBISH;
  size_t length = 8 * MIB;
  char *text = malloc(length);
  memset(text, 'x', length);
  json_t *metadata = json_stringn(text, length);
  assert_null(argyle_user_create(client, metadata, &error));
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  json_decref(metadata);
  free(text);
  argyle_client_free(client);
  hostile_server_stop(server);
}

static void an_answer_that_ends_with_its_connection_is_complete(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, CLOSING("HTTP/1.0 200 OK\r\n\r\n" USER));
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
}

/* ---------------------------------------------------------------- Stalling */

static void stalling_on_accept(void **state) {
  (void)state;
  assert_fault(((hostile_answer){.on_connect = true, .then = HOSTILE_STALL}), ARGYLE_ERROR_TIMEOUT, NULL);
}

static void stalling_without_an_answer(void **state) {
  (void)state;
  assert_fault(STALLING(""), ARGYLE_ERROR_TIMEOUT, NULL);
}

static void stalling_within_the_headers(void **state) {
  (void)state;
  assert_fault(STALLING("HTTP/1.1 200 OK\r\nContent-Ty"), ARGYLE_ERROR_TIMEOUT, NULL);
}

static void stalling_within_the_body(void **state) {
  (void)state;
  assert_fault(STALLING(HEAD "Content-Length: 100\r\n\r\n" USER), ARGYLE_ERROR_TIMEOUT, NULL);
}

static void a_dripping_body_does_not_extend_the_timeout(void **state) {
  (void)state;
  hostile_answer answer = {.bytes = HEAD "Content-Length: 1000000\r\n\r\n", .then = HOSTILE_DRIP};
  assert_fault(answer, ARGYLE_ERROR_TIMEOUT, NULL);
}

static void dripping_headers_do_not_extend_the_timeout(void **state) {
  (void)state;
  hostile_answer answer = {.bytes = "HTTP/1.1 200 OK\r\nX-Slow: ", .then = HOSTILE_DRIP};
  assert_fault(answer, ARGYLE_ERROR_TIMEOUT, NULL);
}

static void a_create_that_timed_out_is_not_retryable(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
  assert_null(argyle_user_create(client, NULL, &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
}

static void a_get_that_timed_out_is_retryable(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  argyle_error *error = error_of_get(fixture, client, STALLING(""));
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
  argyle_client_free(client);
}

static void a_late_answer_is_not_taken_for_the_next(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *overrides = json_pack("{s:i}", "timeout_ms", SHORT_MS);
  argyle_client *hasty = argyle_client_with(fixture->client, overrides, &error);
  static const char late[] = HEAD "Content-Length: 14\r\n\r\n{\"id\": \"late\"}";
  hostile_answer answer = {.bytes = late, .held = true, .advance_ms = SHORT_MS, .then = HOSTILE_KEEP};
  stop_clock();
  error = error_of_get(fixture, hasty, answer);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
  hostile_server_release(fixture->server);

  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_json(user, USER);
  assert_int_equal(hostile_server_connections(fixture->server), 2);
  json_decref(user);
  argyle_client_free(hasty);
  json_decref(overrides);
}

/* ---------------------------------------------------------------- Not HTTP */

static void garbage(void **state) {
  (void)state;
  assert_fault(CLOSING("garbage\r\n\r\n"), ARGYLE_ERROR_PROTOCOL, NULL);
}

static void another_protocol(void **state) {
  (void)state;
  hostile_answer answer = {.bytes = "SSH-2.0-OpenSSH_9.2\r\n", .on_connect = true, .then = HOSTILE_STALL};
  assert_fault(answer, ARGYLE_ERROR_PROTOCOL, NULL);
}

static void binary_garbage(void **state) {
  (void)state;
  hostile_answer answer = {.bytes = "\0\x01\xff\xfe\r\n\0\r\n\r\n", .length = 11, .then = HOSTILE_CLOSE};
  assert_fault(answer, ARGYLE_ERROR_PROTOCOL, NULL);
}

static void a_body_without_headers(void **state) {
  (void)state;
  assert_fault(CLOSING(USER), ARGYLE_ERROR_PROTOCOL, NULL);
}

static void a_status_line_without_a_status(void **state) {
  (void)state;
  assert_fault(CLOSING("HTTP/1.1 OK\r\nContent-Length: 2\r\n\r\n{}"), ARGYLE_ERROR_PROTOCOL, NULL);
}

static void a_content_length_that_is_no_number(void **state) {
  (void)state;
  assert_fault(CLOSING(HEAD "Content-Length: many\r\n\r\n"), ARGYLE_ERROR_PROTOCOL, NULL);
}

static void an_encoding_that_was_not_requested(void **state) {
  (void)state;
  assert_fault(KEEPING(HEAD "Content-Encoding: rot13\r\nContent-Length: 2\r\n\r\n{}"), ARGYLE_ERROR_PROTOCOL, NULL);
}

static void invalid_chunks(void **state) {
  (void)state;
  assert_fault(CLOSING(HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n" USER "\r\n0\r\n\r\n"),
               ARGYLE_ERROR_PROTOCOL, NULL);
}

static void invalid_gzip(void **state) {
  (void)state;
  assert_fault(KEEPING(HEAD "Content-Encoding: gzip\r\nContent-Length: 28\r\n\r\nthis is not gzip data at all!"),
               ARGYLE_ERROR_PROTOCOL, NULL);
}

/* ---------------------------------------------------------------- Not the service */

static void a_success_of_html_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  static const char html[] = "<html><body>Please log in</body></html>";
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 200, "Content-Type: text/html\r\n", html, strlen(html));
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_string_equal(argyle_error_body_text(error), html);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
}

static void a_bad_gateway_of_html_is_a_server_error(void **state) {
  hostile_fixture *fixture = *state;
  static const char html[] = "<html><h1>502</h1></html>";
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 502, "Content-Type: text/html\r\n", html, strlen(html));
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_string_equal(argyle_error_body_text(error), html);
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_string_equal(argyle_error_body_text(error), html);
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
}

static void an_empty_success_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 200, "", "", 0);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_string_equal(argyle_error_body_text(error), "");
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
  assert_null(argyle_user_create(fixture->client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
}

static void a_success_without_content_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 204, "", "", 0);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), 204);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "127.0.0.1");
}

/* ---------------------------------------------------------------- Too much */

/* Adds a 200 answer with a body of exactly `size` bytes, a user followed by spaces. */
static void answer_of_size(hostile_server *server, size_t size, const char *headers) {
  char *body = malloc(size);
  memset(body, ' ', size);
  memcpy(body, USER, strlen(USER));
  hostile_server_answer_http(server, 200, headers, body, size);
  free(body);
}

/* The same without a Content-Length: the body ends with the connection. */
static void answer_of_size_until_close(hostile_server *server, size_t size) {
  size_t head = strlen(HEAD "\r\n");
  char *bytes = malloc(head + size);
  memset(bytes, ' ', head + size);
  memcpy(bytes, HEAD "\r\n" USER, head + strlen(USER));
  hostile_server_answer(server, (hostile_answer){.bytes = bytes, .length = head + size, .then = HOSTILE_CLOSE});
  free(bytes);
}

/* The same, compressed; `size` is the decoded size. */
static void gzipped_answer_of_size(hostile_server *server, size_t size) {
  size_t length;
  char *body = gzip_with_spaces(USER, size - strlen(USER), &length);
  hostile_server_answer_http(server, 200, "Content-Encoding: gzip\r\n", body, length);
  free(body);
}

#define assert_too_large(client)                                              \
  do {                                                                        \
    argyle_error *error_ = RUBBISH;                                           \
    assert_null(argyle_user_get(client, "u1", &error_));                      \
    assert_error(error_, ARGYLE_ERROR_TOO_LARGE, "127.0.0.1");                \
    assert_failed(error_, ARGYLE_ERROR_TOO_LARGE, "max_response_bytes");      \
    assert_null(argyle_user_create(client, NULL, &error_));                   \
    assert_int_equal(argyle_error_is_retryable(error_), 0);                   \
    assert_failed(error_, ARGYLE_ERROR_TOO_LARGE, "127.0.0.1");               \
  } while (0)

static argyle_client *client_with_limit(hostile_fixture *fixture, json_int_t bytes) {
  return client_with_integer(hostile_server_url(fixture->server), "max_response_bytes", bytes);
}

static void an_answer_of_exactly_the_limit_is_read(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_limit(fixture, 1000);
  answer_of_size(fixture->server, 1000, "");
  assert_user(client, USER);
  answer_of_size_until_close(fixture->server, 1000);
  assert_user(client, USER);
  gzipped_answer_of_size(fixture->server, 1000);
  assert_user(client, USER);
  argyle_client_free(client);
}

static void an_answer_over_the_limit_is_too_large(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_limit(fixture, 1000);
  answer_of_size(fixture->server, 1001, "");
  assert_too_large(client);
  argyle_client_free(client);
}

static void an_answer_over_the_limit_without_a_length_is_too_large(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_limit(fixture, 1000);
  answer_of_size_until_close(fixture->server, 1001);
  assert_too_large(client);
  argyle_client_free(client);
}

static void the_limit_applies_to_the_decoded_size(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_limit(fixture, 1000);
  gzipped_answer_of_size(fixture->server, 1001);
  assert_too_large(client);
  argyle_client_free(client);
}

static void a_gzip_bomb_is_too_large_by_default(void **state) {
  hostile_fixture *fixture = *state;
  gzipped_answer_of_size(fixture->server, 64 * MIB);
  assert_too_large(fixture->client);
}

static int end_once_answered(void *context) {
  return hostile_server_requests(context) > 0;
}

/* Two kilobytes, read at once, that would decode to more than two gigabytes: most is never decoded. */
static void decoding_can_be_interrupted(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  size_t length;
  char *bomb = brotli_of_spaces(140, &length);
  hostile_server_answer_http(fixture->server, 200, "Content-Encoding: br\r\n", bomb, length);
  argyle_client *patient = client_with_integer(hostile_server_url(fixture->server), "max_response_bytes", 2147483647);
  argyle_client *client = argyle_client_with_interrupt(patient, end_once_answered, fixture->server, &error);
  assert_null(error);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  struct rusage usage;
  assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
  assert_true(usage.ru_maxrss < 1024 * 1024);
  argyle_client_free(client);
  argyle_client_free(patient);
  free(bomb);
}

/* How far the stopped clock advances for each read of `decoder`, as if the library decoded slowly; 0: not at all. */
static int decoding_takes_ms;
static pthread_t decoder;

/* Replaces the C library's function. */
ssize_t recv(int socket, void *bytes, size_t size, int flags) {
  ssize_t count = syscall(SYS_recvfrom, socket, bytes, size, flags, NULL, NULL);
  if (decoding_takes_ms > 0 && count > 0 && pthread_equal(pthread_self(), decoder)) {
    advance_clock(decoding_takes_ms);
  }
  return count;
}

/* Endless gzip that decodes to nothing: two empty blocks, each with its own code, repeated. */
#define EMPTY_BLOCKS                                                 \
  "\4\300\201\10\0\0\0\0 \177\353C\0\34\210\0\0\0\0\0\362\267>"
#define GZIP_BEGIN HEAD "Content-Encoding: gzip\r\n\r\n\37\213\10\0\0\0\0\0\0\3"
static const hostile_answer decoded_to_nothing = {
  .bytes = GZIP_BEGIN,
  .length = sizeof GZIP_BEGIN - 1,
  .then = HOSTILE_REPEAT,
  .repeated = EMPTY_BLOCKS,
  .repeated_length = sizeof EMPTY_BLOCKS - 1,
};

/* libcurl reads 100 times before it returns. */
#define TOLERANCE_MS (4 * 100 * decoding_takes_ms)

static void decode_slowly(hostile_fixture *fixture) {
  hostile_server_answer(fixture->server, decoded_to_nothing);
  stop_clock();
  decoder = pthread_self();
  decoding_takes_ms = 10;
}

/* Time that the library spends itself does not count as a pause of the host: each limit ends the call. */
static void an_answer_that_decodes_to_nothing_obeys_every_limit(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const limits[] = {"timeout_ms", "deadline_ms", "stall_timeout_ms"};
  hostile_server *silent = hostile_server_start();
  hostile_server_answer(silent, (hostile_answer){.then = HOSTILE_STALL});
  decode_slowly(fixture);
  for (size_t i = 0; i < COUNT(limits); i++) {
    argyle_error *error = RUBBISH;
    argyle_client *client = client_with_integer(hostile_server_url(fixture->server), limits[i], 1500);
    int64_t began = now_ms();
    assert_null(argyle_user_get(client, "u1", &error));
    assert_failed(error, ARGYLE_ERROR_TIMEOUT, limits[i]);
    assert_in_range(now_ms() - began, 1500, 1500 + TOLERANCE_MS);
    /* In a queue with a call to a silent server, once waiting and once driving. */
    argyle_client *other = client_with_integer(hostile_server_url(silent), limits[i], 1500);
    for (int drives = 0; drives < 2; drives++) {
      argyle_queue *queue = new_queue(2);
      began = now_ms();
      submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL);
      submit(queue, argyle_call_new(other, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL);
      for (int over = 0; over < 2; over++) {
        if (drives) {
          drive_until_complete(queue, 1);
        }
        argyle_call *call = wait_for_next(queue, NULL);
        assert_int_equal(argyle_error_code(argyle_call_error(call)), ARGYLE_ERROR_TIMEOUT);
        argyle_call_free(call);
      }
      assert_in_range(now_ms() - began, 1500, 1500 + TOLERANCE_MS);
      argyle_queue_free(queue);
    }
    argyle_client_free(other);
    argyle_client_free(client);
  }
  decoding_takes_ms = 0;
  hostile_server_stop(silent);
}

/* Ends the call two seconds after this is first called. */
static int end_after_two_seconds(void *context) {
  int64_t *began = context;
  if (*began == 0) {
    *began = now_ms();
  }
  return now_ms() - *began >= 2000;
}

static void an_answer_that_decodes_to_nothing_can_be_interrupted(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  decode_slowly(fixture);
  int64_t began = 0;
  argyle_client *client = argyle_client_with_interrupt(fixture->client, end_after_two_seconds, &began, &error);
  assert_null(error);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  assert_in_range(now_ms() - began, 2000, 2000 + TOLERANCE_MS);
  decoding_takes_ms = 0;
  argyle_client_free(client);
}

static void an_answer_over_16_mib_is_too_large_by_default(void **state) {
  hostile_fixture *fixture = *state;
  answer_of_size(fixture->server, 16 * MIB + 1, "");
  assert_too_large(fixture->client);
}

static void an_answer_of_16_mib_is_read_by_default(void **state) {
  hostile_fixture *fixture = *state;
  answer_of_size(fixture->server, 16 * MIB, "");
  assert_user(fixture->client, USER);
}

static void an_absurd_content_length_is_an_error(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  argyle_error *error =
    error_of_get(fixture, client, STALLING(HEAD "Content-Length: 9223372036854775807\r\n\r\n" USER));
  int code = argyle_error_code(error);
  assert_true(code == ARGYLE_ERROR_TOO_LARGE || code == ARGYLE_ERROR_TIMEOUT);
  assert_failed(error, code, "127.0.0.1");
  argyle_client_free(client);
}

static void an_error_body_that_is_too_large_is_an_error_too(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_limit(fixture, 1000);
  char body[1001];
  memset(body, 'x', sizeof body);
  hostile_server_answer_http(fixture->server, 500, "", body, sizeof body);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), 500);
  int code = argyle_error_code(error);
  assert_true(code == ARGYLE_ERROR_TOO_LARGE || code == ARGYLE_ERROR_SERVER);
  argyle_error_free(error);
  argyle_client_free(client);
}

static void an_answer_that_is_too_large_still_has_its_headers(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_limit(fixture, 1000);
  answer_of_size(fixture->server, 1001, "X-Trace-Id: trace\r\n");
  assert_null(argyle_user_get(client, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), 200);
  assert_non_null(argyle_error_trace_id(error));
  assert_string_equal(argyle_error_trace_id(error), "trace");
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, NULL);
  argyle_client_free(client);
}

/* The error of argyle_user_get() for an answer of a head and `count` lines, and nothing more. */
static argyle_error *error_of_lines(hostile_fixture *fixture, const char *head, const char *line, size_t count) {
  size_t length = strlen(head) + count * strlen(line);
  char *bytes = malloc(length + 1);
  memcpy(bytes, head, strlen(head));
  for (size_t i = 0; i < count; i++) {
    memcpy(bytes + strlen(head) + i * strlen(line), line, strlen(line));
  }
  hostile_answer answer = {.bytes = bytes, .length = length, .then = HOSTILE_STALL};
  argyle_error *error = error_of_get(fixture, fixture->client, answer);
  free(bytes);
  return error;
}

static void many_headers_are_too_large(void **state) {
  argyle_error *error = error_of_lines(*state, HEAD, "X-More: and more and more and more\r\n", 100000);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "headers");
}

static void headers_are_counted(void **state) {
  hostile_fixture *fixture = *state;
  char lines[900 * 6 + 1];
  for (size_t i = 0; i < 900; i++) {
    memcpy(lines + i * 6, "X: y\r\n", 7);
  }
  hostile_server_answer_http(fixture->server, 200, lines, USER, strlen(USER));
  assert_user(fixture->client, USER);
  argyle_error *error = error_of_lines(fixture, HEAD, "X: y\r\n", 1100);
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "exceed 1000 lines");
}

static void an_endless_header_is_too_large(void **state) {
  argyle_error *error = error_of_lines(*state, HEAD "X-More: ", "and more and more and more", 20000);
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "headers");
}

static void endless_interim_answers_are_too_large(void **state) {
  hostile_fixture *fixture = *state;
  static const char interim[] = "HTTP/1.1 102 Processing\r\n\r\n";
  char *bytes = malloc(20000 * strlen(interim) + 1), *end = bytes;
  for (int i = 0; i < 20000; i++) {
    end = stpcpy(end, interim);
  }
  argyle_error *error = error_of_get(fixture, fixture->client, CLOSING(bytes));
  /* An interim answer is not the answer. */
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "headers");
  free(bytes);
}

static void endless_trailers_are_too_large(void **state) {
  argyle_error *error = error_of_lines(*state, HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
                                       "X-More: and more and more and more\r\n", 100000);
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "headers");
}

static void a_compressed_answer_is_read(void **state) {
  hostile_fixture *fixture = *state;
  gzipped_answer_of_size(fixture->server, 100000);
  assert_user(fixture->client, USER);
}

static void compression_is_offered(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user(fixture->client, USER);
  const char *offered = hostile_request_header(hostile_server_request(fixture->server, 0), "Accept-Encoding");
  assert_non_null(offered);
  assert_non_null(strstr(offered, "gzip"));
}

/* ---------------------------------------------------------------- Odd but harmless */

static void chunks_are_read(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server,
    KEEPING(HEAD "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\n{\"id\"\r\n7\r\n: \"u1\"}\r\n0\r\nX-Trailer: 1\r\n\r\n"));
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_json(user, "{\"id\": \"u1\"}");
  json_decref(user);
}

static void interim_answers_are_skipped(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server,
    KEEPING("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX-Trace-Id: early\r\nRetry-After: 5\r\n\r\n"
            "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"));
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_http_status(error), 404);
  assert_int_equal(argyle_error_retry_after_ms(error), -1);
  assert_null(argyle_error_trace_id(error));
  assert_failed(error, ARGYLE_ERROR_NOT_FOUND, NULL);
}

static void a_client_recovers_from_every_fault(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_for(hostile_server_url(fixture->server));
  static const hostile_answer faults[] = {
    {.then = HOSTILE_CLOSE},
    {.bytes = "garbage\r\n", .then = HOSTILE_CLOSE},
    {.bytes = HEAD "Content-Length: 100\r\n\r\n{", .then = HOSTILE_CLOSE},
    {.bytes = HEAD "Content-Length: 1\r\n\r\n{", .then = HOSTILE_KEEP},
    {.bytes = HEAD "Content-Length: 99999999\r\n\r\n{", .then = HOSTILE_CLOSE},
  };
  for (size_t i = 0; i < COUNT(faults); i++) {
    argyle_error_free(error_of_get(fixture, client, faults[i]));
    hostile_server_answer_json(fixture->server, 200, USER);
    assert_user(client, USER);
    /* The next fault must meet a new connection. */
    argyle_client_free(client);
    client = client_for(hostile_server_url(fixture->server));
  }
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- No TLS */

/* The error of argyle_user_get() over https to a server with this answer. */
static argyle_error *error_over_https(hostile_answer answer, const char *option, json_int_t value) {
  hostile_server *server = hostile_server_start();
  hostile_server_answer(server, answer);
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", hostile_server_port(server));
  argyle_client *client = client_with_integer(url, option, value);
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(client, "u1", &error));
  argyle_client_free(client);
  hostile_server_stop(server);
  return error;
}

static void a_plain_text_port_is_a_tls_error(void **state) {
  (void)state;
  hostile_answer answer = {.bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .on_connect = true, .then = HOSTILE_CLOSE};
  argyle_error *error = error_over_https(answer, "timeout_ms", LONG_MS);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_failed(error, ARGYLE_ERROR_TLS, "127.0.0.1");
}

static void a_handshake_that_stalls_times_out(void **state) {
  (void)state;
  hostile_answer answer = {.on_connect = true, .then = HOSTILE_STALL};
  argyle_error *error = error_over_https(answer, "connect_timeout_ms", SHORT_MS);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "127.0.0.1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_server_that_is_not_there),
    cmocka_unit_test(a_create_that_was_not_sent_is_retryable),
    cmocka_unit_test(closing_on_accept),
    cmocka_unit_test(closing_without_an_answer),
    cmocka_unit_test(closing_within_the_status_line),
    cmocka_unit_test(closing_within_the_headers),
    cmocka_unit_test(closing_within_the_body),
    cmocka_unit_test(closing_within_a_chunk),
    cmocka_unit_test(closing_before_the_last_chunk),
    cmocka_unit_test(closing_while_a_large_create_is_sent),
    hostile_test(an_answer_that_ends_with_its_connection_is_complete),
    clock_test(stalling_on_accept),
    clock_test(stalling_without_an_answer),
    clock_test(stalling_within_the_headers),
    clock_test(stalling_within_the_body),
    clock_test(a_dripping_body_does_not_extend_the_timeout),
    clock_test(dripping_headers_do_not_extend_the_timeout),
    hostile_test(a_create_that_timed_out_is_not_retryable),
    hostile_test(a_get_that_timed_out_is_retryable),
    hostile_test(a_late_answer_is_not_taken_for_the_next),
    cmocka_unit_test(garbage),
    cmocka_unit_test(another_protocol),
    cmocka_unit_test(binary_garbage),
    cmocka_unit_test(a_body_without_headers),
    cmocka_unit_test(a_status_line_without_a_status),
    cmocka_unit_test(a_content_length_that_is_no_number),
    cmocka_unit_test(an_encoding_that_was_not_requested),
    cmocka_unit_test(invalid_chunks),
    cmocka_unit_test(invalid_gzip),
    hostile_test(a_success_of_html_cannot_be_read),
    hostile_test(a_bad_gateway_of_html_is_a_server_error),
    hostile_test(an_empty_success_cannot_be_read),
    hostile_test(a_success_without_content_cannot_be_read),
    hostile_test(an_answer_of_exactly_the_limit_is_read),
    hostile_test(an_answer_over_the_limit_is_too_large),
    hostile_test(an_answer_over_the_limit_without_a_length_is_too_large),
    hostile_test(the_limit_applies_to_the_decoded_size),
    hostile_test(a_gzip_bomb_is_too_large_by_default),
    hostile_test(decoding_can_be_interrupted),
    hostile_test(an_answer_that_decodes_to_nothing_obeys_every_limit),
    hostile_test(an_answer_that_decodes_to_nothing_can_be_interrupted),
    hostile_test(an_answer_over_16_mib_is_too_large_by_default),
    hostile_test(an_answer_of_16_mib_is_read_by_default),
    hostile_test(an_absurd_content_length_is_an_error),
    hostile_test(an_error_body_that_is_too_large_is_an_error_too),
    hostile_test(an_answer_that_is_too_large_still_has_its_headers),
    hostile_test(many_headers_are_too_large),
    hostile_test(headers_are_counted),
    hostile_test(an_endless_header_is_too_large),
    hostile_test(endless_interim_answers_are_too_large),
    hostile_test(endless_trailers_are_too_large),
    hostile_test(a_compressed_answer_is_read),
    hostile_test(compression_is_offered),
    hostile_test(chunks_are_read),
    hostile_test(interim_answers_are_skipped),
    hostile_test(a_client_recovers_from_every_fault),
    cmocka_unit_test(a_plain_text_port_is_a_tls_error),
    cmocka_unit_test(a_handshake_that_stalls_times_out),
  };
  return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
