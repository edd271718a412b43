/* A sandbox in this process, which argyle-sandbox.h starts, with a client for it. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "harness.h"

#include <argyle-sandbox.h>

typedef struct {
  argyle_sandbox *server;
  const char *url;
  argyle_client *client; /* a client for it, of client_for() */
} sandbox;

/* Starts an empty sandbox on a free port; says why and gives NULL where that fails. */
sandbox *sandbox_start(void);
void sandbox_stop(sandbox *sandbox);

/* Sets these faults, a JSON array, in the place of all others. */
void sandbox_set_faults(const sandbox *sandbox, const char *faults);

/* The same as group setup and teardown: each test's state is the sandbox. */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

#endif /* SANDBOX_H */
