/*
 * A cursor's prefetch: the next page is in flight while one is read, even if the host pauses. And walks over whole
 * pages, as JSON and as text.
 */
#include "child.h"
#include "clock.h"
#include "cursor.h"
#include "hostile_server.h"
#include "sandbox.h"

#include <pthread.h>

#define FIRST "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}"
#define SECOND "{\"results\": [{\"id\": \"u2\"}], \"next\": null}"

/* Waits until the server has read `count` requests, without using the library. */
static void wait_for_requests(hostile_server *server, int count) {
  assert_true(hostile_server_wait_for_requests(server, count));
  assert_int_equal(hostile_server_requests(server), count);
}

/* ---------------------------------------------------------------- Prefetch */

static void the_next_page_is_prefetched(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  wait_for_requests(fixture->server, 2);
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  argyle_user_cursor_free(cursor);
}

static void other_calls_work_during_a_prefetch(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  hostile_server_answer_json(fixture->server, 200, "{\"id\": \"u3\"}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  wait_for_requests(fixture->server, 2);
  json_t *user = argyle_user_get(fixture->client, "u3", &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u3");
  json_decref(user);
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void a_host_that_was_away_gets_the_prefetched_page(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 300);
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 41\r\n\r\n" SECOND, .held = true});
  stop_clock();
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  assert_next(cursor, "u1");
  hostile_server_release(fixture->server);
  /* Far longer than the timeout, which applies to the server only. */
  advance_clock(1500);
  assert_next(cursor, "u2");
  assert_end(cursor);
  /* The page was not requested again. */
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
}

static void a_large_page_arrives_though_the_host_was_away(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 300);
  /* More than fits in the system's buffers, so that the server blocks in the middle. */
  size_t padding = 12 * 1024 * 1024;
  char *page = malloc(padding + 128);
  int head = sprintf(page, "{\"results\": [{\"id\": \"u2\", \"padding\": \"");
  memset(page + head, 'x', padding);
  strcpy(page + head + padding, "\"}], \"next\": null}");
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, page);
  stop_clock();
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  assert_next(cursor, "u1");
  wait_for_requests(fixture->server, 2);
  advance_clock(1500);
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
  free(page);
}

static void an_unreadable_page_is_requested_again(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, "<html>");
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  argyle_user_cursor_free(cursor);
}

static void a_connection_that_died_meanwhile_is_no_error(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = "HTTP/1.1 200 OK\r\nContent-", .then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 200, SECOND);
  stop_clock();
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  hostile_server_wait_for_closed(fixture->server, 1);
  advance_clock(1500);
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  argyle_user_cursor_free(cursor);
}

static void a_slow_server_causes_a_timeout(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_LIMIT_MS);
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_LIMIT_MS});
  stop_clock();
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  assert_next(cursor, "u1");
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "timeout_ms (40)");
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
}

static void a_cursor_may_be_freed_during_a_prefetch(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  wait_for_requests(fixture->server, 2);
  argyle_user_cursor_free(cursor);
  hostile_server_wait_for_closed(fixture->server, 1);
}

static int use_and_free(void *argument) {
  argyle_user_cursor *cursor = argument;
  argyle_error *error = RUBBISH;
  int failures = argyle_user_cursor_next(cursor, &error) != NULL || argyle_error_code(error) != ARGYLE_ERROR_FORKED;
  argyle_error_free(error);
  argyle_user_cursor_free(cursor);
  return failures;
}

static void a_fork_leaves_the_prefetched_page_to_the_parent(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_int_equal(failures_in_child(use_and_free, cursor), 0);
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_user_cursor_free(cursor);
}

/* Context of an interrupt function: whether it ends the wait, and how often it was called. */
typedef struct {
  bool gives_up;
  int calls;
} patience;

static int give_up(void *context) {
  patience *patience = context;
  patience->calls++;
  return patience->gives_up;
}

