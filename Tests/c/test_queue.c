/* The section "Queues" of argyle.h. */
#include "child.h"
#include "clock.h"
#include "descriptors.h"
#include "hostile_server.h"
#include "queue.h"
#include "sandbox.h"
#include "signals.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\", \"token\": \"t\"}"
#define USER_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" USER
#define STALLING ((hostile_answer){.then = HOSTILE_STALL})
/* A timeout for calls without an answer. */
#define SHORT_MS 200

/* ---------------------------------------------------------------- Helpers */

static argyle_call *new_call(argyle_client *client, int operation, const char *user_id) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new(client, operation, user_id, NULL, &error);
  assert_null(error);
  assert_non_null(call);
  return call;
}

static argyle_call *get_call(argyle_client *client) {
  return new_call(client, ARGYLE_OPERATION_USER_GET, "u1");
}

static argyle_call *create_call(argyle_client *client) {
  return new_call(client, ARGYLE_OPERATION_USER_CREATE, NULL);
}

/* Waits for a call, asserts that it is this one and succeeded, and frees it. */
static void assert_next_succeeded(argyle_queue *queue, const argyle_call *call) {
  argyle_call *taken = wait_for_next(queue, NULL);
  assert_ptr_equal(taken, call);
  if (argyle_call_error(taken) != NULL) {
    print_error("%s\n", argyle_error_message(argyle_call_error(taken)));
  }
  assert_null(argyle_call_error(taken));
  argyle_call_free(taken);
}

/* Waits for a call, asserts that it is this one and failed with the code, and frees it. */
static void assert_next_failed(argyle_queue *queue, const argyle_call *call, int code) {
  argyle_call *taken = wait_for_next(queue, NULL);
  assert_ptr_equal(taken, call);
  assert_error(argyle_call_error(taken), code, NULL);
  argyle_call_free(taken);
}

static void assert_empty(argyle_queue *queue) {
  argyle_error *error = RUBBISH;
  void *tag = queue;
  assert_int_equal(argyle_queue_count(queue), 0);
  assert_int_equal(drive(queue), 0);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 0);
  assert_null(error);
  assert_null(next_call(queue, &tag));
}

static int descriptor_of(argyle_queue *queue) {
  argyle_error *error = RUBBISH;
  int descriptor = argyle_queue_fd(queue, &error);
  assert_null(error);
  assert_true(descriptor >= 0);
  return descriptor;
}

static bool is_readable(int descriptor, int timeout_ms) {
  struct pollfd ready = {.fd = descriptor, .events = POLLIN};
  int count = poll(&ready, 1, timeout_ms);
  return count == 1 && (ready.revents & POLLIN) != 0;
}

/* Drives the queue until its descriptor is not readable for `idle_ms`, which must take only a few rounds. */
static void assert_becomes_idle(argyle_queue *queue, int idle_ms) {
  int descriptor = descriptor_of(queue), rounds = 0;
  while (is_readable(descriptor, idle_ms)) {
    drive(queue);
    assert_true(++rounds < 10);
  }
}

/* ---------------------------------------------------------------- Options */

static void the_options_are_optional(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  assert_null(error);
  assert_empty(queue);
  argyle_queue_free(queue);
  json_t *options = json_object();
  queue = argyle_queue_new(options, NULL);
  json_decref(options);
  assert_empty(queue);
  argyle_queue_free(queue);
  static const char *const texts[] = {NULL, "{}", " {\"max_in_flight\": 1000}\n"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    error = RUBBISH;
    queue = argyle_queue_new_text(texts[i], texts[i] != NULL ? strlen(texts[i]) : SIZE_MAX, &error);
    assert_null(error);
    assert_empty(queue);
    argyle_queue_free(queue);
  }
  argyle_queue_free(new_queue(1));
  argyle_queue_free(new_queue(1000));
}

/* With max_in_flight 1, only one of two calls is sent. */
static void options_as_text_take_effect(void **state) {
  hostile_fixture *fixture = *state;
  static const char text[] = "{\"max_in_flight\": 1}";
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL});
  argyle_queue *queue = argyle_queue_new_text(text, strlen(text), NULL);
  for (int i = 0; i < 2; i++) {
    submit(queue, argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL);
  }
  while (hostile_server_requests(fixture->server) == 0) {
    assert_int_equal(argyle_queue_wait(queue, 1, NULL), 0);
  }
  for (int i = 0; i < 20; i++) {
    assert_int_equal(argyle_queue_wait(queue, 1, NULL), 0);
  }
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  argyle_queue_free(queue);
}

static void an_option_that_breaks_a_rule_is_refused(void **state) {
  (void)state;
  static const struct {
    const char *options;
    const char *fragment;
  } cases[] = {
    {"{\"max_in_flight\": 0}", "max_in_flight"},    {"{\"max_in_flight\": 1001}", "max_in_flight"},
    {"{\"max_in_flight\": -1}", "max_in_flight"},   {"{\"max_in_flight\": 4294967297}", "max_in_flight"},
    {"{\"max_in_flight\": \"5\"}", "max_in_flight"}, {"{\"max_in_flight\": 1.5}", "max_in_flight"},
    {"{\"max_in_flight\": 5.0}", "max_in_flight"},  {"{\"max_in_flight\": true}", "max_in_flight"},
    {"{\"max_in_flight\": null}", "max_in_flight"}, {"{\"colour\": 1}", "colour"},
    {"{\"max_in_flight\": 5, \"Max_in_flight\": 5}", "Max_in_flight"},
    {"[]", "options"},                              {"5", "options"},
    {"null", "options"},                            {"\"max_in_flight\"", "options"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    json_t *options = json_of(cases[i].options);
    assert_null(argyle_queue_new(options, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    assert_null(argyle_queue_new(options, NULL));
    json_decref(options);
    assert_null(argyle_queue_new_text(cases[i].options, strlen(cases[i].options), &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
    assert_null(argyle_queue_new_text(cases[i].options, strlen(cases[i].options), NULL));
  }
  static const char *const texts[] = {"", "{", "{}}", "{\"max_in_flight\": 1e999}", "\xff"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    argyle_error *error = RUBBISH;
    assert_null(argyle_queue_new_text(texts[i], strlen(texts[i]), &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "options");
  }
  argyle_error *error = RUBBISH;
  assert_null(argyle_queue_new_text("{}", SIZE_MAX, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "size");
}

/* ---------------------------------------------------------------- NULL */

static void null_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  void *tag = NULL;
  argyle_queue *queue = new_queue(1);
  argyle_call *call = get_call(fixture->client);
  assert_int_equal(argyle_queue_submit(NULL, call, NULL, &error), -1);
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_submit(queue, NULL, NULL, &error), -1);
  assert_null_refused(error, "call");
  assert_int_equal(argyle_queue_fd(NULL, &error), -1);
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_drive(NULL, &error), -1);
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_wait(NULL, -1, &error), -1);
  assert_null_refused(error, "queue");
  assert_null(argyle_queue_next(NULL, &tag, &error));
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_cancel(NULL, call, &error), -1);
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_cancel(queue, NULL, &error), -1);
  assert_null_refused(error, "call");
  assert_int_equal(argyle_queue_cancel_all(NULL, &error), -1);
  assert_null_refused(error, "queue");
  assert_int_equal(argyle_queue_count(NULL), 0);
  argyle_queue_free(NULL);

  /* A queue accepts any result of argyle_call_new(), including NULL. */
  assert_int_equal(argyle_queue_submit(queue, argyle_call_new(NULL, 1, NULL, NULL, NULL), NULL, NULL), -1);
  assert_int_equal(argyle_queue_submit(NULL, call, NULL, NULL), -1);
  assert_int_equal(argyle_queue_fd(NULL, NULL), -1);
  assert_int_equal(argyle_queue_drive(NULL, NULL), -1);
  assert_int_equal(argyle_queue_wait(NULL, 0, NULL), -1);
  assert_null(argyle_queue_next(NULL, NULL, NULL));
  assert_int_equal(argyle_queue_cancel(queue, NULL, NULL), -1);
  assert_int_equal(argyle_queue_cancel_all(NULL, NULL), -1);
  assert_empty(queue);
  argyle_call_free(call);
  argyle_queue_free(queue);
}

static void an_empty_queue_has_nothing_to_wait_for(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  static const int times[] = {0, 1, 60000, INT32_MAX, -1, INT32_MIN};
  argyle_queue *queue = new_queue(5);
  for (size_t i = 0; i < COUNT(times); i++) {
    error = RUBBISH;
    assert_int_equal(argyle_queue_wait(queue, times[i], &error), 0);
    assert_null(error);
  }
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_null(error);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void the_error_pointer_is_optional(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  assert_true(argyle_queue_fd(queue, NULL) >= 0);
  argyle_call *call = get_call(fixture->client);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, NULL), 0);
  assert_true(argyle_queue_drive(queue, NULL) >= 0);
  assert_int_equal(argyle_queue_wait(queue, -1, NULL), 1);
  assert_int_equal(argyle_queue_cancel(queue, call, NULL), 0);
  assert_int_equal(argyle_queue_cancel_all(queue, NULL), 0);
  assert_ptr_equal(argyle_queue_next(queue, NULL, NULL), call);
  assert_null(argyle_call_error(call));
  assert_null(argyle_queue_next(queue, NULL, NULL));
  argyle_call_free(call);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Submitting */

static void submitting_sends_nothing(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  int descriptors = count_descriptors();
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  assert_int_equal(argyle_queue_count(queue), 1);
  assert_int_equal(count_descriptors(), descriptors);
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);
}

