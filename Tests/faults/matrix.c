#include "matrix.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>

/* A limit that no cell reaches: a call that hangs is ended by clock.c. */
#define NEVER_MS 600000

/* ---------------------------------------------------------------- Columns */

typedef enum { BY_FUNCTION, BY_QUEUE, BY_USERS, BY_PAGES, BY_TEXTS } form;

typedef struct {
  const char *name;
  int operation;
  form form;
} column;

#define BOTH_FORMS(name, operation) {name, operation, BY_FUNCTION}, {name " by queue", operation, BY_QUEUE}

static const column all_columns[] = {
  BOTH_FORMS("create", ARGYLE_OPERATION_USER_CREATE),
  BOTH_FORMS("get", ARGYLE_OPERATION_USER_GET),
  BOTH_FORMS("update", ARGYLE_OPERATION_USER_UPDATE),
  BOTH_FORMS("list", ARGYLE_OPERATION_USER_LIST),
  BOTH_FORMS("delete", ARGYLE_OPERATION_USER_DELETE),
  BOTH_FORMS("token create", ARGYLE_OPERATION_USER_TOKEN_CREATE),
  {"cursor of users", ARGYLE_OPERATION_USER_LIST, BY_USERS},
  {"cursor of pages", ARGYLE_OPERATION_USER_LIST, BY_PAGES},
  {"cursor of texts", ARGYLE_OPERATION_USER_LIST, BY_TEXTS},
};

/* Whether a repeated request creates a second object. */
static bool creates(const column *column) {
  return column->operation == ARGYLE_OPERATION_USER_CREATE ||
         column->operation == ARGYLE_OPERATION_USER_TOKEN_CREATE;
}

static bool changes(const column *column) {
  return column->operation != ARGYLE_OPERATION_USER_GET && column->operation != ARGYLE_OPERATION_USER_LIST;
}

static bool is_cursor(const column *column) {
  return column->form >= BY_USERS;
}

static bool deletes(const column *column) {
  return column->operation == ARGYLE_OPERATION_USER_DELETE;
}

static bool is_among(const column *column, columns columns) {
  switch (columns) {
  case ALL_COLUMNS:
    return true;
  case ONLY_CREATE:
    return column->operation == ARGYLE_OPERATION_USER_CREATE;
  case ONLY_GET:
    return column->operation == ARGYLE_OPERATION_USER_GET;
  case ONLY_UPDATE:
    return column->operation == ARGYLE_OPERATION_USER_UPDATE;
  case ONLY_LIST:
    return column->operation == ARGYLE_OPERATION_USER_LIST;
  case ONLY_LIST_ITSELF:
    return column->operation == ARGYLE_OPERATION_USER_LIST && column->form <= BY_QUEUE;
  case ONLY_DELETE:
    return deletes(column);
  case ONLY_TOKEN_CREATE:
    return column->operation == ARGYLE_OPERATION_USER_TOKEN_CREATE;
  case ONLY_RETRYABLE:
    return !creates(column);
  case ONLY_CREATIONS:
    return creates(column);
  }
  return false;
}

/* ---------------------------------------------------------------- Cells */

typedef struct {
  const column *column;
  hostile_server *server;
  argyle_client *client;
  argyle_queue *queue;        /* NULL unless BY_QUEUE */
  argyle_user_cursor *cursor; /* NULL unless the form is a cursor's */
  pthread_t thread;

  /* The operation's outcome. */
  argyle_error *error; /* RUBBISH if none was set */
  bool succeeded;      /* judged by the result alone */
  argyle_call *call;   /* NULL unless BY_QUEUE */
  int64_t elapsed_ms;
  int requests_before;
} cell;

/* The current row, so that a failed test can clean up and print where it failed. */
static struct {
  hostile_server *shared;
  cell cells[COUNT(all_columns)];
  size_t count;
  int api_version;
  char row[128]; /* a copy: the fault may no longer exist when it is printed */
  const char *column;
} current;

static int rows_seen, cells_seen;

static int column_step(void) {
  const char *step = getenv("ARGYLE_FAULT_STEP");
  return step != NULL && atoi(step) > 1 ? atoi(step) : 1;
}

bool is_sampled(void) {
  return column_step() > 1;
}

/* ---------------------------------------------------------------- Running operations */

/* Whether users are created and updated with fields. */
static bool with_fields(void) {
  return current.api_version == 2;
}

