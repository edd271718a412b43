/* A sandbox in this process and a client for it. */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "harness.h"

#include <argyle-sandbox.h>

typedef struct {
  argyle_sandbox *server;
  const char *url;
  argyle_client *client; /* a client for it, of client_for() */
} sandbox;

/* Starts an empty sandbox on a free port; on failure prints the reason and returns NULL. */
sandbox *sandbox_start(void);
void sandbox_stop(sandbox *sandbox);

/* Replaces the sandbox's faults with those of a JSON array. */
void sandbox_set_faults(const sandbox *sandbox, const char *faults);

/* Group setup and teardown: each test's state is the sandbox. */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

#endif /* SANDBOX_H */
