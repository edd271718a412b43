/* A client's log: what is logged, and what never is. */
#include "queue.h"

#include <stdio.h>

#define USER "{\"id\": \"u1\", \"token\": \"eyJcanary.canary.canary\", \"external_metadata\": \"canary\"}"

/* The log's records, each an array: [level, message, fields]. */
typedef struct {
  json_t *records;
} journal;

static void note(int level, const char *message, const json_t *fields, void *context) {
  journal *journal = context;
  json_array_append_new(journal->records, json_pack("[i, s, O]", level, message, (json_t *)fields));
}

static argyle_client *client_with_journal(argyle_client *client, journal *journal) {
  argyle_error *error = RUBBISH;
  argyle_client *other = argyle_client_with_log(client, note, journal, &error);
  assert_null(error);
  assert_non_null(other);
  journal->records = json_array();
  return other;
}

static int level_of(const journal *journal, size_t index) {
  return (int)json_integer_value(json_array_get(json_array_get(journal->records, index), 0));
}

static const char *message_of(const journal *journal, size_t index) {
  return json_string_value(json_array_get(json_array_get(journal->records, index), 1));
}

static json_t *fields_of(const journal *journal, size_t index) {
  return json_array_get(json_array_get(journal->records, index), 2);
}

/* The integer at a key of an object; -1 if there is none. */
static json_int_t number_at(const json_t *object, const char *key) {
  json_t *number = json_object_get(object, key);
  return json_is_integer(number) ? json_integer_value(number) : -1;
}

static void close_journal(journal *journal, argyle_client *client) {
  argyle_client_free(client);
  json_decref(journal->records);
}

/* ---------------------------------------------------------------- Attempts */

static void an_attempt_is_logged(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  hostile_server_answer_http(fixture->server, 200, "X-Trace-Id: trace-1\r\n", USER, strlen(USER));
  json_decref(argyle_user_get(client, "u1", &error));
  assert_null(error);
  assert_int_equal(json_array_size(journal.records), 1);
  assert_int_equal(level_of(&journal, 0), ARGYLE_LOG_DEBUG);
  assert_ptr_equal(strstr(message_of(&journal, 0), "GET /v1/users/u1 at 127.0.0.1"), message_of(&journal, 0));
  json_t *fields = fields_of(&journal, 0);
  assert_string_equal(string_at(fields, "method"), "GET");
  assert_string_equal(string_at(fields, "path"), "/v1/users/u1");
  assert_string_equal(string_at(fields, "trace_id"), "trace-1");
  assert_non_null(strstr(hostile_server_url(fixture->server), string_at(fields, "host")));
  assert_int_equal(json_integer_value(json_object_get(fields, "status")), 200);
  assert_int_equal(json_integer_value(json_object_get(fields, "attempt")), 1);
  assert_true(json_integer_value(json_object_get(fields, "milliseconds")) >= 0);
  assert_int_equal(json_object_size(fields), 7);
  close_journal(&journal, client);
}

static void retries_and_the_failure_are_logged(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  json_t *overrides = json_pack("{s:i}", "max_retries", 1);
  argyle_client *repeating = argyle_client_with(fixture->client, overrides, &error);
  argyle_client *client = client_with_journal(repeating, &journal);
  hostile_server_answer_http(fixture->server, 503, "Retry-After: 0\r\n", "{}", 2);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
  static const int levels[] = {ARGYLE_LOG_DEBUG, ARGYLE_LOG_INFO, ARGYLE_LOG_DEBUG, ARGYLE_LOG_WARNING};
  assert_int_equal(json_array_size(journal.records), COUNT(levels));
  for (size_t i = 0; i < COUNT(levels); i++) {
    assert_int_equal(level_of(&journal, i), levels[i]);
  }
  assert_int_equal(json_integer_value(json_object_get(fields_of(&journal, 1), "wait_ms")), 0);
  assert_int_equal(json_integer_value(json_object_get(fields_of(&journal, 2), "attempt")), 2);
  assert_string_equal(string_at(fields_of(&journal, 3), "error"), "server");
  argyle_client_free(repeating);
  json_decref(overrides);
  close_journal(&journal, client);
}

static void an_attempt_without_an_answer_is_logged(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  assert_int_equal(argyle_user_delete(client, "u1", &error), -1);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, NULL);
  assert_int_equal(json_array_size(journal.records), 2);
  assert_string_equal(string_at(fields_of(&journal, 0), "error"), "connection");
  assert_null(json_object_get(fields_of(&journal, 0), "status"));
  assert_int_equal(level_of(&journal, 1), ARGYLE_LOG_WARNING);
  for (size_t i = 0; i < 2; i++) {
    assert_int_equal(number_at(fields_of(&journal, i), "attempt"), 1);
    assert_true(number_at(fields_of(&journal, i), "milliseconds") >= 0);
    assert_int_equal(json_object_size(fields_of(&journal, i)), 6);
  }
  close_journal(&journal, client);
}

