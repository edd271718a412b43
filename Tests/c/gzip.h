/* Makes gzip data without zlib: enough for a small text and for a bomb. */
#ifndef GZIP_H
#define GZIP_H

#include <stddef.h>

/*
 * Compresses the ASCII text followed by so many spaces, at about 1:158 for the spaces. Free the result, whose
 * length goes to `length`.
 */
char *gzip_with_spaces(const char *text, size_t spaces, size_t *length);

#endif /* GZIP_H */