/* Asserts that the queue refuses the call. */
static void assert_submit_refused(argyle_queue *queue, argyle_call *call) {
  argyle_error *error = RUBBISH;
  size_t count = argyle_queue_count(queue);
  assert_int_equal(argyle_queue_submit(queue, call, &error, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  assert_int_equal(argyle_queue_submit(queue, call, &error, NULL), -1);
  assert_int_equal(argyle_queue_count(queue), count);
}

static void a_call_is_submitted_once(void **state) {
  hostile_fixture *fixture = *state;
  void *tag = NULL;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5), *other = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), &tag);
  assert_submit_refused(queue, call);
  assert_submit_refused(other, call);
  drive_until_complete(queue, 1);
  assert_submit_refused(queue, call);
  assert_submit_refused(other, call);
  assert_ptr_equal(next_call(queue, &tag), call);
  assert_ptr_equal(tag, &tag);
  assert_submit_refused(queue, call);
  assert_empty(queue);
  assert_empty(other);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_queue_free(other);
}

static void a_call_that_was_run_is_not_submitted(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer_json(fixture->server, 404, "{}");
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 2; i++) {
    argyle_call *call = get_call(fixture->client);
    assert_int_equal(argyle_call_run(call, NULL), i == 0 ? 0 : -1);
    assert_submit_refused(queue, call);
    argyle_call_free(call);
  }
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void a_tag_may_be_anything_and_need_not_be_read(void **state) {
  hostile_fixture *fixture = *state;
  void *tag = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(1);
  argyle_call *calls[] = {
    submit(queue, get_call(fixture->client), NULL), submit(queue, get_call(fixture->client), RUBBISH),
    submit(queue, get_call(fixture->client), queue),
  };
  assert_ptr_equal(wait_for_next(queue, &tag), calls[0]);
  assert_null(tag);
  assert_ptr_equal(wait_for_next(queue, &tag), calls[1]);
  assert_ptr_equal(tag, RUBBISH);
  assert_ptr_equal(wait_for_next(queue, NULL), calls[2]);
  for (size_t i = 0; i < COUNT(calls); i++) {
    argyle_call_free(calls[i]);
  }
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Results */

#define MANY 40

static void each_call_has_its_own_result(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  int numbers[MANY];
  char *ids[MANY] = {NULL};
  argyle_queue *queue = new_queue(8);
  for (int i = 0; i < MANY; i++) {
    numbers[i] = i;
    json_t *metadata = json_pack("{s:i}", "number", i);
    submit(queue, argyle_call_new(sandbox->client, ARGYLE_OPERATION_USER_CREATE, NULL, metadata, &error), &numbers[i]);
    json_decref(metadata);
  }
  assert_int_equal(argyle_queue_count(queue), MANY);
  for (int i = 0; i < MANY; i++) {
    void *tag;
    argyle_call *call = wait_for_next(queue, &tag);
    json_t *created = argyle_call_json(call, &error);
    assert_null(error);
    int number = *(int *)tag;
    assert_null(ids[number]);
    ids[number] = strdup(string_at(created, "id"));
    json_decref(created);
    argyle_call_free(call);
    assert_int_equal(argyle_queue_count(queue), MANY - i - 1);
  }
  /* Every second one is for a user that does not exist. */
  for (int i = 0; i < MANY; i++) {
    submit(queue, new_call(sandbox->client, ARGYLE_OPERATION_USER_GET, i % 2 == 0 ? ids[i] : "nobody"), &numbers[i]);
  }
  int seen[MANY] = {0};
  for (int i = 0; i < MANY; i++) {
    void *tag;
    argyle_call *call = wait_for_next(queue, &tag);
    int number = *(int *)tag;
    seen[number]++;
    if (number % 2 == 0) {
      json_t *user = argyle_call_json(call, &error);
      assert_null(error);
      assert_string_equal(string_at(user, "id"), ids[number]);
      assert_int_equal(json_integer_value(json_object_get(json_object_get(user, "external_metadata"), "number")),
                       number);
      json_decref(user);
    } else {
      assert_error(argyle_call_error(call), ARGYLE_ERROR_NOT_FOUND, "nobody");
      assert_int_equal(argyle_call_http_status(call), 404);
    }
    argyle_call_free(call);
  }
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(seen[i], 1);
    free(ids[i]);
  }
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void calls_are_returned_in_order_of_completion(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server *servers[2];
  argyle_client *clients[2];
  hostile_server_answer_json(fixture->server, 200, USER);
  for (size_t i = 0; i < COUNT(servers); i++) {
    servers[i] = hostile_server_start();
    clients[i] = client_for(hostile_server_url(servers[i]));
    hostile_server_answer(servers[i], (hostile_answer){.bytes = USER_ANSWER, .held = true});
  }
  argyle_queue *queue = new_queue(5);
  argyle_call *slow = submit(queue, get_call(clients[0]), NULL);
  argyle_call *quick = submit(queue, get_call(fixture->client), NULL);
  assert_next_succeeded(queue, quick);
  assert_int_equal(argyle_queue_count(queue), 1);

  /* The same if they are taken late: in order of completion, not of submission. */
  argyle_call *last = submit(queue, get_call(clients[1]), NULL);
  quick = submit(queue, get_call(fixture->client), NULL);
  drive_until_complete(queue, 1);
  drive_until_requested(queue, servers[0], 1);
  hostile_server_release(servers[0]);
  drive_until_complete(queue, 2);
  drive_until_requested(queue, servers[1], 1);
  hostile_server_release(servers[1]);
  drive_until_complete(queue, 3);
  assert_next_succeeded(queue, quick);
  assert_next_succeeded(queue, slow);
  assert_next_succeeded(queue, last);
  assert_empty(queue);
  argyle_queue_free(queue);
  for (size_t i = 0; i < COUNT(servers); i++) {
    argyle_client_free(clients[i]);
    hostile_server_stop(servers[i]);
  }
}

static void calls_may_belong_to_several_clients(void **state) {
  hostile_fixture *fixture = *state;
  char url[64];
  hostile_server *slow = hostile_server_start();
  closed_port_url(url, sizeof url);
  argyle_client *slow_client = client_for(hostile_server_url(slow)), *nobody = client_for(url);
  hostile_server_answer(slow, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(1000);
  argyle_call *last = submit(queue, get_call(slow_client), NULL);
  argyle_call *first = submit(queue, get_call(fixture->client), NULL);
  argyle_client_free(slow_client);
  assert_next_succeeded(queue, first);
  argyle_call *refused = submit(queue, get_call(nobody), NULL);
  argyle_client_free(nobody);
  assert_next_failed(queue, refused, ARGYLE_ERROR_CONNECTION);
  drive_until_requested(queue, slow, 1);
  hostile_server_release(slow);
  assert_next_succeeded(queue, last);
  assert_empty(queue);
  argyle_queue_free(queue);
  hostile_server_stop(slow);
}

static void a_call_outlives_its_queue(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  submit(queue, get_call(fixture->client), NULL);
  argyle_call *call = wait_for_next(queue, NULL);
  argyle_queue_free(queue);
  assert_int_equal(argyle_call_http_status(call), 200);
  assert_int_equal(argyle_call_attempts(call), 1);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) > 0);
  json_t *user = argyle_call_json(call, &error);
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
  argyle_call_free(call);
}

