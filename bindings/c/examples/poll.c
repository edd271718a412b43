/*
 * Many calls at once, without threads, in a poll(2) loop: creates some users, retrieves and deletes each, while the
 * same loop reads standard input.
 *
 *   cc poll.c $(pkg-config --cflags --libs argyle) -o poll
 *
 * Enter shows the progress. The API key comes from ARGYLE_KEY_ID and ARGYLE_KEY_SECRET. ARGYLE_BASE_URL is the server,
 * such as a local argyle-sandbox; without it the program uses Argyle's own sandbox, never production. It leaves no
 * users behind that it knows of.
 */
#define _POSIX_C_SOURCE 200809L
#include <argyle.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Number of users to create, and maximum number of calls in flight. */
#define USERS 20
#define IN_FLIGHT 8

/* The steps of each user, one call each. The user is its call's tag. */
enum { CREATE, RETRIEVE, DELETE, STEPS };
static const struct {
  int operation;
  const char *doing, *done;
} steps[STEPS] = {{ARGYLE_OPERATION_USER_CREATE, "creating a user", "created"},
                  {ARGYLE_OPERATION_USER_GET, "retrieving a user", "retrieved"},
                  {ARGYLE_OPERATION_USER_DELETE, "deleting a user", "deleted"}};

struct user {
  int number;
  int step;
  char id[256];
};

static unsigned counts[STEPS], failures;

static int failed(const char *what, const argyle_error *error) {
  fprintf(stderr, "poll: %s failed: %s [%s]\n", what, argyle_error_message(error), argyle_error_name(error));
  failures++;
  return -1;
}

static int failed_and_free(const char *what, argyle_error *error) {
  failed(what, error);
  argyle_error_free(error);
  return -1;
}

static argyle_client *create_client(void) {
  const char *key_id = getenv("ARGYLE_KEY_ID"), *key_secret = getenv("ARGYLE_KEY_SECRET");
  const char *base_url = getenv("ARGYLE_BASE_URL");
  argyle_client *client;
  argyle_error *error;
  json_t *options;

  if (key_id == NULL || key_secret == NULL) {
    fprintf(stderr, "poll: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key\n");
    return NULL;
  }
  options = json_pack("{s:s, s:s, s:s}", "key_id", key_id, "key_secret", key_secret,
                      base_url != NULL ? "base_url" : "environment", base_url != NULL ? base_url : "sandbox");
  client = argyle_client_new(options, &error);
  json_decref(options);
  if (client == NULL) failed_and_free("creating a client", error);
  return client;
}

/* Submits the call for a user's step; it is sent when the queue is driven. */
static int submit(argyle_queue *queue, argyle_client *client, struct user *user) {
  json_t *metadata = user->step == CREATE ? json_pack("{s:i}", "number", user->number) : NULL;
  const char *id = user->step == CREATE ? NULL : user->id;
  argyle_error *error;
  argyle_call *call = argyle_call_new(client, steps[user->step].operation, id, metadata, &error);

  json_decref(metadata);
  if (call == NULL) return failed_and_free("creating a call", error);
  if (argyle_queue_submit(queue, call, user, &error) == 0) return 0;
  argyle_call_free(call);
  return failed_and_free("submitting a call", error);
}

/* Stores the id of a created user. */
static int store_id(argyle_call *call, struct user *user) {
  argyle_error *error;
  json_t *created = argyle_call_json(call, &error);
  const char *id;

  if (created == NULL) return failed_and_free("reading a user", error);
  id = json_string_value(json_object_get(created, "id"));
  snprintf(user->id, sizeof user->id, "%s", id);
  json_decref(created);
  return 0;
}

/* Handles a finished call and submits the user's next one. */
static void advance(argyle_queue *queue, argyle_client *client, argyle_call *call, struct user *user) {
  const argyle_error *error = argyle_call_error(call);

  if (error == NULL) {
    if (user->step == CREATE && store_id(call, user) != 0) return;
    counts[user->step]++;
    printf("user %2d %-9s in %ld ms\n", user->number, steps[user->step].done,
           (long)(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) / 1000));
  } else {
    failed(steps[user->step].doing, error);
    /* A user that could not be retrieved is still deleted. */
    if (user->step != RETRIEVE) return;
  }
  if (++user->step < STEPS) submit(queue, client, user);
}

/* Drives the queue and takes the finished calls. */
static int collect(argyle_queue *queue, argyle_client *client) {
  argyle_error *error;
  argyle_call *call;
  void *tag;

  if (argyle_queue_drive(queue, &error) < 0) return failed_and_free("driving the queue", error);
  while ((call = argyle_queue_next(queue, &tag, &error)) != NULL) {
    advance(queue, client, call, tag);
    argyle_call_free(call);
  }
  return error == NULL ? 0 : failed_and_free("taking a call", error);
}

/* Reads a line from standard input and shows the progress; -1 at its end. */
static int read_input(argyle_queue *queue) {
  char text[256];

  if (read(STDIN_FILENO, text, sizeof text) <= 0) return -1;
  printf("%u created, %u retrieved, %u deleted, %lu calls to go\n", counts[CREATE], counts[RETRIEVE],
         counts[DELETE], (unsigned long)argyle_queue_count(queue));
  return 0;
}

static int loop(argyle_queue *queue, argyle_client *client) {
  argyle_error *error;
  struct pollfd descriptors[2];

  memset(descriptors, 0, sizeof descriptors);
  descriptors[0].fd = argyle_queue_fd(queue, &error);
  descriptors[0].events = POLLIN;
  descriptors[1].fd = STDIN_FILENO;
  descriptors[1].events = POLLIN;
  if (descriptors[0].fd < 0) return failed_and_free("getting the descriptor", error);
  while (argyle_queue_count(queue) > 0) {
    /* No timeout is needed: the queue's descriptor also becomes readable when a call's timeout expires. */
    if (poll(descriptors, 2, -1) < 0) {
      if (errno == EINTR) continue;
      perror("poll: poll");
      return -1;
    }
    if (descriptors[0].revents != 0 && collect(queue, client) != 0) return -1;
    /* poll() ignores negative descriptors. */
    if (descriptors[1].revents != 0 && read_input(queue) != 0) descriptors[1].fd = -1;
  }
  return 0;
}

static int run(argyle_client *client) {
  static struct user users[USERS];
  json_t *options = json_pack("{s:i}", "max_in_flight", IN_FLIGHT);
  argyle_error *error;
  argyle_queue *queue = argyle_queue_new(options, &error);
  int i, result;

  json_decref(options);
  if (queue == NULL) return failed_and_free("creating a queue", error);
  for (i = 0; i < USERS; i++) {
    users[i].number = i + 1;
    submit(queue, client, &users[i]);
  }
  result = loop(queue, client);
  argyle_queue_free(queue);
  printf("%u users created, %u retrieved, %u deleted, %u failures\n", counts[CREATE], counts[RETRIEVE],
         counts[DELETE], failures);
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
  argyle_client *client;
  int result;

  if (fill_standard_descriptors() != 0) return EXIT_FAILURE;
  client = create_client();
  if (client == NULL) return EXIT_FAILURE;
  result = run(client);
  argyle_client_free(client);
  return result == 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
