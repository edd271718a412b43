/*
 * argyle-sandbox.h: every function with valid and invalid arguments, what a sandbox leaves behind, and how it affects
 * its host. Its HTTP interface is tested in Tests/sandbox.
 */
#include "child.h"
#include "descriptors.h"
#include "sandbox.h"
#include "wire.h"

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOPBACK "http://127.0.0.1:"
#define NO_ERROR ((argyle_sandbox_error *)(uintptr_t)0x6a756e6b)
#define TIMES 50
#define THREADS 8

/* ---------------------------------------------------------------- Sandboxes */

/* Starts a sandbox and releases the options, which may be NULL. */
static argyle_sandbox *started(json_t *options) {
  argyle_sandbox_error *error = NO_ERROR;
  argyle_sandbox *server = argyle_sandbox_start(options, &error);
  if (server == NULL) {
    print_error("sandbox: %s\n", argyle_sandbox_error_message(error));
  }
  assert_non_null(server);
  assert_null(error);
  json_decref(options);
  return server;
}

static json_t *key(void) {
  return json_pack("{s:s, s:s}", "key_id", KEY_ID, "key_secret", KEY_SECRET);
}

static json_t *key_and(const char *option, json_t *value) {
  json_t *options = key();
  assert_int_equal(json_object_set_new(options, option, value), 0);
  return options;
}

/* Asserts that a sandbox with these options does not start and that the error says why; releases the options. */
static void assert_refused(json_t *options, const char *fragment) {
  argyle_sandbox_error *error = NO_ERROR;
  assert_non_null(options);
  assert_null(argyle_sandbox_start(options, &error));
  assert_non_null(error);
  assert_true(error != NO_ERROR);
  const char *message = argyle_sandbox_error_message(error);
  if (strstr(message, fragment) == NULL) {
    print_error("\"%s\" is not in the message: %s\n", fragment, message);
    fail();
  }
  assert_null(strstr(message, KEY_SECRET));
  assert_null(strpbrk(message, "\n\r\t"));
  argyle_sandbox_error_free(error);
  assert_null(argyle_sandbox_start(options, NULL));
  json_decref(options);
}

static char *create_user(argyle_client *client) {
  argyle_error *error = RUBBISH;
  json_t *created = argyle_user_create(client, NULL, &error);
  assert_null(error);
  char *id = strdup(string_at(created, "id"));
  json_decref(created);
  return id;
}

/* The number of users; -1 if the sandbox does not answer. */
static json_int_t count_users(argyle_client *client) {
  json_t *page = argyle_user_list(client, NULL, NULL);
  json_int_t count = page != NULL ? json_integer_value(json_object_get(page, "count")) : -1;
  json_decref(page);
  return count;
}

static json_int_t count_users_at(const argyle_sandbox *server) {
  argyle_client *client = client_for(argyle_sandbox_url(server));
  json_int_t count = count_users(client);
  argyle_client_free(client);
  return count;
}

static int port_of(const argyle_sandbox *server) {
  return atoi(argyle_sandbox_url(server) + strlen(LOOPBACK));
}

/* ---------------------------------------------------------------- Files */

/* The test's own directory, with the path of a file in it that does not exist yet. */
typedef struct {
  char path[64];
  char file[96];
} folder;

static int folder_setup(void **state) {
  folder *folder = calloc(1, sizeof *folder);
  strcpy(folder->path, "/tmp/argyle-test.XXXXXX");
  if (mkdtemp(folder->path) == NULL) {
    free(folder);
    return -1;
  }
  snprintf(folder->file, sizeof folder->file, "%s/users.sqlite", folder->path);
  *state = folder;
  return 0;
}

static int folder_teardown(void **state) {
  folder *folder = *state;
  DIR *entries = opendir(folder->path);
  struct dirent *entry;
  char path[sizeof folder->path + sizeof entry->d_name + 1];
  while ((entry = readdir(entries)) != NULL) {
    snprintf(path, sizeof path, "%s/%s", folder->path, entry->d_name);
    unlink(path);
  }
  closedir(entries);
  int result = rmdir(folder->path);
  free(folder);
  return result;
}

