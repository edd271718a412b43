/*
 * State that belongs to the host: no function of either library changes errno, and using a client changes no signal
 * action or mask, no umask and no working directory. A thread cancelled in a function ends after it has returned.
 */
#include "descriptors.h"
#include "hostile_server.h"
#include "queued.h"
#include "tls_server.h"

#include <argyle-sandbox.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"
#define PAGE "{\"results\": [{\"id\": \"u1\"}], \"next\": null}"

/* Not an errno value of the system. */
#define MARK 4711

/* Calls a function of the library and asserts that it leaves errno alone. */
#define KEEPS_ERRNO(call)                                   \
  do {                                                      \
    errno = MARK;                                           \
    call;                                                   \
    int after = errno;                                      \
    if (after != MARK) {                                    \
      print_error("errno is %d after " #call "\n", after); \
    }                                                       \
    assert_int_equal(after, MARK);                          \
  } while (0)

/* ---------------------------------------------------------------- errno */

static void clients_leave_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = NULL;
  argyle_client *client = NULL, *other = NULL;
  argyle_cancellation *cancellation = NULL;
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_t *overrides = json_pack("{s:s}", "ca_file", "/there/is/none");
  KEEPS_ERRNO(client = argyle_client_new(options, &error));
  KEEPS_ERRNO(argyle_client_new(NULL, NULL));
  KEEPS_ERRNO(other = argyle_client_with(client, overrides, &error));
  assert_null(other);
  KEEPS_ERRNO(argyle_error_free(error));
  json_object_clear(overrides);
  KEEPS_ERRNO(other = argyle_client_with(client, overrides, &error));
  KEEPS_ERRNO(argyle_client_free(other));
  KEEPS_ERRNO(other = argyle_client_with_interrupt(client, NULL, NULL, &error));
  KEEPS_ERRNO(argyle_client_free(other));
  KEEPS_ERRNO(other = argyle_client_with_log(client, NULL, NULL, &error));
  KEEPS_ERRNO(argyle_client_free(other));
  KEEPS_ERRNO(cancellation = argyle_cancellation_new(&error));
  KEEPS_ERRNO(other = argyle_client_with_cancellation(client, cancellation, &error));
  KEEPS_ERRNO(argyle_cancellation_cancel(cancellation));
  KEEPS_ERRNO(argyle_user_get(other, "u1", NULL));
  KEEPS_ERRNO(argyle_cancellation_free(cancellation));
  KEEPS_ERRNO(argyle_client_free(other));
  KEEPS_ERRNO(argyle_client_free(client));
  KEEPS_ERRNO(argyle_version());
  KEEPS_ERRNO(argyle_version_number());
  KEEPS_ERRNO(argyle_check_version(0, NULL));
  KEEPS_ERRNO(argyle_error_code_name(1));
  /* jansson's number parser sets errno. */
  KEEPS_ERRNO(argyle_client_new_text("{\"timeout_ms\": 1}", 17, NULL));
  KEEPS_ERRNO(argyle_queue_new_text("{\"max_in_flight\": 0}", 20, NULL));
  json_decref(options);
  json_decref(overrides);
}

static void blocking_functions_leave_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = NULL;
  json_t *result = NULL;
  hostile_server_answer_json(fixture->server, 200, USER);
  KEEPS_ERRNO(result = argyle_user_create(fixture->client, NULL, &error));
  json_decref(result);
  KEEPS_ERRNO(result = argyle_user_get(fixture->client, "u1", &error));
  json_decref(result);
  KEEPS_ERRNO(result = argyle_user_update(fixture->client, "u1", json_true(), &error));
  json_decref(result);
  hostile_server_answer_json(fixture->server, 200, "{\"access\": \"t\"}");
  KEEPS_ERRNO(result = argyle_user_token_create(fixture->client, "u1", &error));
  json_decref(result);
  hostile_server_answer_json(fixture->server, 200, PAGE);
  KEEPS_ERRNO(result = argyle_user_list(fixture->client, NULL, &error));
  json_decref(result);
  KEEPS_ERRNO(argyle_user_delete(fixture->client, "u1", &error));
  assert_null(error);
  KEEPS_ERRNO(result = argyle_token_claims("e30.e30.AAAA", &error));
  json_decref(result);
}

