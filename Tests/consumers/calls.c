/*
 * Makes calls to a server over TLS, one after the other, and reports each in full.
 *
 *   calls CA_FILE MAX_RETRIES STEP...
 *
 * CA_FILE has the certificate authorities to trust. A STEP is create, get, update or delete, as a blocking call, or
 * with the prefix "queue:" as a call in a queue that lives as long as the program; create:SIZE creates a user with
 * metadata of that size.
 *
 * ARGYLE_BASE_URL, ARGYLE_KEY_ID and ARGYLE_KEY_SECRET name the server, and ARGYLE_PROXY an optional proxy. For each
 * step a line of JSON is printed: the error's name ("error", empty if there is none) and message ("message"), the
 * status ("status"), the number of attempts ("attempts"), whether the call is retryable ("retryable"), and whether its
 * outcome is unknown ("unknown").
 */
#include <argyle.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static argyle_client *client;
static argyle_queue *queue;

static void require(int condition, const char *what, const argyle_error *error) {
  if (condition) return;
  fprintf(stderr, "calls: %s%s%s\n", what, error != NULL ? ": " : "", argyle_error_message(error));
  exit(EXIT_FAILURE);
}

static const char *variable(const char *name) {
  const char *value = getenv(name);

  require(value != NULL, name, NULL);
  return value;
}

static void connect_client(const char *ca_file, long max_retries) {
  argyle_error *error;
  json_t *options = json_pack("{s:s, s:s, s:s, s:s, s:I}", "key_id", variable("ARGYLE_KEY_ID"), "key_secret",
                              variable("ARGYLE_KEY_SECRET"), "base_url", variable("ARGYLE_BASE_URL"), "ca_file",
                              ca_file, "max_retries", (json_int_t)max_retries);

  require(options != NULL, "the options are not UTF-8", NULL);
  if (getenv("ARGYLE_PROXY") != NULL) json_object_set_new(options, "proxy", json_string(getenv("ARGYLE_PROXY")));
  client = argyle_client_new(options, &error);
  json_decref(options);
  require(client != NULL, "no client", error);
}

/* A JSON string of `size` bytes, quotes included. */
static char *make_metadata(size_t size) {
  char *text = malloc(size + 1);

  require(text != NULL, "memory ran out", NULL);
  memset(text, 'x', size);
  text[0] = text[size - 1] = '"';
  text[size] = '\0';
  return text;
}

static argyle_call *make_call(const char *step) {
  argyle_error *error = NULL;
  argyle_call *call = NULL;

  if (strcmp(step, "create") == 0) {
    call = argyle_call_new(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, &error);
  } else if (strncmp(step, "create:", 7) == 0) {
    char *metadata = make_metadata((size_t)atol(step + 7));

    call = argyle_call_new_text(client, ARGYLE_OPERATION_USER_CREATE, NULL, metadata, strlen(metadata), &error);
    free(metadata);
  } else if (strcmp(step, "get") == 0) {
    call = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, "u1", NULL, &error);
  } else if (strcmp(step, "update") == 0) {
    call = argyle_call_new_text(client, ARGYLE_OPERATION_USER_UPDATE, "u1", "{}", 2, &error);
  } else if (strcmp(step, "delete") == 0) {
    call = argyle_call_new(client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL, &error);
  } else {
    require(0, "there is no such step", NULL);
  }
  require(call != NULL, "no call", error);
  return call;
}

static void run(const char *step) {
  static const char by_queue[] = "queue:";
  argyle_error *error = NULL;
  const argyle_error *failure;
  argyle_call *call;
  json_t *answer, *report;

  if (strncmp(step, by_queue, strlen(by_queue)) == 0) {
    call = make_call(step + strlen(by_queue));
    if (queue == NULL) queue = argyle_queue_new(NULL, &error);
    require(queue != NULL, "no queue", error);
    require(argyle_queue_submit(queue, call, NULL, &error) == 0, "the call was not taken", error);
    require(argyle_queue_wait(queue, -1, &error) == 1, "the queue failed", error);
    call = argyle_queue_next(queue, NULL, &error);
    require(call != NULL, "no call came back", error);
  } else {
    call = make_call(step);
    argyle_call_run(call, NULL);
  }
  answer = argyle_call_json(call, &error);
  failure = argyle_call_error(call) != NULL ? argyle_call_error(call) : error;
  report = json_pack("{s:s, s:s, s:i, s:i, s:b, s:b}", "error", failure != NULL ? argyle_error_name(failure) : "",
                     "message", failure != NULL ? argyle_error_message(failure) : "", "status",
                     argyle_call_http_status(call), "attempts", argyle_call_attempts(call), "retryable",
                     argyle_error_is_retryable(failure), "unknown", argyle_error_outcome_is_unknown(failure));
  require(report != NULL, "memory ran out", NULL);
  require(json_dumpf(report, stdout, JSON_COMPACT) == 0, "no output", NULL);
  putchar('\n');
  fflush(stdout);
  json_decref(report);
  json_decref(answer);
  argyle_error_free(error);
  argyle_call_free(call);
}

int main(int argc, char **argv) {
  int i;

  require(argc >= 4, "usage: calls CA_FILE MAX_RETRIES STEP...", NULL);
  connect_client(argv[1], atol(argv[2]));
  for (i = 3; i < argc; i++) run(argv[i]);
  argyle_queue_free(queue);
  argyle_client_free(client);
  return EXIT_SUCCESS;
}
