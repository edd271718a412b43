/* stall_timeout_ms: the longest time during which no byte of an attempt is sent or received. */
#include "clock.h"
#include "hostile_server.h"
#include "queue.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define STALL_MS 300
#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n"
#define BODY "{\"id\": \"u1\"}"

/* For timeouts that must not end the call. */
#define LONG_MS 600000

static argyle_client *stalling_client(const hostile_fixture *fixture, int timeout_ms) {
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "timeout_ms", json_integer(timeout_ms));
  json_object_set_new(options, "stall_timeout_ms", json_integer(STALL_MS));
  return client_with_options(options);
}

static void answer(const hostile_fixture *fixture, const char *bytes, hostile_then then) {
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = bytes, .then = then});
}

/* Asserts that a call ends because of the stall, and not too early. */
static void assert_stalls(argyle_client *client) {
  argyle_error *error = RUBBISH;
  int64_t start = now_ms();
  assert_null(argyle_user_get(client, "u1", &error));
  assert_true(now_ms() - start >= STALL_MS);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "no byte sent or received within stall_timeout_ms (300)");
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

/* Each attempt has the full timeout. */
static void test_each_attempt(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_LIMIT_MS});
  answer(fixture, HEAD BODY, HOSTILE_KEEP);
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "stall_timeout_ms", json_integer(SHORT_LIMIT_MS));
  json_object_set_new(options, "max_retries", json_integer(1));
  argyle_client *client = without_waits(client_with_options(options));
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u1");
  json_decref(user);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_client_free(client);
}

/* A silent server may have acted on a create, so it is not retried. */
static void test_create(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_LIMIT_MS});
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "stall_timeout_ms", json_integer(SHORT_LIMIT_MS));
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

/* ---------------------------------------------------------------- A server on the test's own thread */

/*
 * A call in a queue, and the server's end of its connection. They take turns, and the clock is advanced when both have
 * nothing more to do.
 */
typedef struct {
  argyle_queue *queue;
  argyle_call *call;
  int connection;
} conversation;

/* Accepts the connection of a call whose request is not read yet. */
static conversation begin(int timeout_ms, const json_t *metadata) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  assert_true(listener >= 0);
  /* A small buffer, so that little is in flight. */
  assert_int_equal(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &(int){65536}, sizeof(int)), 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(listen(listener, 4), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
  char url[64];
  snprintf(url, sizeof(url), "http://127.0.0.1:%d", ntohs(address.sin_port));
  json_t *options = options_for(url);
  json_object_set_new(options, "timeout_ms", json_integer(timeout_ms));
  json_object_set_new(options, "stall_timeout_ms", json_integer(STALL_MS));
  argyle_client *client = client_with_options(options);

  stop_clock();
  argyle_error *error = RUBBISH;
  conversation begun = {.queue = new_queue(1)};
  int operation = metadata != NULL ? ARGYLE_OPERATION_USER_CREATE : ARGYLE_OPERATION_USER_GET;
  begun.call = argyle_call_new(client, operation, metadata != NULL ? NULL : "u1", metadata, &error);
  assert_null(error);
  submit(begun.queue, begun.call, NULL);
  while ((begun.connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) < 0) {
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(drive(begun.queue), 0);
  }
  close(listener);
  argyle_client_free(client);
  return begun;
}

static void end(conversation *conversation) {
  close(conversation->connection);
  argyle_call_free(conversation->call);
  argyle_queue_free(conversation->queue);
}

/* Reads at least `size` bytes on the server's side, while the client sends them. */
static void read_some(conversation *conversation, size_t size) {
  static char buffer[65536];
  for (size_t total = 0; total < size;) {
    assert_int_equal(drive(conversation->queue), 0);
    ssize_t count = recv(conversation->connection, buffer, sizeof(buffer), 0);
    if (count > 0) {
      total += (size_t)count;
    } else {
      assert_int_equal(errno, EAGAIN);
    }
  }
}

