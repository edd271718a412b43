/*
 * libcurl and jansson when memory runs out: their Nth allocation fails, for each N up to the number of allocations.
 * Every run has the right result or an error, leaks none of their memory, and leaves a working client.
 *
 * Swift's own allocations do not fail here: they would abort the process, as argyle.h says.
 */
#include "gzip.h"
#include "hostile_server.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* No operation makes this many, so that the runs end. */
#define MAX_ALLOCATIONS 5000
/* A call that hangs times out, which fails the test; under valgrind a run takes about 0.1 s. */
#define CALL_TIMEOUT_MS 120000
/* alarm() ends any other hang. */
#define TIMEOUT_S 300

#define METADATA "{\"tags\": [\"a\", 2, 3.5, null, true], \"nested\": {\"name\": \"b\\u0000c\"}}"
#define USER "{\"id\": \"u1\", \"token\": \"t\", \"external_metadata\": " METADATA "}"
#define PAGE(id, next) \
  "{\"results\": [{\"id\": \"" id "\"}], \"next\": " next ", \"previous\": null, \"count\": 2}"
#define FIRST_PAGE PAGE("u1", "\"https://h.example/v1/users?offset=1\"")
#define LAST_PAGE PAGE("u2", "null")

/* ---------------------------------------------------------------- Allocations */

/* Which allocations fail. */
typedef enum {
  FAIL_ONCE, /* one */
  FAIL_FROM, /* one, and all after it */
  FORMS
} form;

static const char *const form_names[FORMS] = {"fails once", "fails from there on"};

/* Allocations of both libraries, which can fail on the test's own thread. */
static struct {
  pthread_t thread;
  bool is_failing;
  form form;
  int number;       /* the one that fails, from 1 */
  int made;         /* attempted since start_failing() */
  int failed;       /* those of them that failed */
  bool hit_jansson; /* one of those was jansson's */
  long live;        /* allocated and not freed yet */
} allocations;

/* Totals, printed at the end. */
static int runs, failed_allocations, max_allocations, garbled_results;

/* Whether the current allocation must fail. */
static bool fails(void) {
  /* Not on another thread, such as libcurl's resolver. */
  if (!pthread_equal(pthread_self(), allocations.thread) || !allocations.is_failing) {
    return false;
  }
  allocations.made++;
  if (allocations.form == FAIL_ONCE ? allocations.made != allocations.number
                                    : allocations.made < allocations.number) {
    return false;
  }
  allocations.failed++;
  return true;
}

static void *counted(void *memory) {
  if (memory != NULL) {
    __atomic_add_fetch(&allocations.live, 1, __ATOMIC_RELAXED);
  }
  return memory;
}

static void *failing_malloc(size_t size) {
  return fails() ? NULL : counted(malloc(size));
}

static void *failing_malloc_of_jansson(size_t size) {
  int before = allocations.failed;
  void *memory = failing_malloc(size);
  allocations.hit_jansson = allocations.hit_jansson || allocations.failed > before;
  return memory;
}

static void *failing_calloc(size_t count, size_t size) {
  return fails() ? NULL : counted(calloc(count, size));
}

static char *failing_strdup(const char *text) {
  return fails() ? NULL : counted(strdup(text));
}

static void *failing_realloc(void *memory, size_t size) {
  if (fails()) {
    return NULL;
  }
  void *moved = realloc(memory, size);
  return memory == NULL ? counted(moved) : moved;
}

static void counting_free(void *memory) {
  if (memory != NULL) {
    __atomic_sub_fetch(&allocations.live, 1, __ATOMIC_RELAXED);
  }
  free(memory);
}

static void start_failing(form form, int number) {
  allocations.form = form;
  allocations.number = number;
  allocations.made = 0;
  allocations.failed = 0;
  allocations.hit_jansson = false;
  allocations.is_failing = true;
}

static void stop_failing(void) {
  allocations.is_failing = false;
}

static int setup(void **state) {
  (void)state;
  allocations.thread = pthread_self();
  json_set_alloc_funcs(failing_malloc_of_jansson, counting_free);
  /* Before the first client, which then does not initialise libcurl again. */
  return curl_global_init_mem(CURL_GLOBAL_DEFAULT, failing_malloc, counting_free, failing_realloc, failing_strdup,
                              failing_calloc);
}

