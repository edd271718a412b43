/*
 * The time of this program, libcurl and both libraries, which a test may stop: then a timeout strikes when the test
 * moves the clock on, and never because the machine is slow.
 *
 * Whoever waits by a stopped clock still looks at it again and again: a test that expects a timeout of a blocking
 * function makes it short.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "harness.h"

/* Milliseconds since some moment, by that clock. */
int64_t now_ms(void);

/* Stops the clock; those who ask for the time are told the same until it is moved on. */
void stop_clock(void);

/* Moves a stopped clock on; one that goes is left alone. */
void move_clock(int64_t milliseconds);

/* Lets the clock go with the system's again. Nothing that has seen it stopped may be in use still. */
void start_clock(void);

/* A client like another for which no wait between two attempts takes time: the stopped clock is moved over it. */
argyle_client *without_waits(argyle_client *client);

/* A fixture for tests that stop the clock and have no other. */
int clock_teardown(void **state);
#define clock_test(test) cmocka_unit_test_teardown(test, clock_teardown)

#endif /* CLOCK_H */
