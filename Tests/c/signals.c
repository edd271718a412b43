#include "signals.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>

#define EVERY_US 5000
/* Number of signals during a wait. */
#define ENOUGH 3

static volatile sig_atomic_t handled;

static void count_signal(int number) {
  (void)number;
  handled++;
}

static void send_every(int microseconds) {
  struct itimerval timer = {.it_interval = {.tv_usec = microseconds}, .it_value = {.tv_usec = microseconds}};
  assert_int_equal(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

void start_signals(void) {
  handled = 0;
  struct sigaction action = {.sa_handler = count_signal, .sa_flags = 0};
  sigemptyset(&action.sa_mask);
  assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
  send_every(EVERY_US);
}

void stop_signals(void) {
  send_every(0);
}

int handled_signals(void) {
  return handled;
}

/* ---------------------------------------------------------------- Until an answer */

static struct {
  pthread_t thread;
  hostile_server *server;
  int request;
} releaser;

static void *release_after_signals(void *ignored) {
  (void)ignored;
  hostile_server_wait_for_requests(releaser.server, releaser.request);
  int before = handled;
  while (handled < before + ENOUGH) {
    poll(NULL, 0, 1);
  }
  hostile_server_release(releaser.server);
  return NULL;
}

void start_signals_before_answer(hostile_server *server, int request) {
  sigset_t all, before;
  releaser.server = server;
  releaser.request = request;
  start_signals();
  /* The signals must reach the test's own thread. */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  assert_int_equal(pthread_create(&releaser.thread, NULL, release_after_signals, NULL), 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void stop_signals_after_answer(void) {
  assert_int_equal(pthread_join(releaser.thread, NULL), 0);
  stop_signals();
}
