/*
 * libcurl and jansson when memory runs out: their Nth allocation fails, for each N until none is left to fail. Every
 * run has a right result or an error, leaks nothing of theirs, and leaves a client that works.
 *
 * Swift's own allocations are not made to fail: those abort the process, as argyle.h says.
 */
#include "gzip.h"
#include "hostile_server.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* So many allocations no operation makes: the search for the last one has an end. */
#define MOST_ALLOCATIONS 5000
/* A call that hangs would end with a time-out, which fails the test; under valgrind a run takes some 0.1 s. */
#define LONGEST_MS 120000
/* And any other that hangs ends the program. */
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
  FAIL_ONCE,    /* one, and those after it do not */
  FAIL_FROM_ON, /* one, and all after it */
  FORMS
} form;

static const char *const form_names[FORMS] = {"fails once", "fails from there on"};

/* Allocations of both libraries; those of the test's own thread can be made to fail. */
static struct {
  pthread_t thread;
  bool is_failing;
  form form;
  int number;  /* which one fails, from 1 */
  int made;    /* how many were asked for since then */
  int failed;  /* how many of them failed */
  bool hit_jansson; /* whether any of those was jansson's */
  long live;   /* how many were made and not freed yet */
} allocations;

/* Totals for the message at the end. */
static int runs, failed_allocations, most_allocations, garbled_results;

/* Whether the allocation that is asked for now is to fail. */
static bool fails(void) {
  /* The server's threads make none; libcurl may have a resolver's. */
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
  /* Before the first client, whose initialisation of libcurl then changes nothing. */
  return curl_global_init_mem(CURL_GLOBAL_DEFAULT, failing_malloc, counting_free, failing_realloc, failing_strdup,
                              failing_calloc);
}

static int teardown(void **state) {
  (void)state;
  print_message("%d runs, %d allocations failed, at most %d in one operation; jansson garbled %d results\n", runs,
                failed_allocations, most_allocations, garbled_results);
  return 0;
}

/* ---------------------------------------------------------------- What is tortured */

/* What a scene does while allocations fail, and once more when they do not. */
typedef struct scene scene;
struct scene {
  const char *name;
  /* What is done: true with a right result, else false with an error. */
  bool (*act)(scene *scene, argyle_error **error);
  int operation;
  const char *user_id;
  const char *document;
  const char *request;   /* the method, with a blank and what the body has to hold; NULL: not looked at */
  const char *result;    /* as JSON; NULL: none, as of a delete */
  const char *answers[2];
  int status;            /* 0: 200 */
  bool is_compressed;    /* whether the answers are */
  bool is_argument;      /* whether a library calls an argument wrong for want of memory */
  bool keeps_connection; /* whether the client has one when allocations begin to fail */
  bool has_queue;        /* whether the calls go through a queue */
  bool has_log;          /* whether the client tells a log */
  /* What the runs set. */
  hostile_server *server;
  argyle_client *client;
  argyle_queue *queue;
  argyle_call *call;
  json_t *argument, *expected, *options;
};

/*
 * Takes a result, and tells whether there is one; a wrong one fails the test.
 *
 * jansson 2.14's parser leaves a byte out without a word where it has no memory for a longer text, which nobody can
 * find out from outside: that much is passed over, and counted. A call keeps what was parsed.
 */
static bool is_expected(const scene *scene, json_t *result) {
  bool is_there = result != NULL;
  if (is_there && !json_equal(result, scene->expected)) {
    assert_true(allocations.hit_jansson && (allocations.is_failing || scene->call != NULL));
    garbled_results++;
  }
  json_decref(result);
  return is_there;
}

static bool call_alone(scene *scene, argyle_error **error) {
  switch (scene->operation) {
  case ARGYLE_OPERATION_USER_CREATE:
    return is_expected(scene, argyle_user_create(scene->client, scene->argument, error));
  case ARGYLE_OPERATION_USER_GET:
    return is_expected(scene, argyle_user_get(scene->client, scene->user_id, error));
  case ARGYLE_OPERATION_USER_UPDATE:
    return is_expected(scene, argyle_user_update(scene->client, scene->user_id, scene->argument, error));
  case ARGYLE_OPERATION_USER_LIST:
    return is_expected(scene, argyle_user_list(scene->client, scene->argument, error));
  case ARGYLE_OPERATION_USER_DELETE:
    return argyle_user_delete(scene->client, scene->user_id, error) == 0;
  default:
    return is_expected(scene, argyle_user_token_create(scene->client, scene->user_id, error));
  }
}

