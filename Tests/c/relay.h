/* A TCP relay that can cut the client's connection so that the client's next write raises SIGPIPE. */
#ifndef RELAY_H
#define RELAY_H

#include "harness.h"

typedef struct relay relay;

/* Starts a relay to a port of 127.0.0.1, which serves one connection at a time. */
relay *relay_start(int port);
/* Stops the relay; returns the number of connections it cut. */
int relay_stop(relay *relay);

int relay_port(const relay *relay);

/* Cuts later connections as soon as the client has sent more than `bytes`; 0: does not cut. */
void relay_cut_after(relay *relay, size_t bytes);

/* Cuts the current connection, so that the client's next write fails with EPIPE rather than ECONNRESET. */
void relay_cut(relay *relay);

#endif /* RELAY_H */
