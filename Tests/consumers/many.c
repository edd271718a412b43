/*
 * Makes many calls to a server over TLS and counts their results: creates users with the metadata {"number": 0},
 * {"number": 1} and so on, gets each, and deletes each.
 *
 *   many CA_FILE COUNT IN_FLIGHT STEP...
 *
 * CA_FILE has the certificate authorities to trust. A STEP is create, get or delete; the first must be create, and the
 * others apply to the created users. Up to IN_FLIGHT calls are in flight in a queue; with 0 there is no queue, and each
 * call blocks.
 *
 * ARGYLE_BASE_URL, ARGYLE_KEY_ID and ARGYLE_KEY_SECRET name the server. For each step a line of JSON is printed:
 * the step, the number of calls ("calls"), of calls with exactly one result ("once"), of successes ("succeeded"), of
 * attempts ("attempts"), and of failures by the error's name ("failed"); the numbers of the users whose failed calls
 * the service may have carried out ("unknown"); and after create an object of the ids by user number ("ids") and the
 * number of different ids ("distinct"). It exits with 1 if it could not do all that, but not because a call failed.
 */
#include <argyle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *name;
  int operation;
} step;

static const step steps[] = {
    {"create", ARGYLE_OPERATION_USER_CREATE},
    {"get", ARGYLE_OPERATION_USER_GET},
    {"delete", ARGYLE_OPERATION_USER_DELETE},
};

/* A user, which is the tag of its call. */
typedef struct {
  char id[64]; /* empty if none was created */
  int results; /* number of results in this step */
} user;

/* The report of a step. */
typedef struct {
  size_t calls, succeeded, attempts;
  json_t *failed, *unknown;
} account;

static argyle_client *client;
static argyle_queue *queue;
static user *users;
static size_t count;

static void require(int condition, const char *what, const argyle_error *error) {
  if (condition) return;
  fprintf(stderr, "many: %s%s%s\n", what, error != NULL ? ": " : "", argyle_error_message(error));
  exit(EXIT_FAILURE);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);

  require(value != NULL, name, NULL);
  return value;
}

static void connect_client(const char *ca_file) {
  argyle_error *error;
  json_t *options = json_pack("{s:s, s:s, s:s, s:s}", "key_id", variable("ARGYLE_KEY_ID"), "key_secret",
                              variable("ARGYLE_KEY_SECRET"), "base_url", variable("ARGYLE_BASE_URL"), "ca_file",
                              ca_file);

  require(options != NULL, "the options are not UTF-8", NULL);
  client = argyle_client_new(options, &error);
  json_decref(options);
  require(client != NULL, "no client", error);
}

static void make_queue(long in_flight) {
  argyle_error *error;
  json_t *options = json_pack("{s:I}", "max_in_flight", (json_int_t)in_flight);

  queue = argyle_queue_new(options, &error);
  json_decref(options);
  require(queue != NULL, "no queue", error);
}

/* Creates the call of a step for a user. */
static argyle_call *make_call(int operation, const user *user) {
  argyle_error *error;
  argyle_call *call;
  char metadata[40];
  int size = sprintf(metadata, "{\"number\": %lu}", (unsigned long)(user - users));

  if (operation == ARGYLE_OPERATION_USER_CREATE)
    call = argyle_call_new_text(client, operation, NULL, metadata, (size_t)size, &error);
  else
    call = argyle_call_new(client, operation, user->id, NULL, &error);
  require(call != NULL, "no call", error);
  return call;
}

static void note_success(account *account, int operation, argyle_call *call, user *user) {
  argyle_error *error;
  json_t *answer = argyle_call_json(call, &error);

  account->succeeded++;
  require(error == NULL, "an answer cannot be read", error);
  if (operation == ARGYLE_OPERATION_USER_CREATE) {
    const char *id = json_string_value(json_object_get(answer, "id"));

    require(id != NULL && strlen(id) < sizeof user->id, "an id is longer than any", NULL);
    strcpy(user->id, id);
  }
  json_decref(answer);
}

static void note_failure(account *account, const argyle_error *error, const user *user) {
  const char *name = argyle_error_name(error);
  json_int_t before = json_integer_value(json_object_get(account->failed, name));

  if (before == 0) fprintf(stderr, "many: %s: %s\n", name, argyle_error_message(error));
  json_object_set_new(account->failed, name, json_integer(before + 1));
  if (argyle_error_outcome_is_unknown(error))
    json_array_append_new(account->unknown, json_integer((json_int_t)(user - users)));
}

