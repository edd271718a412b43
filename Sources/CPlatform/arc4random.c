// Necessary because Embedded Swift seeds hashing with arc4random_buf, which glibc has only since 2.36: a
// hidden one based on getrandom(2) keeps the libraries loadable on older systems.
#include "CPlatform.h"

__attribute__((visibility("hidden"))) void arc4random_buf(void *buffer, size_t count);

void arc4random_buf(void *buffer, size_t count) {
  unsigned char *next = buffer;
  while (count > 0) {
    ssize_t got = getrandom(next, count, 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      abort();
    }
    next += got;
    count -= (size_t)got;
  }
}
