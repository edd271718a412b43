#include "clock.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* A test that leaves the clock stopped for longer has hung. */
#define PATIENCE_S 600

/* Time of the stopped clock in nanoseconds; 0 while it runs. */
static int64_t stopped_at;
/* System time of the last stop or advance. */
static int64_t touched_at;
/* How far the running clock is ahead of the system's. */
static int64_t offset;

static int64_t nanoseconds(const struct timespec *time) {
  return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t system_time(void) {
  struct timespec now;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  return nanoseconds(&now);
}

/* Replaces the C library's function for the whole process. The clocks not listed here stay the system's. */
int clock_gettime(clockid_t clock, struct timespec *time) {
  int result = (int)syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME) {
    int64_t shown = __atomic_load_n(&stopped_at, __ATOMIC_ACQUIRE);
    if (shown == 0) {
      shown = nanoseconds(time) + __atomic_load_n(&offset, __ATOMIC_ACQUIRE);
    } else if (system_time() - __atomic_load_n(&touched_at, __ATOMIC_ACQUIRE) > PATIENCE_S * INT64_C(1000000000)) {
      fputs("the test clock was stopped for ten minutes\n", stderr);
      abort();
    }
    time->tv_sec = shown / 1000000000;
    time->tv_nsec = shown % 1000000000;
  }
  return result;
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return nanoseconds(&now) / 1000000;
}

void stop_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  __atomic_store_n(&touched_at, system_time(), __ATOMIC_RELEASE);
  __atomic_store_n(&stopped_at, nanoseconds(&now), __ATOMIC_RELEASE);
}

void advance_clock(int64_t milliseconds) {
  __atomic_store_n(&touched_at, system_time(), __ATOMIC_RELEASE);
  int64_t stopped = __atomic_load_n(&stopped_at, __ATOMIC_ACQUIRE);
  while (stopped != 0 && !__atomic_compare_exchange_n(&stopped_at, &stopped, stopped + milliseconds * 1000000, false,
                                                      __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
  }
}

void start_clock(void) {
  if (stopped_at != 0) {
    __atomic_store_n(&offset, stopped_at - system_time(), __ATOMIC_RELEASE);
    __atomic_store_n(&stopped_at, 0, __ATOMIC_RELEASE);
  }
}

void advance_clock_over_wait(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  (void)context;
  const json_t *wait = json_object_get(fields, "wait_ms");
  if (wait != NULL) {
    /* The logged wait was rounded down. */
    advance_clock(json_integer_value(wait) + 1);
  }
}

argyle_client *without_waits(argyle_client *client) {
  argyle_error *error = RUBBISH;
  argyle_client *other = argyle_client_with_log(client, advance_clock_over_wait, NULL, &error);
  assert_null(error);
  assert_non_null(other);
  argyle_client_free(client);
  return other;
}

int clock_teardown(void **state) {
  (void)state;
  __atomic_store_n(&stopped_at, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&offset, 0, __ATOMIC_RELEASE);
  return 0;
}
