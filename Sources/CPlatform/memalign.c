// Necessary because Embedded Swift allocates every object with posix_memalign, which takes glibc twice as long as
// malloc, whose alignment is enough for any Swift object: the libraries use this hidden one.
//
// Not with AddressSanitizer, whose own must be the only one in the program.
#if !__has_feature(address_sanitizer)

#include "CPlatform.h"

#include <stdalign.h>
#include <stddef.h>

__attribute__((visibility("hidden"))) int posix_memalign(void **memory, size_t alignment, size_t size);

int posix_memalign(void **memory, size_t alignment, size_t size) {
  void *allocated = alignment <= alignof(max_align_t)
                        ? malloc(size)
                        : aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
  if (allocated == NULL) return ENOMEM;
  *memory = allocated;
  return 0;
}

#endif
