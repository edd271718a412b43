#include "child.h"

#include "harness.h"

#include <sys/wait.h>
#include <unistd.h>

int failures_in_child(int (*checks)(void *), void *argument) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    char failures = (char)checks(argument);
    ssize_t written = write(ends[1], &failures, 1);
    _exit(written == 1 ? 0 : 1);
  }
  close(ends[1]);
  char failures = -1;
  if (read(ends[0], &failures, 1) != 1) {
    failures = -1;
  }
  close(ends[0]);
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return failures;
}
