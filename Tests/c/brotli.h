/* Creates Brotli data without the Brotli library: enough for a decompression bomb. */
#ifndef BROTLI_H
#define BROTLI_H

#include <stddef.h>

/*
 * Compresses `pieces` times 16 MiB of spaces, to about 13 bytes each. Sets `*length`; the caller frees the result.
 */
char *brotli_of_spaces(size_t pieces, size_t *length);

#endif /* BROTLI_H */
