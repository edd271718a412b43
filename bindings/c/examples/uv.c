/*
 * Many calls at once in a libuv loop: creates some users, retrieves and deletes each, next to a timer of the program's
 * own.
 *
 *   cc uv.c $(pkg-config --cflags --libs argyle libuv) -o uv
 *
 * The API key comes from ARGYLE_KEY_ID and ARGYLE_KEY_SECRET. ARGYLE_BASE_URL is the server, such as a local
 * argyle-sandbox; without it the program uses Argyle's own sandbox, never production. It leaves no users behind that it
 * knows of.
 */
#define _POSIX_C_SOURCE 200809L
#include <argyle.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/* Number of users to create, maximum number of calls in flight, and interval of the progress timer. */
#define USERS 20
#define IN_FLIGHT 8
#define INTERVAL_MS 100

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

/* The program's state, which the handles' data points to. */
struct program {
  argyle_client *client;
  argyle_queue *queue;
  uv_poll_t poll;
  uv_timer_t timer;
  struct user users[USERS];
  unsigned counts[STEPS], failures;
};

static void failed(struct program *program, const char *what, const argyle_error *error) {
  fprintf(stderr, "uv: %s failed: %s [%s]\n", what, argyle_error_message(error), argyle_error_name(error));
  program->failures++;
}

static int failed_and_free(struct program *program, const char *what, argyle_error *error) {
  failed(program, what, error);
  argyle_error_free(error);
  return -1;
}

/* Reports and counts a failure of libuv; returns -1 if there is one. */
static int check(struct program *program, const char *what, int status) {
  if (status == 0) return 0;
  fprintf(stderr, "uv: %s failed: %s\n", what, uv_strerror(status));
  program->failures++;
  return -1;
}

static int create_client(struct program *program) {
  const char *key_id = getenv("ARGYLE_KEY_ID"), *key_secret = getenv("ARGYLE_KEY_SECRET");
  const char *base_url = getenv("ARGYLE_BASE_URL");
  argyle_error *error;
  json_t *options;

  if (key_id == NULL || key_secret == NULL) {
    fprintf(stderr, "uv: set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key\n");
    return -1;
  }
  options = json_pack("{s:s, s:s, s:s}", "key_id", key_id, "key_secret", key_secret,
                      base_url != NULL ? "base_url" : "environment", base_url != NULL ? base_url : "sandbox");
  program->client = argyle_client_new(options, &error);
  json_decref(options);
  return program->client != NULL ? 0 : failed_and_free(program, "creating a client", error);
}

static int create_queue(struct program *program) {
  json_t *options = json_pack("{s:i}", "max_in_flight", IN_FLIGHT);
  argyle_error *error;

  program->queue = argyle_queue_new(options, &error);
  json_decref(options);
  return program->queue != NULL ? 0 : failed_and_free(program, "creating a queue", error);
}

/* Submits the call for a user's step; it is sent when the queue is driven. */
static void submit(struct program *program, struct user *user) {
  json_t *metadata = user->step == CREATE ? json_pack("{s:i}", "number", user->number) : NULL;
  const char *id = user->step == CREATE ? NULL : user->id;
  argyle_error *error;
  argyle_call *call = argyle_call_new(program->client, steps[user->step].operation, id, metadata, &error);

  json_decref(metadata);
  if (call == NULL) {
    failed_and_free(program, "creating a call", error);
  } else if (argyle_queue_submit(program->queue, call, user, &error) != 0) {
    argyle_call_free(call);
    failed_and_free(program, "submitting a call", error);
  }
}

/* Stores the id of a created user. */
static int store_id(struct program *program, argyle_call *call, struct user *user) {
  argyle_error *error;
  json_t *created = argyle_call_json(call, &error);

  if (created == NULL) return failed_and_free(program, "reading a user", error);
  snprintf(user->id, sizeof user->id, "%s", json_string_value(json_object_get(created, "id")));
  json_decref(created);
  return 0;
}

