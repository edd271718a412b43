/*
 * A fake monotonic clock for this program, libcurl and both libraries. While a test has it stopped, a timeout expires
 * when the test advances the clock, and never because the machine is slow.
 *
 * Between readings of a stopped clock, waits take real time: a test that expects a blocking function to time out sets
 * a short timeout.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include "harness.h"

/* The clock's time in milliseconds. */
int64_t now_ms(void);

/*
 * Stops the clock. If it is neither advanced nor started for ten minutes, the program counts as hung and is aborted.
 */
void stop_clock(void);

/*
 * Advances the clock if it is stopped. The library takes more than 50 ms beyond what it waits for as a pause of the
 * process, and extends its limits by it.
 */
void advance_clock(int64_t milliseconds);

/* A limit that one advance of the clock exceeds: longer than libcurl's own timers, shorter than a pause. */
#define SHORT_LIMIT_MS 40

/* Resumes a stopped clock from its current time. */
void start_clock(void);

/* A log function that advances the clock over each logged wait between attempts. */
void advance_clock_over_wait(int level, const char *message, const json_t *fields, void *context);

/* Replaces `client`, which it frees, with one whose waits between attempts take no time. */
argyle_client *without_waits(argyle_client *client);

/* Resets the clock to the system's. It may jump back: no library object that has read it may be left. */
int clock_teardown(void **state);

/* A test without another fixture; a hostile_test resets the clock as well. */
#define clock_test(test) cmocka_unit_test_teardown(test, clock_teardown)

#endif /* CLOCK_H */
