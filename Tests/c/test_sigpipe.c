/*
 * SIGPIPE is never raised, whether the host handles it or would be killed by it: on connections that the other side
 * cut while a request was being sent, or while they were idle, with and without TLS.
 */
#include "child.h"
#include "hostile_server.h"
#include "relay.h"
#include "tls_server.h"
#include "wire.h"

#include <argyle-sandbox.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

/* Larger than the kernel's buffers. */
#define LARGE_BODY (4 << 20)

static volatile sig_atomic_t broken_pipes;

static void count_signal(int number) {
  (void)number;
  broken_pipes++;
}

static void handle(void (*handler)(int)) {
  struct sigaction action = {.sa_handler = handler};
  sigemptyset(&action.sa_mask);
  sigaction(SIGPIPE, &action, NULL);
}

/* ---------------------------------------------------------------- Fixture */

typedef struct {
  tls_server *certificates; /* NULL without TLS; it never answers a POST request */
  hostile_server *silent;   /* the same without TLS */
  argyle_sandbox *sandbox;
} fixture;

static int setup(void **state, bool with_tls) {
  fixture *fixture = calloc(1, sizeof *fixture);
  json_t *options = json_pack("{s:s, s:s}", "key_id", KEY_ID, "key_secret", KEY_SECRET);
  if (with_tls) {
    fixture->certificates = tls_server_start("IP:127.0.0.1");
    json_object_set_new(options, "certificate", json_string(fixture->certificates->certificate));
    json_object_set_new(options, "certificate_key", json_string(fixture->certificates->key));
  }
  fixture->silent = hostile_server_start();
  hostile_server_answer(fixture->silent, (hostile_answer){.then = HOSTILE_STALL});
  fixture->sandbox = argyle_sandbox_start(options, NULL);
  json_decref(options);
  assert_non_null(fixture->sandbox);
  broken_pipes = 0;
  handle(count_signal);
  *state = fixture;
  return 0;
}

static int plain(void **state) {
  return setup(state, false);
}

static int tls(void **state) {
  return setup(state, true);
}

static int teardown(void **state) {
  fixture *fixture = *state;
  argyle_sandbox_free(fixture->sandbox);
  hostile_server_stop(fixture->silent);
  if (fixture->certificates != NULL) {
    tls_server_stop(fixture->certificates);
  }
  handle(SIG_DFL);
  free(fixture);
  return broken_pipes == 0 ? 0 : -1;
}

static int sandbox_port(const fixture *fixture) {
  return atoi(strrchr(argyle_sandbox_url(fixture->sandbox), ':') + 1);
}

static int silent_port(const fixture *fixture) {
  return fixture->certificates != NULL ? fixture->certificates->port : hostile_server_port(fixture->silent);
}

static argyle_client *client_with_proxy(const fixture *fixture, const relay *relay) {
  char url[64];
  snprintf(url, sizeof url, "%s://127.0.0.1:%d", fixture->certificates != NULL ? "https" : "http", relay_port(relay));
  json_t *options = options_for(url);
  if (fixture->certificates != NULL) {
    json_object_set_new(options, "ca_file", json_string(fixture->certificates->certificate));
  }
  return client_with_options(options);
}

/* ---------------------------------------------------------------- Cut connections */

/* Returns the number of failures; the caller frees the client. */
typedef int scenario(relay *relay, argyle_client *client);

/* Creates a user, which leaves an idle connection; returns 0 if that succeeded. */
static int create(argyle_client *client) {
  json_t *created = argyle_user_create(client, NULL, NULL);
  int failures = created == NULL;
  json_decref(created);
  return failures;
}

static json_t *large_metadata(void) {
  char *text = malloc(LARGE_BODY);
  memset(text, 'x', LARGE_BODY);
  json_t *metadata = json_stringn(text, LARGE_BODY);
  free(text);
  return metadata;
}

static int cut_while_a_request_is_sent(relay *relay, argyle_client *client) {
  json_t *metadata = large_metadata();
  argyle_error *error = NULL;
  relay_cut_after(relay, 100000);
  int failures = argyle_user_create(client, metadata, &error) != NULL;
  failures += argyle_error_code(error) != ARGYLE_ERROR_CONNECTION;
  failures += argyle_error_outcome_is_unknown(error) != 1;
  argyle_error_free(error);
  json_decref(metadata);
  return failures;
}

