/* Signals that come again and again while the library waits. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "hostile_server.h"

/* Sends SIGALRM every 5 ms to a handler that makes system calls fail with EINTR. */
void start_signals(void);

/* The handler stays, for a signal that is still on its way. */
void stop_signals(void);

/* How many signals were handled since they were started. */
int handled_signals(void);

/* Starts the signals, and releases an answer that the server holds once some have come after its request. */
void start_signals_before_answer(hostile_server *server, int request);

/* Ends both. */
void stop_signals_after_answer(void);

#endif /* SIGNALS_H */
