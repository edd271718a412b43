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

/*
 * Stops the clock; those who ask for the time are told the same until it is moved on. A clock that stands for ten
 * minutes ends the program, which hangs.
 */
void stop_clock(void);

/*
 * Moves a stopped clock on; one that goes is left alone. More than 50 ms beyond the time for which the library waits
 * are a pause of the process, by which it extends its limits.
 */
void move_clock(int64_t milliseconds);

/* A limit that passes by one move of the clock: longer than libcurl's own timers, and shorter than a pause. */
#define PASSING_MS 40

/* Lets a stopped clock go on from where it stands. */
void start_clock(void);

/* A log function that moves the clock over each wait between two attempts that it is told of. */
void move_clock_over_wait(int level, const char *message, const json_t *fields, void *context);

/* A client like another with that function: none of its waits takes time. The first is released. */
argyle_client *without_waits(argyle_client *client);

/* Lets the clock go with the system's. It may go back: nothing of the libraries that has seen it may be left. */
int clock_teardown(void **state);

/* A test that has no other fixture; a hostile_fixture does the same. */
#define clock_test(test) cmocka_unit_test_teardown(test, clock_teardown)

#endif /* CLOCK_H */
