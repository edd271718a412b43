/*
 * Running out of file descriptors: every operation runs with 0, 1, 2 and so on descriptors left, until they are enough.
 * Every call has the right result or an internal error with the reason, leaks no descriptor, and leaves a working
 * client. The same if the kernel refuses to watch a descriptor.
 *
 * The server is a sandbox in another process, to which the limit does not apply.
 */
#include "descriptors.h"
#include "hostile_server.h"
#include "tls_server.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* No call needs this many, so that a sweep ends. */
#define MAX_DESCRIPTORS 50
/* alarm() ends a run that hangs. */
#define TIMEOUT_S 120
#define USERS 3
/* A name that only getaddrinfo() below resolves. */
#define NAMED_HOST "named.argyle.example"

/* ---------------------------------------------------------------- Interposed functions */

typedef struct {
  int number; /* of the first call that fails, from 1; 0: none fails */
  int error;
  int made;
} failing;

static failing failing_socket, failing_epoll_ctl;

static bool fails(failing *failing) {
  if (failing->number == 0 || ++failing->made < failing->number) {
    return false;
  }
  errno = failing->error;
  return true;
}

/* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
#define REAL(function, name)                     \
  do {                                           \
    void *symbol = dlsym(RTLD_NEXT, name);       \
    memcpy(&(function), &symbol, sizeof symbol); \
  } while (0)

int socket(int family, int type, int protocol) {
  int (*real)(int, int, int);
  REAL(real, "socket");
  return fails(&failing_socket) ? -1 : real(family, type, protocol);
}

/* valgrind reports success after it has closed the descriptors beyond the limit. */
int socketpair(int family, int type, int protocol, int ends[2]) {
  int (*real)(int, int, int, int *);
  REAL(real, "socketpair");
  int result = real(family, type, protocol, ends);
  if (result == 0 && (fcntl(ends[0], F_GETFD) < 0 || fcntl(ends[1], F_GETFD) < 0)) {
    errno = EMFILE;
    return -1;
  }
  return result;
}

/* EPOLL_CTL_DEL does not count. */
int epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) {
  int (*real)(int, int, int, struct epoll_event *);
  REAL(real, "epoll_ctl");
  return operation != EPOLL_CTL_DEL && fails(&failing_epoll_ctl) ? -1 : real(epoll, operation, descriptor, event);
}

/* The address family last requested, by a thread of libcurl's. */
static int requested_family = AF_UNSPEC;

/* The C library's resolver opens a file, a socket or both; this one opens exactly one file. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  REAL(real, "getaddrinfo");
  if (host == NULL || strcmp(host, NAMED_HOST) != 0) {
    return real(host, service, hints, result);
  }
  __atomic_store_n(&requested_family, hints->ai_family, __ATOMIC_RELAXED);
  int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return EAI_SYSTEM;
  }
  close(file);
  return real("127.0.0.1", service, hints, result);
}

/* ---------------------------------------------------------------- Descriptors */

static rlim_t usual_limit;

static void set_limit(rlim_t limit) {
  struct rlimit limits;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
  limits.rlim_cur = limit;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &limits), 0);
}

/* Lowers the limit so that the process can open `count` more descriptors. */
static void leave_descriptors(int count) {
  int lowest = dup(STDOUT_FILENO);
  assert_true(lowest >= 0);
  close(lowest);
  int left = 0, limit = lowest;
  for (; left < count; limit++) {
    left += fcntl(limit, F_GETFD) < 0;
  }
  set_limit((rlim_t)limit);
}

static void restore_limit(void) {
  set_limit(usual_limit);
}

/* ---------------------------------------------------------------- The server */

typedef struct {
  pid_t process;
  int output;
  char url[64];
} server;