static int teardown(void **state) {
  (void)state;
  print_message("%d runs, %d allocations failed, at most %d in one operation; jansson garbled %d results\n", runs,
                failed_allocations, max_allocations, garbled_results);
  return 0;
}

/* ---------------------------------------------------------------- Scenarios */

/* An action that runs while allocations fail, and once more while they do not. */
typedef struct scenario scenario;
struct scenario {
  const char *name;
  /* Returns true with the right result, or false with an error. */
  bool (*act)(scenario *scenario, argyle_error **error);
  int operation;
  const char *user_id;
  const char *document;
  const char *request;   /* the method, a space and part of the body; NULL: not checked */
  const char *result;    /* as JSON; NULL: none, as for a delete */
  const char *answers[2];
  int status;            /* 0: 200 */
  bool is_compressed;    /* the answers are compressed */
  bool is_argument;      /* out of memory may be reported as an invalid argument */
  bool keeps_connection; /* the client has an idle connection when allocations start to fail */
  bool has_queue;        /* the calls run in a queue */
  bool has_log;          /* the client has a log function */
  /* Set by each run. */
  hostile_server *server;
  argyle_client *client;
  argyle_queue *queue;
  argyle_call *call;
  json_t *argument, *expected, *options;
};

/*
 * Releases a result and returns whether there was one; a wrong one fails the test.
 *
 * When it runs out of memory for a longer text, jansson 2.14's parser silently omits a byte, which cannot be detected
 * from outside: such results are accepted and counted. A call keeps its parsed result.
 */
static bool is_expected(const scenario *scenario, json_t *result) {
  bool is_present = result != NULL;
  if (is_present && !json_equal(result, scenario->expected)) {
    assert_true(allocations.hit_jansson && (allocations.is_failing || scenario->call != NULL));
    garbled_results++;
  }
  json_decref(result);
  return is_present;
}

static bool call_alone(scenario *scenario, argyle_error **error) {
  switch (scenario->operation) {
  case ARGYLE_OPERATION_USER_CREATE:
    return is_expected(scenario, argyle_user_create(scenario->client, scenario->argument, error));
  case ARGYLE_OPERATION_USER_GET:
    return is_expected(scenario, argyle_user_get(scenario->client, scenario->user_id, error));
  case ARGYLE_OPERATION_USER_UPDATE:
    return is_expected(scenario, argyle_user_update(scenario->client, scenario->user_id, scenario->argument, error));
  case ARGYLE_OPERATION_USER_LIST:
    return is_expected(scenario, argyle_user_list(scenario->client, scenario->argument, error));
  case ARGYLE_OPERATION_USER_DELETE:
    return argyle_user_delete(scenario->client, scenario->user_id, error) == 0;
  default:
    return is_expected(scenario, argyle_user_token_create(scenario->client, scenario->user_id, error));
  }
}

static bool call_in_queue(scenario *scenario, argyle_error **error) {
  argyle_call *call =
    argyle_call_new(scenario->client, scenario->operation, scenario->user_id, scenario->argument, error);
  if (call == NULL) {
    return false;
  }
  assert_int_equal(argyle_queue_submit(scenario->queue, call, scenario, error), 0);
  assert_int_equal(argyle_queue_wait(scenario->queue, -1, error), 1);
  void *tag = NULL;
  assert_ptr_equal(argyle_queue_next(scenario->queue, &tag, error), call);
  assert_ptr_equal(tag, scenario);
  bool has_failed = argyle_call_error(call) != NULL;
  json_t *result = argyle_call_json(call, error);
  assert_true(!has_failed || *error != NULL);
  bool succeeded = *error == NULL && (is_expected(scenario, result) || scenario->result == NULL);
  argyle_call_free(call);
  return succeeded;
}

static bool act(scenario *scenario, argyle_error **error) {
  return scenario->has_queue ? call_in_queue(scenario, error) : call_alone(scenario, error);
}

/* ---------------------------------------------------------------- Runs */

static void ignore(int level, const char *message, const json_t *fields, void *context) {
  (void)context;
  assert_in_range(level, ARGYLE_LOG_DEBUG, ARGYLE_LOG_WARNING);
  assert_non_null(message);
  assert_non_null(json_object_get(fields, "method"));
}

