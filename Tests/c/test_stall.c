/* stall_timeout_ms: the longest time in which no byte of an attempt comes or goes. */
#include "hostile_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define STALL_MS 300
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
#define BODY "{\"id\": \"u1\"}"

/* Of time-outs that are not to be the one that ends the call. */
#define LONG_MS 60000

static argyle_client *stalling_client(const hostile_fixture *fixture, int timeout_ms) {
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "timeout_ms", json_integer(timeout_ms));
  json_object_set_new(options, "stall_timeout_ms", json_integer(STALL_MS));
  return client_with_options(options);
}

static void answer(const hostile_fixture *fixture, const char *bytes, hostile_then then) {
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = bytes, .then = then});
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Asserts that a call ends for the stall, not before its time and long before the other limits. */
static void assert_stalls(argyle_client *client) {
  argyle_error *error = RUBBISH;
  double start = seconds();
  assert_null(argyle_user_get(client, "u1", &error));
  double passed = seconds() - start;
  assert_true(passed >= STALL_MS / 1000.0);
  assert_true(passed < LONG_MS / 2000.0);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "no byte came or went within stall_timeout_ms (300)");
}

static void test_no_answer(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, NULL, HOSTILE_STALL);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  assert_stalls(client);
  argyle_client_free(client);
}

static void test_within_headers(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, "HTTP/1.1 200 OK\r\nContent-Type: app", HOSTILE_STALL);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  assert_stalls(client);
  argyle_client_free(client);
}

static void test_within_body(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, HEAD "{\"id\"", HOSTILE_STALL);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  assert_stalls(client);
  argyle_client_free(client);
}

/* A request that is repeated has the whole time again. */
static void test_each_attempt(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, NULL, HOSTILE_STALL);
  answer(fixture, HEAD BODY, HOSTILE_KEEP);
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "stall_timeout_ms", json_integer(STALL_MS));
  json_object_set_new(options, "max_retries", json_integer(1));
  argyle_client *client = client_with_options(options);
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u1");
  json_decref(user);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_client_free(client);
}

/* A creation may have been carried out by a server that went silent: it is not repeated. */
static void test_creation(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, NULL, HOSTILE_STALL);
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "stall_timeout_ms", json_integer(STALL_MS));
  json_object_set_new(options, "max_retries", json_integer(2));
  argyle_client *client = client_with_options(options);
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_create(client, NULL, &error));
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "stall_timeout_ms");
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
}

/* What comes a byte at a time does not stall, however long it takes. */
static void test_slow_answer(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, HEAD, HOSTILE_DRIP);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  double start = seconds();
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  /* The bytes that drip are no JSON, but all twelve of them came. */
  assert_null(user);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "not JSON");
  assert_true(seconds() - start < LONG_MS / 2000.0);
  argyle_client_free(client);
}

/* An answer that never ends is for timeout_ms to end. */
static void test_endless_answer(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", HOSTILE_DRIP);
  argyle_client *client = stalling_client(fixture, 3 * STALL_MS);
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "timeout_ms (900)");
  argyle_client_free(client);
}

/* A server that takes what a client sends slowly, and after a while not at all. */
typedef struct {
  int listener;
  int port;
  pthread_t thread;
} slow_reader;

#define READING_MS (4 * STALL_MS)

static void *read_slowly(void *context) {
  slow_reader *reader = context;
  int connection = accept(reader->listener, NULL, NULL);
  if (connection < 0) {
    return NULL;
  }
  static char buffer[65536];
  struct timespec pause = {0, 10 * 1000000};
  double end = seconds() + READING_MS / 1000.0;
  while (seconds() < end && recv(connection, buffer, sizeof(buffer), 0) > 0) {
    nanosleep(&pause, NULL);
  }
  /* The listener is shut down at the end of the test. */
  accept(reader->listener, NULL, NULL);
  close(connection);
  return NULL;
}

static void slow_reader_start(slow_reader *reader) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int room = 65536;
  reader->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(reader->listener >= 0);
  /* So that what is on its way is little. */
  assert_int_equal(setsockopt(reader->listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)), 0);
  assert_int_equal(bind(reader->listener, (struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(listen(reader->listener, 4), 0);
  assert_int_equal(getsockname(reader->listener, (struct sockaddr *)&address, &size), 0);
  reader->port = ntohs(address.sin_port);
  assert_int_equal(pthread_create(&reader->thread, NULL, read_slowly, reader), 0);
}

static void slow_reader_stop(slow_reader *reader) {
  shutdown(reader->listener, SHUT_RDWR);
  pthread_join(reader->thread, NULL);
  close(reader->listener);
}

/* What is sent counts as much as what is received. */
static void test_slow_request(void **state) {
  (void)state;
  slow_reader reader;
  slow_reader_start(&reader);
  char url[64];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d", reader.port);
  argyle_client *client = client_with_integer(url, "stall_timeout_ms", STALL_MS);
  /* More than is read in the time, and than fits in what the system holds on its way. */
  size_t size = 15 * 1024 * 1024;
  char *text = malloc(size + 1);
  assert_non_null(text);
  memset(text, 'x', size);
  text[size] = '\0';
  json_t *metadata = json_pack("{s:s}", "text", text);
  free(text);
  double start = seconds();
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_create(client, metadata, &error));
  double passed = seconds() - start;
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "stall_timeout_ms");
  assert_true(passed > 2 * STALL_MS / 1000.0);
  json_decref(metadata);
  argyle_client_free(client);
  slow_reader_stop(&reader);
}

/* The time in which nobody drives a queue is no stall. */
static void test_queue_that_was_away(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, NULL, HOSTILE_STALL);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  argyle_error *error = RUBBISH;
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  assert_non_null(queue);
  /* A creation is not made again, as another call would be once for the host's absence. */
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, &error);
  assert_non_null(call);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
  assert_int_equal(argyle_queue_wait(queue, STALL_MS / 3, &error), 0);
  struct timespec pause = {1, 600 * 1000000};
  nanosleep(&pause, NULL);
  double start = seconds();
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_true(seconds() - start >= STALL_MS / 2000.0);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
  assert_error(argyle_call_error(call), ARGYLE_ERROR_TIMEOUT, "stall_timeout_ms");
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void test_option(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  json_int_t wrong[] = {0, -1, 2147483648};
  for (size_t i = 0; i < COUNT(wrong); i++) {
    json_t *options = options_for("http://127.0.0.1:1");
    json_object_set_new(options, "stall_timeout_ms", json_integer(wrong[i]));
    assert_null(argyle_client_new(options, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "stall_timeout_ms must be between 1 and 2147483647");
    json_decref(options);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      hostile_test(test_no_answer),         hostile_test(test_within_headers),
      hostile_test(test_within_body),       hostile_test(test_each_attempt),
      hostile_test(test_creation),          hostile_test(test_slow_answer),
      hostile_test(test_endless_answer),    cmocka_unit_test(test_slow_request),
      hostile_test(test_queue_that_was_away), cmocka_unit_test(test_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
