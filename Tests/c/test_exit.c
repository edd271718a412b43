/*
 * A process that exits while a call is in flight: it exits immediately, with its own status and without a crash,
 * whether the call waits for an answer or for its next attempt, in a queue or in another thread, and even if the
 * handles are freed during exit.
 */
#include "hostile_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The exit status of every child; nothing else exits with it. */
#define STATUS 42
/* A child that still runs after this has hung. */
#define PATIENCE_MS 300000
#define URL_SIZE 64

/* ---------------------------------------------------------------- Calls in flight */

static argyle_client *client;
static argyle_queue *queue;
static argyle_user_cursor *cursor;

static void *get_user(void *argument) {
  (void)argument;
  json_decref(argyle_user_get(client, "u1", NULL));
  return NULL;
}

static void start_client(const char *url) {
  json_t *options = options_for(url);
  json_object_set_new(options, "max_retries", json_integer(3));
  client = argyle_client_new(options, NULL);
  json_decref(options);
}

/* Read end of a pipe on which the parent sends the server's URL, and then a byte once the requests have arrived. */
static int parent;

static bool is_acknowledged(int timeout_ms) {
  struct pollfd ready = {.fd = parent, .events = POLLIN};
  return poll(&ready, 1, timeout_ms) != 0;
}

/* Waits until the server has read the requests; it does not answer. */
static void queue_during_calls(const char *url) {
  start_client(url);
  queue = argyle_queue_new(NULL, NULL);
  for (int i = 0; i < 3; i++) {
    argyle_queue_submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL), NULL, NULL);
  }
  while (!is_acknowledged(0) && argyle_queue_wait(queue, 10, NULL) == 0) {
  }
}

static void thread_during_a_call(const char *url) {
  pthread_t thread;
  start_client(url);
  pthread_create(&thread, NULL, get_user, NULL);
  pthread_detach(thread);
  while (!is_acknowledged(10)) {
  }
}

/* The page after this one is prefetched. */
static void cursor_during_a_page(const char *url) {
  start_client(url);
  cursor = argyle_user_cursor_new(client, NULL, NULL);
  json_decref(argyle_user_cursor_next(cursor, NULL));
  while (!is_acknowledged(10)) {
  }
}

