/*
 * Thousands of calls in one queue, with a sandbox that injects faults or dies. Each call has exactly one result, and
 * both sides have the same users: none is lost or duplicated.
 */
#include "sandbox.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define IN_FLIGHT 50

/* 10,000, or the value of ARGYLE_BULK_CALLS, because under valgrind so many take minutes. */
static int calls = 10000;

/* Some of every hundred requests are lost, refused or delayed, or lose their answer. */
#define FAULTS(method)                                                                                            \
  "[{\"kind\": \"close\", \"when\": \"before\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 1}," \
  "{\"kind\": \"close\", \"when\": \"after\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 2},"   \
  "{\"kind\": \"error\", \"status\": 503, \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 3},"       \
  "{\"kind\": \"rate_limit\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 4},"                   \
  "{\"kind\": \"body\", \"body\": \"cut\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 5},"      \
  "{\"kind\": \"delay\", \"milliseconds\": 10, \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 6}]"

/* ---------------------------------------------------------------- Outcomes */

/* The outcome of the call for one user, whose number is in the metadata. */
typedef struct {
  int results;    /* how often the call was returned */
  bool succeeded;
  bool unknown;   /* a failure whose outcome is unknown */
  char id[64];    /* of the created user */
  int on_server;  /* number of users with this number on the server */
} outcome;

/* The outcomes of all calls. */
typedef struct {
  int succeeded;
  int known;       /* failures without an effect */
  int unknown;     /* failures that may have had an effect */
  int carried_out; /* those of them that had one */
} summary;

static outcome *new_outcomes(void) {
  return calloc((size_t)calls, sizeof(outcome));
}

/* Records the result of a call. */
static void record_result(argyle_call *call, outcome *outcome) {
  argyle_error *error = RUBBISH;
  outcome->results++;
  outcome->succeeded = false;
  outcome->unknown = false;
  json_t *result = argyle_call_json(call, &error);
  if (error == NULL) {
    outcome->succeeded = true;
    const char *id = string_at(result, "id");
    assert_true(strlen(id) < sizeof outcome->id);
    if (outcome->id[0] == '\0') {
      strcpy(outcome->id, id);
    } else if (result != NULL) {
      /* The requested user. */
      assert_string_equal(id, outcome->id);
    }
  } else {
    assert_int_not_equal(argyle_error_code(error), ARGYLE_ERROR_ARGUMENT);
    assert_int_not_equal(argyle_error_code(error), ARGYLE_ERROR_INTERNAL);
    outcome->unknown = argyle_error_outcome_is_unknown(error) == 1;
  }
  argyle_error_free(error);
  json_decref(result);
}

/* Takes a completed call and records its result; returns false if there is none. */
static bool take_one(argyle_queue *queue, const outcome *outcomes) {
  argyle_error *error = RUBBISH;
  void *tag = NULL;
  argyle_call *call = argyle_queue_next(queue, &tag, &error);
  assert_null(error);
  if (call == NULL) {
    return false;
  }
  assert_true((outcome *)tag >= outcomes && (outcome *)tag < outcomes + calls);
  record_result(call, tag);
  argyle_call_free(call);
  return true;
}

/* Takes `count` calls with argyle_queue_wait(). */
static void take_with_wait(argyle_queue *queue, const outcome *outcomes, int count) {
  argyle_error *error = RUBBISH;
  while (count > 0) {
    assert_true(argyle_queue_wait(queue, -1, &error) > 0);
    assert_null(error);
    while (count > 0 && take_one(queue, outcomes)) {
      count--;
    }
  }
}

/* Takes `count` calls by polling the queue's descriptor. */
static void take_with_poll(argyle_queue *queue, const outcome *outcomes, int count) {
  argyle_error *error = RUBBISH;
  struct pollfd ready = {.fd = argyle_queue_fd(queue, &error), .events = POLLIN};
  while (count > 0) {
    assert_int_equal(poll(&ready, 1, -1), 1);
    assert_true(argyle_queue_drive(queue, &error) >= 0);
    assert_null(error);
    while (count > 0 && take_one(queue, outcomes)) {
      count--;
    }
  }
}

static argyle_queue *new_queue(void) {
  argyle_error *error = RUBBISH;
  json_t *options = json_pack("{s:i}", "max_in_flight", IN_FLIGHT);
  argyle_queue *queue = argyle_queue_new(options, &error);
  json_decref(options);
  assert_null(error);
  return queue;
}

