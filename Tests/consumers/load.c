/*
 * A host that loads a library at run time, as interpreted languages do, and checks its promises: loading starts no
 * thread and installs no signal handler, and unloading leaves nothing behind.
 *
 *   load client LIBRARY     with ARGYLE_BASE_URL, ARGYLE_KEY_ID and ARGYLE_KEY_SECRET naming a server
 *   load sandbox LIBRARY
 *
 * Prints "ok" on success; otherwise prints what failed and exits with 1.
 */
#define _GNU_SOURCE
#include <argyle-sandbox.h>
#include <argyle.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ROUNDS 200

static struct sigaction before[NSIG];
static const char *file_name; /* of the library, without its directory */

static void require(int condition, const char *what, const char *when) {
  if (condition) return;
  fprintf(stderr, "load: %s %s\n", what, when);
  exit(EXIT_FAILURE);
}

static int count_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  struct dirent *entry;
  int count = 0;

  require(tasks != NULL, "no /proc/self/task", "");
  while ((entry = readdir(tasks)) != NULL)
    if (entry->d_name[0] != '.') count++;
  closedir(tasks);
  return count;
}

/* Fails, before and after, for signals that the C library reserves, such as 32. */
static struct sigaction action_of(int number) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  sigaction(number, NULL, &action);
  return action;
}

static void check_host(const char *when) {
  int number, wait;

  /* A joined thread may still be visible for a moment. */
  for (wait = 0; wait < 1000 && count_threads() > 1; wait++) poll(NULL, 0, 10);
  require(count_threads() == 1, "there is a second thread", when);
  for (number = 1; number < NSIG; number++) {
    struct sigaction action = action_of(number);

    require(action.sa_handler == before[number].sa_handler && action.sa_flags == before[number].sa_flags,
            "a signal's action changed", when);
  }
}

static int is_mapped(void) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4096];
  int found = 0;

  require(maps != NULL, "no /proc/self/maps", "");
  while (fgets(line, sizeof line, maps) != NULL)
    if (strstr(line, file_name) != NULL) found = 1;
  fclose(maps);
  return found;
}

static void *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

  if (library == NULL) fprintf(stderr, "load: %s\n", dlerror());
  require(library != NULL, "the library did not load", "");
  require(is_mapped(), "the library is not mapped", "though it is loaded");
  return library;
}

static void unload(void *library, const char *when) {
  require(dlclose(library) == 0, "dlclose failed", when);
  require(!is_mapped(), "the library is still mapped", when);
  check_host(when);
}

/* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);

  require(symbol != NULL, "there is no function", name);
  memcpy(function, &symbol, sizeof symbol);
}

/* Creates and frees a client; if `with_requests`, makes a request that succeeds and one that fails in between. */
static void use_client(void *library, int with_requests) {
  argyle_client *(*client_new)(const json_t *, argyle_error **);
  void (*client_free)(argyle_client *);
  json_t *(*user_create)(argyle_client *, const json_t *, argyle_error **);
  json_t *(*user_get)(argyle_client *, const char *, argyle_error **);
  const char *(*error_message)(const argyle_error *);
  void (*error_free)(argyle_error *);
  argyle_client *client;
  argyle_error *error;
  json_t *options, *user;

  find(library, "argyle_client_new", &client_new);
  find(library, "argyle_client_free", &client_free);
  find(library, "argyle_user_create", &user_create);
  find(library, "argyle_user_get", &user_get);
  find(library, "argyle_error_message", &error_message);
  find(library, "argyle_error_free", &error_free);

  options = json_pack("{s:s, s:s, s:s}", "key_id", getenv("ARGYLE_KEY_ID"), "key_secret",
                      getenv("ARGYLE_KEY_SECRET"), "base_url", getenv("ARGYLE_BASE_URL"));
  require(options != NULL, "the environment names no server", "");
  client = client_new(options, &error);
  json_decref(options);
  require(client != NULL, error_message(error), "making a client");
  if (with_requests) {
    user = user_create(client, NULL, &error);
    require(user != NULL, error_message(error), "creating a user");
    json_decref(user);
    user = user_get(client, "none", &error);
    require(user == NULL && error != NULL, "no error", "for a user who is not there");
    error_free(error);
  }
  client_free(client);
}

/* Makes a request without a key, which is answered with 401. */
static void ask(int port) {
  static const char request[] = "GET /v1/users HTTP/1.1\r\nHost: sandbox\r\nConnection: close\r\n\r\n";
  struct sockaddr_in address;
  char status[13] = "";
  int connection = socket(AF_INET, SOCK_STREAM, 0);

  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_port = htons((unsigned short)port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(connect(connection, (struct sockaddr *)&address, sizeof address) == 0, "no connection", "to the sandbox");
  require(write(connection, request, sizeof request - 1) == (ssize_t)sizeof request - 1, "no request", "was sent");
  require(recv(connection, status, 12, MSG_WAITALL) == 12, "no answer", "of the sandbox");
  require(strcmp(status, "HTTP/1.1 401") == 0, status, "is not the answer");
  close(connection);
}

/* Starts and frees a sandbox, after one that does not start; if `with_requests`, makes a request. */
static void use_sandbox(void *library, int with_requests) {
  argyle_sandbox *(*start)(const json_t *, argyle_sandbox_error **);
  const char *(*url)(const argyle_sandbox *);
  void (*sandbox_free)(argyle_sandbox *);
  const char *(*error_message)(const argyle_sandbox_error *);
  void (*error_free)(argyle_sandbox_error *);
  argyle_sandbox *sandbox;
  argyle_sandbox_error *error;
  json_t *options = json_pack("{s:i}", "port", -1);

  find(library, "argyle_sandbox_start", &start);
  find(library, "argyle_sandbox_url", &url);
  find(library, "argyle_sandbox_free", &sandbox_free);
  find(library, "argyle_sandbox_error_message", &error_message);
  find(library, "argyle_sandbox_error_free", &error_free);

  require(start(options, &error) == NULL && error != NULL, "no error", "for a port that is none");
  error_free(error);
  json_decref(options);
  sandbox = start(NULL, &error);
  require(sandbox != NULL, error_message(error), "starting a sandbox");
  if (with_requests) ask(atoi(strrchr(url(sandbox), ':') + 1));
  sandbox_free(sandbox);
}

int main(int argc, char **argv) {
  int number, round;
  void *library;
  void (*use)(void *library, int with_requests);
  const char *path;

  require(argc == 3, "usage: load client|sandbox LIBRARY", "");
  use = strcmp(argv[1], "sandbox") == 0 ? use_sandbox : use_client;
  path = argv[2];
  file_name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
  for (number = 1; number < NSIG; number++) before[number] = action_of(number);

  library = load(path);
  check_host("after dlopen");
  unload(library, "after dlclose");

  for (round = 0; round < ROUNDS; round++) unload(load(path), "after dlclose, again and again");

  library = load(path);
  use(library, 0);
  check_host("after its use");
  unload(library, "after its use and dlclose");

  library = load(path);
  use(library, 1);
  check_host("after requests");
  unload(library, "after requests and dlclose");

  library = load(path);
  use(library, 1);
  unload(library, "after a second life");

  puts("ok");
  return EXIT_SUCCESS;
}