static bool call_in_queue(scene *scene, argyle_error **error) {
  argyle_call *call = argyle_call_new(scene->client, scene->operation, scene->user_id, scene->argument, error);
  if (call == NULL) {
    return false;
  }
  assert_int_equal(argyle_queue_submit(scene->queue, call, scene, error), 0);
  assert_int_equal(argyle_queue_wait(scene->queue, -1, error), 1);
  void *tag = NULL;
  assert_ptr_equal(argyle_queue_next(scene->queue, &tag, error), call);
  assert_ptr_equal(tag, scene);
  bool has_failed = argyle_call_error(call) != NULL;
  json_t *result = argyle_call_json(call, error);
  assert_true(!has_failed || *error != NULL);
  bool is_right = *error == NULL && (is_expected(scene, result) || scene->result == NULL);
  argyle_call_free(call);
  return is_right;
}

static bool act(scene *scene, argyle_error **error) {
  return scene->has_queue ? call_in_queue(scene, error) : call_alone(scene, error);
}

/* ---------------------------------------------------------------- Runs */

static void ignore(int level, const char *message, const json_t *fields, void *context) {
  (void)context;
  assert_in_range(level, ARGYLE_LOG_DEBUG, ARGYLE_LOG_WARNING);
  assert_non_null(message);
  assert_non_null(json_object_get(fields, "method"));
}

static void answer(const scene *scene, const char *text) {
  if (scene->is_compressed) {
    size_t length;
    char *bytes = gzip_with_spaces(text, 1000, &length);
    hostile_server_answer_http(scene->server, 200, "Content-Encoding: gzip\r\n", bytes, length);
    free(bytes);
  } else {
    int status = scene->status == 0 ? 200 : scene->status;
    hostile_server_answer_http(scene->server, status, "X-Trace-Id: trace\r\n", text, strlen(text));
  }
}

static void begin(scene *scene) {
  scene->server = hostile_server_start();
  for (size_t i = 0; i < COUNT(scene->answers) && scene->answers[i] != NULL; i++) {
    answer(scene, scene->answers[i]);
  }
  scene->options = options_for(hostile_server_url(scene->server));
  json_object_set_new(scene->options, "timeout_ms", json_integer(LONGEST_MS));
  scene->client = client_with_options(json_incref(scene->options));
  if (scene->has_log) {
    argyle_client *client = argyle_client_with_log(scene->client, ignore, NULL, NULL);
    argyle_client_free(scene->client);
    scene->client = client;
  }
  scene->queue = scene->has_queue ? argyle_queue_new(NULL, NULL) : NULL;
  scene->argument = scene->document != NULL ? json_of(scene->document) : NULL;
  scene->expected = scene->result != NULL ? json_of(scene->result) : NULL;
}

static void end(scene *scene) {
  argyle_call_free(scene->call);
  argyle_queue_free(scene->queue);
  argyle_client_free(scene->client);
  hostile_server_stop(scene->server);
  json_decref(scene->options);
  json_decref(scene->argument);
  json_decref(scene->expected);
  scene->call = NULL;
}

/* The codes that want of memory may have: libcurl does not always tell it from a connection that cannot be made. */
static bool is_possible(const scene *scene, int code) {
  switch (code) {
  case ARGYLE_ERROR_INTERNAL:
  case ARGYLE_ERROR_CONNECTION: return true;
  case ARGYLE_ERROR_ARGUMENT: return scene->is_argument;
  /* jansson takes a text for which it has no memory for an invalid token; what zlib wants memory for is unreadable. */
  case ARGYLE_ERROR_PROTOCOL: return allocations.hit_jansson || scene->is_compressed;
  case ARGYLE_ERROR_NOT_FOUND: return scene->status == 404;
  /* libcurl calls a header line without end a want of memory, and so one may be taken for the other. */
  case ARGYLE_ERROR_TOO_LARGE: return true;
  default: return false;
  }
}

static void fail_run(const scene *scene, form form, int number, const argyle_error *error, const char *what) {
  print_error("%s, %s%s, allocation %d %s: %s: %s: %s\n", scene->name, scene->has_queue ? "in a queue" : "alone",
              scene->keeps_connection ? " on a kept connection" : "", number, form_names[form], what,
              argyle_error_name(error), argyle_error_message(error));
  fail();
}