static void calls_may_be_submitted_while_others_are_in_flight(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(3);
  int taken = 0, submitted = 0;
  while (submitted < 5) {
    submit(queue, get_call(fixture->client), NULL);
    submitted++;
  }
  while (argyle_queue_count(queue) > 0) {
    argyle_call_free(wait_for_next(queue, NULL));
    taken++;
    if (submitted < 30) {
      submit(queue, get_call(fixture->client), NULL);
      submitted++;
    }
  }
  assert_int_equal(taken, 30);
  assert_int_equal(hostile_server_requests(fixture->server), 30);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- In flight */

static void no_more_calls_than_allowed_are_in_flight(void **state) {
  static const int maximum[] = {1, 3, 10};
  (void)state;
  for (size_t i = 0; i < COUNT(maximum); i++) {
    hostile_server *server = hostile_server_start();
    argyle_client *client = client_for(hostile_server_url(server));
    argyle_queue *queue = new_queue(maximum[i]);
    hostile_server_answer(server, STALLING);
    int descriptors = count_descriptors();
    argyle_call *calls[20];
    for (size_t j = 0; j < COUNT(calls); j++) {
      calls[j] = submit(queue, get_call(client), NULL);
    }
    drive_until_requested(queue, server, maximum[i]);
    argyle_error *error = RUBBISH;
    /* A connection has two ends in this process, and so has one that is being opened. */
    assert_int_equal(count_descriptors(), descriptors + 2 * maximum[i]);
    assert_int_equal(argyle_queue_count(queue), COUNT(calls));

    /* When one ends, the next starts. */
    assert_int_equal(argyle_queue_cancel(queue, calls[0], &error), 0);
    assert_next_failed(queue, calls[0], ARGYLE_ERROR_CANCELLED);
    drive_until_requested(queue, server, maximum[i] + 1);
    hostile_server_wait_for_closed(server, 1);
    assert_int_equal(count_descriptors(), descriptors + 2 * maximum[i]);
    assert_int_equal(hostile_server_connections(server), maximum[i] + 1);
    argyle_queue_free(queue);
    argyle_client_free(client);
    hostile_server_stop(server);
  }
}

static void connections_are_reused_for_the_next_calls(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(4);
  for (int i = 0; i < 40; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  for (int i = 0; i < 40; i++) {
    argyle_call *call = wait_for_next(queue, NULL);
    assert_null(argyle_call_error(call));
    argyle_call_free(call);
  }
  assert_int_equal(hostile_server_requests(fixture->server), 40);
  assert_in_range(hostile_server_connections(fixture->server), 1, 4);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Cancelling */

static void a_pending_call_is_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  void *tag;
  argyle_queue *queue = new_queue(1);
  argyle_call *call = submit(queue, create_call(fixture->client), &tag);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
    assert_null(error);
    assert_int_equal(argyle_queue_count(queue), 1);
  }
  assert_int_equal(drive(queue), 1);
  assert_ptr_equal(next_call(queue, &tag), call);
  assert_ptr_equal(tag, &tag);
  assert_error(argyle_call_error(call), ARGYLE_ERROR_CANCELLED, NULL);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), 0);
  assert_int_equal(argyle_error_attempts(argyle_call_error(call)), 0);
  assert_int_equal(argyle_call_attempts(call), 0);
  assert_int_equal(argyle_call_http_status(call), 0);
  assert_null(argyle_call_body_text(call));
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) >= 0);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_WAITING) >= 0);
  assert_null(argyle_call_json(call, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  argyle_call_free(call);
  assert_empty(queue);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
  argyle_queue_free(queue);
}

static void a_call_in_flight_is_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  argyle_call *create = submit(queue, create_call(fixture->client), NULL);
  argyle_call *get = submit(queue, get_call(fixture->client), NULL);
  drive_until_requested(queue, fixture->server, 2);
  assert_int_equal(argyle_queue_cancel(queue, create, &error), 0);
  assert_int_equal(argyle_queue_cancel(queue, get, &error), 0);
  assert_ptr_equal(next_call(queue, NULL), create);
  assert_ptr_equal(next_call(queue, NULL), get);
  assert_error(argyle_call_error(create), ARGYLE_ERROR_CANCELLED, NULL);
  assert_error(argyle_call_error(get), ARGYLE_ERROR_CANCELLED, NULL);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(create)), 1);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(get)), 0);
  assert_int_equal(argyle_call_attempts(create), 1);
  assert_true(argyle_call_time_us(create, ARGYLE_TIME_TOTAL) > 0);
  argyle_call_free(create);
  argyle_call_free(get);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void the_total_time_of_a_cancelled_call_ends_when_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  advance_clock(50);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_ptr_equal(next_call(queue, NULL), call);
  assert_int_equal(argyle_call_time_us(call, ARGYLE_TIME_TOTAL), 50000);
  argyle_call_free(call);
  argyle_queue_free(queue);
}

