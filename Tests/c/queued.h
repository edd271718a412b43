/* A call in a queue of its own, for tests of what must be the same there as in a blocking function. */
#ifndef QUEUED_H
#define QUEUED_H

#include "harness.h"

/* Runs an operation in a queue to its end; the call is the caller's. */
argyle_call *run_in_queue(argyle_client *client, int operation, const char *user_id);

#endif /* QUEUED_H */
