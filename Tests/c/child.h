/* Runs checks in a child process. */
#ifndef CHILD_H
#define CHILD_H

/*
 * Runs `checks` in a forked child. Returns the number of failed checks, or -1 if the child crashed.
 *
 * The child reports through a pipe, because a memory checker may replace its exit status.
 */
int failures_in_child(int (*checks)(void *), void *argument);

#endif /* CHILD_H */
