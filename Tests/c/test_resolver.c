/*
 * A name that resolves slowly: timeouts and cancellation end the wait for it, and libcurl's resolver thread may outlive
 * the call, the queue and the client.
 *
 * This program replaces getaddrinfo(), which does not resolve SLOW_HOST until a test releases the name. So no test
 * measures time: a function that returns before the release has not waited for the name.
 */
#include "clock.h"
#include "hostile_server.h"
#include "queued.h"

#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\"}"
#define SLOW_HOST "slow.argyle.example"
#define SHORT_MS SHORT_LIMIT_MS
/* A test that hangs fails after this. */
#define HOLD_SECONDS 300

/* ---------------------------------------------------------------- The resolver */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_held;
/* Whether waiting threads advance the stopped clock: in small steps, which the library does not take for a pause. */
static bool time_passes;
/* Number of threads that wait for the name, and whether one of them gave up. */
static int resolving;
static bool hold_timed_out;
/* Number of other names resolved. */
static int others;

typedef int getaddrinfo_function(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  /* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
  void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
  getaddrinfo_function *real;
  memcpy(&real, &symbol, sizeof real);
  if (host == NULL || strcmp(host, SLOW_HOST) != 0) {
    pthread_mutex_lock(&lock);
    others++;
    pthread_mutex_unlock(&lock);
    return real(host, service, hints, result);
  }
  pthread_mutex_lock(&lock);
  resolving++;
  pthread_cond_broadcast(&changed);
  for (int waited_ms = 0; is_held && !hold_timed_out; waited_ms++) {
    pthread_mutex_unlock(&lock);
    poll(NULL, 0, 1);
    pthread_mutex_lock(&lock);
    if (time_passes) {
      advance_clock(1);
    }
    hold_timed_out = waited_ms >= HOLD_SECONDS * 1000;
  }
  resolving--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return real("127.0.0.1", service, hints, result);
}

/* Whether libcurl is waiting for the name. */
static bool is_resolving(void) {
  pthread_mutex_lock(&lock);
  bool result = resolving > 0 && !hold_timed_out;
  pthread_mutex_unlock(&lock);
  return result;
}

/* The same, but first waits until libcurl's thread has started to resolve. */
static bool wait_until_resolving(void) {
  for (int i = 0; i < HOLD_SECONDS * 1000 && !is_resolving(); i++) {
    poll(NULL, 0, 1);
  }
  return is_resolving();
}

static void release_name(void) {
  pthread_mutex_lock(&lock);
  is_held = false;
  pthread_cond_broadcast(&changed);
  while (resolving > 0) {
    pthread_cond_wait(&changed, &lock);
  }
  pthread_mutex_unlock(&lock);
}

/* ---------------------------------------------------------------- Fixture */

static int setup(void **state) {
  is_held = true;
  time_passes = false;
  hold_timed_out = false;
  return hostile_setup(state);
}

static int teardown(void **state) {
  release_name();
  return hostile_teardown(state);
}

/* A client for the fixture's server that uses the slow name. */
static argyle_client *slow_client(const hostile_fixture *fixture, const char *option, json_int_t value) {
  char url[64];
  snprintf(url, sizeof url, "http://" SLOW_HOST ":%d", hostile_server_port(fixture->server));
  json_t *options = options_for(url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "proxy", json_string(""));
  if (option != NULL) json_object_set_new(options, option, json_integer(value));
  return client_with_options(options);
}

static void assert_works(argyle_client *client) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
}

/* Stops the clock, and advances it while a thread waits for the name. */
static void advance_clock_while_resolving(void) {
  stop_clock();
  time_passes = true;
}

/* Asserts that the call timed out before the name was resolved, and that nothing was sent. */
static void assert_timed_out(const hostile_fixture *fixture, const argyle_error *error, const char *option) {
  assert_true(wait_until_resolving());
  assert_error(error, ARGYLE_ERROR_TIMEOUT, SLOW_HOST);
  assert_error(error, ARGYLE_ERROR_TIMEOUT, option);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

/* Runs first, so that one-time initialisation is covered. */
static void only_the_hosts_name_is_resolved(void **state) {
  (void)state;
  argyle_client_free(client_for("http://127.0.0.1:1"));
  argyle_client_free(client_for("https://slow.argyle.example"));
  assert_int_equal(others, 0);
}

/* ---------------------------------------------------------------- Timeouts */

static const char *const timeouts[] = {"timeout_ms", "connect_timeout_ms", "deadline_ms"};

static void a_timeout_ends_a_blocking_call(void **state) {
  hostile_fixture *fixture = *state;
  advance_clock_while_resolving();
  for (size_t i = 0; i < COUNT(timeouts); i++) {
    argyle_error *error = RUBBISH;
    argyle_client *client = slow_client(fixture, timeouts[i], SHORT_MS);
    assert_null(argyle_user_get(client, "u1", &error));
    assert_timed_out(fixture, error, timeouts[i]);
    argyle_error_free(error);
    error = RUBBISH;
    assert_null(argyle_user_create(client, NULL, &error));
    assert_timed_out(fixture, error, timeouts[i]);
    argyle_error_free(error);
    argyle_client_free(client);
    assert_true(is_resolving());
  }
}

static void a_timeout_ends_a_call_in_a_queue(void **state) {
  hostile_fixture *fixture = *state;
  advance_clock_while_resolving();
  for (size_t i = 0; i < COUNT(timeouts); i++) {
    argyle_client *client = slow_client(fixture, timeouts[i], SHORT_MS);
    /* This also frees the queue. */
    argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_CREATE, NULL);
    assert_timed_out(fixture, argyle_call_error(call), timeouts[i]);
    argyle_call_free(call);
    argyle_client_free(client);
    assert_true(is_resolving());
  }
}

