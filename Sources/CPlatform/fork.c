// Necessary because MAP_ANONYMOUS, MADV_WIPEONFORK and dup3 must be enabled before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <sys/mman.h>

void *argyle_fork_page(void) {
  size_t size = (size_t)sysconf(_SC_PAGESIZE);
  void *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
  if (madvise(page, size, MADV_WIPEONFORK) == 0) return page;
  munmap(page, size);
  return NULL;
}

void argyle_fork_page_free(void *page) { munmap(page, (size_t)sysconf(_SC_PAGESIZE)); }

void argyle_replace_descriptor(int descriptor, int source) { dup3(source, descriptor, O_CLOEXEC); }
