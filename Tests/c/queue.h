/* A queue whose calls a test submits and takes one by one. */
#ifndef QUEUE_H
#define QUEUE_H

#include "hostile_server.h"

argyle_queue *new_queue(json_int_t max_in_flight);

/* Submits the call and gives it back. */
argyle_call *submit(argyle_queue *queue, argyle_call *call, void *tag);

/* Drives the queue and tells how many calls are over. */
int drive(argyle_queue *queue);

/* Drives the queue, without a longer pause, until so many calls are over, which are not taken. */
void drive_until_over(argyle_queue *queue, int count);

/* Drives the queue, without a longer pause, until the server has read so many requests. */
void drive_until_requested(argyle_queue *queue, hostile_server *server, int count);

/* Takes a call that is over; NULL where none is. */
argyle_call *next_call(argyle_queue *queue, void **tag);

/* Waits for a call that is over, and takes it. */
argyle_call *wait_for_next(argyle_queue *queue, void **tag);

#endif /* QUEUE_H */
