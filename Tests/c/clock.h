/* The time, for tests of waits. */
#ifndef CLOCK_H
#define CLOCK_H

#include "harness.h"

/* Milliseconds since some moment. */
int64_t now_ms(void);

#endif /* CLOCK_H */