static void failures_have_a_duration(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  json_t *overrides = json_pack("{s:i, s:i}", "max_retries", 1, "timeout_ms", 250);
  argyle_client *brief = argyle_client_with(fixture->client, overrides, &error);
  argyle_client *client = client_with_journal(brief, &journal);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
  assert_int_equal(json_array_size(journal.records), 4);
  assert_true(number_at(fields_of(&journal, 0), "milliseconds") >= 200);
  assert_true(number_at(fields_of(&journal, 2), "milliseconds") >= 200);
  /* The duration of the whole call. */
  assert_true(number_at(fields_of(&journal, 3), "milliseconds") >= 400);
  argyle_client_free(brief);
  json_decref(overrides);
  close_journal(&journal, client);
}

static void a_cancelled_attempt_has_a_duration(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error), NULL);
  assert_int_equal(argyle_queue_wait(queue, 100, &error), 0);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_int_equal(json_array_size(journal.records), 2);
  for (size_t i = 0; i < 2; i++) {
    assert_string_equal(string_at(fields_of(&journal, i), "error"), "cancelled");
    assert_int_equal(number_at(fields_of(&journal, i), "attempt"), 1);
    assert_true(number_at(fields_of(&journal, i), "milliseconds") >= 90);
  }
  argyle_queue_free(queue);
  close_journal(&journal, client);
}

/* ---------------------------------------------------------------- Attempts that were not made */

static void a_call_that_never_started_has_no_attempt(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error), NULL);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_int_equal(argyle_call_attempts(call), 0);
  assert_int_equal(json_array_size(journal.records), 1);
  json_t *fields = fields_of(&journal, 0);
  assert_int_equal(level_of(&journal, 0), ARGYLE_LOG_WARNING);
  assert_string_equal(string_at(fields, "error"), "cancelled");
  assert_null(json_object_get(fields, "attempt"));
  assert_int_equal(json_object_size(fields), 5);
  argyle_queue_free(queue);
  close_journal(&journal, client);
}

static void an_interrupted_wait_is_no_attempt(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  json_t *overrides = json_pack("{s:i}", "max_retries", 1);
  argyle_client *repeating = argyle_client_with(fixture->client, overrides, &error);
  argyle_client *client = client_with_journal(repeating, &journal);
  hostile_server_answer_http(fixture->server, 503, "Retry-After: 50\r\nX-Trace-Id: trace-1\r\n", "{}", 2);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error), NULL);
  for (int i = 0; i < 300 && json_array_size(journal.records) < 2; i++) {
    assert_int_equal(argyle_queue_wait(queue, 100, &error), 0);
  }
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  static const int levels[] = {ARGYLE_LOG_DEBUG, ARGYLE_LOG_INFO, ARGYLE_LOG_WARNING};
  assert_int_equal(json_array_size(journal.records), COUNT(levels));
  for (size_t i = 0; i < COUNT(levels); i++) {
    assert_int_equal(level_of(&journal, i), levels[i]);
    assert_int_equal(number_at(fields_of(&journal, i), "attempt"), 1);
  }
  /* The call has the last attempt's answer. */
  assert_string_equal(string_at(fields_of(&journal, 2), "error"), "cancelled");
  assert_string_equal(string_at(fields_of(&journal, 2), "trace_id"), "trace-1");
  assert_int_equal(number_at(fields_of(&journal, 2), "status"), 503);
  argyle_queue_free(queue);
  argyle_client_free(repeating);
  json_decref(overrides);
  close_journal(&journal, client);
}

static void the_calls_of_a_queue_are_logged(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  for (int i = 0; i < 20; i++) {
    submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error), NULL);
  }
  while (argyle_queue_wait(queue, -1, &error) > 0) {
    argyle_call_free(argyle_queue_next(queue, NULL, &error));
  }
  assert_null(error);
  assert_int_equal(json_array_size(journal.records), 20);
  argyle_queue_free(queue);
  close_journal(&journal, client);
}

static void freeing_logs_nothing(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  json_decref(argyle_user_cursor_next(cursor, &error));
  assert_null(error);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *calls[3];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error);
    assert_int_equal(argyle_queue_submit(queue, calls[i], NULL, &error), 0);
  }
  assert_int_equal(argyle_queue_drive(queue, &error), 0);
  assert_int_equal(json_array_size(journal.records), 1);
  argyle_user_cursor_free(cursor);
  argyle_call_free(calls[0]);
  argyle_queue_free(queue);
  assert_int_equal(json_array_size(journal.records), 1);
  close_journal(&journal, client);
}

