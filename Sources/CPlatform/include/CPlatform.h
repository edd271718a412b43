// The C library, for both builds: Embedded Swift has no Glibc module.
#ifndef ARGYLE_CPLATFORM_H
#define ARGYLE_CPLATFORM_H

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// Keeps the loaded library that holds `address` in memory for the life of the process. Returns 0, or -1 where
// no loaded library does.
int argyle_pin_library(const void *address);

// The event POLLRDHUP: the other side of a socket sends no more.
short argyle_poll_hangup(void);

// Necessary because Swift 6 refuses C's global variables as unsafe shared state.
static inline char *argyle_getopt_argument(void) { return optarg; }
static inline int argyle_getopt_index(void) { return optind; }

#endif