/* Asserts that a failing call and the accessors of its error leave errno alone. */
static void assert_failure_keeps_errno(argyle_client *client, int code) {
  argyle_error *error = NULL;
  KEEPS_ERRNO(argyle_user_get(client, "u1", &error));
  assert_error(error, code, NULL);
  KEEPS_ERRNO(argyle_error_code(error));
  KEEPS_ERRNO(argyle_error_name(error));
  KEEPS_ERRNO(argyle_error_message(error));
  KEEPS_ERRNO(argyle_error_http_status(error));
  KEEPS_ERRNO(argyle_error_trace_id(error));
  KEEPS_ERRNO(argyle_error_is_retryable(error));
  KEEPS_ERRNO(argyle_error_outcome_is_unknown(error));
  KEEPS_ERRNO(argyle_error_retry_after_ms(error));
  KEEPS_ERRNO(argyle_error_attempts(error));
  KEEPS_ERRNO(argyle_error_body(error));
  KEEPS_ERRNO(argyle_error_body_text(error));
  KEEPS_ERRNO(argyle_error_body_size(error));
  KEEPS_ERRNO(argyle_error_free(error));
  KEEPS_ERRNO(argyle_user_delete(client, "u1", NULL));
  KEEPS_ERRNO(argyle_token_claims("", NULL));
}

static void failures_leave_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  char url[64];
  closed_port_url(url, sizeof url);
  argyle_client *client = client_for(url);
  assert_failure_keeps_errno(client, ARGYLE_ERROR_CONNECTION);
  argyle_client_free(client);
  client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 50);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  assert_failure_keeps_errno(client, ARGYLE_ERROR_TIMEOUT);
  argyle_client_free(client);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_RESET});
  assert_failure_keeps_errno(fixture->client, ARGYLE_ERROR_CONNECTION);
  hostile_server_answer_json(fixture->server, 404, "{\"detail\": \"Not found.\"}");
  assert_failure_keeps_errno(fixture->client, ARGYLE_ERROR_NOT_FOUND);
}

static void cursors_leave_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  argyle_user_cursor *cursor = NULL;
  json_t *result = NULL;
  size_t size;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}");
  hostile_server_answer_json(fixture->server, 200, PAGE);
  KEEPS_ERRNO(cursor = argyle_user_cursor_new(fixture->client, NULL, NULL));
  KEEPS_ERRNO(result = argyle_user_cursor_next(cursor, NULL));
  json_decref(result);
  KEEPS_ERRNO(argyle_user_cursor_free(cursor));
  cursor = argyle_user_cursor_new(fixture->client, NULL, NULL);
  KEEPS_ERRNO(result = argyle_user_cursor_next_page(cursor, NULL));
  json_decref(result);
  KEEPS_ERRNO(argyle_user_cursor_next_page_text(cursor, &size, NULL));
  KEEPS_ERRNO(argyle_error_free(argyle_user_cursor_unreadable(cursor, "it is none")));
  KEEPS_ERRNO(argyle_user_cursor_free(cursor));
}

static void calls_and_queues_leave_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  argyle_call *call = NULL;
  argyle_queue *queue = NULL;
  json_t *result = NULL;
  hostile_server_answer_json(fixture->server, 200, USER);
  KEEPS_ERRNO(call = argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, "1", 1, NULL));
  KEEPS_ERRNO(argyle_call_run(call, NULL));
  KEEPS_ERRNO(argyle_call_error(call));
  KEEPS_ERRNO(argyle_call_http_status(call));
  KEEPS_ERRNO(argyle_call_header(call, "content-type"));
  KEEPS_ERRNO(argyle_call_header_at(call, 0, NULL));
  KEEPS_ERRNO(argyle_call_operation(call));
  KEEPS_ERRNO(argyle_call_user_id(call));
  KEEPS_ERRNO(argyle_call_body_text(call));
  KEEPS_ERRNO(argyle_call_body_size(call));
  KEEPS_ERRNO(result = argyle_call_json(call, NULL));
  json_decref(result);
  KEEPS_ERRNO(argyle_error_free(argyle_call_unreadable(call, "it is none")));
  KEEPS_ERRNO(argyle_call_attempts(call));
  KEEPS_ERRNO(argyle_call_time_us(call, ARGYLE_TIME_TOTAL));
  KEEPS_ERRNO(argyle_call_free(call));

  /* jansson's number parser sets errno: the error's body is JSON. */
  hostile_server_answer_json(fixture->server, 404, "{\"detail\": \"Not found.\", \"numbers\": [1, 0.5]}");
  call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL);
  KEEPS_ERRNO(argyle_call_run(call, NULL));
  KEEPS_ERRNO(argyle_call_error(call));
  assert_non_null(argyle_error_body(argyle_call_error(call)));
  KEEPS_ERRNO(argyle_call_free(call));
  hostile_server_answer_json(fixture->server, 200, USER);

  KEEPS_ERRNO(queue = argyle_queue_new(NULL, NULL));
  KEEPS_ERRNO(call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL));
  KEEPS_ERRNO(argyle_queue_submit(queue, call, NULL, NULL));
  KEEPS_ERRNO(argyle_queue_fd(queue, NULL));
  KEEPS_ERRNO(argyle_queue_drive(queue, NULL));
  KEEPS_ERRNO(argyle_queue_count(queue));
  KEEPS_ERRNO(argyle_queue_wait(queue, -1, NULL));
  KEEPS_ERRNO(argyle_queue_next(queue, NULL, NULL));
  KEEPS_ERRNO(argyle_queue_next(queue, NULL, NULL));
  KEEPS_ERRNO(argyle_call_free(call));
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL);
  argyle_queue_submit(queue, call, NULL, NULL);
  KEEPS_ERRNO(argyle_queue_wait(queue, 10, NULL));
  KEEPS_ERRNO(argyle_queue_cancel(queue, call, NULL));
  KEEPS_ERRNO(argyle_queue_cancel_all(queue, NULL));
  argyle_queue_submit(queue, argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL, NULL);
  KEEPS_ERRNO(argyle_queue_drive(queue, NULL));
  KEEPS_ERRNO(argyle_queue_free(queue));
}

