/*
 * A host that unloads libargyle while libcurl still resolves a name on its own thread: the library is unmapped, the
 * thread ends in libcurl, which stays loaded, and the library can be loaded and used again. Finally the process exits
 * while a name is being resolved.
 *
 *   unload LIBRARY
 *
 * This program replaces the getaddrinfo() that libcurl calls, and decides when it returns. Prints "ok" on success;
 * otherwise prints what failed and exits with 1.
 */
#define _GNU_SOURCE
#include <argyle.h>
#include <dirent.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 5
#define HOST "slow.argyle.example"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int is_held, resolving;
static const char *file_name; /* of the library, without its directory */

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "unload: %s\n", what);
  exit(EXIT_FAILURE);
}

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  require(strcmp(host, HOST) == 0, "a name is resolved that nobody asked for");
  (void)service;
  (void)hints;
  (void)result;
  pthread_mutex_lock(&lock);
  resolving++;
  pthread_cond_broadcast(&changed);
  while (is_held) pthread_cond_wait(&changed, &lock);
  resolving--;
  pthread_mutex_unlock(&lock);
  return EAI_NONAME;
}

static void wait_until_resolving(void) {
  pthread_mutex_lock(&lock);
  while (resolving == 0) pthread_cond_wait(&changed, &lock);
  pthread_mutex_unlock(&lock);
}

static void hold(int held) {
  pthread_mutex_lock(&lock);
  is_held = held;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
}

static int count_threads(void) {
  DIR *tasks = opendir("/proc/self/task");
  struct dirent *entry;
  int count = 0;

  require(tasks != NULL, "no /proc/self/task");
  while ((entry = readdir(tasks)) != NULL)
    if (entry->d_name[0] != '.') count++;
  closedir(tasks);
  return count;
}

static int is_mapped(const char *name) {
  FILE *maps = fopen("/proc/self/maps", "r");
  char line[4096];
  int found = 0;

  require(maps != NULL, "no /proc/self/maps");
  while (fgets(line, sizeof line, maps) != NULL)
    if (strstr(line, name) != NULL) found = 1;
  fclose(maps);
  return found;
}

/* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
static void find(void *library, const char *name, void *function) {
  void *symbol = dlsym(library, name);

  require(symbol != NULL, name);
  memcpy(function, &symbol, sizeof symbol);
}

/* Makes a call that times out while the name is being resolved. */
static void use(void *library) {
  argyle_client *(*client_new)(const json_t *, argyle_error **);
  void (*client_free)(argyle_client *);
  json_t *(*user_get)(argyle_client *, const char *, argyle_error **);
  int (*error_code)(const argyle_error *);
  void (*error_free)(argyle_error *);
  argyle_client *client;
  argyle_error *error;
  json_t *options;

  find(library, "argyle_client_new", &client_new);
  find(library, "argyle_client_free", &client_free);
  find(library, "argyle_user_get", &user_get);
  find(library, "argyle_error_code", &error_code);
  find(library, "argyle_error_free", &error_free);

  options = json_pack("{s:s, s:s, s:s, s:s, s:i, s:i}", "key_id", "id", "key_secret", "secret", "base_url",
                      "https://" HOST, "proxy", "", "timeout_ms", 100, "max_retries", 0);
  client = client_new(options, NULL);
  json_decref(options);
  require(client != NULL, "there is no client");
  require(user_get(client, "u1", &error) == NULL, "there is a user");
  require(error_code(error) == ARGYLE_ERROR_TIMEOUT, "the error is not a timeout");
  error_free(error);
  client_free(client);
}

static void load_use_and_unload(const char *path) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

  require(library != NULL, "the library did not load");
  require(is_mapped(file_name), "the library is not mapped though it is loaded");
  hold(1);
  use(library);
  require(dlclose(library) == 0, "dlclose failed");
  wait_until_resolving();
  require(!is_mapped(file_name), "the library is still mapped");
  require(is_mapped("libcurl"), "libcurl is gone, which still resolves a name");
}

int main(int argc, char **argv) {
  int round, wait;

  require(argc == 2, "usage: unload LIBRARY");
  file_name = strrchr(argv[1], '/') != NULL ? strrchr(argv[1], '/') + 1 : argv[1];
  for (round = 0; round < ROUNDS; round++) {
    load_use_and_unload(argv[1]);
    hold(0);
    for (wait = 0; wait < 1000 && count_threads() > 1; wait++) poll(NULL, 0, 10);
    require(count_threads() == 1, "libcurl's thread has not ended");
  }
  load_use_and_unload(argv[1]);
  puts("ok");
  return EXIT_SUCCESS;
}
