/*
 * A host that loads the library at run time, as a language without a linker does, and holds it to what it
 * promises a host: loading starts no thread and installs no signal handler, and unloading leaves nothing of it.
 *
 *   load LIBRARY     with ARGYLE_BASE_URL, ARGYLE_KEY_ID and ARGYLE_KEY_SECRET naming a server
 *
 * Prints "ok" at its end; else it says what was broken and exits with 1.
 */
#define _GNU_SOURCE
#include <argyle.h>
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 200

static struct sigaction before[NSIG];

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

/* What the C library keeps to itself, such as signal 32, answers with an error before and after. */
static struct sigaction action_of(int number) {
  struct sigaction action;

  memset(&action, 0, sizeof action);
  sigaction(number, NULL, &action);
  return action;
}

static void check_host(const char *when) {
  int number;

  require(count_threads() == 1, "there is a second thread", when);
  for (number = 1; number < NSIG; number++) {
    struct sigaction action = action_of(number);

    require(action.sa_handler == before[number].sa_handler && action.sa_flags == before[number].sa_flags,
            "a signal's action changed", when);
  }
}

static int is_mapped(const char *name) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4096];
  int found = 0;

  require(maps != NULL, "no /proc/self/maps", "");
  while (fgets(line, sizeof line, maps) != NULL)
    if (strstr(line, name) != NULL) found = 1;
  fclose(maps);
  return found;
}

static void *load(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

  if (library == NULL) fprintf(stderr, "load: %s\n", dlerror());
  require(library != NULL, "the library did not load", "");
  require(is_mapped("libargyle"), "the library is not mapped", "though it is loaded");
  return library;
}

static void unload(void *library, const char *when) {
  require(dlclose(library) == 0, "dlclose failed", when);
  require(!is_mapped("libargyle"), "the library is still mapped", when);
  check_host(when);
}

/* ISO C has no cast from an object pointer to a function's: POSIX says to copy it. */
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);

  require(symbol != NULL, "there is no function", name);
  memcpy(function, &symbol, sizeof symbol);
}

/* Makes a client and frees it, with a request between and one that fails, where there is to be one. */
static void use(void *library, int with_requests) {
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

int main(int argc, char **argv) {
  int number, round;
  void *library;

  require(argc == 2, "usage: load LIBRARY", "");
  for (number = 1; number < NSIG; number++) before[number] = action_of(number);

  library = load(argv[1]);
  check_host("after dlopen");
  unload(library, "after dlclose");

  for (round = 0; round < ROUNDS; round++) unload(load(argv[1]), "after dlclose, again and again");

  library = load(argv[1]);
  use(library, 0);
  check_host("after a client");
  unload(library, "after a client and dlclose");

  library = load(argv[1]);
  use(library, 1);
  check_host("after requests");
  unload(library, "after requests and dlclose");

  library = load(argv[1]);
  use(library, 1);
  unload(library, "after a second life");

  puts("ok");
  return EXIT_SUCCESS;
}