static void without_a_function_nothing_is_logged(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  argyle_client *client = client_with_journal(fixture->client, &journal);
  argyle_client *silent = argyle_client_with_log(client, NULL, NULL, &error);
  assert_null(error);
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_get(silent, "u1", &error));
  json_decref(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(json_array_size(journal.records), 0);
  argyle_client_free(silent);
  close_journal(&journal, client);
}

/* ---------------------------------------------------------------- Secrets */

/* With a secret in each place that can hold one: key, metadata, query, answers, headers, errors. */
static void no_record_contains_a_secret(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  journal journal;
  static const int statuses[] = {200, 400, 401, 403, 429, 500, 302};
  argyle_client *client = client_with_journal(fixture->client, &journal);
  json_t *metadata = json_pack("{s:s}", "canary", "canary");
  for (size_t i = 0; i < COUNT(statuses); i++) {
    static const char body[] = "{\"detail\": \"" KEY_SECRET " eyJcanary.canary.canary\", \"id\": \"u1\", \"token\": "
                               "\"eyJcanary.canary.canary\", \"results\": [{\"id\": \"canary\"}], "
                               "\"next\": \"/?canary=1\"}";
    hostile_server_answer_http(fixture->server, statuses[i],
                               "X-Trace-Id: " KEY_SECRET "\r\nSet-Cookie: canary\r\nLocation: /canary\r\n"
                               "Content-Type: canary/json\r\n",
                               body, strlen(body));
    json_decref(argyle_user_create(client, metadata, &error));
    argyle_error_free(error);
    json_decref(argyle_user_list(client, NULL, &error));
    argyle_error_free(error);
    json_decref(argyle_user_update(client, "u1", metadata, &error));
    argyle_error_free(error);
    json_decref(argyle_user_token_create(client, "u1", &error));
    argyle_error_free(error);
  }
  assert_true(json_array_size(journal.records) >= 4 * COUNT(statuses));
  char *text = json_dumps(journal.records, 0);
  if (strstr(text, "canary") != NULL || strstr(text, KEY_BASIC) != NULL) {
    print_error("%s\n", text);
  }
  assert_null(strstr(text, "canary"));
  assert_null(strstr(text, &KEY_BASIC[strlen("Basic ")]));
  free(text);
  json_decref(metadata);
  close_journal(&journal, client);
}

static void null_is_refused(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_with_log(NULL, note, NULL, &error));
  assert_null_refused(error, "client");
}

/* ---------------------------------------------------------------- Freeing */

/* A call that the log function frees as soon as its failure is logged. */
typedef struct {
  argyle_call *call;
  int records;
} impatience;

static void free_call(int level, const char *message, const json_t *fields, void *context) {
  (void)message;
  (void)fields;
  impatience *impatience = context;
  impatience->records++;
  if (level == ARGYLE_LOG_WARNING && impatience->call != NULL) {
    argyle_call_free(impatience->call);
    impatience->call = NULL;
  }
}

/* The header forbids this, but the queue must not lose count. */
static void a_call_freed_while_it_is_logged_leaves_the_queue(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  impatience impatience = {0};
  argyle_client *client = argyle_client_with_log(fixture->client, free_call, &impatience, &error);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  hostile_server_answer_json(fixture->server, 404, "{}");
  impatience.call = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error);
  assert_int_equal(argyle_queue_submit(queue, impatience.call, NULL, &error), 0);
  for (int i = 0; i < 100 && impatience.call != NULL; i++) {
    assert_true(argyle_queue_wait(queue, 100, &error) >= 0);
  }
  assert_null(impatience.call);
  assert_int_equal(argyle_queue_count(queue), 0);
  assert_null(argyle_queue_next(queue, NULL, &error));
  argyle_queue_free(queue);
  argyle_client_free(client);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(an_attempt_is_logged),
    hostile_test(retries_and_the_failure_are_logged),
    hostile_test(an_attempt_without_an_answer_is_logged),
    hostile_test(failures_have_a_duration),
    hostile_test(a_cancelled_attempt_has_a_duration),
    hostile_test(a_call_that_never_started_has_no_attempt),
    hostile_test(an_interrupted_wait_is_no_attempt),
    hostile_test(the_calls_of_a_queue_are_logged),
    hostile_test(freeing_logs_nothing),
    hostile_test(without_a_function_nothing_is_logged),
    hostile_test(a_call_freed_while_it_is_logged_leaves_the_queue),
    hostile_test(no_record_contains_a_secret),
    cmocka_unit_test(null_is_refused),
  };
  return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
