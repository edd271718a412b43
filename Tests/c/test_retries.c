/*
 * What is retried and what is not, how often and after what wait: the client options max_retries, deadline_ms and
 * max_retry_after_ms of argyle.h. Requests are counted by the server.
 */
#include "child.h"
#include "clock.h"
#include "cursor.h"
#include "hostile_server.h"
#include "queue.h"
#include "sandbox.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

/* A success for every operation. */
#define SUCCESS "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": []}"
/* A Retry-After that never passes by the stopped clock: the test ends the wait. */
#define LONG "50"
/* A client's retry budget before its first success. */
#define BUDGET 100

/* A timeout that expires when the server advances the clock, after it has read the request. */
#define SHORT_MS SHORT_LIMIT_MS

/* ---------------------------------------------------------------- Servers and clients */

static argyle_client *client_with_retries(const hostile_server *server, int max_retries) {
  return client_with_integer(hostile_server_url(server), "max_retries", max_retries);
}

/* A copy of a client with one option changed. */
static argyle_client *client_like(argyle_client *client, const char *option, json_int_t value) {
  argyle_error *error = RUBBISH;
  json_t *overrides = json_pack("{s:I}", option, value);
  argyle_client *other = argyle_client_with(client, overrides, &error);
  json_decref(overrides);
  assert_null(error);
  assert_non_null(other);
  return other;
}

/* Changes an option of the fixture's client. */
static void set_option(hostile_fixture *fixture, const char *option, json_int_t value) {
  argyle_client *client = client_like(fixture->client, option, value);
  argyle_client_free(fixture->client);
  fixture->client = client;
}

/* A server and a client for it, for tests that need many of them. */
static hostile_fixture start(int max_retries) {
  hostile_fixture fixture = {.server = hostile_server_start()};
  fixture.client = client_with_retries(fixture.server, max_retries);
  return fixture;
}

static void stop(hostile_fixture *fixture) {
  argyle_client_free(fixture->client);
  hostile_server_stop(fixture->server);
}

/* The same with a first answer, a stopped clock, a timeout of SHORT_MS, and waits that take no time. */
static hostile_fixture start_with(hostile_answer first, int max_retries) {
  stop_clock();
  hostile_fixture fixture = start(max_retries);
  set_option(&fixture, "timeout_ms", SHORT_MS);
  fixture.client = without_waits(fixture.client);
  hostile_server_answer(fixture.server, first);
  return fixture;
}

/* Adds an answer with a status; Retry-After may be NULL. */
static void answer_status(hostile_fixture *fixture, int status, const char *retry_after) {
  char headers[128] = "Content-Type: application/json\r\n";
  if (retry_after != NULL) {
    size_t length = strlen(headers);
    snprintf(headers + length, sizeof headers - length, "Retry-After: %s\r\n", retry_after);
  }
  hostile_server_answer_http(fixture->server, status, headers, "{\"detail\": \"no\"}", strlen("{\"detail\": \"no\"}"));
}

static void answer_success(hostile_fixture *fixture) {
  hostile_server_answer_json(fixture->server, 200, SUCCESS);
}

/* Ways to lose an answer. */
#define CUT "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"id\": \"u1\", "
static const hostile_answer lost[] = {
  {.then = HOSTILE_CLOSE},
  {.then = HOSTILE_RESET},
  {.bytes = CUT, .then = HOSTILE_CLOSE},
  {.bytes = CUT, .then = HOSTILE_RESET},
  {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .then = HOSTILE_CLOSE},
  {.then = HOSTILE_STALL, .advance_ms = SHORT_MS},
  {.bytes = CUT, .then = HOSTILE_STALL, .advance_ms = SHORT_MS},
};

/* ---------------------------------------------------------------- Operations */

typedef struct {
  int number;
  const char *user_id;
  const char *document;
} operation;

static const operation idempotent[] = {
  {ARGYLE_OPERATION_USER_GET, "u1", NULL},
  {ARGYLE_OPERATION_USER_LIST, NULL, NULL},
  {ARGYLE_OPERATION_USER_UPDATE, "u1", "{\"a\": 1}"},
  {ARGYLE_OPERATION_USER_DELETE, "u1", NULL},
};

/* Not idempotent: a second request creates a second object. */
static const operation creations[] = {
  {ARGYLE_OPERATION_USER_CREATE, NULL, "{\"a\": 1}"},
  {ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", NULL},
};

#define GET (idempotent[0])
#define UPDATE (idempotent[2])
#define DELETE (idempotent[3])
#define CREATE (creations[0])

/* Ways to run an operation. */
typedef enum { FUNCTION, CALL, QUEUE, WAYS } way;

/* The result of an operation. */
typedef struct {
  argyle_error *error;
  int attempts; /* 0 if a blocking function succeeded, which does not return it */
  int status;   /* the same */
} result;

static argyle_call *new_call(argyle_client *client, operation operation) {
  argyle_error *error = RUBBISH;
  size_t size = operation.document != NULL ? strlen(operation.document) : 0;
  argyle_call *call =
    argyle_call_new_text(client, operation.number, operation.user_id, operation.document, size, &error);
  assert_null(error);
  assert_non_null(call);
  return call;
}

/* Submits a call of the operation and returns it. */
static argyle_call *submit_operation(argyle_queue *queue, argyle_client *client, operation operation, void *tag) {
  return submit(queue, new_call(client, operation), tag);
}

/* Returns the result of a call, and frees it. */
static result result_of(argyle_call *call) {
  result result = {.error = RUBBISH};
  json_decref(argyle_call_json(call, &result.error));
  result.attempts = argyle_call_attempts(call);
  result.status = argyle_call_http_status(call);
  if (argyle_call_error(call) != NULL) {
    assert_int_equal(argyle_error_attempts(argyle_call_error(call)), result.attempts);
  }
  argyle_call_free(call);
  return result;
}

static result result_of_function(argyle_client *client, operation operation) {
  result result = {.error = RUBBISH};
  json_t *document = operation.document != NULL ? json_of(operation.document) : NULL;
  json_t *value = NULL;
  int deleted = -1;
  switch (operation.number) {
  case ARGYLE_OPERATION_USER_CREATE:
    value = argyle_user_create(client, document, &result.error);
    break;
  case ARGYLE_OPERATION_USER_GET:
    value = argyle_user_get(client, operation.user_id, &result.error);
    break;
  case ARGYLE_OPERATION_USER_UPDATE:
    value = argyle_user_update(client, operation.user_id, document, &result.error);
    break;
  case ARGYLE_OPERATION_USER_LIST:
    value = argyle_user_list(client, NULL, &result.error);
    break;
  case ARGYLE_OPERATION_USER_DELETE:
    deleted = argyle_user_delete(client, operation.user_id, &result.error);
    break;
  default:
    value = argyle_user_token_create(client, operation.user_id, &result.error);
  }
  assert_int_equal(value != NULL || deleted == 0, result.error == NULL);
  json_decref(value);
  json_decref(document);
  result.attempts = argyle_error_attempts(result.error);
  result.status = argyle_error_http_status(result.error);
  return result;
}

static result run(argyle_client *client, operation operation, way way) {
  if (way == FUNCTION) {
    return result_of_function(client, operation);
  }
  argyle_call *call;
  if (way == CALL) {
    argyle_error *error = RUBBISH;
    call = new_call(client, operation);
    int status = argyle_call_run(call, &error);
    assert_int_equal(status, error != NULL ? -1 : 0);
    argyle_error_free(error);
  } else {
    argyle_queue *queue = new_queue(1);
    submit_operation(queue, client, operation, NULL);
    call = wait_for_next(queue, NULL);
    assert_int_equal(argyle_queue_count(queue), 0);
    argyle_queue_free(queue);
  }
  return result_of(call);
}

/* Asserts a success after `requests` requests. */
static void assert_succeeded(hostile_fixture *fixture, result result, int requests) {
  if (result.error != NULL) {
    print_error("%s\n", argyle_error_message(result.error));
  }
  assert_null(result.error);
  if (result.attempts != 0) {
    assert_int_equal(result.attempts, requests);
  }
  assert_int_equal(hostile_server_requests(fixture->server), requests);
}

/* Asserts a failure after `requests` requests, and whether its outcome is unknown; frees the error. */
static void assert_ended(hostile_fixture *fixture, result result, int code, const char *fragment, int requests,
                         int unknown) {
  assert_error(result.error, code, fragment);
  assert_int_equal(result.attempts, requests);
  assert_int_equal(argyle_error_attempts(result.error), requests);
  assert_int_equal(hostile_server_requests(fixture->server), requests);
  assert_int_equal(argyle_error_outcome_is_unknown(result.error), unknown);
  argyle_error_free(result.error);
}

/* ---------------------------------------------------------------- Transient statuses */

static const int transient[] = {408, 429, 500, 502, 503, 504};

static void a_transient_status_is_retried(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(transient); i++) {
    for (size_t j = 0; j < COUNT(idempotent); j++) {
      for (int way = 0; way < WAYS; way++) {
        hostile_fixture fixture = start(2);
        answer_status(&fixture, transient[i], "0");
        answer_status(&fixture, transient[i], "0");
        answer_success(&fixture);
        assert_succeeded(&fixture, run(fixture.client, idempotent[j], way), 3);
        /* A failure of the service does not close the connection. */
        assert_int_equal(hostile_server_connections(fixture.server), 1);
        stop(&fixture);
      }
    }
  }
}

