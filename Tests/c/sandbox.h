/* A running argyle-sandbox, found by the environment variable ARGYLE_SANDBOX. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "harness.h"

#include <sys/types.h>

typedef struct {
  pid_t process;
  int output; /* the reading end of its standard output */
  char url[256];
  argyle_client *client; /* a client for it with default options */
} sandbox;

/* Starts an empty sandbox on a free port; says why and gives NULL where that fails. */
sandbox *sandbox_start(void);

/* Ends it by SIGTERM. 0 where it ended with status 0, otherwise -1. */
int sandbox_stop(sandbox *sandbox);

/* The same as group setup and teardown: each test's state is the sandbox. */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

#endif /* SANDBOX_H */
