/* Plain TCP connections, for talking to a server without the library. */
#ifndef WIRE_H
#define WIRE_H

#include "harness.h"

/* Connects to a port of 127.0.0.1; returns -1 if the connection is refused. */
int connection_to(int port);

/* Reads into `received` until it contains `text`; returns false if the other side closes first. */
bool receive_until(int connection, const char *text, char *received, size_t size);

#endif /* WIRE_H */