static void a_completed_call_cannot_be_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  drive_until_complete(queue, 1);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_null(error);
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_null(error);
  assert_next_succeeded(queue, call);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void a_call_of_another_queue_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5), *other = new_queue(5);
  argyle_call *call = get_call(fixture->client);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  submit(other, call, NULL);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  assert_int_equal(argyle_queue_cancel(queue, call, NULL), -1);
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_ptr_equal(wait_for_next(other, NULL), call);
  assert_null(argyle_call_error(call));
  assert_int_equal(argyle_queue_cancel(other, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_queue_free(other);
}

static void all_calls_are_cancelled_at_once(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(3);
  argyle_call *done = submit(queue, get_call(fixture->client), NULL);
  drive_until_complete(queue, 1);
  for (int i = 0; i < 10; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  drive_until_requested(queue, fixture->server, 4);
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_null(error);
  assert_int_equal(argyle_queue_count(queue), 11);
  assert_int_equal(drive(queue), 11);
  assert_next_succeeded(queue, done);
  for (int i = 0; i < 10; i++) {
    argyle_call *call = next_call(queue, NULL);
    assert_error(argyle_call_error(call), ARGYLE_ERROR_CANCELLED, NULL);
    argyle_call_free(call);
  }
  assert_empty(queue);
  assert_int_equal(hostile_server_requests(fixture->server), 4);

  /* The queue still works. */
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_next_succeeded(queue, submit(queue, get_call(fixture->client), NULL));
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Freeing calls */

static void a_pending_call_may_be_freed(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  argyle_call *calls[4];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = submit(queue, get_call(fixture->client), NULL);
  }
  argyle_call_free(calls[0]);
  argyle_call_free(calls[2]);
  assert_int_equal(argyle_queue_count(queue), 2);
  drive_until_complete(queue, 2);
  argyle_call *first = next_call(queue, NULL), *second = next_call(queue, NULL);
  assert_true((first == calls[1] && second == calls[3]) || (first == calls[3] && second == calls[1]));
  assert_empty(queue);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_call_free(first);
  argyle_call_free(second);
  argyle_queue_free(queue);
}

static void a_call_in_flight_may_be_freed(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(1);
  argyle_call *first = submit(queue, create_call(fixture->client), NULL);
  argyle_call *second = submit(queue, get_call(fixture->client), NULL);
  drive_until_requested(queue, fixture->server, 1);
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_call_free(first);
  assert_int_equal(argyle_queue_count(queue), 1);
  assert_next_succeeded(queue, second);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void a_completed_call_may_be_freed_in_its_queue(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(1);
  argyle_call *calls[3];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = submit(queue, get_call(fixture->client), NULL);
  }
  drive_until_complete(queue, 3);
  argyle_call_free(calls[0]);
  assert_int_equal(argyle_queue_count(queue), 2);
  assert_int_equal(drive(queue), 2);
  argyle_call_free(calls[2]);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_next_succeeded(queue, calls[1]);
  assert_empty(queue);

  /* The same for a cancelled call. */
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  argyle_call_free(call);
  assert_empty(queue);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Freeing queues */

static void a_queue_is_freed_with_pending_calls(void **state) {
  hostile_fixture *fixture = *state;
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 100; i++) {
    submit(queue, create_call(fixture->client), NULL);
  }
  argyle_queue_free(queue);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void a_queue_is_freed_with_calls_in_flight(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 10; i++) {
    submit(queue, create_call(fixture->client), NULL);
  }
  drive_until_requested(queue, fixture->server, 5);
  argyle_queue_free(queue);
  hostile_server_wait_for_closed(fixture->server, 5);
  assert_int_equal(hostile_server_requests(fixture->server), 5);
}

static void a_queue_is_freed_with_connecting_calls(void **state) {
  hostile_fixture *fixture = *state;
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 10; i++) {
    submit(queue, create_call(fixture->client), NULL);
  }
  drive(queue);
  argyle_queue_free(queue);
}

static void a_queue_is_freed_with_completed_calls(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 10; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  drive_until_complete(queue, 10);
  argyle_call_free(next_call(queue, NULL));
  argyle_queue_free(queue);
}

static void a_queue_is_freed_with_calls_cancelled_in_flight(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  for (int i = 0; i < 5; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  drive_until_requested(queue, fixture->server, 5);
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  argyle_queue_free(queue);
}

static void a_queue_is_freed_with_calls_cancelled_while_pending(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_queue *queue = new_queue(5);
  argyle_call *calls[4];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = submit(queue, get_call(fixture->client), NULL);
  }
  assert_int_equal(argyle_queue_cancel(queue, calls[1], &error), 0);
  assert_int_equal(argyle_queue_count(queue), COUNT(calls));
  assert_int_equal(argyle_queue_cancel_all(queue, &error), 0);
  assert_int_equal(argyle_queue_count(queue), COUNT(calls));
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Waiting */

static void a_wait_ends_when_its_time_has_passed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  submit(queue, get_call(fixture->client), NULL);
  static const int times[] = {0, 1, 30, 100};
  for (size_t i = 0; i < COUNT(times); i++) {
    int64_t began = now_ms();
    error = RUBBISH;
    assert_int_equal(argyle_queue_wait(queue, times[i], &error), 0);
    assert_null(error);
    assert_true(now_ms() - began >= times[i] - 1);
    assert_int_equal(argyle_queue_count(queue), 1);
  }
  argyle_queue_free(queue);
}

/* Waits repeatedly for `milliseconds` until a call completes, which is answered after a few waits. */
static void wait_repeatedly(hostile_fixture *fixture, int milliseconds) {
  argyle_error *error = RUBBISH;
  int waits_within = 0;
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  while (argyle_queue_wait(queue, milliseconds, &error) == 0) {
    assert_null(error);
    waits_within += hostile_server_requests(fixture->server);
    if (waits_within == 5) {
      hostile_server_release(fixture->server);
    }
    poll(NULL, 0, 1);
  }
  assert_next_succeeded(queue, call);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_queue_free(queue);
}

/* A host that must not block polls like this. */
static void waits_of_0_ms_complete_a_call(void **state) {
  wait_repeatedly(*state, 0);
}

static void waits_of_1_ms_complete_a_call(void **state) {
  wait_repeatedly(*state, 1);
}

static void a_wait_counts_completed_calls_that_were_not_taken(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  submit(queue, get_call(fixture->client), NULL);
  submit(queue, get_call(fixture->client), NULL);
  drive_until_complete(queue, 2);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 2);
  assert_int_equal(argyle_queue_wait(queue, 0, &error), 2);
  argyle_call_free(next_call(queue, NULL));
  assert_int_equal(argyle_queue_wait(queue, INT32_MAX, &error), 1);
  argyle_call_free(next_call(queue, NULL));
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void a_signal_does_not_end_a_wait(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  start_signals_before_answer(fixture->server, 1);
  assert_next_succeeded(queue, call);
  stop_signals_after_answer();
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Two threads */

typedef struct {
  argyle_queue *queue;
  int completed;
} waiter;

/* Waits until a call completes, and retries while the other thread uses the queue. */
static void *wait_in_queue(void *argument) {
  waiter *waiter = argument;
  int completed;
  while ((completed = argyle_queue_wait(waiter->queue, -1, NULL)) < 0) {
    poll(NULL, 0, 1);
  }
  waiter->completed = completed;
  return NULL;
}

static void a_second_thread_is_refused(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  pthread_t thread;
  void *tag = NULL;
  hostile_server *server = hostile_server_start();
  argyle_client *client = client_for(hostile_server_url(server));
  hostile_server_answer(server, STALLING);
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(client), NULL), *other = get_call(client);
  drive_until_requested(queue, server, 1);
  waiter waiter = {.queue = queue};
  assert_int_equal(pthread_create(&thread, NULL, wait_in_queue, &waiter), 0);
  /* Until the other thread has entered the queue, driving it succeeds. */
  while (argyle_queue_drive(queue, &error) >= 0) {
    assert_null(error);
    poll(NULL, 0, 1);
  }
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_int_equal(argyle_queue_submit(queue, other, NULL, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_int_equal(argyle_queue_wait(queue, 0, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_int_equal(argyle_queue_fd(queue, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_null(argyle_queue_next(queue, &tag, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_int_equal(argyle_queue_cancel(queue, call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  assert_int_equal(argyle_queue_cancel_all(queue, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "thread");
  /* Stopping the server ends the call. */
  hostile_server_stop(server);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(waiter.completed, 1);
  assert_next_failed(queue, call, ARGYLE_ERROR_CONNECTION);
  /* The caller still owns the refused call. */
  submit(queue, other, NULL);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void one_thread_after_the_other_may_use_a_queue(void **state) {
  hostile_fixture *fixture = *state;
  pthread_t thread;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  drive(queue);
  waiter waiter = {.queue = queue};
  assert_int_equal(pthread_create(&thread, NULL, wait_in_queue, &waiter), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_int_equal(waiter.completed, 1);
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- The descriptor */

static void the_descriptor_is_always_the_same(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(5), *other = new_queue(5);
  int descriptor = descriptor_of(queue);
  assert_int_not_equal(descriptor_of(other), descriptor);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  assert_int_equal(descriptor_of(queue), descriptor);
  drive_until_complete(queue, 1);
  assert_int_equal(descriptor_of(queue), descriptor);
  assert_next_succeeded(queue, call);
  assert_int_equal(descriptor_of(queue), descriptor);
  /* Programs that this one starts do not inherit it. */
  assert_int_equal(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
  argyle_queue_free(queue);
  argyle_queue_free(other);
}

static void the_descriptor_is_readable_while_there_is_something_to_do(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  int descriptor = descriptor_of(queue);
  assert_false(is_readable(descriptor, 0));

  /* A call to start. */
  argyle_call *calls[] = {
    submit(queue, get_call(fixture->client), NULL), submit(queue, get_call(fixture->client), NULL),
  };
  assert_true(is_readable(descriptor, 0));

  /* Completed calls, until the last of them is taken. */
  while (drive(queue) < 2) {
    assert_true(is_readable(descriptor, -1));
  }
  assert_true(is_readable(descriptor, 0));
  drive(queue);
  assert_true(is_readable(descriptor, 0));
  argyle_call *taken = next_call(queue, NULL);
  assert_true(is_readable(descriptor, 0));
  argyle_call_free(taken);
  argyle_call_free(next_call(queue, NULL));
  assert_becomes_idle(queue, 20);

  /* A cancelled call, whether driven or not. */
  calls[0] = submit(queue, get_call(fixture->client), NULL);
  drive_until_requested(queue, fixture->server, 3);
  while (is_readable(descriptor, 20)) {
    drive(queue);
  }
  assert_int_equal(argyle_queue_cancel(queue, calls[0], &error), 0);
  assert_true(is_readable(descriptor, 0));
  argyle_call_free(next_call(queue, NULL));
  assert_becomes_idle(queue, 20);

  /* A call freed leaves nothing to do. */
  calls[0] = submit(queue, get_call(fixture->client), NULL);
  argyle_call_free(calls[0]);
  /* Longer than any timer of the queue. */
  assert_becomes_idle(queue, 1200);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void the_descriptor_is_available_at_any_time(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  hostile_server_answer_json(fixture->server, 200, USER);

  /* While a call is pending. */
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  assert_true(is_readable(descriptor_of(queue), 0));
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);

  /* While one is in flight. */
  queue = new_queue(5);
  call = submit(queue, get_call(fixture->client), NULL);
  drive_until_requested(queue, fixture->server, 2);
  int descriptor = descriptor_of(queue);
  hostile_server_release(fixture->server);
  while (drive(queue) == 0) {
    assert_true(is_readable(descriptor, -1));
  }
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);

  /* While one is completed. */
  queue = new_queue(5);
  call = submit(queue, get_call(fixture->client), NULL);
  drive_until_complete(queue, 1);
  assert_true(is_readable(descriptor_of(queue), 0));
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);
}

static void a_program_can_wait_for_the_descriptor_with_epoll(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(4);
  int loop = epoll_create1(EPOLL_CLOEXEC), completed = 0;
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = queue};
  assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, descriptor_of(queue), &event), 0);
  for (int i = 0; i < 30; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  while (completed < 30) {
    event = (struct epoll_event){.events = 0};
    assert_int_equal(epoll_wait(loop, &event, 1, -1), 1);
    assert_ptr_equal(event.data.ptr, queue);
    drive(queue);
    argyle_call *call = next_call(queue, NULL);
    if (call != NULL) {
      assert_null(argyle_call_error(call));
      argyle_call_free(call);
      completed++;
    }
  }
  assert_empty(queue);
  argyle_queue_free(queue);
  assert_int_equal(epoll_wait(loop, &event, 1, 0), 0);
  close(loop);
}

static void each_submission_to_an_idle_queue_triggers_an_edge(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_queue *queue = new_queue(4);
  int loop = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET};
  assert_int_equal(epoll_ctl(loop, EPOLL_CTL_ADD, descriptor_of(queue), &event), 0);
  for (int i = 0; i < 3; i++) {
    argyle_call *call = submit(queue, get_call(fixture->client), NULL);
    assert_int_equal(epoll_wait(loop, &event, 1, -1), 1);
    assert_next_succeeded(queue, call);
    while (is_readable(descriptor_of(queue), 10)) {
      drive(queue);
    }
    while (epoll_wait(loop, &event, 1, 0) > 0) {
    }
  }
  close(loop);
  argyle_queue_free(queue);
}

static void a_timeout_makes_the_descriptor_readable(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  hostile_server_answer(fixture->server, STALLING);
  stop_clock();
  argyle_queue *queue = new_queue(5);
  int descriptor = descriptor_of(queue);
  int64_t began = now_ms();
  argyle_call *get = submit(queue, get_call(client), NULL);
  argyle_call *create = submit(queue, create_call(client), NULL);
  drive_until_requested(queue, fixture->server, 2);
  start_clock();
  while (drive(queue) < 2) {
    assert_true(is_readable(descriptor, -1));
  }
  assert_true(now_ms() - began >= SHORT_MS - 1);
  argyle_call *taken[] = {next_call(queue, NULL), next_call(queue, NULL)};
  assert_true((taken[0] == get && taken[1] == create) || (taken[0] == create && taken[1] == get));
  for (size_t i = 0; i < COUNT(taken); i++) {
    assert_error(argyle_call_error(taken[i]), ARGYLE_ERROR_TIMEOUT, NULL);
  }
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(get)), 0);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(create)), 1);
  argyle_call_free(get);
  argyle_call_free(create);
  assert_becomes_idle(queue, 20);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- A closed descriptor */

/* A queue whose descriptor was closed, with one completed call, two in flight and three pending. */
static argyle_queue *queue_with_a_closed_descriptor(hostile_fixture *fixture, int *descriptor) {
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(2);
  *descriptor = descriptor_of(queue);
  submit(queue, get_call(fixture->client), queue);
  drive_until_complete(queue, 1);
  for (int i = 0; i < 5; i++) {
    submit(queue, create_call(fixture->client), NULL);
  }
  drive_until_requested(queue, fixture->server, 3);
  assert_int_equal(close(*descriptor), 0);
  return queue;
}

static void assert_reports_closed_descriptor(argyle_queue *queue, argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_call *call = get_call(client);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(argyle_queue_drive(queue, &error), -1);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "descriptor");
    assert_int_equal(argyle_queue_wait(queue, -1, &error), -1);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "descriptor");
    assert_int_equal(argyle_queue_fd(queue, &error), -1);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "descriptor");
    assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), -1);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "descriptor");
    assert_int_equal(argyle_queue_cancel_all(queue, NULL), 0);
  }
  argyle_call_free(call);
}

static void every_call_has_one_result_after_the_descriptor_was_closed(void **state) {
  hostile_fixture *fixture = *state;
  int descriptor, succeeded = 0, failed = 0;
  argyle_queue *queue = queue_with_a_closed_descriptor(fixture, &descriptor);
  assert_reports_closed_descriptor(queue, fixture->client);
  assert_int_equal(argyle_queue_count(queue), 6);
  argyle_call *call;
  void *tag;
  while ((call = next_call(queue, &tag)) != NULL) {
    if (argyle_call_error(call) == NULL) {
      assert_ptr_equal(tag, queue);
      assert_int_equal(argyle_call_http_status(call), 200);
      succeeded++;
    } else {
      assert_true(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) >= 0);
      /* The pending ones were not sent. */
      assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), argyle_call_attempts(call));
      failed++;
    }
    argyle_call_free(call);
  }
  assert_int_equal(succeeded, 1);
  assert_int_equal(failed, 5);
  assert_int_equal(argyle_queue_count(queue), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  argyle_queue_free(queue);
}

