/*
 * Unsolicited bytes on a reused connection never become the answer to another call.
 *
 * Every answer has a number. A stray one has none, and another user's id.
 */
#include "cursor.h"
#include "hostile_server.h"
#include "queue.h"
#include "tls_server.h"

#include <poll.h>
#include <stdio.h>

/* The claims {"user_id":"u1"} and {"user_id":"u2"}. */
#define TOKEN_OF_U1 "e30.eyJ1c2VyX2lkIjoidTEifQ.c2ln"
#define TOKEN_OF_U2 "e30.eyJ1c2VyX2lkIjoidTIifQ.c2ln"

#define STRAY_BODY "{\"id\": \"u2\", \"token\": \"t\", \"access\": \"" TOKEN_OF_U2 "\", \"results\": [{\"id\": \"u2\"}]}"
#define STRAY_ANSWER "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 98\r\n\r\n" STRAY_BODY
#define IDLE_TIMEOUT "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

#define OPERATIONS 6

/* Only its certificate is used. */
static tls_server *identity;

static int start_identity(void **state) {
  (void)state;
  identity = tls_server_start("IP:127.0.0.1");
  return 0;
}

static int stop_identity(void **state) {
  (void)state;
  return tls_server_stop(identity) == 0 ? 0 : -1;
}

/* ---------------------------------------------------------------- Fixture */

typedef struct {
  hostile_server *server;
  argyle_client *client;
  int answers; /* added to the server */
} fixture;

static int setup(void **state, hostile_server *server) {
  fixture *fixture = calloc(1, sizeof *fixture);
  fixture->server = server;
  json_t *options = options_for(hostile_server_url(server));
  json_object_set_new(options, "ca_file", json_string(identity->certificate));
  fixture->client = client_with_options(options);
  *state = fixture;
  return 0;
}

static int setup_in_clear(void **state) {
  return setup(state, hostile_server_start());
}

static int setup_over_tls(void **state) {
  return setup(state, hostile_server_start_tls(identity));
}

static int teardown(void **state) {
  fixture *fixture = *state;
  argyle_client_free(fixture->client);
  hostile_server_stop(fixture->server);
  free(fixture);
  return 0;
}

/* Adds an answer that is a success for every operation, followed by stray bytes; NULL: none. */
static void answer(fixture *fixture, const char *stray, hostile_answer rest) {
  char body[256], bytes[512];
  snprintf(body, sizeof body, "{\"id\": \"U1\", \"token\": \"t\", \"access\": \"%s\", \"results\": [{\"id\": \"u1\"}], "
           "\"number\": %d}", TOKEN_OF_U1, fixture->answers);
  snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
  rest.bytes = bytes;
  rest.stray = stray;
  hostile_server_answer(fixture->server, rest);
  fixture->answers++;
}

static argyle_call *new_call(argyle_client *client, int operation) {
  argyle_error *error = RUBBISH;
  bool has_id = operation != ARGYLE_OPERATION_USER_CREATE && operation != ARGYLE_OPERATION_USER_LIST;
  json_t *metadata = operation == ARGYLE_OPERATION_USER_UPDATE ? json_true() : NULL;
  argyle_call *call = argyle_call_new(client, operation, has_id ? "u1" : NULL, metadata, &error);
  assert_null(error);
  return call;
}

static void show(const argyle_error *error) {
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
}

/* Asserts that the call received the answer with this number at its first attempt. */
static void assert_answered(argyle_call *call, int number) {
  show(argyle_call_error(call));
  assert_null(argyle_call_error(call));
  json_error_t reason;
  json_t *body = json_loads(argyle_call_body_text(call), 0, &reason);
  json_t *received = json_object_get(body, "number");
  assert_non_null(received);
  assert_int_equal(json_integer_value(received), number);
  assert_int_equal(argyle_call_attempts(call), 1);
  json_decref(body);
}

static void run(fixture *fixture, int operation, int number) {
  argyle_error *error = RUBBISH;
  argyle_call *call = new_call(fixture->client, operation);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_answered(call, number);
  argyle_call_free(call);
}

/* ---------------------------------------------------------------- Strays before a request */