static int use_a_connection_cut_while_idle(relay *relay, argyle_client *client) {
  json_t *metadata = large_metadata();
  int failures = create(client);
  relay_cut(relay);
  json_decref(argyle_user_create(client, metadata, NULL));
  json_decref(metadata);
  return failures;
}

static int free_a_connection_cut_while_idle(relay *relay, argyle_client *client) {
  int failures = create(client);
  relay_cut(relay);
  return failures;
}

/* A queue that has run one call and has an idle connection. */
static argyle_queue *queue_with_connection(argyle_client *client) {
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL);
  argyle_queue_submit(queue, call, NULL, NULL);
  argyle_queue_wait(queue, -1, NULL);
  argyle_call_free(argyle_queue_next(queue, NULL, NULL));
  return queue;
}

static int free_a_queue_whose_connection_was_cut(relay *relay, argyle_client *client) {
  argyle_queue *queue = queue_with_connection(client);
  relay_cut(relay);
  argyle_queue_free(queue);
  return 0;
}

static int free_a_queue_during_a_request(relay *relay, argyle_client *client) {
  json_t *metadata = large_metadata();
  argyle_queue *queue = queue_with_connection(client);
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, metadata, NULL);
  int failures = argyle_queue_submit(queue, call, NULL, NULL) != 0 || argyle_queue_drive(queue, NULL) < 0;
  relay_cut(relay);
  argyle_queue_free(queue);
  json_decref(metadata);
  return failures;
}

/* ---------------------------------------------------------------- Runs */

typedef struct {
  const fixture *fixture;
  scenario *scenario;
} run;

/* Runs a scenario with its own relay and client. */
static int run_scenario(const run *run) {
  bool is_silent = run->scenario == cut_while_a_request_is_sent;
  relay *relay = relay_start(is_silent ? silent_port(run->fixture) : sandbox_port(run->fixture));
  argyle_client *client = client_with_proxy(run->fixture, relay);
  int failures = run->scenario(relay, client);
  argyle_client_free(client);
  failures += relay_stop(relay) == 0;
  return failures;
}

/* With SIGPIPE's default action, which kills the process. */
static int run_unhandled(void *argument) {
  handle(SIG_DFL);
  return run_scenario(argument);
}

static void assert_no_signal(const fixture *fixture, scenario *scenario) {
  run run = {fixture, scenario};
  assert_int_equal(run_scenario(&run), 0);
  assert_int_equal(broken_pipes, 0);
  assert_int_equal(failures_in_child(run_unhandled, &run), 0);
}

#define scenario_test(name)               \
  static void name##_test(void **state) { \
    assert_no_signal(*state, name);       \
  }

scenario_test(cut_while_a_request_is_sent)
scenario_test(use_a_connection_cut_while_idle)
scenario_test(free_a_connection_cut_while_idle)
scenario_test(free_a_queue_whose_connection_was_cut)
scenario_test(free_a_queue_during_a_request)

/* Verifies that writing to such a connection raises the signal. */
static void an_unprotected_write_raises_it(void **state) {
  relay *relay = relay_start(silent_port(*state));
  int connection = connection_to(relay_port(relay));
  assert_int_equal(write(connection, "G", 1), 1);
  relay_cut(relay);
  while (write(connection, "G", 1) == 1) {
    poll(NULL, 0, 1);
  }
  close(connection);
  relay_stop(relay);
  assert_int_equal(broken_pipes, 1);
  broken_pipes = 0;
}

#define with_and_without_tls(name)                            \
  {#name " without TLS", name##_test, plain, teardown, NULL}, \
  {#name " with TLS", name##_test, tls, teardown, NULL}

int main(void) {
  const struct CMUnitTest tests[] = {
    {"an_unprotected_write_raises_it", an_unprotected_write_raises_it, plain, teardown, NULL},
    with_and_without_tls(cut_while_a_request_is_sent),
    with_and_without_tls(use_a_connection_cut_while_idle),
    with_and_without_tls(free_a_connection_cut_while_idle),
    with_and_without_tls(free_a_queue_whose_connection_was_cut),
    with_and_without_tls(free_a_queue_during_a_request),
  };
  return cmocka_run_group_tests_name("sigpipe", tests, NULL, NULL);
}
