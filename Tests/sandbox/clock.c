/*
 * Preloaded into a sandbox, it puts the test's clock in the place of CLOCK_MONOTONIC: one that stands still, whatever
 * else the machine does, until the test moves it. ARGYLE_TEST_CLOCK is a descriptor of the file that holds it.
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
  /* In microseconds: the time, and what each nap takes of it, however long it was to be. */
  _Atomic int64_t now, nap;
  _Atomic int64_t naps;
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

static int nap(void) {
  struct timespec moment = {0, 1000000};

  clock_file->now += clock_file->nap;
  clock_file->naps++;
  syscall(SYS_nanosleep, &moment, NULL);
  return 0;
}

int nanosleep(const struct timespec *length, struct timespec *rest) {
  return clock_file == NULL ? (int)syscall(SYS_nanosleep, length, rest) : nap();
}

int usleep(useconds_t length) {
  struct timespec time = {length / 1000000, length % 1000000 * 1000};

  return nanosleep(&time, NULL);
}

/* The conditions of the sandbox go by CLOCK_MONOTONIC. It returns now and then, as such functions may, for the clock to
   be looked at. */
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
