/* Reused connections: how many there are, and what happens when one dies during a request. */
#include "descriptors.h"
#include "hostile_server.h"
#include "user.h"

#include <stdio.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"

static void get_user(hostile_fixture *fixture) {
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user(fixture->client, USER);
}

static int count_of_method(hostile_fixture *fixture, const char *method) {
  int count = 0;
  for (int i = 0; i < hostile_server_requests(fixture->server); i++) {
    count += strcmp(hostile_server_request(fixture->server, i)->method, method) == 0;
  }
  return count;
}

/* ---------------------------------------------------------------- Reused */

static void twenty_calls_use_one_connection(void **state) {
  hostile_fixture *fixture = *state;
  for (int i = 0; i < 20; i++) {
    get_user(fixture);
  }
  assert_int_equal(hostile_server_requests(fixture->server), 20);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void all_operations_use_one_connection(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = fixture->client;
  hostile_server_answer_json(fixture->server, 200,
                             "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": []}");
  json_decref(argyle_user_create(client, json_true(), NULL));
  json_decref(argyle_user_get(client, "u1", NULL));
  json_decref(argyle_user_update(client, "u1", json_true(), NULL));
  json_decref(argyle_user_list(client, NULL, NULL));
  json_decref(argyle_user_token_create(client, "u1", NULL));
  assert_int_equal(argyle_user_delete(client, "u1", NULL), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 6);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void an_error_of_the_service_keeps_the_connection(void **state) {
  hostile_fixture *fixture = *state;
  static const int statuses[] = {400, 404, 429, 500};
  for (size_t i = 0; i < COUNT(statuses); i++) {
    hostile_server_answer_json(fixture->server, statuses[i], "{\"detail\": \"no\"}");
    assert_null(argyle_user_get(fixture->client, "u1", NULL));
  }
  get_user(fixture);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void freeing_the_client_closes_the_connection(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  argyle_client_free(fixture->client);
  hostile_server_wait_for_closed(fixture->server, 1);
  fixture->client = NULL;
}

/* ---------------------------------------------------------------- Dead */

static void a_create_is_sent_once_when_a_reused_connection_dies(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  get_user(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 201, USER);

  assert_null(argyle_user_create(fixture->client, json_true(), &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  assert_int_equal(count_of_method(fixture, "POST"), 1);
}

static void a_token_is_requested_once_when_a_reused_connection_dies(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  get_user(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 201, "{\"access\": \"a\"}");

  assert_null(argyle_user_token_create(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  assert_int_equal(count_of_method(fixture, "POST"), 1);
}

static void a_create_is_sent_once_whatever_its_size(void **state) {
  hostile_fixture *fixture = *state;
  size_t length = 3 * 1024 * 1024;
  char *text = malloc(length);
  memset(text, 'x', length);
  json_t *metadata = json_stringn(text, length);
  get_user(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 201, USER);

  argyle_error *error = RUBBISH;
  assert_null(argyle_user_create(fixture->client, metadata, &error));
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  assert_int_equal(count_of_method(fixture, "POST"), 1);
  json_decref(metadata);
  free(text);
}

static void a_create_does_not_use_a_connection_closed_meanwhile(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  /* The answer allows the connection to be reused, but the server closes it right after. */
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\": \"u1\"}", .then = HOSTILE_CLOSE});
  json_decref(argyle_user_get(fixture->client, "u1", &error));
  assert_null(error);
  hostile_server_wait_for_closed(fixture->server, 1);

  hostile_server_answer_json(fixture->server, 201, USER);
  json_t *created = argyle_user_create(fixture->client, NULL, &error);
  assert_null(error);
  assert_json(created, USER);
  assert_int_equal(count_of_method(fixture, "POST"), 1);
  assert_int_equal(hostile_server_connections(fixture->server), 2);
  json_decref(created);
}

static void a_get_is_retried_once(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  get_user(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 200, USER);

  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  int sent = count_of_method(fixture, "GET") - 1;
  if (user != NULL) {
    assert_null(error);
    assert_int_equal(sent, 2);
    json_decref(user);
  } else {
    assert_int_equal(argyle_error_attempts(error), sent);
    assert_int_equal(argyle_error_is_retryable(error), 1);
    assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
  }
}

static void a_get_whose_connections_keep_dying_fails(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  get_user(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});

  assert_null(argyle_user_get(fixture->client, "u1", &error));
  int sent = count_of_method(fixture, "GET") - 1;
  assert_in_range(sent, 1, 2);
  assert_int_equal(argyle_error_attempts(error), sent);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "127.0.0.1");
}

/* libcurl alone would count its retries over all calls, and give up after five. */
static void reused_connections_may_die_any_number_of_times(void **state) {
  hostile_fixture *fixture = *state;
  for (int i = 0; i < 8; i++) {
    argyle_error *error = RUBBISH;
    get_user(fixture);
    hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
    hostile_server_answer_json(fixture->server, 200, USER);
    json_t *user = argyle_user_get(fixture->client, "u1", &error);
    assert_null(error);
    json_decref(user);
  }
}

/* Some programs close all descriptors that they do not know. */
static void a_client_whose_descriptor_was_closed_recovers(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  descriptor_set before = descriptors_of(EPOLL_DESCRIPTOR);
  get_user(fixture);
  close(new_descriptor(EPOLL_DESCRIPTOR, &before));
  hostile_server_answer_json(fixture->server, 201, "{\"id\": \"u2\", \"token\": \"t\"}");
  json_t *user = argyle_user_create(fixture->client, NULL, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u2");
  json_decref(user);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(twenty_calls_use_one_connection),
    hostile_test(all_operations_use_one_connection),
    hostile_test(an_error_of_the_service_keeps_the_connection),
    hostile_test(freeing_the_client_closes_the_connection),
    hostile_test(a_create_is_sent_once_when_a_reused_connection_dies),
    hostile_test(a_token_is_requested_once_when_a_reused_connection_dies),
    hostile_test(a_create_is_sent_once_whatever_its_size),
    hostile_test(a_create_does_not_use_a_connection_closed_meanwhile),
    hostile_test(a_get_is_retried_once),
    hostile_test(a_get_whose_connections_keep_dying_fails),
    hostile_test(reused_connections_may_die_any_number_of_times),
    hostile_test(a_client_whose_descriptor_was_closed_recovers),
  };
  return cmocka_run_group_tests_name("connections", tests, NULL, NULL);
}