static server *server_start(const tls_server *files) {
  server *server = calloc(1, sizeof *server);
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  char *arguments[12] = {"argyle-sandbox", "--port", "0", "--key-id", KEY_ID, "--key-secret", KEY_SECRET};
  if (files != NULL) {
    arguments[7] = "--certificate";
    arguments[8] = (char *)files->certificate;
    arguments[9] = "--certificate-key";
    arguments[10] = (char *)files->key;
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  const char *program = getenv("ARGYLE_SANDBOX");
  assert_non_null(program);
  assert_int_equal(posix_spawn(&server->process, program, &actions, NULL, arguments, environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  server->output = ends[0];
  FILE *output = fdopen(dup(ends[0]), "r");
  char line[256];
  do {
    assert_non_null(fgets(line, sizeof line, output));
  } while (sscanf(line, "argyle-sandbox listening on %63s", server->url) != 1);
  fclose(output);
  return server;
}

static void server_stop(server *server) {
  kill(server->process, SIGTERM);
  while (waitpid(server->process, NULL, 0) < 0 && errno == EINTR) {
  }
  close(server->output);
  free(server);
}

/* ---------------------------------------------------------------- Scenarios */

typedef enum {
  ALONE,
  IN_A_QUEUE,
  BY_A_DESCRIPTOR, /* in a queue that is driven whenever its descriptor is readable */
  AT_ONCE,         /* several calls in a queue */
  BY_A_CURSOR,
  MODES
} mode;

static const char *const mode_names[MODES] = {"alone", "in a queue", "by a descriptor", "at once", "by a cursor"};

typedef struct {
  const char *name;
  int operation;
  mode mode;
  json_t *options;
  int code;              /* result of a call with enough descriptors */
  bool keeps_connection; /* the client has an idle connection when the limit is lowered */
  /* Set by each run. */
  argyle_client *client;
  char *user_id;
} scenario;

static bool has_user(int operation) {
  return operation != ARGYLE_OPERATION_USER_CREATE && operation != ARGYLE_OPERATION_USER_LIST;
}

static argyle_call *new_call(const scenario *scenario, argyle_error **error) {
  json_t *document = NULL;
  if (scenario->operation == ARGYLE_OPERATION_USER_CREATE || scenario->operation == ARGYLE_OPERATION_USER_UPDATE) {
    document = json_pack("{s:i}", "a", 1);
  }
  const char *user_id = has_user(scenario->operation) ? scenario->user_id : NULL;
  argyle_call *call = argyle_call_new(scenario->client, scenario->operation, user_id, document, error);
  json_decref(document);
  return call;
}

/* Returns the first error of the queue's calls. */
static argyle_error *call_in_queue(scenario *scenario) {
  argyle_error *error = NULL;
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  if (queue == NULL) {
    return error;
  }
  int descriptor = scenario->mode == BY_A_DESCRIPTOR ? argyle_queue_fd(queue, &error) : -1;
  if (error != NULL) {
    argyle_queue_free(queue);
    return error;
  }
  for (int i = 0; i < (scenario->mode == AT_ONCE ? 4 : 1); i++) {
    assert_int_equal(argyle_queue_submit(queue, new_call(scenario, NULL), NULL, NULL), 0);
  }
  while (argyle_queue_count(queue) > 0) {
    if (descriptor >= 0) {
      struct pollfd ready = {.fd = descriptor, .events = POLLIN};
      assert_int_equal(poll(&ready, 1, TIMEOUT_S * 1000), 1);
      assert_true(argyle_queue_drive(queue, NULL) >= 0);
    } else {
      assert_true(argyle_queue_wait(queue, -1, NULL) > 0);
    }
    argyle_call *call;
    while ((call = argyle_queue_next(queue, NULL, NULL)) != NULL) {
      if (error == NULL) {
        json_decref(argyle_call_json(call, &error));
      }
      argyle_call_free(call);
    }
  }
  argyle_queue_free(queue);
  return error;
}

static argyle_error *call_alone(scenario *scenario) {
  argyle_error *error = NULL;
  argyle_call *call = new_call(scenario, &error);
  if (argyle_call_run(call, &error) == 0) {
    assert_null(error);
    json_decref(argyle_call_json(call, &error));
  }
  argyle_call_free(call);
  return error;
}

static argyle_error *walk(scenario *scenario) {
  argyle_error *error = NULL;
  json_t *query = json_pack("{s:i}", "limit", 1);
  argyle_user_cursor *cursor = argyle_user_cursor_new(scenario->client, query, &error);
  json_decref(query);
  int count = 0;
  json_t *user;
  while (error == NULL && (user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    json_decref(user);
    count++;
  }
  argyle_user_cursor_free(cursor);
  assert_true(error != NULL || count >= USERS);
  return error;
}

/* Makes the scenario's calls; the caller frees the error. */
static argyle_error *act(scenario *scenario) {
  switch (scenario->mode) {
  case ALONE: return call_alone(scenario);
  case BY_A_CURSOR: return walk(scenario);
  default: return call_in_queue(scenario);
  }
}

static void fail_run(const scenario *scenario, int left, const argyle_error *error, const char *what) {
  restore_limit();
  print_error("%s, %s%s, %d descriptors left: %s: %s: %s\n", scenario->name, mode_names[scenario->mode],
              scenario->keeps_connection ? " on a reused connection" : "", left, what, argyle_error_name(error),
              argyle_error_message(error));
  fail();
}

/* Creates a user with a client that needs no new descriptor. */
static char *make_user(argyle_client *keeper) {
  json_t *user = argyle_user_create(keeper, NULL, NULL);
  assert_non_null(user);
  char *id = strdup(string_at(user, "id"));
  json_decref(user);
  return id;
}

/* Whether this is the error for having run out of descriptors. */
static bool reports_exhaustion(const argyle_error *error) {
  return argyle_error_code(error) == ARGYLE_ERROR_INTERNAL &&
         strstr(argyle_error_message(error), "file descriptors") != NULL &&
         argyle_error_outcome_is_unknown(error) == 0 && argyle_error_is_retryable(error) == 0 &&
         argyle_error_http_status(error) == 0;
}

/* Whether every address family is resolved: libcurl takes a failure to open an IPv6 socket for a lack of IPv6. */
static bool resolves_all_families(void) {
  int opened = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (opened >= 0) {
    close(opened);
  }
  return opened < 0 || __atomic_load_n(&requested_family, __ATOMIC_RELAXED) == AF_UNSPEC;
}

/* Runs the scenario once; returns whether descriptors ran out. */
static bool run(scenario *scenario, argyle_client *keeper, int left) {
  int before = count_descriptors();
  alarm(TIMEOUT_S);
  scenario->client = client_with_options(json_incref(scenario->options));
  scenario->user_id = make_user(keeper);
  if (scenario->keeps_connection) {
    argyle_error *error = act(scenario);
    if (argyle_error_code(error) != scenario->code) {
      fail_run(scenario, left, error, "before");
    }
    argyle_error_free(error);
    free(scenario->user_id);
    scenario->user_id = make_user(keeper);
  }
  leave_descriptors(left);
  argyle_error *error = act(scenario);
  restore_limit();
  bool ran_out = argyle_error_code(error) == ARGYLE_ERROR_INTERNAL;
  if (ran_out ? !reports_exhaustion(error) : argyle_error_code(error) != scenario->code) {
    fail_run(scenario, left, error, "unexpected result");
  }
  argyle_error_free(error);
  if (ran_out) {
    error = act(scenario);
    if (argyle_error_code(error) != scenario->code || !resolves_all_families()) {
      fail_run(scenario, left, error, "no full recovery");
    }
    argyle_error_free(error);
  }
  argyle_client_free(scenario->client);
  free(scenario->user_id);
  alarm(0);
  int after = count_descriptors();
  if (after != before) {
    print_error("%d descriptors before, %d after\n", before, after);
    fail_run(scenario, left, NULL, "a leak");
  }
  return ran_out;
}

/* Printed at the end. */
static int runs, max_needed;

/* Runs a scenario with ever more descriptors; returns how many were enough. */
static int sweep(scenario scenario, argyle_client *keeper) {
  int left = 0;
  while (run(&scenario, keeper, left)) {
    left++;
    assert_true(left < MAX_DESCRIPTORS);
  }
  runs += left + 1;
  max_needed = left > max_needed ? left : max_needed;
  return left;
}

/* ---------------------------------------------------------------- Fixtures */

typedef struct {
  tls_server *files;
  server *server;
  json_t *options;
  argyle_client *keeper; /* a client with an idle connection */
} fixture;

static json_t *options_of(const fixture *fixture) {
  json_t *options = options_for(fixture->server->url);
  if (fixture->files != NULL) {
    json_object_set_new(options, "ca_file", json_string(fixture->files->certificate));
  }
  return options;
}

static int setup_with(void **state, tls_server *files) {
  struct rlimit limits;
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &limits), 0);
  usual_limit = limits.rlim_cur;
  fixture *fixture = calloc(1, sizeof *fixture);
  fixture->files = files;
  fixture->server = server_start(files);
  fixture->options = options_of(fixture);
  fixture->keeper = client_with_options(json_incref(fixture->options));
  for (int i = 0; i < USERS; i++) {
    free(make_user(fixture->keeper));
  }
  *state = fixture;
  return 0;
}

static int setup(void **state) {
  return setup_with(state, NULL);
}

static int setup_secure(void **state) {
  return setup_with(state, tls_server_start("IP:127.0.0.1"));
}

static int teardown(void **state) {
  fixture *fixture = *state;
  restore_limit();
  alarm(0);
  failing_socket.number = failing_epoll_ctl.number = 0;
  requested_family = AF_UNSPEC;
  argyle_client_free(fixture->keeper);
  json_decref(fixture->options);
  server_stop(fixture->server);
  if (fixture->files != NULL) {
    tls_server_stop(fixture->files);
  }
  free(fixture);
  return 0;
}

/* ---------------------------------------------------------------- Sweeps */

static const struct {
  const char *name;
  int operation;
} operations[] = {
  {"create", ARGYLE_OPERATION_USER_CREATE},       {"get", ARGYLE_OPERATION_USER_GET},
  {"update", ARGYLE_OPERATION_USER_UPDATE},       {"list", ARGYLE_OPERATION_USER_LIST},
  {"delete", ARGYLE_OPERATION_USER_DELETE},       {"token", ARGYLE_OPERATION_USER_TOKEN_CREATE},
};

/* Every operation in every mode. */
static void every_operation(void **state) {
  fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(operations); i++) {
    for (mode mode = ALONE; mode <= BY_A_DESCRIPTOR; mode++) {
      sweep((scenario){.name = operations[i].name, .operation = operations[i].operation, .mode = mode,
                    .options = fixture->options},
            fixture->keeper);
    }
  }
}

static void calls_at_once(void **state) {
  fixture *fixture = *state;
  sweep((scenario){.name = "get", .operation = ARGYLE_OPERATION_USER_GET, .mode = AT_ONCE, .options = fixture->options},
        fixture->keeper);
}

static void cursors(void **state) {
  fixture *fixture = *state;
  sweep((scenario){.name = "walk", .mode = BY_A_CURSOR, .options = fixture->options}, fixture->keeper);
}

static void a_reused_connection_needs_no_descriptor(void **state) {
  fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(operations); i++) {
    if (operations[i].operation == ARGYLE_OPERATION_USER_DELETE) {
      continue;
    }
    int enough = sweep((scenario){.name = operations[i].name, .operation = operations[i].operation,
                               .options = fixture->options, .keeps_connection = true},
                       fixture->keeper);
    assert_int_equal(enough, 0);
  }
}

