#include "tls_server.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define START_TIMEOUT_MS 60000

/* What `openssl s_server -HTTP` sends for GET /v1/users/u1: the file includes the headers. */
static const char answer[] = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"id\": \"u1\"}";

static void path_in(const tls_server *server, const char *file, char *path, size_t size) {
  snprintf(path, size, "%s%s", server->folder, file);
}

static void make_folder(tls_server *server) {
  char path[128];
  strcpy(server->folder, "/tmp/argyle-tls-XXXXXX");
  assert_non_null(mkdtemp(server->folder));
  path_in(server, "/certificate.pem", server->certificate, sizeof server->certificate);
  path_in(server, "/authority.pem", server->authority, sizeof server->authority);
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

static int remove_file(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status;
  (void)type;
  (void)place;
  return remove(path);
}

static void remove_folder(const tls_server *server) {
  nftw(server->folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

/* Starts openssl in the server's folder, with its output redirected to a descriptor. */
static pid_t spawn_openssl(const tls_server *server, char *const arguments[], int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addchdir_np(&actions, server->folder);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  pid_t process;
  int failure = posix_spawnp(&process, "openssl", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure != 0) {
    print_error("cannot start openssl, which the TLS tests need: %s\n", strerror(failure));
    return -1;
  }
  return process;
}

/* Runs openssl and asserts that it succeeds. */
static void run_openssl(const tls_server *server, char *const arguments[]) {
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  pid_t process = spawn_openssl(server, arguments, nowhere);
  close(nowhere);
  assert_true(process > 0);
  int status = -1;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  assert_int_equal(status, 0);
}

static void make_certificate(const tls_server *server, const char *name) {
  char extension[128];
  snprintf(extension, sizeof extension, "subjectAltName=%s", name);
  char *arguments[] = {
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=argyle test", "-addext", extension, NULL,
  };
  run_openssl(server, arguments);
}

/* Configuration of `openssl ca`, the only command that can sign for a time other than now. */
static const char authority_settings[] =
  "[ca]\ndefault_ca = authority\n"
  "[authority]\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\ndefault_md = sha256\n"
  "default_days = 2\nunique_subject = no\npolicy = names\nx509_extensions = extensions\n"
  "[names]\ncommonName = supplied\n"
  "[extensions]\nbasicConstraints = CA:false\nsubjectAltName = ";

static void write_file(const tls_server *server, const char *name, const char *first, const char *second) {
  char path[128];
  path_in(server, name, path, sizeof path);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fprintf(file, "%s%s\n", first, second);
  fclose(file);
}

/* Creates a certificate authority and a certificate signed by it. */
static void make_signed_certificate(const tls_server *server, const tls_options *options) {
  char path[128];
  path_in(server, "/index.txt", path, sizeof path);
  close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  write_file(server, "/authority.cnf", authority_settings, options->name);
  char *authority[] = {
    "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
    "-keyout", "authority-key.pem", "-out", "authority.pem", "-subj", "/CN=argyle test authority", NULL,
  };
  char *request[] = {
    "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
    "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=argyle test", NULL,
  };
  char *sign[] = {
    "openssl", "ca", "-batch", "-config", "authority.cnf", "-cert", "authority.pem", "-keyfile", "authority-key.pem",
    "-in", "request.pem", "-out", "certificate.pem", "-notext",
    options->from != NULL ? "-startdate" : NULL, (char *)options->from, "-enddate", (char *)options->until, NULL,
  };
  run_openssl(server, authority);
  run_openssl(server, request);
  run_openssl(server, sign);
}

/* Writes the key, encrypted with TLS_PASSWORD, to locked.pem. */
static void lock_key(tls_server *server) {
  char *arguments[] = {
    "openssl", "pkey", "-in", "key.pem", "-aes256", "-passout", "pass:" TLS_PASSWORD, "-out", "locked.pem", NULL,
  };
  run_openssl(server, arguments);
  path_in(server, "/key.pem", server->key, sizeof server->key);
  path_in(server, "/locked.pem", server->locked_key, sizeof server->locked_key);
}

/* Reads up to the line "ACCEPT 0.0.0.0:PORT" or "ACCEPT [::]:PORT"; returns the port, or -1. */
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

tls_server *tls_server_start_with(tls_options options) {
  tls_server *server = calloc(1, sizeof *server);
  make_folder(server);
  if (options.has_authority) {
    make_signed_certificate(server, &options);
  } else {
    make_certificate(server, options.name);
  }
  lock_key(server);
  char *arguments[16] = {
    "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "certificate.pem", "-key", "key.pem", "-HTTP",
  };
  size_t count = 9;
  if (options.option != NULL) arguments[count++] = (char *)options.option;
  if (options.ciphers != NULL) {
    arguments[count++] = "-cipher";
    arguments[count++] = (char *)options.ciphers;
  }
  if (options.wants_certificate) {
    /* The client may use the server's own certificate. */
    static char *const more[] = {"-Verify", "1", "-verify_return_error", "-CAfile", "certificate.pem"};
    memcpy(&arguments[count], more, sizeof more);
  }
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
  return tls_server_start_with((tls_options){.name = name});
}

tls_server *tls_server_start_mutual(const char *name) {
  return tls_server_start_with((tls_options){.name = name, .wants_certificate = true});
}

/* Counts the files that the exited server reported as sent. */
static int count_files(int output) {
  static char text[65536];
  size_t length = 0;
  ssize_t count;
  while ((count = read(output, text + length, sizeof text - 1 - length)) > 0) {
    length += (size_t)count;
  }
  text[length] = '\0';
  int files = 0;
  for (const char *place = text; (place = strstr(place, "FILE:")) != NULL; place++) {
    files++;
  }
  return files;
}

int tls_server_stop(tls_server *server) {
  kill(server->process, SIGTERM);
  while (waitpid(server->process, NULL, 0) < 0 && errno == EINTR) {
  }
  int files = count_files(server->output);
  close(server->output);
  remove_folder(server);
  free(server);
  return files;
}
