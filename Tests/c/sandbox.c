#include "sandbox.h"

sandbox *sandbox_start(void) {
  argyle_sandbox_error *error;
  json_t *options = json_pack("{s:s, s:s}", "key_id", KEY_ID, "key_secret", KEY_SECRET);
  argyle_sandbox *server = argyle_sandbox_start(options, &error);
  json_decref(options);
  if (server == NULL) {
    print_error("cannot start a sandbox: %s\n", argyle_sandbox_error_message(error));
    argyle_sandbox_error_free(error);
    return NULL;
  }
  sandbox *started = calloc(1, sizeof *started);
  started->server = server;
  started->url = argyle_sandbox_url(server);
  started->client = client_for(started->url);
  return started;
}

void sandbox_stop(sandbox *sandbox) {
  argyle_client_free(sandbox->client);
  argyle_sandbox_free(sandbox->server);
  free(sandbox);
}

int sandbox_setup(void **state) {
  *state = sandbox_start();
  return *state != NULL ? 0 : -1;
}

int sandbox_teardown(void **state) {
  sandbox_stop(*state);
  return 0;
}
