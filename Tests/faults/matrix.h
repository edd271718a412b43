/*
 * The fault matrix: each fault of a server against every operation in every form. A cell is one of these. In each
 * the error is the one that the contract names, it comes in time, nothing is left open, and the same client works
 * afterwards.
 */
#ifndef MATRIX_H
#define MATRIX_H

#include "clock.h"
#include "descriptors.h"
#include "hostile_server.h"

/* What every operation takes for a success, and every cursor for the last page. */
#define GOOD_BODY "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": [{\"id\": \"u1\"}]}"
#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
/* A whole answer whose body ends with the connection. */
#define OK_UNTIL_CLOSED OK_HEAD "\r\n"

/* ---------------------------------------------------------------- Faults */

/* What became of the request, as far as a client can tell; it decides what is said of repeating it. */
typedef enum {
  NO_FAULT,              /* the operation succeeds all the same */
  NOT_SENT,              /* it did not reach the service */
  NOT_SENT_NOW_OR_LATER, /* the same, and another attempt would do no better */
  LOST,                  /* it may have reached the service, but no answer came */
  PERHAPS_SENT,          /* either of NOT_SENT and LOST */
  NOT_HTTP,              /* what came is no answer, and another attempt would do no better */
  UNREADABLE,            /* a success came, and cannot be read; a delete has nothing to read */
  REFUSED                /* another status came */
} consequence;

/* The operations and forms that a fault is for. */
typedef enum {
  ALL_COLUMNS,
  ONLY_CREATE,
  ONLY_GET,
  ONLY_UPDATE,
  ONLY_LIST, /* the cursors too */
  ONLY_LIST_ITSELF,
  ONLY_DELETE,
  ONLY_TOKEN_CREATE,
  ONLY_REPEATABLE,
  ONLY_CREATIONS
} columns;

typedef struct {
  const char *name;
  consequence consequence;
  hostile_answer answer; /* what the server does */
  int code;              /* the error, unless there is none */
  const char *fragment;  /* stands in its message */
  columns columns;

  int status;              /* of a whole answer; 0: 200 where it is UNREADABLE */
  int retry_after_ms;      /* what the error tells of a Retry-After; 0: there is none */
  bool status_is_told;     /* the error of NOT_HTTP has a status all the same, of 200 */
  bool texts_are_not_read; /* UNREADABLE, but the form that gives texts succeeds */

  /*
   * Options of the client; 0: a limit that is never reached, and no repetition. The clock stands: a limit passes when
   * the server has done what it does, and waits between attempts take no time.
   */
  int timeout_ms, connect_timeout_ms, deadline_ms, stall_timeout_ms, max_retries, max_response_bytes;

  bool closed;          /* nobody listens */
  bool https;           /* the server, which knows no TLS, is asked for it; the client cannot go on then */
  const char *base_url; /* instead of the server's; the same */
  const char *proxy;    /* the server is a proxy by this scheme, and a service behind TLS is asked for; the same */

  /* With one of these, each operation has a server of its own. */
  bool at_once; /* all operations at the same time, where none moves the clock: for what takes time */
  bool kept;    /* on a connection that was kept from a request before */
  const char *stray;      /* and that has brought this since, which nobody asked for; NULL: nothing */
  bool closed_by_stray;   /* and has ended then */

  /* What the server does next, and how many requests come then; only with one of the two above. */
  const hostile_answer *then;
  int requests;
} fault;

/* Does it: a row of the matrix, and then the same again with a server that is well. */
void run_fault(const fault *fault);

/* The same with a name that holds a number. */
void run_numbered_fault(fault fault, int number);

/* Notes a cell that a test has looked at by itself. */
void count_cell(void);

/*
 * Whether only a part of the cells is looked at, because ARGYLE_FAULT_STEP says so, as under valgrind: 5 there means
 * every fifth column of a row, other ones in the next row.
 */
bool is_thinned(void);

/* A limit that passes. */
#define SHORT_MS PASSING_MS

/* ---------------------------------------------------------------- Programs */

/* Runs these faults, each as a test, and these tests; then tells the number of cells. */
int run_matrix(const char *name, const fault *faults, size_t fault_count, const struct CMUnitTest *tests,
               size_t test_count);

/* A test that calls run_fault() by itself. */
#define matrix_test(test) cmocka_unit_test_teardown(test, matrix_teardown)
int matrix_teardown(void **state);

#endif /* MATRIX_H */