/* Runs an operation in the queue and returns the call; NULL with an error on failure. */
static argyle_call *call_by_queue(const cell *cell, int operation, argyle_error **error) {
  bool with_user = operation != ARGYLE_OPERATION_USER_CREATE && operation != ARGYLE_OPERATION_USER_LIST;
  bool with_document = operation == ARGYLE_OPERATION_USER_UPDATE;
  if (with_fields() && operation == ARGYLE_OPERATION_USER_CREATE) {
    operation = ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS;
    with_document = true;
  } else if (with_fields() && operation == ARGYLE_OPERATION_USER_UPDATE) {
    operation = ARGYLE_OPERATION_USER_UPDATE_WITH_FIELDS;
  }
  static const char document[] = "{\"a\": 1}";
  argyle_call *call = argyle_call_new_text(cell->client, operation, with_user ? "u1" : NULL,
                                           with_document ? document : NULL, strlen(document), error);
  if (argyle_queue_submit(cell->queue, call, NULL, error) != 0 || argyle_queue_wait(cell->queue, -1, error) != 1) {
    argyle_call_free(call);
    return NULL;
  }
  return argyle_queue_next(cell->queue, NULL, error);
}

/* Runs the operation. It asserts nothing, because it may run on another thread. */
static void run_operation(cell *cell) {
  json_t *value = NULL;
  json_t *fields = json_pack("{s:s}", "external_id", "e");
  size_t size = 0;
  cell->error = RUBBISH;
  cell->succeeded = false;
  cell->requests_before = hostile_server_requests(cell->server);
  int64_t begin = now_ms();
  switch (cell->column->form) {
  case BY_QUEUE:
    cell->call = call_by_queue(cell, cell->column->operation, &cell->error);
    if (cell->call != NULL) {
      value = argyle_call_json(cell->call, &cell->error);
      cell->succeeded = deletes(cell->column) && cell->error == NULL;
    }
    break;
  case BY_USERS:
    value = argyle_user_cursor_next(cell->cursor, &cell->error);
    break;
  case BY_PAGES:
    value = argyle_user_cursor_next_page(cell->cursor, &cell->error);
    break;
  case BY_TEXTS:
    cell->succeeded = argyle_user_cursor_next_page_text(cell->cursor, &size, &cell->error) != NULL;
    break;
  case BY_FUNCTION:
    switch (cell->column->operation) {
    case ARGYLE_OPERATION_USER_CREATE:
      value = with_fields() ? argyle_user_create_with_fields(cell->client, fields, &cell->error)
                            : argyle_user_create(cell->client, NULL, &cell->error);
      break;
    case ARGYLE_OPERATION_USER_GET:
      value = argyle_user_get(cell->client, "u1", &cell->error);
      break;
    case ARGYLE_OPERATION_USER_UPDATE:
      value = with_fields() ? argyle_user_update_with_fields(cell->client, "u1", fields, &cell->error)
                            : argyle_user_update(cell->client, "u1", json_true(), &cell->error);
      break;
    case ARGYLE_OPERATION_USER_LIST:
      value = argyle_user_list(cell->client, NULL, &cell->error);
      break;
    case ARGYLE_OPERATION_USER_DELETE:
      cell->succeeded = argyle_user_delete(cell->client, "u1", &cell->error) == 0;
      break;
    default:
      value = argyle_user_token_create(cell->client, "u1", &cell->error);
    }
  }
  cell->elapsed_ms = now_ms() - begin;
  cell->succeeded = cell->succeeded || value != NULL;
  json_decref(value);
  json_decref(fields);
}

static void *run_on_thread(void *cell) {
  run_operation(cell);
  return NULL;
}

static void free_outcome(cell *cell) {
  if (cell->error != RUBBISH) {
    argyle_error_free(cell->error);
  }
  argyle_call_free(cell->call);
  cell->error = NULL;
  cell->call = NULL;
}

/* ---------------------------------------------------------------- Expectations */

typedef struct {
  int code;
  int status;
  int attempts;
  int retryable;
  int unknown;
  bool has_body;
} expectation;