static void answer(const scenario *scenario, const char *text) {
  if (scenario->is_compressed) {
    size_t length;
    char *bytes = gzip_with_spaces(text, 1000, &length);
    hostile_server_answer_http(scenario->server, 200, "Content-Encoding: gzip\r\n", bytes, length);
    free(bytes);
  } else {
    int status = scenario->status == 0 ? 200 : scenario->status;
    hostile_server_answer_http(scenario->server, status, "X-Trace-Id: trace\r\n", text, strlen(text));
  }
}

static void begin(scenario *scenario) {
  scenario->server = hostile_server_start();
  for (size_t i = 0; i < COUNT(scenario->answers) && scenario->answers[i] != NULL; i++) {
    answer(scenario, scenario->answers[i]);
  }
  scenario->options = options_for(hostile_server_url(scenario->server));
  json_object_set_new(scenario->options, "timeout_ms", json_integer(CALL_TIMEOUT_MS));
  scenario->client = client_with_options(json_incref(scenario->options));
  if (scenario->has_log) {
    argyle_client *client = argyle_client_with_log(scenario->client, ignore, NULL, NULL);
    argyle_client_free(scenario->client);
    scenario->client = client;
  }
  scenario->queue = scenario->has_queue ? argyle_queue_new(NULL, NULL) : NULL;
  scenario->argument = scenario->document != NULL ? json_of(scenario->document) : NULL;
  scenario->expected = scenario->result != NULL ? json_of(scenario->result) : NULL;
}

static void end(scenario *scenario) {
  argyle_call_free(scenario->call);
  argyle_queue_free(scenario->queue);
  argyle_client_free(scenario->client);
  hostile_server_stop(scenario->server);
  json_decref(scenario->options);
  json_decref(scenario->argument);
  json_decref(scenario->expected);
  scenario->call = NULL;
}

/* Codes that running out of memory may cause: libcurl sometimes reports it as a failed connection. */
static bool is_plausible(const scenario *scenario, int code) {
  switch (code) {
  case ARGYLE_ERROR_INTERNAL:
  case ARGYLE_ERROR_CONNECTION: return true;
  case ARGYLE_ERROR_ARGUMENT: return scenario->is_argument;
  /* Without memory, jansson reports an invalid token, and zlib invalid data. */
  case ARGYLE_ERROR_PROTOCOL: return allocations.hit_jansson || scenario->is_compressed;
  case ARGYLE_ERROR_NOT_FOUND: return scenario->status == 404;
  /* libcurl reports an endless header line as out of memory, so that the two may be confused. */
  case ARGYLE_ERROR_TOO_LARGE: return true;
  default: return false;
  }
}

static void fail_run(const scenario *scenario, form form, int number, const argyle_error *error, const char *what) {
  print_error("%s, %s%s, allocation %d %s: %s: %s: %s\n", scenario->name, scenario->has_queue ? "in a queue" : "alone",
              scenario->keeps_connection ? " on a reused connection" : "", number, form_names[form], what,
              argyle_error_name(error), argyle_error_message(error));
  fail();
}

/* Asserts that no part of the last request was silently lost. */
static void check_request(const scenario *scenario) {
  if (scenario->request == NULL) {
    return;
  }
  const hostile_request *request =
    hostile_server_request(scenario->server, hostile_server_requests(scenario->server) - 1);
  const char *body = strchr(scenario->request, ' ') + 1;
  assert_memory_equal(scenario->request, request->method, strlen(request->method));
  assert_non_null(strstr(request->body, body));
  assert_true(*body != '\0' || request->body_length == 0);
  const char *authorization = hostile_request_header(request, "Authorization");
  assert_non_null(authorization);
  assert_string_equal(authorization, KEY_BASIC);
  assert_non_null(hostile_request_header(request, "Accept"));
  assert_int_equal(*body != '\0', hostile_request_header(request, "Content-Type") != NULL);
}

