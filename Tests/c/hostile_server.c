#include "hostile_server.h"

#include "clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_ANSWERS 256
#define MAX_REQUESTS 4096
#define MAX_CONNECTIONS 256
#define DRIP_MS 10
/* A longer wait would never end. */
#define PATIENCE_S 300

typedef struct {
  hostile_server *server;
  int socket; /* -1 once closed */
  SSL *tls;   /* NULL: plain TCP */
  pthread_t thread;
} connection;

struct hostile_server {
  int listener;
  int port;
  char url[64];
  bool open;
  SSL_CTX *tls;       /* NULL: plain TCP */
  pthread_t acceptor; /* if open */

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t changed; /* a count below has changed, or the server is stopping */
  hostile_answer answers[MAX_ANSWERS];
  int answer_count;
  int next_answer; /* answer_count once all were sent */
  hostile_request *requests[MAX_REQUESTS];
  int request_count;
  connection connections[MAX_CONNECTIONS];
  int connection_count;
  int closed_count;
  int stray_count;
  int released_count;  /* held answers that may be sent */
  int claimed_count;   /* those that a connection is sending or has sent */
  int delivered_count; /* those that the client's system has received */
  bool is_stopping;
};

/* ---------------------------------------------------------------- Bytes */

static ssize_t receive(connection *connection, void *bytes, size_t size) {
  return connection->tls != NULL ? SSL_read(connection->tls, bytes, (int)size)
                                 : recv(connection->socket, bytes, size, 0);
}

