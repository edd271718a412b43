/*
 * Handles after fork(): in the child they return ARGYLE_ERROR_FORKED and may be freed; the parent keeps using its
 * connection. The same for a call in whose callback a program forks.
 */
#include "child.h"
#include "gzip.h"
#include "hostile_server.h"
#include "tls_server.h"
#include "user.h"

#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\"}"

static void get_user(hostile_fixture *fixture) {
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user(fixture->client, USER);
}

/* Returns 0 if this is the error of a handle of the parent, otherwise 1; frees it. */
static int is_not_forked(argyle_error *error) {
  int failed = error == NULL || error == RUBBISH || argyle_error_code(error) != ARGYLE_ERROR_FORKED ||
               strcmp(argyle_error_name(error), "forked") != 0 || argyle_error_attempts(error) != 0 ||
               argyle_error_is_retryable(error) != 0 || argyle_error_message(error)[0] == '\0';
  argyle_error_free(error);
  return failed;
}

/* ---------------------------------------------------------------- Checks in the child */

static int call_everything(void *argument) {
  argyle_client *client = argument;
  argyle_error *error = RUBBISH;
  int failures = 0;
  failures += argyle_user_create(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_get(client, "u1", &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_update(client, "u1", json_true(), &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_list(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_delete(client, "u1", &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_token_create(client, "u1", &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_cursor_new(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  json_t *overrides = json_object();
  failures += argyle_client_with(client, overrides, &error) != NULL || is_not_forked(error);
  json_decref(overrides);
  error = RUBBISH;
  failures += argyle_client_with_interrupt(client, NULL, NULL, &error) != NULL || is_not_forked(error);
  failures += argyle_user_get(client, "u1", NULL) != NULL;
  return failures;
}

static int free_client(void *argument) {
  argyle_client_free(argument);
  return 0;
}

static int call_and_free_cursor(void *argument) {
  argyle_error *error = RUBBISH;
  int failures = argyle_user_cursor_next(argument, &error) != NULL || is_not_forked(error);
  argyle_user_cursor_free(argument);
  return failures;
}

static int read_and_free_error(void *argument) {
  int failures = argyle_error_code(argument) != ARGYLE_ERROR_ARGUMENT;
  argyle_error_free(argument);
  return failures;
}

static int use_what_needs_no_handle(void *argument) {
  (void)argument;
  json_t *claims = argyle_token_claims("e30.eyJhIjoxfQ.AAAA", NULL);
  int failures = json_integer_value(json_object_get(claims, "a")) != 1;
  json_decref(claims);
  return failures + (strcmp(argyle_version(), ARGYLE_VERSION) != 0);
}

static int use_a_client_of_its_own(void *argument) {
  json_t *options = options_for(argument);
  argyle_client *client = argyle_client_new(options, NULL);
  json_decref(options);
  json_t *user = argyle_user_get(client, "u1", NULL);
  int failures = strcmp(string_at(user, "id"), "u1") != 0;
  json_decref(user);
  argyle_client_free(client);
  return failures;
}

/* ---------------------------------------------------------------- Tests */

static void a_client_of_the_parent_fails_as_forked(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
}

static void an_unused_client_of_the_parent_fails_as_forked_too(void **state) {
  hostile_fixture *fixture = *state;
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void the_parent_keeps_its_connection(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  get_user(fixture);
  assert_int_equal(failures_in_child(free_client, fixture->client), 0);
  get_user(fixture);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void a_cursor_of_the_parent_fails_as_forked(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], \"next\": null}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, &error);
  json_decref(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(failures_in_child(call_and_free_cursor, cursor), 0);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u2");
  json_decref(user);
  argyle_user_cursor_free(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void a_cursor_of_the_parent_returns_no_buffered_user(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\"}]}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, &error);
  json_decref(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(failures_in_child(call_and_free_cursor, cursor), 0);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u2");
  json_decref(user);
  argyle_user_cursor_free(cursor);
}

static void an_error_of_the_parent_can_be_read(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_new(NULL, &error));
  assert_int_equal(failures_in_child(read_and_free_error, error), 0);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
}

static void functions_without_handles_work_in_the_child(void **state) {
  (void)state;
  assert_int_equal(failures_in_child(use_what_needs_no_handle, NULL), 0);
}

static void a_client_made_in_the_child_works(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  char url[64] = "";
  strcat(url, hostile_server_url(fixture->server));
  assert_int_equal(failures_in_child(use_a_client_of_its_own, url), 0);
  get_user(fixture);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_int_equal(hostile_server_connections(fixture->server), 2);
}

/* ---------------------------------------------------------------- In callbacks */

#define FIRST_PAGE "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}"
#define LAST_PAGE "{\"results\": [{\"id\": \"u2\"}], \"next\": null}"
/* alarm() ends a child that hangs, before it reports anything. */
#define TIMEOUT_S 60

/* A fork in a callback. */
static struct {
  hostile_server *server; /* calls before its first request do not count; NULL: all count */
  int at;                 /* the call of the callback that forks, from 1 */
  int called;
  bool is_child;
  int report[2];          /* a pipe from the child */
  char failures;          /* of the child; -1 if it reported none */
} forking;

static void fork_at(int at, hostile_server *server) {
  memset(&forking, 0, sizeof forking);
  forking.at = at;
  forking.server = server;
  forking.failures = -1;
}

/* The parent waits until its child has exited, so that any damage by the child is done by then. */
static void fork_in_callback(void) {
  if (forking.called >= forking.at || (forking.server != NULL && hostile_server_requests(forking.server) == 0) ||
      ++forking.called != forking.at || pipe(forking.report) != 0) {
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    forking.is_child = true;
    alarm(TIMEOUT_S);
    return;
  }
  close(forking.report[1]);
  if (read(forking.report[0], &forking.failures, 1) != 1) {
    forking.failures = -1;
  }
  close(forking.report[0]);
  waitpid(child, NULL, 0);
}

static void fork_in_log(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  (void)fields;
  (void)context;
  fork_in_callback();
}

static int fork_in_interrupt(void *context) {
  (void)context;
  fork_in_callback();
  return 0;
}

static int is_not_ended(const argyle_error *error) {
  return argyle_error_code(error) != ARGYLE_ERROR_CANCELLED;
}

/*
 * Library use in which a callback may be called. Returns the number of failed checks: in the child, whose functions
 * must fail with ARGYLE_ERROR_FORKED, or in the parent, whose functions must not be affected.
 */
typedef int act(argyle_client *client);

static int check(int succeeded, argyle_error *error) {
  return forking.is_child ? succeeded || is_not_forked(error) : !succeeded || error != NULL;
}

static int get(argyle_client *client) {
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  int failures = check(user != NULL, error);
  json_decref(user);
  return failures;
}

static int run_call(argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL);
  int result = argyle_call_run(call, &error);
  int failures = check(result == 0, error);
  argyle_call_free(call);
  return failures;
}

/* Takes the call, which must have completed, and frees it with its queue. */
static int take(argyle_queue *queue) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_queue_next(queue, NULL, &error);
  int failures = check(call != NULL, error);
  if (call != NULL) {
    json_decref(argyle_call_json(call, &error));
    failures += error != NULL;
  }
  argyle_call_free(call);
  argyle_queue_free(queue);
  return failures;
}

static argyle_queue *queue_with_call(argyle_client *client) {
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  argyle_queue_submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL, NULL);
  return queue;
}

static int wait_for_queue(argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_queue *queue = queue_with_call(client);
  int over = argyle_queue_wait(queue, -1, &error);
  int failures = check(over == 1, error);
  return failures + take(queue);
}

static int drive_queue(argyle_client *client) {
  argyle_error *error = NULL;
  argyle_queue *queue = queue_with_call(client);
  struct pollfd ready = {.fd = argyle_queue_fd(queue, NULL), .events = POLLIN};
  int over = 0;
  while (over == 0) {
    poll(&ready, 1, -1);
    over = argyle_queue_drive(queue, &error);
  }
  int failures = check(over == 1, error);
  return failures + take(queue);
}

static int walk(argyle_client *client) {
  argyle_error *error = NULL;
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, NULL);
  int users = 0;
  json_t *user;
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    users += forking.is_child ? 100 : 1;
    json_decref(user);
  }
  int failures = check(users >= 100 || (users == 2 && !forking.is_child), error);
  argyle_user_cursor_free(cursor);
  return failures;
}

static int walk_pages(argyle_client *client) {
  argyle_error *error = NULL;
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, NULL);
  int pages = 0;
  while (argyle_user_cursor_next_page_text(cursor, NULL, &error) != NULL) {
    pages += forking.is_child ? 100 : 1;
  }
  int failures = check(pages >= 100 || (pages == 2 && !forking.is_child), error);
  argyle_user_cursor_free(cursor);
  return failures;
}

/* Cancels the calls while one is in flight, which is logged. */
static int cancel_in_queue(argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_queue *queue = queue_with_call(client);
  argyle_queue_drive(queue, NULL);
  int result = argyle_queue_cancel_all(queue, &error);
  int failures = check(result == 0, error);
  argyle_call *call = argyle_queue_next(queue, NULL, NULL);
  failures += forking.is_child ? call != NULL : is_not_ended(argyle_call_error(call));
  argyle_call_free(call);
  argyle_queue_free(queue);
  return failures;
}

/* Reports the failures and exits in the child; asserts in the parent that there were none in either process. */
static void report_child(int failures, argyle_client *client) {
  argyle_client_free(client);
  if (forking.is_child) {
    char report = (char)failures;
    ssize_t written = write(forking.report[1], &report, 1);
    _exit(written == 1 ? 0 : 1);
  }
  assert_int_equal(forking.called, forking.at);
  assert_int_equal(forking.failures, 0);
  assert_int_equal(failures, 0);
}

/* Adds the answers for each act: a transient failure, and the successes. */
static void add_answers(hostile_server *server, bool is_walk) {
  hostile_server_answer_http(server, 503, "Retry-After: 0\r\n", "{}", 2);
  if (is_walk) {
    hostile_server_answer_json(server, 200, FIRST_PAGE);
    hostile_server_answer_json(server, 200, LAST_PAGE);
  } else {
    hostile_server_answer_json(server, 200, USER);
  }
}

/* A fixture for each fork. With TLS, closing a connection also sends a message on it. */
static hostile_fixture begin(const tls_server *identity) {
  hostile_fixture fixture = {.server = identity != NULL ? hostile_server_start_tls(identity) : hostile_server_start()};
  json_t *options = options_for(hostile_server_url(fixture.server));
  if (identity != NULL) {
    json_object_set_new(options, "ca_file", json_string(identity->certificate));
  }
  json_object_set_new(options, "max_retries", json_integer(1));
  fixture.client = client_with_options(options);
  return fixture;
}

/* Asserts that only the parent has sent requests, and that its blocking calls keep using their connection. */
static void end(hostile_fixture *fixture, int requests, bool is_blocking) {
  assert_int_equal(hostile_server_requests(fixture->server), requests);
  if (is_blocking) {
    get_user(fixture);
  }
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  argyle_client_free(fixture->client);
  hostile_server_stop(fixture->server);
}

static void fork_in_each_record(const tls_server *identity) {
  static act *const acts[] = {get, run_call, wait_for_queue, drive_queue, walk, walk_pages};
  for (size_t i = 0; i < COUNT(acts); i++) {
    bool is_walk = acts[i] == walk || acts[i] == walk_pages;
    /* The failure, the wait, the answer, and the answer with the prefetched page. */
    int records = is_walk ? 4 : 3;
    for (int at = 1; at <= records; at++) {
      hostile_fixture fixture = begin(identity);
      add_answers(fixture.server, is_walk);
      fork_at(at, NULL);
      argyle_client *client = argyle_client_with_log(fixture.client, fork_in_log, NULL, NULL);
      report_child(acts[i](client), client);
      end(&fixture, is_walk ? 3 : 2, acts[i] != wait_for_queue && acts[i] != drive_queue);
    }
  }
}

static void a_fork_in_a_log_function(void **state) {
  (void)state;
  fork_in_each_record(NULL);
}

static void a_fork_in_a_log_function_over_tls(void **state) {
  fork_in_each_record(*state);
}

static void a_fork_while_a_cancellation_is_logged(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  /* The attempt and the call. */
  for (int at = 1; at <= 2; at++) {
    fork_at(at, NULL);
    argyle_client *client = argyle_client_with_log(fixture->client, fork_in_log, NULL, NULL);
    report_child(cancel_in_queue(client), client);
  }
}

static void fork_in_each_wait(const tls_server *identity) {
  static act *const acts[] = {get, run_call, walk, walk_pages};
  for (size_t i = 0; i < COUNT(acts); i++) {
    bool is_walk = acts[i] == walk || acts[i] == walk_pages;
    hostile_fixture fixture = begin(identity);
    char first[256];
    const char *body = is_walk ? FIRST_PAGE : USER;
    snprintf(first, sizeof first, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
             strlen(body), body);
    /* The function is called after 100 ms, before the answer arrives. */
    hostile_server_answer(fixture.server, (hostile_answer){.bytes = first, .delay_ms = 300});
    hostile_server_answer_json(fixture.server, 200, is_walk ? LAST_PAGE : USER);
    fork_at(1, fixture.server);
    argyle_client *client = argyle_client_with_interrupt(fixture.client, fork_in_interrupt, NULL, NULL);
    report_child(acts[i](client), client);
    end(&fixture, is_walk ? 2 : 1, true);
  }
}

static void a_fork_in_an_interrupt_function(void **state) {
  (void)state;
  fork_in_each_wait(NULL);
}

static void a_fork_in_an_interrupt_function_over_tls(void **state) {
  fork_in_each_wait(*state);
}

/* Waits after the server's answer, so that the function is called while it is decoded. */
static int fork_in_decoding(void *context) {
  static const struct timespec pause = {0, 150000000};
  bool *has_waited = context;
  if (hostile_server_requests(forking.server) == 0) {
    return 0;
  }
  if (!*has_waited) {
    *has_waited = true;
    hostile_server_wait_for_strays(forking.server, 1);
    nanosleep(&pause, NULL);
    return 0;
  }
  fork_in_callback();
  return 0;
}

/* A small answer that decodes to a large one: the program forks while libcurl decodes it. */
static void fork_in_each_decoding(const tls_server *identity) {
  static act *const acts[] = {get, run_call, walk, walk_pages};
  for (size_t i = 0; i < COUNT(acts); i++) {
    bool is_walk = acts[i] == walk || acts[i] == walk_pages, has_waited = false;
    hostile_fixture fixture = begin(identity);
    size_t length, at;
    char *body = gzip_with_spaces(is_walk ? FIRST_PAGE : USER, 4 * 1024 * 1024, &length);
    char *answer = malloc(length + 256);
    at = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", length);
    memcpy(answer + at, body, length);
    hostile_server_answer(fixture.server, (hostile_answer){.bytes = answer, .length = at + length, .delay_ms = 300,
                                                           .stray = ""});
    hostile_server_answer_json(fixture.server, 200, is_walk ? LAST_PAGE : USER);
    fork_at(1, fixture.server);
    argyle_client *client = argyle_client_with_interrupt(fixture.client, fork_in_decoding, &has_waited, NULL);
    report_child(acts[i](client), client);
    end(&fixture, is_walk ? 2 : 1, true);
    free(answer);
    free(body);
  }
}

static void a_fork_while_an_answer_is_decoded(void **state) {
  (void)state;
  fork_in_each_decoding(NULL);
}

static void a_fork_while_an_answer_is_decoded_over_tls(void **state) {
  fork_in_each_decoding(*state);
}

static int setup_identity(void **state) {
  *state = tls_server_start("IP:127.0.0.1");
  return 0;
}

static int teardown_identity(void **state) {
  tls_server_stop(*state);
  return 0;
}

#define secure_test(test) cmocka_unit_test_setup_teardown(test, setup_identity, teardown_identity)

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_client_of_the_parent_fails_as_forked),
    hostile_test(an_unused_client_of_the_parent_fails_as_forked_too),
    hostile_test(the_parent_keeps_its_connection),
    hostile_test(a_cursor_of_the_parent_fails_as_forked),
    hostile_test(a_cursor_of_the_parent_returns_no_buffered_user),
    cmocka_unit_test(an_error_of_the_parent_can_be_read),
    cmocka_unit_test(functions_without_handles_work_in_the_child),
    hostile_test(a_client_made_in_the_child_works),
    cmocka_unit_test(a_fork_in_a_log_function),
    secure_test(a_fork_in_a_log_function_over_tls),
    hostile_test(a_fork_while_a_cancellation_is_logged),
    cmocka_unit_test(a_fork_in_an_interrupt_function),
    secure_test(a_fork_in_an_interrupt_function_over_tls),
    cmocka_unit_test(a_fork_while_an_answer_is_decoded),
    secure_test(a_fork_while_an_answer_is_decoded_over_tls),
  };
  return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