static void assert_stray_is_ignored(void **state, hostile_answer rest, const char *stray) {
  fixture *fixture = *state;
  for (int operation = 1; operation <= OPERATIONS; operation++) {
    answer(fixture, stray, rest);
    run(fixture, operation, fixture->answers - 1);
    hostile_server_wait_for_strays(fixture->server, operation);
  }
  answer(fixture, NULL, (hostile_answer){0});
  for (int operation = 1; operation <= OPERATIONS; operation++) {
    run(fixture, operation, fixture->answers - 1);
  }
  /* A connection with stray bytes is closed, and the last one is reused. */
  assert_int_equal(hostile_server_connections(fixture->server), OPERATIONS + 1);
  assert_int_equal(hostile_server_requests(fixture->server), 2 * OPERATIONS);
}

static void an_immediate_stray_answer_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){0}, STRAY_ANSWER);
}

static void a_later_stray_answer_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){.stray_delay_ms = 5}, STRAY_ANSWER);
}

static void a_much_later_stray_answer_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){.stray_delay_ms = 50}, STRAY_ANSWER);
}

static void an_idle_timeout_of_the_server_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){.stray_delay_ms = 5, .then = HOSTILE_CLOSE}, IDLE_TIMEOUT);
}

static void half_a_stray_answer_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){.stray_delay_ms = 5}, "HTTP/1.1 200 OK\r\n");
}

static void one_stray_byte_is_ignored(void **state) {
  assert_stray_is_ignored(state, (hostile_answer){.stray_delay_ms = 5}, "\n");
}

/* In one piece with the answer; with TLS in one record, of which libcurl reads only what it needs. */
static void a_stray_answer_in_one_piece_with_another_is_ignored(void **state) {
  fixture *fixture = *state;
  char bytes[40000], padding[30000];
  memset(padding, ' ', sizeof padding - 1);
  padding[sizeof padding - 1] = '\0';
  for (int operation = 1; operation <= OPERATIONS; operation++) {
    /* The second size is so large that its body is read separately. */
    for (int size = 0; size < 2; size++) {
      char body[256];
      snprintf(body, sizeof body, "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": [], \"number\": %d}",
               fixture->answers);
      const char *more = size == 0 ? "" : padding;
      int length = snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s" STRAY_ANSWER,
                            strlen(body) + strlen(more), body, more);
      hostile_server_answer(fixture->server, (hostile_answer){.bytes = bytes, .length = (size_t)length});
      fixture->answers++;
      run(fixture, operation, fixture->answers - 1);
    }
  }
}

static void a_queue_ignores_strays(void **state) {
  fixture *fixture = *state;
  argyle_queue *queue = new_queue(1);
  for (int operation = 1; operation <= OPERATIONS; operation++) {
    answer(fixture, STRAY_ANSWER, (hostile_answer){.stray_delay_ms = 5});
    submit(queue, new_call(fixture->client, operation), NULL);
    argyle_call *call = wait_for_next(queue, NULL);
    assert_answered(call, operation - 1);
    argyle_call_free(call);
    hostile_server_wait_for_strays(fixture->server, operation);
  }
  assert_int_equal(hostile_server_connections(fixture->server), OPERATIONS);
  argyle_queue_free(queue);
}

static void a_cursor_ignores_strays(void **state) {
  fixture *fixture = *state;
  for (int round = 0; round < 3; round++) {
    answer(fixture, STRAY_ANSWER, (hostile_answer){.stray_delay_ms = 5});
    argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
    assert_next(cursor, "u1");
    assert_end(cursor);
    argyle_user_cursor_free(cursor);
    hostile_server_wait_for_strays(fixture->server, round + 1);
  }
  assert_int_equal(hostile_server_connections(fixture->server), 3);
}

