/* A proxy's answers before the tunnel is established: none is the service's, and no request was sent. */
#include "matrix.h"

#include <stdio.h>

#define ESTABLISHED "HTTP/1.1 200 Connection established\r\n"
#define REFUSED_BY(status) "HTTP/1.1 " status " No\r\nContent-Type: application/json\r\nRetry-After: 7\r\n"
#define DETAIL "{\"detail\": \"the proxy's\"}"
#define CHUNKS "Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\":\r\n3\r\n 1}\r\n0\r\n\r\n"

#define UNSENT .proxy = "http", .consequence = NOT_SENT
#define NO_TUNNEL UNSENT, .code = ARGYLE_ERROR_CONNECTION

/* The connection is closed or reset after these bytes. */
#define ENDED(where, words, text)                                                                                \
  {.name = "CONNECT closed " where, NO_TUNNEL, .fragment = words, .answer = {.bytes = text, .then = HOSTILE_CLOSE}}, \
  {.name = "CONNECT reset " where, NO_TUNNEL, .answer = {.bytes = text, .then = HOSTILE_RESET}}

#define REFUSED_WITH(status, what, rest)                                                                    \
  {.name = "CONNECT refused with " status ", " what, NO_TUNNEL, .fragment = "the proxy at 127.0.0.1:",       \
   .answer = {.bytes = REFUSED_BY(status) rest}},                                                           \
  {.name = "CONNECT refused with " status ", " what ", closed", NO_TUNNEL, .fragment = "with status " status, \
   .answer = {.bytes = REFUSED_BY(status) rest, .then = HOSTILE_CLOSE}}

static const fault faults[] = {
  REFUSED_WITH("301", "nothing", "Location: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n"),
  REFUSED_WITH("400", "until closed", "\r\n" DETAIL),
  REFUSED_WITH("403", "a body", "Content-Length: 25\r\n\r\n" DETAIL),
  REFUSED_WITH("404", "nothing", "Content-Length: 0\r\n\r\n"),
  REFUSED_WITH("407", "a challenge", "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 25\r\n\r\n" DETAIL),
  REFUSED_WITH("407", "chunks", CHUNKS),
  REFUSED_WITH("429", "a body", "Content-Length: 25\r\n\r\n" DETAIL),
  REFUSED_WITH("502", "chunks", CHUNKS),
  REFUSED_WITH("503", "until closed", "\r\n" DETAIL),

  ENDED("on accept", NULL, ""),
  ENDED("within the status line", "proxy", "HTTP/1.1 20"),
  ENDED("within the headers", "proxy", ESTABLISHED "Via: so"),
  ENDED("before the blank line", "proxy", ESTABLISHED "Via: someone\r\n"),
  ENDED("after an interim answer", NULL, "HTTP/1.1 100 Continue\r\n\r\n"),
  ENDED("in the handshake", NULL, ESTABLISHED "\r\n"),
  ENDED("in the handshake, with a length", NULL, ESTABLISHED "Content-Length: 1000\r\n\r\n"),
  ENDED("in the handshake, with chunks", NULL, ESTABLISHED "Transfer-Encoding: chunked\r\n\r\n"),
  {.name = "CONNECT without HTTP", NO_TUNNEL, .fragment = "proxy",
   .answer = {.bytes = "SSH-2.0-OpenSSH\r\n\r\n", .then = HOSTILE_CLOSE}},
  {.name = "CONNECT and no TLS", .proxy = "http", .consequence = NOT_SENT_PERMANENT, .code = ARGYLE_ERROR_TLS,
   .answer = {.bytes = ESTABLISHED "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"}},

#define SOCKS(scheme, what, text, size, end) \
  {.name = scheme " " what, .proxy = scheme, .consequence = NOT_SENT, .code = ARGYLE_ERROR_CONNECTION, .requests = 1, \
   .answer = {.bytes = text, .length = size, .on_connect = true, .any_bytes = true, .then = end}}
  SOCKS("socks5h", "closed", "", 0, HOSTILE_CLOSE),
  SOCKS("socks5h", "cut", "\5", 1, HOSTILE_CLOSE),
  SOCKS("socks5h", "accepts no method", "\5\377", 2, HOSTILE_CLOSE),
  SOCKS("socks5h", "refuses", "\5\0\5\5\0\1\0\0\0\0\0\0", 12, HOSTILE_CLOSE),
  SOCKS("socks5h", "cuts its answer", "\5\0\5\0\0\1\0\0", 8, HOSTILE_CLOSE),
  SOCKS("socks5h", "of another version", "\4\0\5\0\0\1\0\0", 8, HOSTILE_CLOSE),
  SOCKS("socks5h", "closed in the handshake", "\5\0\5\0\0\1\0\0\0\0\0\0", 12, HOSTILE_CLOSE),
  SOCKS("socks5h", "reset in the handshake", "\5\0\5\0\0\1\0\0\0\0\0\0", 12, HOSTILE_RESET),
  SOCKS("socks4a", "closed", "", 0, HOSTILE_CLOSE),
  SOCKS("socks4a", "refuses", "\0\133\0\0\0\0\0\0", 8, HOSTILE_CLOSE),
  SOCKS("socks4a", "closed in the handshake", "\0\132\0\0\0\0\0\0", 8, HOSTILE_CLOSE),
};

