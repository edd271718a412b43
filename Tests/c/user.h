/* The simplest use of a client. */
#ifndef USER_H
#define USER_H

#include "harness.h"

/* Gets the user u1 and asserts that it is the JSON of `text`. */
void assert_user(argyle_client *client, const char *text);

#endif /* USER_H */
