/*
 * Preloaded into a sandbox, it replaces CLOCK_MONOTONIC with a clock that stands still, however loaded the machine is,
 * until the test advances it. ARGYLE_TEST_CLOCK is the descriptor of the file that contains it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static struct {
  /* In microseconds: the time, and how long each sleep takes, whatever was requested. */
  _Atomic int64_t now, sleep_duration;
  _Atomic int64_t sleeps;
} *clock_file;

__attribute__((constructor)) static void find_clock(void) {
  const char *descriptor = getenv("ARGYLE_TEST_CLOCK");
  void *memory;

  if (descriptor == NULL) return;
  memory = mmap(NULL, sizeof *clock_file, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(descriptor), 0);
  if (memory == MAP_FAILED) abort();
  clock_file = memory;
}

int clock_gettime(clockid_t id, struct timespec *time) {
  int64_t now;

  if (id != CLOCK_MONOTONIC || clock_file == NULL) return (int)syscall(SYS_clock_gettime, id, time);
  now = clock_file->now;
  time->tv_sec = now / 1000000;
  time->tv_nsec = now % 1000000 * 1000;
  return 0;
}

static int sleep_briefly(void) {
  struct timespec duration = {0, 1000000};

  clock_file->now += clock_file->sleep_duration;
  clock_file->sleeps++;
  syscall(SYS_nanosleep, &duration, NULL);
  return 0;
}

int nanosleep(const struct timespec *length, struct timespec *rest) {
  return clock_file == NULL ? (int)syscall(SYS_nanosleep, length, rest) : sleep_briefly();
}

int usleep(useconds_t length) {
  struct timespec time = {length / 1000000, length % 1000000 * 1000};

  return nanosleep(&time, NULL);
}

/* The sandbox's condition variables use CLOCK_MONOTONIC. This wakes up spuriously, as it may, so that the clock is read
   again. */
int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *end) {
  int (*wait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  struct timespec soon;
  int result;

  *(void **)&wait = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
  if (clock_file == NULL) return wait(condition, mutex, end);
  if (clock_file->now >= end->tv_sec * 1000000 + end->tv_nsec / 1000) return ETIMEDOUT;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &soon);
  soon.tv_nsec += 5000000;
  if (soon.tv_nsec >= 1000000000) {
    soon.tv_sec++;
    soon.tv_nsec -= 1000000000;
  }
  result = wait(condition, mutex, &soon);
  return result == ETIMEDOUT ? 0 : result;
}
