/* Repeated signals while the library waits. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "hostile_server.h"

/* Raises SIGALRM every 5 ms; its handler makes system calls fail with EINTR. */
void start_signals(void);

/* Stops the signals; the handler stays, because one may still be pending. */
void stop_signals(void);

/* The number of signals handled since start_signals(). */
int handled_signals(void);

/* Starts the signals; releases the server's held answer once some were handled after it has read `request` requests. */
void start_signals_before_answer(hostile_server *server, int request);

/* Stops both. */
void stop_signals_after_answer(void);

#endif /* SIGNALS_H */
