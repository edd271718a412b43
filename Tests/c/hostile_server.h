/*
 * A small server that sends the bytes a test gives it, misbehaves on request, and records exactly what it received.
 * It listens on a free port of 127.0.0.1 and serves each connection on its own thread.
 */
#ifndef HOSTILE_SERVER_H
#define HOSTILE_SERVER_H

#include "harness.h"
#include "tls_server.h"

typedef struct hostile_server hostile_server;

/* What to do after the bytes are sent. */
typedef enum {
  HOSTILE_KEEP,  /* wait for the next request */
  HOSTILE_CLOSE, /* close the connection */
  HOSTILE_RESET, /* reset the connection */
  HOSTILE_STALL, /* send nothing until the client disconnects or the server is stopped */
  HOSTILE_DRIP,  /* send a byte every 10 ms until then */
  HOSTILE_FLOOD, /* send as much as the client reads until then, advancing the stopped clock meanwhile */
  HOSTILE_REPEAT /* send the same bytes repeatedly until then */
} hostile_then;

typedef struct {
  const char *bytes; /* copied; NULL: none */
  size_t length;     /* 0: up to the NUL */
  hostile_then then;
  bool on_connect;    /* act as soon as a client connects, without reading a request */
  bool any_bytes;     /* the first bytes received on a new connection are the request, all of them its body */
  bool unread;        /* act once a client has sent something, without reading it */
  bool held;          /* act once the test releases the answer */
  int delay_ms;       /* delay before the bytes */
  int pause_ms;       /* pause after each byte, so that they arrive one by one */
  const char *stray;  /* copied; unsolicited bytes sent after the others; NULL: none */
  int stray_delay_ms; /* delay before the stray bytes */
  const char *repeated; /* not copied; the bytes of HOSTILE_REPEAT */
  size_t repeated_length;
  int advance_ms; /* advance the stopped clock by this after the bytes, or, if held, before waiting for the release */
} hostile_answer;

/* A received request. */
typedef struct {
  char *method;
  char *target; /* path and query, as sent */
  char *head;   /* the header lines, each NUL-terminated, and an empty one */
  char *body;   /* NUL-terminated */
  size_t body_length;
} hostile_request;

hostile_server *hostile_server_start(void);

/* The same, but connections are refused until hostile_server_open(). */
hostile_server *hostile_server_start_closed(void);
void hostile_server_open(hostile_server *server);

/* The same over TLS, with the certificate and key of `identity`; the client must trust its `certificate`. */
hostile_server *hostile_server_start_tls(const tls_server *identity);

void hostile_server_stop(hostile_server *server);

/* "http://127.0.0.1:PORT" */
const char *hostile_server_url(const hostile_server *server);
int hostile_server_port(const hostile_server *server);

/* Adds an answer. Each request on any connection gets the next one; the last is repeated. */
void hostile_server_answer(hostile_server *server, hostile_answer answer);

/* Adds a well-formed answer with a Content-Length that keeps the connection open. `headers` are whole lines. */
void hostile_server_answer_http(hostile_server *server, int status, const char *headers, const char *body,
                                size_t body_length);

/* Adds a well-formed answer with a JSON body. */
void hostile_server_answer_json(hostile_server *server, int status, const char *body);

/* The number of accepted connections, and of requests read completely. */
int hostile_server_connections(hostile_server *server);
int hostile_server_requests(hostile_server *server);

/* The request at an index from 0, valid until the server is stopped. */
const hostile_request *hostile_server_request(hostile_server *server, int index);

/* The value of a header, case-insensitive; NULL if there is none. */
const char *hostile_request_header(const hostile_request *request, const char *name);

/* Whether the request's query contains a parameter, such as "limit=5". */
bool hostile_request_has_query(const hostile_request *request, const char *part);

/* Waits until the server has closed `connections` connections. */
void hostile_server_wait_for_closed(hostile_server *server, int connections);

/* Waits until the client's system has received the stray bytes of `strays` answers. */
void hostile_server_wait_for_strays(hostile_server *server, int strays);

/* Waits until the server has accepted or read this many; returns false after five minutes. */
bool hostile_server_wait_for_connections(hostile_server *server, int connections);
bool hostile_server_wait_for_requests(hostile_server *server, int requests);

/* Releases a held answer, or the next one to be held, and waits until the client's system has received its bytes. */
void hostile_server_release(hostile_server *server);

/* Writes "http://127.0.0.1:PORT" with a port on which nothing listens. */
void closed_port_url(char *url, size_t size);

/* ---------------------------------------------------------------- Test fixture */

typedef struct {
  hostile_server *server;
  argyle_client *client;
} hostile_fixture;

int hostile_setup(void **state);
int hostile_teardown(void **state);

/* A test whose state is its own hostile_fixture. */
#define hostile_test(test) cmocka_unit_test_setup_teardown(test, hostile_setup, hostile_teardown)

#endif /* HOSTILE_SERVER_H */
