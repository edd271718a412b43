#include "descriptors.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

int count_descriptors(void) {
  DIR *entries = opendir("/proc/self/fd");
  assert_non_null(entries);
  int count = 0;
  while (readdir(entries) != NULL) {
    count++;
  }
  closedir(entries);
  /* Less ".", ".." and the directory's own descriptor. */
  return count - 3;
}

descriptor_set descriptors_of(const char *kind) {
  descriptor_set set = {{false}};
  for (size_t i = 0; i < COUNT(set.is_open); i++) {
    char link[64], target[64] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%zu", i);
    set.is_open[i] = readlink(link, target, sizeof target - 1) > 0 && strcmp(target, kind) == 0;
  }
  return set;
}

int new_descriptor(const char *kind, const descriptor_set *before) {
  descriptor_set now = descriptors_of(kind);
  int found = -1;
  for (size_t i = 0; i < COUNT(now.is_open); i++) {
    if (now.is_open[i] && !before->is_open[i]) {
      assert_int_equal(found, -1);
      found = (int)i;
    }
  }
  assert_true(found >= 0);
  return found;
}
