#include "relay.h"

#include "wire.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct relay {
  int listener;
  int port;
  int server_port;
  int wake_up; /* an eventfd, signalled when the fields below change */
  pthread_t thread;

  pthread_mutex_t lock; /* guards all below */
  pthread_cond_t has_cut;
  bool should_cut;
  bool should_stop;
  size_t cut_after;
  int cuts;
};

/*
 * Sends a FIN and then a reset: a reset in the client's CLOSE_WAIT state makes its next write fail with EPIPE.
 */
static void cut(relay *relay, int client) {
  shutdown(client, SHUT_WR);
  /* Wait until the FIN is acknowledged. */
  struct tcp_info information = {0};
  socklen_t size = sizeof information;
  for (int i = 0; i < 30000; i++) {
    getsockopt(client, IPPROTO_TCP, TCP_INFO, &information, &size);
    if (information.tcpi_state == TCP_FIN_WAIT2) {
      break;
    }
    poll(NULL, 0, 1);
  }
  setsockopt(client, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
  close(client);
  pthread_mutex_lock(&relay->lock);
  relay->should_cut = false;
  relay->cuts++;
  pthread_cond_broadcast(&relay->has_cut);
  pthread_mutex_unlock(&relay->lock);
}

/* Forwards the available bytes; returns false when either side has closed. */
static bool forward(int from, int to, size_t *bytes) {
  char buffer[16384];
  ssize_t count = recv(from, buffer, sizeof buffer, 0);
  if (count <= 0) {
    return false;
  }
  *bytes += (size_t)count;
  for (ssize_t sent = 0; sent < count;) {
    ssize_t more = send(to, buffer + sent, (size_t)(count - sent), MSG_NOSIGNAL);
    if (more < 0) {
      return false;
    }
    sent += more;
  }
  return true;
}

static void serve(relay *relay, int client) {
  int server = connection_to(relay->server_port);
  size_t sent = 0, received = 0;
  bool is_open = server >= 0;
  while (is_open) {
    struct pollfd ready[] = {
      {.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}, {.fd = relay->wake_up, .events = POLLIN}};
    poll(ready, COUNT(ready), -1);
    if (ready[2].revents != 0) {
      eventfd_t ignored;
      eventfd_read(relay->wake_up, &ignored);
    }
    pthread_mutex_lock(&relay->lock);
    bool should_cut = relay->should_cut || (relay->cut_after > 0 && sent > relay->cut_after);
    bool should_stop = relay->should_stop;
    pthread_mutex_unlock(&relay->lock);
    if (should_cut) {
      cut(relay, client);
      close(server);
      return;
    }
    is_open = !should_stop && (ready[0].revents == 0 || forward(client, server, &sent)) &&
              (ready[1].revents == 0 || forward(server, client, &received));
  }
  if (server >= 0) {
    close(server);
  }
  close(client);
}

static void *run(void *argument) {
  relay *relay = argument;
  for (;;) {
    int client = accept(relay->listener, NULL, NULL);
    if (client < 0) {
      return NULL;
    }
    serve(relay, client);
  }
}

relay *relay_start(int port) {
  relay *relay = calloc(1, sizeof *relay);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  relay->server_port = port;
  relay->wake_up = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  relay->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* A small buffer, so that most of a large request is still unsent when the connection is cut. */
  setsockopt(relay->listener, SOL_SOCKET, SO_RCVBUF, &(int){32768}, sizeof(int));
  assert_int_equal(bind(relay->listener, (struct sockaddr *)&address, size), 0);
  assert_int_equal(listen(relay->listener, 16), 0);
  assert_int_equal(getsockname(relay->listener, (struct sockaddr *)&address, &size), 0);
  relay->port = ntohs(address.sin_port);
  pthread_mutex_init(&relay->lock, NULL);
  pthread_cond_init(&relay->has_cut, NULL);

  /* Signals must reach the test's own thread. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  assert_int_equal(pthread_create(&relay->thread, NULL, run, relay), 0);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return relay;
}

int relay_stop(relay *relay) {
  pthread_mutex_lock(&relay->lock);
  relay->should_stop = true;
  pthread_mutex_unlock(&relay->lock);
  eventfd_write(relay->wake_up, 1);
  shutdown(relay->listener, SHUT_RDWR);
  pthread_join(relay->thread, NULL);
  close(relay->listener);
  close(relay->wake_up);
  pthread_cond_destroy(&relay->has_cut);
  pthread_mutex_destroy(&relay->lock);
  int cuts = relay->cuts;
  free(relay);
  return cuts;
}

int relay_port(const relay *relay) {
  return relay->port;
}

void relay_cut_after(relay *relay, size_t bytes) {
  pthread_mutex_lock(&relay->lock);
  relay->cut_after = bytes;
  pthread_mutex_unlock(&relay->lock);
}

void relay_cut(relay *relay) {
  pthread_mutex_lock(&relay->lock);
  int cuts = relay->cuts;
  relay->should_cut = true;
  eventfd_write(relay->wake_up, 1);
  while (relay->cuts == cuts) {
    pthread_cond_wait(&relay->has_cut, &relay->lock);
  }
  pthread_mutex_unlock(&relay->lock);
}

