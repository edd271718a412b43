/*
 * Retrieves one user CALLS times, with IN_FLIGHT calls at once.
 *
 *   queue argyle|multi BASE_URL CALLS IN_FLIGHT     prints the CPU and wall time per call in microseconds
 *   queue memory BASE_URL CALLS IN_FLIGHT           prints the bytes per pending call, and how many more in flight
 *
 * `argyle` uses libargyle's queue. `multi` is what a C programmer would write by hand: reused easy handles, libcurl's
 * multi interface with curl_multi_poll(), and jansson. Both send the same headers, parse each response and check the
 * user's id.
 */
#include <argyle.h>
#include <curl/curl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define USER_ID "01a20c35-d98f-a6d3-2c9d-55b690ac9144"

static void fail(const char *message) {
  fprintf(stderr, "queue: %s\n", message);
  exit(EXIT_FAILURE);
}

static void check(json_t *user) {
  const char *id = json_string_value(json_object_get(user, "id"));
  if (id == NULL || strcmp(id, USER_ID) != 0) fail("a response is not the user");
  json_decref(user);
}

/* ---------------------------------------------------------------- libargyle */

static void submit(argyle_queue *queue, argyle_client *client) {
  argyle_call *call = argyle_call_new(client, ARGYLE_OPERATION_USER_GET, USER_ID, NULL, NULL);
  if (argyle_queue_submit(queue, call, NULL, NULL) != 0) fail("cannot submit a call");
}

static void run_argyle(const char *base_url, long calls, long in_flight) {
  json_t *options = json_pack("{s:s, s:s, s:s}", "key_id", "key", "key_secret", "secret", "base_url", base_url);
  argyle_client *client = argyle_client_new(options, NULL);
  json_t *queue_options = json_pack("{s:i}", "max_in_flight", (int)in_flight);
  argyle_queue *queue = argyle_queue_new(queue_options, NULL);
  argyle_call *call;
  long started = 0;

  for (; started < in_flight && started < calls; started++) submit(queue, client);
  while (argyle_queue_wait(queue, -1, NULL) > 0) {
    while ((call = argyle_queue_next(queue, NULL, NULL)) != NULL) {
      check(argyle_call_json(call, NULL));
      argyle_call_free(call);
      if (started < calls) {
        submit(queue, client);
        started++;
      }
    }
  }
  argyle_queue_free(queue);
  argyle_client_free(client);
  json_decref(queue_options);
  json_decref(options);
}

/* ---------------------------------------------------------------- libcurl and jansson */

typedef struct {
  char *bytes;
  size_t size;
} body;

static size_t receive(char *bytes, size_t size, size_t count, void *context) {
  body *body = context;
  char *resized = realloc(body->bytes, body->size + size * count);
  if (resized == NULL) return 0;
  memcpy(resized + body->size, bytes, size * count);
  body->bytes = resized;
  body->size += size * count;
  return size * count;
}

static CURL *new_easy(struct curl_slist *headers, body *body) {
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 30000L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 10000L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_USERPWD, "key:secret");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "");
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "libargyle/" ARGYLE_VERSION " libcurl/" LIBCURL_VERSION);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, body);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, body);
  return easy;
}

static void start_transfer(CURLM *multi, CURL *easy, const char *base_url) {
  char url[256];
  snprintf(url, sizeof url, "%s/v1/users/%s", base_url, USER_ID);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_multi_add_handle(multi, easy);
}

static void run_multi(const char *base_url, long calls, long in_flight) {
  CURLM *multi = curl_multi_init();
  struct curl_slist *headers = curl_slist_append(NULL, "Accept: application/json");
  CURL **easies = calloc((size_t)in_flight, sizeof *easies);
  body *bodies = calloc((size_t)in_flight, sizeof *bodies);
  long started = 0, finished = 0, i;
  int running, left;
  CURLMsg *message;

  curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, in_flight);
  for (; started < in_flight && started < calls; started++) {
    easies[started] = new_easy(headers, &bodies[started]);
    start_transfer(multi, easies[started], base_url);
  }
  while (finished < calls) {
    curl_multi_perform(multi, &running);
    while ((message = curl_multi_info_read(multi, &left)) != NULL) {
      CURL *easy = message->easy_handle;
      long status = 0;
      body *body;
      if (message->data.result != CURLE_OK) fail(curl_easy_strerror(message->data.result));
      curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &body);
      if (status != 200) fail("a response's status is not 200");
      check(json_loadb(body->bytes, body->size, 0, NULL));
      free(body->bytes);
      body->bytes = NULL;
      body->size = 0;
      finished++;
      curl_multi_remove_handle(multi, easy);
      if (started < calls) {
        start_transfer(multi, easy, base_url);
        started++;
        running++;
      }
    }
    if (running > 0) curl_multi_poll(multi, NULL, 0, 1000, NULL);
  }
  for (i = 0; i < in_flight; i++)
    if (easies[i] != NULL) curl_easy_cleanup(easies[i]);
  curl_multi_cleanup(multi);
  curl_slist_free_all(headers);
  free(easies);
  free(bodies);
}

/* ---------------------------------------------------------------- Memory */

static void run_memory(const char *base_url, long calls, long in_flight) {
  json_t *options = json_pack("{s:s, s:s, s:s}", "key_id", "key", "key_secret", "secret", "base_url", base_url);
  argyle_client *client = argyle_client_new(options, NULL);
  json_t *queue_options = json_pack("{s:i}", "max_in_flight", (int)in_flight);
  argyle_queue *queue = argyle_queue_new(queue_options, NULL);
  size_t before = mallinfo2().uordblks, pending, running;
  long i;

  for (i = 0; i < calls; i++) submit(queue, client);
  pending = (mallinfo2().uordblks - before) / (size_t)calls;
  before = mallinfo2().uordblks;
  argyle_queue_drive(queue, NULL);
  running = (mallinfo2().uordblks - before) / (size_t)in_flight;
  printf("%lu %lu\n", (unsigned long)pending, (unsigned long)running);
  argyle_queue_free(queue);
  argyle_client_free(client);
  json_decref(queue_options);
  json_decref(options);
}

/* ---------------------------------------------------------------- Time */

static double seconds_of(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static double wall_seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int count, char **arguments) {
  void (*run)(const char *, long, long);
  struct rusage before, after;
  double start, wall, cpu;
  long calls, in_flight;

  if (count != 5) fail("usage: queue argyle|multi|memory BASE_URL CALLS IN_FLIGHT");
  run = strcmp(arguments[1], "argyle") == 0 ? run_argyle : run_multi;
  calls = atol(arguments[3]);
  in_flight = atol(arguments[4]);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  if (strcmp(arguments[1], "memory") == 0) {
    run_memory(arguments[2], calls, in_flight);
    return EXIT_SUCCESS;
  }
  run(arguments[2], in_flight, in_flight); /* warm up */
  getrusage(RUSAGE_SELF, &before);
  start = wall_seconds();
  run(arguments[2], calls, in_flight);
  wall = wall_seconds() - start;
  getrusage(RUSAGE_SELF, &after);
  cpu = seconds_of(after.ru_utime) + seconds_of(after.ru_stime) - seconds_of(before.ru_utime) -
        seconds_of(before.ru_stime);
  printf("%.2f %.2f\n", cpu * 1e6 / (double)calls, wall * 1e6 / (double)calls);
  return EXIT_SUCCESS;
}