static void write_file(const char *path, const char *content, size_t count) {
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  assert_int_equal(fwrite(content, 1, count, file), count);
  assert_int_equal(fclose(file), 0);
}

static argyle_sandbox *started_on(const char *file) {
  return started(key_and("database", json_string(file)));
}

/* Replaces each occurrence of a text in a file with another of the same length. */
static void replace_in_file(const char *path, const char *old, const char *new) {
  struct stat status;
  assert_int_equal(stat(path, &status), 0);
  size_t count = (size_t)status.st_size, length = strlen(old), replaced = 0;
  assert_int_equal(strlen(new), length);
  char *content = malloc(count);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fread(content, 1, count, file), count);
  fclose(file);
  for (size_t i = 0; i + length <= count; i++) {
    if (memcmp(content + i, old, length) == 0) {
      memcpy(content + i, new, length);
      replaced++;
    }
  }
  assert_true(replaced > 0);
  write_file(path, content, count);
  free(content);
}

static int count_threads(void) {
  DIR *entries = opendir("/proc/self/task");
  assert_non_null(entries);
  int count = 0;
  while (readdir(entries) != NULL) {
    count++;
  }
  closedir(entries);
  return count;
}

/* A joined thread may still be visible for a moment. */
static void assert_threads(int expected) {
  for (int i = 0; i < 30000 && count_threads() > expected; i++) {
    poll(NULL, 0, 10);
  }
  assert_int_equal(count_threads(), expected);
}

/* ---------------------------------------------------------------- Version */

static void the_library_has_the_version_of_the_header(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", ARGYLE_SANDBOX_VERSION_MAJOR, ARGYLE_SANDBOX_VERSION_MINOR,
           ARGYLE_SANDBOX_VERSION_PATCH);
  assert_string_equal(argyle_sandbox_version(), ARGYLE_SANDBOX_VERSION);
  assert_string_equal(ARGYLE_SANDBOX_VERSION, text);
  assert_int_equal(argyle_sandbox_version_number(), ARGYLE_SANDBOX_VERSION_NUMBER);
  assert_int_equal(ARGYLE_SANDBOX_VERSION_NUMBER >> 16, ARGYLE_SANDBOX_VERSION_MAJOR);
  assert_int_equal((ARGYLE_SANDBOX_VERSION_NUMBER >> 8) & 0xff, ARGYLE_SANDBOX_VERSION_MINOR);
  assert_int_equal(ARGYLE_SANDBOX_VERSION_NUMBER & 0xff, ARGYLE_SANDBOX_VERSION_PATCH);
}

static void both_libraries_have_the_same_version(void **state) {
  (void)state;
  assert_string_equal(argyle_sandbox_version(), argyle_version());
  assert_int_equal(argyle_sandbox_version_number(), argyle_version_number());
}

/* ---------------------------------------------------------------- NULL */

static void null_is_accepted(void **state) {
  (void)state;
  assert_string_equal(argyle_sandbox_error_message(NULL), "");
  argyle_sandbox_error_free(NULL);
  assert_string_equal(argyle_sandbox_url(NULL), "");
  argyle_sandbox_stop(NULL);
  argyle_sandbox_free(NULL);
}

/* ---------------------------------------------------------------- Options */

static void without_options_it_has_the_documented_key(void **state) {
  (void)state;
  json_t *given[] = {NULL, json_object()};
  for (size_t i = 0; i < COUNT(given); i++) {
    argyle_sandbox *server = started(given[i]);
    argyle_client *client = client_with_options(
      json_pack("{s:s, s:s, s:s}", "key_id", "sandbox-key-id", "key_secret", "sandbox-key-secret", "base_url",
                argyle_sandbox_url(server)));
    assert_int_equal(count_users(client), 0);
    argyle_client_free(client);
    argyle_sandbox_free(server);
  }
}

