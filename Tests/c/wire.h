/* A bare connection, for what is to be said to a server without the library. */
#ifndef WIRE_H
#define WIRE_H

#include "harness.h"

/* A connection to this port of 127.0.0.1; -1 where nobody takes it. */
int connection_to(int port);

/* Reads until the text has come or the other side closes; what came stands in `received`. */
bool receive_until(int connection, const char *text, char *received, size_t size);

#endif /* WIRE_H */
