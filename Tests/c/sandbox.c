#include "sandbox.h"

#include "wire.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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

void sandbox_set_faults(const sandbox *sandbox, const char *faults) {
  char request[4096], received[16384];
  int length = snprintf(request, sizeof request,
                        "PUT /_sandbox/faults HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                        "Connection: close\r\nContent-Length: %zu\r\n\r\n%s", strlen(faults), faults);
  assert_in_range(length, 1, sizeof request - 1);
  int connection = connection_to(atoi(strrchr(sandbox->url, ':') + 1));
  assert_true(connection >= 0);
  assert_int_equal(send(connection, request, (size_t)length, MSG_NOSIGNAL), length);
  if (!receive_until(connection, "\r\n\r\n", received, sizeof received) ||
      strncmp(received, "HTTP/1.1 2", strlen("HTTP/1.1 2")) != 0) {
    print_error("the sandbox did not accept the faults: %s\n", received);
    fail();
  }
  close(connection);
}

int sandbox_setup(void **state) {
  *state = sandbox_start();
  return *state != NULL ? 0 : -1;
}

int sandbox_teardown(void **state) {
  sandbox_stop(*state);
  return 0;
}
