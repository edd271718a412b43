/*
 * Many threads at once, for use with a thread checker. The threads only count failures, because cmocka asserts on the
 * thread that runs the test.
 */
#include "hostile_server.h"
#include "sandbox.h"

#include <pthread.h>

#define THREADS 8
#define ROUNDS 20

typedef void *(*thread_body)(void *);

/* Runs THREADS threads of each kind. */
static void run_both(thread_body first, void *first_argument, thread_body second, void *second_argument) {
  pthread_t threads[2 * THREADS];
  for (int i = 0; i < 2 * THREADS; i++) {
    thread_body body = i % 2 == 0 ? first : second;
    assert_int_equal(pthread_create(&threads[i], NULL, body, i % 2 == 0 ? first_argument : second_argument), 0);
  }
  for (int i = 0; i < 2 * THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
}

static void run_threads(thread_body body, void *argument) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, body, argument), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
}

/* The __atomic built-ins of gcc and clang, because C99 has no atomics. */
static void count_failure(int *failures) {
  __atomic_fetch_add(failures, 1, __ATOMIC_RELAXED);
}

/* ---------------------------------------------------------------- Life cycles of users */

typedef struct {
  argyle_client *client;
  int failures;
} work;

/* Counts a failure if the condition is false or an error was set, and clears the error. */
static void check(work *work, bool holds, argyle_error **error) {
  if (!holds || *error != NULL) {
    count_failure(&work->failures);
  }
  argyle_error_free(*error);
  *error = NULL;
}

static void run_life_cycle(work *work, argyle_client *client, int number) {
  argyle_error *error = RUBBISH;
  json_t *metadata = json_pack("{s:i}", "number", number);
  json_t *created = argyle_user_create(client, metadata, &error);
  check(work, created != NULL, &error);
  const char *id = string_at(created, "id");

  json_t *user = argyle_user_get(client, id, &error);
  check(work, json_equal(json_object_get(user, "external_metadata"), metadata), &error);
  json_decref(user);

  user = argyle_user_update(client, id, json_true(), &error);
  check(work, json_is_true(json_object_get(user, "external_metadata")), &error);
  json_decref(user);

  json_t *token = argyle_user_token_create(client, id, &error);
  check(work, token != NULL, &error);
  json_t *claims = argyle_token_claims(string_at(token, "access"), &error);
  check(work, strcmp(string_at(claims, "user_id"), id) == 0, &error);
  json_decref(claims);
  json_decref(token);

  json_t *page = argyle_user_list(client, NULL, &error);
  check(work, json_array_size(json_object_get(page, "results")) > 0, &error);
  json_decref(page);

  check(work, argyle_user_delete(client, id, &error) == 0, &error);

  user = argyle_user_get(client, id, &error);
  if (user != NULL || argyle_error_code(error) != ARGYLE_ERROR_NOT_FOUND) {
    count_failure(&work->failures);
  }
  argyle_error_free(error);
  json_decref(created);
  json_decref(metadata);
}

static void *run_life_cycles(void *argument) {
  work *work = argument;
  for (int i = 0; i < ROUNDS; i++) {
    run_life_cycle(work, work->client, i);
  }
  return NULL;
}

static void eight_threads_share_a_client(void **state) {
  sandbox *sandbox = *state;
  work work = {.client = sandbox->client};
  run_threads(run_life_cycles, &work);
  assert_int_equal(work.failures, 0);
}

static void two_clients_have_eight_threads_each(void **state) {
  sandbox *sandbox = *state;
  work first = {.client = sandbox->client};
  work second = {.client = client_for(sandbox->url)};
  run_both(run_life_cycles, &first, run_life_cycles, &second);
  argyle_client_free(second.client);
  assert_int_equal(first.failures, 0);
  assert_int_equal(second.failures, 0);
}

/* ---------------------------------------------------------------- Short-lived copies */

static void *run_life_cycles_on_copies(void *argument) {
  work *work = argument;
  json_t *overrides = json_pack("{s:i}", "timeout_ms", 20000);
  for (int i = 0; i < ROUNDS; i++) {
    argyle_error *error = RUBBISH;
    argyle_client *copy = argyle_client_with(work->client, overrides, &error);
    check(work, copy != NULL, &error);
    run_life_cycle(work, copy, i);
    argyle_client_free(copy);
  }
  json_decref(overrides);
  return NULL;
}

static void copies_come_and_go_during_calls(void **state) {
  sandbox *sandbox = *state;
  work work = {.client = sandbox->client};
  run_both(run_life_cycles_on_copies, &work, run_life_cycles, &work);
  assert_int_equal(work.failures, 0);
}

/* ---------------------------------------------------------------- Short-lived clients */