/* Counts a completed call and frees it. */
static void note(account *account, int operation, argyle_call *call, user *user) {
  const argyle_error *error = argyle_call_error(call);

  user->results++;
  account->attempts += (size_t)argyle_call_attempts(call);
  if (error == NULL)
    note_success(account, operation, call, user);
  else
    note_failure(account, error, user);
  argyle_call_free(call);
}

static void run_in_queue(account *account, int operation) {
  argyle_error *error;
  argyle_call *call;
  void *tag;
  size_t i;
  int ready;

  for (i = 0; i < count; i++) {
    users[i].results = 0;
    if (operation != ARGYLE_OPERATION_USER_CREATE && users[i].id[0] == '\0') continue;
    account->calls++;
    call = make_call(operation, &users[i]);
    require(argyle_queue_submit(queue, call, &users[i], &error) == 0, "a call was not taken", error);
  }
  while ((ready = argyle_queue_wait(queue, -1, &error)) > 0)
    while ((call = argyle_queue_next(queue, &tag, &error)) != NULL) note(account, operation, call, tag);
  require(ready == 0, "the queue failed", error);
  require(argyle_queue_count(queue) == 0, "calls are left in the queue", NULL);
}

static void run_alone(account *account, int operation) {
  argyle_call *call;
  size_t i;

  for (i = 0; i < count; i++) {
    users[i].results = 0;
    if (operation != ARGYLE_OPERATION_USER_CREATE && users[i].id[0] == '\0') continue;
    account->calls++;
    call = make_call(operation, &users[i]);
    argyle_call_run(call, NULL);
    note(account, operation, call, &users[i]);
  }
}

static json_t *make_ids(void) {
  json_t *ids = json_object();
  char number[24];
  size_t i;

  for (i = 0; i < count; i++) {
    if (users[i].id[0] == '\0') continue;
    sprintf(number, "%lu", (unsigned long)i);
    json_object_set_new(ids, number, json_string(users[i].id));
  }
  return ids;
}

static size_t count_distinct(json_t *ids) {
  json_t *set = json_object(), *id;
  const char *number;
  size_t distinct;

  json_object_foreach(ids, number, id) json_object_set(set, json_string_value(id), id);
  distinct = json_object_size(set);
  json_decref(set);
  return distinct;
}

static void run(const step *step) {
  account account = {0, 0, 0, NULL, NULL};
  json_t *report;
  size_t i, once = 0;

  account.failed = json_object();
  account.unknown = json_array();
  if (queue != NULL)
    run_in_queue(&account, step->operation);
  else
    run_alone(&account, step->operation);
  for (i = 0; i < count; i++)
    if (users[i].results == 1) once++;
  report = json_pack("{s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "step", step->name, "calls", (json_int_t)account.calls,
                     "once", (json_int_t)once, "succeeded", (json_int_t)account.succeeded, "attempts",
                     (json_int_t)account.attempts, "failed", account.failed, "unknown", account.unknown);
  require(report != NULL, "memory ran out", NULL);
  if (step->operation == ARGYLE_OPERATION_USER_CREATE) {
    json_t *ids = make_ids();

    json_object_set_new(report, "distinct", json_integer((json_int_t)count_distinct(ids)));
    json_object_set_new(report, "ids", ids);
  }
  require(json_dumpf(report, stdout, JSON_COMPACT) == 0, "no output", NULL);
  putchar('\n');
  fflush(stdout);
  json_decref(report);
}

static const step *find_step(const char *name) {
  size_t i;

  for (i = 0; i < sizeof steps / sizeof steps[0]; i++)
    if (strcmp(name, steps[i].name) == 0) return &steps[i];
  require(0, "there is no such step", NULL);
  return NULL;
}

int main(int argc, char **argv) {
  long in_flight;
  int i;

  require(argc >= 5, "usage: many CA_FILE COUNT IN_FLIGHT STEP...", NULL);
  count = strtoul(argv[2], NULL, 10);
  in_flight = strtol(argv[3], NULL, 10);
  users = calloc(count, sizeof *users);
  require(users != NULL, "COUNT is none", NULL);
  connect_client(argv[1]);
  if (in_flight > 0) make_queue(in_flight);
  for (i = 4; i < argc; i++) run(find_step(argv[i]));
  argyle_queue_free(queue);
  argyle_client_free(client);
  free(users);
  return EXIT_SUCCESS;
}