static void a_wait_detects_that_the_descriptor_was_closed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  int descriptor;
  argyle_queue *queue = queue_with_a_closed_descriptor(fixture, &descriptor);
  argyle_call_free(next_call(queue, NULL));
  assert_int_equal(argyle_queue_wait(queue, -1, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "descriptor");
  int failed = 0;
  argyle_call *call;
  while ((call = next_call(queue, NULL)) != NULL) {
    assert_non_null(argyle_call_error(call));
    argyle_call_free(call);
    failed++;
  }
  assert_int_equal(failed, 5);
  argyle_queue_free(queue);
}

static void a_queue_whose_descriptor_was_closed_is_freed_with_its_calls(void **state) {
  hostile_fixture *fixture = *state;
  int descriptor;
  /* Before it is detected. */
  argyle_queue_free(queue_with_a_closed_descriptor(fixture, &descriptor));
}

static void a_queue_that_detected_its_closed_descriptor_is_freed_with_its_calls(void **state) {
  hostile_fixture *fixture = *state;
  int descriptor;
  argyle_queue *queue = queue_with_a_closed_descriptor(fixture, &descriptor);
  assert_int_equal(argyle_queue_drive(queue, NULL), -1);
  argyle_queue_free(queue);
}

static void a_descriptor_with_the_reused_number_is_left_alone(void **state) {
  hostile_fixture *fixture = *state;
  int descriptor, null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  assert_true(null >= 0);
  argyle_queue *queue = queue_with_a_closed_descriptor(fixture, &descriptor);
  if (null != descriptor) {
    assert_int_equal(dup2(null, descriptor), descriptor);
    close(null);
  }
  assert_reports_closed_descriptor(queue, fixture->client);
  argyle_call *call;
  while ((call = next_call(queue, NULL)) != NULL) {
    argyle_call_free(call);
  }
  argyle_queue_free(queue);
  /* The queue has detected that it belongs to the host. */
  assert_int_equal(close(descriptor), 0);
}

/* ---------------------------------------------------------------- Timeouts */

