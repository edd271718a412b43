/*
 * All operations of libargyle in one program: creates, retrieves, updates, lists, iterates over and deletes users,
 * creates a user token and reads its claims. Then does with API v2 what v1 cannot.
 *
 *   cc users.c $(pkg-config --cflags --libs argyle) -o users
 *
 * The API key comes from the environment, where process lists do not show it: ARGYLE_KEY_ID and ARGYLE_KEY_SECRET.
 * ARGYLE_BASE_URL is the server, such as a local argyle-sandbox; without it the program uses Argyle's own sandbox,
 * never production. It leaves no users behind.
 */
#include <argyle.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Number of users to create. */
#define USERS 4

/* Prints why a step failed, and frees the error. */
static int failed(const char *step, argyle_error *error) {
  const char *trace_id = argyle_error_trace_id(error);

  fprintf(stderr, "users: %s failed: %s [%s", step, argyle_error_message(error), argyle_error_name(error));
  if (argyle_error_http_status(error) != 0) fprintf(stderr, ", HTTP %d", argyle_error_http_status(error));
  if (trace_id != NULL) fprintf(stderr, ", trace id %s", trace_id);
  if (argyle_error_is_retryable(error)) fprintf(stderr, ", retryable");
  fprintf(stderr, "]\n");
  argyle_error_free(error);
  return -1;
}

static void heading(const char *text) { printf("\n%s\n", text); }

/* Prints a member of an object; null if it is absent. */
static void show(const char *label, const json_t *object, const char *key) {
  char *text = json_dumps(json_object_get(object, key), JSON_ENCODE_ANY);

  printf("  %-12s %s\n", label, text != NULL ? text : "null");
  free(text);
}

/* Prints the start and the size of a credential, which must stay secret. */
static void show_credential(const char *label, const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));

  if (text != NULL) printf("  %-12s %.10s... (%lu bytes)\n", label, text, (unsigned long)strlen(text));
}