/* All idle connections of a queue have stray bytes, and a create uses none of them. */
static void many_spoiled_connections_cost_no_attempt(void **state) {
  enum { COUNT_OF_CALLS = 50 };
  fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_queue *queue = new_queue(COUNT_OF_CALLS);
  for (int i = 0; i < COUNT_OF_CALLS; i++) {
    /* Held until all are in flight. */
    answer(fixture, STRAY_ANSWER, (hostile_answer){.held = true});
    submit(queue, new_call(fixture->client, ARGYLE_OPERATION_USER_GET), NULL);
  }
  drive_until_requested(queue, fixture->server, COUNT_OF_CALLS);
  for (int i = 0; i < COUNT_OF_CALLS; i++) {
    hostile_server_release(fixture->server);
  }
  for (int i = 0; i < COUNT_OF_CALLS; i++) {
    argyle_call *call = wait_for_next(queue, NULL);
    assert_null(argyle_call_error(call));
    argyle_call_free(call);
  }
  hostile_server_wait_for_strays(fixture->server, COUNT_OF_CALLS);
  int connections = hostile_server_connections(fixture->server);
  answer(fixture, NULL, (hostile_answer){0});
  for (int i = 0; i < 2; i++) {
    submit(queue, new_call(fixture->client, ARGYLE_OPERATION_USER_CREATE), NULL);
    argyle_call *call = wait_for_next(queue, NULL);
    assert_answered(call, COUNT_OF_CALLS);
    argyle_call_free(call);
  }
  assert_int_equal(hostile_server_connections(fixture->server), connections + 1);
  assert_int_equal(hostile_server_requests(fixture->server), COUNT_OF_CALLS + 2);
  argyle_queue_free(queue);
  argyle_error_free(error == RUBBISH ? NULL : error);
}

/* ---------------------------------------------------------------- Strays after a request */

/* Bytes that arrive after the check for strays differ from an answer only in the user id. */
static void no_user_is_returned_for_another(void **state) {
  static const int operations[] = {
    ARGYLE_OPERATION_USER_GET, ARGYLE_OPERATION_USER_UPDATE, ARGYLE_OPERATION_USER_TOKEN_CREATE};
  static const int delays[] = {0, 5, 50};
  fixture *fixture = *state;
  for (int i = 0; i < 45; i++) {
    argyle_error *error = RUBBISH;
    answer(fixture, STRAY_ANSWER, (hostile_answer){.stray_delay_ms = delays[i % COUNT(delays)]});
    argyle_call *call = new_call(fixture->client, operations[i / COUNT(delays) % COUNT(operations)]);
    argyle_call_run(call, NULL);
    json_t *document = argyle_call_json(call, &error);
    if (document != NULL) {
      assert_string_equal(string_at(document, "id"), "U1");
    } else {
      assert_error(error, ARGYLE_ERROR_PROTOCOL, "another user's");
      argyle_error_free(error);
    }
    json_decref(document);
    argyle_call_free(call);
  }
}

/* ---------------------------------------------------------------- Answers about another user */

static void assert_about_another(fixture *fixture, int operation) {
  argyle_error *error = RUBBISH;
  argyle_call *call = new_call(fixture->client, operation);
  assert_int_equal(argyle_call_run(call, NULL), 0);
  assert_null(argyle_call_json(call, &error));
  assert_int_equal(argyle_error_http_status(error), 200);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_outcome_is_unknown(error), operation != ARGYLE_OPERATION_USER_GET);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "another user's");
  argyle_call_free(call);
}

static void an_answer_about_another_user_is_refused(void **state) {
  fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, STRAY_BODY);
  assert_about_another(fixture, ARGYLE_OPERATION_USER_GET);
  assert_about_another(fixture, ARGYLE_OPERATION_USER_UPDATE);
  assert_about_another(fixture, ARGYLE_OPERATION_USER_TOKEN_CREATE);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "another user's");
  assert_null(argyle_user_update(fixture->client, "u1", json_true(), &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "another user's");
  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "another user's");
  /* These requests name no user. */
  json_t *created = argyle_user_create(fixture->client, NULL, &error);
  assert_null(error);
  assert_string_equal(string_at(created, "id"), "u2");
  json_decref(created);
}

static void the_case_of_an_id_does_not_matter(void **state) {
  fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  /* {"user_id":"U1"} */
  hostile_server_answer_json(fixture->server, 200,
                             "{\"id\": \"U1\", \"access\": \"e30.eyJ1c2VyX2lkIjoiVTEifQ.c2ln\"}");
  json_decref(argyle_user_get(fixture->client, "u1", &error));
  assert_null(error);
  json_decref(argyle_user_update(fixture->client, "u1", json_true(), &error));
  assert_null(error);
  json_decref(argyle_user_token_create(fixture->client, "u1", &error));
  assert_null(error);
}