/* A refused connection is reported as such, and takes no more descriptors than one that is accepted. */
static void a_connection_that_is_refused(void **state) {
  fixture *fixture = *state;
  char url[64];
  closed_port_url(url, sizeof url);
  json_t *options = options_for(url);
  json_object_set_new(options, "max_retries", json_integer(0));
  scenario answered = {.name = "answered", .operation = ARGYLE_OPERATION_USER_LIST, .options = fixture->options};
  scenario refused = {.name = "refused", .operation = ARGYLE_OPERATION_USER_LIST, .options = options,
                   .code = ARGYLE_ERROR_CONNECTION};
  assert_int_equal(sweep(refused, fixture->keeper), sweep(answered, fixture->keeper));
  json_decref(options);
}

/* libcurl and the C library need descriptors to resolve a name. */
static void a_host_name(void **state) {
  fixture *fixture = *state;
  char url[64];
  snprintf(url, sizeof url, "http://" NAMED_HOST "%s", strrchr(fixture->server->url, ':'));
  json_t *options = options_for(url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "proxy", json_string(""));
  for (mode mode = ALONE; mode <= BY_A_DESCRIPTOR; mode++) {
    sweep((scenario){.name = "name", .operation = ARGYLE_OPERATION_USER_GET, .mode = mode, .options = options},
          fixture->keeper);
  }
  json_decref(options);
}

