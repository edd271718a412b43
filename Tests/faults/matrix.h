/*
 * The fault matrix: each server fault (a row) with every operation in every form (the columns). Every cell checks that
 * the error is the documented one and comes in time, that no descriptor leaks, and that the client recovers.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "clock.h"
#include "descriptors.h"
#include "hostile_server.h"

/* A success for every operation, and the last page for every cursor. */
#define GOOD_BODY \
  "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"user_token\": \"t\", \"results\": [{\"id\": \"u1\"}]}"
#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
/* The head of a complete answer whose body ends with the connection. */
#define OK_UNTIL_CLOSED OK_HEAD "\r\n"

/* ---------------------------------------------------------------- Faults */

/* What became of the request, as far as a client can tell; decides whether it is safe to retry. */
typedef enum {
  NO_FAULT,           /* the operation succeeds anyway */
  NOT_SENT,           /* it did not reach the service */
  NOT_SENT_PERMANENT, /* the same, and a retry would not help */
  LOST,               /* it may have reached the service, but there was no answer */
  MAYBE_SENT,         /* either NOT_SENT or LOST */
  NOT_HTTP,           /* the answer is not HTTP, and a retry would not help */
  UNREADABLE,         /* the answer is a success that cannot be parsed; a delete parses nothing */
  REFUSED             /* the answer has another status */
} consequence;

/* The columns in which a fault is tested. */
typedef enum {
  ALL_COLUMNS,
  ONLY_CREATE,
  ONLY_GET,
  ONLY_UPDATE,
  ONLY_LIST, /* the cursors too */
  ONLY_LIST_ITSELF,
  ONLY_DELETE,
  ONLY_TOKEN_CREATE,
  ONLY_RETRYABLE,
  ONLY_CREATIONS
} columns;

typedef struct {
  const char *name;
  consequence consequence;
  hostile_answer answer; /* what the server does */
  int code;              /* of the expected error, if any */
  const char *fragment;  /* part of its message */
  columns columns;

  int api_version;    /* 0: 1; version 2 creates and updates users with fields */
  int status;         /* of the answer; 0: 200 if it is UNREADABLE */
  int retry_after_ms; /* the error's Retry-After; 0: none */
  bool has_status;    /* NOT_HTTP, but the error has status 200 */
  bool text_succeeds; /* UNREADABLE, but the cursor of texts succeeds */

  /*
   * Client options; 0: a limit that is never reached, and no retries. The clock is stopped: a limit is exceeded after
   * the server's answer, and waits between attempts take no time.
   */
  int timeout_ms, connect_timeout_ms, deadline_ms, stall_timeout_ms, max_retries, max_response_bytes;

  bool closed;          /* nothing listens */
  bool https;           /* https is requested of the server, which has no TLS; skips the check of recovery */
  const char *base_url; /* replaces the server's; skips it too */
  const char *proxy;    /* the server is a proxy with this scheme for an https service; skips it too */

  /* With one of these, each operation has its own server. */
  bool concurrent;      /* runs all operations at once if none advances the clock: for faults that take time */
  bool reused;          /* sends the request on a connection reused from an earlier one */
  const char *stray;    /* unsolicited bytes received on it since; NULL: none */
  bool closed_by_stray; /* the server has closed it after them */

  /* What the server does next, and how many requests it then gets; only with `concurrent` or `reused`. */
  const hostile_answer *then;
  int requests;
} fault;

/* Runs a row of the matrix, and then checks that each client recovers. */
void run_fault(const fault *fault);

/* The same, with a number appended to the name. */
void run_numbered_fault(fault fault, int number);

/* Counts a cell that a test has checked without run_fault(). */
void count_cell(void);

/*
 * Whether only a sample of the cells is tested, as under valgrind. ARGYLE_FAULT_STEP=5 tests every fifth column of a
 * row, and different ones in the next row.
 */
bool is_sampled(void);

/* A limit that is exceeded. */
#define SHORT_MS SHORT_LIMIT_MS

/* ---------------------------------------------------------------- Programs */

/* Runs each fault as a test, and the other tests; then prints the number of cells. */
int run_matrix(const char *name, const fault *faults, size_t fault_count, const struct CMUnitTest *tests,
               size_t test_count);

/* A test that calls run_fault() itself. */
#define matrix_test(test) cmocka_unit_test_teardown(test, matrix_teardown)
int matrix_teardown(void **state);

#endif /* MATRIX_H */
