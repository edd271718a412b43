/* Queue helpers for tests that submit and take calls one by one. */
#ifndef QUEUE_H
#define QUEUE_H

#include "hostile_server.h"

argyle_queue *new_queue(json_int_t max_in_flight);

/* Submits a call and returns it. */
argyle_call *submit(argyle_queue *queue, argyle_call *call, void *tag);

/* Drives the queue once; returns the number of completed calls. */
int drive(argyle_queue *queue);

/* Drives the queue every millisecond until `count` calls have completed; takes none of them. */
void drive_until_complete(argyle_queue *queue, int count);

/* Drives the queue every millisecond until the server has read `count` requests. */
void drive_until_requested(argyle_queue *queue, hostile_server *server, int count);

/* Takes a completed call; NULL if there is none. */
argyle_call *next_call(argyle_queue *queue, void **tag);

/* Waits for a call to complete and takes it. */
argyle_call *wait_for_next(argyle_queue *queue, void **tag);

#endif /* QUEUE_H */
