/* Answers that are not HTTP, contradictory, or too large. */
#include "matrix.h"

#include "gzip.h"

#include <stdio.h>

#define MIB (1024 * 1024)
#define CHUNKED OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define BODY_LENGTH "87"
#define GOOD_WITH(headers) OK_HEAD headers "Content-Length: " BODY_LENGTH "\r\n\r\n" GOOD_BODY

#define IS_PROTOCOL .consequence = NOT_HTTP, .code = ARGYLE_ERROR_PROTOCOL
#define IS_TOO_LARGE .consequence = NOT_HTTP, .code = ARGYLE_ERROR_TOO_LARGE
#define CANNOT_BE_READ .consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL
#define IS_LOST .consequence = LOST, .code = ARGYLE_ERROR_CONNECTION
#define IS_LATE .consequence = LOST, .code = ARGYLE_ERROR_TIMEOUT, .concurrent = true

#define TEXT(text) .answer.bytes = text, .answer.then = HOSTILE_CLOSE
/* A text that contains NULs. */
#define BYTES(text) .answer.bytes = text, .answer.length = sizeof(text) - 1, .answer.then = HOSTILE_CLOSE
#define KEPT_TEXT(text) .answer.bytes = text, .answer.then = HOSTILE_KEEP

static const fault faults[] = {
  /* Not HTTP. */
  {.name = "garbage", IS_PROTOCOL, TEXT("garbage\r\n\r\n")},
  {.name = "another protocol", IS_PROTOCOL, TEXT("220 mail.example.com ESMTP\r\n")},
  {.name = "binary garbage", IS_PROTOCOL, BYTES("\0\x01\xff\xfe\r\n\0\r\n\r\n")},
  {.name = "a NUL before the answer", IS_PROTOCOL, BYTES("\0" OK_UNTIL_CLOSED GOOD_BODY)},
  {.name = "a byte order mark before the answer", IS_PROTOCOL, TEXT("\xef\xbb\xbf" OK_UNTIL_CLOSED GOOD_BODY)},
  {.name = "a body without headers", IS_PROTOCOL, TEXT(GOOD_BODY)},
  {.name = "HTTP/0.9", IS_PROTOCOL, TEXT("<html>hello</html>")},
  {.name = "a TLS record", IS_PROTOCOL, BYTES("\x15\x03\x01\x00\x02\x02\x46")},

  /* Status lines. */
  {.name = "a status line without a status", IS_PROTOCOL, TEXT("HTTP/1.1 OK\r\n\r\n" GOOD_BODY)},
  {.name = "a status of two digits", IS_PROTOCOL, TEXT("HTTP/1.1 20 OK\r\n\r\n" GOOD_BODY)},
  {.name = "a status of four digits", IS_PROTOCOL, TEXT("HTTP/1.1 2000 OK\r\n\r\n" GOOD_BODY)},
  {.name = "a negative status", IS_PROTOCOL, TEXT("HTTP/1.1 -200 OK\r\n\r\n" GOOD_BODY)},
  {.name = "HTTP/2 that was not negotiated", IS_PROTOCOL,
   KEPT_TEXT("HTTP/2 200\r\nContent-Length: " BODY_LENGTH "\r\n\r\n" GOOD_BODY)},
  {.name = "HTTP/3 that was not negotiated", IS_PROTOCOL,
   KEPT_TEXT("HTTP/3 200\r\nContent-Length: " BODY_LENGTH "\r\n\r\n" GOOD_BODY)},
  {.name = "an interim answer of HTTP/2", IS_PROTOCOL, KEPT_TEXT("HTTP/2 103\r\n\r\n" GOOD_WITH(""))},
  {.name = "HTTP of a version to come", IS_PROTOCOL, TEXT("HTTP/9.9 200 OK\r\n\r\n" GOOD_BODY)},
  {.name = "no reason", TEXT("HTTP/1.1 200\r\n\r\n" GOOD_BODY)},
  {.name = "HTTP/1.0", TEXT("HTTP/1.0 200 OK\r\n\r\n" GOOD_BODY)},
  {.name = "lines without carriage returns", TEXT("HTTP/1.1 200 OK\nX: y\n\n" GOOD_BODY)},

  /* Lengths. */
  {.name = "a correct length", KEPT_TEXT(GOOD_WITH(""))},
  {.name = "an invalid length", IS_PROTOCOL, TEXT(OK_HEAD "Content-Length: many\r\n\r\n" GOOD_BODY)},
  {.name = "a negative length", IS_PROTOCOL, TEXT(OK_HEAD "Content-Length: -1\r\n\r\n" GOOD_BODY)},
  {.name = "a length that is too short", CANNOT_BE_READ, TEXT(OK_HEAD "Content-Length: 20\r\n\r\n" GOOD_BODY)},
  {.name = "a length of nothing", CANNOT_BE_READ, TEXT(OK_HEAD "Content-Length: 0\r\n\r\n" GOOD_BODY)},
  {.name = "a length that is too long, closed", IS_LOST, TEXT(OK_HEAD "Content-Length: 200\r\n\r\n" GOOD_BODY)},
  {.name = "an absurd length, closed", IS_LOST,
   TEXT(OK_HEAD "Content-Length: 9223372036854775807\r\n\r\n" GOOD_BODY)},
  {.name = "bytes after the answer", KEPT_TEXT(GOOD_WITH("") "and more")},
  {.name = "an answer after the answer", KEPT_TEXT(GOOD_WITH("") "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")},
  {.name = "equal lengths", KEPT_TEXT(GOOD_WITH("Content-Length: " BODY_LENGTH "\r\n"))},
  {.name = "a length and then a longer one", IS_LOST,
   TEXT(OK_HEAD "Content-Length: 5\r\nContent-Length: 500\r\n\r\n" GOOD_BODY)},
  {.name = "a length and then a shorter one", CANNOT_BE_READ,
   TEXT(OK_HEAD "Content-Length: 500\r\nContent-Length: 5\r\n\r\n" GOOD_BODY)},
  {.name = "a length that chunks override",
   TEXT(OK_HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n57\r\n" GOOD_BODY "\r\n0\r\n\r\n")},

  /* Chunks. */
  {.name = "correct chunks", KEPT_TEXT(CHUNKED "57\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "chunks with extensions and trailers",
   KEPT_TEXT(CHUNKED "57;a=\"b\"\r\n" GOOD_BODY "\r\n0;c\r\nX-Trace-Id: trailer\r\n\r\n")},
  {.name = "chunks with zeros before their length", KEPT_TEXT(CHUNKED "00000057\r\n" GOOD_BODY "\r\n000\r\n\r\n")},
  {.name = "an invalid chunk length", IS_PROTOCOL, TEXT(CHUNKED "zz\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "no chunk length", IS_PROTOCOL, TEXT(CHUNKED "\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "a negative chunk length", IS_PROTOCOL, TEXT(CHUNKED "-57\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "a chunk length of 2^64", IS_PROTOCOL, TEXT(CHUNKED "10000000000000057\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "an endless chunk length", IS_PROTOCOL,
   TEXT(CHUNKED "000000000000000000000000000000000000000057\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "a chunk that is too short", IS_PROTOCOL, TEXT(CHUNKED "20\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "a chunk that is too long", IS_PROTOCOL, TEXT(CHUNKED "46\r\n" GOOD_BODY "\r\n0\r\n\r\n")},
  {.name = "garbage after a chunk", IS_PROTOCOL, TEXT(CHUNKED "57\r\n" GOOD_BODY "??\r\n0\r\n\r\n")},
  {.name = "binary garbage for chunks", IS_PROTOCOL, BYTES(CHUNKED "\xff\x00\xfe\x01\r\n\r\n")},
  {.name = "a body without chunks", IS_PROTOCOL, TEXT(CHUNKED GOOD_BODY)},
  {.name = "an empty answer of chunks", CANNOT_BE_READ, KEPT_TEXT(CHUNKED "0\r\n\r\n")},
  {.name = "bytes after the last chunk", KEPT_TEXT(CHUNKED "57\r\n" GOOD_BODY "\r\n0\r\n\r\nand more")},
  {.name = "a transfer coding that was not requested", IS_PROTOCOL,
   TEXT(OK_HEAD "Transfer-Encoding: rot13\r\n\r\n" GOOD_BODY)},

  /* Headers. */
  {.name = "headers twice", KEPT_TEXT(GOOD_WITH("Content-Type: text/html\r\nX-Trace-Id: 1\r\nX-Trace-Id: 2\r\n"))},
  {.name = "a header without a value", KEPT_TEXT(GOOD_WITH("X-Nothing:\r\nX-Blank:  \r\n"))},
  {.name = "a header on two lines", KEPT_TEXT(GOOD_WITH("X-Folded: one\r\n two\r\n\tthree\r\n"))},
  {.name = "a header that is not UTF-8", KEPT_TEXT(GOOD_WITH("X-Trace-Id: \xff\xfe\xc0\r\n"))},
  {.name = "cookies", KEPT_TEXT(GOOD_WITH("Set-Cookie: a=b; Domain=.example.com\r\nSet-Cookie: =;;;\r\n"))},
  {.name = "a NUL in a header", IS_PROTOCOL, BYTES(OK_HEAD "X-Nul: a\0b\r\n\r\n" GOOD_BODY)},
  {.name = "a location without a redirect", KEPT_TEXT(GOOD_WITH("Location: http://127.0.0.1:1/\r\n"))},
  {.name = "a change of protocols", KEPT_TEXT(GOOD_WITH("Connection: upgrade\r\nUpgrade: h2c\r\n"))},
  {.name = "alternatives", KEPT_TEXT(GOOD_WITH("Alt-Svc: h2=\"127.0.0.1:1\"; ma=3600\r\n"))},
  {.name = "an announced close", TEXT(GOOD_WITH("Connection: close\r\n"))},
  {.name = "an announced close that does not happen", KEPT_TEXT(GOOD_WITH("Connection: close\r\n"))},

  /* Interim answers. */
  {.name = "interim answers", KEPT_TEXT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nX: y\r\n\r\n"
                                        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" GOOD_WITH(""))},
  {.name = "an interim answer with a length",
   KEPT_TEXT("HTTP/1.1 103 Early\r\nContent-Length: 5\r\n\r\n" GOOD_WITH(""))},
  {.name = "an interim answer with Retry-After", .consequence = REFUSED, .code = ARGYLE_ERROR_RATE_LIMITED,
   .status = 429,
   KEPT_TEXT("HTTP/1.1 102 Processing\r\nRetry-After: 5\r\n\r\n"
             "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 2\r\n\r\n{}")},

  /* Compression. */
  {.name = "invalid gzip", IS_PROTOCOL, .has_status = false,
   TEXT(OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 28\r\n\r\nthis is not gzip data at all!")},
  {.name = "gzip of another version", IS_PROTOCOL,
   BYTES(OK_HEAD "Content-Encoding: gzip\r\n\r\n\x1f\x8b\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00")},
  {.name = "invalid deflate", IS_PROTOCOL, TEXT(OK_HEAD "Content-Encoding: deflate\r\n\r\n\xff\xff\xff\xff" GOOD_BODY)},
  {.name = "a content coding that was not requested", IS_PROTOCOL, TEXT(GOOD_WITH("Content-Encoding: rot13\r\n"))},
  {.name = "encodings around encodings", IS_PROTOCOL,
   TEXT(GOOD_WITH("Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip, gzip, gzip\r\n"))},
  {.name = "no encoding, by name", KEPT_TEXT(GOOD_WITH("Content-Encoding: identity\r\n"))},
  {.name = "gzip of nothing", CANNOT_BE_READ, KEPT_TEXT(OK_HEAD "Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n")},
};

/* ---------------------------------------------------------------- Too late */

static void late(void **state) {
  (void)state;
  const fault waits[] = {
    {.name = "a length that is too long, kept open", IS_LATE, .timeout_ms = SHORT_MS,
     .answer.bytes = OK_HEAD "Content-Length: 200\r\n\r\n" GOOD_BODY},
    {.name = "an absurd length, kept open", IS_LATE, .timeout_ms = SHORT_MS,
     .answer.bytes = OK_HEAD "Content-Length: 9223372036854775807\r\n\r\n" GOOD_BODY},
    {.name = "a chunk that is far too long", IS_LATE, .timeout_ms = SHORT_MS,
     .answer.bytes = CHUNKED "7fffffffffffffff\r\n" GOOD_BODY},
    {.name = "no length and no end", IS_LATE, .timeout_ms = SHORT_MS, .answer.bytes = OK_UNTIL_CLOSED GOOD_BODY},
  };
  for (size_t i = 0; i < COUNT(waits); i++) {
    run_fault(&waits[i]);
  }
}

/* ---------------------------------------------------------------- Too large */

/* A beginning, `count` times a text, and an end; the caller frees it. */
static char *repeated(const char *begin, const char *text, size_t count, const char *end) {
  char *all = malloc(strlen(begin) + strlen(text) * count + strlen(end) + 1);
  char *at = stpcpy(all, begin);
  for (size_t i = 0; i < count; i++) {
    at = stpcpy(at, text);
  }
  strcpy(at, end);
  return all;
}

/* Runs a row whose whole answer is this text, and frees the text. */
static void run_text(fault fault, char *text) {
  fault.answer = (hostile_answer){.bytes = text, .then = HOSTILE_CLOSE};
  run_fault(&fault);
  free(text);
}

#define DIGITS "0123456789012345678901234567890123456789"
#define PADDING "X-Padding: " DIGITS DIGITS "\r\n"

static void endless_headers(void **state) {
  (void)state;
  run_text((fault){.name = "many headers"}, repeated(OK_HEAD, PADDING, 900, "\r\n" GOOD_BODY));
  run_text((fault){.name = "too many headers", IS_TOO_LARGE}, repeated(OK_HEAD, PADDING, 4000, "\r\n" GOOD_BODY));
  run_text((fault){.name = "more short headers than are allowed", IS_TOO_LARGE},
           repeated(OK_HEAD, "a: b\r\n", 1100, "\r\n" GOOD_BODY));
  run_text((fault){.name = "more interim answers than are allowed", IS_TOO_LARGE},
           repeated("", "HTTP/1.1 100 Continue\r\n\r\n", 600, OK_UNTIL_CLOSED GOOD_BODY));
  run_text((fault){.name = "too many empty headers", IS_TOO_LARGE},
           repeated(OK_HEAD, "a:\r\n", 100000, "\r\n" GOOD_BODY));
  run_text((fault){.name = "a long header"}, repeated(OK_HEAD "X: ", "0123456789", 5000, "\r\n\r\n" GOOD_BODY));
  run_text((fault){.name = "a header that is too long", IS_TOO_LARGE},
           repeated(OK_HEAD "X: ", "0123456789", 30000, "\r\n\r\n" GOOD_BODY));
  run_text((fault){.name = "a status line that is too long", IS_TOO_LARGE},
           repeated("HTTP/1.1 200 ", "0123456789", 30000, "\r\n\r\n" GOOD_BODY));
  run_text((fault){.name = "endless trailers", IS_TOO_LARGE, .has_status = true},
           repeated(CHUNKED "57\r\n" GOOD_BODY "\r\n0\r\n", PADDING, 4000, "\r\n"));
}

static void endless_interim_answers(void **state) {
  (void)state;
  run_text((fault){.name = "many interim answers"},
           repeated("", "HTTP/1.1 100 Continue\r\n\r\n", 400, OK_UNTIL_CLOSED GOOD_BODY));
  run_text((fault){.name = "a flood of interim answers", IS_TOO_LARGE},
           repeated("", "HTTP/1.1 102 Processing\r\n" PADDING PADDING PADDING PADDING "\r\n", 1000,
                    OK_UNTIL_CLOSED GOOD_BODY));
}

static void a_body_that_is_too_large(void **state) {
  (void)state;
  char text[16 * 1024];
  int limit = 4096;
  memset(text, ' ', sizeof text);
  size_t head = (size_t)sprintf(text, OK_HEAD "Content-Length: %d\r\n\r\n" GOOD_BODY, limit);
  text[head] = ' ';
  head -= strlen(GOOD_BODY);
  fault row = {.name = "a body of the limit", .max_response_bytes = limit};
  row.answer = (hostile_answer){.bytes = text, .length = head + (size_t)limit};
  run_fault(&row);

  fault too_large = {.name = "a body over the limit", IS_TOO_LARGE, .has_status = true,
                     .fragment = "max_response_bytes", .max_response_bytes = limit - 1};
  too_large.answer = row.answer;
  run_fault(&too_large);

  head = (size_t)sprintf(text, OK_UNTIL_CLOSED GOOD_BODY);
  text[head] = ' ';
  too_large.name = "a body without a length over the limit";
  too_large.answer = (hostile_answer){.bytes = text, .length = sizeof text, .then = HOSTILE_CLOSE};
  run_fault(&too_large);

  head = (size_t)sprintf(text, CHUNKED "2000\r\n" GOOD_BODY);
  text[head] = ' ';
  too_large.name = "a chunk over the limit";
  run_fault(&too_large);
}

/* ---------------------------------------------------------------- Compression */

/* Runs a row whose answer has these bytes as its gzip body. */
static void run_gzip(fault fault, const char *bytes, size_t length) {
  char *text = malloc(length + 256);
  size_t head = (size_t)sprintf(text, OK_HEAD "Content-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", length);
  memcpy(text + head, bytes, length);
  fault.answer = (hostile_answer){.bytes = text, .length = head + length};
  run_fault(&fault);
  free(text);
}

static void compressed(void **state) {
  (void)state;
  size_t length;
  char *small = gzip_with_spaces(GOOD_BODY, 64, &length);
  run_gzip((fault){.name = "gzip"}, small, length);
  run_gzip((fault){.name = "half of a gzip body", CANNOT_BE_READ}, small, length / 2);
  run_gzip((fault){.name = "the header of a gzip body", CANNOT_BE_READ}, small, 10);
  char *spoiled = malloc(length);
  memcpy(spoiled, small, length);
  spoiled[length - 6] ^= 0x55;
  run_gzip((fault){.name = "gzip with a wrong checksum", IS_PROTOCOL}, spoiled, length);
  memcpy(spoiled, small, length);
  spoiled[length - 1] ^= 0x55;
  run_gzip((fault){.name = "gzip with a wrong size", IS_PROTOCOL}, spoiled, length);
  memcpy(spoiled, small, length);
  spoiled[10] = 0x07;
  run_gzip((fault){.name = "gzip with an invalid block type", IS_PROTOCOL}, spoiled, length);
  free(spoiled);
  free(small);

  char *bomb = gzip_with_spaces(GOOD_BODY, 2 * MIB, &length);
  run_gzip((fault){.name = "a gzip bomb", IS_TOO_LARGE, .has_status = true, .fragment = "max_response_bytes",
                   .max_response_bytes = MIB}, bomb, length);
  free(bomb);
}

/* Chained codings are not decoded, because libcurl does not limit the data between them. */
static void chained_codings(void **state) {
  (void)state;
  static const struct {
    const char *name;
    const char *head; /* precedes the answer's headers */
    const char *headers;
    const char *fragment; /* of the error's message; NULL: no error */
    bool chunked;
  } rows[] = {
    {"one content coding", "", "Content-Encoding: gzip\r\n", NULL, false},
    {"one content coding among blanks and commas", "", "content-encoding: , \t GZIP ,\r\n", NULL, false},
    {"two content codings", "", "Content-Encoding: identity, gzip\r\n", "Content-Encoding", false},
    {"content codings on two lines", "", "Content-Encoding: identity\r\ncontent-encoding: gzip\r\n",
     "Content-Encoding", false},
    {"content codings on a folded line", "", "Content-Encoding: gzip\r\n , identity\r\n", "Content-Encoding",
     false},
    {"content codings, one of them in an interim answer",
     "HTTP/1.1 103 Early Hints\r\nContent-Encoding: identity\r\n\r\n", "Content-Encoding: gzip\r\n",
     "Content-Encoding", false},
    {"chunks of a content coding", "", "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", NULL, true},
    {"a transfer coding and chunks", "", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding", true},
    {"a transfer coding and chunks on two lines", "", "Transfer-Encoding: gzip\r\ntransfer-encoding: chunked\r\n",
     "Transfer-Encoding", true},
    {"a transfer coding alone", "", "Transfer-Encoding: gzip\r\n", "Transfer-Encoding", false},
  };
  size_t length;
  char *body = gzip_with_spaces(GOOD_BODY, 64, &length);
  for (size_t i = 0; i < COUNT(rows); i++) {
    char text[1024];
    size_t at = (size_t)sprintf(text, "%s" OK_HEAD "%s\r\n", rows[i].head, rows[i].headers);
    if (rows[i].chunked) {
      at += (size_t)sprintf(text + at, "%zx\r\n", length);
    }
    memcpy(text + at, body, length);
    at += length;
    if (rows[i].chunked) {
      at += (size_t)sprintf(text + at, "\r\n0\r\n\r\n");
    }
    fault row = {.name = rows[i].name, .fragment = rows[i].fragment};
    if (rows[i].fragment != NULL) {
      row.consequence = NOT_HTTP;
      row.code = ARGYLE_ERROR_PROTOCOL;
    }
    row.answer = (hostile_answer){.bytes = text, .length = at, .then = HOSTILE_CLOSE};
    run_fault(&row);
  }
  free(body);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(late),
    matrix_test(endless_headers),
    matrix_test(endless_interim_answers),
    matrix_test(a_body_that_is_too_large),
    matrix_test(compressed),
    matrix_test(chained_codings),
  };
  return run_matrix("faults of the framing", faults, COUNT(faults), tests, COUNT(tests));
}
