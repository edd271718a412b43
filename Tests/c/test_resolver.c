/*
 * A name that resolves slowly: time-outs and cancellation end the wait for it, and the thread on which libcurl waits
 * may outlive the call, the queue and the client.
 *
 * libcurl's getaddrinfo() is this program's, where the name of SLOW_HOST is held back until a test lets it go. So no
 * test measures time: what returns while the name is held has not waited for it.
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
/* So that a test that hangs fails in the end. */
#define HOLD_SECONDS 300

/* ---------------------------------------------------------------- The resolver */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_held;
/* Whether the clock, which stands, is moved on while a thread waits: bit by bit, or it would seem to the library as if
 * the process had been stopped. */
static bool time_passes;
/* How many threads wait for the name, and whether one has waited in vain for it to be let go. */
static int resolving;
static bool hold_is_over;
/* How many other names were resolved. */
static int others;

typedef int getaddrinfo_function(const char *, const char *, const struct addrinfo *, struct addrinfo **);

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  /* ISO C has no cast from an object pointer to a function's: POSIX says to copy it. */
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
  for (int waited_ms = 0; is_held && !hold_is_over; waited_ms++) {
    pthread_mutex_unlock(&lock);
    poll(NULL, 0, 1);
    pthread_mutex_lock(&lock);
    if (time_passes) {
      advance_clock(1);
    }
    hold_is_over = waited_ms >= HOLD_SECONDS * 1000;
  }
  resolving--;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return real("127.0.0.1", service, hints, result);
}

/* Whether libcurl waits for the name, in this moment. */
static bool is_resolving(void) {
  pthread_mutex_lock(&lock);
  bool is_so = resolving > 0 && !hold_is_over;
  pthread_mutex_unlock(&lock);
  return is_so;
}

/* The same, where its thread may have to come to that first. */
static bool comes_to_resolve(void) {
  for (int i = 0; i < HOLD_SECONDS * 1000 && !is_resolving(); i++) {
    poll(NULL, 0, 1);
  }
  return is_resolving();
}

static void let_go(void) {
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
  hold_is_over = false;
  return hostile_setup(state);
}

static int teardown(void **state) {
  let_go();
  return hostile_teardown(state);
}

/* A client for the fixture's server by its slow name. */
static argyle_client *slow_client(const hostile_fixture *fixture, const char *option, json_int_t value) {
  char url[64];
  snprintf(url, sizeof url, "http://" SLOW_HOST ":%d", hostile_server_port(fixture->server));
  json_t *options = options_for(url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "proxy", json_string(""));
  if (option != NULL) json_object_set_new(options, option, json_integer(value));
  return client_with_options(options);
}

static void assert_user_of(argyle_client *client) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
}

/* Lets time pass whenever a thread waits for the name, and only then. */
static void let_time_pass(void) {
  stop_clock();
  time_passes = true;
}

/* Asserts that the time-out has passed before the name was known, and that nothing was sent. */
static void assert_timed_out(const hostile_fixture *fixture, const argyle_error *error, const char *option) {
  assert_true(comes_to_resolve());
  assert_error(error, ARGYLE_ERROR_TIMEOUT, SLOW_HOST);
  assert_error(error, ARGYLE_ERROR_TIMEOUT, option);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

/* The first in the process, so that what is initialised once is seen, too. */
static void no_name_is_resolved_but_the_host_s(void **state) {
  (void)state;
  argyle_client_free(client_for("http://127.0.0.1:1"));
  argyle_client_free(client_for("https://slow.argyle.example"));
  assert_int_equal(others, 0);
}

/* ---------------------------------------------------------------- Time-outs */

static const char *const time_outs[] = {"timeout_ms", "connect_timeout_ms", "deadline_ms"};

static void a_time_out_ends_a_blocking_call(void **state) {
  hostile_fixture *fixture = *state;
  let_time_pass();
  for (size_t i = 0; i < COUNT(time_outs); i++) {
    argyle_error *error = RUBBISH;
    argyle_client *client = slow_client(fixture, time_outs[i], SHORT_MS);
    assert_null(argyle_user_get(client, "u1", &error));
    assert_timed_out(fixture, error, time_outs[i]);
    argyle_error_free(error);
    error = RUBBISH;
    assert_null(argyle_user_create(client, NULL, &error));
    assert_timed_out(fixture, error, time_outs[i]);
    argyle_error_free(error);
    argyle_client_free(client);
    assert_true(is_resolving());
  }
}

static void a_time_out_ends_a_call_in_a_queue(void **state) {
  hostile_fixture *fixture = *state;
  let_time_pass();
  for (size_t i = 0; i < COUNT(time_outs); i++) {
    argyle_client *client = slow_client(fixture, time_outs[i], SHORT_MS);
    /* Its queue is freed there, too. */
    argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_CREATE, NULL);
    assert_timed_out(fixture, argyle_call_error(call), time_outs[i]);
    argyle_call_free(call);
    argyle_client_free(client);
    assert_true(is_resolving());
  }
}

static void a_time_out_ends_a_cursor(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  let_time_pass();
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
  comes_to_resolve();
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

static void other_calls_of_a_queue_go_on(void **state) {
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
  let_go();
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), slow);
  assert_null(argyle_call_error(slow));
  argyle_call_free(slow);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_call_that_a_queue_cancels_is_over_at_once(void **state) {
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
  /* And one that is freed there and then. */
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

static void the_name_may_be_known_after_all_is_freed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (int i = 0; i < 10; i++) {
    argyle_client *client = slow_client(fixture, "timeout_ms", 20);
    assert_null(argyle_user_get(client, "u1", &error));
    assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
    argyle_client_free(client);
  }
  assert_true(comes_to_resolve());
  let_go();
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user_of(fixture->client);
}

static void a_client_goes_on_after_a_name_was_slow(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = slow_client(fixture, NULL, 0);
  json_t *overrides = json_pack("{s:i}", "timeout_ms", SHORT_MS);
  argyle_client *impatient = argyle_client_with(client, overrides, &error);
  json_decref(overrides);
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_null(argyle_user_get(impatient, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "timeout_ms");
  let_go();
  assert_user_of(client);
  argyle_client_free(impatient);
  argyle_client_free(client);
}

#define slow_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(no_name_is_resolved_but_the_host_s),
    slow_test(a_time_out_ends_a_blocking_call),
    slow_test(a_time_out_ends_a_call_in_a_queue),
    slow_test(a_time_out_ends_a_cursor),
    slow_test(a_cancellation_ends_a_blocking_call),
    slow_test(an_interrupt_function_ends_a_blocking_call),
    slow_test(other_calls_of_a_queue_go_on),
    slow_test(a_call_that_a_queue_cancels_is_over_at_once),
    slow_test(freeing_a_queue_does_not_wait),
    slow_test(the_name_may_be_known_after_all_is_freed),
    slow_test(a_client_goes_on_after_a_name_was_slow),
  };
  return cmocka_run_group_tests_name("resolver", tests, NULL, NULL);
}