static void each_call_has_the_timeout_of_its_client(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *overrides = json_pack("{s:i}", "timeout_ms", SHORT_MS);
  argyle_client *impatient = argyle_client_with(fixture->client, overrides, &error);
  json_decref(overrides);
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  argyle_queue *queue = new_queue(5);
  argyle_call *patient_one = submit(queue, get_call(fixture->client), NULL);
  argyle_call *impatient_one = submit(queue, get_call(impatient), NULL);
  assert_next_failed(queue, impatient_one, ARGYLE_ERROR_TIMEOUT);
  drive_until_requested(queue, fixture->server, 2);
  for (int i = 0; i < 2; i++) {
    hostile_server_release(fixture->server);
  }
  assert_next_succeeded(queue, patient_one);
  assert_empty(queue);
  argyle_queue_free(queue);
  argyle_client_free(impatient);
}

static void the_timeout_of_a_pending_call_does_not_start(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 4 * SHORT_LIMIT_MS);
  stop_clock();
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .advance_ms = SHORT_LIMIT_MS});
  argyle_queue *queue = new_queue(1);
  argyle_call *calls[5];
  for (size_t i = 0; i < COUNT(calls); i++) {
    calls[i] = submit(queue, get_call(client), NULL);
  }
  for (size_t i = 0; i < COUNT(calls); i++) {
    assert_next_succeeded(queue, calls[i]);
  }
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- A host that is away */

static void an_answer_received_while_the_host_was_away_counts(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  stop_clock();
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  for (int shared = 0; shared < 2; shared++) {
    argyle_queue *queue = new_queue(5);
    if (shared) {
      descriptor_of(queue);
    }
    int before = hostile_server_requests(fixture->server);
    argyle_call *calls[] = {
      submit(queue, get_call(client), NULL), submit(queue, create_call(client), NULL),
    };
    drive_until_requested(queue, fixture->server, before + 2);
    hostile_server_release(fixture->server);
    hostile_server_release(fixture->server);
    advance_clock(2 * SHORT_MS);
    drive_until_complete(queue, 2);
    for (size_t i = 0; i < COUNT(calls); i++) {
      argyle_call *taken = next_call(queue, NULL);
      assert_null(argyle_call_error(taken));
      assert_int_equal(argyle_call_attempts(taken), 1);
      argyle_call_free(taken);
    }
    assert_int_equal(hostile_server_requests(fixture->server), before + 2);
    argyle_queue_free(queue);
  }
  argyle_client_free(client);
}

static void a_host_may_be_away_while_a_call_connects(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "timeout_ms", json_integer(SHORT_MS));
  json_object_set_new(options, "connect_timeout_ms", json_integer(SHORT_MS / 2));
  argyle_client *client = client_with_options(options);
  hostile_server_answer_json(fixture->server, 200, USER);
  stop_clock();
  argyle_queue *queue = new_queue(5);
  argyle_call *calls[] = {submit(queue, get_call(client), NULL), submit(queue, create_call(client), NULL)};
  drive(queue);
  assert_true(hostile_server_wait_for_connections(fixture->server, 2));
  advance_clock(2 * SHORT_MS);
  drive_until_complete(queue, 2);
  for (size_t i = 0; i < COUNT(calls); i++) {
    argyle_call *taken = next_call(queue, NULL);
    if (argyle_call_error(taken) != NULL) {
      print_error("%s\n", argyle_error_message(argyle_call_error(taken)));
    }
    assert_null(argyle_call_error(taken));
    argyle_call_free(taken);
  }
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_host_may_be_away_before_it_first_drives(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  hostile_server_answer_json(fixture->server, 200, USER);
  stop_clock();
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, create_call(client), NULL);
  advance_clock(2 * SHORT_MS);
  assert_ptr_equal(wait_for_next(queue, NULL), call);
  assert_null(argyle_call_error(call));
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_WAITING) >= 2 * SHORT_MS * 1000);
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_call_that_failed_while_the_host_was_away_is_retried_if_safe(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  stop_clock();
  for (int creates = 0; creates < 2; creates++) {
    hostile_server_answer(fixture->server, (hostile_answer){.held = true, .then = HOSTILE_CLOSE});
    hostile_server_answer_json(fixture->server, 200, USER);
    int before = hostile_server_requests(fixture->server);
    argyle_queue *queue = new_queue(1);
    argyle_call *call = submit(queue, creates ? create_call(client) : get_call(client), NULL);
    drive_until_requested(queue, fixture->server, before + 1);
    hostile_server_release(fixture->server);
    hostile_server_wait_for_closed(fixture->server, hostile_server_connections(fixture->server));
    advance_clock(2 * SHORT_MS);
    assert_ptr_equal(wait_for_next(queue, NULL), call);
    if (creates) {
      assert_error(argyle_call_error(call), ARGYLE_ERROR_CONNECTION, NULL);
      assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), 1);
      assert_int_equal(argyle_call_attempts(call), 1);
    } else {
      assert_null(argyle_call_error(call));
      assert_int_equal(argyle_call_attempts(call), 2);
    }
    argyle_call_free(call);
    argyle_queue_free(queue);
  }
  argyle_client_free(client);
}

/* A wait must make progress on the other calls even if some have completed. */
static void a_host_may_wait_before_each_call_that_it_takes(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server *slow = hostile_server_start();
  argyle_client *client = client_with_integer(hostile_server_url(slow), "timeout_ms", 2000);
  hostile_server_answer(slow, (hostile_answer){.bytes = USER_ANSWER, .held = true});
  hostile_server_answer_json(fixture->server, 200, USER);
  stop_clock();
  argyle_queue *queue = new_queue(50);
  submit(queue, create_call(client), NULL);
  for (int i = 0; i < 59; i++) {
    submit(queue, get_call(fixture->client), NULL);
  }
  drive_until_requested(queue, slow, 1);
  drive_until_complete(queue, 59);
  int succeeded = 0;
  for (int i = 0; i < 60; i++) {
    argyle_call *call = wait_for_next(queue, NULL);
    succeeded += argyle_call_error(call) == NULL;
    argyle_call_free(call);
    advance_clock(40);
    if (i == 5) {
      hostile_server_release(slow);
    }
  }
  argyle_queue_free(queue);
  argyle_client_free(client);
  hostile_server_stop(slow);
  assert_int_equal(succeeded, 60);
}

static void a_host_that_is_always_late_does_not_wait_forever(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", 20);
  hostile_server_answer(fixture->server, STALLING);
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, create_call(client), NULL);
  int rounds = 0;
  stop_clock();
  while (drive(queue) == 0) {
    advance_clock(80);
    assert_true(++rounds < 50);
  }
  assert_next_failed(queue, call, ARGYLE_ERROR_TIMEOUT);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Rate limit */

static argyle_client *rate_limited_client(hostile_fixture *fixture, double per_second) {
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "max_requests_per_second", json_real(per_second));
  return client_with_options(options);
}

static void calls_obey_the_rate_limit_of_their_client(void **state) {
  static const int in_flight[] = {1, 50};
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  for (size_t i = 0; i < COUNT(in_flight); i++) {
    argyle_client *client = rate_limited_client(fixture, 50);
    /* A client made from it shares the rate limit. */
    json_t *overrides = json_pack("{s:i}", "timeout_ms", 60000);
    argyle_client *copy = argyle_client_with(client, overrides, &error);
    json_decref(overrides);
    argyle_queue *queue = new_queue(in_flight[i]);
    int before = hostile_server_requests(fixture->server), numbers[20];
    int64_t began = now_ms();
    for (int j = 0; j < 20; j++) {
      char id[16];
      snprintf(id, sizeof id, "u%d", j);
      numbers[j] = j;
      submit(queue, new_call(j % 2 == 0 ? client : copy, ARGYLE_OPERATION_USER_GET, id), &numbers[j]);
    }
    for (int j = 0; j < 20; j++) {
      void *tag;
      argyle_call *call = wait_for_next(queue, &tag);
      assert_null(argyle_call_error(call));
      if (in_flight[i] == 1) {
        char target[32];
        snprintf(target, sizeof target, "/v1/users/u%d", j);
        assert_int_equal(*(int *)tag, j);
        assert_string_equal(hostile_server_request(fixture->server, before + j)->target, target);
      }
      argyle_call_free(call);
    }
    /* A burst of a tenth of a second's worth, and fifteen more. */
    assert_true(now_ms() - began >= 15 * 20 - 2);
    argyle_queue_free(queue);
    argyle_client_free(copy);
    argyle_client_free(client);
  }
}

