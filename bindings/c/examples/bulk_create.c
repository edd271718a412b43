/*
 * Creates a user for each line of a file, many at once, and resumes where it stopped.
 *
 *   cc bulk_create.c $(pkg-config --cflags --libs argyle) -o bulk_create
 *   ./bulk_create [-j CALLS] [-r RATE] [-u] INPUT OUTPUT
 *
 *   -j CALLS  maximum number of calls in flight: 1 to 1000, default 50
 *   -r RATE   maximum number of requests per second; default: no limit
 *   -u        also retries lines whose outcome is unknown from an earlier run
 *
 * INPUT has a user's metadata on each line: any JSON value, of any length. It is sent unchanged. Blank lines are
 * skipped. OUTPUT gets a line of JSON for each as soon as it is finished, in any order:
 *
 *   {"line": 1, "id": "...", "token": "..."}
 *   {"line": 2, "error": "server", "outcome_unknown": true}
 *
 * Tokens are credentials: OUTPUT is created so that only its owner can read it. If it exists, the lines of INPUT that
 * have an id in it are skipped, and those that failed are retried, unless the service may have created the user anyway:
 * check with the service, and then either add a line with the user's id or use -u. If the program is killed, only the
 * calls in flight are lost: at most CALLS users whose ids are unknown.
 *
 * SIGINT, SIGTERM and SIGHUP end it once the calls in flight are finished; a second signal cancels those.
 *
 * The exit status is 0 if every line has its user, 1 if some failed or were not tried, and 2 if the usage was wrong or
 * a file could not be read or written. The program stops when the API key is not accepted, and after 1000 consecutive
 * failures.
 *
 * Memory: a byte for each line of INPUT, and the lines of the calls in flight.
 *
 * The API key comes from ARGYLE_KEY_ID and ARGYLE_KEY_SECRET. ARGYLE_BASE_URL is the server, such as a local
 * argyle-sandbox; without it the program uses Argyle's own sandbox, never production.
 */
#define _XOPEN_SOURCE 700
#define _FILE_OFFSET_BITS 64
#include <argyle.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONSECUTIVE_FAILURES 1000
#define INTERVAL_MS 100
/* Width of the progress line on a terminal. */
#define WIDTH 76

enum { EXIT_ALL = 0, EXIT_SOME = 1, EXIT_BROKEN = 2 };

/* The state of a line of INPUT. */
enum { TO_DO, BLANK, CREATED, FAILED, UNKNOWN, STATES };

struct run {
  const char *input_name, *output_name;
  double rate;
  int calls, retry_unknown;

  FILE *input;
  int output;
  /* By line number, from 1 to lines. */
  unsigned char *states;
  size_t lines;
  /* The number of the last line read, and the buffer for the next. */
  size_t line;
  char *text;
  size_t capacity;

  argyle_client *client;
  argyle_queue *queue;
  size_t to_do, created, failed, consecutive_failures;
  /* Whether a call has finished; whether to submit no more; whether a file or the queue failed. */
  int begun, stopping, broken;

  int terminal, shown;
  struct timespec began, last_shown;
};

static volatile sig_atomic_t signals;

static void count_signal(int number) {
  (void)number;
  signals = signals + 1;
}

/* ---------------------------------------------------------------- Messages */

static void hide_progress(struct run *run) {
  if (run->shown) fprintf(stderr, "\r%*s\r", WIDTH, "");
  run->shown = 0;
}

static void say(struct run *run, const char *format, ...) {
  va_list arguments;

  hide_progress(run);
  fputs("bulk_create: ", stderr);
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  fputc('\n', stderr);
}

/* Reports an error that ends the program. */
static int say_and_free(struct run *run, const char *what, argyle_error *error) {
  say(run, "%s: %s [%s]", what, argyle_error_message(error), argyle_error_name(error));
  argyle_error_free(error);
  return -1;
}

static int file_failed(struct run *run, const char *name) {
  say(run, "%s: %s", name, strerror(errno));
  return -1;
}