static void free_everything(void) {
  argyle_user_cursor_free(cursor);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* C++ destructors may free the client before what was created from it. */
static void free_client_first(void) {
  argyle_client_free(client);
  argyle_queue_free(queue);
  argyle_user_cursor_free(cursor);
}

typedef void start_function(const char *url);

typedef struct {
  const char *name;
  start_function *start;
  const char *answer; /* the server's first answer, or its only one; NULL: none */
  bool is_always;     /* the server repeats the answer */
  int requests;       /* number of requests in flight */
  bool may_free;      /* no other thread uses the handles */
} scenario;

#define PAGE                                        \
  "HTTP/1.1 200 OK\r\nContent-Length: 48\r\n\r\n" \
  "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}"
/* The call is retried in a minute. */
#define LATER "HTTP/1.1 503 Later\r\nRetry-After: 59\r\nContent-Length: 2\r\n\r\n{}"

static const scenario scenarios[] = {
  {"a queue during calls", queue_during_calls, NULL, false, 3, true},
  {"a queue during waits", queue_during_calls, LATER, true, 3, true},
  {"a cursor during a page", cursor_during_a_page, PAGE, false, 1, true},
  {"a thread during a call", thread_during_a_call, NULL, false, 1, false},
  {"a thread during a wait", thread_during_a_call, LATER, true, 1, false},
};

/* ---------------------------------------------------------------- Children */

/* valgrind reports the memory of threads that were not joined as lost, and replaces the exit status with its own. */
static bool is_from_checker(int status) {
  const char *preloaded = getenv("LD_PRELOAD");
  return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL && status == 99;
}

/* Waits for the child, which must exit with its own status. */
static void assert_ends(pid_t child, const scenario *scenario) {
  int status = -1;
  for (int i = 0; i < PATIENCE_MS / 10 && waitpid(child, &status, WNOHANG) == 0; i++) {
    poll(NULL, 0, 10);
  }
  if (kill(child, 0) == 0) {
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    print_error("%s: the process hung\n", scenario->name);
    fail();
  }
  if (WIFSIGNALED(status)) {
    print_error("%s: the process died of signal %d\n", scenario->name, WTERMSIG(status));
  }
  assert_true(WIFEXITED(status));
  if (scenario->may_free || !is_from_checker(WEXITSTATUS(status))) {
    assert_int_equal(WEXITSTATUS(status), STATUS);
  }
}

/* Starts the calls that are in flight when the child exits. */
static void begin(const scenario *scenario) {
  char url[URL_SIZE];
  if (read(parent, url, sizeof url) == sizeof url) {
    scenario->start(url);
  }
}

/*
 * Starts the child's server, lets the child exit once all requests are in flight, and asserts that it does. The server
 * is started after the fork, because a memory checker would report its threads as lost in the child.
 */
static void assert_child_ends(const scenario *scenario, pid_t child, int to_child) {
  hostile_server *server = hostile_server_start();
  if (scenario->answer != NULL) {
    hostile_server_answer(server, (hostile_answer){.bytes = scenario->answer});
  }
  if (!scenario->is_always) {
    hostile_server_answer(server, (hostile_answer){.then = HOSTILE_STALL});
  }
  char url[URL_SIZE] = "";
  strcat(url, hostile_server_url(server));
  assert_int_equal(write(to_child, url, sizeof url), sizeof url);
  for (int i = 0; i < PATIENCE_MS && hostile_server_requests(server) < scenario->requests; i++) {
    poll(NULL, 0, 1);
  }
  assert_true(hostile_server_requests(server) >= scenario->requests);
  assert_int_equal(write(to_child, "x", 1), 1);
  assert_ends(child, scenario);
  close(to_child);
  hostile_server_stop(server);
}

static void assert_scenario_ends(const scenario *scenario, void (*end)(int), void (*at_exit)(void)) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  fflush(NULL);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (at_exit != NULL) atexit(at_exit);
    parent = ends[0];
    begin(scenario);
    end(STATUS);
  }
  close(ends[0]);
  assert_child_ends(scenario, child, ends[1]);
}

/* ---------------------------------------------------------------- Tests */

static void run_all(void (*end)(int), void (*at_exit)(void)) {
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    if (at_exit == NULL || scenarios[i].may_free) {
      assert_scenario_ends(&scenarios[i], end, at_exit);
    }
  }
}

static void exit_ends_the_process(void **state) {
  (void)state;
  run_all(exit, NULL);
}

static void _exit_ends_the_process(void **state) {
  (void)state;
  run_all(_exit, NULL);
}

static void handles_may_be_freed_while_it_exits(void **state) {
  (void)state;
  run_all(exit, free_everything);
}

static void a_client_may_be_freed_first_while_it_exits(void **state) {
  (void)state;
  run_all(exit, free_client_first);
}

/* In another process, whose main() is below. */
static void a_return_from_main_ends_the_process(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(scenarios); i++) {
    int ends[2];
    char number[16], descriptor[16];
    pid_t child;
    assert_int_equal(pipe(ends), 0);
    snprintf(number, sizeof number, "%zu", i);
    snprintf(descriptor, sizeof descriptor, "%d", ends[0]);
    char *arguments[] = {program_invocation_name, number, descriptor, NULL};
    assert_int_equal(posix_spawn(&child, program_invocation_name, NULL, NULL, arguments, environ), 0);
    close(ends[0]);
    assert_child_ends(&scenarios[i], child, ends[1]);
  }
}

static int run_scenario(char **arguments) {
  parent = atoi(arguments[2]);
  begin(&scenarios[atoi(arguments[1])]);
  return STATUS;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(exit_ends_the_process),
    cmocka_unit_test(_exit_ends_the_process),
    cmocka_unit_test(handles_may_be_freed_while_it_exits),
    cmocka_unit_test(a_client_may_be_freed_first_while_it_exits),
    cmocka_unit_test(a_return_from_main_ends_the_process),
  };
  return argc == 3 ? run_scenario(argv) : cmocka_run_group_tests_name("exit", tests, NULL, NULL);
}