/* Freeing a call, a queue and a client aborts what is in progress, here a TLS handshake. */
static void freeing_during_a_call_leaves_errno_alone(void **state) {
  hostile_fixture *fixture = *state;
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", hostile_server_port(fixture->server));
  hostile_server_answer(fixture->server, (hostile_answer){.any_bytes = true, .then = HOSTILE_STALL});
  argyle_client *client = client_for(url);
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  for (int i = 1; i <= 2; i++) {
    argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL);
    assert_int_equal(argyle_queue_submit(queue, call, NULL, NULL), 0);
    while (hostile_server_requests(fixture->server) < i) {
      assert_int_equal(argyle_queue_wait(queue, 1, NULL), 0);
    }
    if (i == 1) KEEPS_ERRNO(argyle_call_free(call));
  }
  KEEPS_ERRNO(argyle_queue_free(queue));
  KEEPS_ERRNO(argyle_client_free(client));
}

/* ---------------------------------------------------------------- Cancelled threads */

/* A thread to be cancelled. */
typedef struct {
  argyle_client *client;
  void (*use)(argyle_client *);
  int state;
  bool has_returned;
} cancelled;

static void get_blocking(argyle_client *client) {
  json_decref(argyle_user_get(client, "u1", NULL));
}

static void run_call(argyle_client *client) {
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL);
  argyle_call_run(call, NULL);
  argyle_call_free(call);
}

static void wait_for_queue(argyle_client *client) {
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  argyle_queue_submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL, NULL);
  argyle_queue_wait(queue, -1, NULL);
  argyle_queue_free(queue);
}

static void walk(argyle_client *client) {
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, NULL);
  json_decref(argyle_user_cursor_next(cursor, NULL));
  argyle_user_cursor_free(cursor);
}

static void *use_until_cancelled(void *argument) {
  cancelled *cancelled = argument;
  cancelled->use(cancelled->client);
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelled->state);
  cancelled->has_returned = true;
  pthread_setcancelstate(cancelled->state, NULL);
  pthread_testcancel();
  return NULL;
}

/* Cancels a thread while its call waits for an answer: the function returns before the thread ends. */
static void cancel_during_call(hostile_fixture *fixture, void (*use)(argyle_client *)) {
  int before = count_descriptors();
  hostile_server *server = hostile_server_start();
  argyle_client *client = client_with_integer(hostile_server_url(server), "max_retries", 0);
  hostile_server_answer(server, (hostile_answer){.then = HOSTILE_STALL});
  cancelled cancelled = {.client = client, .use = use};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, use_until_cancelled, &cancelled), 0);
  while (hostile_server_requests(server) == 0) {
    usleep(1000);
  }
  assert_int_equal(pthread_cancel(thread), 0);
  /* Closes the connection, so that the call fails. */
  hostile_server_stop(server);
  void *result = NULL;
  assert_int_equal(pthread_join(thread, &result), 0);
  assert_ptr_equal(result, PTHREAD_CANCELED);
  assert_true(cancelled.has_returned);
  assert_int_equal(cancelled.state, PTHREAD_CANCEL_ENABLE);
  argyle_client_free(client);
  assert_int_equal(count_descriptors(), before);
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(fixture->client, "u1", NULL);
  assert_non_null(user);
  json_decref(user);
}

static void a_cancelled_thread_ends_after_the_function(void **state) {
  static void (*const uses[])(argyle_client *) = {get_blocking, run_call, wait_for_queue, walk};
  for (size_t i = 0; i < COUNT(uses); i++) {
    cancel_during_call(*state, uses[i]);
  }
}

