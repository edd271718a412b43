/* This process's open file descriptors. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include "harness.h"

/* How /proc names descriptors that are not files. */
#define EVENT_DESCRIPTOR "anon_inode:[eventfd]"
#define EPOLL_DESCRIPTOR "anon_inode:[eventpoll]"

typedef struct {
  bool is_open[4096];
} descriptor_set;

int count_descriptors(void);

/* The descriptors of one kind. */
descriptor_set descriptors_of(const char *kind);

/* The only descriptor of a kind that was opened since `before`. */
int new_descriptor(const char *kind, const descriptor_set *before);

#endif /* DESCRIPTORS_H */
