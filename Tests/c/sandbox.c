#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define LISTENING "argyle-sandbox listening on "
#define START_TIMEOUT_MS 60000

/* Runs the program with its output in a pipe. */
static int spawn(sandbox *sandbox, const char *program) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    print_error("pipe: %s\n", strerror(errno));
    return -1;
  }
  char *arguments[] = {
    (char *)program, "--port", "0", "--key-id", KEY_ID, "--key-secret", KEY_SECRET, NULL,
  };
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  int failure = posix_spawn(&sandbox->process, program, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (failure != 0) {
    print_error("cannot start the sandbox %s: %s\n", program, strerror(failure));
    close(ends[0]);
    return -1;
  }
  sandbox->output = ends[0];
  return 0;
}

/* Reads one line, without its end; -1 where the sandbox ended or says nothing for too long. */
static int read_line(int output, char *line, size_t size) {
  size_t length = 0;
  while (length + 1 < size) {
    struct pollfd ready = {.fd = output, .events = POLLIN};
    if (poll(&ready, 1, START_TIMEOUT_MS) <= 0 || read(output, line + length, 1) != 1) {
      return -1;
    }
    if (line[length] == '\n') {
      break;
    }
    length++;
  }
  line[length] = '\0';
  return 0;
}

static int read_url(sandbox *sandbox) {
  char line[256];
  while (read_line(sandbox->output, line, sizeof line) == 0) {
    if (strncmp(line, LISTENING, strlen(LISTENING)) == 0) {
      snprintf(sandbox->url, sizeof sandbox->url, "%s", line + strlen(LISTENING));
      return 0;
    }
  }
  print_error("the sandbox did not say where it listens\n");
  return -1;
}

sandbox *sandbox_start(void) {
  const char *program = getenv("ARGYLE_SANDBOX");
  if (program == NULL || program[0] == '\0') {
    print_error("ARGYLE_SANDBOX is not set: it names the argyle-sandbox to test against\n");
    return NULL;
  }
  sandbox *started = calloc(1, sizeof *started);
  if (spawn(started, program) != 0) {
    free(started);
    return NULL;
  }
  if (read_url(started) != 0) {
    sandbox_stop(started);
    return NULL;
  }
  started->client = client_for(started->url);
  return started;
}

int sandbox_stop(sandbox *sandbox) {
  argyle_client_free(sandbox->client);
  kill(sandbox->process, SIGTERM);
  int status = -1;
  while (waitpid(sandbox->process, &status, 0) < 0 && errno == EINTR) {
  }
  close(sandbox->output);
  free(sandbox);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    print_error("the sandbox ended with wait status %d, not with exit status 0\n", status);
    return -1;
  }
  return 0;
}

int sandbox_setup(void **state) {
  *state = sandbox_start();
  return *state != NULL ? 0 : -1;
}

int sandbox_teardown(void **state) {
  return sandbox_stop(*state);
}