static void a_persistent_status_is_reported_after_the_last_retry(void **state) {
  (void)state;
  static const int retries[] = {0, 1, 5};
  for (size_t i = 0; i < COUNT(transient); i++) {
    for (size_t j = 0; j < COUNT(retries); j++) {
      for (int way = 0; way < WAYS; way++) {
        hostile_fixture fixture = start(retries[j]);
        answer_status(&fixture, transient[i], "0");
        result result = run(fixture.client, GET, way);
        assert_int_equal(result.status, transient[i]);
        assert_int_equal(argyle_error_http_status(result.error), transient[i]);
        assert_int_equal(argyle_error_is_retryable(result.error), 1);
        assert_int_equal(argyle_error_retry_after_ms(result.error), 0);
        int code = transient[i] == 429   ? ARGYLE_ERROR_RATE_LIMITED
                   : transient[i] == 408 ? ARGYLE_ERROR_HTTP
                                       : ARGYLE_ERROR_SERVER;
        assert_ended(&fixture, result, code, NULL, retries[j] + 1, 0);
        stop(&fixture);
      }
    }
  }
}

static void two_retries_are_the_default(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_del(options, "max_retries");
  argyle_client *client = client_with_options(options);
  answer_status(fixture, 503, "0");
  assert_ended(fixture, run(client, GET, FUNCTION), ARGYLE_ERROR_SERVER, "503", 3, 0);
  argyle_client_free(client);
}

static void a_hundred_retries_are_the_maximum(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 100);
  answer_status(fixture, 500, "0");
  assert_ended(fixture, run(fixture->client, GET, CALL), ARGYLE_ERROR_SERVER, "500", 101, 0);
}

static void an_invalid_retry_after_falls_back_to_backoff(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 2);
  answer_status(fixture, 500, "soon");
  answer_success(fixture);
  assert_succeeded(fixture, run(fixture->client, GET, FUNCTION), 2);
}

static void each_answer_is_judged_anew(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 6);
  for (size_t i = 0; i < COUNT(transient); i++) {
    answer_status(fixture, transient[i], "0");
  }
  answer_success(fixture);
  assert_succeeded(fixture, run(fixture->client, DELETE, QUEUE), 7);
}

static void a_permanent_status_is_reported_immediately(void **state) {
  (void)state;
  static const struct {
    int status;
    int code;
  } cases[] = {
    {301, ARGYLE_ERROR_REDIRECT},        {400, ARGYLE_ERROR_INVALID_REQUEST}, {401, ARGYLE_ERROR_AUTHENTICATION},
    {403, ARGYLE_ERROR_PERMISSION},      {404, ARGYLE_ERROR_NOT_FOUND},       {409, ARGYLE_ERROR_CONFLICT},
    {410, ARGYLE_ERROR_HTTP},            {422, ARGYLE_ERROR_INVALID_REQUEST}, {501, ARGYLE_ERROR_SERVER},
    {505, ARGYLE_ERROR_SERVER},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t j = 0; j < COUNT(idempotent); j++) {
      hostile_fixture fixture = start(5);
      answer_status(&fixture, cases[i].status, "0");
      result result = run(fixture.client, idempotent[j], (way)(i % WAYS));
      assert_int_equal(argyle_error_is_retryable(result.error), 0);
      assert_ended(&fixture, result, cases[i].code, NULL, 1, 0);
      stop(&fixture);
    }
  }
}

static void an_unreadable_answer_is_not_retried(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 5);
  hostile_server_answer_json(fixture->server, 200, "{");
  assert_ended(fixture, run(fixture->client, GET, FUNCTION), ARGYLE_ERROR_PROTOCOL, NULL, 1, 0);
  set_option(fixture, "max_response_bytes", 1);
  answer_success(fixture);
  result result = run(fixture->client, GET, CALL);
  assert_int_equal(result.attempts, 1);
  assert_failed(result.error, ARGYLE_ERROR_TOO_LARGE, "max_response_bytes");
  assert_int_equal(hostile_server_requests(fixture->server), 2);
}

/* ---------------------------------------------------------------- Lost answers */

static void a_lost_answer_is_retried(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(lost); i++) {
    for (size_t j = 0; j < COUNT(idempotent); j++) {
      for (int way = 0; way < WAYS; way++) {
        hostile_fixture fixture = start_with(lost[i], 2);
        answer_success(&fixture);
        assert_succeeded(&fixture, run(fixture.client, idempotent[j], way), 2);
        assert_int_equal(hostile_server_connections(fixture.server), 2);
        stop(&fixture);
      }
    }
  }
}

static void a_blocking_function_retries_too(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 2);
  hostile_server_answer(fixture->server, lost[1]);
  answer_success(fixture);
  assert_succeeded(fixture, run(fixture->client, UPDATE, FUNCTION), 2);
}

static void a_persistent_loss_is_reported_after_the_last_retry(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(lost); i++) {
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture = start_with(lost[i], 1);
      bool stalled = lost[i].then == HOSTILE_STALL;
      result result = run(fixture.client, UPDATE, way);
      assert_int_equal(argyle_error_is_retryable(result.error), 1);
      assert_ended(&fixture, result, stalled ? ARGYLE_ERROR_TIMEOUT : ARGYLE_ERROR_CONNECTION,
                   stalled ? "timeout_ms" : NULL, 2, 1);
      stop(&fixture);
    }
  }
}

/* When a reused connection dies, the request is sent again on another immediately, which is an attempt too. */
static void a_reused_connection_that_dies_takes_no_retry(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 1);
  answer_success(fixture);
  assert_succeeded(fixture, run(fixture->client, GET, FUNCTION), 1);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  answer_status(fixture, 503, "0");
  answer_success(fixture);
  result result = run(fixture->client, GET, CALL);
  assert_null(result.error);
  assert_int_equal(result.attempts, 3);
  assert_int_equal(hostile_server_requests(fixture->server), 4);
}

/* ---------------------------------------------------------------- Refused connections */

/* A log function that opens the server once the first attempt was refused. */
static void open_server(int level, const char *message, const json_t *fields, void *context) {
  hostile_fixture *fixture = context;
  if (json_object_get(fields, "wait_ms") != NULL && json_integer_value(json_object_get(fields, "attempt")) == 1) {
    hostile_server_open(fixture->server);
  }
  advance_clock_over_wait(level, message, fields, NULL);
}

/* A server that refuses the first attempt and accepts the next. */
static void start_refusing(hostile_fixture *fixture) {
  argyle_error *error = RUBBISH;
  stop_clock();
  fixture->server = hostile_server_start_closed();
  argyle_client *client = client_with_retries(fixture->server, 20);
  fixture->client = argyle_client_with_log(client, open_server, fixture, &error);
  assert_null(error);
  argyle_client_free(client);
}

static void a_refused_connection_is_retried(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(idempotent) + COUNT(creations); i++) {
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture;
      start_refusing(&fixture);
      answer_success(&fixture);
      operation operation = i < COUNT(idempotent) ? idempotent[i] : creations[i - COUNT(idempotent)];
      result result = run(fixture.client, operation, way);
      assert_null(result.error);
      assert_int_equal(result.attempts, way == FUNCTION ? 0 : 2);
      assert_int_equal(hostile_server_requests(fixture.server), 1);
      stop(&fixture);
    }
  }
}