/* Sends on the server's side, and lets the client read it. */
static void send_bytes(conversation *conversation, const char *bytes) {
  int unacknowledged;
  assert_int_equal(send(conversation->connection, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
  while (ioctl(conversation->connection, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0) {
    poll(NULL, 0, 1);
  }
  drive(conversation->queue);
}

/* Advances the clock while driving the queue; returns true once the call has completed. */
static bool pass(argyle_queue *queue, int milliseconds) {
  for (int passed = 0; passed < milliseconds; passed += 10) {
    advance_clock(10);
    if (drive(queue) > 0) return true;
  }
  return false;
}

/* An answer that arrives a byte at a time does not stall, however long it takes. */
static void test_slow_answer(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  conversation conversation = begin(LONG_MS, NULL);
  read_some(&conversation, 1);
  send_bytes(&conversation, HEAD);
  for (const char *at = BODY; *at != '\0'; at++) {
    assert_false(pass(conversation.queue, STALL_MS - 10));
    send_bytes(&conversation, (char[]){*at, '\0'});
  }
  assert_ptr_equal(next_call(conversation.queue, NULL), conversation.call);
  json_t *user = argyle_call_json(conversation.call, &error);
  assert_null(error);
  assert_json(user, BODY);
  json_decref(user);
  end(&conversation);
}

/* An endless answer is ended by timeout_ms. */
static void test_endless_answer(void **state) {
  (void)state;
  conversation conversation = begin(3 * STALL_MS, NULL);
  read_some(&conversation, 1);
  send_bytes(&conversation, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
  for (int i = 0; i < 4; i++) {
    assert_false(pass(conversation.queue, 200));
    send_bytes(&conversation, "x");
  }
  assert_true(pass(conversation.queue, 100));
  assert_ptr_equal(next_call(conversation.queue, NULL), conversation.call);
  assert_error(argyle_call_error(conversation.call), ARGYLE_ERROR_TIMEOUT, "no response within timeout_ms (900)");
  end(&conversation);
}

/* Sent bytes count as much as received ones. */
static void test_slow_request(void **state) {
  (void)state;
  /* More than is read below and than fits in the system's buffers. */
  size_t size = 15 * 1024 * 1024;
  char *text = malloc(size + 1);
  assert_non_null(text);
  memset(text, 'x', size);
  text[size] = '\0';
  json_t *metadata = json_pack("{s:s}", "text", text);
  free(text);
  conversation conversation = begin(LONG_MS, metadata);
  json_decref(metadata);
  for (int i = 0; i < 5; i++) {
    /* Enough for the system to let the client send more. */
    read_some(&conversation, size / 9);
    assert_false(pass(conversation.queue, STALL_MS - 50));
  }
  assert_true(pass(conversation.queue, 2 * STALL_MS));
  assert_ptr_equal(next_call(conversation.queue, NULL), conversation.call);
  const argyle_error *error = argyle_call_error(conversation.call);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_error(error, ARGYLE_ERROR_TIMEOUT, "stall_timeout_ms");
  end(&conversation);
}

/* Time during which the queue is not driven is no stall. */
static void test_neglected_queue(void **state) {
  hostile_fixture *fixture = *state;
  answer(fixture, NULL, HOSTILE_STALL);
  argyle_client *client = stalling_client(fixture, LONG_MS);
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_queue *queue = new_queue(1);
  /* A create, because other calls are retried once after a pause of the host. */
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, &error);
  assert_non_null(call);
  submit(queue, call, NULL);
  drive_until_requested(queue, fixture->server, 1);
  assert_false(pass(queue, STALL_MS / 3));
  advance_clock(1600);
  assert_int_equal(drive(queue), 0);
  assert_false(pass(queue, STALL_MS / 2));
  assert_true(pass(queue, STALL_MS));
  assert_ptr_equal(next_call(queue, NULL), call);
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
    char message[96];
    snprintf(message, sizeof message, "stall_timeout_ms must be between 1 and 2147483647, got %lld",
             (long long)wrong[i]);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, message);
    json_decref(options);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      hostile_test(test_no_answer),         hostile_test(test_within_headers),
      hostile_test(test_within_body),       hostile_test(test_each_attempt),
      hostile_test(test_create),          clock_test(test_slow_answer),
      clock_test(test_endless_answer),      clock_test(test_slow_request),
      hostile_test(test_neglected_queue), cmocka_unit_test(test_option),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
