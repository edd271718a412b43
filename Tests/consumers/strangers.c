/*
 * A host in whose process json_object() and the like are not jansson's: it uses the functions that take text, for which
 * it does not need jansson itself.
 *
 *   strangers            linked with the library (compiled with LINKED)
 *   strangers LIBRARY    loads the library at run time, with RTLD_DEEPBIND if DEEP is set
 *
 * ARGYLE_BASE_URL, ARGYLE_KEY_ID and ARGYLE_KEY_SECRET name a server. Prints "ok" on success; otherwise prints what
 * failed and exits with 1.
 */
#define _GNU_SOURCE
#include <argyle.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions that the host uses: name, result, parameters. */
#define FUNCTIONS(F)                                                                                    \
  F(client_new_text, argyle_client *, (const char *, size_t, argyle_error **))                          \
  F(client_free, void, (argyle_client *))                                                               \
  F(user_create, json_t *, (argyle_client *, const json_t *, argyle_error **))                          \
  F(user_get, json_t *, (argyle_client *, const char *, argyle_error **))                               \
  F(user_list, json_t *, (argyle_client *, const json_t *, argyle_error **))                            \
  F(user_cursor_new_text, argyle_user_cursor *, (argyle_client *, const char *, size_t, argyle_error **)) \
  F(user_cursor_next, json_t *, (argyle_user_cursor *, argyle_error **))                                \
  F(user_cursor_free, void, (argyle_user_cursor *))                                                     \
  F(client_with_log, argyle_client *, (argyle_client *, argyle_log_function, void *, argyle_error **))  \
  F(queue_new_text, argyle_queue *, (const char *, size_t, argyle_error **))                            \
  F(queue_free, void, (argyle_queue *))                                                                 \
  F(call_new_text, argyle_call *, (argyle_client *, int, const char *, const char *, size_t, argyle_error **)) \
  F(call_run, int, (argyle_call *, argyle_error **))                                                    \
  F(call_json, json_t *, (argyle_call *, argyle_error **))                                              \
  F(call_free, void, (argyle_call *))                                                                   \
  F(json_decref, void, (json_t *))                                                                      \
  F(error_message, const char *, (const argyle_error *))                                                \
  F(error_body, json_t *, (const argyle_error *))                                                       \
  F(error_free, void, (argyle_error *))

#define FIELD(name, result, parameters) result(*name) parameters;
static struct {
  FUNCTIONS(FIELD)
} argyle;

static argyle_error *error;

static void require(int condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "strangers: %s: %s\n", what, error != NULL ? argyle.error_message(error) : "no error");
  exit(EXIT_FAILURE);
}

static void find_functions(const char *path) {
#ifdef LINKED
#define FIND(name, result, parameters) argyle.name = argyle_##name;
  (void)path;
#else
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | (getenv("DEEP") != NULL ? RTLD_DEEPBIND : 0)), *symbol;

  if (library == NULL) fprintf(stderr, "strangers: %s\n", dlerror());
  if (library == NULL) exit(EXIT_FAILURE);
#define FIND(name, result, parameters)          \
  symbol = dlsym(library, "argyle_" #name);     \
  require(symbol != NULL, "no argyle_" #name);  \
  memcpy(&argyle.name, &symbol, sizeof symbol);
#endif
  FUNCTIONS(FIND)
}

static int records;

static void note(int level, const char *message, const json_t *fields, void *context) {
  (void)level, (void)message, (void)context;
  if (fields->type == JSON_OBJECT) records++;
}

int main(int argc, char **argv) {
  char options[1024];
  const char *document = "{\"numbers\": [1, 0.5, null, true, \"text\"]}";
  argyle_client *plain, *client;
  argyle_user_cursor *cursor;
  argyle_queue *queue;
  argyle_call *call;
  json_t *value;
  int size;

  find_functions(argc > 1 ? argv[1] : NULL);
  size = snprintf(options, sizeof options, "{\"key_id\": \"%s\", \"key_secret\": \"%s\", \"base_url\": \"%s\"}",
                  getenv("ARGYLE_KEY_ID"), getenv("ARGYLE_KEY_SECRET"), getenv("ARGYLE_BASE_URL"));
  plain = argyle.client_new_text(options, (size_t)size, &error);
  require(plain != NULL, "making a client");
  client = argyle.client_with_log(plain, note, NULL, &error);
  require(client != NULL, "making a client with a log");

  value = argyle.user_create(client, NULL, &error);
  require(value != NULL && value->type == JSON_OBJECT, "creating a user");
  argyle.json_decref(value);
  call = argyle.call_new_text(client, ARGYLE_OPERATION_USER_CREATE, NULL, document, strlen(document), &error);
  require(call != NULL && argyle.call_run(call, &error) == 0, "creating a user by a call");
  value = argyle.call_json(call, &error);
  require(value != NULL, "reading the answer to a call");
  argyle.json_decref(value);
  argyle.call_free(call);
  require(records == 2, "the log");

  value = argyle.user_list(client, NULL, &error);
  require(value != NULL, "listing users");
  argyle.json_decref(value);
  cursor = argyle.user_cursor_new_text(client, "{\"limit\": 1}", 12, &error);
  require(cursor != NULL, "making a cursor");
  while ((value = argyle.user_cursor_next(cursor, &error)) != NULL) argyle.json_decref(value);
  require(error == NULL, "walking over all users");
  argyle.user_cursor_free(cursor);

  require(argyle.user_get(client, "none", &error) == NULL, "no error for a user who is not there");
  require(argyle.error_body(error) != NULL, "the body of an error");
  argyle.error_free(error), error = NULL;
  queue = argyle.queue_new_text("{\"max_in_flight\": 5}", 20, &error);
  require(queue != NULL, "making a queue");
  argyle.queue_free(queue);
  argyle.client_free(client);
  argyle.client_free(plain);
  puts("ok");
  return EXIT_SUCCESS;
}
