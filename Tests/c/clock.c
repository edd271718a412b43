#include "clock.h"

#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* What the stopped clock shows, in nanoseconds; 0: it goes. */
static int64_t stopped_at;

/* In the place of the C library's, for all of the process: the others that it has go to the kernel as they are. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  int64_t stopped = __atomic_load_n(&stopped_at, __ATOMIC_ACQUIRE);
  bool is_monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME;
  if (stopped == 0 || !is_monotonic) {
    return (int)syscall(SYS_clock_gettime, clock, time);
  }
  time->tv_sec = stopped / 1000000000;
  time->tv_nsec = stopped % 1000000000;
  return 0;
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void stop_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  __atomic_store_n(&stopped_at, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec, __ATOMIC_RELEASE);
}

void move_clock(int64_t milliseconds) {
  int64_t stopped = __atomic_load_n(&stopped_at, __ATOMIC_ACQUIRE);
  while (stopped != 0 && !__atomic_compare_exchange_n(&stopped_at, &stopped, stopped + milliseconds * 1000000, false,
                                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
}

void start_clock(void) {
  __atomic_store_n(&stopped_at, 0, __ATOMIC_RELEASE);
}

/* A log function that moves the clock over each wait that it is told of. */
static void pass_wait(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  (void)context;
  const json_t *wait = json_object_get(fields, "wait_ms");
  if (wait != NULL) {
    /* What is told was rounded down. */
    move_clock(json_integer_value(wait) + 1);
  }
}

argyle_client *without_waits(argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_client *other = argyle_client_with_log(client, pass_wait, NULL, &error);
  assert_null(error);
  assert_non_null(other);
  return other;
}

int clock_teardown(void **state) {
  (void)state;
  start_clock();
  return 0;
}
