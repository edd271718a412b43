// Necessary because dladdr is a GNU extension, which must be enabled before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <dlfcn.h>

typedef int (*has_pending)(const void *);

static int nothing_is_pending(const void *session) {
  (void)session;
  return 0;
}

// Looks up the function in libcurl's OpenSSL, because the program may have another one.
static has_pending find(const void *libcurl) {
  Dl_info info;
  has_pending function = NULL;
  if (dladdr(libcurl, &info) != 0 && info.dli_fname != NULL) {
    void *handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (handle != NULL) {
      *(void **)&function = dlsym(handle, "SSL_has_pending");
      dlclose(handle);
    }
  }
  return function != NULL ? function : nothing_is_pending;
}

int argyle_openssl_has_pending(const void *libcurl, const void *session) {
  static has_pending found;
  has_pending function = __atomic_load_n(&found, __ATOMIC_RELAXED);
  if (function == NULL) {
    function = find(libcurl);
    __atomic_store_n(&found, function, __ATOMIC_RELAXED);
  }
  return function(session) != 0;
}
