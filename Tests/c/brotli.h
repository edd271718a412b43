/* Makes brotli data without its library: enough for a bomb. */
#ifndef BROTLI_H
#define BROTLI_H

#include <stddef.h>

/*
 * Compresses so many times 16 MiB of spaces, to some 13 bytes each. Free the result, whose length goes to `length`.
 */
char *brotli_of_spaces(size_t pieces, size_t *length);

#endif /* BROTLI_H */