static void submit_create(argyle_queue *queue, argyle_client *client, outcome *outcome, int number) {
  argyle_error *error = RUBBISH;
  char metadata[32];
  int size = snprintf(metadata, sizeof metadata, "{\"number\":%d}", number);
  argyle_call *call =
    argyle_call_new_text(client, ARGYLE_OPERATION_USER_CREATE, NULL, metadata, (size_t)size, &error);
  assert_null(error);
  assert_int_equal(argyle_queue_submit(queue, call, outcome, &error), 0);
}

/* Submits a call for each user. */
static void submit_for_each(argyle_queue *queue, argyle_client *client, int operation, outcome *outcomes) {
  argyle_error *error = RUBBISH;
  for (int i = 0; i < calls; i++) {
    outcomes[i].results = 0;
    argyle_call *call = argyle_call_new(client, operation, outcomes[i].id, NULL, &error);
    assert_null(error);
    assert_int_equal(argyle_queue_submit(queue, call, &outcomes[i], &error), 0);
  }
}

/* ---------------------------------------------------------------- Both sides */

/* Counts the users with each number on the server, and asserts that each known id has its number. */
static void count_users_on_server(argyle_client *client, outcome *outcomes) {
  argyle_error *error = RUBBISH;
  for (int i = 0; i < calls; i++) {
    outcomes[i].on_server = 0;
  }
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  json_t *user;
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    json_int_t number = json_integer_value(json_object_get(json_object_get(user, "external_metadata"), "number"));
    assert_in_range(number, 0, calls - 1);
    outcome *outcome = &outcomes[number];
    outcome->on_server++;
    if (outcome->id[0] != '\0') {
      assert_string_equal(string_at(user, "id"), outcome->id);
    }
    json_decref(user);
  }
  assert_null(error);
  argyle_user_cursor_free(cursor);
}

/* Asserts that each create had one result, and that the server's users match the results. */
static summary assert_created(argyle_client *client, outcome *outcomes) {
  summary summary = {0};
  count_users_on_server(client, outcomes);
  for (int i = 0; i < calls; i++) {
    const outcome *outcome = &outcomes[i];
    assert_int_equal(outcome->results, 1);
    if (outcome->succeeded) {
      assert_true(outcome->id[0] != '\0');
      assert_int_equal(outcome->on_server, 1);
      summary.succeeded++;
    } else if (outcome->unknown) {
      assert_in_range(outcome->on_server, 0, 1);
      summary.unknown++;
      summary.carried_out += outcome->on_server;
    } else {
      assert_int_equal(outcome->on_server, 0);
      summary.known++;
    }
  }
  return summary;
}

static int order(const void *left, const void *right) {
  return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void assert_ids_are_unique(const outcome *outcomes) {
  const char **ids = malloc((size_t)calls * sizeof *ids);
  int count = 0;
  for (int i = 0; i < calls; i++) {
    if (outcomes[i].id[0] != '\0') {
      ids[count++] = outcomes[i].id;
    }
  }
  qsort(ids, (size_t)count, sizeof *ids, order);
  for (int i = 1; i < count; i++) {
    assert_string_not_equal(ids[i - 1], ids[i]);
  }
  free(ids);
}

/* ---------------------------------------------------------------- Faults */

static void no_create_is_lost_or_duplicated(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  sandbox_set_faults(sandbox, FAULTS("POST"));
  for (int i = 0; i < calls; i++) {
    submit_create(queue, sandbox->client, &outcomes[i], i);
  }
  assert_int_equal(argyle_queue_count(queue), calls);
  take_with_wait(queue, outcomes, calls);
  assert_int_equal(argyle_queue_count(queue), 0);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 0);
  assert_null(error);
  sandbox_set_faults(sandbox, "[]");

  summary created = assert_created(sandbox->client, outcomes);
  assert_ids_are_unique(outcomes);
  /* Each kind of fault occurred. */
  assert_true(created.known > 0);
  assert_true(created.carried_out > 0);
  assert_true(created.carried_out < created.unknown);
  assert_true(created.succeeded > calls / 2);
  argyle_queue_free(queue);
  free(outcomes);
}

/* Creates all users, without faults. */
static void create_all(argyle_queue *queue, argyle_client *client, outcome *outcomes) {
  for (int i = 0; i < calls; i++) {
    submit_create(queue, client, &outcomes[i], i);
  }
  take_with_poll(queue, outcomes, calls);
  assert_int_equal(assert_created(client, outcomes).succeeded, calls);
}