/* A pending or disabled cancellation is not lost. */
static void a_thread_keeps_its_cancellation_state(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  int before = -1, after = -1;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  get_blocking(fixture->client);
  pthread_setcancelstate(before, &after);
  assert_int_equal(after, PTHREAD_CANCEL_DISABLE);
  get_blocking(fixture->client);
  pthread_setcancelstate(before, &after);
  assert_int_equal(after, PTHREAD_CANCEL_ENABLE);
}

static void sandboxes_leave_errno_alone(void **state) {
  (void)state;
  argyle_sandbox *sandbox = NULL;
  argyle_sandbox_error *error = NULL;
  json_t *options = json_pack("{s:s}", "database", "/there/is/none");
  KEEPS_ERRNO(sandbox = argyle_sandbox_start(options, &error));
  assert_null(sandbox);
  KEEPS_ERRNO(argyle_sandbox_error_message(error));
  KEEPS_ERRNO(argyle_sandbox_error_free(error));
  KEEPS_ERRNO(sandbox = argyle_sandbox_start(NULL, NULL));
  KEEPS_ERRNO(argyle_sandbox_url(sandbox));
  argyle_client *client = client_for(argyle_sandbox_url(sandbox));
  json_decref(argyle_user_list(client, NULL, NULL));
  KEEPS_ERRNO(argyle_sandbox_stop(sandbox));
  KEEPS_ERRNO(argyle_sandbox_free(sandbox));
  KEEPS_ERRNO(sandbox = argyle_sandbox_start(NULL, NULL));
  KEEPS_ERRNO(argyle_sandbox_free(sandbox));
  KEEPS_ERRNO(argyle_sandbox_version());
  KEEPS_ERRNO(argyle_sandbox_version_number());
  argyle_client_free(client);
  json_decref(options);
}

/* ---------------------------------------------------------------- Other state */

typedef struct {
  struct sigaction actions[NSIG];
  sigset_t mask;
  mode_t file_mask;
  char folder[PATH_MAX];
} process_state;

static void save_process_state(process_state *state) {
  memset(state, 0, sizeof *state);
  for (int number = 1; number < NSIG; number++) {
    sigaction(number, NULL, &state->actions[number]);
  }
  sigemptyset(&state->mask);
  pthread_sigmask(SIG_SETMASK, NULL, &state->mask);
  state->file_mask = umask(0);
  umask(state->file_mask);
  assert_non_null(getcwd(state->folder, sizeof state->folder));
}

static void assert_unchanged(const process_state *before) {
  static process_state after;
  save_process_state(&after);
  for (int number = 1; number < NSIG; number++) {
    assert_true(after.actions[number].sa_handler == before->actions[number].sa_handler);
    assert_int_equal(after.actions[number].sa_flags, before->actions[number].sa_flags);
    assert_int_equal(sigismember(&after.mask, number), sigismember(&before->mask, number));
  }
  assert_int_equal(after.file_mask, before->file_mask);
  assert_string_equal(after.folder, before->folder);
}

static void use(argyle_client *client) {
  json_decref(argyle_user_create(client, NULL, NULL));
  json_decref(argyle_user_get(client, "u1", NULL));
  argyle_call_free(run_in_queue(client, ARGYLE_OPERATION_USER_GET, "u1"));
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, NULL);
  json_decref(argyle_user_cursor_next(cursor, NULL));
  argyle_user_cursor_free(cursor);
}

static void a_client_leaves_the_process_state_alone(void **state) {
  static process_state before;
  hostile_fixture *fixture = *state;
  tls_server *server = tls_server_start("IP:127.0.0.1");
  mode_t file_mask = umask(0123);
  save_process_state(&before);
  hostile_server_answer_json(fixture->server, 200, USER);
  use(fixture->client);
  assert_unchanged(&before);

  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", server->port);
  json_t *options = options_for(url);
  json_object_set_new(options, "ca_file", json_string(server->certificate));
  argyle_client *client = client_with_options(options);
  json_t *user = argyle_user_get(client, "u1", NULL);
  assert_non_null(user);
  json_decref(user);
  assert_unchanged(&before);
  argyle_client_free(client);
  assert_unchanged(&before);
  umask(file_mask);
  tls_server_stop(server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(clients_leave_errno_alone),
    hostile_test(blocking_functions_leave_errno_alone),
    hostile_test(failures_leave_errno_alone),
    hostile_test(cursors_leave_errno_alone),
    hostile_test(calls_and_queues_leave_errno_alone),
    hostile_test(freeing_during_a_call_leaves_errno_alone),
    hostile_test(a_cancelled_thread_ends_after_the_function),
    hostile_test(a_thread_keeps_its_cancellation_state),
    cmocka_unit_test(sandboxes_leave_errno_alone),
    hostile_test(a_client_leaves_the_process_state_alone),
  };
  return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
