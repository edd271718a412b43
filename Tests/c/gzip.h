/* Creates gzip data without zlib: enough for a short text and for a decompression bomb. */
#ifndef GZIP_H
#define GZIP_H

#include <stddef.h>

/*
 * Compresses ASCII text followed by `spaces` spaces, those at about 158:1. Sets `*length`; the caller frees the result.
 */
char *gzip_with_spaces(const char *text, size_t spaces, size_t *length);

#endif /* GZIP_H */