static bool send_all(connection *connection, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = connection->tls != NULL ? SSL_write(connection->tls, bytes, (int)length)
                                           : send(connection->socket, bytes, length, MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

/* ---------------------------------------------------------------- The script */

/* The next answer; the lock is held. */
static hostile_answer next_answer(const hostile_server *server) {
  int last = server->answer_count - 1;
  if (last < 0) {
    return (hostile_answer){.bytes = "", .then = HOSTILE_CLOSE};
  }
  return server->answers[server->next_answer <= last ? server->next_answer : last];
}

/* Takes the next answer; the lock is held. */
static hostile_answer take_answer(hostile_server *server) {
  hostile_answer answer = next_answer(server);
  if (server->next_answer < server->answer_count) {
    server->next_answer++;
  }
  return answer;
}

/* Takes the next answer if it does not wait for an HTTP request. */
static bool take_early_answer(hostile_server *server, hostile_answer *answer) {
  pthread_mutex_lock(&server->lock);
  *answer = next_answer(server);
  bool is_early = answer->on_connect || answer->unread || answer->any_bytes;
  if (is_early) {
    take_answer(server);
  }
  pthread_mutex_unlock(&server->lock);
  return is_early;
}

static bool send_one_by_one(connection *connection, const char *bytes, size_t length, int pause_ms) {
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  for (size_t i = 0; i < length; i++) {
    if (!send_all(connection, bytes + i, 1)) {
      return false;
    }
    poll(NULL, 0, pause_ms);
  }
  return true;
}

static void wait_until_closed(connection *connection) {
  char ignored[4096];
  while (receive(connection, ignored, sizeof ignored) > 0) {
  }
}

static void drip_until_closed(connection *connection) {
  for (;;) {
    struct pollfd ready = {.fd = connection->socket, .events = POLLIN};
    char ignored[4096];
    if (poll(&ready, 1, DRIP_MS) > 0 && receive(connection, ignored, sizeof ignored) <= 0) {
      return;
    }
    if (!send_all(connection, "x", 1)) {
      return;
    }
  }
}

static void count_one(hostile_server *server, int *count) {
  pthread_mutex_lock(&server->lock);
  ++*count;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
}

/* Waits until the client's system has acknowledged all that was sent. */
static void wait_for_arrival(const connection *connection) {
  int unacknowledged;
  struct pollfd end = {.fd = connection->socket};
  while (ioctl(end.fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged > 0 && poll(&end, 1, 1) == 0) {
  }
}

/* Advances the clock meanwhile, if it is stopped. */
static void flood_until_closed(connection *connection) {
  static const char bytes[8192];
  /* A small buffer, so that the clock does not run far ahead of the client. */
  setsockopt(connection->socket, SOL_SOCKET, SO_SNDBUF, &(int){sizeof bytes}, sizeof(int));
  while (send_all(connection, bytes, sizeof bytes)) {
    advance_clock(10);
  }
}

/* Keeps as much as possible in flight, so that the client never waits for more. */
static void repeat_until_closed(connection *connection, const hostile_answer *answer) {
  size_t size = 65536 - 65536 % answer->repeated_length;
  char *bytes = malloc(size);
  for (size_t i = 0; i < size; i++) {
    bytes[i] = answer->repeated[i % answer->repeated_length];
  }
  while (send_all(connection, bytes, size)) {
  }
  free(bytes);
}

/* Sends the stray bytes and counts them once the client's system has received them. */
static bool send_stray(connection *connection, const hostile_answer *answer) {
  if (answer->stray_delay_ms > 0) {
    poll(NULL, 0, answer->stray_delay_ms);
  }
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  bool sent = send_all(connection, answer->stray, strlen(answer->stray));
  if (answer->then == HOSTILE_CLOSE) {
    shutdown(connection->socket, SHUT_WR);
  }
  wait_for_arrival(connection);
  count_one(connection->server, &connection->server->stray_count);
  return sent;
}

/* Waits until a held answer is released; returns false if the server stops first. */
static bool wait_for_release(hostile_server *server) {
  pthread_mutex_lock(&server->lock);
  while (server->claimed_count == server->released_count && !server->is_stopping) {
    pthread_cond_wait(&server->changed, &server->lock);
  }
  bool is_released = server->claimed_count < server->released_count;
  server->claimed_count += is_released;
  pthread_mutex_unlock(&server->lock);
  return is_released;
}

/* Sends an answer and misbehaves as it says; returns whether to keep the connection. */
static bool perform(connection *connection, const hostile_answer *answer) {
  hostile_server *server = connection->server;
  if (answer->unread) {
    poll(&(struct pollfd){.fd = connection->socket, .events = POLLIN}, 1, -1);
  }
  if (answer->held) {
    advance_clock(answer->advance_ms);
    if (!wait_for_release(server)) {
      return false;
    }
  }
  if (answer->delay_ms > 0) {
    poll(NULL, 0, answer->delay_ms);
  }
  bool sent = answer->pause_ms > 0
                ? send_one_by_one(connection, answer->bytes, answer->length, answer->pause_ms)
                : send_all(connection, answer->bytes, answer->length);
  if (answer->held) {
    wait_for_arrival(connection);
    count_one(server, &server->delivered_count);
  }
  if (!sent || (answer->stray != NULL && !send_stray(connection, answer))) {
    return false;
  }
  if (!answer->held) {
    advance_clock(answer->advance_ms);
  }
  switch (answer->then) {
  case HOSTILE_KEEP:
    return true;
  case HOSTILE_STALL:
    wait_until_closed(connection);
    return false;
  case HOSTILE_DRIP:
    drip_until_closed(connection);
    return false;
  case HOSTILE_FLOOD:
    flood_until_closed(connection);
    return false;
  case HOSTILE_REPEAT:
    repeat_until_closed(connection, answer);
    return false;
  case HOSTILE_RESET:
    /* With a linger time of 0, close() resets the connection. */
    setsockopt(connection->socket, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    return false;
  case HOSTILE_CLOSE:
    break;
  }
  return false;
}

/* ---------------------------------------------------------------- Reading a request */

typedef struct {
  char *bytes;
  size_t length;
  size_t capacity;
} buffer;

/* Reads more bytes and keeps them NUL-terminated; returns false if the client has disconnected. */
static bool read_more(connection *connection, buffer *buffer) {
  if (buffer->capacity < buffer->length + 65536) {
    buffer->capacity = buffer->capacity * 2 + 65536;
    buffer->bytes = realloc(buffer->bytes, buffer->capacity);
  }
  ssize_t received = receive(connection, buffer->bytes + buffer->length, buffer->capacity - buffer->length - 1);
  if (received <= 0) {
    return false;
  }
  buffer->length += (size_t)received;
  buffer->bytes[buffer->length] = '\0';
  return true;
}

/* Replaces the CR LF of each line of the head with a NUL. */
static void split_lines(char *head) {
  char *write = head;
  for (const char *read = head; *read != '\0'; read++) {
    if (read[0] == '\r' && read[1] == '\n') {
      *write++ = '\0';
      read++;
    } else {
      *write++ = *read;
    }
  }
  *write = '\0';
}

/* Creates a request without its body from a head such as "GET / HTTP/1.1\r\nHost: h\r\n". */
static hostile_request *parse_head(const char *bytes, size_t length) {
  hostile_request *request = calloc(1, sizeof *request);
  size_t line = (size_t)(strstr(bytes, "\r\n") - bytes);
  size_t method = strcspn(bytes, " \r");
  size_t target = method < line ? strcspn(bytes + method + 1, " \r") : 0;
  request->method = strndup(bytes, method);
  request->target = strndup(bytes + method + 1, target);
  request->head = calloc(1, length - line); /* 2 more than the lines need, for the empty line */
  memcpy(request->head, bytes + line + 2, length - line - 2);
  split_lines(request->head);
  return request;
}

static void free_request(hostile_request *request) {
  free(request->method);
  free(request->target);
  free(request->head);
  free(request->body);
  free(request);
}

/* Reads one whole request; returns NULL if the client disconnects first. */
static hostile_request *read_request(connection *connection) {
  buffer buffer = {0};
  hostile_request *request = NULL;
  const char *end = NULL;
  while (end == NULL) {
    if (!read_more(connection, &buffer)) {
      free(buffer.bytes);
      return NULL;
    }
    end = strstr(buffer.bytes, "\r\n\r\n");
  }
  size_t head_length = (size_t)(end - buffer.bytes) + 2;
  request = parse_head(buffer.bytes, head_length);

  const char *content_length = hostile_request_header(request, "Content-Length");
  request->body_length = content_length != NULL ? strtoul(content_length, NULL, 10) : 0;
  if (hostile_request_header(request, "Expect") != NULL) {
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    send_all(connection, interim, strlen(interim));
  }
  while (buffer.length < head_length + 2 + request->body_length) {
    if (!read_more(connection, &buffer)) {
      free(buffer.bytes);
      free_request(request);
      return NULL;
    }
  }
  request->body = calloc(1, request->body_length + 1);
  memcpy(request->body, buffer.bytes + head_length + 2, request->body_length);
  free(buffer.bytes);
  return request;
}

/* Reads the first bytes as a request; returns NULL if the client disconnects first. */
static hostile_request *read_any_bytes(connection *connection) {
  buffer buffer = {0};
  if (!read_more(connection, &buffer)) {
    free(buffer.bytes);
    return NULL;
  }
  hostile_request *request = calloc(1, sizeof *request);
  request->body = buffer.bytes;
  request->body_length = buffer.length;
  return request;
}

/* Records a request; the lock is held. */
static void append_request(hostile_server *server, hostile_request *request) {
  if (server->request_count < MAX_REQUESTS) {
    server->requests[server->request_count++] = request;
    pthread_cond_broadcast(&server->changed);
  } else {
    free_request(request);
  }
}

static void record(hostile_server *server, hostile_request *request) {
  pthread_mutex_lock(&server->lock);
  append_request(server, request);
  pthread_mutex_unlock(&server->lock);
}

/* Records a request and takes its answer atomically: once a test sees the request, its answer is taken. */
static hostile_answer answer_to(hostile_server *server, hostile_request *request) {
  pthread_mutex_lock(&server->lock);
  append_request(server, request);
  hostile_answer answer = take_answer(server);
  pthread_mutex_unlock(&server->lock);
  return answer;
}

/* ---------------------------------------------------------------- Threads */

static void *serve_connection(void *argument) {
  connection *connection = argument;
  hostile_server *server = connection->server;
  hostile_answer answer;
  if (connection->tls != NULL && SSL_accept(connection->tls) != 1) {
    /* The handshake failed; the connection is closed below. */
  } else if (take_early_answer(server, &answer)) {
    hostile_request *request = answer.any_bytes ? read_any_bytes(connection) : NULL;
    if (request != NULL) {
      record(server, request);
    }
    perform(connection, &answer);
  } else {
    hostile_request *request;
    bool open = true;
    while (open && (request = read_request(connection)) != NULL) {
      answer = answer_to(server, request);
      open = perform(connection, &answer);
    }
  }
  SSL_free(connection->tls);
  pthread_mutex_lock(&server->lock);
  close(connection->socket);
  connection->socket = -1;
  server->closed_count++;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
  return NULL;
}

static void *accept_connections(void *argument) {
  hostile_server *server = argument;
  for (;;) {
    int socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
    if (socket < 0) {
      return NULL;
    }
    pthread_mutex_lock(&server->lock);
    if (server->connection_count < MAX_CONNECTIONS) {
      connection *connection = &server->connections[server->connection_count++];
      connection->server = server;
      connection->socket = socket;
      if (server->tls != NULL) {
        connection->tls = SSL_new(server->tls);
        SSL_set_fd(connection->tls, socket);
      }
      pthread_create(&connection->thread, NULL, serve_connection, connection);
      pthread_cond_broadcast(&server->changed);
    } else {
      close(socket);
    }
    pthread_mutex_unlock(&server->lock);
  }
}

/* Creates a socket bound to a free port of 127.0.0.1. */
static int bind_free_port(int *port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    print_error("cannot bind a socket: %s\n", strerror(errno));
    abort();
  }
  *port = ntohs(address.sin_port);
  return listener;
}

hostile_server *hostile_server_start_closed(void) {
  hostile_server *server = calloc(1, sizeof *server);
  pthread_mutex_init(&server->lock, NULL);
  pthread_cond_init(&server->changed, NULL);
  server->listener = bind_free_port(&server->port);
  snprintf(server->url, sizeof server->url, "http://127.0.0.1:%d", server->port);
  return server;
}

void hostile_server_open(hostile_server *server) {
  listen(server->listener, SOMAXCONN);

  /* The server's threads block all signals, so that a test's signals reach the test's own thread. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_create(&server->acceptor, NULL, accept_connections, server);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  server->open = true;
}

hostile_server *hostile_server_start(void) {
  hostile_server *server = hostile_server_start_closed();
  hostile_server_open(server);
  return server;
}

hostile_server *hostile_server_start_tls(const tls_server *identity) {
  hostile_server *server = hostile_server_start_closed();
  server->tls = SSL_CTX_new(TLS_server_method());
  assert_int_equal(SSL_CTX_use_certificate_chain_file(server->tls, identity->certificate), 1);
  assert_int_equal(SSL_CTX_use_PrivateKey_file(server->tls, identity->key, SSL_FILETYPE_PEM), 1);
  snprintf(server->url, sizeof server->url, "https://127.0.0.1:%d", server->port);
  hostile_server_open(server);
  return server;
}

void hostile_server_stop(hostile_server *server) {
  if (server->open) {
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->acceptor, NULL);
  }
  close(server->listener);

  pthread_mutex_lock(&server->lock);
  server->is_stopping = true;
  pthread_cond_broadcast(&server->changed);
  for (int i = 0; i < server->connection_count; i++) {
    if (server->connections[i].socket >= 0) {
      shutdown(server->connections[i].socket, SHUT_RDWR);
    }
  }
  pthread_mutex_unlock(&server->lock);
  for (int i = 0; i < server->connection_count; i++) {
    pthread_join(server->connections[i].thread, NULL);
  }

  for (int i = 0; i < server->answer_count; i++) {
    free((char *)server->answers[i].bytes);
    free((char *)server->answers[i].stray);
  }
  for (int i = 0; i < server->request_count; i++) {
    free_request(server->requests[i]);
  }
  SSL_CTX_free(server->tls);
  pthread_cond_destroy(&server->changed);
  pthread_mutex_destroy(&server->lock);
  free(server);
}

/* ---------------------------------------------------------------- Adding answers */

const char *hostile_server_url(const hostile_server *server) {
  return server->url;
}

int hostile_server_port(const hostile_server *server) {
  return server->port;
}

void hostile_server_answer(hostile_server *server, hostile_answer answer) {
  if (answer.bytes == NULL) {
    answer.bytes = "";
  }
  if (answer.length == 0) {
    answer.length = strlen(answer.bytes);
  }
  char *copy = malloc(answer.length + 1);
  memcpy(copy, answer.bytes, answer.length);
  answer.bytes = copy;
  if (answer.stray != NULL) {
    answer.stray = strdup(answer.stray);
  }

  pthread_mutex_lock(&server->lock);
  bool room = server->answer_count < MAX_ANSWERS;
  if (room) {
    server->answers[server->answer_count++] = answer;
  }
  pthread_mutex_unlock(&server->lock);
  assert_true(room);
}

void hostile_server_answer_http(hostile_server *server, int status, const char *headers, const char *body,
                                size_t body_length) {
  size_t capacity = 256 + strlen(headers) + body_length;
  char *bytes = malloc(capacity);
  int head = snprintf(bytes, capacity, "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\n\r\n", status, headers,
                      body_length);
  memcpy(bytes + head, body, body_length);
  hostile_server_answer(server, (hostile_answer){.bytes = bytes, .length = (size_t)head + body_length});
  free(bytes);
}

void hostile_server_answer_json(hostile_server *server, int status, const char *body) {
  hostile_server_answer_http(server, status, "Content-Type: application/json\r\n", body, strlen(body));
}

/* ---------------------------------------------------------------- What happened */

int hostile_server_connections(hostile_server *server) {
  pthread_mutex_lock(&server->lock);
  int count = server->connection_count;
  pthread_mutex_unlock(&server->lock);
  return count;
}

int hostile_server_requests(hostile_server *server) {
  pthread_mutex_lock(&server->lock);
  int count = server->request_count;
  pthread_mutex_unlock(&server->lock);
  return count;
}

const hostile_request *hostile_server_request(hostile_server *server, int index) {
  pthread_mutex_lock(&server->lock);
  const hostile_request *request = index < server->request_count ? server->requests[index] : NULL;
  pthread_mutex_unlock(&server->lock);
  assert_non_null(request);
  return request;
}

const char *hostile_request_header(const hostile_request *request, const char *name) {
  size_t length = strlen(name);
  for (const char *line = request->head; *line != '\0'; line += strlen(line) + 1) {
    if (strncasecmp(line, name, length) == 0 && line[length] == ':') {
      const char *value = line + length + 1;
      return value + strspn(value, " ");
    }
  }
  return NULL;
}

bool hostile_request_has_query(const hostile_request *request, const char *part) {
  const char *query = strchr(request->target, '?');
  while (query != NULL) {
    query++;
    size_t length = strcspn(query, "&");
    if (length == strlen(part) && strncmp(query, part, length) == 0) {
      return true;
    }
    query = strchr(query, '&');
  }
  return false;
}

/* Waits until one of the server's counts reaches `least`; returns false after PATIENCE_S. */
static bool wait_for(hostile_server *server, const int *count, int least) {
  struct timespec end;
  clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += PATIENCE_S;
  int result = 0;
  pthread_mutex_lock(&server->lock);
  while (*count < least && result == 0) {
    result = pthread_cond_timedwait(&server->changed, &server->lock, &end);
  }
  pthread_mutex_unlock(&server->lock);
  return result == 0;
}

void hostile_server_wait_for_closed(hostile_server *server, int connections) {
  assert_true(wait_for(server, &server->closed_count, connections));
}

void hostile_server_wait_for_strays(hostile_server *server, int strays) {
  assert_true(wait_for(server, &server->stray_count, strays));
}

bool hostile_server_wait_for_connections(hostile_server *server, int connections) {
  return wait_for(server, &server->connection_count, connections);
}

bool hostile_server_wait_for_requests(hostile_server *server, int requests) {
  return wait_for(server, &server->request_count, requests);
}

void hostile_server_release(hostile_server *server) {
  pthread_mutex_lock(&server->lock);
  int released = ++server->released_count;
  pthread_cond_broadcast(&server->changed);
  pthread_mutex_unlock(&server->lock);
  wait_for(server, &server->delivered_count, released);
}

void closed_port_url(char *url, size_t size) {
  int port;
  int listener = bind_free_port(&port);
  close(listener);
  snprintf(url, size, "http://127.0.0.1:%d", port);
}

/* ---------------------------------------------------------------- Test fixture */

int hostile_setup(void **state) {
  hostile_fixture *fixture = calloc(1, sizeof *fixture);
  fixture->server = hostile_server_start();
  fixture->client = client_for(hostile_server_url(fixture->server));
  *state = fixture;
  return 0;
}

int hostile_teardown(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client_free(fixture->client);
  hostile_server_stop(fixture->server);
  free(fixture);
  return clock_teardown(NULL);
}