/* The outcome that the header documents for a fault and an operation. */
static expectation expected(const fault *fault, const column *column) {
  expectation all = {.code = fault->code, .attempts = 1, .unknown = changes(column)};
  switch (fault->consequence) {
  case NO_FAULT:
    return (expectation){.code = ARGYLE_OK};
  case NOT_SENT:
    all.retryable = 1;
    all.unknown = 0;
    break;
  case NOT_SENT_PERMANENT:
    all.unknown = 0;
    break;
  case LOST:
  case MAYBE_SENT:
    all.retryable = !creates(column);
    break;
  case NOT_HTTP:
    all.status = fault->has_status ? 200 : 0;
    break;
  case UNREADABLE:
    if (deletes(column) || (column->form == BY_TEXTS && fault->text_succeeds)) {
      return (expectation){.code = ARGYLE_OK};
    }
    all.status = fault->status != 0 ? fault->status : 200;
    all.has_body = true;
    break;
  case REFUSED:
    all.status = fault->status;
    all.has_body = true;
    switch (fault->status) {
    case 429:
      all.retryable = 1;
      all.unknown = 0;
      break;
    case 503:
      all.retryable = fault->retry_after_ms != 0 || !creates(column);
      all.unknown = fault->retry_after_ms == 0 && changes(column);
      break;
    case 408:
    case 500:
    case 502:
    case 504:
      all.retryable = !creates(column);
      break;
    default:
      /* Two server errors are refusals: not implemented, and an unsupported HTTP version. */
      if (fault->status < 500 || fault->status == 501 || fault->status == 505) {
        all.unknown = 0;
      }
    }
  }
  return all;
}

/* A cursor requests 200 users, and halves that while the page is too large: 100, 50, 25, 12, 6, 3 and 1. */
#define SMALLER_PAGES 7

static int requests_expected(const fault *fault, const column *column) {
  if (fault->requests != 0) {
    return fault->requests;
  }
  bool is_read = !fault->https && !fault->answer.on_connect && !fault->answer.unread;
  bool reaches_server = is_read && !fault->closed && fault->base_url == NULL;
  bool is_too_large = fault->code == ARGYLE_ERROR_TOO_LARGE && fault->has_status;
  int maximum = is_too_large && is_cursor(column) ? 1 + SMALLER_PAGES : 1;
  return reaches_server ? maximum : 0;
}

/* The limit that ends an operation; 0 if none does. */
static int limit_ms(const fault *fault) {
  if (fault->deadline_ms != 0) {
    return fault->deadline_ms;
  }
  return fault->timeout_ms != 0 ? fault->timeout_ms : fault->connect_timeout_ms;
}

/* ---------------------------------------------------------------- Checks */

static void check_time(const fault *fault, const cell *cell) {
  int limit = limit_ms(fault);
  if (fault->code == ARGYLE_ERROR_TIMEOUT && fault->max_retries == 0) {
    /* A flood keeps advancing the clock while the client's system buffers it. */
    assert_in_range(cell->elapsed_ms, limit, fault->answer.then == HOSTILE_FLOOD ? INT_MAX : limit + 1);
  }
}

/* The server may record a request just after the client has given up. */
static void check_requests(const cell *cell, int expected) {
  assert_true(hostile_server_wait_for_requests(cell->server, cell->requests_before + expected));
  assert_int_equal(hostile_server_requests(cell->server) - cell->requests_before, expected);
}

static void check_error(const fault *fault, const cell *cell, expectation expected) {
  assert_error(cell->error, expected.code, fault->fragment);
  assert_int_equal(argyle_error_http_status(cell->error), expected.status);
  assert_int_equal(argyle_error_attempts(cell->error), fault->requests > 1 ? fault->requests : expected.attempts);
  int retryable = argyle_error_is_retryable(cell->error);
  int unknown = argyle_error_outcome_is_unknown(cell->error);
  if (fault->consequence == MAYBE_SENT && creates(cell->column)) {
    /* Retryable exactly if it did not reach the service. */
    assert_int_equal(retryable, !unknown);
  } else {
    assert_int_equal(retryable, expected.retryable);
    if (fault->consequence != MAYBE_SENT) {
      assert_int_equal(unknown, expected.unknown);
    }
  }
  assert_int_equal(argyle_error_body_text(cell->error) != NULL, expected.has_body);
  if (!expected.has_body) {
    assert_null(argyle_error_body(cell->error));
    assert_int_equal(argyle_error_body_size(cell->error), 0);
  }
  int retry_after_ms = fault->retry_after_ms != 0 ? fault->retry_after_ms : -1;
  assert_int_equal(argyle_error_retry_after_ms(cell->error), retry_after_ms);
}

static void check_call(const fault *fault, const cell *cell, expectation expected) {
  /* An unreadable answer fails only when it is parsed: the call itself has succeeded. */
  bool failed = expected.code != ARGYLE_OK && fault->consequence != UNREADABLE;
  assert_int_equal(argyle_error_code(argyle_call_error(cell->call)), failed ? expected.code : ARGYLE_OK);
  if (expected.code != ARGYLE_OK) {
    assert_int_equal(argyle_call_body_text(cell->call) != NULL, expected.has_body);
    assert_int_equal(argyle_call_http_status(cell->call), expected.status);
    assert_int_equal(argyle_call_attempts(cell->call), argyle_error_attempts(cell->error));
  }
}

