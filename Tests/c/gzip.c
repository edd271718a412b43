#include "gzip.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* RFC 1951, section 3.2.6: the fixed Huffman codes. */
#define FIXED_BLOCK 0x3      /* the last block, compressed with fixed codes */
#define LITERAL_CODES 0x30   /* the code of literal 0; 8 bits */
#define MATCH_258_CODE 0xc5  /* a match of 258 bytes; 8 bits */
#define DISTANCE_1_CODE 0x00 /* a byte back; 5 bits */
#define END_CODE 0x00        /* 7 bits */
#define MATCH 258

typedef struct {
  unsigned char *bytes;
  size_t bits;
} writer;

static void put_bit(writer *writer, unsigned bit) {
  writer->bytes[writer->bits / 8] |= (unsigned char)(bit << (writer->bits % 8));
  writer->bits++;
}

/* Huffman codes are written most significant bit first. */
static void put_code(writer *writer, unsigned code, int width) {
  for (int bit = width - 1; bit >= 0; bit--) {
    put_bit(writer, (code >> bit) & 1);
  }
}

static void put_literal(writer *writer, char literal) {
  put_code(writer, LITERAL_CODES + (unsigned char)literal, 8);
}

/* Everything else is written least significant bit first. */
static void put_number(writer *writer, uint32_t number, int width) {
  for (int bit = 0; bit < width; bit++) {
    put_bit(writer, (number >> bit) & 1);
  }
}

static uint32_t crc_with(uint32_t crc, unsigned char byte) {
  crc ^= byte;
  for (int bit = 0; bit < 8; bit++) {
    crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
  }
  return crc;
}

static uint32_t crc_of(const char *text, size_t spaces) {
  uint32_t crc = 0xffffffff;
  for (; *text != '\0'; text++) {
    crc = crc_with(crc, (unsigned char)*text);
  }
  while (spaces-- > 0) {
    crc = crc_with(crc, ' ');
  }
  return ~crc;
}

char *gzip_with_spaces(const char *text, size_t spaces, size_t *length) {
  static const unsigned char header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff};
  writer writer = {.bytes = calloc(1, 1024 + strlen(text) + spaces / 64)};
  memcpy(writer.bytes, header, sizeof header);
  writer.bits = sizeof header * 8;

  put_number(&writer, FIXED_BLOCK, 3);
  for (const char *next = text; *next != '\0'; next++) {
    put_literal(&writer, *next);
  }
  size_t left = spaces;
  if (left > 0) {
    put_literal(&writer, ' ');
    left--;
  }
  for (; left >= MATCH; left -= MATCH) {
    put_code(&writer, MATCH_258_CODE, 8);
    put_code(&writer, DISTANCE_1_CODE, 5);
  }
  for (; left > 0; left--) {
    put_literal(&writer, ' ');
  }
  put_code(&writer, END_CODE, 7);
  writer.bits = (writer.bits + 7) / 8 * 8;

  put_number(&writer, crc_of(text, spaces), 32);
  put_number(&writer, (uint32_t)(strlen(text) + spaces), 32);
  *length = writer.bits / 8;
  return (char *)writer.bytes;
}
