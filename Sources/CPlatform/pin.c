// Necessary because dladdr is a GNU extension, which must be asked for before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <dlfcn.h>

int argyle_pin_library(const void *address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == NULL) return -1;
  // The handle is kept on purpose: RTLD_NODELETE outlives it, and RTLD_NOLOAD makes sure that nothing new
  // is loaded.
  return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == NULL ? -1 : 0;
}