static void a_token_that_cannot_be_decoded_is_accepted(void **state) {
  static const char *const tokens[] = {
    "a", "a.b.c", "e30.e30.e30", /* no claims */
    "e30.eyJ1c2VyX2lkIjoyfQ.c2ln" /* {"user_id":2} */
  };
  fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(tokens); i++) {
    argyle_error *error = RUBBISH;
    char body[256];
    snprintf(body, sizeof body, "{\"access\": \"%s\"}", tokens[i]);
    hostile_server_answer_json(fixture->server, 201, body);
    json_decref(argyle_user_token_create(fixture->client, "u1", &error));
    show(error);
    assert_null(error);
  }
}

/* ---------------------------------------------------------------- Answers with another HTTP version */

/* libcurl would treat the connection as multiplexed and let calls share it. */
static void an_answer_of_another_version_is_refused(void **state) {
  static const char *const versions[] = {"HTTP/2", "HTTP/2.0", "HTTP/3"};
  fixture *fixture = *state;
  int calls = 0;
  for (size_t i = 0; i < COUNT(versions); i++) {
    char bytes[256];
    snprintf(bytes, sizeof bytes, "%s 200\r\nContent-Length: 98\r\n\r\n" STRAY_BODY, versions[i]);
    for (int operation = 1; operation <= OPERATIONS; operation++) {
      argyle_error *error = RUBBISH;
      hostile_server_answer(fixture->server, (hostile_answer){.bytes = bytes});
      argyle_call *call = new_call(fixture->client, operation);
      assert_int_equal(argyle_call_run(call, &error), -1);
      assert_int_equal(argyle_error_outcome_is_unknown(error),
                       operation != ARGYLE_OPERATION_USER_GET && operation != ARGYLE_OPERATION_USER_LIST);
      assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
      argyle_call_free(call);
      calls++;
    }
  }
  /* No connection is reused. */
  assert_int_equal(hostile_server_connections(fixture->server), calls);
}

/* ---------------------------------------------------------------- No strays */

static void a_connection_without_strays_is_reused(void **state) {
  fixture *fixture = *state;
  answer(fixture, NULL, (hostile_answer){0});
  argyle_queue *queue = new_queue(1);
  for (int i = 0; i < 20; i++) {
    run(fixture, 1 + i % OPERATIONS, 0);
    submit(queue, new_call(fixture->client, 1 + i % OPERATIONS), NULL);
    argyle_call *call = wait_for_next(queue, NULL);
    assert_answered(call, 0);
    argyle_call_free(call);
  }
  /* One for the blocking functions, one for the queue. */
  assert_int_equal(hostile_server_connections(fixture->server), 2);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Tests */

#define both(test)                                                             \
  {#test " in clear", test, setup_in_clear, teardown, NULL}, {                 \
    #test " over TLS", test, setup_over_tls, teardown, NULL                    \
  }

int main(void) {
  const struct CMUnitTest tests[] = {
    both(an_immediate_stray_answer_is_ignored),
    both(a_later_stray_answer_is_ignored),
    both(a_much_later_stray_answer_is_ignored),
    both(an_idle_timeout_of_the_server_is_ignored),
    both(half_a_stray_answer_is_ignored),
    both(one_stray_byte_is_ignored),
    both(a_stray_answer_in_one_piece_with_another_is_ignored),
    both(a_queue_ignores_strays),
    both(a_cursor_ignores_strays),
    both(many_spoiled_connections_cost_no_attempt),
    both(no_user_is_returned_for_another),
    both(an_answer_about_another_user_is_refused),
    both(the_case_of_an_id_does_not_matter),
    both(a_token_that_cannot_be_decoded_is_accepted),
    both(an_answer_of_another_version_is_refused),
    both(a_connection_without_strays_is_reused),
  };
  return cmocka_run_group_tests_name("strays", tests, start_identity, stop_identity);
}