static void an_interrupted_walk_continues(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  patience patience = {false, 0};
  argyle_client *client = argyle_client_with_interrupt(fixture->client, give_up, &patience, &error);
  assert_null(error);
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  assert_next(cursor, "u1");
  wait_for_requests(fixture->server, 2);
  patience.gives_up = true;
  patience.calls = 0;
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  assert_true(patience.calls > 0);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  patience.gives_up = false;
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Pages */

static void pages_have_the_normal_form(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  json_t *page = argyle_user_cursor_next_page(cursor, &error);
  assert_null(error);
  assert_json(page, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\", \"previous\": null, \"count\": null}");
  json_decref(page);
  page = argyle_user_cursor_next_page(cursor, &error);
  assert_null(error);
  assert_json(json_object_get(page, "results"), "[{\"id\": \"u2\"}]");
  json_decref(page);
  for (int i = 0; i < 2; i++) {
    error = RUBBISH;
    assert_null(argyle_user_cursor_next_page(cursor, &error));
    assert_null(error);
  }
  argyle_user_cursor_free(cursor);
}

static void text_is_returned_as_received(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  size_t size = 77;
  static const char *const pages[] = {
    " {\"next\": \"/?offset=1\", \"results\": [{\"id\": \"\\ud800\", \"n\": 1e999, \"m\": 0.10}]}\n",
    "{\"results\": [{\"id\": \"u2\", \"id\": \"u3\", \"i\": 99999999999999999999}], \"next\": \"\\u003Foffset=2\"}",
    "{\"results\": []}",
  };
  for (size_t i = 0; i < COUNT(pages); i++) {
    hostile_server_answer_json(fixture->server, 200, pages[i]);
  }
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  for (size_t i = 0; i < COUNT(pages); i++) {
    error = RUBBISH;
    assert_string_equal(argyle_user_cursor_next_page_text(cursor, &size, &error), pages[i]);
    assert_null(error);
    assert_int_equal(size, strlen(pages[i]));
  }
  assert_null(argyle_user_cursor_next_page_text(cursor, &size, &error));
  assert_null(error);
  assert_int_equal(size, 0);
  assert_null(argyle_user_cursor_next_page_text(cursor, NULL, NULL));
  assert_true(hostile_request_has_query(hostile_server_request(fixture->server, 2), "offset=2"));
  argyle_user_cursor_free(cursor);
}

/* The same as assert_failed() for an error that a function returns. */
static void assert_returned_error(argyle_error *error, int code, const char *fragment) {
  assert_failed(error, code, fragment);
}

static void the_caller_may_find_a_text_unreadable(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  static const char text[] = "{\"results\": [{}], \"next\": null}";
  hostile_server_answer_http(fixture->server, 200, "X-Trace-Id: trace-1\r\n", text, sizeof text - 1);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_returned_error(argyle_user_cursor_unreadable(cursor, "it is none"), ARGYLE_ERROR_ARGUMENT, "text");
  assert_non_null(argyle_user_cursor_next_page_text(cursor, NULL, &error));
  error = argyle_user_cursor_unreadable(cursor, "a user has no id");
  assert_int_equal(argyle_error_http_status(error), 200);
  assert_string_equal(argyle_error_trace_id(error), "trace-1");
  assert_string_equal(argyle_error_body_text(error), text);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "a user has no id");
  assert_returned_error(argyle_user_cursor_unreadable(cursor, NULL), ARGYLE_ERROR_ARGUMENT, "reason");
  assert_null(argyle_user_cursor_next_page_text(cursor, NULL, &error));
  assert_returned_error(argyle_user_cursor_unreadable(cursor, "it is none"), ARGYLE_ERROR_ARGUMENT, "text");
  argyle_user_cursor_free(cursor);
  assert_returned_error(argyle_user_cursor_unreadable(NULL, "it is none"), ARGYLE_ERROR_ARGUMENT, "cursor");
}

/* As in jansson, the last one counts, however its name is escaped, and in each form of the walk. */
static void the_last_of_two_links_is_followed(void **state) {
  static const char *const pages[] = {
    "{\"next\": \"?offset=7\", \"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=8\"}",
    "{\"next\": null, \"results\": [{\"id\": \"u1\"}], \"n\\u0065xt\": \"?offset=8\"}",
  };
  hostile_fixture *fixture = *state;
  int requests = 0;
  for (size_t i = 0; i < COUNT(pages); i++) {
    for (int form = 0; form < 3; form++) {
      argyle_error *error = RUBBISH;
      hostile_server_answer_json(fixture->server, 200, pages[i]);
      hostile_server_answer_json(fixture->server, 200, SECOND);
      argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
      if (form == 0) {
        json_decref(argyle_user_cursor_next(cursor, &error));
      } else if (form == 1) {
        json_decref(argyle_user_cursor_next_page(cursor, &error));
      } else {
        assert_string_equal(argyle_user_cursor_next_page_text(cursor, NULL, &error), pages[i]);
      }
      assert_null(error);
      requests += 2;
      wait_for_requests(fixture->server, requests);
      assert_true(hostile_request_has_query(hostile_server_request(fixture->server, requests - 1), "offset=8"));
      argyle_user_cursor_free(cursor);
    }
  }
}

