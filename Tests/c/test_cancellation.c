/* The section "Cancellations" of argyle.h. */
#include "child.h"
#include "descriptors.h"
#include "hostile_server.h"

#include <pthread.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"

static argyle_cancellation *new_cancellation(void) {
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = argyle_cancellation_new(&error);
  assert_null(error);
  assert_non_null(cancellation);
  return cancellation;
}

static argyle_client *client_with(argyle_client *client, argyle_cancellation *cancellation) {
  argyle_error *error = RUBBISH;
  argyle_client *other = argyle_client_with_cancellation(client, cancellation, &error);
  assert_null(error);
  assert_non_null(other);
  return other;
}

/* Cancels once the server has read `requests` requests. */
typedef struct {
  argyle_cancellation *cancellation;
  hostile_server *server;
  int requests;
  pthread_t thread;
} canceller;

static void *cancel_once_requested(void *argument) {
  canceller *canceller = argument;
  hostile_server_wait_for_requests(canceller->server, canceller->requests);
  argyle_cancellation_cancel(canceller->cancellation);
  return NULL;
}

static void start(canceller *canceller) {
  assert_int_equal(pthread_create(&canceller->thread, NULL, cancel_once_requested, canceller), 0);
}

static void join(canceller *canceller) {
  assert_int_equal(pthread_join(canceller->thread, NULL), 0);
}

/* ---------------------------------------------------------------- Closed descriptors */

/* A daemon closes all descriptors that it does not know; what it opens next reuses their numbers. */
static void a_descriptor_that_the_program_closed_is_not_touched(void **state) {
  hostile_fixture *fixture = *state;
  descriptor_set before = descriptors_of(EVENT_DESCRIPTOR);
  argyle_cancellation *cancellation = new_cancellation();
  int closed = new_descriptor(EVENT_DESCRIPTOR, &before);
  argyle_client *client = client_with(fixture->client, cancellation);
  int pipes[2];
  assert_int_equal(pipe(pipes), 0);
  /* Atomically, because other threads open descriptors too. */
  assert_int_equal(dup2(pipes[0], closed), closed);
  close(pipes[0]);
  pipes[0] = closed;
  assert_int_equal(write(pipes[1], "x", 1), 1);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  canceller canceller = {cancellation, fixture->server, 1, 0};
  start(&canceller);
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  join(&canceller);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
  argyle_cancellation_free(cancellation);
  /* The pipe is still open, and its content unchanged. */
  char bytes[16];
  assert_int_equal(read(pipes[0], bytes, sizeof(bytes)), 1);
  close(pipes[0]);
  close(pipes[1]);
}

/* ---------------------------------------------------------------- Cancelling */

static void a_blocking_call_is_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation();
  argyle_client *client = client_with(fixture->client, cancellation);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  canceller canceller = {.cancellation = cancellation, .server = fixture->server, .requests = 1};
  start(&canceller);
  assert_null(argyle_user_create(client, NULL, &error));
  join(&canceller);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, "cancelled");
  hostile_server_wait_for_closed(fixture->server, 1);
  argyle_client_free(client);
  argyle_cancellation_free(cancellation);
}

static void a_wait_between_attempts_is_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation();
  json_t *overrides = json_pack("{s:i}", "max_retries", 2);
  argyle_client *repeating = argyle_client_with(fixture->client, overrides, &error);
  argyle_client *client = client_with(repeating, cancellation);
  hostile_server_answer_http(fixture->server, 503, "Retry-After: 50\r\n", "{}", 2);
  canceller canceller = {.cancellation = cancellation, .server = fixture->server, .requests = 1};
  start(&canceller);
  assert_null(argyle_user_get(client, "u1", &error));
  join(&canceller);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, "cancelled");
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
  argyle_client_free(repeating);
  argyle_cancellation_free(cancellation);
  json_decref(overrides);
}

static void a_cancelled_cursor_stays_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation();
  argyle_client *client = client_with(fixture->client, cancellation);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_string_equal(string_at(user, "id"), "u1");
  json_decref(user);
  canceller canceller = {.cancellation = cancellation, .server = fixture->server, .requests = 2};
  start(&canceller);
  assert_null(argyle_user_cursor_next(cursor, &error));
  join(&canceller);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
  argyle_cancellation_free(cancellation);
}

