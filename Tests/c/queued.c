#include "queued.h"

argyle_call *run_in_queue(argyle_client *client, int operation, const char *user_id) {
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new(client, operation, user_id, NULL, &error);
  assert_null(error);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  assert_null(error);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
  assert_null(error);
  argyle_queue_free(queue);
  return call;
}