/* ---------------------------------------------------------------- Large and slow */

/* An answer with `lines` header lines of `size` bytes each; the caller frees it. */
static char *many_lines(const char *begin, size_t lines, size_t size) {
  size_t length = strlen(begin);
  char *text = malloc(length + lines * size + 3);
  memcpy(text, begin, length);
  for (size_t i = 0; i < lines; i++, length += size) {
    memset(&text[length], 'x', size);
    memcpy(&text[length], "X: ", 3);
    memcpy(&text[length + size - 2], "\r\n", 2);
  }
  strcpy(&text[length], "\r\n");
  return text;
}

/* Too many headers are the proxy's fault; with fewer, the tunnel is established for a moment. */
static void large_headers(void **state) {
  (void)state;
  static const struct {
    const char *name;
    size_t lines, size;
  } sizes[] = {
    {"CONNECT with 2,000 header lines", 2000, 20},    {"CONNECT with headers of 260 KB", 65, 4096},
    {"CONNECT with a header line of 20 KB", 1, 20480}, {"CONNECT with headers of 1 MB", 256, 4096},
    {"CONNECT with a header line of 1 MB", 1, 1048576},
  };
  for (size_t i = 0; i < COUNT(sizes); i++) {
    for (int is_refused = 0; is_refused < 2; is_refused++) {
      char *text = many_lines(is_refused ? REFUSED_BY("502") : ESTABLISHED, sizes[i].lines, sizes[i].size);
      run_numbered_fault((fault){.name = sizes[i].name, NO_TUNNEL, .answer = {.bytes = text, .then = HOSTILE_CLOSE}},
                         is_refused);
      free(text);
    }
  }
}

/* Each limit but stall_timeout_ms, which starts with the request, bounds the time until the tunnel is established. */
static void stalled_before_the_tunnel(void **state) {
  (void)state;
  static const struct {
    const char *name;
    hostile_answer answer;
  } stalls[] = {
    {"CONNECT stalled", {.then = HOSTILE_STALL}},
    {"CONNECT stalled within the headers", {.bytes = ESTABLISHED "Via: ", .then = HOSTILE_STALL}},
    {"CONNECT stalled after an interim answer", {.bytes = "HTTP/1.1 103 Hints\r\n", .then = HOSTILE_STALL}},
    {"CONNECT dripping within the headers", {.bytes = ESTABLISHED "Via: ", .then = HOSTILE_DRIP}},
    {"CONNECT stalled within the body", {.bytes = REFUSED_BY("407") "Content-Length: 9\r\n\r\n{", .then = HOSTILE_STALL}},
    {"CONNECT dripping within the body",
     {.bytes = REFUSED_BY("407") "Content-Length: 99999999\r\n\r\n", .then = HOSTILE_DRIP}},
    {"CONNECT stalled in the handshake", {.bytes = ESTABLISHED "\r\n", .then = HOSTILE_STALL}},
  };
  for (size_t i = 0; i < COUNT(stalls); i++) {
    for (int limit = 0; limit < 3; limit++) {
      /* The last one, a handshake, first loads the authorities, which takes a second under valgrind. */
      if (is_sampled() && i + 1 == COUNT(stalls) && limit > 0) {
        continue;
      }
      run_numbered_fault(
        (fault){
          .name = stalls[i].name,
          UNSENT,
          .code = ARGYLE_ERROR_TIMEOUT,
          .concurrent = true,
          .requests = 1,
          .answer = stalls[i].answer,
          .stall_timeout_ms = 1,
          .connect_timeout_ms = limit == 0 ? SHORT_MS : 0,
          .timeout_ms = limit == 1 ? SHORT_MS : 0,
          .deadline_ms = limit == 2 ? SHORT_MS : 0,
        },
        limit);
    }
  }
}

/* libcurl reads the body of such a refusal byte by byte, and checks no timeout while more of it is available. */
static void flooded_before_the_tunnel(void **state) {
  (void)state;
  static const char *const bodies[] = {
    REFUSED_BY("407") "Content-Length: 9000000000000000000\r\n\r\n",
    REFUSED_BY("407") "Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n",
  };
  static const char *const limits[] = {"connect_timeout_ms", "timeout_ms", "deadline_ms"};
  for (size_t i = 0; i < COUNT(bodies); i++) {
    for (size_t limit = 0; limit < (is_sampled() ? 1 : COUNT(limits)); limit++) {
      run_numbered_fault((fault){.name = "CONNECT refused with an endless body", UNSENT, .code = ARGYLE_ERROR_TIMEOUT,
                                 .fragment = limits[limit], .concurrent = true, .requests = 1,
                                 .columns = ONLY_CREATE, /* because each uses a whole CPU */
                                 .connect_timeout_ms = limit == 0 ? SHORT_MS : 0,
                                 .timeout_ms = limit == 1 ? SHORT_MS : 0,
                                 .deadline_ms = limit == 2 ? SHORT_MS : 0,
                                 .answer = {.bytes = bodies[i], .then = HOSTILE_FLOOD}},
                         (int)(i * COUNT(limits) + limit));
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(large_headers),
    matrix_test(stalled_before_the_tunnel),
    matrix_test(flooded_before_the_tunnel),
  };
  return run_matrix("faults of proxies", faults, COUNT(faults), tests, COUNT(tests));
}
