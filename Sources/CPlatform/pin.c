// Necessary because dladdr is a GNU extension, which must be enabled before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <dlfcn.h>

int argyle_pin_library(const void *address) {
  Dl_info info;
  if (dladdr(address, &info) == 0 || info.dli_fname == NULL) return -1;
  // The handle is leaked on purpose: RTLD_NODELETE outlives it, and RTLD_NOLOAD ensures that nothing new is loaded.
  return dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE) == NULL ? -1 : 0;
}