/* Asserts that the last request was right: nothing of it may be lost in silence. */
static void check_request(const scene *scene) {
  if (scene->request == NULL) {
    return;
  }
  const hostile_request *request =
    hostile_server_request(scene->server, hostile_server_requests(scene->server) - 1);
  const char *body = strchr(scene->request, ' ') + 1;
  assert_memory_equal(scene->request, request->method, strlen(request->method));
  assert_non_null(strstr(request->body, body));
  assert_true(*body != '\0' || request->body_length == 0);
  const char *authorization = hostile_request_header(request, "Authorization");
  assert_non_null(authorization);
  assert_string_equal(authorization, KEY_BASIC);
  assert_non_null(hostile_request_header(request, "Accept"));
  assert_int_equal(*body != '\0', hostile_request_header(request, "Content-Type") != NULL);
}

/* Makes one run and tells whether an allocation failed in it. */
static bool run(scene *scene, form form, int number) {
  argyle_error *error = NULL;
  /* A test that crashed may have left it on. */
  stop_failing();
  long live = allocations.live;
  begin(scene);
  if (scene->keeps_connection && !scene->act(scene, &error)) {
    argyle_error_free(error);
    error = NULL;
  }
  alarm(TIMEOUT_S);
  start_failing(form, number);
  bool is_right = scene->act(scene, &error);
  stop_failing();
  if (allocations.made > most_allocations) {
    most_allocations = allocations.made;
  }
  failed_allocations += allocations.failed;
  runs++;
  bool has_failed = allocations.failed > 0;
  if (is_right != (error == NULL)) {
    fail_run(scene, form, number, error, "a result or an error");
  }
  if (error != NULL) {
    int code = argyle_error_code(error);
    if (!is_possible(scene, code) || (!has_failed && code != ARGYLE_ERROR_NOT_FOUND)) {
      fail_run(scene, form, number, error, "not the code of what happened");
    }
    assert_failed(error, code, NULL);
    error = NULL;
  }
  if (is_right) {
    check_request(scene);
  }
  if (!scene->act(scene, &error) && (scene->status != 404 || argyle_error_http_status(error) != 404)) {
    fail_run(scene, form, number, error, "nothing works afterwards");
  }
  argyle_error_free(error);
  check_request(scene);
  alarm(0);
  end(scene);
  if (allocations.live != live) {
    print_error("%ld allocations are left\n", allocations.live - live);
    fail_run(scene, form, number, NULL, "a leak");
  }
  return has_failed;
}

/* Under valgrind only every few allocations fail, other ones in each form: AddressSanitizer sees all of them. */
static int allocation_step(void) {
  const char *step = getenv("ARGYLE_TORTURE_STEP");
  return step != NULL && atoi(step) > 1 ? atoi(step) : 1;
}

/* Makes all runs of a scene. */
static void torture(scene scene) {
  for (form form = 0; form < FORMS; form++) {
    int step = allocation_step(), number = 1 + (int)form % step;
    while (run(&scene, form, number)) {
      number += step;
      assert_true(number < MOST_ALLOCATIONS);
    }
  }
}

/* All runs of an operation: alone and in a queue, with a new connection and with one that was kept. */
static void torture_operation(scene scene) {
  scene.act = act;
  for (int i = 0; i < 4; i++) {
    scene.has_queue = (i & 1) != 0;
    scene.keeps_connection = (i & 2) != 0;
    torture(scene);
  }
}

/* ---------------------------------------------------------------- Operations */

static void creating_a_user(void **state) {
  (void)state;
  torture_operation((scene){.name = "create", .operation = ARGYLE_OPERATION_USER_CREATE,
                            .request = "POST {\"external_metadata\":{",
                            .document = METADATA,
                            .result = USER, .answers = {USER}, .is_argument = true});
}

static void getting_a_user(void **state) {
  (void)state;
  torture_operation((scene){.name = "get", .operation = ARGYLE_OPERATION_USER_GET, .request = "GET ",
                            .user_id = "u1", .result = USER, .answers = {USER}});
}

static void updating_a_user(void **state) {
  (void)state;
  torture_operation((scene){.name = "update", .operation = ARGYLE_OPERATION_USER_UPDATE,
                            .request = "PATCH {\"external_metadata\":{",
                            .user_id = "u1",
                            .document = METADATA, .result = USER, .answers = {USER}, .is_argument = true});
}