/* The system does not trust the server's certificate. */
static void certificates_of_the_system(void **state) {
  fixture *fixture = *state;
  json_t *options = options_for(fixture->server->url);
  sweep((scenario){.name = "system", .operation = ARGYLE_OPERATION_USER_CREATE, .options = options,
                .code = ARGYLE_ERROR_TLS},
        fixture->keeper);
  json_decref(options);
}

static void a_certificate_of_the_client(void **state) {
  fixture *fixture = *state;
  json_t *options = json_copy(fixture->options);
  json_object_set_new(options, "client_certificate_file", json_string(fixture->files->certificate));
  json_object_set_new(options, "client_key_file", json_string(fixture->files->key));
  for (mode mode = ALONE; mode <= AT_ONCE; mode++) {
    sweep((scenario){.name = "certificate", .operation = ARGYLE_OPERATION_USER_GET, .mode = mode, .options = options},
          fixture->keeper);
  }
  json_decref(options);
}

/* ---------------------------------------------------------------- Failing system calls */

/* The process or the system has reached its limit. */
static void a_socket_that_cannot_be_opened(void **state) {
  static const int errors[] = {EMFILE, ENFILE};
  fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(errors); i++) {
    scenario scenario = {.name = "socket", .operation = ARGYLE_OPERATION_USER_CREATE, .options = fixture->options};
    for (scenario.mode = ALONE; scenario.mode <= AT_ONCE; scenario.mode++) {
      scenario.client = client_with_options(json_incref(scenario.options));
      failing_socket = (failing){.number = 1, .error = errors[i]};
      argyle_error *error = act(&scenario);
      assert_true(failing_socket.made > 0);
      failing_socket.number = 0;
      if (!reports_exhaustion(error)) {
        fail_run(&scenario, 0, error, "unexpected result");
      }
      argyle_error_free(error);
      assert_null(act(&scenario));
      argyle_client_free(scenario.client);
    }
  }
}