static void show_time(const char *label, const json_t *object, const char *key) {
  time_t seconds = (time_t)json_integer_value(json_object_get(object, key));
  struct tm *utc = gmtime(&seconds);
  char text[32];

  if (utc != NULL && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", utc) > 0)
    printf("  %-12s %s UTC\n", label, text);
}

static argyle_client *create_client(void) {
  const char *key_id = getenv("ARGYLE_KEY_ID");
  const char *key_secret = getenv("ARGYLE_KEY_SECRET");
  const char *base_url = getenv("ARGYLE_BASE_URL");
  argyle_client *client;
  argyle_error *error;
  json_t *options;

  if (key_id == NULL || key_secret == NULL) {
    fprintf(stderr, "users: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key\n");
    return NULL;
  }
  if (base_url != NULL)
    options = json_pack("{s:s, s:s, s:s}", "key_id", key_id, "key_secret", key_secret, "base_url", base_url);
  else
    options = json_pack("{s:s, s:s, s:s}", "key_id", key_id, "key_secret", key_secret, "environment", "sandbox");
  client = argyle_client_new(options, &error);
  json_decref(options);
  if (client == NULL) failed("creating a client", error);
  return client;
}

/* Returns the id of a user, borrowed from it; the library rejects users without one. */
static const char *id_of(const json_t *user) { return json_string_value(json_object_get(user, "id")); }

/* Creates a user; the caller owns the reference. */
static int create(argyle_client *client, const json_t *metadata, json_t **user) {
  argyle_error *error;

  *user = argyle_user_create(client, metadata, &error);
  if (*user == NULL) return failed("creating a user", error);
  show("id", *user, "id");
  show_credential("token", *user, "token");
  return 0;
}

static int retrieve(argyle_client *client, const char *id) {
  argyle_error *error;
  json_t *user = argyle_user_get(client, id, &error);

  if (user == NULL) return failed("retrieving the user", error);
  show("created_at", user, "created_at");
  show("metadata", user, "external_metadata");
  json_decref(user);
  return 0;
}

static int update(argyle_client *client, const char *id) {
  argyle_error *error;
  json_t *metadata = json_pack("{s:s, s:[s, s], s:b}", "group", "B", "tags", "vip", "early", "active", 1);
  json_t *user = argyle_user_update(client, id, metadata, &error);

  json_decref(metadata);
  if (user == NULL) return failed("updating the user", error);
  show("metadata", user, "external_metadata");
  json_decref(user);
  return 0;
}

static int list(argyle_client *client) {
  argyle_error *error;
  json_t *query = json_pack("{s:i, s:s}", "limit", 2, "ordering", "created_at");
  json_t *page = argyle_user_list(client, query, &error);
  const json_t *user;
  size_t index;

  json_decref(query);
  if (page == NULL) return failed("listing users", error);
  json_array_foreach(json_object_get(page, "results"), index, user) show("user", user, "id");
  show("of", page, "count");
  json_decref(page);
  return 0;
}

/* Iterates over all users, page after page, and counts those with metadata. */
static int iterate(argyle_client *client) {
  argyle_error *error;
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  unsigned long users = 0, with_metadata = 0;
  json_t *user;

  if (cursor == NULL) return failed("creating a cursor", error);
  while ((user = argyle_user_cursor_next(cursor, &error)) != NULL) {
    users++;
    if (json_object_size(json_object_get(user, "external_metadata")) > 0) with_metadata++;
    json_decref(user);
  }
  argyle_user_cursor_free(cursor);
  if (error != NULL) return failed("iterating over users", error);
  printf("  %lu users, %lu with metadata\n", users, with_metadata);
  return 0;
}

static int create_token(argyle_client *client, const char *id) {
  argyle_error *error;
  json_t *tokens = argyle_user_token_create(client, id, &error), *claims;

  if (tokens == NULL) return failed("creating a user token", error);
  show_credential("access", tokens, "access");
  claims = argyle_token_claims(json_string_value(json_object_get(tokens, "access")), &error);
  json_decref(tokens);
  if (claims == NULL) return failed("reading the token", error);
  show("user_id", claims, "user_id");
  show_time("issued", claims, "iat");
  show_time("expires", claims, "exp");
  json_decref(claims);
  return 0;
}

static int delete_user(argyle_client *client, const char *id) {
  argyle_error *error;

  if (argyle_user_delete(client, id, &error) != 0) return failed("deleting a user", error);
  printf("  %-12s \"%s\"\n", "deleted", id);
  return 0;
}

/* Checks for an expected error by its code, never by its text. */
static int expect_absent(argyle_client *client, const char *id) {
  argyle_error *error;
  json_t *user = argyle_user_get(client, id, &error);

  if (user != NULL) {
    fprintf(stderr, "users: the deleted user is still there\n");
    json_decref(user);
    return -1;
  }
  if (argyle_error_code(error) != ARGYLE_ERROR_NOT_FOUND) return failed("retrieving the deleted user", error);
  printf("  %-12s %s\n", argyle_error_name(error), argyle_error_message(error));
  argyle_error_free(error);
  return 0;
}

/* Returns a client of API v2 that shares the connections, or NULL. */
static argyle_client *create_client_of_version_2(argyle_client *client) {
  argyle_error *error;
  json_t *changes = json_pack("{s:i}", "api_version", 2);
  argyle_client *changed = argyle_client_with(client, changes, &error);

  json_decref(changes);
  if (changed == NULL) failed("creating a client of version 2", error);
  return changed;
}

static int create_with_fields(argyle_client *client, json_t **user) {
  argyle_error *error;
  json_t *fields = json_pack("{s:s, s:s, s:{s:i, s:i, s:i}}", "external_id", "example-1", "first_name", "Ada",
                             "birth_date", "year", 1990, "month", 1, "day", 13);

  *user = argyle_user_create_with_fields(client, fields, &error);
  json_decref(fields);
  if (*user == NULL) return failed("creating a user with fields", error);
  show("id", *user, "id");
  show_credential("user_token", *user, "user_token");
  return 0;
}

static int find(argyle_client *client, const char *external_id) {
  argyle_error *error;
  json_t *query = json_pack("{s:s}", "external_id", external_id);
  json_t *page = argyle_user_list(client, query, &error);
  const json_t *user;
  size_t index;

  json_decref(query);
  if (page == NULL) return failed("finding users", error);
  json_array_foreach(json_object_get(page, "results"), index, user) {
    show("user", user, "id");
    show("first_name", user, "first_name");
    show("birth_date", user, "birth_date");
  }
  json_decref(page);
  return 0;
}

static int update_fields(argyle_client *client, const char *id) {
  argyle_error *error;
  json_t *fields = json_pack("{s:s, s:n}", "first_name", "Augusta", "birth_date");
  json_t *user = argyle_user_update_with_fields(client, id, fields, &error);

  json_decref(fields);
  if (user == NULL) return failed("updating fields", error);
  show("first_name", user, "first_name");
  show("birth_date", user, "birth_date");
  json_decref(user);
  return 0;
}

static int run_version_2(argyle_client *client, json_t **user) {
  heading("With API v2, create a user with fields: argyle_user_create_with_fields");
  if (create_with_fields(client, user) != 0) return -1;

  heading("Find users by external id");
  if (find(client, "example-1") != 0) return -1;

  heading("Replace one field and clear another: argyle_user_update_with_fields");
  return update_fields(client, id_of(*user));
}

/* Deletes the remaining users, even after a failure. */
static int clean_up(argyle_client *client, json_t *users[USERS]) {
  int i, result = 0;

  for (i = 0; i < USERS; i++) {
    if (users[i] != NULL && delete_user(client, id_of(users[i])) != 0) result = -1;
    json_decref(users[i]);
    users[i] = NULL;
  }
  return result;
}

static int run(argyle_client *client, json_t *users[USERS]) {
  json_t *metadata = json_pack("{s:s}", "group", "A");
  argyle_client *changed;
  int result;

  heading("Create a user with metadata: argyle_user_create");
  result = create(client, metadata, &users[0]);
  json_decref(metadata);
  if (result != 0) return -1;

  heading("Create two more without");
  if (create(client, NULL, &users[1]) != 0 || create(client, NULL, &users[2]) != 0) return -1;

  heading("Retrieve the first: argyle_user_get");
  if (retrieve(client, id_of(users[0])) != 0) return -1;

  heading("Replace its metadata: argyle_user_update");
  if (update(client, id_of(users[0])) != 0) return -1;

  heading("List the two oldest: argyle_user_list");
  if (list(client) != 0) return -1;

  heading("Iterate over all users: argyle_user_cursor_next");
  if (iterate(client) != 0) return -1;

  heading("Create a token for the first: argyle_user_token_create, argyle_token_claims");
  if (create_token(client, id_of(users[0])) != 0) return -1;

  heading("Delete the first and retrieve it: argyle_user_delete");
  if (delete_user(client, id_of(users[0])) != 0) return -1;
  result = expect_absent(client, id_of(users[0]));
  json_decref(users[0]);
  users[0] = NULL;
  if (result != 0) return -1;

  changed = create_client_of_version_2(client);
  if (changed == NULL) return -1;
  result = run_version_2(changed, &users[3]);
  argyle_client_free(changed);
  return result;
}

/* Opens /dev/null for closed standard descriptors: a socket in their place would receive the output. */
static int fill_standard_descriptors(void) {
  int number;

  for (number = 0; number <= 2; number++) {
    /* open() returns the lowest free number, which is this one. */
    if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return -1;
  }
  return 0;
}

int main(void) {
  json_t *users[USERS] = {NULL};
  argyle_client *client;
  int result;

  if (fill_standard_descriptors() != 0) return EXIT_FAILURE;
  printf("libargyle %s\n", argyle_version());
  client = create_client();
  if (client == NULL) return EXIT_FAILURE;
  result = run(client, users);
  heading("Clean up");
  if (clean_up(client, users) != 0) result = -1;
  argyle_client_free(client);
  return result == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
