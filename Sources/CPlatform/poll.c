// Necessary because POLLRDHUP is a GNU extension, which must be enabled before the first header.
#define _GNU_SOURCE
#include "CPlatform.h"

short argyle_poll_hangup(void) { return POLLRDHUP; }