static void a_server_that_stays_down_is_reported_after_the_last_retry(void **state) {
  (void)state;
  hostile_fixture fixture = {.server = hostile_server_start_closed()};
  fixture.client = client_with_retries(fixture.server, 1);
  for (size_t i = 0; i < COUNT(creations); i++) {
    result result = run(fixture.client, creations[i], (way)i);
    assert_int_equal(result.attempts, 2);
    assert_int_equal(argyle_error_is_retryable(result.error), 1);
    assert_int_equal(argyle_error_outcome_is_unknown(result.error), 0);
    assert_failed(result.error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  }
  stop(&fixture);
}

/* ---------------------------------------------------------------- Creates */

static void a_create_that_may_have_happened_is_not_retried(void **state) {
  (void)state;
  static const struct {
    int status;
    const char *retry_after;
  } cases[] = {
    {408, NULL}, {408, "0"}, {500, NULL}, {500, "0"}, {502, NULL},   {502, "0"},
    {504, NULL}, {504, "0"}, {503, NULL}, {503, ""},  {503, "soon"}, {503, "1.5"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t j = 0; j < COUNT(creations); j++) {
      for (int way = 0; way < WAYS; way++) {
        hostile_fixture fixture = start(5);
        answer_status(&fixture, cases[i].status, cases[i].retry_after);
        answer_success(&fixture);
        result result = run(fixture.client, creations[j], way);
        assert_int_equal(argyle_error_is_retryable(result.error), 0);
        assert_int_equal(argyle_error_http_status(result.error), cases[i].status);
        assert_ended(&fixture, result, cases[i].status == 408 ? ARGYLE_ERROR_HTTP : ARGYLE_ERROR_SERVER, NULL, 1, 1);
        stop(&fixture);
      }
    }
  }
}

/* The refusal of the last attempt alone would not explain that the outcome is unknown. */
static void a_message_mentions_an_earlier_attempt_with_unknown_outcome(void **state) {
  (void)state;
  for (int way = 0; way < WAYS; way++) {
    hostile_fixture fixture = start(1);
    hostile_server_answer(fixture.server, (hostile_answer){.bytes = CUT, .then = HOSTILE_CLOSE});
    answer_status(&fixture, 429, "0");
    result result = run(fixture.client, UPDATE, way);
    const char *fragment = "status 429: no; an earlier attempt may have taken effect";
    assert_ended(&fixture, result, ARGYLE_ERROR_RATE_LIMITED, fragment, 2, 1);
    stop(&fixture);
  }
}

static void a_create_whose_answer_is_lost_is_not_retried(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(lost); i++) {
    for (size_t j = 0; j < COUNT(creations); j++) {
      for (int way = 0; way < WAYS; way++) {
        hostile_fixture fixture = start_with(lost[i], 5);
        bool stalled = lost[i].then == HOSTILE_STALL;
        answer_success(&fixture);
        result result = run(fixture.client, creations[j], way);
        assert_int_equal(argyle_error_is_retryable(result.error), 0);
        assert_ended(&fixture, result, stalled ? ARGYLE_ERROR_TIMEOUT : ARGYLE_ERROR_CONNECTION,
                     stalled ? "timeout_ms" : NULL, 1, 1);
        stop(&fixture);
      }
    }
  }
}

static void a_create_on_a_reused_connection_that_dies_is_not_retried(void **state) {
  (void)state;
  for (int way = 0; way < WAYS; way++) {
    for (size_t i = 0; i < COUNT(creations); i++) {
      hostile_fixture fixture = start(5);
      argyle_queue *queue = new_queue(1);
      answer_success(&fixture);
      hostile_server_answer(fixture.server, (hostile_answer){.then = i == 0 ? HOSTILE_CLOSE : HOSTILE_RESET});
      answer_success(&fixture);
      result result;
      if (way == QUEUE) {
        submit_operation(queue, fixture.client, GET, NULL);
        argyle_call_free(wait_for_next(queue, NULL));
        submit_operation(queue, fixture.client, creations[i], NULL);
        result = result_of(wait_for_next(queue, NULL));
      } else {
        assert_succeeded(&fixture, run(fixture.client, GET, way), 1);
        result = run(fixture.client, creations[i], way);
      }
      assert_int_equal(result.attempts, 1);
      assert_int_equal(argyle_error_outcome_is_unknown(result.error), 1);
      assert_failed(result.error, ARGYLE_ERROR_CONNECTION, NULL);
      assert_int_equal(hostile_server_requests(fixture.server), 2);
      argyle_queue_free(queue);
      stop(&fixture);
    }
  }
}

static void a_refused_create_is_retried(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(creations); i++) {
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture = start(3);
      answer_status(&fixture, 429, "0");
      answer_status(&fixture, 503, "0");
      answer_status(&fixture, 503, "Thu, 01 Jan 1970 00:00:00 GMT");
      answer_success(&fixture);
      assert_succeeded(&fixture, run(fixture.client, creations[i], way), 4);
      for (int request = 0; request < 4; request++) {
        const hostile_request *sent = hostile_server_request(fixture.server, request);
        assert_string_equal(sent->method, "POST");
        assert_true(sent->body_length > 0);
        assert_string_equal(sent->body, hostile_server_request(fixture.server, 0)->body);
      }
      stop(&fixture);
    }
  }
}

static void a_create_is_retried_after_429_without_retry_after(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 1);
  answer_status(fixture, 429, NULL);
  answer_success(fixture);
  assert_succeeded(fixture, run(fixture->client, CREATE, FUNCTION), 2);
}

static void a_retried_create_stops_once_it_may_have_happened(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(creations); i++) {
    hostile_fixture fixture = start(5);
    answer_status(&fixture, 429, "0");
    answer_status(&fixture, 500, "0");
    answer_success(&fixture);
    result result = run(fixture.client, creations[i], (way)i);
    assert_int_equal(argyle_error_is_retryable(result.error), 0);
    assert_ended(&fixture, result, ARGYLE_ERROR_SERVER, "500", 2, 1);
    stop(&fixture);
  }
}

static void a_create_that_is_always_refused_has_not_happened(void **state) {
  (void)state;
  static const int statuses[] = {429, 503};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    hostile_fixture fixture = start(2);
    answer_status(&fixture, statuses[i], "0");
    result result = run(fixture.client, CREATE, (way)i);
    assert_int_equal(argyle_error_is_retryable(result.error), 1);
    assert_ended(&fixture, result, i == 0 ? ARGYLE_ERROR_RATE_LIMITED : ARGYLE_ERROR_SERVER, NULL, 3, 0);
    stop(&fixture);
  }
}

/* ---------------------------------------------------------------- Deletes */

static void a_delete_that_finds_nothing_after_it_may_have_happened_succeeds(void **state) {
  (void)state;
  static const int statuses[] = {408, 500, 502, 504};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture = start(2);
      answer_status(&fixture, statuses[i], "0");
      answer_status(&fixture, 404, NULL);
      result result = run(fixture.client, DELETE, way);
      if (way != FUNCTION) {
        assert_int_equal(result.status, 404);
      }
      assert_succeeded(&fixture, result, 2);
      stop(&fixture);
    }
  }
}

static void a_delete_that_finds_nothing_after_a_loss_succeeds(void **state) {
  (void)state;
  for (size_t i = 0; i <= COUNT(lost); i++) {
    /* A 503 without Retry-After does not mean that the request was refused. */
    static const hostile_answer unavailable = {.bytes = "HTTP/1.1 503 Status\r\nContent-Length: 2\r\n\r\n{}"};
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture = start_with(i < COUNT(lost) ? lost[i] : unavailable, 2);
      answer_status(&fixture, 404, NULL);
      assert_succeeded(&fixture, run(fixture.client, DELETE, way), 2);
      stop(&fixture);
    }
  }
}

static void a_delete_that_finds_nothing_after_a_refusal_fails(void **state) {
  (void)state;
  static const int statuses[] = {429, 503};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    for (int way = 0; way < WAYS; way++) {
      hostile_fixture fixture = start(2);
      answer_status(&fixture, statuses[i], "0");
      answer_status(&fixture, 404, NULL);
      assert_ended(&fixture, run(fixture.client, DELETE, way), ARGYLE_ERROR_NOT_FOUND, "404", 2, 0);
      stop(&fixture);
    }
  }
}