static void listing_users(void **state) {
  (void)state;
  torture_operation((scene){.name = "list", .operation = ARGYLE_OPERATION_USER_LIST, .request = "GET ",
                            .document = "{\"limit\": 1}",
                            .result = FIRST_PAGE, .answers = {FIRST_PAGE}, .is_compressed = true});
}

static void listing_users_of_a_bare_array(void **state) {
  (void)state;
  torture_operation((scene){.name = "list of a bare array", .operation = ARGYLE_OPERATION_USER_LIST, .request = "GET ",
                            .result = "{\"results\": [{\"id\": \"u1\"}], \"next\": null, \"previous\": null, "
                                      "\"count\": null}",
                            .answers = {"[{\"id\": \"u1\"}]"}});
}

static void deleting_a_user(void **state) {
  (void)state;
  torture_operation((scene){.name = "delete", .operation = ARGYLE_OPERATION_USER_DELETE, .request = "DELETE ",
                            .user_id = "u1",
                            .answers = {""}, .status = 204});
}

static void creating_a_token(void **state) {
  (void)state;
  torture_operation((scene){.name = "token", .operation = ARGYLE_OPERATION_USER_TOKEN_CREATE,
                            .request = "POST {\"user\":\"u1\"}",
                            .user_id = "u1",
                            .result = "{\"access\": \"a\"}", .answers = {"{\"access\": \"a\"}"}});
}

static void a_failure_of_the_service(void **state) {
  (void)state;
  torture_operation((scene){.name = "not found", .operation = ARGYLE_OPERATION_USER_GET, .request = "GET ",
                            .user_id = "u1",
                            .answers = {"{\"detail\": \"Not found.\"}"}, .status = 404});
}

static void a_client_with_a_log(void **state) {
  (void)state;
  torture_operation((scene){.name = "log", .operation = ARGYLE_OPERATION_USER_DELETE, .request = "DELETE ",
                            .user_id = "u1",
                            .answers = {""}, .status = 204, .has_log = true});
}