static void the_error_may_be_null(void **state) {
  (void)state;
  argyle_sandbox *server = argyle_sandbox_start(NULL, NULL);
  assert_non_null(server);
  argyle_sandbox_free(server);
}

static void only_the_given_key_is_accepted(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_sandbox *server = started(key());
  assert_int_equal(count_users_at(server), 0);
  argyle_client *stranger = client_with_options(
    json_pack("{s:s, s:s, s:s}", "key_id", "sandbox-key-id", "key_secret", "sandbox-key-secret", "base_url",
              argyle_sandbox_url(server)));
  assert_null(argyle_user_list(stranger, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_AUTHENTICATION, NULL);
  argyle_client_free(stranger);
  argyle_sandbox_free(server);
}

static void options_are_only_read(void **state) {
  (void)state;
  json_t *options = key_and("port", json_integer(0));
  json_t *copy = json_deep_copy(options);
  argyle_sandbox *server = argyle_sandbox_start(options, NULL);
  assert_same_json(options, copy);
  assert_int_equal(options->refcount, 1);
  json_decref(options);
  json_decref(copy);
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
}

static void an_unknown_option_is_named(void **state) {
  (void)state;
  assert_refused(json_of("{\"colour\": \"red\"}"), "colour");
  assert_refused(json_of("{\"key-id\": \"a\"}"), "key-id");
  assert_refused(json_of("{\"Port\": 0}"), "Port");
  assert_refused(json_of("{\"\": 0}"), "\"\"");
  assert_refused(json_of("{\"a\\nb\": 0}"), "a b");
}

static void a_wrong_type_is_named(void **state) {
  (void)state;
  static const char *const texts[] = {
    "key_id", "key_secret", "database", "other_key_id", "other_key_secret", "log", "certificate", "certificate_key",
  };
  static const char *const integers[] = {"port", "timeout"};
  static const char *const not_texts[] = {"1", "1.5", "true", "null", "[]", "{}"};
  static const char *const not_integers[] = {"\"1\"", "1.5", "1.0", "true", "null", "[]", "{}"};
  static const char *const not_faults[] = {"1", "\"a\"", "{}", "[1]", "[\"a\"]", "[[]]", "[{\"a\": []}]", "null"};
  for (size_t i = 0; i < COUNT(texts); i++) {
    for (size_t j = 0; j < COUNT(not_texts); j++) {
      assert_refused(key_and(texts[i], json_of(not_texts[j])), texts[i]);
    }
  }
  for (size_t i = 0; i < COUNT(integers); i++) {
    for (size_t j = 0; j < COUNT(not_integers); j++) {
      assert_refused(key_and(integers[i], json_of(not_integers[j])), integers[i]);
    }
  }
  for (size_t i = 0; i < COUNT(not_faults); i++) {
    assert_refused(key_and("faults", json_of(not_faults[i])), "faults must be an array of flat JSON objects");
  }
  json_t *deep = nested_arrays(100000);
  json_t *options = key_and("faults", json_incref(deep));
  assert_null(argyle_sandbox_start(options, NULL));
  json_object_del(options, "faults");
  json_decref(options);
  release_nested(deep);
}

static void a_wrong_value_is_named(void **state) {
  (void)state;
  assert_refused(key_and("port", json_integer(-1)), "port");
  assert_refused(key_and("port", json_integer(65536)), "port");
  assert_refused(key_and("port", json_integer(INT64_MAX)), "port");
  assert_refused(key_and("port", json_integer(INT64_MIN)), "port");
  assert_refused(key_and("key_id", json_string("")), "key id");
  assert_refused(key_and("key_id", json_string("a:b")), "colon");
  assert_refused(key_and("key_secret", json_string("")), "key secret");
  assert_refused(key_and("database", json_string("")), "database");
  assert_refused(key_and("timeout", json_integer(0)), "timeout");
  assert_refused(key_and("timeout", json_integer(3601)), "timeout");
  assert_refused(key_and("other_key_id", json_string("a")), "other key");
  assert_refused(key_and("other_key_secret", json_string("a")), "other key");
  assert_refused(key_and("faults", json_of("[{\"kind\": \"flood\"}]")), "kind");
  assert_refused(key_and("certificate", json_string("/nowhere")), "certificate");
  assert_refused(key_and("database", json_stringn("a\0b", 3)), "database");
  assert_refused(key_and("key_id", json_stringn("a\0b", 3)), "key_id");
}

static void sandbox_options_must_be_an_object(void **state) {
  (void)state;
  static const char *const values[] = {"[]", "\"port\"", "0", "1.5", "true", "null"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_refused(json_of(values[i]), "options must be a JSON object");
  }
}

static void a_key_of_the_other_environment_is_known(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  json_t *options = key_and("other_key_id", json_string("other"));
  json_object_set_new(options, "other_key_secret", json_string("other-secret"));
  argyle_sandbox *server = started(options);
  argyle_client *other = client_with_options(json_pack(
    "{s:s, s:s, s:s}", "key_id", "other", "key_secret", "other-secret", "base_url", argyle_sandbox_url(server)));
  assert_null(argyle_user_list(other, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_AUTHENTICATION, "environment");
  argyle_client_free(other);
  argyle_sandbox_free(server);
}

static void faults_apply_in_order(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_sandbox *server = started(key_and("faults", json_of(
    "[{\"kind\": \"error\", \"status\": 503, \"count\": 1}, {\"kind\": \"error\", \"status\": 500, \"count\": 1}]")));
  argyle_client *client = client_for(argyle_sandbox_url(server));
  for (int i = 0; i < 2; i++) {
    assert_null(argyle_user_create(client, NULL, &error));
    assert_int_equal(argyle_error_http_status(error), i == 0 ? 503 : 500);
    assert_failed(error, ARGYLE_ERROR_SERVER, NULL);
  }
  assert_int_equal(count_users(client), 0);
  argyle_client_free(client);
  argyle_sandbox_free(server);
}

static void requests_are_logged_on_request(void **state) {
  folder *folder = *state;
  char line[1024];
  argyle_sandbox *server = started(key_and("log", json_string(folder->file)));
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
  FILE *file = fopen(folder->file, "r");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  json_t *entry = json_of(line);
  assert_string_equal(string_at(entry, "path"), "/v1/users");
  assert_int_equal(json_integer_value(json_object_get(entry, "status")), 200);
  assert_null(strstr(line, KEY_SECRET));
  assert_null(fgets(line, sizeof line, file));
  json_decref(entry);
  fclose(file);
}

static void the_requested_port_is_used(void **state) {
  (void)state;
  argyle_sandbox *server = started(key());
  int port = port_of(server);
  char url[64];
  snprintf(url, sizeof url, LOOPBACK "%d", port);
  assert_string_equal(argyle_sandbox_url(server), url);
  argyle_sandbox_free(server);
  server = started(key_and("port", json_integer(port)));
  assert_string_equal(argyle_sandbox_url(server), url);
  argyle_sandbox_free(server);
}

static void a_port_in_use_is_reported(void **state) {
  folder *folder = *state;
  argyle_sandbox *server = started(key());
  json_t *options = key_and("port", json_integer(port_of(server)));
  json_object_set_new(options, "database", json_string(folder->file));
  assert_refused(options, "the port is in use");
  assert_int_equal(access(folder->file, F_OK), -1);
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
}

/* ---------------------------------------------------------------- Databases */

static void users_outlive_the_sandbox_in_a_file(void **state) {
  folder *folder = *state;
  argyle_error *error = RUBBISH;
  argyle_sandbox *server = started_on(folder->file);
  argyle_client *client = client_for(argyle_sandbox_url(server));
  char *id = create_user(client);
  argyle_client_free(client);
  argyle_sandbox_free(server);

  server = started_on(folder->file);
  client = client_for(argyle_sandbox_url(server));
  json_t *user = argyle_user_get(client, id, &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), id);
  assert_int_equal(count_users(client), 1);
  json_decref(user);
  free(id);
  argyle_client_free(client);
  argyle_sandbox_free(server);
}

static void users_in_memory_end_with_the_sandbox(void **state) {
  (void)state;
  for (int i = 0; i < 2; i++) {
    argyle_sandbox *server = started(key());
    argyle_client *client = client_for(argyle_sandbox_url(server));
    assert_int_equal(count_users(client), 0);
    free(create_user(client));
    assert_int_equal(count_users(client), 1);
    argyle_client_free(client);
    argyle_sandbox_free(server);
  }
}

static void an_unusable_database_is_reported(void **state) {
  folder *folder = *state;
  char missing[128];
  snprintf(missing, sizeof missing, "%s/missing/users.sqlite", folder->path);
  assert_refused(key_and("database", json_string(missing)), missing);
  assert_refused(key_and("database", json_string(folder->path)), folder->path);
  write_file(folder->file, "this is no database, and long enough to be looked at", 52);
  assert_refused(key_and("database", json_string(folder->file)), "not a database");
}

static void an_unusable_file_is_reported(void **state) {
  folder *folder = *state;
  json_t *options = key_and("certificate", json_string(folder->file));
  json_object_set_new(options, "certificate_key", json_string(folder->file));
  assert_refused(json_incref(options), folder->file);
  write_file(folder->file, "this is no certificate", 22);
  assert_refused(options, "certificate");
  assert_refused(key_and("log", json_string(folder->path)), folder->path);
}

static void a_database_of_another_program_is_refused(void **state) {
  folder *folder = *state;
  argyle_sandbox_free(started_on(folder->file));
  /* The application id in SQLite's header. */
  replace_in_file(folder->file, "Argy", "Boot");
  assert_refused(key_and("database", json_string(folder->file)), "another program");
}

static void a_database_with_other_columns_is_refused(void **state) {
  folder *folder = *state;
  argyle_sandbox_free(started_on(folder->file));
  replace_in_file(folder->file, "external_metadata", "external_metadatb");
  assert_refused(key_and("database", json_string(folder->file)), "external_metadata");
}

/* ---------------------------------------------------------------- What is left behind */

static void starting_and_stopping_leaves_nothing(void **state) {
  (void)state;
  argyle_sandbox_free(started(key()));
  int descriptors = count_descriptors(), threads = count_threads();
  for (int i = 0; i < TIMES; i++) {
    argyle_sandbox_free(started(key()));
  }
  assert_int_equal(count_descriptors(), descriptors);
  assert_threads(threads);
}

static void failing_to_start_leaves_nothing(void **state) {
  folder *folder = *state;
  argyle_sandbox *server = started(key());
  write_file(folder->file, "this is no certificate", 22);
  int descriptors = count_descriptors(), threads = count_threads();
  for (int i = 0; i < TIMES; i++) {
    json_t *insecure = key_and("certificate", json_string(folder->file));
    json_object_set_new(insecure, "certificate_key", json_string(folder->file));
    assert_refused(insecure, "certificate");
    assert_refused(key_and("port", json_integer(port_of(server))), "in use");
    assert_refused(key_and("database", json_string(folder->path)), folder->path);
    assert_refused(key_and("port", json_integer(-1)), "port");
  }
  assert_int_equal(count_descriptors(), descriptors);
  assert_threads(threads);
  argyle_sandbox_free(server);
}

static void two_sandboxes_are_independent(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_sandbox *first = started(key()), *second = started(NULL);
  assert_string_not_equal(argyle_sandbox_url(first), argyle_sandbox_url(second));
  argyle_client *client = client_for(argyle_sandbox_url(first));
  argyle_client *stranger = client_for(argyle_sandbox_url(second));
  free(create_user(client));
  assert_null(argyle_user_create(stranger, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_AUTHENTICATION, NULL);
  argyle_sandbox_free(second);
  assert_int_equal(count_users(client), 1);
  argyle_client_free(stranger);
  argyle_client_free(client);
  argyle_sandbox_free(first);
}

static void *start_use_and_stop(void *failures) {
  json_t *options = key();
  for (int i = 0; i < 5; i++) {
    argyle_sandbox *server = argyle_sandbox_start(options, NULL);
    json_t *client_options = options_for(argyle_sandbox_url(server));
    argyle_client *client = argyle_client_new(client_options, NULL);
    json_t *created = argyle_user_create(client, NULL, NULL);
    if (created == NULL || count_users(client) != 1) {
      __atomic_fetch_add((int *)failures, 1, __ATOMIC_RELAXED);
    }
    json_decref(created);
    json_decref(client_options);
    argyle_client_free(client);
    argyle_sandbox_free(server);
  }
  json_decref(options);
  return NULL;
}

static void many_threads_have_their_own_sandboxes(void **state) {
  (void)state;
  pthread_t threads[THREADS];
  int failures = 0;
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_create(&threads[i], NULL, start_use_and_stop, &failures), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  }
  assert_int_equal(failures, 0);
}

/* ---------------------------------------------------------------- Stopping */

static void a_stopped_sandbox_does_not_answer(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  argyle_sandbox *server = started(key());
  argyle_client *client = client_for(argyle_sandbox_url(server));
  char *url = strdup(argyle_sandbox_url(server));
  /* The client keeps an idle connection, which must not delay the stop. */
  assert_int_equal(count_users(client), 0);
  argyle_sandbox_stop(server);
  assert_null(argyle_user_list(client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, NULL);
  assert_string_equal(argyle_sandbox_url(server), url);
  argyle_sandbox_stop(server);
  argyle_sandbox_free(server);
  argyle_client_free(client);
  free(url);
}

static void a_stopped_sandbox_has_released_everything(void **state) {
  folder *folder = *state;
  int descriptors = count_descriptors(), threads = count_threads();
  argyle_sandbox *server = started_on(folder->file);
  int port = port_of(server);
  argyle_sandbox_stop(server);
  assert_int_equal(count_descriptors(), descriptors);
  assert_threads(threads);
  json_t *options = key_and("port", json_integer(port));
  json_object_set_new(options, "database", json_string(folder->file));
  argyle_sandbox *next = started(options);
  assert_int_equal(count_users_at(next), 0);
  argyle_sandbox_free(server);
  assert_int_equal(count_users_at(next), 0);
  argyle_sandbox_free(next);
}

/* Starts to create a user; returns once the sandbox waits for the body, which is `{}`. */
static int request_in_flight(int port) {
  char received[4096];
  int connection = connection_to(port);
  assert_true(connection >= 0);
  const char head[] =
    "POST /v1/users HTTP/1.1\r\nHost: sandbox\r\nAuthorization: " KEY_BASIC "\r\n"
    "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  assert_int_equal(send(connection, head, strlen(head), MSG_NOSIGNAL), strlen(head));
  assert_true(receive_until(connection, "100 Continue", received, sizeof received));
  return connection;
}

static void *stop(void *server) {
  argyle_sandbox_stop(server);
  return NULL;
}

/* Waits until the sandbox refuses connections, because the stop has begun. */
static void wait_until_refused(int port) {
  int connection;
  while ((connection = connection_to(port)) >= 0) {
    close(connection);
    poll(NULL, 0, 5);
  }
}

static void a_request_in_flight_is_finished(void **state) {
  folder *folder = *state;
  char received[4096];
  pthread_t stopping[2];
  argyle_sandbox *server = started_on(folder->file);
  int port = port_of(server), connection = request_in_flight(port);
  /* Two threads stop it; both calls return once it has stopped. */
  for (int i = 0; i < 2; i++) {
    assert_int_equal(pthread_create(&stopping[i], NULL, stop, server), 0);
  }
  wait_until_refused(port);
  assert_int_equal(send(connection, "{}", 2, MSG_NOSIGNAL), 2);
  assert_true(receive_until(connection, "\"id\"", received, sizeof received));
  assert_non_null(strstr(received, "HTTP/1.1 201 "));
  for (int i = 0; i < 2; i++) {
    assert_int_equal(pthread_join(stopping[i], NULL), 0);
  }
  close(connection);
  argyle_sandbox_free(server);

  server = started_on(folder->file);
  assert_int_equal(count_users_at(server), 1);
  argyle_sandbox_free(server);
}

static void an_unfinished_request_is_cut_off(void **state) {
  folder *folder = *state;
  char received[4096];
  argyle_sandbox *server = started_on(folder->file);
  int connection = request_in_flight(port_of(server));
  argyle_sandbox_free(server);
  assert_false(receive_until(connection, "HTTP/1.1", received, sizeof received));
  close(connection);

  server = started_on(folder->file);
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
}

/* ---------------------------------------------------------------- Signals */

/* Not fault signals, which go to the faulting thread, SIGKILL and SIGSTOP, or SIGCONT, which a stop signal discards. */
static bool can_be_blocked(int number) {
  static const int others[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGCONT};
  for (size_t i = 0; i < COUNT(others); i++) {
    if (number == others[i]) {
      return false;
    }
  }
  return true;
}

static pthread_t host;
static volatile sig_atomic_t handled, handled_elsewhere;

static void note_signal(int number) {
  (void)number;
  handled++;
  if (!pthread_equal(pthread_self(), host)) {
    handled_elsewhere++;
  }
}

static void signals_go_to_the_threads_of_the_host(void **state) {
  (void)state;
  struct sigaction action = {.sa_handler = note_signal}, before[32];
  sigset_t all, mask;
  int sent = 0;
  host = pthread_self();
  handled = handled_elsewhere = 0;
  argyle_sandbox *server = started(key());
  sigfillset(&all);
  assert_int_equal(pthread_sigmask(SIG_BLOCK, &all, &mask), 0);
  for (int number = 1; number < 32; number++) {
    if (can_be_blocked(number)) {
      sigaction(number, &action, &before[number]);
      assert_int_equal(kill(getpid(), number), 0);
      sent++;
    }
  }
  /* A thread that handles them would have done so by now. */
  assert_int_equal(count_users_at(server), 0);
  assert_int_equal(handled, 0);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &mask, NULL), 0);
  for (int i = 0; i < 30000 && handled < sent; i++) {
    poll(NULL, 0, 10);
  }
  assert_int_equal(handled, sent);
  assert_int_equal(handled_elsewhere, 0);
  for (int number = 1; number < 32; number++) {
    if (can_be_blocked(number)) {
      sigaction(number, &before[number], NULL);
    }
  }
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
}

