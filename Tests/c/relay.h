/* What stands between a client and a server, and can cut the client's connection so that a write to it is deadly. */
#ifndef RELAY_H
#define RELAY_H

#include "harness.h"

typedef struct relay relay;

/* Starts a relay to this port of 127.0.0.1, for one connection after the other. */
relay *relay_start(int port);
/* Ends it, and tells how many connections it has cut. */
int relay_stop(relay *relay);

int relay_port(const relay *relay);

/* Cuts the next connections as soon as the client has sent more bytes than these; 0: does not cut. */
void relay_cut_after(relay *relay, size_t bytes);

/* Cuts the connection that there is. The next write to it meets EPIPE, and not just ECONNRESET. */
void relay_cut(relay *relay);

#endif /* RELAY_H */