static void *create_and_free_clients(void *argument) {
  work *work = argument;
  for (int i = 0; i < ROUNDS; i++) {
    argyle_error *error = RUBBISH;
    json_t *options = json_pack("{s:s, s:s, s:s}", "key_id", "a", "key_secret", "b", "base_url", "http://127.0.0.1:1");
    argyle_client *client = argyle_client_new(options, &error);
    check(work, client != NULL, &error);
    argyle_client_free(client);
    json_decref(options);
  }
  return NULL;
}

static void clients_are_created_by_many_threads(void **state) {
  (void)state;
  work work = {.client = NULL};
  run_threads(create_and_free_clients, &work);
  assert_int_equal(work.failures, 0);
}

/* ---------------------------------------------------------------- A cursor for each thread */

static void *walk(void *argument) {
  work *work = argument;
  argyle_error *error = RUBBISH;
  json_t *query = json_pack("{s:i, s:s}", "limit", 3, "ordering", "created_at");
  argyle_user_cursor *cursor = argyle_user_cursor_new(work->client, query, &error);
  check(work, cursor != NULL, &error);
  int count = 0;
  json_t *user;
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    json_decref(user);
    count++;
  }
  check(work, count == 10, &error);
  argyle_user_cursor_free(cursor);
  json_decref(query);
  return NULL;
}

static void each_thread_has_its_own_cursor(void **state) {
  (void)state;
  sandbox *fresh = sandbox_start();
  assert_non_null(fresh);
  for (int i = 0; i < 10; i++) {
    json_decref(argyle_user_create(fresh->client, NULL, NULL));
  }
  work work = {.client = fresh->client};
  run_threads(walk, &work);
  sandbox_stop(fresh);
  assert_int_equal(work.failures, 0);
}

/* ---------------------------------------------------------------- Errors read by many threads */

typedef struct {
  argyle_error *error;
  int failures;
} shared_error;

static void *read_error(void *argument) {
  shared_error *shared = argument;
  for (int i = 0; i < ROUNDS; i++) {
    argyle_error *error = shared->error;
    bool holds = argyle_error_code(error) == ARGYLE_ERROR_RATE_LIMITED &&
                 strcmp(argyle_error_name(error), "rate_limited") == 0 &&
                 strlen(argyle_error_message(error)) > 0 && argyle_error_http_status(error) == 429 &&
                 strcmp(argyle_error_trace_id(error), "trace") == 0 && argyle_error_is_retryable(error) == 1 &&
                 argyle_error_retry_after_ms(error) == 2000 && argyle_error_attempts(error) == 1 &&
                 strcmp(argyle_error_body_text(error), "{\"detail\": \"slow down\"}") == 0 &&
                 json_is_object(argyle_error_body(error));
    if (!holds) {
      count_failure(&shared->failures);
    }
  }
  return NULL;
}

static void an_error_is_read_by_many_threads(void **state) {
  hostile_fixture *fixture = *state;
  static const char body[] = "{\"detail\": \"slow down\"}";
  shared_error shared = {.error = RUBBISH};
  hostile_server_answer_http(fixture->server, 429, "X-Trace-Id: trace\r\nRetry-After: 2\r\n", body, strlen(body));
  assert_null(argyle_user_get(fixture->client, "u1", &shared.error));
  run_threads(read_error, &shared);
  assert_int_equal(shared.failures, 0);
  assert_failed(shared.error, ARGYLE_ERROR_RATE_LIMITED, "slow down");
}

/* ---------------------------------------------------------------- Failures in many threads */

static void *call_closed_port(void *argument) {
  work *work = argument;
  for (int i = 0; i < ROUNDS; i++) {
    argyle_error *error = RUBBISH;
    if (argyle_user_get(work->client, "u1", &error) != NULL ||
        argyle_error_code(error) != ARGYLE_ERROR_CONNECTION) {
      count_failure(&work->failures);
    }
    argyle_error_free(error);
  }
  return NULL;
}

static void many_threads_fail_at_once(void **state) {
  (void)state;
  char url[64];
  closed_port_url(url, sizeof url);
  work work = {.client = client_for(url)};
  run_threads(call_closed_port, &work);
  argyle_client_free(work.client);
  assert_int_equal(work.failures, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(eight_threads_share_a_client),
    cmocka_unit_test(two_clients_have_eight_threads_each),
    cmocka_unit_test(copies_come_and_go_during_calls),
    cmocka_unit_test(clients_are_created_by_many_threads),
    cmocka_unit_test(each_thread_has_its_own_cursor),
    hostile_test(an_error_is_read_by_many_threads),
    cmocka_unit_test(many_threads_fail_at_once),
  };
  return cmocka_run_group_tests_name("threads", tests, sandbox_setup, sandbox_teardown);
}