static void assert_same_mask(const sigset_t *left, const sigset_t *right) {
  for (int number = 1; number < 32; number++) {
    assert_int_equal(sigismember(left, number), sigismember(right, number));
  }
}

static void the_mask_and_handlers_of_the_host_are_not_changed(void **state) {
  folder *folder = *state;
  struct sigaction before[32], after;
  sigset_t mine, kept, mask;
  sigemptyset(&mine);
  sigaddset(&mine, SIGUSR2);
  assert_int_equal(pthread_sigmask(SIG_SETMASK, &mine, &kept), 0);
  for (int number = 1; number < 32; number++) {
    sigaction(number, NULL, &before[number]);
  }
  argyle_sandbox *server = started(key());
  pthread_sigmask(SIG_SETMASK, NULL, &mask);
  assert_same_mask(&mask, &mine);
  assert_refused(key_and("database", json_string(folder->path)), folder->path);
  assert_refused(key_and("port", json_integer(port_of(server))), "in use");
  assert_int_equal(count_users_at(server), 0);
  argyle_sandbox_free(server);
  pthread_sigmask(SIG_SETMASK, &kept, &mask);
  assert_same_mask(&mask, &mine);
  for (int number = 1; number < 32; number++) {
    sigaction(number, NULL, &after);
    assert_true(before[number].sa_handler == after.sa_handler);
    assert_int_equal(before[number].sa_flags, after.sa_flags);
  }
}