static void a_delete_that_finds_nothing_after_a_refused_connection_fails(void **state) {
  (void)state;
  hostile_fixture fixture;
  start_refusing(&fixture);
  answer_status(&fixture, 404, NULL);
  result result = run(fixture.client, DELETE, QUEUE);
  assert_int_equal(result.attempts, 2);
  assert_failed(result.error, ARGYLE_ERROR_NOT_FOUND, NULL);
  stop(&fixture);
}

static void a_delete_remembers_every_attempt(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 3);
  answer_status(fixture, 500, "0");
  answer_status(fixture, 429, "0");
  answer_status(fixture, 503, "0");
  answer_status(fixture, 404, NULL);
  assert_succeeded(fixture, run(fixture->client, DELETE, FUNCTION), 4);
}

static void a_delete_that_ends_with_a_refusal_may_have_happened_before(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 1);
  answer_status(fixture, 500, "0");
  answer_status(fixture, 429, "0");
  assert_ended(fixture, run(fixture->client, DELETE, CALL), ARGYLE_ERROR_RATE_LIMITED, "429", 2, 1);
}

static void other_operations_that_find_nothing_fail(void **state) {
  (void)state;
  const operation operations[] = {GET, UPDATE};
  for (size_t i = 0; i < COUNT(operations); i++) {
    hostile_fixture fixture = start(2);
    answer_status(&fixture, 500, "0");
    answer_status(&fixture, 404, NULL);
    /* The update may have succeeded before someone else deleted the user. */
    assert_ended(&fixture, run(fixture.client, operations[i], (way)i), ARGYLE_ERROR_NOT_FOUND, "404", 2, (int)i);
    stop(&fixture);
  }
}

/* ---------------------------------------------------------------- Retry-After */

/* An interrupt function that never ends a call. */
static int continue_call(void *context) {
  (void)context;
  return 0;
}

/* Both forms at once, to save time. */
static void retry_after_is_obeyed(void **state) {
  (void)state;
  hostile_fixture in_seconds = start(1), until_date = start(1);
  argyle_queue *queue = new_queue(2);
  /* The longest wait that is accepted. */
  set_option(&in_seconds, "max_retry_after_ms", 1000);
  answer_status(&in_seconds, 503, "1");
  answer_success(&in_seconds);
  submit_operation(queue, in_seconds.client, CREATE, &in_seconds);
  time_t until = time(NULL) + 1;
  char date[64];
  struct tm parts;
  strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&until, &parts));
  answer_status(&until_date, 429, date);
  answer_success(&until_date);
  submit_operation(queue, until_date.client, GET, &until_date);
  int64_t begin = now_ms();
  for (int i = 0; i < 2; i++) {
    void *tag = NULL;
    argyle_call *call = wait_for_next(queue, &tag);
    assert_succeeded(tag, result_of(call), 2);
    if (tag == &in_seconds) {
      assert_true(now_ms() - begin >= 1000);
    } else {
      assert_true(time(NULL) >= until);
    }
  }
  argyle_queue_free(queue);
  stop(&in_seconds);
  stop(&until_date);
}

static void a_blocking_function_obeys_retry_after(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  set_option(fixture, "max_retries", 1);
  /* An interrupt function that does not end the call makes no difference. */
  argyle_client *client = argyle_client_with_interrupt(fixture->client, continue_call, NULL, &error);
  answer_status(fixture, 503, "1");
  answer_success(fixture);
  int64_t begin = now_ms();
  assert_succeeded(fixture, run(client, GET, FUNCTION), 2);
  assert_true(now_ms() - begin >= 1000);
  argyle_client_free(client);
}

static void a_retry_after_that_is_too_long_is_reported_immediately(void **state) {
  (void)state;
  static const struct {
    json_int_t max_retry_after_ms; /* 0: the default */
    const char *retry_after;
    json_int_t retry_after_ms; /* -1: any longer than the default */
  } cases[] = {
    {0, "61", 61000},
    {0, "86400", 86400000},
    {999, "1", 1000},
    {1, "1", 1000},
    {1999, "2", 2000},
    {0, "Fri, 31 Dec 2199 23:59:59 GMT", -1},
  };
  const operation operations[] = {GET, DELETE, CREATE};
  static const int statuses[] = {429, 503};
  for (size_t i = 0; i < COUNT(cases); i++) {
    for (size_t j = 0; j < COUNT(statuses); j++) {
      for (size_t k = 0; k < COUNT(operations); k++) {
        hostile_fixture fixture = start(5);
        if (cases[i].max_retry_after_ms != 0) {
          set_option(&fixture, "max_retry_after_ms", cases[i].max_retry_after_ms);
        }
        answer_status(&fixture, statuses[j], cases[i].retry_after);
        answer_success(&fixture);
        result result = run(fixture.client, operations[k], (way)k);
        assert_int_equal(argyle_error_is_retryable(result.error), 1);
        if (cases[i].retry_after_ms >= 0) {
          assert_int_equal(argyle_error_retry_after_ms(result.error), cases[i].retry_after_ms);
        } else {
          assert_true(argyle_error_retry_after_ms(result.error) > 60000);
        }
        assert_ended(&fixture, result, j == 0 ? ARGYLE_ERROR_RATE_LIMITED : ARGYLE_ERROR_SERVER, NULL, 1, 0);
        stop(&fixture);
      }
    }
  }
}

static void a_retry_after_that_becomes_too_long_is_reported_then(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 5);
  answer_status(fixture, 503, "0");
  answer_status(fixture, 503, "61");
  result result = run(fixture->client, GET, FUNCTION);
  assert_int_equal(argyle_error_retry_after_ms(result.error), 61000);
  assert_ended(fixture, result, ARGYLE_ERROR_SERVER, "503", 2, 0);
}

/* ---------------------------------------------------------------- The deadline */

static void a_deadline_ends_retries(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  set_option(fixture, "max_retries", 100);
  set_option(fixture, "timeout_ms", SHORT_MS);
  set_option(fixture, "deadline_ms", 1000);
  fixture->client = without_waits(fixture->client);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
  result result = run(fixture->client, GET, FUNCTION);
  /* The first wait is at most half a second; 26 attempts would fit without waits. */
  assert_in_range(result.attempts, 2, 26);
  assert_int_equal(argyle_error_is_retryable(result.error), 1);
  /* The deadline passed during an attempt, unless the next wait would have exceeded it. */
  if (strstr(argyle_error_message(result.error), "timeout_ms (40)") == NULL) {
    assert_error(result.error, ARGYLE_ERROR_TIMEOUT, "deadline_ms (1000)");
  }
  assert_failed(result.error, ARGYLE_ERROR_TIMEOUT, NULL);
}

