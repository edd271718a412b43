// Necessary because explicit_bzero must be enabled before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

#include <string.h>

void argyle_wipe(void *memory, size_t size) { explicit_bzero(memory, size); }
