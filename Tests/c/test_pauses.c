/*
 * Pauses of the host process: it is stopped, or its log function is slow. They do not count as the server's time, and
 * an answer already in the socket is accepted.
 */
#include "clock.h"
#include "hostile_server.h"
#include "queue.h"

#include <poll.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": []}"
#define TIMEOUT_MS 3000
/* Longer than the timeout. */
#define PAUSE_MS 4000

/* The limits that must not end the call. */
static const char *const limits[] = {"timeout_ms", "deadline_ms", "stall_timeout_ms"};

/* ---------------------------------------------------------------- A stopped process */

typedef struct {
  const char *name;
  bool (*succeeds)(argyle_client *client);
} form;

static bool by_get(argyle_client *client) {
  json_t *user = argyle_user_get(client, "u1", NULL);
  bool succeeded = user != NULL;
  json_decref(user);
  return succeeded;
}

static bool by_create(argyle_client *client) {
  json_t *user = argyle_user_create(client, NULL, NULL);
  bool succeeded = user != NULL;
  json_decref(user);
  return succeeded;
}

static bool by_queue(argyle_client *client) {
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL);
  bool succeeded = argyle_queue_submit(queue, call, NULL, NULL) == 0 && argyle_queue_wait(queue, -1, NULL) == 1 &&
                   argyle_call_error(call) == NULL && argyle_call_attempts(call) == 1;
  argyle_queue_free(queue);
  return succeeded;
}

static bool by_cursor(argyle_client *client) {
  argyle_error *error = NULL;
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, NULL);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  argyle_user_cursor_free(cursor);
  return user == NULL && error == NULL;
}

static const form forms[] = {
  {"get", by_get}, {"create", by_create}, {"a queue", by_queue}, {"a cursor", by_cursor}};

/* A SIGCONT handler that advances the stopped clock by the pause. */
static void advance_over_pause(int number) {
  (void)number;
  advance_clock(PAUSE_MS);
}

static void stop_clock_until_continued(void) {
  struct sigaction action = {.sa_handler = advance_over_pause};
  sigemptyset(&action.sa_mask);
  sigaction(SIGCONT, &action, NULL);
  stop_clock();
}

/* A call in a child process, which is stopped once the server has read its request. */
typedef struct {
  const char *limit;
  const form *form;
  hostile_server *server;
  pid_t child;
  int result[2]; /* a pipe to which the child writes once it has succeeded */
} stopped_call;

static void start_and_stop(stopped_call *call) {
  call->server = hostile_server_start();
  hostile_server_answer(call->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 56\r\n\r\n" USER, .held = true});
  assert_int_equal(pipe2(call->result, O_CLOEXEC), 0);
  call->child = fork();
  if (call->child == 0) {
    stop_clock_until_continued();
    json_t *options = options_for(hostile_server_url(call->server));
    json_object_set_new(options, call->limit, json_integer(TIMEOUT_MS));
    argyle_client *client = argyle_client_new(options, NULL);
    /* A memory checker may replace the exit status. */
    if (client != NULL && call->form->succeeds(client)) {
      _exit(write(call->result[1], "1", 1) == 1 ? 0 : 1);
    }
    _exit(1);
  }
  assert_true(call->child > 0);
  int status;
  while (hostile_server_requests(call->server) == 0) {
    assert_int_equal(waitpid(call->child, &status, WNOHANG), 0);
    poll(NULL, 0, 1);
  }
  kill(call->child, SIGSTOP);
  assert_int_equal(waitpid(call->child, &status, WUNTRACED), call->child);
  assert_true(WIFSTOPPED(status));
}

/* Each child is continued once the answer has arrived and the limit has passed. */
static void a_stopped_process_accepts_its_answer(void **state) {
  (void)state;
  stopped_call calls[COUNT(limits) * COUNT(forms)];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = (stopped_call){.limit = limits[i / COUNT(forms)], .form = &forms[i % COUNT(forms)]};
    start_and_stop(&calls[i]);
  }
  for (size_t i = 0; i < COUNT(calls); i++) {
    hostile_server_release(calls[i].server);
  }
  int failed = 0;
  for (size_t i = 0; i < COUNT(calls); i++) {
    int status;
    kill(calls[i].child, SIGCONT);
    assert_int_equal(waitpid(calls[i].child, &status, 0), calls[i].child);
    close(calls[i].result[1]);
    char success;
    if (read(calls[i].result[0], &success, 1) != 1 || hostile_server_requests(calls[i].server) != 1) {
      print_error("%s, %s\n", calls[i].form->name, calls[i].limit);
      failed++;
    }
    close(calls[i].result[0]);
    hostile_server_stop(calls[i].server);
  }
  assert_int_equal(failed, 0);
}

/* ---------------------------------------------------------------- A log function that sleeps */

/* Releases an answer of the server and sleeps at its first record. */
typedef struct {
  hostile_server *server;
  int records;
} sleeper;

static void sleep_on_first_record(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  (void)fields;
  sleeper *sleeper = context;
  if (sleeper->records++ == 0) {
    hostile_server_release(sleeper->server);
    advance_clock(PAUSE_MS);
  }
}

/* One call's record delays another call, whose answer arrives meanwhile. */
static void a_log_function_may_sleep(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server *other = hostile_server_start();
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(other, (hostile_answer){.bytes = "HTTP/1.1 201 Created\r\nContent-Length: 56\r\n\r\n" USER,
                                                .held = true});
  stop_clock();
  for (size_t i = 0; i < COUNT(limits); i++) {
    sleeper sleeper = {other, 0};
    argyle_error *error = RUBBISH;
    argyle_client *logging = argyle_client_with_log(fixture->client, sleep_on_first_record, &sleeper, &error);
    assert_null(error);
    argyle_client *limited = client_with_integer(hostile_server_url(other), limits[i], TIMEOUT_MS);
    argyle_queue *queue = new_queue(2);
    int before = hostile_server_requests(other);
    argyle_call *second = submit(queue, argyle_call_new(limited, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL), NULL);
    drive_until_requested(queue, other, before + 1);
    argyle_call *first = submit(queue, argyle_call_new(logging, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL);
    argyle_call_free(wait_for_next(queue, NULL));
    argyle_call_free(wait_for_next(queue, NULL) == second ? NULL : first);
    if (argyle_call_error(second) != NULL) {
      print_error("%s: %s\n", limits[i], argyle_error_message(argyle_call_error(second)));
    }
    assert_null(argyle_call_error(second));
    assert_int_equal(argyle_call_attempts(second), 1);
    argyle_call_free(second);
    argyle_queue_free(queue);
    argyle_client_free(limited);
    argyle_client_free(logging);
    assert_true(sleeper.records > 0);
  }
  hostile_server_stop(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_stopped_process_accepts_its_answer),
    hostile_test(a_log_function_may_sleep),
  };
  return cmocka_run_group_tests_name("pauses", tests, NULL, NULL);
}