static void the_rate_limit_works_with_the_descriptor(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_client *client = rate_limited_client(fixture, 20);
  argyle_queue *queue = new_queue(50);
  int descriptor = descriptor_of(queue), completed = 0;
  int64_t began = now_ms();
  for (int i = 0; i < 10; i++) {
    submit(queue, get_call(client), NULL);
  }
  while (completed < 10) {
    assert_true(is_readable(descriptor, -1));
    drive(queue);
    argyle_call *call;
    while ((call = next_call(queue, NULL)) != NULL) {
      assert_null(argyle_call_error(call));
      argyle_call_free(call);
      completed++;
    }
  }
  assert_true(now_ms() - began >= 8 * 50 - 2);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void every_refused_call_has_one_result(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 429, "{}");
  argyle_client *client = rate_limited_client(fixture, 1000);
  argyle_queue *queue = new_queue(5);
  int numbers[20], seen[20] = {0};
  for (int i = 0; i < 20; i++) {
    numbers[i] = i;
    submit(queue, create_call(client), &numbers[i]);
  }
  for (int i = 0; i < 20; i++) {
    void *tag;
    argyle_call *call = wait_for_next(queue, &tag);
    seen[*(int *)tag]++;
    assert_error(argyle_call_error(call), ARGYLE_ERROR_RATE_LIMITED, NULL);
    assert_int_equal(argyle_call_http_status(call), 429);
    assert_int_equal(argyle_call_attempts(call), 1);
    assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), 0);
    argyle_call_free(call);
  }
  for (int i = 0; i < 20; i++) {
    assert_int_equal(seen[i], 1);
  }
  assert_empty(queue);
  assert_int_equal(hostile_server_requests(fixture->server), 20);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

static void a_retry_after_pauses_the_other_calls(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_http(fixture->server, 429, "Retry-After: 1\r\n", "{}", 2);
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_client *client = rate_limited_client(fixture, 1000);
  argyle_queue *queue = new_queue(1);
  argyle_call *first = submit(queue, get_call(client), NULL), *second = submit(queue, get_call(client), NULL);
  int64_t began = now_ms();
  assert_next_failed(queue, first, ARGYLE_ERROR_RATE_LIMITED);
  assert_next_succeeded(queue, second);
  assert_true(now_ms() - began >= 999);
  argyle_queue_free(queue);
  argyle_client_free(client);
}

/* A queue whose first call has completed, and whose second may start in about a quarter of an hour. */
static argyle_queue *queue_with_a_low_rate_limit(hostile_fixture *fixture, argyle_call **call) {
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_client *client = rate_limited_client(fixture, 0.001);
  argyle_queue *queue = new_queue(5);
  argyle_call *first = submit(queue, create_call(client), NULL);
  *call = submit(queue, create_call(client), NULL);
  argyle_client_free(client);
  assert_next_succeeded(queue, first);
  return queue;
}

static void a_call_waiting_for_the_rate_limit_is_cancelled(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_call *call;
  argyle_queue *queue = queue_with_a_low_rate_limit(fixture, &call);
  assert_int_equal(argyle_queue_wait(queue, 20, &error), 0);
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_ptr_equal(wait_for_next(queue, NULL), call);
  assert_error(argyle_call_error(call), ARGYLE_ERROR_CANCELLED, NULL);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), 0);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  /* Nothing was attempted yet. */
  assert_int_equal(argyle_call_attempts(call), 0);
  argyle_call_free(call);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void a_call_waiting_for_the_rate_limit_is_freed_with_its_queue_or_alone(void **state) {
  hostile_fixture *fixture = *state;
  argyle_call *call;
  argyle_queue_free(queue_with_a_low_rate_limit(fixture, &call));
  argyle_queue *queue = queue_with_a_low_rate_limit(fixture, &call);
  argyle_call_free(call);
  assert_empty(queue);
  argyle_queue_free(queue);
}

static void calls_waiting_for_the_rate_limit_are_not_in_flight(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  /* One request, and the next in about a quarter of an hour. */
  json_t *overrides = json_pack("{s:f}", "max_requests_per_second", 0.001);
  argyle_client *slow = argyle_client_with(fixture->client, overrides, &error);
  assert_null(error);
  argyle_queue *queue = new_queue(2);
  descriptor_of(queue);
  for (int i = 0; i < 10; i++) {
    submit(queue, get_call(slow), NULL);
  }
  argyle_call *first = wait_for_next(queue, NULL);
  assert_int_equal(argyle_call_http_status(first), 200);
  argyle_call_free(first);
  for (int i = 0; i < 10; i++) {
    assert_next_succeeded(queue, submit(queue, get_call(fixture->client), NULL));
  }
  assert_int_equal(argyle_queue_count(queue), 9);
  assert_becomes_idle(queue, 20);
  argyle_queue_free(queue);
  argyle_client_free(slow);
  json_decref(overrides);
}

