#include "queue.h"

#include <poll.h>

argyle_queue *new_queue(json_int_t max_in_flight) {
  argyle_error *error = RUBBISH;
  json_t *options = json_pack("{s:I}", "max_in_flight", max_in_flight);
  argyle_queue *queue = argyle_queue_new(options, &error);
  json_decref(options);
  assert_null(error);
  assert_non_null(queue);
  return queue;
}

argyle_call *submit(argyle_queue *queue, argyle_call *call, void *tag) {
  argyle_error *error = RUBBISH;
  assert_int_equal(argyle_queue_submit(queue, call, tag, &error), 0);
  assert_null(error);
  return call;
}

int drive(argyle_queue *queue) {
  argyle_error *error = RUBBISH;
  int completed = argyle_queue_drive(queue, &error);
  assert_null(error);
  assert_in_range(completed, 0, argyle_queue_count(queue));
  return completed;
}

void drive_until_complete(argyle_queue *queue, int count) {
  while (drive(queue) < count) {
    poll(NULL, 0, 1);
  }
}

void drive_until_requested(argyle_queue *queue, hostile_server *server, int count) {
  do {
    drive(queue);
    poll(NULL, 0, 1);
  } while (hostile_server_requests(server) < count);
}

argyle_call *next_call(argyle_queue *queue, void **tag) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_queue_next(queue, tag, &error);
  assert_null(error);
  return call;
}

argyle_call *wait_for_next(argyle_queue *queue, void **tag) {
  argyle_error *error = RUBBISH;
  assert_true(argyle_queue_wait(queue, -1, &error) > 0);
  assert_null(error);
  argyle_call *call = next_call(queue, tag);
  assert_non_null(call);
  return call;
}