/* Several calls at once, of which one may fail without the others. */
static bool call_together(scene *scene, argyle_error **error) {
  int wrong = 0;
  *error = NULL;
  for (int i = 0; i < 4; i++) {
    argyle_call *call = argyle_call_new(scene->client, scene->operation, scene->user_id, NULL, NULL);
    assert_int_equal(argyle_queue_submit(scene->queue, call, NULL, NULL), 0);
  }
  while (argyle_queue_count(scene->queue) > 0) {
    assert_true(argyle_queue_wait(scene->queue, -1, NULL) > 0);
    argyle_call *call = argyle_queue_next(scene->queue, NULL, NULL);
    argyle_error *failure = RUBBISH;
    json_t *result = argyle_call_json(call, &failure);
    wrong += !is_expected(scene, result);
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
  scene scene = {.name = "at once", .act = call_together, .operation = ARGYLE_OPERATION_USER_GET, .user_id = "u1",
                 .result = USER, .answers = {USER}, .has_queue = true};
  torture(scene);
  scene.keeps_connection = true;
  torture(scene);
}

/* ---------------------------------------------------------------- Reading answers */

static bool read_call(scene *scene, argyle_error **error) {
  if (scene->call == NULL) {
    bool was_failing = allocations.is_failing;
    stop_failing();
    scene->call = argyle_call_new(scene->client, scene->operation, scene->user_id, NULL, NULL);
    assert_int_equal(argyle_call_run(scene->call, NULL), 0);
    allocations.is_failing = was_failing;
  }
  return is_expected(scene, argyle_call_json(scene->call, error));
}

/* The call is run before: what fails is the parser's, and then it can be asked again. */
static void reading_an_answer(void **state) {
  (void)state;
  torture((scene){.name = "call_json", .act = read_call, .operation = ARGYLE_OPERATION_USER_GET, .user_id = "u1",
                  .result = USER, .answers = {USER}});
}

static bool read_claims(scene *scene, argyle_error **error) {
  return is_expected(scene, argyle_token_claims("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln", error));
}

static void reading_claims(void **state) {
  (void)state;
  torture((scene){.name = "claims", .act = read_claims, .result = "{\"a\": 1}", .answers = {""},
                  .is_argument = true});
}

/* ---------------------------------------------------------------- Cursors */

/* Whether the text is that of a page that has not been given yet, which it is then. */
static bool is_page(const char *text, const char *const pages[], int *given) {
  return *given < 2 && strcmp(text, pages[*given]) == 0 && ++*given > 0;
}

/* Walks to the end, or to the first error. */
static bool walk(scene *scene, argyle_user_cursor *cursor, argyle_error **error) {
  static const char *const ids[] = {"u1", "u2"};
  static const char *const texts[] = {FIRST_PAGE, LAST_PAGE};
  int given = 0;
  *error = NULL;
  while (*error == NULL) {
    json_t *value = NULL;
    const char *text = NULL;
    switch (scene->operation) {
    case 0: value = argyle_user_cursor_next(cursor, error); break;
    case 1: value = argyle_user_cursor_next_page(cursor, error); break;
    default: text = argyle_user_cursor_next_page_text(cursor, NULL, error);
    }
    if (value == NULL && text == NULL) {
      break;
    }
    assert_null(*error);
    if (text != NULL) {
      assert_true(is_page(text, texts, &given));
    } else {
      json_t *user = scene->operation == 0 ? value : json_array_get(json_object_get(value, "results"), 0);
      assert_true(is_page(string_at(user, "id"), ids, &given));
    }
    json_decref(value);
  }
  if (*error == NULL) {
    assert_int_equal(given, 2);
  }
  return *error == NULL;
}

static bool walk_pages(scene *scene, argyle_error **error) {
  /* Once the first page was given, the server gives the last one again and again. */
  if (!allocations.is_failing) {
    return argyle_user_delete(scene->client, "u1", error) == 0;
  }
  argyle_user_cursor *cursor = argyle_user_cursor_new(scene->client, NULL, error);
  if (cursor == NULL) {
    return false;
  }
  bool is_right = walk(scene, cursor, error);
  argyle_user_cursor_free(cursor);
  return is_right;
}

static void walking(void **state) {
  (void)state;
  for (int form = 0; form < 3; form++) {
    torture((scene){.name = "cursor", .act = walk_pages, .operation = form, .answers = {FIRST_PAGE, LAST_PAGE}});
  }
}

/* ---------------------------------------------------------------- Clients */

/* A client that was made has to be what its options say: it is used. */
static bool use(argyle_client *client, argyle_error **error) {
  bool was_failing = allocations.is_failing;
  stop_failing();
  bool is_right = client != NULL && argyle_user_delete(client, "u1", error) == 0;
  argyle_client_free(client);
  allocations.is_failing = was_failing;
  return is_right;
}

static bool make_client(scene *scene, argyle_error **error) {
  return use(argyle_client_new(scene->options, error), error);
}

static void making_a_client(void **state) {
  (void)state;
  torture((scene){.name = "client_new", .act = make_client, .answers = {""}, .status = 204});
}

static bool change_client(scene *scene, argyle_error **error) {
  return use(argyle_client_with(scene->client, scene->options, error), error);
}

static void changing_a_client(void **state) {
  (void)state;
  torture((scene){.name = "client_with", .act = change_client, .answers = {""}, .status = 204});
}

/* The proxy's password must never be missing from what messages hide. */
static bool set_proxy(scene *scene, argyle_error **error) {
  argyle_client *client = argyle_client_with(scene->client, scene->argument, error);
  argyle_client_free(client);
  return client != NULL;
}

static void setting_a_proxy(void **state) {
  (void)state;
  torture((scene){.name = "proxy", .act = set_proxy, .document = "{\"proxy\": \"http://u:p%41@127.0.0.1:1\"}",
                  .answers = {""}, .is_argument = true});
}

static bool make_queue(scene *scene, argyle_error **error) {
  (void)scene;
  argyle_queue *queue = argyle_queue_new(NULL, error);
  bool is_right = queue != NULL && argyle_queue_fd(queue, error) >= 0;
  argyle_queue_free(queue);
  return is_right;
}

static void making_a_queue(void **state) {
  (void)state;
  torture((scene){.name = "queue_new", .act = make_queue, .answers = {""}});
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(making_a_client),
    cmocka_unit_test(changing_a_client),
    cmocka_unit_test(setting_a_proxy),
    cmocka_unit_test(making_a_queue),
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
