/*
 * Thousands of calls in one queue, against a sandbox that fails as it is told, or dies in the middle. Each call has
 * exactly one result, and the users on both sides are the same: none is lost, and none is there twice.
 */
#include "sandbox.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#define IN_FLIGHT 50

/* How many calls there are: 10,000, or what ARGYLE_BULK_CALLS says, for under valgrind those take minutes. */
static int calls = 10000;

/* Of each hundred requests some are lost on their way, refused, late, or lost with their answer. */
#define FAULTS(method)                                                                                            \
  "[{\"kind\": \"close\", \"when\": \"before\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 1}," \
  "{\"kind\": \"close\", \"when\": \"after\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 2},"   \
  "{\"kind\": \"error\", \"status\": 503, \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 3},"       \
  "{\"kind\": \"rate_limit\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 4},"                   \
  "{\"kind\": \"body\", \"body\": \"cut\", \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 5},"      \
  "{\"kind\": \"delay\", \"milliseconds\": 10, \"method\": \"" method "\", \"probability\": 0.02, \"seed\": 6}]"

/* ---------------------------------------------------------------- Outcomes */

/* What became of the call for one user, whose number stands in the metadata. */
typedef struct {
  int results;    /* how often the call was given back */
  bool succeeded;
  bool unknown;   /* whether a failure says that the service may have done it all the same */
  char id[64];    /* of a user who was created */
  int on_server;  /* how many users of this number the service has */
} outcome;

/* Of all calls: how they ended. */
typedef struct {
  int succeeded;
  int known;       /* failures that had no effect */
  int unknown;     /* failures that may have had one */
  int carried_out; /* those of the latter that had one */
} summary;

static outcome *new_outcomes(void) {
  return calloc((size_t)calls, sizeof(outcome));
}

/* Notes the result of a call of one of the operations. */
static void note_result(argyle_call *call, outcome *outcome) {
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
      /* A user who was asked for: this one and no other. */
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

/* Takes a call that is over, and notes its result; false where none is over. */
static bool take_one(argyle_queue *queue, const outcome *outcomes) {
  argyle_error *error = RUBBISH;
  void *tag = NULL;
  argyle_call *call = argyle_queue_next(queue, &tag, &error);
  assert_null(error);
  if (call == NULL) {
    return false;
  }
  assert_true((outcome *)tag >= outcomes && (outcome *)tag < outcomes + calls);
  note_result(call, tag);
  argyle_call_free(call);
  return true;
}

/* Takes so many calls, waiting for them in the queue. */
static void take_by_waiting(argyle_queue *queue, const outcome *outcomes, int count) {
  argyle_error *error = RUBBISH;
  while (count > 0) {
    assert_true(argyle_queue_wait(queue, -1, &error) > 0);
    assert_null(error);
    while (count > 0 && take_one(queue, outcomes)) {
      count--;
    }
  }
}

/* Takes so many calls, waiting for the queue's descriptor. */
static void take_by_polling(argyle_queue *queue, const outcome *outcomes, int count) {
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

/* Submits a call of this operation for each user. */
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

/* Counts the users of each number on the server, and asserts that each of a known id has the number of that. */
static void look_at_the_server(argyle_client *client, outcome *outcomes) {
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

/* Asserts that all creations had one result, and that the server has what they say. */
static summary assert_created(argyle_client *client, outcome *outcomes) {
  summary summary = {0};
  look_at_the_server(client, outcomes);
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

static void assert_no_id_is_there_twice(const outcome *outcomes) {
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

static void no_creation_is_lost_and_none_is_doubled(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  sandbox_set_faults(sandbox, FAULTS("POST"));
  for (int i = 0; i < calls; i++) {
    submit_create(queue, sandbox->client, &outcomes[i], i);
  }
  assert_int_equal(argyle_queue_count(queue), calls);
  take_by_waiting(queue, outcomes, calls);
  assert_int_equal(argyle_queue_count(queue), 0);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 0);
  assert_null(error);
  sandbox_set_faults(sandbox, "[]");

  summary created = assert_created(sandbox->client, outcomes);
  assert_no_id_is_there_twice(outcomes);
  /* Faults of each kind have struck. */
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
  take_by_polling(queue, outcomes, calls);
  assert_int_equal(assert_created(client, outcomes).succeeded, calls);
}

/* Each call that reads gets its own user, though some are asked for twice. */
static void each_reading_gets_its_own_user(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  create_all(queue, sandbox->client, outcomes);
  sandbox_set_faults(sandbox, FAULTS("GET"));
  submit_for_each(queue, sandbox->client, ARGYLE_OPERATION_USER_GET, outcomes);
  take_by_polling(queue, outcomes, calls);
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

/* Who was deleted is gone, and who was not is there. */
static void each_deletion_is_what_it_says(void **state) {
  sandbox *sandbox = *state;
  outcome *outcomes = new_outcomes();
  argyle_queue *queue = new_queue();
  create_all(queue, sandbox->client, outcomes);
  sandbox_set_faults(sandbox, FAULTS("DELETE"));
  submit_for_each(queue, sandbox->client, ARGYLE_OPERATION_USER_DELETE, outcomes);
  take_by_polling(queue, outcomes, calls);
  sandbox_set_faults(sandbox, "[]");
  look_at_the_server(sandbox->client, outcomes);
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

static void the_counts_add_up_where_the_server_dies_in_the_middle(void **state) {
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
  take_by_waiting(queue, outcomes, calls / 10);
  argyle_sandbox_free(server);
  /* Some find nobody, and others the server that was started again. */
  take_by_waiting(queue, outcomes, calls / 10);
  server = start_on(file, port);
  take_by_waiting(queue, outcomes, calls / 10);
  /* The rest is given up. */
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_null(error);
  take_by_waiting(queue, outcomes, calls - 3 * (calls / 10));
  assert_int_equal(argyle_queue_count(queue), 0);

  summary created = assert_created(client, outcomes);
  assert_no_id_is_there_twice(outcomes);
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
    sandbox_test(no_creation_is_lost_and_none_is_doubled),
    sandbox_test(each_reading_gets_its_own_user),
    sandbox_test(each_deletion_is_what_it_says),
    cmocka_unit_test(the_counts_add_up_where_the_server_dies_in_the_middle),
  };
  const char *fewer = getenv("ARGYLE_BULK_CALLS");
  if (fewer != NULL) {
    calls = atoi(fewer);
  }
  return cmocka_run_group_tests_name("queue_bulk", tests, NULL, NULL);
}
