#include "tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define START_TIMEOUT_MS 60000

static const char *const files[] = {"/v1/users/u1", "/v1/users", "/v1", "/certificate.pem", "/key.pem",
                                    "/locked.pem", ""};

/* What `openssl s_server -HTTP` sends for GET /v1/users/u1: the file holds the headers as well. */
static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"id\": \"u1\"}";

static void path_in(const tls_server *server, const char *file, char *path, size_t size) {
  snprintf(path, size, "%s%s", server->folder, file);
}

static void make_folder(tls_server *server) {
  char path[128];
  strcpy(server->folder, "/tmp/argyle-tls-XXXXXX");
  assert_non_null(mkdtemp(server->folder));
  path_in(server, "/certificate.pem", server->certificate, sizeof server->certificate);
  path_in(server, "/v1", path, sizeof path);
  assert_int_equal(mkdir(path, 0700), 0);
  path_in(server, "/v1/users", path, sizeof path);
  assert_int_equal(mkdir(path, 0700), 0);
  path_in(server, "/v1/users/u1", path, sizeof path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(answer, file);
  fclose(file);
}

static void remove_folder(const tls_server *server) {
  for (size_t i = 0; i < COUNT(files); i++) {
    char path[128];
    path_in(server, files[i], path, sizeof path);
    remove(path);
  }
}

/* Runs openssl in the folder. Its standard output goes to the pipe's end, all else it says to nowhere. */
static pid_t spawn_openssl(const tls_server *server, char *const arguments[], int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, server->folder);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t process;
  int failure = posix_spawnp(&process, "openssl", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    print_error("cannot start openssl, which the TLS tests need: %s\n", strerror(failure));
    return -1;
  }
  return process;
}

static void wait_for(pid_t process) {
  while (waitpid(process, NULL, 0) < 0 && errno == EINTR) {
  }
}

static void make_certificate(const tls_server *server, const char *name) {
  char extension[128];
  snprintf(extension, sizeof extension, "subjectAltName=%s", name);
  char *arguments[] = {
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=argyle test", "-addext", extension, NULL,
  };
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_t process = spawn_openssl(server, arguments, nowhere);
  close(nowhere);
  assert_true(process > 0);
  wait_for(process);
}

/* Reads up to the line that says "ACCEPT 0.0.0.0:PORT" or "ACCEPT [::]:PORT". */
static int read_port(int output) {
  char line[256];
  size_t length = 0;
  for (;;) {
    struct pollfd ready = {.fd = output, .events = POLLIN};
    char byte;
    if (poll(&ready, 1, START_TIMEOUT_MS) <= 0 || read(output, &byte, 1) != 1) {
      return -1;
    }
    if (byte != '\n' && length + 1 < sizeof line) {
      line[length++] = byte;
      continue;
    }
    line[length] = '\0';
    length = 0;
    if (strncmp(line, "ACCEPT ", 7) == 0) {
      return atoi(strrchr(line, ':') + 1);
    }
  }
}

/* The same key behind TLS_PASSWORD, in locked.pem. */
static void lock_key(tls_server *server) {
  char *arguments[] = {
    "openssl", "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:" TLS_PASSWORD, "-out", "locked.pem", NULL,
  };
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_t process = spawn_openssl(server, arguments, nowhere);
  close(nowhere);
  assert_true(process > 0);
  wait_for(process);
  path_in(server, "/key.pem", server->key, sizeof server->key);
  path_in(server, "/locked.pem", server->locked_key, sizeof server->locked_key);
}

static tls_server *start(const char *name, bool wants_certificate) {
  tls_server *server = calloc(1, sizeof *server);
  make_folder(server);
  make_certificate(server, name);
  lock_key(server);
  char *arguments[] = {
    "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "certificate.pem", "-key", "key.pem", "-HTTP",
    /* Only for servers that want a certificate of the client: their own will do. */
    wants_certificate ? "-Verify" : NULL, "1", "-verify_return_error", "-CAfile", "certificate.pem", NULL,
  };
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  server->output = ends[0];
  server->process = spawn_openssl(server, arguments, ends[1]);
  close(ends[1]);
  assert_true(server->process > 0);
  server->port = read_port(server->output);
  assert_true(server->port > 0);
  return server;
}

tls_server *tls_server_start(const char *name) {
  return start(name, false);
}

tls_server *tls_server_start_mutual(const char *name) {
  return start(name, true);
}

void tls_server_stop(tls_server *server) {
  kill(server->process, SIGTERM);
  wait_for(server->process);
  close(server->output);
  remove_folder(server);
  free(server);
}