/* Handles a finished call and submits the user's next one. */
static void advance(struct program *program, argyle_call *call, struct user *user) {
  const argyle_error *error = argyle_call_error(call);

  if (error == NULL) {
    if (user->step == CREATE && store_id(program, call, user) != 0) return;
    program->counts[user->step]++;
    printf("user %2d %s\n", user->number, steps[user->step].done);
  } else {
    failed(program, steps[user->step].doing, error);
    /* A user that could not be retrieved is still deleted. */
    if (user->step != RETRIEVE) return;
  }
  if (++user->step < STEPS) submit(program, user);
}

/* Closes the handles, so that uv_run() returns. */
static void stop(struct program *program) {
  if (!uv_is_closing((uv_handle_t *)&program->poll)) uv_close((uv_handle_t *)&program->poll, NULL);
  if (!uv_is_closing((uv_handle_t *)&program->timer)) uv_close((uv_handle_t *)&program->timer, NULL);
}

/* The queue's descriptor is readable: there is work to do, or a call is finished. */
static void on_readable(uv_poll_t *handle, int status, int events) {
  struct program *program = handle->data;
  argyle_error *error = NULL;
  argyle_call *call;
  void *tag;

  (void)events;
  if (check(program, "watching the queue", status) != 0) {
    stop(program);
    return;
  }
  if (argyle_queue_drive(program->queue, &error) < 0) {
    failed_and_free(program, "driving the queue", error);
    stop(program);
    return;
  }
  while ((call = argyle_queue_next(program->queue, &tag, &error)) != NULL) {
    advance(program, call, tag);
    argyle_call_free(call);
  }
  if (error != NULL) failed_and_free(program, "taking a call", error);
  if (error != NULL || argyle_queue_count(program->queue) == 0) stop(program);
}

static void on_timer(uv_timer_t *handle) {
  struct program *program = handle->data;

  printf("%u created, %u retrieved, %u deleted, %lu calls to go\n", program->counts[CREATE],
         program->counts[RETRIEVE], program->counts[DELETE], (unsigned long)argyle_queue_count(program->queue));
}

/* Watches the queue's descriptor and starts the timer. */
static int start(struct program *program, uv_loop_t *loop) {
  argyle_error *error;
  int descriptor = argyle_queue_fd(program->queue, &error);

  if (descriptor < 0) return failed_and_free(program, "getting the descriptor", error);
  if (check(program, "creating a timer", uv_timer_init(loop, &program->timer)) != 0) return -1;
  program->timer.data = program;
  if (check(program, "creating a watcher", uv_poll_init(loop, &program->poll, descriptor)) != 0) {
    uv_close((uv_handle_t *)&program->timer, NULL);
    return -1;
  }
  program->poll.data = program;
  if (check(program, "watching", uv_poll_start(&program->poll, UV_READABLE, on_readable)) != 0 ||
      check(program, "starting the timer",
            uv_timer_start(&program->timer, on_timer, INTERVAL_MS, INTERVAL_MS)) != 0) {
    stop(program);
    return -1;
  }
  return 0;
}

static void run(struct program *program) {
  uv_loop_t loop;
  int i;

  if (check(program, "creating a loop", uv_loop_init(&loop)) != 0) return;
  for (i = 0; i < USERS; i++) {
    program->users[i].number = i + 1;
    submit(program, &program->users[i]);
  }
  /* After a failure the loop only closes the handles. */
  if (argyle_queue_count(program->queue) > 0) start(program, &loop);
  uv_run(&loop, UV_RUN_DEFAULT);
  check(program, "closing the loop", uv_loop_close(&loop));
  printf("%u users created, %u retrieved, %u deleted, %u failures\n", program->counts[CREATE],
         program->counts[RETRIEVE], program->counts[DELETE], program->failures);
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
  static struct program program;
  int result;

  if (fill_standard_descriptors() != 0) return EXIT_FAILURE;
  result = create_client(&program);
  if (result == 0 && (result = create_queue(&program)) == 0) run(&program);
  /* The watcher is closed by now: freeing the queue closes its descriptor. */
  argyle_queue_free(program.queue);
  argyle_client_free(program.client);
  return result == 0 && program.failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