static void the_rate_limit_is_shared_unless_overridden(void **state) {
  static const struct {
    const char *overrides;
    int code;
  } cases[] = {
    /* A shared limit delays the call for about a quarter of an hour; any limit among the overrides starts anew. */
    {"{\"deadline_ms\": 50}", ARGYLE_ERROR_TIMEOUT},
    {"{\"deadline_ms\": 60000, \"max_requests_per_second\": 0.001}", ARGYLE_OK},
    {"{\"deadline_ms\": 60000, \"max_requests_per_second\": 0.002}", ARGYLE_OK},
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_client *client = rate_limited_client(fixture, 0.001);
  json_decref(argyle_user_get(client, "u1", &error));
  assert_null(error);
  for (size_t i = 0; i < COUNT(cases); i++) {
    json_t *overrides = json_of(cases[i].overrides);
    argyle_client *other = argyle_client_with(client, overrides, &error);
    assert_null(error);
    json_decref(argyle_user_get(other, "u1", &error));
    assert_int_equal(argyle_error_code(error), cases[i].code);
    argyle_error_free(error);
    argyle_client_free(other);
    json_decref(overrides);
  }
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- fork() */

/* What a child inherits: a queue with calls in each state, and a call that was not submitted. */
typedef struct {
  argyle_queue *queue;
  argyle_call *completed;
  argyle_call *running;
  argyle_call *waiting;
  argyle_call *own;
} inheritance;

/* Returns 0 if this is the error of a handle of the parent, otherwise 1; frees it. */
static int is_not_forked(argyle_error *error) {
  int failed = error == NULL || error == RUBBISH || argyle_error_code(error) != ARGYLE_ERROR_FORKED;
  argyle_error_free(error);
  return failed;
}

static int use_inherited_handles(void *argument) {
  inheritance *inherited = argument;
  argyle_error *error = RUBBISH;
  void *tag = NULL;
  int failures = 0;
  failures += argyle_queue_submit(inherited->queue, inherited->own, NULL, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_fd(inherited->queue, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_drive(inherited->queue, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_wait(inherited->queue, -1, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_next(inherited->queue, &tag, &error) != NULL || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_cancel(inherited->queue, inherited->running, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_queue_cancel_all(inherited->queue, &error) != -1 || is_not_forked(error);
  error = RUBBISH;
  failures += argyle_call_run(inherited->own, &error) != -1 || is_not_forked(error);
  /* The child's own queue refuses a call of the parent. */
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  error = RUBBISH;
  failures += argyle_queue_submit(queue, inherited->own, NULL, &error) != -1 || is_not_forked(error);
  argyle_queue_free(queue);
  return failures;
}

static int free_inherited_queue(void *argument) {
  inheritance *inherited = argument;
  argyle_queue_free(inherited->queue);
  argyle_call_free(inherited->own);
  return 0;
}

static int free_inherited_calls_first(void *argument) {
  inheritance *inherited = argument;
  argyle_call_free(inherited->waiting);
  argyle_call_free(inherited->running);
  argyle_call_free(inherited->completed);
  argyle_call_free(inherited->own);
  argyle_queue_free(inherited->queue);
  return 0;
}

/* Whatever the child does, the parent's queue works as if there had been no child. */
static void the_parents_queue_is_not_affected(void **state) {
  static int (*const children[])(void *) = {use_inherited_handles, free_inherited_queue, free_inherited_calls_first};
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(children) * 2; i++) {
    int before = hostile_server_requests(fixture->server);
    hostile_server_answer_json(fixture->server, 200, USER);
    hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .held = true});
    argyle_queue *queue = new_queue(1);
    int descriptor = i % 2 == 0 ? descriptor_of(queue) : -1;
    inheritance inheritance = {.queue = queue, .own = get_call(fixture->client)};
    inheritance.completed = submit(queue, get_call(fixture->client), NULL);
    drive_until_complete(queue, 1);
    inheritance.running = submit(queue, create_call(fixture->client), NULL);
    inheritance.waiting = submit(queue, get_call(fixture->client), NULL);
    drive_until_requested(queue, fixture->server, before + 2);
    assert_int_equal(failures_in_child(children[i / 2], &inheritance), 0);

    assert_ptr_equal(next_call(queue, NULL), inheritance.completed);
    assert_null(argyle_call_error(inheritance.completed));
    argyle_call_free(inheritance.completed);
    hostile_server_answer_json(fixture->server, 200, USER);
    hostile_server_release(fixture->server);
    while (descriptor >= 0 && drive(queue) == 0) {
      assert_true(is_readable(descriptor, -1));
    }
    assert_next_succeeded(queue, inheritance.running);
    assert_next_succeeded(queue, inheritance.waiting);
    assert_empty(queue);
    assert_int_equal(hostile_server_requests(fixture->server), before + 3);
    assert_next_succeeded(queue, submit(queue, inheritance.own, NULL));
    argyle_queue_free(queue);
  }
}

/* A running child keeps a copy of each descriptor, so that closing the parent's does not remove it from an epoll. */
static void a_running_child_does_not_keep_the_descriptor_readable(void **state) {
  hostile_fixture *fixture = *state;
  int ends[2];
  char byte;
  argyle_queue *queue = new_queue(5);
  descriptor_of(queue);
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = USER_ANSWER, .then = HOSTILE_CLOSE});
  assert_next_succeeded(queue, submit(queue, get_call(fixture->client), NULL));
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    close(ends[1]);
    _exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  assert_next_succeeded(queue, submit(queue, get_call(fixture->client), NULL));
  hostile_server_wait_for_closed(fixture->server, 1);
  assert_becomes_idle(queue, 20);
  argyle_queue_free(queue);
  close(ends[0]);
  close(ends[1]);
  assert_int_equal(waitpid(child, NULL, 0), child);
}

static int use_own_queue(void *url) {
  json_t *options = options_for(url);
  argyle_client *client = argyle_client_new(options, NULL);
  json_decref(options);
  argyle_queue *queue = argyle_queue_new(NULL, NULL);
  argyle_queue_submit(queue, argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL), NULL, NULL);
  int failures = argyle_queue_wait(queue, -1, NULL) != 1;
  argyle_call *call = argyle_queue_next(queue, NULL, NULL);
  failures += argyle_call_error(call) != NULL || argyle_call_http_status(call) != 200;
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_client_free(client);
  return failures;
}

static void a_queue_made_in_the_child_works(void **state) {
  hostile_fixture *fixture = *state;
  char url[64] = "";
  hostile_server_answer_json(fixture->server, 200, USER);
  strcat(url, hostile_server_url(fixture->server));
  argyle_queue *queue = new_queue(5);
  argyle_call *call = submit(queue, get_call(fixture->client), NULL);
  assert_int_equal(failures_in_child(use_own_queue, url), 0);
  assert_next_succeeded(queue, call);
  argyle_queue_free(queue);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_options_are_optional),
    hostile_test(options_as_text_take_effect),
    cmocka_unit_test(an_option_that_breaks_a_rule_is_refused),
    hostile_test(null_is_refused),
    cmocka_unit_test(an_empty_queue_has_nothing_to_wait_for),
    hostile_test(the_error_pointer_is_optional),
    hostile_test(submitting_sends_nothing),
    hostile_test(a_call_is_submitted_once),
    hostile_test(a_call_that_was_run_is_not_submitted),
    hostile_test(a_tag_may_be_anything_and_need_not_be_read),
    cmocka_unit_test(each_call_has_its_own_result),
    hostile_test(calls_are_returned_in_order_of_completion),
    hostile_test(calls_may_belong_to_several_clients),
    hostile_test(a_call_outlives_its_queue),
    hostile_test(calls_may_be_submitted_while_others_are_in_flight),
    cmocka_unit_test(no_more_calls_than_allowed_are_in_flight),
    hostile_test(connections_are_reused_for_the_next_calls),
    hostile_test(a_pending_call_is_cancelled),
    hostile_test(a_call_in_flight_is_cancelled),
    hostile_test(the_total_time_of_a_cancelled_call_ends_when_cancelled),
    hostile_test(a_completed_call_cannot_be_cancelled),
    hostile_test(a_call_of_another_queue_is_refused),
    hostile_test(all_calls_are_cancelled_at_once),
    hostile_test(a_pending_call_may_be_freed),
    hostile_test(a_call_in_flight_may_be_freed),
    hostile_test(a_completed_call_may_be_freed_in_its_queue),
    hostile_test(a_queue_is_freed_with_pending_calls),
    hostile_test(a_queue_is_freed_with_calls_in_flight),
    hostile_test(a_queue_is_freed_with_connecting_calls),
    hostile_test(a_queue_is_freed_with_completed_calls),
    hostile_test(a_queue_is_freed_with_calls_cancelled_in_flight),
    hostile_test(a_queue_is_freed_with_calls_cancelled_while_pending),
    hostile_test(a_wait_ends_when_its_time_has_passed),
    hostile_test(waits_of_0_ms_complete_a_call),
    hostile_test(waits_of_1_ms_complete_a_call),
    hostile_test(a_wait_counts_completed_calls_that_were_not_taken),
    hostile_test(a_signal_does_not_end_a_wait),
    cmocka_unit_test(a_second_thread_is_refused),
    hostile_test(one_thread_after_the_other_may_use_a_queue),
    hostile_test(the_descriptor_is_always_the_same),
    hostile_test(the_descriptor_is_readable_while_there_is_something_to_do),
    hostile_test(the_descriptor_is_available_at_any_time),
    hostile_test(a_program_can_wait_for_the_descriptor_with_epoll),
    hostile_test(each_submission_to_an_idle_queue_triggers_an_edge),
    hostile_test(a_timeout_makes_the_descriptor_readable),
    hostile_test(every_call_has_one_result_after_the_descriptor_was_closed),
    hostile_test(a_wait_detects_that_the_descriptor_was_closed),
    hostile_test(a_queue_whose_descriptor_was_closed_is_freed_with_its_calls),
    hostile_test(a_queue_that_detected_its_closed_descriptor_is_freed_with_its_calls),
    hostile_test(a_descriptor_with_the_reused_number_is_left_alone),
    hostile_test(each_call_has_the_timeout_of_its_client),
    hostile_test(the_timeout_of_a_pending_call_does_not_start),
    hostile_test(an_answer_received_while_the_host_was_away_counts),
    hostile_test(a_host_may_be_away_while_a_call_connects),
    hostile_test(a_host_may_be_away_before_it_first_drives),
    hostile_test(a_call_that_failed_while_the_host_was_away_is_retried_if_safe),
    hostile_test(a_host_may_wait_before_each_call_that_it_takes),
    hostile_test(a_host_that_is_always_late_does_not_wait_forever),
    hostile_test(calls_obey_the_rate_limit_of_their_client),
    hostile_test(the_rate_limit_works_with_the_descriptor),
    hostile_test(every_refused_call_has_one_result),
    hostile_test(a_retry_after_pauses_the_other_calls),
    hostile_test(a_call_waiting_for_the_rate_limit_is_cancelled),
    hostile_test(a_call_waiting_for_the_rate_limit_is_freed_with_its_queue_or_alone),
    hostile_test(the_parents_queue_is_not_affected),
    hostile_test(a_queue_made_in_the_child_works),
    hostile_test(a_running_child_does_not_keep_the_descriptor_readable),
    hostile_test(calls_waiting_for_the_rate_limit_are_not_in_flight),
    hostile_test(the_rate_limit_is_shared_unless_overridden),
  };
  return cmocka_run_group_tests_name("queue", tests, sandbox_setup, sandbox_teardown);
}