static void a_deadline_exceeded_during_an_attempt_is_named(void **state) {
  (void)state;
  const operation operations[] = {GET, DELETE, CREATE};
  for (size_t i = 0; i < COUNT(operations); i++) {
    for (int way = 0; way < WAYS; way++) {
      stop_clock();
      hostile_fixture fixture = start(100);
      set_option(&fixture, "deadline_ms", SHORT_MS);
      answer_status(&fixture, 429, "0");
      answer_status(&fixture, 503, "0");
      hostile_server_answer(fixture.server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
      result result = run(fixture.client, operations[i], way);
      assert_null(strstr(argyle_error_message(result.error), "timeout_ms"));
      assert_ended(&fixture, result, ARGYLE_ERROR_TIMEOUT, "deadline_ms (40)", 3, i != 0);
      stop(&fixture);
    }
  }
}

static void the_limit_that_ends_the_call_is_named(void **state) {
  (void)state;
  static const struct {
    json_int_t timeout_ms;
    json_int_t deadline_ms;
    const char *named;
    const char *not_named;
  } cases[] = {
    {SHORT_MS, 30000, "timeout_ms (40)", "deadline_ms"},
    {30000, SHORT_MS, "deadline_ms (40)", "timeout_ms"},
    {2147483647, 1, "deadline_ms (1)", "timeout_ms"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    stop_clock();
    hostile_fixture fixture = start(0);
    set_option(&fixture, "timeout_ms", cases[i].timeout_ms);
    set_option(&fixture, "deadline_ms", cases[i].deadline_ms);
    hostile_server_answer(fixture.server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
    result result = run(fixture.client, GET, (way)i);
    assert_int_equal(result.attempts, 1);
    assert_null(strstr(argyle_error_message(result.error), cases[i].not_named));
    assert_failed(result.error, ARGYLE_ERROR_TIMEOUT, cases[i].named);
    stop(&fixture);
  }
}

static void a_wait_beyond_the_deadline_is_not_started(void **state) {
  (void)state;
  const operation operations[] = {GET, DELETE, CREATE};
  for (size_t i = 0; i < COUNT(operations); i++) {
    stop_clock();
    hostile_fixture fixture = start(100);
    set_option(&fixture, "deadline_ms", 30000);
    answer_status(&fixture, 503, "0");
    answer_status(&fixture, 503, "30");
    answer_success(&fixture);
    result result = run(fixture.client, operations[i], (way)i);
    assert_int_equal(argyle_error_retry_after_ms(result.error), 30000);
    assert_int_equal(argyle_error_is_retryable(result.error), 1);
    assert_ended(&fixture, result, ARGYLE_ERROR_SERVER, "503", 2, 0);
    stop(&fixture);
  }
}

/* A log function that starts the clock once a call waits for another attempt. */
static void start_clock_at_wait(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  (void)context;
  if (json_object_get(fields, "wait_ms") != NULL) {
    start_clock();
  }
}

/* After the refusal, only one request per second is allowed. */
static void a_deadline_exceeded_while_rate_limited_is_named(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  set_option(fixture, "max_retries", 5);
  set_option(fixture, "max_requests_per_second", 1);
  set_option(fixture, "deadline_ms", 300);
  argyle_client *client = argyle_client_with_log(fixture->client, start_clock_at_wait, NULL, &error);
  assert_null(error);
  answer_status(fixture, 429, "0");
  int64_t begin = now_ms();
  assert_ended(fixture, run(client, CREATE, FUNCTION), ARGYLE_ERROR_TIMEOUT, "deadline_ms (300)", 1, 0);
  assert_true(now_ms() - begin >= 300);
  argyle_client_free(client);
}

/* Submits a create and drives the queue until it is sent; its answer arrives before the deadline, which then passes. */
static void neglect_a_create(hostile_fixture *fixture, argyle_queue *queue) {
  stop_clock();
  set_option(fixture, "deadline_ms", 300);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n{\"id\": \"u1\", \"token\": \"t\"}", .held = true});
  submit_operation(queue, fixture->client, CREATE, NULL);
  drive_until_requested(queue, fixture->server, 1);
  hostile_server_release(fixture->server);
  advance_clock(400);
}

static void an_answer_received_before_the_deadline_counts_when_driven_later(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_queue *queue = new_queue(1);
  neglect_a_create(fixture, queue);
  assert_int_equal(argyle_queue_drive(queue, &error), 1);
  assert_succeeded(fixture, result_of(wait_for_next(queue, NULL)), 1);
  argyle_queue_free(queue);
}

static void an_answer_received_before_the_deadline_counts_when_waited_for_later(void **state) {
  hostile_fixture *fixture = *state;
  argyle_queue *queue = new_queue(1);
  neglect_a_create(fixture, queue);
  assert_succeeded(fixture, result_of(wait_for_next(queue, NULL)), 1);
  argyle_queue_free(queue);
}

static void each_call_has_its_own_deadline(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  set_option(fixture, "deadline_ms", 3 * SHORT_MS);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\": \"u1\"}", .advance_ms = SHORT_MS});
  argyle_queue *queue = new_queue(1);
  /* Together they take longer than the deadline. */
  for (int i = 0; i < 4; i++) {
    submit_operation(queue, fixture->client, GET, NULL);
  }
  for (int i = 0; i < 4; i++) {
    result result = result_of(wait_for_next(queue, NULL));
    assert_null(result.error);
    assert_int_equal(result.attempts, 1);
  }
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Options */

static const struct {
  const char *option;
  const char *refused[10];
  const char *accepted[4];
} options[] = {
  {"max_retries",
   {"-1", "101", "4294967297", "-9223372036854775808", "\"2\"", "2.0", "true", "null", "[]"},
   {"0", "1", "100"}},
  {"deadline_ms",
   {"0", "-1", "2147483648", "4294967297", "\"5\"", "5.0", "false", "null", "{}"},
   {"1", "30000", "2147483647"}},
  {"max_retry_after_ms",
   {"0", "-1", "2147483648", "9223372036854775807", "\"5\"", "5.5", "true", "null", "[5]"},
   {"1", "60000", "2147483647"}},
};

static void an_option_that_breaks_a_rule_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(options); i++) {
    for (int j = 0; options[i].refused[j] != NULL; j++) {
      argyle_error *error = RUBBISH;
      json_t *all = options_for(hostile_server_url(fixture->server));
      json_object_set_new(all, options[i].option, json_of(options[i].refused[j]));
      assert_null(argyle_client_new(all, &error));
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, options[i].option);
      json_decref(all);
      json_t *overrides = json_object();
      json_object_set_new(overrides, options[i].option, json_of(options[i].refused[j]));
      assert_null(argyle_client_with(fixture->client, overrides, &error));
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, options[i].option);
      json_decref(overrides);
    }
  }
}

static void an_option_within_its_range_is_accepted(void **state) {
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(options); i++) {
    for (int j = 0; options[i].accepted[j] != NULL; j++) {
      json_int_t value = atoll(options[i].accepted[j]);
      argyle_client_free(client_with_integer(hostile_server_url(fixture->server), options[i].option, value));
      argyle_client_free(client_like(fixture->client, options[i].option, value));
    }
  }
}

/* ---------------------------------------------------------------- The retry budget */

/* Makes calls that fail; returns the number of requests they took. */
static int requests_of_failures(hostile_fixture *fixture, argyle_client *client, int calls) {
  int before = hostile_server_requests(fixture->server);
  int attempts = 0;
  for (int i = 0; i < calls; i++) {
    result result = run(client, GET, (way)(i % WAYS));
    attempts += result.attempts;
    assert_failed(result.error, ARGYLE_ERROR_SERVER, "500");
  }
  assert_int_equal(hostile_server_requests(fixture->server) - before, attempts);
  return attempts;
}

static void an_outage_exhausts_the_retry_budget(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 3);
  answer_status(fixture, 500, "0");
  assert_int_equal(requests_of_failures(fixture, fixture->client, 30), 4 * 30);
  assert_int_equal(requests_of_failures(fixture, fixture->client, 170), 170 + BUDGET - 3 * 30);
  assert_int_equal(requests_of_failures(fixture, fixture->client, 10), 10);
}

static void an_outage_exhausts_the_retry_budget_in_a_queue(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 3);
  answer_status(fixture, 500, "0");
  argyle_queue *queue = new_queue(20);
  int attempts = 0;
  for (int i = 0; i < 200; i++) {
    submit_operation(queue, fixture->client, idempotent[i % (int)COUNT(idempotent)], NULL);
  }
  for (int i = 0; i < 200; i++) {
    result result = result_of(wait_for_next(queue, NULL));
    attempts += result.attempts;
    assert_failed(result.error, ARGYLE_ERROR_SERVER, "500");
  }
  assert_int_equal(attempts, 200 + BUDGET);
  assert_int_equal(hostile_server_requests(fixture->server), attempts);
  argyle_queue_free(queue);
}

static void derived_clients_share_the_retry_budget(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_cancellation *cancellation = argyle_cancellation_new(&error);
  argyle_client *clients[] = {
    client_like(fixture->client, "max_retries", 2),
    client_like(fixture->client, "max_retries", 5),
    argyle_client_with_interrupt(fixture->client, continue_call, NULL, &error),
    argyle_client_with_cancellation(fixture->client, cancellation, &error),
    client_like(fixture->client, "max_requests_per_second", 1000000),
  };
  assert_null(error);
  answer_status(fixture, 500, "0");
  for (size_t i = 2; i < COUNT(clients); i++) {
    argyle_client *client = client_like(clients[i], "max_retries", 1);
    argyle_client_free(clients[i]);
    clients[i] = client;
  }
  int requests = 0;
  for (int i = 0; i < 40; i++) {
    for (size_t j = 0; j < COUNT(clients); j++) {
      requests += requests_of_failures(fixture, clients[j], 1);
    }
  }
  assert_int_equal(requests, 40 * (int)COUNT(clients) + BUDGET);
  for (size_t i = 0; i < COUNT(clients); i++) {
    argyle_client_free(clients[i]);
  }
  argyle_cancellation_free(cancellation);

  /* A new client has its own budget. */
  argyle_client *other = client_with_retries(fixture->server, 3);
  assert_int_equal(requests_of_failures(fixture, other, 1), 4);
  argyle_client_free(other);
}