static double seconds_between(struct timespec from, struct timespec to) {
  return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

static void show_progress(struct run *run) {
  struct timespec now;
  char text[WIDTH + 1];
  double seconds;

  if (!run->terminal) return;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (run->shown && seconds_between(run->last_shown, now) < INTERVAL_MS / 1e3) return;
  run->last_shown = now;
  seconds = seconds_between(run->began, now);
  snprintf(text, sizeof text, "%lu of %lu, %.0f a second, %lu failed", (unsigned long)(run->created + run->failed),
           (unsigned long)run->to_do, seconds > 0 ? (double)(run->created + run->failed) / seconds : 0.0,
           (unsigned long)run->failed);
  fprintf(stderr, "\r%-*s", WIDTH, text);
  fflush(stderr);
  run->shown = 1;
}

static void stop(struct run *run, const char *why) {
  unsigned long in_flight = (unsigned long)argyle_queue_count(run->queue);

  if (run->stopping) return;
  run->stopping = 1;
  say(run, "%s; %lu calls are still in flight", why, in_flight);
}

/* ---------------------------------------------------------------- OUTPUT */

/* Appends a line to OUTPUT, completely or not at all, and releases the entry. */
static int record(struct run *run, json_t *entry) {
  char *text = json_dumps(entry, 0);
  off_t end = lseek(run->output, 0, SEEK_END);
  size_t size = text != NULL ? strlen(text) : 0, written = 0;
  ssize_t result = 0;

  json_decref(entry);
  if (text == NULL) errno = ENOMEM;
  if (text == NULL || end < 0 || run->broken) {
    if (!run->broken) file_failed(run, run->output_name);
    free(text);
    run->broken = 1;
    return -1;
  }
  /* The newline replaces the terminating NUL. */
  text[size++] = '\n';
  while (written < size) {
    result = write(run->output, text + written, size - written);
    if (result > 0) written += (size_t)result;
    else if (result == 0 || errno != EINTR) break;
  }
  free(text);
  if (written == size) return 0;
  file_failed(run, run->output_name);
  if (written > 0 && ftruncate(run->output, end) != 0) file_failed(run, run->output_name);
  run->broken = 1;
  return -1;
}

/* Parses a line of OUTPUT: returns the state and stores the line of INPUT; -1 if it is not this program's. */
static int read_entry(const char *text, size_t size, size_t *line) {
  json_t *entry = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
  json_int_t number = json_integer_value(json_object_get(entry, "line"));
  const json_t *unknown = json_object_get(entry, "outcome_unknown");
  int state = -1;

  if (json_is_string(json_object_get(entry, "id"))) state = CREATED;
  else if (json_is_string(json_object_get(entry, "error")) && json_is_boolean(unknown))
    state = json_is_true(unknown) ? UNKNOWN : FAILED;
  json_decref(entry);
  if (number < 1 || (uintmax_t)number > SIZE_MAX) return -1;
  *line = (size_t)number;
  return state;
}

/* Whether this can be the start of an incomplete line. */
static int is_truncated(const char *text, size_t size) {
  static const char start[] = "{\"line\": ";
  size_t length = sizeof start - 1;

  return memcmp(text, start, size < length ? size : length) == 0;
}

/* Handles a line of OUTPUT that starts at `offset`. */
static int handle_entry(struct run *run, const char *text, size_t size, size_t number, off_t offset) {
  int whole = text[size - 1] == '\n', state;
  size_t line;

  state = read_entry(text, size, &line);
  if (state < 0 && !whole && is_truncated(text, size)) {
    say(run, "%s: the last line is incomplete and is removed; its call is made again", run->output_name);
    return ftruncate(run->output, offset) == 0 ? 0 : file_failed(run, run->output_name);
  }
  if (state < 0) {
    say(run, "%s: line %lu is not one of this program's; is it the right file?", run->output_name,
        (unsigned long)number);
    return -1;
  }
  if (line > run->lines || run->states[line] == BLANK) {
    say(run, "%s: line %lu is about line %lu of %s, which %s; is it another file, or has it changed?",
        run->output_name, (unsigned long)number, (unsigned long)line, run->input_name,
        line > run->lines ? "has fewer" : "is blank");
    return -1;
  }
  if (run->states[line] != CREATED) run->states[line] = (unsigned char)state;
  /* An editor may have removed the last newline. */
  return whole || write(run->output, "\n", 1) == 1 ? 0 : file_failed(run, run->output_name);
}

/* Reads the output of earlier runs. */
static int read_output(struct run *run) {
  int descriptor = dup(run->output), result = 0;
  FILE *stream = descriptor >= 0 ? fdopen(descriptor, "r") : NULL;
  size_t number = 0;
  off_t offset = 0;
  ssize_t size;

  if (stream == NULL) {
    if (descriptor >= 0) close(descriptor);
    return file_failed(run, run->output_name);
  }
  while (result == 0 && (size = getline(&run->text, &run->capacity, stream)) > 0) {
    result = handle_entry(run, run->text, (size_t)size, ++number, offset);
    offset += size;
  }
  if (result == 0 && !feof(stream)) result = file_failed(run, run->output_name);
  fclose(stream);
  return result;
}

/* Opens OUTPUT and locks it for this run. */
static int open_output(struct run *run) {
  struct stat input, output;

  run->output = open(run->output_name, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (run->output < 0 || fstat(run->output, &output) != 0) return file_failed(run, run->output_name);
  if (fstat(fileno(run->input), &input) != 0) return file_failed(run, run->input_name);
  if (!S_ISREG(output.st_mode) || (input.st_dev == output.st_dev && input.st_ino == output.st_ino)) {
    say(run, "%s: must be a regular file other than the input", run->output_name);
    return -1;
  }
  if (flock(run->output, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return file_failed(run, run->output_name);
    say(run, "%s: another run is writing to it", run->output_name);
    return -1;
  }
  if ((output.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    say(run, "%s: other users can open it, although it contains tokens", run->output_name);
  return 0;
}

/* ---------------------------------------------------------------- INPUT */

static int is_blank(const char *text, size_t size) {
  size_t i;

  for (i = 0; i < size; i++)
    if (strchr(" \t\r\n", text[i]) == NULL || text[i] == '\0') return 0;
  return 1;
}

/* Opens INPUT and counts its lines: OUTPUT refers to lines by number. */
static int open_input(struct run *run) {
  struct stat input;
  size_t capacity = 0;
  ssize_t size;

  run->input = fopen(run->input_name, "r");
  if (run->input == NULL || fstat(fileno(run->input), &input) != 0) return file_failed(run, run->input_name);
  if (!S_ISREG(input.st_mode)) {
    say(run, "%s: must be a regular file, because it is read twice", run->input_name);
    return -1;
  }
  while ((size = getline(&run->text, &run->capacity, run->input)) > 0) {
    if (++run->lines >= capacity) {
      size_t larger = capacity * 2 + 1024;
      unsigned char *states = realloc(run->states, larger);

      if (states == NULL) return file_failed(run, run->input_name);
      run->states = states;
      capacity = larger;
    }
    run->states[run->lines] = is_blank(run->text, (size_t)size) ? BLANK : TO_DO;
  }
  if (!feof(run->input) || fseeko(run->input, 0, SEEK_SET) != 0) return file_failed(run, run->input_name);
  return 0;
}

static int is_to_do(const struct run *run, size_t line) {
  int state = run->states[line];

  return state == TO_DO || state == FAILED || (state == UNKNOWN && run->retry_unknown);
}

/* Counts the lines to do, and reports those that only a person can decide on. */
static void count_lines(struct run *run) {
  size_t line, unknown = 0;

  for (line = 1; line <= run->lines; line++) {
    if (is_to_do(run, line)) run->to_do++;
    else if (run->states[line] == UNKNOWN) {
      unknown++;
      say(run, "line %lu: it is unknown whether an earlier run created its user", (unsigned long)line);
    }
  }
  if (unknown > 0) say(run, "look for these users at the service; -u creates them again");
}

/* ---------------------------------------------------------------- Calls */

/* Reports and records the failure of a line. The caller still owns the error. */
static void line_failed(struct run *run, size_t line, const argyle_error *error) {
  int code = argyle_error_code(error), unknown = argyle_error_outcome_is_unknown(error);

  /* A call cancelled before it was sent is left to the next run. */
  if (code == ARGYLE_ERROR_CANCELLED && !unknown) return;
  say(run, "line %lu: %s [%s%s]", (unsigned long)line, argyle_error_message(error), argyle_error_name(error),
      unknown ? ", outcome unknown" : "");
  run->failed++;
  /* A later failure does not resolve an outcome that was unknown before. */
  if (run->states[line] == UNKNOWN) unknown = 1;
  run->states[line] = unknown ? UNKNOWN : FAILED;
  if (record(run, json_pack("{s:I, s:s, s:b}", "line", (json_int_t)line, "error", argyle_error_name(error),
                            "outcome_unknown", unknown)) != 0)
    stop(run, "stopping: failures cannot be recorded");
  if (code == ARGYLE_ERROR_AUTHENTICATION || code == ARGYLE_ERROR_PERMISSION)
    stop(run, "stopping: the API key is not accepted");
}

/* Handles a finished call. */
static void handle_call(struct run *run, argyle_call *call, size_t line) {
  argyle_error *error;
  json_t *user = argyle_call_json(call, &error);
  const char *id = json_string_value(json_object_get(user, "id"));

  if (user == NULL) {
    line_failed(run, line, error);
    if (++run->consecutive_failures == MAX_CONSECUTIVE_FAILURES) stop(run, "stopping: too many consecutive failures");
    argyle_error_free(error);
  } else {
    run->created++;
    run->consecutive_failures = 0;
    run->states[line] = CREATED;
    if (record(run, json_pack("{s:I, s:O, s:O}", "line", (json_int_t)line, "id", json_object_get(user, "id"), "token",
                              json_object_get(user, "token"))) != 0) {
      say(run, "line %lu: user %s was created, but is not in %s", (unsigned long)line, id, run->output_name);
      stop(run, "stopping: users cannot be recorded");
    }
  }
  run->begun = 1;
  json_decref(user);
}

/* Reads the next line of INPUT and submits its call, if it is to do; -1 at the end. */
static int submit_line(struct run *run) {
  argyle_error *error;
  argyle_call *call;
  ssize_t size;

  if (run->line >= run->lines) return -1;
  size = getline(&run->text, &run->capacity, run->input);
  if (size <= 0) {
    if (ferror(run->input)) file_failed(run, run->input_name);
    else say(run, "%s: the file became shorter", run->input_name);
    run->broken = 1;
    return -1;
  }
  if (!is_to_do(run, ++run->line)) return 0;
  if (run->text[size - 1] == '\n') size--;
  call = argyle_call_new_text(run->client, ARGYLE_OPERATION_USER_CREATE, NULL, run->text, (size_t)size, &error);
  /* The line number is the call's tag. */
  if (call != NULL && argyle_queue_submit(run->queue, call, (void *)(uintptr_t)run->line, &error) == 0) return 0;
  line_failed(run, run->line, error);
  argyle_error_free(error);
  argyle_call_free(call);
  return 0;
}

/* Takes the finished calls. */
static int collect(struct run *run) {
  argyle_error *error;
  argyle_call *call;
  void *tag;

  while ((call = argyle_queue_next(run->queue, &tag, &error)) != NULL) {
    handle_call(run, call, (size_t)(uintptr_t)tag);
    argyle_call_free(call);
  }
  return error == NULL ? 0 : say_and_free(run, "taking a call", error);
}

static int loop(struct run *run) {
  argyle_error *error;
  int at_end = 0;

  for (;;) {
    /* The first call shows whether the key is accepted. No more are submitted than can be in flight, so that memory
     * stays bounded, and few remain after a signal. */
    size_t limit = run->begun ? (size_t)run->calls : 1;

    while (signals == 0 && !run->stopping && !at_end && argyle_queue_count(run->queue) < limit)
      at_end = submit_line(run) != 0;
    if (signals > 0) stop(run, "stopping after a signal; a second one cancels the calls in flight");
    if (argyle_queue_count(run->queue) == 0) return 0;
    if (signals > 1 && argyle_queue_cancel_all(run->queue, &error) != 0)
      return say_and_free(run, "cancelling the calls", error);
    /* Signals do not interrupt the wait, so it is short. */
    if (argyle_queue_wait(run->queue, INTERVAL_MS, &error) < 0) {
      say_and_free(run, "waiting for the calls", error);
      argyle_queue_cancel_all(run->queue, NULL);
      collect(run);
      return -1;
    }
    if (collect(run) != 0) return -1;
    show_progress(run);
  }
}

/* ---------------------------------------------------------------- Setup and main */

static int create_client(struct run *run) {
  const char *key_id = getenv("ARGYLE_KEY_ID"), *key_secret = getenv("ARGYLE_KEY_SECRET");
  const char *base_url = getenv("ARGYLE_BASE_URL");
  argyle_error *error;
  json_t *options;

  if (key_id == NULL || key_secret == NULL) {
    say(run, "set ARGYLE_KEY_ID and ARGYLE_KEY_SECRET to an API key");
    return -1;
  }
  options = json_pack("{s:s, s:s, s:s}", "key_id", key_id, "key_secret", key_secret,
                      base_url != NULL ? "base_url" : "environment", base_url != NULL ? base_url : "sandbox");
  if (run->rate > 0) json_object_set_new(options, "max_requests_per_second", json_real(run->rate));
  run->client = argyle_client_new(options, &error);
  json_decref(options);
  return run->client != NULL ? 0 : say_and_free(run, "creating a client", error);
}

static int create_queue(struct run *run) {
  json_t *options = json_pack("{s:i}", "max_in_flight", run->calls);
  argyle_error *error;

  run->queue = argyle_queue_new(options, &error);
  json_decref(options);
  return run->queue != NULL ? 0 : say_and_free(run, "creating a queue", error);
}

static void handle_signals(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action, before;
  size_t i;

  memset(&action, 0, sizeof action);
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  action.sa_handler = count_signal;
  for (i = 0; i < sizeof numbers / sizeof *numbers; i++)
    /* Signals that nohup ignores stay ignored. */
    if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
  /* A failed write() returns an error instead. */
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, NULL);
  sigaction(SIGXFSZ, &action, NULL);
}

/* Prints the totals and returns the exit status. */
static int sum_up(const struct run *run) {
  unsigned long counts[STATES] = {0};
  size_t line;

  for (line = 1; line <= run->lines; line++) counts[run->states[line]]++;
  printf("%lu lines: %lu users created, %lu of them now; %lu failed, %lu of unknown outcome, %lu not tried\n",
         (unsigned long)run->lines - counts[BLANK], counts[CREATED], (unsigned long)run->created, counts[FAILED],
         counts[UNKNOWN], counts[TO_DO]);
  return counts[FAILED] + counts[UNKNOWN] + counts[TO_DO] == 0 ? EXIT_ALL : EXIT_SOME;
}

/* Processes INPUT and returns the exit status. */
static int run_all(struct run *run) {
  int result;

  if (open_input(run) != 0 || open_output(run) != 0 || read_output(run) != 0) return EXIT_BROKEN;
  count_lines(run);
  handle_signals();
  clock_gettime(CLOCK_MONOTONIC, &run->began);
  if (loop(run) != 0) run->broken = 1;
  hide_progress(run);
  if (fsync(run->output) != 0) {
    file_failed(run, run->output_name);
    run->broken = 1;
  }
  result = sum_up(run);
  return run->broken ? EXIT_BROKEN : result;
}

static int usage(void) {
  fprintf(stderr, "usage: bulk_create [-j CALLS] [-r RATE] [-u] INPUT OUTPUT\n"
                  "CALLS is 1 to 1000, and RATE 0.001 to 1000000 requests per second.\n");
  return EXIT_BROKEN;
}

/* Opens /dev/null for closed standard descriptors: a file or socket in their place would receive the output. */
static int fill_standard_descriptors(void) {
  int number;

  for (number = 0; number <= 2; number++) {
    /* open() returns the lowest free number, which is this one. */
    if (fcntl(number, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return -1;
  }
  return 0;
}

int main(int count, char **arguments) {
  static struct run run;
  char *end;
  int option, result;

  if (fill_standard_descriptors() != 0) return EXIT_BROKEN;
  run.calls = 50;
  run.output = -1;
  while ((option = getopt(count, arguments, "j:r:u")) != -1) {
    if (option == 'u') {
      run.retry_unknown = 1;
    } else if (option == 'j') {
      long calls = strtol(optarg, &end, 10);

      if (end == optarg || *end != '\0' || calls < 1 || calls > 1000) return usage();
      run.calls = (int)calls;
    } else if (option == 'r') {
      run.rate = strtod(optarg, &end);
      if (end == optarg || *end != '\0' || !(run.rate >= 0.001 && run.rate <= 1e6)) return usage();
    } else {
      return usage();
    }
  }
  if (count - optind != 2) return usage();
  run.input_name = arguments[optind];
  run.output_name = arguments[optind + 1];
  run.terminal = isatty(STDERR_FILENO);

  result = create_client(&run) == 0 && create_queue(&run) == 0 ? run_all(&run) : EXIT_BROKEN;
  argyle_queue_free(run.queue);
  argyle_client_free(run.client);
  if (run.input != NULL) fclose(run.input);
  if (run.output >= 0 && close(run.output) != 0) {
    file_failed(&run, run.output_name);
    result = EXIT_BROKEN;
  }
  free(run.states);
  free(run.text);
  return result;
}