static void text_and_values_may_be_mixed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u3\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_string_equal(argyle_user_cursor_next_page_text(cursor, NULL, &error), "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  json_t *page = argyle_user_cursor_next_page(cursor, &error);
  assert_null(error);
  assert_json(json_object_get(page, "results"), "[{\"id\": \"u3\"}]");
  json_decref(page);
  wait_for_requests(fixture->server, 3);
  assert_true(hostile_request_has_query(hostile_server_request(fixture->server, 1), "offset=2"));
  assert_true(hostile_request_has_query(hostile_server_request(fixture->server, 2), "offset=3"));
  argyle_user_cursor_free(cursor);
}

static void users_and_pages_are_not_mixed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *users = cursor_for(fixture->client, NULL);
  assert_next(users, "u2");
  assert_null(argyle_user_cursor_next_page(users, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  assert_null(argyle_user_cursor_next_page_text(users, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  assert_end(users);
  argyle_user_cursor_free(users);
  argyle_user_cursor *pages = cursor_for(fixture->client, NULL);
  assert_non_null(argyle_user_cursor_next_page_text(pages, NULL, &error));
  assert_null(argyle_user_cursor_next(pages, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  argyle_user_cursor_free(pages);
}

/* ---------------------------------------------------------------- Calls */

static argyle_call *next_page_call(argyle_user_cursor *cursor, argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_user_cursor_next_call(cursor, client, &error);
  assert_null(error);
  assert_non_null(call);
  assert_int_equal(argyle_call_operation(call), ARGYLE_OPERATION_USER_LIST);
  assert_null(argyle_call_user_id(call));
  return call;
}

static void a_queue_runs_the_calls_of_a_cursor(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, "{\"limit\": 7}");
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  static const char *const targets[] = {"/v1/users?limit=7", "/v1/users?offset=1"};
  for (int i = 0; i < 2; i++) {
    argyle_call *call = next_page_call(cursor, fixture->client);
    assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
    while (argyle_queue_wait(queue, -1, &error) == 0) {
    }
    assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
    assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), 1);
    assert_null(error);
    assert_string_equal(argyle_call_body_text(call), i == 0 ? FIRST : SECOND);
    assert_string_equal(hostile_server_request(fixture->server, i)->target, targets[i]);
    argyle_call_free(call);
  }
  assert_null(argyle_user_cursor_next_call(cursor, fixture->client, &error));
  assert_null(error);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_queue_free(queue);
  argyle_user_cursor_free(cursor);
}

static void without_a_page_the_same_call_is_created(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 500, "{}");
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  argyle_call_free(next_page_call(cursor, fixture->client));
  argyle_call *failed = next_page_call(cursor, fixture->client);
  assert_int_equal(argyle_call_run(failed, NULL), -1);
  assert_int_equal(argyle_user_cursor_add_page(cursor, failed, &error), -1);
  assert_failed(error, ARGYLE_ERROR_SERVER, "500");
  argyle_call_free(failed);
  argyle_call *call = next_page_call(cursor, fixture->client);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), 1);
  assert_null(argyle_user_cursor_next_call(cursor, fixture->client, &error));
  assert_null(error);
  argyle_call_free(call);
  argyle_user_cursor_free(cursor);
}

static void a_page_too_large_is_requested_smaller(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "max_response_bytes", 40);
  hostile_server_answer_json(fixture->server, 200, FIRST);
  argyle_user_cursor *cursor = cursor_for(client, "{\"limit\": 4}");
  static const char *const targets[] = {"/v1/users?limit=4", "/v1/users?limit=2", "/v1/users?limit=1"};
  for (int i = 0; i < 3; i++) {
    argyle_call *call = next_page_call(cursor, client);
    assert_int_equal(argyle_call_run(call, NULL), -1);
    assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), i < 2 ? 0 : -1);
    assert_string_equal(hostile_server_request(fixture->server, i)->target, targets[i]);
    argyle_call_free(call);
  }
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "max_response_bytes");
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
}