/* ---------------------------------------------------------------- Processes */

static int stop_and_free(void *argument) {
  int failures = strncmp(argyle_sandbox_url(argument), LOOPBACK, strlen(LOOPBACK)) != 0;
  argyle_sandbox_stop(argument);
  argyle_sandbox_free(argument);
  return failures;
}

static void a_child_leaves_the_sandbox_alone(void **state) {
  folder *folder = *state;
  argyle_sandbox *server = started_on(folder->file);
  argyle_client *client = client_for(argyle_sandbox_url(server));
  for (int i = 0; i < 3; i++) {
    free(create_user(client));
    assert_int_equal(failures_in_child(stop_and_free, server), 0);
    /* On the connection that was open, and on a new one. */
    assert_int_equal(count_users(client), i + 1);
    assert_int_equal(count_users_at(server), i + 1);
  }
  argyle_client_free(client);
  argyle_sandbox_free(server);

  server = started_on(folder->file);
  assert_int_equal(count_users_at(server), 3);
  argyle_sandbox_free(server);
}

static void a_child_may_free_a_stopped_sandbox(void **state) {
  (void)state;
  argyle_sandbox *server = started(key());
  argyle_sandbox_stop(server);
  assert_int_equal(failures_in_child(stop_and_free, server), 0);
  argyle_sandbox_free(server);
}