static void five_successes_earn_one_retry(void **state) {
  hostile_fixture *fixture = *state;
  set_option(fixture, "max_retries", 100);
  answer_status(fixture, 500, "0");
  assert_int_equal(requests_of_failures(fixture, fixture->client, 1), 1 + BUDGET);
  for (int successes = 1; successes <= 10; successes++) {
    answer_success(fixture);
    answer_status(fixture, 500, "0");
    result result = run(fixture->client, GET, CALL);
    assert_null(result.error);
    assert_int_equal(requests_of_failures(fixture, fixture->client, 1), successes % 5 == 0 ? 2 : 1);
  }
}

static void a_timeout_costs_two_retries(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  fixture->client = without_waits(fixture->client);
  argyle_client *impatient = client_like(fixture->client, "timeout_ms", SHORT_MS);
  argyle_client *repeating = client_like(fixture->client, "max_retries", BUDGET - 3);
  argyle_client *once = client_like(impatient, "max_retries", 1);
  answer_status(fixture, 500, "0");
  assert_int_equal(requests_of_failures(fixture, repeating, 1), 1 + BUDGET - 3);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
  static const int attempts[] = {2, 1};
  for (size_t i = 0; i < COUNT(attempts); i++) {
    result result = run(once, GET, FUNCTION);
    assert_int_equal(result.attempts, attempts[i]);
    assert_failed(result.error, ARGYLE_ERROR_TIMEOUT, "timeout_ms");
  }
  /* One retry is left for a failure that costs less. */
  answer_status(fixture, 500, "0");
  assert_int_equal(requests_of_failures(fixture, repeating, 1), 2);
  assert_int_equal(requests_of_failures(fixture, repeating, 1), 1);
  argyle_client_free(once);
  argyle_client_free(repeating);
  argyle_client_free(impatient);
}

/* ---------------------------------------------------------------- Cursors */

#define PAGE_1 "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\"}], \"next\": \"/v1/users?limit=2&offset=2\"}"
#define PAGE_2 "{\"results\": [{\"id\": \"u3\"}], \"next\": null}"

static void a_cursor_retries_its_pages(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(transient); i++) {
    hostile_fixture fixture = start(2);
    answer_status(&fixture, transient[i], "0");
    answer_status(&fixture, transient[i], "0");
    hostile_server_answer_json(fixture.server, 200, PAGE_1);
    answer_status(&fixture, transient[i], "0");
    answer_status(&fixture, transient[i], "0");
    hostile_server_answer_json(fixture.server, 200, PAGE_2);
    argyle_user_cursor *cursor = cursor_for(fixture.client, NULL);
    assert_next(cursor, "u1");
    assert_next(cursor, "u2");
    assert_next(cursor, "u3");
    assert_end(cursor);
    assert_int_equal(hostile_server_requests(fixture.server), 6);
    argyle_user_cursor_free(cursor);
    stop(&fixture);
  }
}

static void a_cursor_continues_after_lost_connections_and_timeouts(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  set_option(fixture, "max_retries", 2);
  set_option(fixture, "timeout_ms", SHORT_MS);
  fixture->client = without_waits(fixture->client);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_RESET});
  hostile_server_answer_json(fixture->server, 200, PAGE_1);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
  hostile_server_answer_json(fixture->server, 200, PAGE_2);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_next(cursor, "u3");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void a_cursor_that_failed_continues_later(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  set_option(fixture, "max_retries", 2);
  answer_status(fixture, 503, "0");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(argyle_error_attempts(error), 3);
  assert_failed(error, ARGYLE_ERROR_SERVER, "503");
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  hostile_server_answer_json(fixture->server, 200, PAGE_1);
  answer_status(fixture, 503, "61");
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_retry_after_ms(error), 61000);
  assert_failed(error, ARGYLE_ERROR_SERVER, "503");
  hostile_server_answer_json(fixture->server, 200, PAGE_2);
  assert_next(cursor, "u3");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void a_cursor_has_a_deadline_for_each_page(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  set_option(fixture, "max_retries", 2);
  set_option(fixture, "deadline_ms", SHORT_MS);
  answer_status(fixture, 503, "0");
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_MS});
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(argyle_error_attempts(error), 2);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "deadline_ms (40)");
  hostile_server_answer_json(fixture->server, 200, PAGE_2);
  assert_next(cursor, "u3");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

/* Time during which the cursor was not used does not count as the server's. */
static void a_page_received_before_the_deadline_is_not_requested_again(void **state) {
  hostile_fixture *fixture = *state;
  char answer[256];
  snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(PAGE_2), PAGE_2);
  stop_clock();
  set_option(fixture, "deadline_ms", 300);
  hostile_server_answer_json(fixture->server, 200, PAGE_1);
  /* Held, so that it does not arrive with the first user. */
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = answer, .held = true});
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  hostile_server_release(fixture->server);
  advance_clock(400);
  assert_next(cursor, "u2");
  assert_next(cursor, "u3");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
}

/* A log function that counts waits between attempts. */
static void count_wait(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  *(int *)context += json_object_get(fields, "wait_ms") != NULL;
}

/* A copy of a client that counts its waits. */
static argyle_client *counting_waits(argyle_client *client, int *waits) {
  argyle_error *error = RUBBISH;
  argyle_client *other = argyle_client_with_log(client, count_wait, waits, &error);
  assert_null(error);
  return other;
}

/* The prefetch is driven after every sixteenth user. */
#define FOUR_USERS "{\"id\": \"u\"}, {\"id\": \"u\"}, {\"id\": \"u\"}, {\"id\": \"u\"}"
#define SIXTEEN_USERS FOUR_USERS ", " FOUR_USERS ", " FOUR_USERS ", " FOUR_USERS

static void a_cursor_is_freed_during_a_wait(void **state) {
  hostile_fixture *fixture = *state;
  int waits = 0;
  stop_clock();
  set_option(fixture, "max_retries", 2);
  argyle_client *client = counting_waits(fixture->client, &waits);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [" SIXTEEN_USERS "], \"next\": \"?offset=16\"}");
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 503 Status\r\nRetry-After: " LONG "\r\nContent-Length: 2\r\n\r\n{}", .held = true});
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  for (int i = 0; i < 16; i++) {
    assert_next(cursor, "u");
    if (i == 0) hostile_server_release(fixture->server);
  }
  assert_int_equal(waits, 1);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
}

/* ---------------------------------------------------------------- Ending a wait */

/* Drives the queue until `count` waits between attempts have started. */
static void drive_until_waiting(argyle_queue *queue, const int *waits, int count) {
  while (*waits < count) {
    assert_int_equal(drive(queue), 0);
    poll(NULL, 0, 1);
  }
}

static void a_call_is_cancelled_during_its_wait(void **state) {
  (void)state;
  static const struct {
    operation operation;
    int status;
    int unknown;
  } cases[] = {
    {{ARGYLE_OPERATION_USER_GET, "u1", NULL}, 500, 0},
    {{ARGYLE_OPERATION_USER_UPDATE, "u1", "{}"}, 500, 1},
    {{ARGYLE_OPERATION_USER_DELETE, "u1", NULL}, 429, 0},
    {{ARGYLE_OPERATION_USER_CREATE, NULL, NULL}, 429, 0},
    {{ARGYLE_OPERATION_USER_CREATE, NULL, NULL}, 503, 0},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    int waits = 0;
    stop_clock();
    hostile_fixture fixture = start(5);
    argyle_client *client = counting_waits(fixture.client, &waits);
    argyle_queue *queue = new_queue(1);
    answer_status(&fixture, cases[i].status, "0");
    answer_status(&fixture, cases[i].status, LONG);
    argyle_call *call = submit_operation(queue, client, cases[i].operation, NULL);
    drive_until_waiting(queue, &waits, 2);
    assert_int_equal(argyle_call_attempts(call), 0);
    assert_int_equal(i % 2 == 0 ? argyle_queue_cancel(queue, call, &error) : argyle_queue_cancel_all(queue, &error), 0);
    assert_null(error);
    result result = result_of(wait_for_next(queue, NULL));
    assert_ended(&fixture, result, ARGYLE_ERROR_CANCELLED, "cancelled", 2, cases[i].unknown);
    assert_int_equal(argyle_queue_count(queue), 0);
    argyle_queue_free(queue);
    argyle_client_free(client);
    stop(&fixture);
  }
}

