/* Connections that are refused, lost or stalled, at every point of an answer. */
#include "matrix.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNKED_HEAD OK_HEAD "Transfer-Encoding: chunked\r\n\r\n"
#define CUT_BODY OK_HEAD "Content-Length: 1000\r\n\r\n{\"id\": \"u1\", "
#define CUT_CHUNK CHUNKED_HEAD "40\r\n{\"id\": \"u1\", "
#define NO_LAST_CHUNK CHUNKED_HEAD "2\r\n{}\r\n"

static const hostile_answer good = {.bytes = OK_UNTIL_CLOSED GOOD_BODY, .then = HOSTILE_CLOSE};
static const hostile_answer not_found = {.bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"};

/* ---------------------------------------------------------------- Refused and lost */

#define LOST_BY(then_) .consequence = LOST, .code = ARGYLE_ERROR_CONNECTION, .answer.then = then_

/* The connection is closed or reset after these bytes. */
#define ENDED(where, text)                                                 \
  {.name = "closed " where, LOST_BY(HOSTILE_CLOSE), .answer.bytes = text}, \
  {.name = "reset " where, LOST_BY(HOSTILE_RESET), .answer.bytes = text}

#define RETRIED .max_retries = 1, .concurrent = true, .then = &good

static const fault lost[] = {
  {.name = "refused", .consequence = NOT_SENT, .code = ARGYLE_ERROR_CONNECTION, .closed = true},
  {.name = "closed on accept", LOST_BY(HOSTILE_CLOSE), .answer.on_connect = true},
  {.name = "reset on accept", .consequence = MAYBE_SENT, .code = ARGYLE_ERROR_CONNECTION,
   .answer = {.on_connect = true, .then = HOSTILE_RESET}},
  /* Closing with unread bytes resets the connection. */
  {.name = "closed without reading", LOST_BY(HOSTILE_CLOSE), .answer.unread = true},
  ENDED("before the headers", ""),
  ENDED("within the status line", "HTTP/1.1 20"),
  ENDED("after the status line", "HTTP/1.1 200 OK\r\n"),
  ENDED("within the headers", "HTTP/1.1 200 OK\r\nContent-Ty"),
  ENDED("before the blank line", OK_HEAD "Content-Length: 2\r\n"),
  ENDED("after the headers", OK_HEAD "Content-Length: 2\r\n\r\n"),
  ENDED("within the body", CUT_BODY),
  ENDED("within a chunk", CUT_CHUNK),
  ENDED("before the last chunk", NO_LAST_CHUNK),
  ENDED("within the last chunk", NO_LAST_CHUNK "0\r\n"),
  ENDED("within a trailer", NO_LAST_CHUNK "0\r\nX-Trail"),
  ENDED("after an interim answer", "HTTP/1.1 100 Continue\r\n\r\n"),
  ENDED("within the body of a refusal", "HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n{"),

  {.name = "lost once, retried", .columns = ONLY_RETRYABLE, RETRIED, .requests = 2,
   .answer.then = HOSTILE_CLOSE},
  {.name = "cut once, retried", .columns = ONLY_RETRYABLE, RETRIED, .requests = 2,
   .answer = {.bytes = CUT_BODY, .then = HOSTILE_RESET}},
  {.name = "lost, not created again", .columns = ONLY_CREATIONS, RETRIED, LOST_BY(HOSTILE_CLOSE)},
  {.name = "cut, not created again", .columns = ONLY_CREATIONS, RETRIED, LOST_BY(HOSTILE_CLOSE),
   .answer.bytes = CUT_BODY},
  {.name = "lost, deleted after all", .columns = ONLY_DELETE, .max_retries = 1, .concurrent = true, .then = &not_found,
   .requests = 2, .answer.then = HOSTILE_CLOSE},
  {.name = "always lost", .columns = ONLY_RETRYABLE, .max_retries = 1, .concurrent = true, .requests = 2,
   LOST_BY(HOSTILE_CLOSE)},

  /* libcurl alone would retry each of these, including creates. */
  {.name = "a reused connection dies, retried", .columns = ONLY_RETRYABLE, .reused = true, .then = &good,
   .requests = 2, .answer.then = HOSTILE_CLOSE},
  {.name = "a reused connection dies, not created again", .columns = ONLY_CREATIONS, .reused = true, .then = &good,
   LOST_BY(HOSTILE_CLOSE)},
  {.name = "a reused connection is reset, not created again", .columns = ONLY_CREATIONS, .reused = true,
   .then = &good, LOST_BY(HOSTILE_RESET)},
  {.name = "a reused connection dies twice", .columns = ONLY_RETRYABLE, .reused = true, .requests = 2,
   LOST_BY(HOSTILE_CLOSE)},
  {.name = "a reused connection is cut", .reused = true, LOST_BY(HOSTILE_CLOSE), .answer.bytes = CUT_BODY},
};

/* ---------------------------------------------------------------- Unsolicited bytes */

/* Any part of an answer that an idle connection received is not the answer to the next request. */
static void strays_up_to_each_byte(void **state) {
  (void)state;
  static const struct {
    const char *name, *text;
    bool closed;
  } strays[] = {
    {"a stray answer", "HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\n{\"detail\": \"A stray.\"}", false},
    {"a timeout of an idle connection", "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n", true},
  };
  for (size_t i = 0; i < COUNT(strays); i++) {
    for (size_t length = 1; length <= strlen(strays[i].text); length += is_sampled() ? 7 : 1) {
      char text[128];
      snprintf(text, sizeof text, "%.*s", (int)length, strays[i].text);
      run_numbered_fault((fault){.name = strays[i].name, .reused = true, .stray = text,
                                 .closed_by_stray = strays[i].closed, .answer = good},
                         (int)length);
    }
  }
}

/* ---------------------------------------------------------------- Closed at each byte */

/* Closes after each number of bytes of an answer, from `from` up to, but not including, `to`. */
static void close_at_each_byte(const char *name, const char *text, size_t from, size_t to, consequence consequence) {
  for (size_t i = from; i < to; i += is_sampled() ? 3 : 1) {
    fault cut = {
      .name = name,
      .consequence = consequence,
      .code = consequence == LOST ? ARGYLE_ERROR_CONNECTION : ARGYLE_ERROR_PROTOCOL,
      /* A length of 0 would mean the whole text. */
      .answer = {.bytes = i > 0 ? text : "", .length = i, .then = HOSTILE_CLOSE},
    };
    run_numbered_fault(cut, (int)i);
  }
}

static void closed_at_each_byte_of_a_length(void **state) {
  (void)state;
  char text[512];
  size_t size = (size_t)snprintf(text, sizeof text, OK_HEAD "Content-Length: %zu\r\n\r\n" GOOD_BODY, strlen(GOOD_BODY));
  close_at_each_byte("closed at a byte of an answer with a length", text, 0, size, LOST);
}

static void closed_at_each_byte_of_chunks(void **state) {
  (void)state;
  char text[512];
  static const char body[] = GOOD_BODY;
  size_t half = strlen(body) / 2;
  size_t size = (size_t)snprintf(text, sizeof text, CHUNKED_HEAD "%zx\r\n%.*s\r\n%zx;x=y\r\n%s\r\n0\r\n\r\n", half,
                                 (int)half, body, strlen(body) - half, &body[half]);
  close_at_each_byte("closed at a byte of chunks", text, 0, size - 1, LOST);
  /* Without the last byte the answer is complete, and libcurl accepts it. */
  close_at_each_byte("closed before the last byte of chunks", text, size - 1, size, NO_FAULT);
}

/* Without a length, only parsing the JSON reveals that the answer is incomplete. */
static void closed_at_each_byte_without_a_length(void **state) {
  (void)state;
  size_t head = strlen(OK_UNTIL_CLOSED);
  close_at_each_byte("closed at a byte of a head", OK_UNTIL_CLOSED GOOD_BODY, 0, head, LOST);
  close_at_each_byte("closed at a byte of a body without a length", OK_UNTIL_CLOSED GOOD_BODY, head,
                     head + strlen(GOOD_BODY), UNREADABLE);
}

static void closed_at_each_byte_without_content(void **state) {
  (void)state;
  static const char text[] = "HTTP/1.1 204 No Content\r\nX-Trace-Id: t\r\n\r\n";
  close_at_each_byte("closed at a byte of an answer without content", text, 0, strlen(text), LOST);
}

/* ---------------------------------------------------------------- Slow and stalled */

static void one_byte_at_a_time(void **state) {
  (void)state;
  char text[512];
  snprintf(text, sizeof text, OK_HEAD "Content-Length: %zu\r\n\r\n" GOOD_BODY, strlen(GOOD_BODY));
  run_fault(&(fault){.name = "a length, byte by byte", .concurrent = true, .answer = {.bytes = text, .pause_ms = 1}});
  snprintf(text, sizeof text, CHUNKED_HEAD "%zx\r\n%s\r\n0\r\n\r\n", strlen(GOOD_BODY), GOOD_BODY);
  run_fault(&(fault){.name = "chunks, byte by byte", .concurrent = true, .answer = {.bytes = text, .pause_ms = 1}});
  static const char interim[] =
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n" OK_UNTIL_CLOSED GOOD_BODY;
  run_fault(&(fault){.name = "interim answers, byte by byte", .concurrent = true,
                     .answer = {.bytes = interim, .pause_ms = 1, .then = HOSTILE_CLOSE}});
  run_fault(&(fault){.name = "a refusal, byte by byte", .concurrent = true, .consequence = REFUSED, .status = 404,
                     .code = ARGYLE_ERROR_NOT_FOUND,
                     .answer = {.bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", .pause_ms = 1}});
}

/* Where the server stops sending, or sends too slowly. */
static const struct {
  const char *name;
  hostile_answer answer;
} stalls[] = {
  {"stalled without reading", {.unread = true, .then = HOSTILE_STALL}},
  {"stalled before the headers", {.then = HOSTILE_STALL}},
  {"stalled within the status line", {.bytes = "HTTP/1.1 2", .then = HOSTILE_STALL}},
  {"stalled within the headers", {.bytes = "HTTP/1.1 200 OK\r\nContent-Ty", .then = HOSTILE_STALL}},
  {"stalled after the headers", {.bytes = OK_HEAD "Content-Length: 2\r\n\r\n", .then = HOSTILE_STALL}},
  {"stalled within the body", {.bytes = CUT_BODY, .then = HOSTILE_STALL}},
  {"stalled within a chunk", {.bytes = CUT_CHUNK, .then = HOSTILE_STALL}},
  {"stalled before the last chunk", {.bytes = NO_LAST_CHUNK, .then = HOSTILE_STALL}},
  {"stalled after an interim answer", {.bytes = "HTTP/1.1 100 Continue\r\n\r\n", .then = HOSTILE_STALL}},
  {"stalled instead of closing", {.bytes = OK_UNTIL_CLOSED GOOD_BODY, .then = HOSTILE_STALL}},
  {"dripping within the headers", {.bytes = "HTTP/1.1 200 OK\r\nX-Slow: ", .then = HOSTILE_DRIP}},
  {"dripping within the body", {.bytes = OK_HEAD "Content-Length: 1000000\r\n\r\n", .then = HOSTILE_DRIP}},
  {"dripping without a length", {.bytes = OK_UNTIL_CLOSED, .then = HOSTILE_DRIP}},
};

static void stalled(bool by_deadline) {
  for (size_t i = 0; i < COUNT(stalls); i++) {
    if (is_sampled() && i % 2 == by_deadline) {
      continue;
    }
    run_fault(&(fault){
      .name = stalls[i].name,
      .consequence = LOST,
      .code = ARGYLE_ERROR_TIMEOUT,
      .fragment = by_deadline ? "deadline_ms" : "timeout_ms",
      .answer = stalls[i].answer,
      .concurrent = true,
      .timeout_ms = by_deadline ? 0 : SHORT_MS,
      .deadline_ms = by_deadline ? SHORT_MS : 0,
    });
  }
}

static void stalled_until_the_timeout(void **state) {
  (void)state;
  stalled(false);
}

static void stalled_until_the_deadline(void **state) {
  (void)state;
  stalled(true);
}

static void a_timeout_is_retried(void **state) {
  (void)state;
  run_fault(&(fault){.name = "stalled once", .columns = ONLY_RETRYABLE, RETRIED, .requests = 2,
                     .timeout_ms = SHORT_MS, .answer.then = HOSTILE_STALL});
  run_fault(&(fault){.name = "stalled, not created again", .columns = ONLY_CREATIONS, RETRIED, .consequence = LOST,
                     .code = ARGYLE_ERROR_TIMEOUT, .timeout_ms = SHORT_MS, .answer.then = HOSTILE_STALL});
  run_fault(&(fault){.name = "stalled, deleted after all", .columns = ONLY_DELETE, .max_retries = 1, .concurrent = true,
                     .then = &not_found, .requests = 2, .timeout_ms = SHORT_MS, .answer.then = HOSTILE_STALL});
}

/* ---------------------------------------------------------------- Stalled before the request */

/* A port that does not respond: its backlog is full, and no connection is accepted. */
typedef struct {
  int listener;
  int waiting[16];
  char url[64];
} full_port;

static full_port fill_port(void) {
  full_port port = {.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  assert_int_equal(bind(port.listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(port.listener, 0), 0);
  assert_int_equal(getsockname(port.listener, (struct sockaddr *)&address, &size), 0);
  for (size_t i = 0; i < COUNT(port.waiting); i++) {
    port.waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    connect(port.waiting[i], (struct sockaddr *)&address, size);
  }
  snprintf(port.url, sizeof port.url, "http://127.0.0.1:%d", ntohs(address.sin_port));
  return port;
}

static void free_port(full_port *port) {
  for (size_t i = 0; i < COUNT(port->waiting); i++) {
    close(port->waiting[i]);
  }
  close(port->listener);
}

/* How far connect() advances the stopped clock. */
static int connect_takes_ms;

typedef int connect_function(int, __CONST_SOCKADDR_ARG, socklen_t);

/* Replaces the C library's function, for libcurl too. */
int connect(int descriptor, __CONST_SOCKADDR_ARG address, socklen_t size) {
  /* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
  void *symbol = dlsym(RTLD_NEXT, "connect");
  connect_function *real;
  memcpy(&real, &symbol, sizeof real);
  int result = real(descriptor, address, size);
  int reason = errno;
  advance_clock(connect_takes_ms);
  errno = reason;
  return result;
}

/* Each of the three limits bounds the time to connect, and the time of a handshake. */
static void stalled_before_the_request(void **state) {
  (void)state;
  for (int limit = 0; limit < 3; limit++) {
    fault stall = {
      .consequence = NOT_SENT,
      .code = ARGYLE_ERROR_TIMEOUT,
      .concurrent = true,
      .connect_timeout_ms = limit == 0 ? SHORT_MS : 0,
      .timeout_ms = limit == 1 ? SHORT_MS : 0,
      .deadline_ms = limit == 2 ? SHORT_MS : 0,
    };
    full_port port = fill_port();
    stall.name = "stalled while connecting";
    stall.base_url = port.url;
    connect_takes_ms = SHORT_MS + 1;
    run_numbered_fault(stall, limit);
    connect_takes_ms = 0;
    free_port(&port);
    /* A handshake first loads the authorities, which takes a second under valgrind. */
    if (is_sampled() && limit > 0) {
      continue;
    }
    stall.name = "stalled in the handshake";
    stall.base_url = NULL;
    stall.https = true;
    stall.answer = (hostile_answer){.unread = true, .then = HOSTILE_STALL};
    run_numbered_fault(stall, limit);
  }
}

static void no_handshake(void **state) {
  (void)state;
  static const struct {
    const char *name;
    hostile_answer answer;
    bool is_lost;
  } ends[] = {
    {"closed in the handshake", {.unread = true, .then = HOSTILE_CLOSE}, true},
    {"reset in the handshake", {.unread = true, .then = HOSTILE_RESET}, true},
    {"no TLS", {.bytes = "HTTP/1.1 400 Bad Request\r\n\r\n", .on_connect = true, .then = HOSTILE_CLOSE}, false},
    {"a cut TLS record",
     {.bytes = "\x16\x03\x03\x02\x00\x02", .length = 6, .on_connect = true, .then = HOSTILE_CLOSE}, true},
    {"a TLS alert",
     {.bytes = "\x15\x03\x03\x00\x02\x02\x28", .length = 7, .on_connect = true, .then = HOSTILE_CLOSE}, false},
  };
  for (size_t i = 0; i < (is_sampled() ? 2 : COUNT(ends)); i++) {
    run_fault(&(fault){.name = ends[i].name, .consequence = ends[i].is_lost ? NOT_SENT : NOT_SENT_PERMANENT,
                       .code = ends[i].is_lost ? ARGYLE_ERROR_CONNECTION : ARGYLE_ERROR_TLS, .https = true,
                       .answer = ends[i].answer});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(strays_up_to_each_byte),
    matrix_test(closed_at_each_byte_of_a_length),
    matrix_test(closed_at_each_byte_of_chunks),
    matrix_test(closed_at_each_byte_without_a_length),
    matrix_test(closed_at_each_byte_without_content),
    matrix_test(one_byte_at_a_time),
    matrix_test(stalled_until_the_timeout),
    matrix_test(stalled_until_the_deadline),
    matrix_test(a_timeout_is_retried),
    matrix_test(stalled_before_the_request),
    matrix_test(no_handshake),
  };
  return run_matrix("faults of the transport", lost, COUNT(lost), tests, COUNT(tests));
}