#define folder_test(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_library_has_the_version_of_the_header),
    cmocka_unit_test(both_libraries_have_the_same_version),
    cmocka_unit_test(null_is_accepted),
    cmocka_unit_test(without_options_it_has_the_documented_key),
    cmocka_unit_test(the_error_may_be_null),
    cmocka_unit_test(only_the_given_key_is_accepted),
    cmocka_unit_test(options_are_only_read),
    cmocka_unit_test(an_unknown_option_is_named),
    cmocka_unit_test(a_wrong_type_is_named),
    cmocka_unit_test(a_wrong_value_is_named),
    cmocka_unit_test(sandbox_options_must_be_an_object),
    cmocka_unit_test(a_key_of_the_other_environment_is_known),
    cmocka_unit_test(faults_apply_in_order),
    folder_test(requests_are_logged_on_request),
    cmocka_unit_test(the_requested_port_is_used),
    folder_test(a_port_in_use_is_reported),
    folder_test(users_outlive_the_sandbox_in_a_file),
    cmocka_unit_test(users_in_memory_end_with_the_sandbox),
    folder_test(an_unusable_database_is_reported),
    folder_test(an_unusable_file_is_reported),
    folder_test(a_database_of_another_program_is_refused),
    folder_test(a_database_with_other_columns_is_refused),
    cmocka_unit_test(starting_and_stopping_leaves_nothing),
    folder_test(failing_to_start_leaves_nothing),
    cmocka_unit_test(two_sandboxes_are_independent),
    cmocka_unit_test(many_threads_have_their_own_sandboxes),
    cmocka_unit_test(a_stopped_sandbox_does_not_answer),
    folder_test(a_stopped_sandbox_has_released_everything),
    folder_test(a_request_in_flight_is_finished),
    folder_test(an_unfinished_request_is_cut_off),
    cmocka_unit_test(signals_go_to_the_threads_of_the_host),
    folder_test(the_mask_and_handlers_of_the_host_are_not_changed),
    folder_test(a_child_leaves_the_sandbox_alone),
    cmocka_unit_test(a_child_may_free_a_stopped_sandbox),
  };
  return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