static void a_call_cancelled_during_its_wait_frees_its_slot(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  int waits = 0;
  stop_clock();
  set_option(fixture, "max_retries", 5);
  argyle_client *client = counting_waits(fixture->client, &waits);
  answer_status(fixture, 503, LONG);
  argyle_queue *queue = new_queue(1);
  argyle_call *first = submit_operation(queue, client, GET, NULL);
  argyle_call *second = submit_operation(queue, client, GET, NULL);
  drive_until_waiting(queue, &waits, 1);
  answer_success(fixture);
  assert_int_equal(argyle_queue_cancel(queue, first, &error), 0);
  assert_ptr_equal(wait_for_next(queue, NULL), first);
  assert_ptr_equal(wait_for_next(queue, NULL), second);
  assert_null(argyle_call_error(second));
  argyle_call_free(first);
  argyle_call_free(second);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_queue_and_a_call_are_freed_during_a_wait(void **state) {
  hostile_fixture *fixture = *state;
  int waits = 0;
  stop_clock();
  set_option(fixture, "max_retries", 5);
  argyle_client *client = counting_waits(fixture->client, &waits);
  answer_status(fixture, 503, LONG);
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit_operation(queue, client, GET, NULL);
  submit_operation(queue, client, DELETE, NULL);
  submit_operation(queue, client, CREATE, NULL);
  drive_until_waiting(queue, &waits, 3);
  argyle_call_free(call);
  assert_int_equal(argyle_queue_count(queue), 2);
  argyle_queue_free(queue);
  argyle_client_free(client);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
}

/* An interrupt function that ends the call during its second wait. */
static int end_during_the_second_wait(void *waits) {
  return *(int *)waits >= 2;
}

static void an_interrupt_function_ends_a_wait(void **state) {
  (void)state;
  static const struct {
    operation operation;
    int unknown;
  } cases[] = {
    {{ARGYLE_OPERATION_USER_GET, "u1", NULL}, 0},
    {{ARGYLE_OPERATION_USER_DELETE, "u1", NULL}, 1},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    int waits = 0;
    hostile_fixture fixture = start(5);
    argyle_client *counting = counting_waits(fixture.client, &waits);
    argyle_client *client = argyle_client_with_interrupt(counting, end_during_the_second_wait, &waits, &error);
    assert_null(error);
    answer_status(&fixture, 500, "0");
    answer_status(&fixture, 500, LONG);
    assert_ended(&fixture, run(client, cases[i].operation, (way)i), ARGYLE_ERROR_CANCELLED, "cancelled", 2,
                 cases[i].unknown);
    assert_int_equal(waits, 2);
    argyle_client_free(client);
    argyle_client_free(counting);
    stop(&fixture);
  }
}

/* ---------------------------------------------------------------- Forks */

typedef struct {
  argyle_queue *queue;
  argyle_call *call;
} queue_and_call;

static int use_and_free_inherited_handles(void *argument) {
  queue_and_call *held = argument;
  argyle_error *error = RUBBISH;
  int failures = argyle_queue_wait(held->queue, -1, &error) != -1 || argyle_error_code(error) != ARGYLE_ERROR_FORKED;
  argyle_error_free(error);
  error = RUBBISH;
  failures += argyle_queue_cancel(held->queue, held->call, &error) != -1 ||
              argyle_error_code(error) != ARGYLE_ERROR_FORKED;
  argyle_error_free(error);
  argyle_call_free(held->call);
  argyle_queue_free(held->queue);
  return failures;
}

static void a_fork_during_a_wait_leaves_the_retry_to_the_parent(void **state) {
  hostile_fixture *fixture = *state;
  int waits = 0;
  stop_clock();
  set_option(fixture, "max_retries", 5);
  argyle_client *client = counting_waits(fixture->client, &waits);
  answer_status(fixture, 503, LONG);
  answer_success(fixture);
  argyle_queue *queue = new_queue(1);
  argyle_call *call = submit_operation(queue, client, DELETE, NULL);
  drive_until_waiting(queue, &waits, 1);
  queue_and_call held = {queue, call};
  assert_int_equal(failures_in_child(use_and_free_inherited_handles, &held), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  advance_clock(atoi(LONG) * 1000);
  assert_succeeded(fixture, result_of(wait_for_next(queue, NULL)), 2);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- The rate limit */

static void retries_obey_the_rate_limit(void **state) {
  hostile_fixture *fixture = *state;
  enum { CALLS = 60, RATE = 200 };
  int results[CALLS] = {0};
  int attempts = 0;
  set_option(fixture, "max_retries", 100);
  set_option(fixture, "max_requests_per_second", RATE);
  for (int i = 0; i < 20; i++) {
    answer_status(fixture, i % 10 == 0 ? 429 : 503, "0");
  }
  answer_success(fixture);
  argyle_queue *queue = new_queue(20);
  int64_t begin = now_ms();
  for (int i = 0; i < CALLS; i++) {
    submit_operation(queue, fixture->client, i % 2 == 0 ? GET : CREATE, &results[i]);
  }
  for (int i = 0; i < CALLS; i++) {
    void *tag = NULL;
    argyle_call *call = wait_for_next(queue, &tag);
    (*(int *)tag)++;
    result result = result_of(call);
    assert_null(result.error);
    assert_int_equal(result.status, 200);
    attempts += result.attempts;
  }
  int64_t end = now_ms();
  for (int i = 0; i < CALLS; i++) {
    assert_int_equal(results[i], 1);
  }
  assert_int_equal(attempts, CALLS + 20);
  assert_int_equal(hostile_server_requests(fixture->server), attempts);
  /* All but a burst of a tenth of a second's worth are spaced. */
  assert_true(end - begin >= (attempts - RATE / 10 - 1) * 1000 / RATE);
  assert_int_equal(argyle_queue_count(queue), 0);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Thousands */

/* 2,000 users, or fewer if ARGYLE_BULK_CALLS says so. */
static int users = 2000;

typedef struct {
  int results;
  bool created;
  bool unknown;
  char id[64];
  int on_server;
} outcome;

static void note(argyle_call *call, outcome *outcome) {
  argyle_error *error = RUBBISH;
  json_t *value = argyle_call_json(call, &error);
  outcome->results++;
  assert_in_range(argyle_call_attempts(call), 1, 11);
  if (error == NULL) {
    outcome->created = true;
    if (value != NULL) {
      snprintf(outcome->id, sizeof outcome->id, "%s", string_at(value, "id"));
    }
  } else {
    outcome->unknown = argyle_error_outcome_is_unknown(error) == 1;
  }
  json_decref(value);
  argyle_error_free(error);
}

static void count_users_on_server(argyle_client *client, outcome *outcomes) {
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  argyle_error *error = RUBBISH;
  json_t *user;
  for (int i = 0; i < users; i++) {
    outcomes[i].on_server = 0;
  }
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    json_int_t number = json_integer_value(json_object_get(json_object_get(user, "external_metadata"), "number"));
    assert_in_range(number, 0, users - 1);
    outcomes[number].on_server++;
    json_decref(user);
  }
  assert_null(error);
  argyle_user_cursor_free(cursor);
}

static void create_all(argyle_queue *queue, argyle_client *client, outcome *outcomes) {
  for (int i = 0; i < users; i++) {
    char metadata[32];
    snprintf(metadata, sizeof metadata, "{\"number\": %d}", i);
    submit_operation(queue, client, (operation){ARGYLE_OPERATION_USER_CREATE, NULL, metadata}, &outcomes[i]);
  }
  for (int i = 0; i < users; i++) {
    void *tag = NULL;
    argyle_call *call = wait_for_next(queue, &tag);
    note(call, tag);
    argyle_call_free(call);
  }
  assert_int_equal(argyle_queue_count(queue), 0);
}

/* Refused creates are retried, and those that may have happened are not. */
static void no_create_is_duplicated(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = calloc((size_t)users, sizeof *outcomes);
  argyle_queue *queue = new_queue(50);
  argyle_client *client = client_with_integer(sandbox->url, "max_retries", 10);
  sandbox_set_faults(sandbox,
                     "[{\"kind\": \"error\", \"status\": 503, \"method\": \"POST\", \"probability\": 0.2, \"seed\": 1},"
                     "{\"kind\": \"rate_limit\", \"retry_after\": 0, \"method\": \"POST\", \"probability\": 0.1, "
                     "\"seed\": 2}, {\"kind\": \"close\", \"when\": \"after\", \"method\": \"POST\", "
                     "\"probability\": 0.05, \"seed\": 3}]");
  create_all(queue, client, outcomes);
  sandbox_set_faults(sandbox, "[]");
  count_users_on_server(client, outcomes);
  int created = 0, carried_out = 0;
  for (int i = 0; i < users; i++) {
    assert_int_equal(outcomes[i].results, 1);
    if (outcomes[i].created) {
      assert_int_equal(outcomes[i].on_server, 1);
      created++;
    } else {
      /* 429 ends within ten retries: only those that may have happened have failed. */
      assert_true(outcomes[i].unknown);
      assert_in_range(outcomes[i].on_server, 0, 1);
      carried_out += outcomes[i].on_server;
    }
  }
  assert_true(created > users / 2);
  assert_true(created < users);
  assert_true(carried_out > 0);
  argyle_client_free(client);
  argyle_queue_free(queue);
  free(outcomes);
}

/* Some requests fail, but no call fails eleven times in a row, and the retry budget grows faster than it is used. */
static void each_get_and_each_delete_succeeds(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = calloc((size_t)users, sizeof *outcomes);
  argyle_queue *queue = new_queue(200);
  create_all(queue, sandbox->client, outcomes);
  argyle_client *client = client_with_integer(sandbox->url, "max_retries", 10);
  sandbox_set_faults(sandbox, "[{\"kind\": \"error\", \"status\": 503, \"probability\": 0.05, \"seed\": 4},"
                               "{\"kind\": \"rate_limit\", \"retry_after\": 0, \"probability\": 0.03, \"seed\": 5}]");
  int attempts = 0;
  for (int i = 0; i < users; i++) {
    assert_true(outcomes[i].created);
    outcomes[i].results = 0;
    operation operation = {i % 2 == 0 ? ARGYLE_OPERATION_USER_GET : ARGYLE_OPERATION_USER_DELETE, outcomes[i].id, NULL};
    submit_operation(queue, client, operation, &outcomes[i]);
  }
  for (int i = 0; i < users; i++) {
    void *tag = NULL;
    argyle_call *call = wait_for_next(queue, &tag);
    ((outcome *)tag)->results++;
    result result = result_of(call);
    if (result.error != NULL) {
      print_error("after %d attempts: %s\n", result.attempts, argyle_error_message(result.error));
    }
    assert_null(result.error);
    attempts += result.attempts;
  }
  assert_int_equal(argyle_queue_count(queue), 0);
  sandbox_set_faults(sandbox, "[]");
  count_users_on_server(sandbox->client, outcomes);
  for (int i = 0; i < users; i++) {
    assert_int_equal(outcomes[i].results, 1);
    assert_int_equal(outcomes[i].on_server, i % 2 == 0);
  }
  assert_true(attempts > users);
  argyle_client_free(client);
  argyle_queue_free(queue);
  free(outcomes);
}

#define sandbox_test(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_transient_status_is_retried),
    cmocka_unit_test(a_persistent_status_is_reported_after_the_last_retry),
    hostile_test(two_retries_are_the_default),
    hostile_test(a_hundred_retries_are_the_maximum),
    hostile_test(an_invalid_retry_after_falls_back_to_backoff),
    hostile_test(each_answer_is_judged_anew),
    cmocka_unit_test(a_permanent_status_is_reported_immediately),
    hostile_test(an_unreadable_answer_is_not_retried),
    clock_test(a_lost_answer_is_retried),
    hostile_test(a_blocking_function_retries_too),
    clock_test(a_persistent_loss_is_reported_after_the_last_retry),
    hostile_test(a_reused_connection_that_dies_takes_no_retry),
    clock_test(a_refused_connection_is_retried),
    cmocka_unit_test(a_server_that_stays_down_is_reported_after_the_last_retry),
    cmocka_unit_test(a_create_that_may_have_happened_is_not_retried),
    clock_test(a_create_whose_answer_is_lost_is_not_retried),
    clock_test(a_message_mentions_an_earlier_attempt_with_unknown_outcome),
    cmocka_unit_test(a_create_on_a_reused_connection_that_dies_is_not_retried),
    cmocka_unit_test(a_refused_create_is_retried),
    hostile_test(a_create_is_retried_after_429_without_retry_after),
    cmocka_unit_test(a_retried_create_stops_once_it_may_have_happened),
    cmocka_unit_test(a_create_that_is_always_refused_has_not_happened),
    cmocka_unit_test(a_delete_that_finds_nothing_after_it_may_have_happened_succeeds),
    clock_test(a_delete_that_finds_nothing_after_a_loss_succeeds),
    cmocka_unit_test(a_delete_that_finds_nothing_after_a_refusal_fails),
    clock_test(a_delete_that_finds_nothing_after_a_refused_connection_fails),
    hostile_test(a_delete_remembers_every_attempt),
    hostile_test(a_delete_that_ends_with_a_refusal_may_have_happened_before),
    cmocka_unit_test(other_operations_that_find_nothing_fail),
    cmocka_unit_test(retry_after_is_obeyed),
    hostile_test(a_blocking_function_obeys_retry_after),
    cmocka_unit_test(a_retry_after_that_is_too_long_is_reported_immediately),
    hostile_test(a_retry_after_that_becomes_too_long_is_reported_then),
    hostile_test(a_deadline_ends_retries),
    clock_test(a_deadline_exceeded_during_an_attempt_is_named),
    clock_test(the_limit_that_ends_the_call_is_named),
    clock_test(a_wait_beyond_the_deadline_is_not_started),
    hostile_test(a_deadline_exceeded_while_rate_limited_is_named),
    hostile_test(an_answer_received_before_the_deadline_counts_when_driven_later),
    hostile_test(an_answer_received_before_the_deadline_counts_when_waited_for_later),
    hostile_test(each_call_has_its_own_deadline),
    hostile_test(an_option_that_breaks_a_rule_is_refused),
    hostile_test(an_option_within_its_range_is_accepted),
    hostile_test(an_outage_exhausts_the_retry_budget),
    hostile_test(an_outage_exhausts_the_retry_budget_in_a_queue),
    hostile_test(derived_clients_share_the_retry_budget),
    hostile_test(five_successes_earn_one_retry),
    hostile_test(a_timeout_costs_two_retries),
    cmocka_unit_test(a_cursor_retries_its_pages),
    hostile_test(a_cursor_continues_after_lost_connections_and_timeouts),
    hostile_test(a_cursor_that_failed_continues_later),
    hostile_test(a_cursor_has_a_deadline_for_each_page),
    hostile_test(a_page_received_before_the_deadline_is_not_requested_again),
    hostile_test(a_cursor_is_freed_during_a_wait),
    clock_test(a_call_is_cancelled_during_its_wait),
    hostile_test(a_call_cancelled_during_its_wait_frees_its_slot),
    hostile_test(a_queue_and_a_call_are_freed_during_a_wait),
    cmocka_unit_test(an_interrupt_function_ends_a_wait),
    hostile_test(a_fork_during_a_wait_leaves_the_retry_to_the_parent),
    hostile_test(retries_obey_the_rate_limit),
    sandbox_test(no_create_is_duplicated),
    sandbox_test(each_get_and_each_delete_succeeds),
  };
  const char *fewer = getenv("ARGYLE_BULK_CALLS");
  if (fewer != NULL && atoi(fewer) < users) {
    users = atoi(fewer);
  }
  return cmocka_run_group_tests_name("retries", tests, NULL, NULL);
}