/* Runs the scenario once; returns whether an allocation failed. */
static bool run(scenario *scenario, form form, int number) {
  argyle_error *error = NULL;
  /* A failed test may not have stopped it. */
  stop_failing();
  long live = allocations.live;
  begin(scenario);
  if (scenario->keeps_connection && !scenario->act(scenario, &error)) {
    argyle_error_free(error);
    error = NULL;
  }
  alarm(TIMEOUT_S);
  start_failing(form, number);
  bool succeeded = scenario->act(scenario, &error);
  stop_failing();
  if (allocations.made > max_allocations) {
    max_allocations = allocations.made;
  }
  failed_allocations += allocations.failed;
  runs++;
  bool has_failed = allocations.failed > 0;
  if (succeeded != (error == NULL)) {
    fail_run(scenario, form, number, error, "a result or an error");
  }
  if (error != NULL) {
    int code = argyle_error_code(error);
    if (!is_plausible(scenario, code) || (!has_failed && code != ARGYLE_ERROR_NOT_FOUND)) {
      fail_run(scenario, form, number, error, "unexpected code");
    }
    assert_failed(error, code, NULL);
    error = NULL;
  }
  if (succeeded) {
    check_request(scenario);
  }
  if (!scenario->act(scenario, &error) && (scenario->status != 404 || argyle_error_http_status(error) != 404)) {
    fail_run(scenario, form, number, error, "no recovery");
  }
  argyle_error_free(error);
  check_request(scenario);
  alarm(0);
  end(scenario);
  if (allocations.live != live) {
    print_error("%ld allocations are left\n", allocations.live - live);
    fail_run(scenario, form, number, NULL, "a leak");
  }
  return has_failed;
}

/* Under valgrind only every nth allocation fails, different ones in each form; AddressSanitizer covers all. */
static int allocation_step(void) {
  const char *step = getenv("ARGYLE_TORTURE_STEP");
  return step != NULL && atoi(step) > 1 ? atoi(step) : 1;
}

/* Runs a scenario until no allocation fails. */
static void torture(scenario scenario) {
  for (form form = 0; form < FORMS; form++) {
    int step = allocation_step(), number = 1 + (int)form % step;
    while (run(&scenario, form, number)) {
      number += step;
      assert_true(number < MAX_ALLOCATIONS);
    }
  }
}

/* Runs an operation alone and in a queue, on a new and on a reused connection. */
static void torture_operation(scenario scenario) {
  scenario.act = act;
  for (int i = 0; i < 4; i++) {
    scenario.has_queue = (i & 1) != 0;
    scenario.keeps_connection = (i & 2) != 0;
    torture(scenario);
  }
}

/* ---------------------------------------------------------------- Operations */

static void creating_a_user(void **state) {
  (void)state;
  torture_operation((scenario){.name = "create", .operation = ARGYLE_OPERATION_USER_CREATE,
                            .request = "POST {\"external_metadata\":{",
                            .document = METADATA,
                            .result = USER, .answers = {USER}, .is_argument = true});
}

static void getting_a_user(void **state) {
  (void)state;
  torture_operation((scenario){.name = "get", .operation = ARGYLE_OPERATION_USER_GET, .request = "GET ",
                            .user_id = "u1", .result = USER, .answers = {USER}});
}

static void updating_a_user(void **state) {
  (void)state;
  torture_operation((scenario){.name = "update", .operation = ARGYLE_OPERATION_USER_UPDATE,
                            .request = "PATCH {\"external_metadata\":{",
                            .user_id = "u1",
                            .document = METADATA, .result = USER, .answers = {USER}, .is_argument = true});
}

static void listing_users(void **state) {
  (void)state;
  torture_operation((scenario){.name = "list", .operation = ARGYLE_OPERATION_USER_LIST, .request = "GET ",
                            .document = "{\"limit\": 1}",
                            .result = FIRST_PAGE, .answers = {FIRST_PAGE}, .is_compressed = true});
}

static void listing_users_of_a_bare_array(void **state) {
  (void)state;
  torture_operation((scenario){.name = "bare array", .operation = ARGYLE_OPERATION_USER_LIST, .request = "GET ",
                            .result = "{\"results\": [{\"id\": \"u1\"}], \"next\": null, \"previous\": null, "
                                      "\"count\": null}",
                            .answers = {"[{\"id\": \"u1\"}]"}});
}

static void deleting_a_user(void **state) {
  (void)state;
  torture_operation((scenario){.name = "delete", .operation = ARGYLE_OPERATION_USER_DELETE, .request = "DELETE ",
                            .user_id = "u1",
                            .answers = {""}, .status = 204});
}