/* Even if some are requested twice. */
static void each_get_returns_its_own_user(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  create_all(queue, sandbox->client, outcomes);
  sandbox_set_faults(sandbox, FAULTS("GET"));
  submit_for_each(queue, sandbox->client, ARGYLE_OPERATION_USER_GET, outcomes);
  take_with_poll(queue, outcomes, calls);
  sandbox_set_faults(sandbox, "[]");
  int read = 0;
  for (int i = 0; i < calls; i++) {
    assert_int_equal(outcomes[i].results, 1);
    assert_false(outcomes[i].unknown);
    read += outcomes[i].succeeded;
  }
  assert_true(read > calls / 2);
  assert_true(read < calls);
  assert_int_equal(argyle_queue_count(queue), 0);
  argyle_queue_free(queue);
  free(outcomes);
}

/* Deleted users are gone, and the others still exist. */
static void each_delete_has_the_effect_it_reports(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  create_all(queue, sandbox->client, outcomes);
  sandbox_set_faults(sandbox, FAULTS("DELETE"));
  submit_for_each(queue, sandbox->client, ARGYLE_OPERATION_USER_DELETE, outcomes);
  take_with_poll(queue, outcomes, calls);
  sandbox_set_faults(sandbox, "[]");
  count_users_on_server(sandbox->client, outcomes);
  int deleted = 0, wrong = 0;
  for (int i = 0; i < calls; i++) {
    assert_int_equal(outcomes[i].results, 1);
    if (outcomes[i].succeeded) {
      assert_int_equal(outcomes[i].on_server, 0);
      deleted++;
    } else if (!outcomes[i].unknown && outcomes[i].on_server == 0) {
      wrong++;
    }
  }
  if (wrong > 0) {
    print_error("%d users are gone, though the failure says that nothing was done\n", wrong);
  }
  assert_int_equal(wrong, 0);
  assert_true(deleted > calls / 2);
  assert_true(deleted < calls);
  assert_int_equal(argyle_queue_count(queue), 0);
  argyle_queue_free(queue);
  free(outcomes);
}

/* ---------------------------------------------------------------- A server that dies */

static argyle_sandbox *start_on(const char *file, int port) {
  argyle_sandbox_error *error;
  json_t *options = json_pack("{s:s, s:s, s:s, s:i}", "key_id", KEY_ID, "key_secret", KEY_SECRET, "database", file,
                              "port", port);
  argyle_sandbox *server = argyle_sandbox_start(options, &error);
  json_decref(options);
  if (server == NULL) {
    print_error("%s\n", argyle_sandbox_error_message(error));
  }
  assert_non_null(server);
  return server;
}

static void the_counts_add_up_after_the_server_died(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  char folder[] = "/tmp/argyle-test.XXXXXX", file[64];
  assert_non_null(mkdtemp(folder));
  snprintf(file, sizeof file, "%s/users.sqlite", folder);
  outcome *outcomes = new_outcomes();
  argyle_sandbox *server = start_on(file, 0);
  int port = atoi(strrchr(argyle_sandbox_url(server), ':') + 1);
  argyle_client *client = client_for(argyle_sandbox_url(server));
  argyle_queue *queue = new_queue();
  for (int i = 0; i < calls; i++) {
    submit_create(queue, client, &outcomes[i], i);
  }
  take_with_wait(queue, outcomes, calls / 10);
  argyle_sandbox_free(server);
  /* Some connections are refused, and others reach the restarted server. */
  take_with_wait(queue, outcomes, calls / 10);
  server = start_on(file, port);
  take_with_wait(queue, outcomes, calls / 10);
  /* The rest is cancelled. */
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_null(error);
  take_with_wait(queue, outcomes, calls - 3 * (calls / 10));
  assert_int_equal(argyle_queue_count(queue), 0);

  summary created = assert_created(client, outcomes);
  assert_ids_are_unique(outcomes);
  assert_true(created.succeeded >= calls / 10);
  assert_true(created.known > calls / 2);
  argyle_queue_free(queue);
  argyle_client_free(client);
  argyle_sandbox_free(server);
  free(outcomes);
  unlink(file);
  assert_int_equal(rmdir(folder), 0);
}

#define sandbox_test(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    sandbox_test(no_create_is_lost_or_duplicated),
    sandbox_test(each_get_returns_its_own_user),
    sandbox_test(each_delete_has_the_effect_it_reports),
    cmocka_unit_test(the_counts_add_up_after_the_server_died),
  };
  const char *fewer = getenv("ARGYLE_BULK_CALLS");
  if (fewer != NULL) {
    calls = atoi(fewer);
  }
  return cmocka_run_group_tests_name("queue_bulk", tests, NULL, NULL);
}