static void check(const fault *fault, const cell *cell) {
  expectation outcome = expected(fault, cell->column);
  check_time(fault, cell);
  assert_true(cell->error != RUBBISH);
  if (outcome.code == ARGYLE_OK) {
    if (cell->error != NULL) {
      print_error("%s: %s\n", argyle_error_name(cell->error), argyle_error_message(cell->error));
    }
    assert_null(cell->error);
    /* A cursor may have reached the end. */
    assert_true(cell->succeeded || is_cursor(cell->column));
  } else {
    assert_false(cell->succeeded);
    check_error(fault, cell, outcome);
  }
  assert_int_equal(cell->call != NULL, cell->column->form == BY_QUEUE);
  if (cell->call != NULL) {
    check_call(fault, cell, outcome);
  }
}

/* ---------------------------------------------------------------- Rows */

static void set_integer(json_t *options, const char *key, int value) {
  if (value != 0) {
    json_object_set_new(options, key, json_integer(value));
  }
}

static argyle_client *client_of(const fault *fault, const hostile_server *server) {
  char url[64];
  snprintf(url, sizeof url, "%s://127.0.0.1:%d", fault->https ? "https" : "http", hostile_server_port(server));
  json_t *options = options_for(fault->base_url != NULL ? fault->base_url : url);
  if (fault->proxy != NULL) {
    snprintf(url, sizeof url, "%s://127.0.0.1:%d", fault->proxy, hostile_server_port(server));
    json_object_set_new(options, "base_url", json_string("https://api.example"));
    json_object_set_new(options, "proxy", json_string(url));
  }
  set_integer(options, "timeout_ms", fault->timeout_ms != 0 ? fault->timeout_ms : NEVER_MS);
  set_integer(options, "connect_timeout_ms", fault->connect_timeout_ms != 0 ? fault->connect_timeout_ms : NEVER_MS);
  set_integer(options, "deadline_ms", fault->deadline_ms);
  set_integer(options, "stall_timeout_ms", fault->stall_timeout_ms);
  set_integer(options, "max_retries", fault->max_retries);
  set_integer(options, "max_response_bytes", fault->max_response_bytes);
  set_integer(options, "api_version", fault->api_version);
  return without_waits(client_with_options(options));
}

static hostile_server *server_of(const fault *fault) {
  hostile_server *server = fault->closed ? hostile_server_start_closed() : hostile_server_start();
  if (fault->reused) {
    char answer[512];
    snprintf(answer, sizeof answer, OK_HEAD "Content-Length: %zu\r\n\r\n" GOOD_BODY, strlen(GOOD_BODY));
    hostile_server_answer(server, (hostile_answer){.bytes = answer, .stray = fault->stray,
                                                   .then = fault->closed_by_stray ? HOSTILE_CLOSE : HOSTILE_KEEP});
  }
  if (!fault->closed) {
    hostile_answer answer = fault->answer;
    /* libcurl times out only once the limit is exceeded. */
    answer.advance_ms = limit_ms(fault) != 0 ? limit_ms(fault) + 1 : 0;
    hostile_server_answer(server, answer);
  }
  if (fault->then != NULL) {
    hostile_server_answer(server, *fault->then);
  }
  return server;
}

static bool has_own_server(const fault *fault) {
  return fault->concurrent || fault->reused;
}

static void begin_row(const fault *fault) {
  snprintf(current.row, sizeof current.row, "%s", fault->name);
  current.api_version = fault->api_version;
  current.count = 0;
  stop_clock();
  if (!has_own_server(fault)) {
    current.shared = server_of(fault);
  }
  int place = rows_seen++;
  for (size_t i = 0; i < COUNT(all_columns); i++) {
    if (!is_among(&all_columns[i], fault->columns) || place++ % column_step() != 0) {
      continue;
    }
    cell *new = &current.cells[current.count++];
    *new = (cell){.column = &all_columns[i]};
    new->server = has_own_server(fault) ? server_of(fault) : current.shared;
    new->client = client_of(fault, new->server);
    if (new->column->form == BY_QUEUE) {
      new->queue = argyle_queue_new(NULL, NULL);
    }
    if (is_cursor(new->column)) {
      new->cursor = argyle_user_cursor_new(new->client, NULL, NULL);
    }
  }
}

static void end_row(void) {
  for (size_t i = 0; i < current.count; i++) {
    cell *cell = &current.cells[i];
    free_outcome(cell);
    argyle_queue_free(cell->queue);
    argyle_user_cursor_free(cell->cursor);
    argyle_client_free(cell->client);
    if (cell->server != NULL && cell->server != current.shared) {
      hostile_server_stop(cell->server);
    }
  }
  if (current.shared != NULL) {
    hostile_server_stop(current.shared);
  }
  clock_teardown(NULL);
  memset(&current, 0, sizeof current);
}

