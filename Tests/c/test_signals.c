/* A signal that the host handles during a blocking call does not end the call. */
#include "signals.h"

#include <signal.h>

#define USER "{\"id\": \"u1\"}"

static void a_signal_does_not_end_a_call(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\": \"u1\"}", .held = true});
  start_signals_before_answer(fixture->server, 1);
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  stop_signals_after_answer();
  assert_null(error);
  assert_json(user, USER);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  json_decref(user);
}

static void a_signal_does_not_end_a_create(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 201 Created\r\nContent-Length: 26\r\n\r\n{\"id\": \"u1\", \"token\": \"t\"}",
    .held = true});
  start_signals_before_answer(fixture->server, 1);
  json_t *created = argyle_user_create(fixture->client, NULL, &error);
  stop_signals_after_answer();
  assert_null(error);
  assert_non_null(created);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  json_decref(created);
}

static void a_signal_does_not_prevent_a_timeout(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 200);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  start_signals();
  json_t *user = argyle_user_get(client, "u1", &error);
  stop_signals();
  assert_null(user);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, NULL);
  assert_true(handled_signals() > 0);
  argyle_client_free(client);
}

static void the_handlers_of_the_host_are_left_alone(void **state) {
  hostile_fixture *fixture = *state;
  static const int numbers[] = {SIGPIPE, SIGALRM, SIGCHLD, SIGTERM, SIGINT, SIGUSR1};
  struct sigaction before[COUNT(numbers)], after;
  for (size_t i = 0; i < COUNT(numbers); i++) {
    sigaction(numbers[i], NULL, &before[i]);
  }
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_get(fixture->client, "u1", NULL));
  for (size_t i = 0; i < COUNT(numbers); i++) {
    sigaction(numbers[i], NULL, &after);
    assert_true(before[i].sa_handler == after.sa_handler);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_signal_does_not_end_a_call),
    hostile_test(a_signal_does_not_end_a_create),
    hostile_test(a_signal_does_not_prevent_a_timeout),
    hostile_test(the_handlers_of_the_host_are_left_alone),
  };
  return cmocka_run_group_tests_name("signals", tests, NULL, NULL);
}
