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

// Keeps the loaded library that contains `address` in memory for the life of the process. Returns 0, or -1 if no
// loaded library does.
int argyle_pin_library(const void *address);

// Allocates a page of memory that a forked child sees zeroed, or returns NULL if the kernel does not support that.
void *argyle_fork_page(void);
void argyle_fork_page_free(void *page);

// Makes a descriptor refer to the open file of another one, in this process only.
void argyle_replace_descriptor(int descriptor, int source);

// Whether an OpenSSL session (SSL *) has received bytes that were not read yet. `libcurl` is an address in the libcurl
// that owns it. Returns 0 if its OpenSSL is not found.
int argyle_openssl_has_pending(const void *libcurl, const void *session);

// Overwrites memory that is about to be released; the compiler does not optimise it away.
void argyle_wipe(void *memory, size_t size);

// The event POLLRDHUP: the peer of a socket has stopped sending.
short argyle_poll_hangup(void);

// Maximum number of descriptors. Necessary because the type of RLIMIT_NOFILE differs with _GNU_SOURCE.
static inline long argyle_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT_MAX) return INT_MAX;
  return (long)limit.rlim_cur;
}

// Whether a descriptor is closed. Necessary because fcntl is variadic.
static inline bool argyle_is_closed(int descriptor) { return fcntl(descriptor, F_GETFD) < 0; }

// Number of bytes written to a socket that the peer has not acknowledged. Necessary because ioctl is variadic.
int argyle_unsent_bytes(int socket);

// The local port of a TCP socket; 0 if none. Necessary because sockaddr_storage must be read as another type.
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

// Whether a socket can be read without blocking: bytes, the end of the stream or an error.
static inline int argyle_has_input(int socket) {
  struct pollfd input = {.fd = socket, .events = POLLIN};
  return poll(&input, 1, 0) != 0;
}

// Necessary because open is variadic, which Swift does not import.
static inline int argyle_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

// Necessary because Swift 6 rejects C's global variables as unsafe shared state.
static inline char *argyle_getopt_argument(void) { return optarg; }
static inline int argyle_getopt_index(void) { return optind; }

#endif
