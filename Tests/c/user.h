/* The shortest use of a client. */
#ifndef USER_H
#define USER_H

#include "harness.h"

/* Asks for the user u1, and asserts that the answer is this JSON. */
void assert_user(argyle_client *client, const char *text);

#endif /* USER_H */
