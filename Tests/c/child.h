/* Checks that run in a child of this process. */
#ifndef CHILD_H
#define CHILD_H

/*
 * Runs the checks in a child that fork() makes, and gives the number of those that failed, or -1 where it
 * crashed.
 *
 * The child tells it by a pipe, not by its exit status: a memory checker may put its own status in the place of
 * that.
 */
int failures_in_child(int (*checks)(void *), void *argument);

#endif /* CHILD_H */
