/*
 * A small server that answers with whatever bytes a test gives it, misbehaves as told, and remembers exactly
 * what it received. It listens on a free port of 127.0.0.1 and serves each connection on a thread.
 */
#ifndef HOSTILE_SERVER_H
#define HOSTILE_SERVER_H

#include "harness.h"
#include "tls_server.h"

typedef struct hostile_server hostile_server;

/* What to do once the bytes are sent. */
typedef enum {
  HOSTILE_KEEP,  /* wait for the next request */
  HOSTILE_CLOSE, /* close the connection */
  HOSTILE_RESET, /* end the connection with a reset */
  HOSTILE_STALL, /* say nothing more until the client goes away or the server is stopped */
  HOSTILE_DRIP,  /* send a byte every 10 ms until then */
  HOSTILE_FLOOD, /* send as many bytes as the client takes until then, and let the stopped clock go on meanwhile */
  HOSTILE_REPEAT /* send the same bytes again and again until then */
} hostile_then;

typedef struct {
  const char *bytes; /* copied; NULL: none */
  size_t length;     /* 0: up to the NUL */
  hostile_then then;
  bool at_once;      /* act as soon as a client connects, without reading a request */
  bool any_bytes;    /* what a new connection brings first is the request, whatever it is: all of it is its body */
  bool unread;       /* act once a client has sent something, without reading it */
  bool held;         /* act once the test releases the answer */
  int delay_ms;      /* wait so long before the bytes */
  int pause_ms;      /* and so long after each of them, so that they arrive one by one */
  const char *stray; /* copied; sent after the bytes, though nobody asked for it; NULL: nothing */
  int stray_delay_ms; /* wait so long before that */
  const char *repeated; /* not copied; the bytes of HOSTILE_REPEAT */
  size_t repeated_length;
  int passes_ms;     /* move the stopped clock on by so much after them, or once the answer is held: PASSING_MS of clock.h */
} hostile_answer;

/* A request as it was received. */
typedef struct {
  char *method;
  char *target; /* path and query, as sent */
  char *head;   /* the header lines, each ended by a NUL, and an empty one */
  char *body;   /* ended by a NUL */
  size_t body_length;
} hostile_request;

hostile_server *hostile_server_start(void);

/* The same, but connections are refused until hostile_server_open(). */
hostile_server *hostile_server_start_closed(void);
void hostile_server_open(hostile_server *server);

/* The same over TLS, with the certificate and key of a server, whose `certificate` the client is to trust. */
hostile_server *hostile_server_start_tls(const tls_server *identity);

void hostile_server_stop(hostile_server *server);

/* "http://127.0.0.1:PORT" */
const char *hostile_server_url(const hostile_server *server);
int hostile_server_port(const hostile_server *server);

/* Adds an answer. Each request takes the next one, over all connections; the last is given again and again. */
void hostile_server_answer(hostile_server *server, hostile_answer answer);

/* Adds a well-formed answer with a Content-Length that keeps the connection. `headers` are whole lines. */
void hostile_server_answer_http(hostile_server *server, int status, const char *headers, const char *body,
                                size_t body_length);

/* Adds a well-formed answer with a JSON body. */
void hostile_server_answer_json(hostile_server *server, int status, const char *body);

/* How many connections were accepted, and how many whole requests were read. */
int hostile_server_connections(hostile_server *server);
int hostile_server_requests(hostile_server *server);

/* The request of that number from 0, valid until the server is stopped. */
const hostile_request *hostile_server_request(hostile_server *server, int index);

/* The value of a header, or NULL where the request has none of that name. */
const char *hostile_request_header(const hostile_request *request, const char *name);

/* Whether the query of the request's target has this part, such as "limit=5". */
bool hostile_request_has_query(const hostile_request *request, const char *part);

/* Waits until the server has closed that many connections. */
void hostile_server_wait_for_closed(hostile_server *server, int connections);

/* Waits until the server has sent that many strays. */
void hostile_server_wait_for_strays(hostile_server *server, int strays);

/* The same until it has taken that many connections, or read that many requests; false where it does not in minutes. */
bool hostile_server_wait_for_connections(hostile_server *server, int connections);
bool hostile_server_wait_for_requests(hostile_server *server, int requests);

/* Lets an answer go that is held, or the next one that would be, and waits until the client's system has its bytes. */
void hostile_server_release(hostile_server *server);

/* "http://127.0.0.1:PORT" with a port that nobody listens on. */
void closed_port_url(char *url, size_t size);

/* ---------------------------------------------------------------- As the fixture of a test */

typedef struct {
  hostile_server *server;
  argyle_client *client; /* a client for it, of client_for() */
} hostile_fixture;

int hostile_setup(void **state);
int hostile_teardown(void **state);

/* A test whose state is a hostile_fixture of its own. */
#define hostile_test(test) cmocka_unit_test_setup_teardown(test, hostile_setup, hostile_teardown)

#endif /* HOSTILE_SERVER_H */
