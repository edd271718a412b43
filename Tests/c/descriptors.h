/* The descriptors that this process has open. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include "harness.h"

/* What /proc shows for descriptors that are no files. */
#define EVENT_DESCRIPTOR "anon_inode:[eventfd]"
#define EPOLL_DESCRIPTOR "anon_inode:[eventpoll]"

typedef struct {
  bool is_open[4096];
} descriptor_set;

/* How many descriptors the process has open. */
int count_descriptors(void);

/* Those of one kind. */
descriptor_set descriptors_of(const char *kind);

/* The one descriptor of a kind that is open now and was not before. */
int new_descriptor(const char *kind, const descriptor_set *before);

#endif /* DESCRIPTORS_H */