/* Leaves an idle connection for the next request. */
static void use_connection(const cell *cell) {
  json_t *user = NULL;
  if (cell->queue != NULL) {
    argyle_call *call = call_by_queue(cell, ARGYLE_OPERATION_USER_GET, NULL);
    user = argyle_call_json(call, NULL);
    argyle_call_free(call);
  } else {
    user = argyle_user_get(cell->client, "u1", NULL);
  }
  assert_non_null(user);
  json_decref(user);
}

static void run_cell(const fault *fault, cell *cell) {
  current.column = cell->column->name;
  if (fault->reused) {
    use_connection(cell);
  }
  if (fault->stray != NULL) {
    hostile_server_wait_for_strays(cell->server, 1);
  }
  run_operation(cell);
}

static void check_cell(const fault *fault, cell *cell) {
  current.column = cell->column->name;
  check(fault, cell);
  check_requests(cell, requests_expected(fault, cell->column));
  free_outcome(cell);
  count_cell();
}

static void run_cells(const fault *fault) {
  if (!fault->concurrent || limit_ms(fault) != 0 || fault->max_retries != 0) {
    for (size_t i = 0; i < current.count; i++) {
      run_cell(fault, &current.cells[i]);
      check_cell(fault, &current.cells[i]);
    }
    return;
  }
  for (size_t i = 0; i < current.count; i++) {
    pthread_create(&current.cells[i].thread, NULL, run_on_thread, &current.cells[i]);
  }
  for (size_t i = 0; i < current.count; i++) {
    pthread_join(current.cells[i].thread, NULL);
  }
  for (size_t i = 0; i < current.count; i++) {
    check_cell(fault, &current.cells[i]);
  }
}

/* Makes the servers healthy again and checks that each client recovers. */
static void check_recovery(const fault *was) {
  const fault none = {.consequence = NO_FAULT};
  if (was->closed) {
    hostile_server_open(current.shared);
  }
  for (size_t i = 0; i < current.count; i++) {
    cell *cell = &current.cells[i];
    current.column = cell->column->name;
    if (i == 0 || cell->server != current.shared) {
      hostile_server_answer_json(cell->server, 200, GOOD_BODY);
    }
    run_operation(cell);
    check(&none, cell);
    free_outcome(cell);
  }
}

void run_fault(const fault *fault) {
  int before = count_descriptors();
  begin_row(fault);
  run_cells(fault);
  if (!fault->https && fault->base_url == NULL && fault->proxy == NULL) {
    check_recovery(fault);
  }
  end_row();
  assert_int_equal(count_descriptors(), before);
}

void run_numbered_fault(fault fault, int number) {
  char name[128];
  snprintf(name, sizeof name, "%s: %d", fault.name, number);
  fault.name = name;
  run_fault(&fault);
}

void count_cell(void) {
  cells_seen++;
}

/* ---------------------------------------------------------------- Programs */

/* libcurl's first use opens descriptors that stay open. */
static int use_everything_once(void **state) {
  (void)state;
  run_fault(&(fault){.name = "nothing", .answer = {.bytes = OK_UNTIL_CLOSED GOOD_BODY, .then = HOSTILE_CLOSE}});
  cells_seen = 0;
  return 0;
}

int matrix_teardown(void **state) {
  (void)state;
  if (current.row[0] != '\0') {
    print_error("in the row \"%s\", column \"%s\"\n", current.row, current.column != NULL ? current.column : "");
  }
  end_row();
  return 0;
}

static void run_fault_of_table(void **state) {
  run_fault(*state);
}

int run_matrix(const char *name, const fault *faults, size_t fault_count, const struct CMUnitTest *tests,
               size_t test_count) {
  struct CMUnitTest *all = calloc(fault_count + test_count, sizeof *all);
  size_t count = 0;
  for (size_t i = 0; i < fault_count; i++) {
    all[count++] = (struct CMUnitTest){.name = faults[i].name,
                                       .test_func = run_fault_of_table,
                                       .teardown_func = matrix_teardown,
                                       .initial_state = (void *)&faults[i]};
  }
  for (size_t i = 0; i < test_count; i++) {
    all[count++] = tests[i];
  }
  int failed = _cmocka_run_group_tests(name, all, count, use_everything_once, NULL);
  free(all);
  printf("matrix: %d cells\n", cells_seen);
  return failed;
}
