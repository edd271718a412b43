#include "brotli.h"

#include <stdint.h>
#include <stdlib.h>

/* RFC 7932, section 5: a command that inserts 22594 literals and so many more as 24 bits tell. */
#define INSERT_SYMBOL 504
#define INSERT_BASE 22594
#define PIECE (16 * 1024 * 1024)

typedef struct {
  unsigned char *bytes;
  size_t bits;
} writer;

static void put(writer *writer, uint32_t number, int width) {
  for (int bit = 0; bit < width; bit++) {
    writer->bytes[writer->bits / 8] |= (unsigned char)(((number >> bit) & 1) << (writer->bits % 8));
    writer->bits++;
  }
}

/* A code of one symbol, which takes no bits then. */
static void put_code(writer *writer, uint32_t symbol, int width) {
  put(writer, 1, 2);
  put(writer, 0, 2);
  put(writer, symbol, width);
}

/* Section 9.2: a block of one command. */
static void put_piece(writer *writer) {
  put(writer, 0, 1);          /* not the last one */
  put(writer, 2, 2);          /* its length in six times four bits */
  put(writer, PIECE - 1, 24); /* less one */
  put(writer, 0, 1);          /* compressed */
  put(writer, 0, 3);          /* one type of literals, commands and distances */
  put(writer, 0, 6);          /* no distances of a kind of their own */
  put(writer, 0, 2);          /* how literals depend on those before, which they do not */
  put(writer, 0, 2);          /* one code for literals, and one for distances */
  put_code(writer, ' ', 8);
  put_code(writer, INSERT_SYMBOL, 10);
  put_code(writer, 0, 6);
  put(writer, PIECE - INSERT_BASE, 24);
}

char *brotli_of_spaces(size_t pieces, size_t *length) {
  writer writer = {.bytes = calloc(pieces + 1, 16)};
  put(&writer, 0, 1); /* a window of 64 KiB */
  for (size_t i = 0; i < pieces; i++) {
    put_piece(&writer);
  }
  put(&writer, 3, 2); /* the last block, which is empty */
  *length = (writer.bits + 7) / 8;
  return (char *)writer.bytes;
}