static void creating_a_token(void **state) {
  (void)state;
  torture_operation((scenario){.name = "token", .operation = ARGYLE_OPERATION_USER_TOKEN_CREATE,
                            .request = "POST {\"user\":\"u1\"}",
                            .user_id = "u1",
                            .result = "{\"access\": \"a\"}", .answers = {"{\"access\": \"a\"}"}});
}

static void a_failure_of_the_service(void **state) {
  (void)state;
  torture_operation((scenario){.name = "not found", .operation = ARGYLE_OPERATION_USER_GET, .request = "GET ",
                            .user_id = "u1",
                            .answers = {"{\"detail\": \"Not found.\"}"}, .status = 404});
}

static void a_client_with_a_log(void **state) {
  (void)state;
  torture_operation((scenario){.name = "log", .operation = ARGYLE_OPERATION_USER_DELETE, .request = "DELETE ",
                            .user_id = "u1",
                            .answers = {""}, .status = 204, .has_log = true});
}

/* Makes several calls at once, of which any may fail alone. */
static bool call_together(scenario *scenario, argyle_error **error) {
  int wrong = 0;
  *error = NULL;
  for (int i = 0; i < 4; i++) {
    argyle_call *call = argyle_call_new(scenario->client, scenario->operation, scenario->user_id, NULL, NULL);
    assert_int_equal(argyle_queue_submit(scenario->queue, call, NULL, NULL), 0);
  }
  while (argyle_queue_count(scenario->queue) > 0) {
    assert_true(argyle_queue_wait(scenario->queue, -1, NULL) > 0);
    argyle_call *call = argyle_queue_next(scenario->queue, NULL, NULL);
    argyle_error *failure = RUBBISH;
    json_t *result = argyle_call_json(call, &failure);
    wrong += !is_expected(scenario, result);
    if (failure != NULL) {
      argyle_error_free(*error);
      *error = failure;
    }
    argyle_call_free(call);
  }
  return wrong == 0;
}

static void calls_at_once(void **state) {
  (void)state;
  scenario scenario = {.name = "at once", .act = call_together, .operation = ARGYLE_OPERATION_USER_GET, .user_id = "u1",
                 .result = USER, .answers = {USER}, .has_queue = true};
  torture(scenario);
  scenario.keeps_connection = true;
  torture(scenario);
}

/* ---------------------------------------------------------------- Reading answers */

static bool read_call(scenario *scenario, argyle_error **error) {
  if (scenario->call == NULL) {
    bool was_failing = allocations.is_failing;
    stop_failing();
    scenario->call = argyle_call_new(scenario->client, scenario->operation, scenario->user_id, NULL, NULL);
    assert_int_equal(argyle_call_run(scenario->call, NULL), 0);
    allocations.is_failing = was_failing;
  }
  return is_expected(scenario, argyle_call_json(scenario->call, error));
}

/* The call has completed before: only the parser's allocations fail, after which it can be called again. */
static void reading_an_answer(void **state) {
  (void)state;
  torture((scenario){.name = "call_json", .act = read_call, .operation = ARGYLE_OPERATION_USER_GET, .user_id = "u1",
                  .result = USER, .answers = {USER}});
}

static bool read_claims(scenario *scenario, argyle_error **error) {
  return is_expected(scenario, argyle_token_claims("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", error));
}

static void reading_claims(void **state) {
  (void)state;
  torture((scenario){.name = "claims", .act = read_claims, .result = "{\"a\": 1}", .answers = {""},
                  .is_argument = true});
}

/* ---------------------------------------------------------------- Cursors */

/* Whether the text is the next expected page, which is then counted. */
static bool is_page(const char *text, const char *const pages[], int *seen) {
  return *seen < 2 && strcmp(text, pages[*seen]) == 0 && ++*seen > 0;
}