static void only_pages_are_added(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"id\": \"u1\"}");
  hostile_server_answer_json(fixture->server, 200, "5");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  /* A rejected call does not decide what the cursor returns. */
  argyle_user_cursor *users = cursor_for(fixture->client, NULL);
  argyle_call *get = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error);
  assert_int_equal(argyle_call_run(get, &error), 0);
  assert_int_equal(argyle_user_cursor_add_page(cursor, get, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page");
  assert_int_equal(argyle_user_cursor_add_page(users, get, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page");
  argyle_call *call = next_page_call(cursor, fixture->client);
  assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be");
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, "neither a JSON object nor an array");
  assert_int_equal(argyle_user_cursor_add_page(cursor, NULL, &error), -1);
  assert_null_refused(error, "call");
  assert_int_equal(argyle_user_cursor_add_page(NULL, call, &error), -1);
  assert_null_refused(error, "cursor");
  assert_null(argyle_user_cursor_next_call(NULL, fixture->client, &error));
  assert_null_refused(error, "cursor");
  assert_null(argyle_user_cursor_next_call(cursor, NULL, &error));
  assert_null_refused(error, "client");
  argyle_call_free(call);
  argyle_call_free(get);
  argyle_user_cursor_free(cursor);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  assert_next(users, "u2");
  argyle_user_cursor_free(users);
}

/* Runs the call for the next page, and adds it so many times; returns what the last time returned. */
static int add_next_page(argyle_user_cursor *cursor, argyle_client *client, int times, argyle_error **error) {
  argyle_call *call = next_page_call(cursor, client);
  int added = argyle_call_run(call, NULL);
  for (int i = 0; i < times; i++) {
    added = argyle_user_cursor_add_page(cursor, call, error);
  }
  argyle_call_free(call);
  return added;
}

static void a_page_is_added_once(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_int_equal(add_next_page(cursor, fixture->client, 2, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page");
  /* The cursor has stayed where it was; then it is at its end, and takes no more. */
  assert_int_equal(add_next_page(cursor, fixture->client, 2, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page");
  assert_null(argyle_user_cursor_next_call(cursor, fixture->client, &error));
  assert_null(error);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_user_cursor_free(cursor);
}

static void the_page_of_another_query_is_not_added(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, FIRST);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  json_t *query = json_pack("{s:i}", "offset", 6);
  argyle_call *call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_LIST, NULL, query, &error);
  json_decref(query);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_int_equal(argyle_user_cursor_add_page(cursor, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call must be for the next page");
  argyle_call_free(call);
  argyle_user_cursor_free(cursor);
}

static void what_is_no_page_is_not_added(void **state) {
  static const char *const bodies[] = {
    "{}", "{\"detail\": \"maintenance\"}", "{\"next\": null, \"results\": null}", "{\"next\": null, \"results\": {}}",
    "{\"next\": \"?offset=1\", \"results\": [{\"id\": \"u1\"}", "{\"next\": null, \"results\": []} x",
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  for (size_t i = 0; i < COUNT(bodies); i++) {
    hostile_server_answer_json(fixture->server, 200, bodies[i]);
    assert_int_equal(add_next_page(cursor, fixture->client, 1, &error), -1);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, "the response");
  }
  hostile_server_answer_json(fixture->server, 200, SECOND);
  assert_int_equal(add_next_page(cursor, fixture->client, 1, &error), 1);
  assert_null(error);
  for (size_t i = 0; i <= COUNT(bodies); i++) {
    assert_string_equal(hostile_server_request(fixture->server, (int)i)->target, "/v1/users?limit=200");
  }
  argyle_user_cursor_free(cursor);
}

static void calls_are_not_mixed_with_users(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *calls = cursor_for(fixture->client, NULL);
  argyle_call_free(next_page_call(calls, fixture->client));
  assert_null(argyle_user_cursor_next(calls, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  assert_null(argyle_user_cursor_next_page_text(calls, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  argyle_user_cursor_free(calls);
  argyle_user_cursor *users = cursor_for(fixture->client, NULL);
  assert_next(users, "u2");
  assert_null(argyle_user_cursor_next_call(users, fixture->client, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "only one of them");
  argyle_user_cursor_free(users);
}

static void a_text_that_is_no_list_is_refused_and_requested_again(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  static const char *const bodies[] = {"", "5", "{", "[1,]", "<html>", "\xEF\xBB\xBF{}"};
  for (size_t i = 0; i < COUNT(bodies); i++) {
    hostile_server_answer_json(fixture->server, 200, bodies[i]);
  }
  hostile_server_answer_json(fixture->server, 200, SECOND);
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  for (size_t i = 0; i < COUNT(bodies); i++) {
    size_t size = 77;
    assert_null(argyle_user_cursor_next_page_text(cursor, &size, &error));
    assert_int_equal(size, 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  }
  assert_string_equal(argyle_user_cursor_next_page_text(cursor, NULL, &error), SECOND);
  argyle_user_cursor_free(cursor);
}

static void null_is_refused(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  size_t size = 77;
  assert_null(argyle_user_cursor_next_page(NULL, &error));
  assert_null_refused(error, "cursor");
  assert_null(argyle_user_cursor_next_page_text(NULL, &size, &error));
  assert_int_equal(size, 0);
  assert_null_refused(error, "cursor");
  assert_null(argyle_user_cursor_next_page(NULL, NULL));
  assert_null(argyle_user_cursor_next_page_text(NULL, NULL, NULL));
}

/* ---------------------------------------------------------------- Concurrent changes */

typedef struct {
  argyle_client *client;
  int created;
} creator;

static void *create_users(void *argument) {
  creator *creator = argument;
  for (int i = 0; i < 100; i++) {
    json_t *user = argyle_user_create(creator->client, NULL, NULL);
    creator->created += user != NULL;
    json_decref(user);
  }
  return NULL;
}

/* Walks to the end and records each user's id; returns the number of users. */
static size_t walk_to_end(argyle_user_cursor *cursor, json_t *seen) {
  argyle_error *error = RUBBISH;
  json_t *user;
  size_t count = 0;
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    count++;
    json_object_set_new(seen, string_at(user, "id"), json_true());
    json_decref(user);
  }
  assert_null(error);
  return count;
}

static void no_user_is_missed_while_users_are_created(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  json_t *expected = json_object(), *seen = json_object();
  for (int i = 0; i < 300; i++) {
    json_t *user = argyle_user_create(sandbox->client, NULL, &error);
    assert_null(error);
    json_object_set_new(expected, string_at(user, "id"), json_true());
    json_decref(user);
  }
  json_t *query = json_pack("{s:i, s:s}", "limit", 10, "ordering", "created_at");
  argyle_user_cursor *cursor = argyle_user_cursor_new(sandbox->client, query, &error);
  creator creator = {.client = sandbox->client};
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, create_users, &creator), 0);
  size_t count = walk_to_end(cursor, seen);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(creator.created, 100);
  assert_int_equal(json_object_size(seen), count);
  const char *id;
  json_t *value;
  json_object_foreach(expected, id, value) {
    assert_non_null(json_object_get(seen, id));
  }
  argyle_user_cursor_free(cursor);
  json_decref(query);
  json_decref(expected);
  json_decref(seen);
}

/* ---------------------------------------------------------------- Pages that are too large */

#define LARGE_USERS 23

/* Creates users with `size` bytes of metadata; returns a cursor of a client with max_response_bytes 10,000. */
static argyle_user_cursor *cursor_over_large_users(sandbox *sandbox, size_t size, const char *query) {
  argyle_error *error = RUBBISH;
  char *text = malloc(size);
  memset(text, 'x', size);
  json_t *metadata = json_stringn(text, size);
  for (int i = 0; i < LARGE_USERS; i++) {
    json_decref(argyle_user_create(sandbox->client, metadata, &error));
    assert_null(error);
  }
  json_decref(metadata);
  free(text);
  argyle_client *client = client_with_integer(sandbox->url, "max_response_bytes", 10000);
  argyle_user_cursor *cursor = cursor_for(client, query);
  argyle_client_free(client);
  return cursor;
}

/* Deleting a user during a walk makes the walk skip another, so walks are repeated until no user is left. */
static void clear(const sandbox *sandbox) {
  argyle_error *error = RUBBISH;
  size_t count;
  do {
    argyle_user_cursor *cursor = argyle_user_cursor_new(sandbox->client, NULL, &error);
    json_t *user;
    for (count = 0; (user = argyle_user_cursor_next(cursor, &error)) != NULL; count++) {
      assert_int_equal(argyle_user_delete(sandbox->client, string_at(user, "id"), NULL), 0);
      json_decref(user);
    }
    argyle_user_cursor_free(cursor);
  } while (count > 0);
}

/* Every user is returned once. */
static void pages_that_are_too_large_become_smaller(void **state) {
  sandbox *sandbox = *state;
  /* Without a limit, with one that links repeat, and with one beyond the service's maximum. */
  static const char *const queries[] = {
    NULL, "{\"ordering\": \"created_at\"}", "{\"limit\": 7, \"offset\": 0}", "{\"limit\": 2147483647}"};
  static const size_t sizes[] = {3000, 6000};
  for (size_t i = 0; i < COUNT(queries); i++) {
    for (size_t j = 0; j < COUNT(sizes); j++) {
      clear(sandbox);
      argyle_user_cursor *cursor = cursor_over_large_users(sandbox, sizes[j], queries[i]);
      json_t *seen = json_object();
      assert_int_equal(walk_to_end(cursor, seen), LARGE_USERS);
      assert_int_equal(json_object_size(seen), LARGE_USERS);
      json_decref(seen);
      argyle_user_cursor_free(cursor);
    }
  }
}

static void texts_of_pages_become_smaller_as_well(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  clear(sandbox);
  argyle_user_cursor *cursor = cursor_over_large_users(sandbox, 3000, NULL);
  size_t count = 0, size;
  const char *text;
  while ((text = argyle_user_cursor_next_page_text(cursor, &size, &error)) != NULL) {
    json_t *page = json_loadb(text, size, 0, NULL);
    count += json_array_size(json_object_get(page, "results"));
    json_decref(page);
  }
  assert_null(error);
  assert_int_equal(count, LARGE_USERS);
  argyle_user_cursor_free(cursor);
}

/* It is reported each time. */
static void a_user_that_is_too_large_is_reported(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  clear(sandbox);
  argyle_user_cursor *cursor = cursor_over_large_users(sandbox, 20000, NULL);
  for (int i = 0; i < 3; i++) {
    assert_null(argyle_user_cursor_next(cursor, &error));
    assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "max_response_bytes (10000)");
  }
  argyle_user_cursor_free(cursor);
}

/* ---------------------------------------------------------------- Retry-After */

/* No request is sent before Retry-After has passed, not even for a page whose prefetch failed. */
static void a_retry_after_that_is_too_long_is_reported_immediately(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}");
  hostile_server_answer_http(fixture->server, 429, "Retry-After: 120\r\n", "{}", 2);
  argyle_error *error = RUBBISH;
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, &error);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_non_null(user);
  json_decref(user);
  assert_null(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(argyle_error_retry_after_ms(error), 120000);
  assert_failed(error, ARGYLE_ERROR_RATE_LIMITED, NULL);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_user_cursor_free(cursor);
}

int main(void) {
  const struct CMUnitTest ahead[] = {
    hostile_test(the_next_page_is_prefetched),
    hostile_test(other_calls_work_during_a_prefetch),
    hostile_test(a_host_that_was_away_gets_the_prefetched_page),
    hostile_test(a_large_page_arrives_though_the_host_was_away),
    hostile_test(an_unreadable_page_is_requested_again),
    hostile_test(a_connection_that_died_meanwhile_is_no_error),
    hostile_test(a_slow_server_causes_a_timeout),
    hostile_test(a_cursor_may_be_freed_during_a_prefetch),
    hostile_test(a_fork_leaves_the_prefetched_page_to_the_parent),
    hostile_test(an_interrupted_walk_continues),
  };
  const struct CMUnitTest pages[] = {
    hostile_test(pages_have_the_normal_form),
    hostile_test(text_is_returned_as_received),
    hostile_test(the_caller_may_find_a_text_unreadable),
    hostile_test(the_last_of_two_links_is_followed),
    hostile_test(text_and_values_may_be_mixed),
    hostile_test(users_and_pages_are_not_mixed),
    hostile_test(a_queue_runs_the_calls_of_a_cursor),
    hostile_test(without_a_page_the_same_call_is_created),
    hostile_test(a_page_too_large_is_requested_smaller),
    hostile_test(only_pages_are_added),
    hostile_test(a_page_is_added_once),
    hostile_test(the_page_of_another_query_is_not_added),
    hostile_test(what_is_no_page_is_not_added),
    hostile_test(calls_are_not_mixed_with_users),
    hostile_test(a_retry_after_that_is_too_long_is_reported_immediately),
    hostile_test(a_text_that_is_no_list_is_refused_and_requested_again),
    cmocka_unit_test(null_is_refused),
  };
  const struct CMUnitTest coming_and_going[] = {
    cmocka_unit_test(no_user_is_missed_while_users_are_created),
    cmocka_unit_test(pages_that_are_too_large_become_smaller),
    cmocka_unit_test(texts_of_pages_become_smaller_as_well),
    cmocka_unit_test(a_user_that_is_too_large_is_reported),
  };
  int failures = cmocka_run_group_tests_name("ahead", ahead, NULL, NULL);
  failures += cmocka_run_group_tests_name("pages", pages, NULL, NULL);
  failures += cmocka_run_group_tests_name("coming and going", coming_and_going, sandbox_setup, sandbox_teardown);
  return failures;
}