static void a_timeout_ends_a_cursor(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  advance_clock_while_resolving();
  argyle_client *client = slow_client(fixture, "timeout_ms", SHORT_MS);
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  assert_null(error);
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_timed_out(fixture, error, "timeout_ms");
  argyle_error_free(error);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
  assert_true(is_resolving());
}

/* ---------------------------------------------------------------- Cancelling */

static void *cancel_once_resolving(void *cancellation) {
  wait_until_resolving();
  argyle_cancellation_cancel(cancellation);
  return NULL;
}

static void a_cancellation_ends_a_blocking_call(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  pthread_t thread;
  argyle_cancellation *cancellation = argyle_cancellation_new(&error);
  argyle_client *slow = slow_client(fixture, NULL, 0);
  argyle_client *client = argyle_client_with_cancellation(slow, cancellation, &error);
  assert_null(error);
  assert_int_equal(pthread_create(&thread, NULL, cancel_once_resolving, cancellation), 0);
  assert_null(argyle_user_create(client, NULL, &error));
  pthread_join(thread, NULL);
  assert_true(is_resolving());
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, SLOW_HOST);
  argyle_client_free(client);
  argyle_client_free(slow);
  argyle_cancellation_free(cancellation);
  assert_true(is_resolving());
}

static int end_once_resolving(void *context) {
  (void)context;
  return is_resolving();
}

static void an_interrupt_function_ends_a_blocking_call(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *slow = slow_client(fixture, NULL, 0);
  argyle_client *client = argyle_client_with_interrupt(slow, end_once_resolving, NULL, &error);
  assert_null(error);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_true(is_resolving());
  assert_failed(error, ARGYLE_ERROR_CANCELLED, SLOW_HOST);
  argyle_client_free(client);
  argyle_client_free(slow);
  assert_true(is_resolving());
}

/* ---------------------------------------------------------------- In a queue */

static argyle_call *submit_get(argyle_queue *queue, argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error);
  assert_null(error);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
  return call;
}

/* Drives the queue until libcurl waits for the name. */
static void drive_until_resolving(argyle_queue *queue) {
  while (!is_resolving()) {
    assert_int_equal(argyle_queue_drive(queue, NULL), 0);
    poll(NULL, 0, 1);
  }
}

static void other_calls_of_a_queue_continue(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = slow_client(fixture, NULL, 0);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  assert_null(error);
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_call *slow = submit_get(queue, client);
  drive_until_resolving(queue);
  for (int i = 0; i < 5; i++) {
    argyle_call *call = submit_get(queue, fixture->client);
    assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
    assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
    assert_null(argyle_call_error(call));
    argyle_call_free(call);
  }
  assert_true(is_resolving());
  release_name();
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), slow);
  assert_null(argyle_call_error(slow));
  argyle_call_free(slow);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_call_cancelled_in_a_queue_ends_immediately(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = slow_client(fixture, NULL, 0);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = submit_get(queue, client);
  drive_until_resolving(queue);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
  assert_error(argyle_call_error(call), ARGYLE_ERROR_CANCELLED, SLOW_HOST);
  argyle_call_free(call);
  /* And one that is freed immediately. */
  argyle_call_free(submit_get(queue, client));
  assert_int_equal(argyle_queue_count(queue), 0);
  argyle_queue_free(queue);
  argyle_client_free(client);
  assert_true(is_resolving());
}

static void freeing_a_queue_does_not_wait(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = slow_client(fixture, NULL, 0);
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  submit_get(queue, client);
  drive_until_resolving(queue);
  argyle_queue_free(queue);
  argyle_client_free(client);
  assert_true(is_resolving());
}

/* ---------------------------------------------------------------- Afterwards */

static void the_name_may_resolve_after_everything_is_freed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (int i = 0; i < 10; i++) {
    argyle_client *client = slow_client(fixture, "timeout_ms", 20);
    assert_null(argyle_user_get(client, "u1", &error));
    assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
    argyle_client_free(client);
  }
  assert_true(wait_until_resolving());
  release_name();
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_works(fixture->client);
}

static void a_client_works_after_a_slow_name(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = slow_client(fixture, NULL, 0);
  json_t *overrides = json_pack("{s:i}", "timeout_ms", SHORT_MS);
  argyle_client *impatient = argyle_client_with(client, overrides, &error);
  json_decref(overrides);
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_null(argyle_user_get(impatient, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "timeout_ms");
  release_name();
  assert_works(client);
  argyle_client_free(impatient);
  argyle_client_free(client);
}

#define slow_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(only_the_hosts_name_is_resolved),
    slow_test(a_timeout_ends_a_blocking_call),
    slow_test(a_timeout_ends_a_call_in_a_queue),
    slow_test(a_timeout_ends_a_cursor),
    slow_test(a_cancellation_ends_a_blocking_call),
    slow_test(an_interrupt_function_ends_a_blocking_call),
    slow_test(other_calls_of_a_queue_continue),
    slow_test(a_call_cancelled_in_a_queue_ends_immediately),
    slow_test(freeing_a_queue_does_not_wait),
    slow_test(the_name_may_resolve_after_everything_is_freed),
    slow_test(a_client_works_after_a_slow_name),
  };
  return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