/*
 * Each epoll_ctl() call fails in turn, and so do all after it. Waiting for a socket that is not watched would never
 * end.
 */
static void a_descriptor_that_cannot_be_watched(void **state) {
  static const int errors[] = {ENOMEM, ENOSPC};
  fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(errors); i++) {
    scenario scenario = {.name = "epoll_ctl", .operation = ARGYLE_OPERATION_USER_LIST, .options = fixture->options};
    for (scenario.mode = ALONE; scenario.mode < MODES; scenario.mode++) {
      bool has_failed = true;
      for (int number = 1; has_failed; number++) {
        alarm(TIMEOUT_S);
        scenario.client = client_with_options(json_incref(scenario.options));
        failing_epoll_ctl = (failing){.number = number, .error = errors[i]};
        argyle_error *error = act(&scenario);
        has_failed = failing_epoll_ctl.made >= number;
        failing_epoll_ctl.number = 0;
        /* A failed prefetch may be retried. */
        bool is_expected = has_failed ? argyle_error_code(error) == ARGYLE_ERROR_INTERNAL : error == NULL;
        if (!is_expected) {
          fail_run(&scenario, number, error, "unexpected result");
        }
        argyle_error_free(error);
        error = act(&scenario);
        if (error != NULL) {
          fail_run(&scenario, number, error, "no recovery");
        }
        argyle_client_free(scenario.client);
        alarm(0);
      }
    }
  }
}

#define clear_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define secure_test(test) {"secure_" #test, test, setup_secure, teardown, NULL}

int main(void) {
  const struct CMUnitTest tests[] = {
    clear_test(every_operation),
    clear_test(calls_at_once),
    clear_test(cursors),
    clear_test(a_reused_connection_needs_no_descriptor),
    clear_test(a_connection_that_is_refused),
    clear_test(a_host_name),
    clear_test(a_socket_that_cannot_be_opened),
    clear_test(a_descriptor_that_cannot_be_watched),
    secure_test(every_operation),
    secure_test(calls_at_once),
    secure_test(cursors),
    secure_test(a_reused_connection_needs_no_descriptor),
    secure_test(certificates_of_the_system),
    secure_test(a_certificate_of_the_client),
    secure_test(a_socket_that_cannot_be_opened),
    secure_test(a_descriptor_that_cannot_be_watched),
  };
  int failures = cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
  print_message("%d runs, at most %d descriptors needed\n", runs, max_needed);
  return failures;
}
