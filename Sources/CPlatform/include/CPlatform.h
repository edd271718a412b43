// The C library, for both builds: Embedded Swift has no Glibc module.
#ifndef ARGYLE_CPLATFORM_H
#define ARGYLE_CPLATFORM_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

// Keeps the loaded library that holds `address` in memory for the life of the process. Returns 0, or -1 where
// no loaded library does.
int argyle_pin_library(const void *address);

// A page of memory that is empty in a forked child, or NULL where the kernel does not offer that.
void *argyle_fork_page(void);
void argyle_fork_page_free(void *page);

// Lets the number of a descriptor stand for what another one stands for, in this process alone.
void argyle_replace_descriptor(int descriptor, int other);

// Whether an OpenSSL session (SSL *) of a libcurl that holds `libcurl` has read bytes that nobody has taken yet.
// Returns 0 where its OpenSSL is not found.
int argyle_openssl_has_pending(const void *libcurl, const void *session);

// Overwrites memory that is about to be released, which no compiler leaves out.
void argyle_wipe(void *memory, size_t size);

// The event POLLRDHUP: the other side of a socket sends no more.
short argyle_poll_hangup(void);

// Necessary because the type of RLIMIT_NOFILE differs with _GNU_SOURCE. How many descriptors the process may have.
static inline long argyle_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return (long)limit.rlim_cur;
}

// Necessary because fcntl is variadic. Whether the process has no such descriptor.
static inline bool argyle_is_closed(int descriptor) { return fcntl(descriptor, F_GETFD) < 0; }

// Necessary because ioctl is variadic. How many bytes of a socket the other side has not confirmed yet.
int argyle_unsent_bytes(int socket);

// Necessary because sockaddr_storage has to be read as another type. The port that a TCP socket is bound to; 0: none.
static inline int argyle_local_port(int socket) {
  union {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
  } name = {.any.sa_family = AF_UNSPEC};
  socklen_t size = sizeof name;
  if (getsockname(socket, &name.any, &size) != 0) return 0;
  if (name.any.sa_family == AF_INET) return ntohs(name.in.sin_port);
  return name.any.sa_family == AF_INET6 ? ntohs(name.in6.sin6_port) : 0;
}

// Whether anything can be read from a socket without waiting: bytes, its end or an error.
static inline int argyle_has_input(int socket) {
  struct pollfd input = {.fd = socket, .events = POLLIN};
  return poll(&input, 1, 0) != 0;
}

// Necessary because open is variadic, which Swift does not import.
static inline int argyle_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// Necessary because Swift 6 refuses C's global variables as unsafe shared state.
static inline char *argyle_getopt_argument(void) { return optarg; }
static inline int argyle_getopt_index(void) { return optind; }

#endif