static void a_client_cancelled_before_sends_nothing(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation();
  argyle_client *client = client_with(fixture->client, cancellation);
  argyle_cancellation_cancel(cancellation);
  argyle_cancellation_cancel(cancellation);
  argyle_cancellation_free(cancellation);
  for (int i = 0; i < 3; i++) {
    assert_null(argyle_user_create(client, NULL, &error));
    assert_int_equal(argyle_error_attempts(error), 0);
    assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
    assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  }
  assert_int_equal(hostile_server_requests(fixture->server), 0);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Not cancelling */

static void other_clients_are_not_affected(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation(), *other = new_cancellation();
  argyle_client *cancelled = client_with(fixture->client, cancellation);
  argyle_client *clients[] = {fixture->client, client_with(fixture->client, other), client_with(cancelled, other),
                              client_with(cancelled, NULL)};
  argyle_cancellation_cancel(cancellation);
  hostile_server_answer_json(fixture->server, 200, USER);
  for (size_t i = 0; i < COUNT(clients); i++) {
    json_t *user = argyle_user_get(clients[i], "u1", &error);
    assert_null(error);
    json_decref(user);
    if (i > 0) argyle_client_free(clients[i]);
  }
  assert_null(argyle_user_get(cancelled, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  argyle_client_free(cancelled);
  argyle_cancellation_free(cancellation);
  argyle_cancellation_free(other);
}

static int cancel(void *cancellation) {
  argyle_cancellation_cancel(cancellation);
  argyle_cancellation_free(cancellation);
  return 0;
}

static void a_child_does_not_cancel_its_parents_calls(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = new_cancellation();
  argyle_client *client = client_with(fixture->client, cancellation);
  assert_int_equal(failures_in_child(cancel, cancellation), 0);
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  json_decref(user);
  argyle_client_free(client);
  argyle_cancellation_free(cancellation);
}

static void null_does_nothing(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_cancellation_cancel(NULL);
  argyle_cancellation_free(NULL);
  argyle_cancellation_free(argyle_cancellation_new(NULL));
  assert_null(argyle_client_with_cancellation(NULL, NULL, &error));
  assert_null_refused(error, "client");
}

/* ---------------------------------------------------------------- Many threads */

static void *get_until_cancelled(void *client) {
  argyle_error *error = NULL;
  json_t *user;
  while ((user = argyle_user_get(client, "u1", &error)) != NULL) {
    json_decref(user);
  }
  void *result = argyle_error_code(error) == ARGYLE_ERROR_CANCELLED ? NULL : client;
  argyle_error_free(error);
  return result;
}

static void all_threads_are_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_cancellation *cancellation = new_cancellation();
  argyle_client *client = client_with(fixture->client, cancellation);
  pthread_t threads[8];
  hostile_server_answer_json(fixture->server, 200, USER);
  for (size_t i = 0; i < COUNT(threads); i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, get_until_cancelled, client), 0);
  }
  canceller canceller = {.cancellation = cancellation, .server = fixture->server, .requests = 50};
  start(&canceller);
  for (size_t i = 0; i < COUNT(threads); i++) {
    void *failure;
    assert_int_equal(pthread_join(threads[i], &failure), 0);
    assert_null(failure);
  }
  join(&canceller);
  argyle_client_free(client);
  argyle_cancellation_free(cancellation);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_descriptor_that_the_program_closed_is_not_touched),
    hostile_test(a_blocking_call_is_cancelled),
    hostile_test(a_wait_between_attempts_is_cancelled),
    hostile_test(a_cancelled_cursor_stays_cancelled),
    hostile_test(a_client_cancelled_before_sends_nothing),
    hostile_test(other_clients_are_not_affected),
    hostile_test(a_child_does_not_cancel_its_parents_calls),
    cmocka_unit_test(null_does_nothing),
    hostile_test(all_threads_are_cancelled),
  };
  return cmocka_run_group_tests_name("cancellation", tests, NULL, NULL);
}
