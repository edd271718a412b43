/* Runs a call in a queue, for tests of what must be the same as in a blocking function. */
#ifndef QUEUED_H
#define QUEUED_H

#include "harness.h"

/* Runs an operation in its own queue until it completes; the caller frees the call. */
argyle_call *run_in_queue(argyle_client *client, int operation, const char *user_id);

#endif /* QUEUED_H */