/* Walks to the end, or to the first error. */
static bool walk(scenario *scenario, argyle_user_cursor *cursor, argyle_error **error) {
  static const char *const ids[] = {"u1", "u2"};
  static const char *const texts[] = {FIRST_PAGE, LAST_PAGE};
  int seen = 0;
  *error = NULL;
  while (*error == NULL) {
    json_t *value = NULL;
    const char *text = NULL;
    switch (scenario->operation) {
    case 0: value = argyle_user_cursor_next(cursor, error); break;
    case 1: value = argyle_user_cursor_next_page(cursor, error); break;
    default: text = argyle_user_cursor_next_page_text(cursor, NULL, error);
    }
    if (value == NULL && text == NULL) {
      break;
    }
    assert_null(*error);
    if (text != NULL) {
      assert_true(is_page(text, texts, &seen));
    } else {
      json_t *user = scenario->operation == 0 ? value : json_array_get(json_object_get(value, "results"), 0);
      assert_true(is_page(string_at(user, "id"), ids, &seen));
    }
    json_decref(value);
  }
  if (*error == NULL) {
    assert_int_equal(seen, 2);
  }
  return *error == NULL;
}

static bool walk_pages(scenario *scenario, argyle_error **error) {
  /* After the first page, the server repeats the last one. */
  if (!allocations.is_failing) {
    return argyle_user_delete(scenario->client, "u1", error) == 0;
  }
  argyle_user_cursor *cursor = argyle_user_cursor_new(scenario->client, NULL, error);
  if (cursor == NULL) {
    return false;
  }
  bool succeeded = walk(scenario, cursor, error);
  argyle_user_cursor_free(cursor);
  return succeeded;
}

static void walking(void **state) {
  (void)state;
  for (int form = 0; form < 3; form++) {
    torture((scenario){.name = "cursor", .act = walk_pages, .operation = form, .answers = {FIRST_PAGE, LAST_PAGE}});
  }
}

/* ---------------------------------------------------------------- Clients */

/* Uses a new client, because it must have all of its options. */
static bool use(argyle_client *client, argyle_error **error) {
  bool was_failing = allocations.is_failing;
  stop_failing();
  bool succeeded = client != NULL && argyle_user_delete(client, "u1", error) == 0;
  argyle_client_free(client);
  allocations.is_failing = was_failing;
  return succeeded;
}

static bool create_client(scenario *scenario, argyle_error **error) {
  return use(argyle_client_new(scenario->options, error), error);
}

static void creating_a_client(void **state) {
  (void)state;
  torture((scenario){.name = "client_new", .act = create_client, .answers = {""}, .status = 204});
}

static bool change_client(scenario *scenario, argyle_error **error) {
  return use(argyle_client_with(scenario->client, scenario->options, error), error);
}

static void changing_a_client(void **state) {
  (void)state;
  torture((scenario){.name = "client_with", .act = change_client, .answers = {""}, .status = 204});
}

/* The proxy's password must always be redacted from messages. */
static bool set_proxy(scenario *scenario, argyle_error **error) {
  argyle_client *client = argyle_client_with(scenario->client, scenario->argument, error);
  argyle_client_free(client);
  return client != NULL;
}

static void setting_a_proxy(void **state) {
  (void)state;
  torture((scenario){.name = "proxy", .act = set_proxy, .document = "{\"proxy\": \"http://u:p%41@127.0.0.1:1\"}",
                  .answers = {""}, .is_argument = true});
}

static bool create_queue(scenario *scenario, argyle_error **error) {
  (void)scenario;
  argyle_queue *queue = argyle_queue_new(NULL, error);
  bool succeeded = queue != NULL && argyle_queue_fd(queue, error) >= 0;
  argyle_queue_free(queue);
  return succeeded;
}

static void creating_a_queue(void **state) {
  (void)state;
  torture((scenario){.name = "queue_new", .act = create_queue, .answers = {""}});
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(creating_a_client),
    cmocka_unit_test(changing_a_client),
    cmocka_unit_test(setting_a_proxy),
    cmocka_unit_test(creating_a_queue),
    cmocka_unit_test(creating_a_user),
    cmocka_unit_test(getting_a_user),
    cmocka_unit_test(updating_a_user),
    cmocka_unit_test(listing_users),
    cmocka_unit_test(listing_users_of_a_bare_array),
    cmocka_unit_test(deleting_a_user),
    cmocka_unit_test(creating_a_token),
    cmocka_unit_test(a_failure_of_the_service),
    cmocka_unit_test(a_client_with_a_log),
    cmocka_unit_test(calls_at_once),
    cmocka_unit_test(reading_an_answer),
    cmocka_unit_test(reading_claims),
    cmocka_unit_test(walking),
  };
  return cmocka_run_group_tests_name("torture", tests, setup, teardown);
}
