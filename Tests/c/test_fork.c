/*
 * Handles after fork(): they answer ARGYLE_ERROR_FORKED in the child, may be freed there, and the parent goes on
 * with its connection.
 */
#include "child.h"
#include "hostile_server.h"
#include "user.h"

#define USER "{\"id\": \"u1\"}"

static void get_user(hostile_fixture *fixture) {
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user(fixture->client, USER);
}

/* 0 where this is the error of a handle of the parent, otherwise 1. Releases it. */
static int is_not_forked(argyle_error *error) {
  int failed = error == NULL || error == RUBBISH || argyle_error_code(error) != ARGYLE_ERROR_FORKED ||
               strcmp(argyle_error_name(error), "forked") != 0 || argyle_error_attempts(error) != 0 ||
               argyle_error_is_retryable(error) != 0 || argyle_error_message(error)[0] == '\0';
  argyle_error_free(error);
  return failed;
}

/* ---------------------------------------------------------------- Checks in the child */

static int call_everything(void *argument) {
  argyle_client *client = argument;
  argyle_error *error = RUBBISH;
  int failures = 0;
  failures += argyle_user_create(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_get(client, "u1", &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_update(client, "u1", json_true(), &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_list(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_delete(client, "u1", &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_token_create(client, "u1", &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_user_cursor_new(client, NULL, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  json_t *overrides = json_object();
  failures += argyle_client_with(client, overrides, &error) != NULL || is_not_forked(error);
  json_decref(overrides);
  error = RUBBISH;
  failures += argyle_client_with_interrupt(client, NULL, NULL, &error) != NULL || is_not_forked(error);
  failures += argyle_user_get(client, "u1", NULL) != NULL;
  return failures;
}

static int free_client(void *argument) {
  argyle_client_free(argument);
  return 0;
}

static int call_and_free_cursor(void *argument) {
  argyle_error *error = RUBBISH;
  int failures = argyle_user_cursor_next(argument, &error) != NULL || is_not_forked(error);
  argyle_user_cursor_free(argument);
  return failures;
}

static int read_and_free_error(void *argument) {
  int failures = argyle_error_code(argument) != ARGYLE_ERROR_ARGUMENT;
  argyle_error_free(argument);
  return failures;
}

static int use_what_needs_no_handle(void *argument) {
  (void)argument;
  json_t *claims = argyle_token_claims("e30.eyJhIjoxfQ.AAAA", NULL);
  int failures = json_integer_value(json_object_get(claims, "a")) != 1;
  json_decref(claims);
  return failures + (strcmp(argyle_version(), ARGYLE_VERSION) != 0);
}

static int use_a_client_of_its_own(void *argument) {
  json_t *options = options_for(argument);
  argyle_client *client = argyle_client_new(options, NULL);
  json_decref(options);
  json_t *user = argyle_user_get(client, "u1", NULL);
  int failures = strcmp(string_at(user, "id"), "u1") != 0;
  json_decref(user);
  argyle_client_free(client);
  return failures;
}

/* ---------------------------------------------------------------- Tests */

static void a_client_of_the_parent_answers_forked(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
}

static void an_unused_client_of_the_parent_answers_forked_too(void **state) {
  hostile_fixture *fixture = *state;
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void the_parent_goes_on_with_its_connection(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  assert_int_equal(failures_in_child(call_everything, fixture->client), 0);
  get_user(fixture);
  assert_int_equal(failures_in_child(free_client, fixture->client), 0);
  get_user(fixture);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void a_cursor_of_the_parent_answers_forked(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], \"next\": null}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, &error);
  json_decref(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(failures_in_child(call_and_free_cursor, cursor), 0);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u2");
  json_decref(user);
  argyle_user_cursor_free(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void a_cursor_of_the_parent_gives_no_user_that_it_holds(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\"}]}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, &error);
  json_decref(argyle_user_cursor_next(cursor, &error));
  assert_int_equal(failures_in_child(call_and_free_cursor, cursor), 0);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u2");
  json_decref(user);
  argyle_user_cursor_free(cursor);
}

static void an_error_of_the_parent_can_be_read(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_new(NULL, &error));
  assert_int_equal(failures_in_child(read_and_free_error, error), 0);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
}

static void what_needs_no_handle_works_in_the_child(void **state) {
  (void)state;
  assert_int_equal(failures_in_child(use_what_needs_no_handle, NULL), 0);
}

static void a_client_made_in_the_child_works(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture);
  char url[64] = "";
  strcat(url, hostile_server_url(fixture->server));
  assert_int_equal(failures_in_child(use_a_client_of_its_own, url), 0);
  get_user(fixture);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_int_equal(hostile_server_connections(fixture->server), 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_client_of_the_parent_answers_forked),
    hostile_test(an_unused_client_of_the_parent_answers_forked_too),
    hostile_test(the_parent_goes_on_with_its_connection),
    hostile_test(a_cursor_of_the_parent_answers_forked),
    hostile_test(a_cursor_of_the_parent_gives_no_user_that_it_holds),
    cmocka_unit_test(an_error_of_the_parent_can_be_read),
    cmocka_unit_test(what_needs_no_handle_works_in_the_child),
    hostile_test(a_client_made_in_the_child_works),
  };
  return cmocka_run_group_tests_name("fork", tests, NULL, NULL);
}
