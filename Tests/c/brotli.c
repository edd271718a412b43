#include "brotli.h"

#include <stdint.h>
#include <stdlib.h>

/* RFC 7932, section 5: a command that inserts 22594 literals plus a 24-bit number of further ones. */
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

/* A prefix code with a single symbol, which is encoded in no bits. */
static void put_code(writer *writer, uint32_t symbol, int width) {
  put(writer, 1, 2);
  put(writer, 0, 2);
  put(writer, symbol, width);
}

/* Section 9.2: a block of one command. */
static void put_piece(writer *writer) {
  put(writer, 0, 1);          /* not the last block */
  put(writer, 2, 2);          /* the length has six nibbles */
  put(writer, PIECE - 1, 24); /* length minus one */
  put(writer, 0, 1);          /* compressed */
  put(writer, 0, 3);          /* one block type each for literals, commands and distances */
  put(writer, 0, 6);          /* no postfix bits, no direct distance codes */
  put(writer, 0, 2);          /* context mode for literals, unused */
  put(writer, 0, 2);          /* one prefix code for literals, one for distances */
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
  put(&writer, 3, 2); /* the last block, empty */
  *length = (writer.bits + 7) / 8;
  return (char *)writer.bytes;
}
