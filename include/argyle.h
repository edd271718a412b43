/*
 * argyle.h - users and user tokens of the Argyle API, version 1.
 *
 * Conventions, true of every function here unless its comment says otherwise:
 *
 * Results      A function that returns `json_t *` returns a new reference, which the caller releases with
 *              json_decref(), or NULL on failure. A function that returns `int` returns 0, or -1 on failure.
 * Arguments    `const json_t *` arguments are read during the call: never changed, stolen or kept. Strings
 *              are NUL-terminated UTF-8. NULL is an argument error where the comment does not allow it.
 * Numbers      In a `json_t`, a number with a fraction or an exponent is the nearest double: of
 *              0.1234567890123456789012 some 17 digits are left, and of 1e-400 nothing. An integer beyond 64 bits or
 *              a double out of range makes an answer unreadable (ARGYLE_ERROR_PROTOCOL). Documents and answers
 *              that are taken and given as text keep every digit.
 * Errors       `error` may be NULL. Otherwise `*error` is set to NULL on success and to a new error on
 *              failure, which the caller releases with argyle_error_free(). What `*error` held before is
 *              overwritten, not released.
 * Handles      `_free` functions accept NULL. Using a handle after it was freed is undefined. Accessors, which
 *              cannot fail, take a const handle and accept NULL.
 * Threads      A client may be used by any number of threads at once. A cursor, a call and a queue may each be
 *              used by one thread at a time. An error does not change once made and may be read by any number
 *              of threads at once. Values in a `json_t` follow jansson's own rules.
 * Blocking     Functions documented as blocking return once the answer has arrived, or when a time-out has
 *              passed. A signal handled by the host does not end them, unless a client's interrupt function
 *              says so.
 * Cancelling   A thread that pthread_cancel() cancels within a function ends at its next cancellation point after it;
 *              a callback has none.
 * Callbacks    A function that was given to this library has to return. What it throws in C++ ends the process, for
 *              the library cannot be unwound. With longjmp() or pthread_exit() it leaves behind whatever the call
 *              holds: memory, descriptors, and locks, so that a queue refuses every further use; and after longjmp()
 *              the thread cannot be cancelled any more. Catch everything in it, keep std::current_exception() in its
 *              context, and rethrow that when the function of this library has returned; an interrupt function ends
 *              the call for it.
 * Processes    A handle made before fork() answers with ARGYLE_ERROR_FORKED in the child. It may be freed
 *              there, which makes no call on the connections that the parent uses.
 *              Where a callback forks, the function that called it answers the same in the child, and goes on in the
 *              parent.
 * Stack        A thread that passes or receives deeply nested JSON needs up to 1 MiB of stack, for jansson's
 *              encoder and parser call themselves for each level.
 * errno        Every function leaves it as it was.
 * jansson      json-c, PostgreSQL and others export functions with the names of jansson's, such as json_object(). The
 *              library calls jansson's all the same, whatever comes first in the process or on the linker's command
 *              line; where it cannot find them, its functions fail with ARGYLE_ERROR_INTERNAL, and the message names
 *              the function at fault. The program's own calls are bound by the linker alone: where such functions
 *              may be in the process, use the functions that take and return text, and argyle_json_decref(). One
 *              process should have one jansson: values of one copy cannot be searched by another.
 * Memory       When no memory is left for the library's own objects, the process is aborted: Swift's
 *              allocations cannot fail softly.
 * Globals      The first client initialises libcurl (curl_global_init) for the life of the process and keeps
 *              libcurl loaded. libcurl resolves host names on a thread of its own. Apart from that the
 *              library starts no thread, installs no handler and reads nothing of the environment itself.
 *              libcurl reads the variables of its proxy rule, and it and its TLS library those of theirs,
 *              such as SSLKEYLOGFILE.
 *
 * Sections of the service's documentation are named as on Argyle's page "Users".
 */
#ifndef ARGYLE_H
#define ARGYLE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One failure with all that is known about it; see the section "Errors".
 *
 * Status, trace id, Retry-After and body are those of the answer to the last attempt that was made, also where the
 * call was cancelled or met its deadline before the next one.
 */
typedef struct argyle_error argyle_error;

/* ---------------------------------------------------------------- Version */

#define ARGYLE_VERSION_MAJOR 0
#define ARGYLE_VERSION_MINOR 1
#define ARGYLE_VERSION_PATCH 0
/** The version of this header as text. */
#define ARGYLE_VERSION "0.1.0"
/** The version of this header as one number that grows: major << 16 | minor << 8 | patch. */
#define ARGYLE_VERSION_NUMBER \
  ((ARGYLE_VERSION_MAJOR << 16) | (ARGYLE_VERSION_MINOR << 8) | ARGYLE_VERSION_PATCH)

/**
 * Tells the version of the loaded library as text, such as "0.1.0".
 *
 * @return a constant string, owned by the library, valid while the library is loaded; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_version(void);

/**
 * Tells the version of the loaded library as a number, to compare with ARGYLE_VERSION_NUMBER.
 *
 * @return major << 16 | minor << 8 | patch.
 *
 * Errors: none. Any thread may call it at any time.
 */
int argyle_version_number(void);

/**
 * Checks that the loaded library fits the header that a program was compiled with.
 *
 * It does where both are of the same major version and the library is not older than the header; while the major
 * version is 0, both must be of the same minor version as well, because a new one may change any function.
 *
 *   if (argyle_check_version(ARGYLE_VERSION_NUMBER, &error) != 0) ...
 *
 * @param version  The ARGYLE_VERSION_NUMBER that the program was compiled with.
 * @param error    Where to put the error; may be NULL. Its message names both versions.
 * @return 0, or -1 where the library does not fit.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT. Any thread may call it at any time.
 */
int argyle_check_version(int version, argyle_error **error);

/* ---------------------------------------------------------------- JSON */

/**
 * Releases a reference to a value, as json_decref() does, which is inline: for languages that cannot call that.
 *
 * @param value  The value, or NULL, which does nothing.
 *
 * Errors: none. Any thread may call it, on a value that no other thread uses at the time.
 */
void argyle_json_decref(json_t *value);

/* ---------------------------------------------------------------- Errors */

/** Why a call failed. The numbers are fixed: none is ever reused, and new ones may be added. */
enum {
  ARGYLE_OK = 0,                     /**< No error: argyle_error_code(NULL). */
  ARGYLE_ERROR_ARGUMENT = 1,         /**< The caller passed something that breaks a rule; nothing was sent. */
  ARGYLE_ERROR_CONNECTION = 2,       /**< The host could not be reached, or the connection was lost. */
  ARGYLE_ERROR_TLS = 3,              /**< No secure connection: certificate, host name or protocol version. */
  ARGYLE_ERROR_TIMEOUT = 4,          /**< A limit passed: the message names which _ms option. */
  ARGYLE_ERROR_PROTOCOL = 5,         /**< The answer cannot be read: not HTTP, not JSON, or the wrong JSON. */
  ARGYLE_ERROR_TOO_LARGE = 6,        /**< The answer, decoded, is larger than max_response_bytes. */
  ARGYLE_ERROR_AUTHENTICATION = 7,   /**< 401: the API key is wrong, or of the other environment. */
  ARGYLE_ERROR_PERMISSION = 8,       /**< 403: the API key may not do this. */
  ARGYLE_ERROR_NOT_FOUND = 9,        /**< 404: there is no such user. */
  ARGYLE_ERROR_INVALID_REQUEST = 10, /**< 400 or 422: the service refused what was sent. */
  ARGYLE_ERROR_CONFLICT = 11,        /**< 409. */
  ARGYLE_ERROR_RATE_LIMITED = 12,    /**< 429: too many requests; see argyle_error_retry_after_ms(). */
  ARGYLE_ERROR_SERVER = 13,          /**< 5xx: the service failed. */
  ARGYLE_ERROR_HTTP = 14,            /**< Any other status that is not a success. */
  ARGYLE_ERROR_REDIRECT = 15,        /**< 3xx: redirects are refused, for they would carry the key along. */
  ARGYLE_ERROR_FORKED = 16,          /**< The handle belongs to the parent process of this one. */
  ARGYLE_ERROR_INTERNAL = 17,        /**< Memory or descriptors ran out, or a defect of this library. */
  ARGYLE_ERROR_CANCELLED = 18        /**< The caller ended the call. */
};

/**
 * Tells why the call failed.
 *
 * @param error  The error, or NULL.
 * @return one of the ARGYLE_ERROR_ numbers, possibly one newer than this header; ARGYLE_OK for NULL.
 */
int argyle_error_code(const argyle_error *error);

/**
 * Names the code, as "not_found" for ARGYLE_ERROR_NOT_FOUND.
 *
 * @param error  The error, or NULL.
 * @return a constant string, owned by the library, valid while the library is loaded; "ok" for NULL.
 */
const char *argyle_error_name(const argyle_error *error);

/**
 * Names a code without an error, as "not_found" for ARGYLE_ERROR_NOT_FOUND.
 *
 * @param code  One of the ARGYLE_ERROR_ numbers, or ARGYLE_OK.
 * @return a constant string, owned by the library, valid while the library is loaded: that of argyle_error_name(), and
 *         "unknown" for any other number; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_error_code_name(int code);

/**
 * Says in one sentence what failed, for people; its wording may change between versions.
 *
 * It holds neither the API key's secret nor user tokens. It can hold the user's id, the host and, cut to 200
 * characters, what the service said about the failure.
 *
 * @param error  The error, or NULL.
 * @return one line of UTF-8, borrowed from the error; "" for NULL.
 */
const char *argyle_error_message(const argyle_error *error);

/**
 * Tells the HTTP status of the answer.
 *
 * @param error  The error, or NULL.
 * @return the status, or 0 where no whole answer came, and for NULL; ARGYLE_ERROR_TOO_LARGE has it all the same.
 */
int argyle_error_http_status(const argyle_error *error);

/**
 * Tells the X-Trace-Id of the answer, by which Argyle's support can find the request.
 *
 * @param error  The error, or NULL.
 * @return UTF-8 text of one line, cut to 200 characters, borrowed from the error; NULL where the answer had none,
 *         and for NULL.
 */
const char *argyle_error_trace_id(const argyle_error *error);

/**
 * Tells whether the same call may succeed later and can be repeated without doing anything twice.
 *
 * Creating a user or a token counts as repeatable only where the request did not reach the service, or where
 * the service turned it away with 429, or with 503 and a Retry-After.
 *
 * @param error  The error, or NULL.
 * @return 1 or 0; 0 for NULL.
 */
int argyle_error_is_retryable(const argyle_error *error);

/**
 * Tells whether the service may have carried out what was asked, though no success was told.
 *
 * So it is where a request that changes something may have reached the service and no answer came, where the
 * service failed in the middle (408, and 5xx but for 501, 505, and 503 with a Retry-After), and where a success was
 * told in an answer that cannot be read. Then look at the service before you repeat a creation. Where none of this is
 * true of the last attempt, but of an earlier one, the message says so.
 *
 * @param error  The error, or NULL.
 * @return 1 or 0; 0 for NULL.
 */
int argyle_error_outcome_is_unknown(const argyle_error *error);

/**
 * Tells how long the service asked to wait, from its Retry-After header.
 *
 * @param error  The error, or NULL.
 * @return milliseconds, 0 or more; -1 where the service said nothing, and for NULL.
 */
int64_t argyle_error_retry_after_ms(const argyle_error *error);

/**
 * Counts the attempts that were made, each of one connection and one request.
 *
 * @param error  The error, or NULL.
 * @return 0 where the call ended before the first, as with an argument error; 0 for NULL.
 */
int argyle_error_attempts(const argyle_error *error);

/**
 * Gives the body of the answer as JSON.
 *
 * @param error  The error, or NULL.
 * @return a value borrowed from the error (json_incref() it to keep it), or NULL where no whole answer came or
 *         its body is not JSON that jansson can hold; NULL for NULL.
 */
json_t *argyle_error_body(const argyle_error *error);

/**
 * Gives the body of the answer as it was received.
 *
 * It is what the service sent and may hold personal data: do not log it.
 *
 * @param error  The error, or NULL.
 * @return the bytes, not necessarily UTF-8 and possibly with a NUL among them, followed by a NUL; borrowed
 *         from the error. NULL where no whole answer came, and for NULL.
 */
const char *argyle_error_body_text(const argyle_error *error);

/**
 * Tells how long the body of the answer is.
 *
 * @param error  The error, or NULL.
 * @return the bytes of argyle_error_body_text() without the NUL at the end; 0 where that is NULL, and for NULL.
 */
size_t argyle_error_body_size(const argyle_error *error);

/**
 * Releases an error and all that was borrowed from it.
 *
 * @param error  The error, or NULL, which does nothing.
 */
void argyle_error_free(argyle_error *error);

/* ---------------------------------------------------------------- Client */

/** An API key, a base URL and limits, with the connections that are kept for them: at most 32 that are idle. */
typedef struct argyle_client argyle_client;

/**
 * Makes a client. It opens no connection yet.
 *
 * The library's copies of the key and of client_key_password are overwritten when nothing uses them any more: the
 * client, those made from it, their calls, and the queues that made these. What libcurl and the TLS library hold of
 * requests, of a proxy's password and of the key file is theirs to release, and `options` is the caller's.
 *
 * @param options  A JSON object; an unknown key or a wrong type is an argument error that names it. Not NULL.
 *
 *   key_id               string   required; the API key's id: not empty, no ':' and no control characters
 *   key_secret           string   required; the API key's secret: not empty, no control characters
 *   environment          string   "production" (default) or "sandbox": Argyle's hosts
 *   base_url             string   instead of environment: an http or https URL of host, optional port and
 *                                 optional path, to which /v1 is added (so it must not end with that); no
 *                                 user info, query or fragment. http is allowed for loopback hosts only,
 *                                 unless allow_insecure_http
 *   timeout_ms           integer  1 to 2147483647, default 30000: the time of one attempt, connecting included
 *   connect_timeout_ms   integer  1 to 2147483647, default 10000: the time to resolve, connect and secure
 *   stall_timeout_ms     integer  1 to 2147483647; absent: none. The longest time in which no byte of an attempt
 *                                 comes or goes once it is connected, the wait for the answer included. A header
 *                                 line or the size of a chunk counts once it is whole; that the sending of a body
 *                                 has stopped may be noticed after twice the time
 *   deadline_ms          integer  1 to 2147483647; absent: none. The time of a whole call across attempts and the
 *                                 waits between them and for max_requests_per_second; in a queue, from the call's
 *                                 turn on
 *   max_retries          integer  0 to 100, default 2: how often a call is repeated after a failure that may pass: a
 *                                 connection that failed, a time-out, 408, 429, 500, 502, 503, 504. Creating a user
 *                                 or a token is repeated only where the service cannot have acted: the request
 *                                 did not reach it, or it answered 429, or 503 with a Retry-After. The waits are
 *                                 random, up to 0.5 s at first and doubling to 8 s, or what Retry-After says. In
 *                                 an outage a client stops repeating after 100 times, 50 where they are
 *                                 time-outs; every five successes allow one more
 *   max_retry_after_ms   integer  1 to 2147483647, default 60000: where Retry-After asks for a longer wait, the
 *                                 failure is told at once
 *   max_response_bytes   integer  1 to 2147483647, default 16777216: the largest answer, after decompression
 *   max_requests_per_second  number  0.001 to 1000000; absent: no limit. Requests are evenly spaced, but for a
 *                                 tenth of a second's worth after a pause, over all threads and queues that use
 *                                 the client or one made from it. Where the service answers 429 all the same,
 *                                 the pace is lowered by half, and recovers within ten seconds
 *   ca_file              string   a PEM file of the certificate authorities to trust instead of the system's; like the
 *                                 other files a regular one: opening a FIFO could block for ever
 *   proxy                string   "" for none, or a URL with http, https, socks4, socks4a, socks5 or socks5h, which may
 *                                 hold a user name and a password; absent: libcurl's environment rule, but none
 *                                 for a loopback host
 *   client_certificate_file  string  a PEM file of the certificate to show to the server, and of those that vouch
 *                                 for it
 *   client_key_file      string   a PEM file of that certificate's key; absent: it is in the certificate's file
 *   client_key_password  string   the password of that key
 *   application          string   added to the User-Agent header: 1 to 128 printable ASCII characters
 *   allow_insecure_http  boolean  default false: allow http to any host, which shows the key to the network
 *
 * @param error    Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT; ARGYLE_ERROR_INTERNAL, also where the loaded libcurl is older than 7.87, which the
 * message says. Any thread may call it at any time.
 */
argyle_client *argyle_client_new(const json_t *options, argyle_error **error);

/**
 * Creates a client from options given as JSON text. Otherwise it is like argyle_client_new().
 *
 * Of the text, too, the library's copies of the key and of client_key_password are overwritten: of members with the
 * same name, those of the last.
 *
 * @param options  The text of one JSON object in UTF-8, read during the call; of two members with the same name the
 *                 last one counts. Not NULL.
 * @param size     The bytes of the text.
 * @param error    Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: as for argyle_client_new(), and ARGYLE_ERROR_ARGUMENT where the text is not JSON. Any thread may call it at
 * any time.
 */
argyle_client *argyle_client_new_text(const char *options, size_t size, argyle_error **error);

/**
 * Makes a client like another, with some options changed, that shares its connections.
 *
 * It is cheap: make one for the time-outs of a single call. Both may be freed in any order. It shares the rate
 * limit too, unless max_requests_per_second is among the overrides, even if it is the same number; and what is left for
 * repetitions in an outage.
 *
 * @param client     The client to start from. Not NULL.
 * @param overrides  A JSON object of options as for argyle_client_new(), each replacing the client's own;
 *                   base_url also replaces environment, and the reverse. Not NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with(argyle_client *client, const json_t *overrides, argyle_error **error);

/**
 * Creates a client like another from overrides given as JSON text. Otherwise it is like argyle_client_with().
 *
 * @param client     The client to start from. Not NULL.
 * @param overrides  The text of one JSON object, as for argyle_client_new_text(). Not NULL.
 * @param size       The bytes of the text.
 * @param error      Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: as for argyle_client_with(), and ARGYLE_ERROR_ARGUMENT where the text is not JSON. Any number of threads
 * may call it on one client.
 */
argyle_client *argyle_client_with_text(argyle_client *client, const char *overrides, size_t size,
                                       argyle_error **error);

/**
 * What a blocking function asks whether to go on; it answers 0 to go on, and anything else to end the call.
 *
 * It is called on the thread that blocks: when a signal has interrupted the wait, and every 100 ms without an
 * answer. It may call any function of this library, but for those on the handle that blocks. It has to return: see
 * "Callbacks" at the top.
 */
typedef int (*argyle_interrupt_function)(void *context);

/**
 * Makes a client like another whose calls and cursors can be ended by a signal while they block, and that shares its
 * connections. argyle_queue_wait() is of no client: there, a time-out gives the program its turn.
 *
 * A call that is ended so fails with ARGYLE_ERROR_CANCELLED. A cursor that is ended so may be used again.
 *
 * @param client    The client to start from. Not NULL.
 * @param function  What is asked; NULL: nothing, as with argyle_client_new(). Called from every thread that uses
 *                  the client.
 * @param context   What the function is given; may be NULL. It must live as long as clients and cursors that were
 *                  made from the new client.
 * @param error     Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with_interrupt(argyle_client *client, argyle_interrupt_function function, void *context,
                                            argyle_error **error);

/** How much a record of the log matters. The numbers are fixed, and new ones may be added. */
enum {
  ARGYLE_LOG_DEBUG = 1,  /**< An attempt has ended. */
  ARGYLE_LOG_INFO = 2,   /**< A call will be repeated. */
  ARGYLE_LOG_WARNING = 3 /**< A call has failed. */
};

/**
 * Takes a record of the log.
 *
 * It is called on the thread that waits for the call, or that drives the queue. It may call any function of this
 * library, but for those on the call that it is told of, and on its queue or cursor. It is called the last time before
 * the last call, cursor and queue with calls of the client is freed, never by freeing one. It has to return: see
 * "Callbacks" at the top.
 *
 * @param level    One of the ARGYLE_LOG_ numbers.
 * @param message  One line of UTF-8 for people, borrowed during the call; its wording may change between versions.
 * @param fields   The same for programs, borrowed during the call. Of these, and nothing else:
 *
 *   method, path, host   string   what was asked of whom; the path holds the user's id, and no query
 *   attempt              integer  the number of the attempt, or of the last one of a call that has failed; absent
 *                                 where none was made
 *   milliseconds         integer  how long the attempt took, whether an answer came or not; or the whole call that
 *                                 has failed
 *   status               integer  what the answer said; absent where none came
 *   trace_id             string   the answer's X-Trace-Id
 *   error                string   the code's name, of a failure
 *   wait_ms              integer  how long until the next attempt
 *
 * @param context  What argyle_client_with_log() was given.
 */
typedef void (*argyle_log_function)(int level, const char *message, const json_t *fields, void *context);

/**
 * Makes a client like another that tells a function what happens to its calls, and that shares its connections.
 *
 * No key, token, header, body or query is ever in a record.
 *
 * @param client    The client to start from. Not NULL.
 * @param function  What takes the records; NULL: nothing is told. Called from every thread that uses the client.
 * @param context   What the function is given; may be NULL. It must live as long as clients, cursors and calls that
 *                  were made from the new client.
 * @param error     Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with_log(argyle_client *client, argyle_log_function function, void *context,
                                      argyle_error **error);

/**
 * Frees a client; its connections are closed with the last client that shares them.
 *
 * Cursors and calls made from the client keep what they need and may go on. Freeing a client while one of its calls is
 * running in another thread is undefined.
 *
 * @param client  The client, or NULL, which does nothing.
 */
void argyle_client_free(argyle_client *client);

/* ---------------------------------------------------------------- Cancellations */

/**
 * Ends blocking calls from another thread: those of the clients that were made with it. Any number of threads may use
 * it at once.
 */
typedef struct argyle_cancellation argyle_cancellation;

/**
 * Makes a cancellation.
 *
 * @param error  Where to put the error; may be NULL.
 * @return a cancellation to be freed with argyle_cancellation_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_INTERNAL where the process may have no more descriptors. Any thread may call it at any time.
 */
argyle_cancellation *argyle_cancellation_new(argyle_error **error);

/**
 * Makes a client like another whose calls and cursors can be ended from another thread while they block, and that
 * shares its connections. It has no effect on queues, which have argyle_queue_cancel().
 *
 * @param client        The client to start from. Not NULL.
 * @param cancellation  What ends its calls; NULL: nothing does. It may be freed before the client.
 * @param error         Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with_cancellation(argyle_client *client, argyle_cancellation *cancellation,
                                               argyle_error **error);

/**
 * Ends the calls that block at once, also in a wait between two attempts, and each later one before it begins, with
 * ARGYLE_ERROR_CANCELLED. Whether the service has carried one out, argyle_error_outcome_is_unknown() tells.
 *
 * It cannot be undone. In a forked child it does nothing.
 *
 * @param cancellation  The cancellation, or NULL, which does nothing. Any thread may call it at any time; a signal
 *                      handler may not.
 */
void argyle_cancellation_cancel(argyle_cancellation *cancellation);

/**
 * Frees a cancellation. Clients that were made with it keep what they need.
 *
 * @param cancellation  The cancellation, or NULL, which does nothing.
 */
void argyle_cancellation_free(argyle_cancellation *cancellation);

/* ---------------------------------------------------------------- Users */

/*
 * The functions of this section and the next each block for one call, and any number of threads may call them
 * on one client at once. Apart from the argument errors, each can fail with any error above, but for those
 * of statuses that the service does not send.
 */

/**
 * Creates a user ("Create a user": POST /v1/users).
 *
 * The request is never repeated by itself where the service may have acted on it.
 *
 * @param client             The client. Not NULL.
 * @param external_metadata  Any JSON value to attach to the user, nested no deeper than 2044 levels; json_null()
 *                           is sent as null. NULL: none is sent, and the service stores {}.
 * @param error              Where to put the error; may be NULL.
 * @return a new reference to an object with at least the strings "id" and "token", or NULL. The token is a
 *         credential for Argyle Link: keep it secret.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT where the client is NULL or the metadata cannot be encoded.
 */
json_t *argyle_user_create(argyle_client *client, const json_t *external_metadata, argyle_error **error);

/**
 * Retrieves a user ("Retrieve a user and their metadata": GET /v1/users/{id}).
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id: 1 to 255 bytes of UTF-8 other than "." and "..". Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a new reference to the user object as the service sent it, with at least the string "id", or NULL.
 *
 * Errors: ARGYLE_ERROR_NOT_FOUND where there is no such user; ARGYLE_ERROR_PROTOCOL where the answer's "id" is another
 * one, regardless of case; ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_get(argyle_client *client, const char *user_id, argyle_error **error);

/**
 * Replaces the metadata of a user ("Update a user's metadata": PATCH /v1/users/{id}).
 *
 * @param client             The client. Not NULL.
 * @param user_id            The user's id, as for argyle_user_get(). Not NULL.
 * @param external_metadata  Any JSON value, nested no deeper than 2044 levels; json_null() stores null. Not NULL.
 * @param error              Where to put the error; may be NULL.
 * @return a new reference to the user object as it is now, with at least the string "id", or NULL.
 *
 * Errors: as for argyle_user_get().
 */
json_t *argyle_user_update(argyle_client *client, const char *user_id, const json_t *external_metadata,
                           argyle_error **error);

/**
 * Lists one page of users ("List users": GET /v1/users).
 *
 * @param client  The client. Not NULL.
 * @param query   A JSON object, or NULL for the service's defaults; an unknown key or a wrong type is an
 *                argument error that names it:
 *
 *   limit     integer  1 to 2147483647: users on the page; the service's default is 10 and its most is 200
 *   offset    integer  0 to 9007199254740991: users to pass over; default 0
 *   ordering  string   "-created_at" (newest first, the service's default) or "created_at"
 *
 * @param error   Where to put the error; may be NULL.
 * @return a new reference to {"results": [users], "next": URL or null, "previous": URL or null, "count": integer
 *         or null}, or NULL. It has this form, and "count" is null, also where the service sends a bare array.
 *         To follow "next" use a cursor.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_list(argyle_client *client, const json_t *query, argyle_error **error);

/**
 * Deletes a user with all accounts and resources ("Delete a user": DELETE /v1/users/{id}).
 *
 * Where the request had to be sent again, after a failure that may have come too late, and the user is not found any
 * more, it was deleted before: that is a success.
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id, as for argyle_user_get(). Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_NOT_FOUND where there is no such user; ARGYLE_ERROR_ARGUMENT.
 */
int argyle_user_delete(argyle_client *client, const char *user_id, argyle_error **error);

/* ---------------------------------------------------------------- User tokens */

/**
 * Creates a token for a user ("Create a user token": POST /v1/user-tokens).
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id, as for argyle_user_get(). Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a new reference to an object with at least the string "access", which is what Argyle Link is given, or
 *         NULL. Its tokens are credentials: keep them secret.
 *
 * Errors: ARGYLE_ERROR_INVALID_REQUEST where there is no such user; ARGYLE_ERROR_PROTOCOL where the token can be
 * decoded and its "user_id" is another one, regardless of case; ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_token_create(argyle_client *client, const char *user_id, argyle_error **error);

/**
 * Reads the claims of a user token ("The user token object"). It does not block.
 *
 * The token is decoded, not verified: only the service has the key. Trust nothing in it that was not received
 * from the service.
 *
 * @param token  A JSON Web Token: three base64url parts with dots between. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return a new reference to the object of claims, such as "exp" and "user_id", or NULL.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT where the text is no such token. Any thread may call it at any time.
 */
json_t *argyle_token_claims(const char *token, argyle_error **error);

/* ---------------------------------------------------------------- User cursor */

/**
 * A walk over all users, page after page ("List users"). Used by one thread at a time.
 *
 * While one page is read the next is already on its way, without a thread: it has been asked for, and what has come
 * of it is taken in whenever the cursor is used. Memory is that of two pages, whatever the number of users.
 *
 * The service counts pages by offset. Nobody who was there from the beginning of the walk to its end is missed or
 * given twice while users are only created and "ordering" is "created_at": new ones come at the end then. In the
 * order of the newest first, a user created meanwhile moves the others, and one of them is given twice, at the
 * beginning of the next page. A user deleted meanwhile, among those already given, makes the walk pass over another
 * one. Where that matters, walk again and compare ids.
 */
typedef struct argyle_user_cursor argyle_user_cursor;

/**
 * Starts a walk over all users. It sends nothing yet.
 *
 * It asks for 200 users a page unless the query has a limit. Of the service's "next" links only the query is
 * used, always on the client's own base URL.
 *
 * @param client  The client. Not NULL. It may be freed before the cursor.
 * @param query   As for argyle_user_list(); the offset is where the walk begins. NULL: all users, newest first.
 * @param error   Where to put the error; may be NULL.
 * @return a cursor to be freed with argyle_user_cursor_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
argyle_user_cursor *argyle_user_cursor_new(argyle_client *client, const json_t *query, argyle_error **error);

/**
 * Starts a walk over all users whose query is given as JSON text. Otherwise it is like argyle_user_cursor_new().
 *
 * @param client  The client. Not NULL. It may be freed before the cursor.
 * @param query   The text of the query, read during the call, or NULL.
 * @param size    The bytes of the text; not looked at where that is NULL.
 * @param error   Where to put the error; may be NULL.
 * @return a cursor to be freed with argyle_user_cursor_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also where the text is not JSON; ARGYLE_ERROR_FORKED.
 */
argyle_user_cursor *argyle_user_cursor_new_text(argyle_client *client, const char *query, size_t size,
                                                argyle_error **error);

/**
 * Gives the next user. It blocks where the next page is not there yet.
 *
 * A page that was asked for ahead and failed, or cannot be read, is asked for again before that becomes an error, but
 * not before the service's Retry-After has passed; time in which the cursor was not used does not count as the
 * server's. After an error the next call asks for the page again, so that a passing failure loses nothing. Where the
 * link to the next page is at fault, the users of the page that has it are given first. Where a page is larger than
 * max_response_bytes, this one and those after it are asked for with half as many users, down to one.
 *
 * @param cursor  The cursor. Not NULL.
 * @param error   Where to put the error; NULL leaves the end and a failure undistinguished.
 * @return a new reference to a user object; NULL with `*error` NULL at the end, and NULL with an error on
 *         failure: as for argyle_user_list(), ARGYLE_ERROR_PROTOCOL where the pages go in a circle or a hundred in a
 *         row have no user, and ARGYLE_ERROR_ARGUMENT where the cursor has given pages before.
 */
json_t *argyle_user_cursor_next(argyle_user_cursor *cursor, argyle_error **error);

/**
 * Gives the next page as a whole. Otherwise it is like argyle_user_cursor_next(); a cursor gives users or pages.
 *
 * @param cursor  The cursor. Not NULL.
 * @param error   Where to put the error; NULL leaves the end and a failure undistinguished.
 * @return a new reference to a page in the form of argyle_user_list(); NULL with `*error` NULL at the end, and NULL
 *         with an error on failure.
 */
json_t *argyle_user_cursor_next_page(argyle_user_cursor *cursor, argyle_error **error);

/**
 * Gives the text of the next page as it was received: a JSON object with "results", or a bare array of users.
 *
 * The text does not pass through jansson, so that no user in it can make it unreadable. It is searched for the link to
 * the next page alone, of two members "next" the last, as jansson has it: whether the text is JSON beyond that is for
 * the caller to find out. Otherwise it is like argyle_user_cursor_next_page(), with which it may be mixed; pages
 * without users are given without end.
 *
 * @param cursor  The cursor. Not NULL.
 * @param size    Where to put the number of bytes without the NUL at the end; may be NULL. 0 where NULL is returned.
 * @param error   Where to put the error; NULL leaves the end and a failure undistinguished.
 * @return the text, followed by a NUL, borrowed from the cursor until its next use; NULL with `*error` NULL at the
 *         end, and NULL with an error on failure.
 */
const char *argyle_user_cursor_next_page_text(argyle_user_cursor *cursor, size_t *size, argyle_error **error);

/**
 * Makes the error of a page that the caller, who reads the text himself, cannot read.
 *
 * @param cursor  The cursor. Not NULL.
 * @param reason  What is wrong with the text that argyle_user_cursor_next_page_text() gave last, which the message
 *                ends with. Not NULL.
 * @return a new error like that of argyle_call_unreadable(), to be freed with argyle_error_free(); never NULL.
 */
argyle_error *argyle_user_cursor_unreadable(const argyle_user_cursor *cursor, const char *reason);

/**
 * Frees a cursor.
 *
 * @param cursor  The cursor, or NULL, which does nothing.
 */
void argyle_user_cursor_free(argyle_user_cursor *cursor);

/* ---------------------------------------------------------------- Calls */

/**
 * One operation ready to run, and then what became of it. It runs once: alone with argyle_call_run(), or among
 * others in a queue. Used by one thread at a time, its accessors too.
 *
 * Its results can be read as text, too, which takes no jansson and loses nothing that jansson cannot hold.
 */
typedef struct argyle_call argyle_call;

/** The operations. The numbers are fixed. */
enum {
  ARGYLE_OPERATION_USER_CREATE = 1,      /**< As argyle_user_create(). */
  ARGYLE_OPERATION_USER_GET = 2,         /**< As argyle_user_get(). */
  ARGYLE_OPERATION_USER_UPDATE = 3,      /**< As argyle_user_update(). */
  ARGYLE_OPERATION_USER_LIST = 4,        /**< As argyle_user_list(). */
  ARGYLE_OPERATION_USER_DELETE = 5,      /**< As argyle_user_delete(). */
  ARGYLE_OPERATION_USER_TOKEN_CREATE = 6 /**< As argyle_user_token_create(). */
};

/**
 * Prepares a call. It sends nothing.
 *
 * @param client     The client. Not NULL. It may be freed before the call.
 * @param operation  One of the ARGYLE_OPERATION_ numbers.
 * @param user_id    The user's id, as for argyle_user_get(); NULL, and nothing else, to create a user and to list.
 * @param document   To create or update a user: its external_metadata, NULL only to create one without. To list: the
 *                   query, or NULL. Otherwise NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a call to be freed with argyle_call_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, as for the operation's own function.
 */
argyle_call *argyle_call_new(argyle_client *client, int operation, const char *user_id, const json_t *document,
                             argyle_error **error);

/**
 * Prepares a call whose document is given as JSON text. Otherwise it is like argyle_call_new().
 *
 * The text has to be exactly one JSON value in UTF-8, nested no deeper than 2044 levels, and metadata is sent just
 * as it was given: numbers of any size and precision, escapes and duplicate keys too, which jansson may then not be
 * able to read back.
 *
 * @param client     The client. Not NULL. It may be freed before the call.
 * @param operation  One of the ARGYLE_OPERATION_ numbers.
 * @param user_id    As for argyle_call_new().
 * @param document   The text, read during the call; NULL where the document of argyle_call_new() may be NULL.
 * @param size       The bytes of the text; not looked at where that is NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a call to be freed with argyle_call_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, as for the operation's own function, and where the text is not one JSON value.
 */
argyle_call *argyle_call_new_text(argyle_client *client, int operation, const char *user_id, const char *document,
                                  size_t size, argyle_error **error);

/**
 * Runs a call alone. It blocks.
 *
 * It succeeds where the service tells a success; what the answer holds is looked at by argyle_call_json() only.
 *
 * @param call   The call, which was neither run nor submitted before. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure; where the call was begun, the error is then argyle_call_error()'s as well.
 *
 * Errors: as for the operation's own function; ARGYLE_ERROR_ARGUMENT where the call has been run or submitted.
 */
int argyle_call_run(argyle_call *call, argyle_error **error);

/**
 * Returns which operation a call is.
 *
 * @param call  The call, or NULL.
 * @return one of the ARGYLE_OPERATION_ numbers; 0 for NULL.
 */
int argyle_call_operation(const argyle_call *call);

/**
 * Returns the id of the user that a call was made for.
 *
 * @param call  The call, or NULL.
 * @return the id as it was given, borrowed from the call; NULL where the operation takes none, and for NULL.
 */
const char *argyle_call_user_id(const argyle_call *call);

/**
 * Tells why a call failed.
 *
 * @param call  The call, or NULL.
 * @return the error, borrowed from the call, not to be freed; NULL where the call succeeded or is not over, and for
 *         NULL.
 */
const argyle_error *argyle_call_error(const argyle_call *call);

/**
 * Tells the HTTP status of the answer to the last attempt, whether it told a success or not.
 *
 * Of attempts before the last one nothing is told: status, headers and body are those of one answer, and those of
 * argyle_call_error().
 *
 * @param call  The call, or NULL.
 * @return the status, or 0 where that attempt brought no whole answer, and for NULL; one that was too large has it
 *         all the same.
 */
int argyle_call_http_status(const argyle_call *call);

/**
 * Gives a header of the answer to the last attempt. It is there where the status is.
 *
 * @param call  The call, or NULL.
 * @param name  The header's name, in any case of letters. NULL: no header.
 * @return the value of the first header of that name, without blanks around it, borrowed from the call; NULL where
 *         there is none, and for NULL.
 */
const char *argyle_call_header(const argyle_call *call, const char *name);

/**
 * Gives the headers of the answer to the last attempt, one after the other.
 *
 *   for (i = 0; (name = argyle_call_header_at(call, i, &value)) != NULL; i++) ...
 *
 * @param call   The call, or NULL.
 * @param index  The header's place, from 0 on: headers of an answer come as they were received, those of one name each
 *               by itself, without those of interim answers and without trailers.
 * @param value  Where to put the value, as argyle_call_header() returns it, borrowed from the call; may be NULL. NULL
 *               is put there where there is no such header.
 * @return the name in the server's spelling, borrowed from the call; NULL where there are no more, and for NULL.
 */
const char *argyle_call_header_at(const argyle_call *call, size_t index, const char **value);

/**
 * Gives the body of the answer to the last attempt as it was received.
 *
 * It may hold personal data and tokens: do not log it.
 *
 * @param call  The call, or NULL.
 * @return the bytes, not necessarily UTF-8 and possibly with a NUL among them, followed by a NUL; borrowed from the
 *         call. NULL where that attempt brought no whole answer, and for NULL.
 */
const char *argyle_call_body_text(const argyle_call *call);

/**
 * Tells how long the body of the answer to the last attempt is.
 *
 * @param call  The call, or NULL.
 * @return the bytes of argyle_call_body_text() without the NUL at the end; 0 where that is NULL, and for NULL.
 */
size_t argyle_call_body_size(const argyle_call *call);

/**
 * Gives what the operation's own function returns: the answer as JSON, parsed when it is first asked for.
 *
 * @param call   The call. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return a new reference; NULL with `*error` NULL after a delete, and NULL with an error where the call failed or
 *         is not over, or where the answer is not what the operation promises.
 *
 * Errors: those of the call; ARGYLE_ERROR_PROTOCOL; ARGYLE_ERROR_ARGUMENT where the call is not over.
 */
json_t *argyle_call_json(argyle_call *call, argyle_error **error);

/**
 * Makes the error of an answer that the caller, who reads the text himself, cannot read: as argyle_call_json() does.
 *
 * @param call    The call, which has succeeded. Not NULL.
 * @param reason  What is wrong with the answer, which the message ends with. Not NULL.
 * @return a new error, to be freed with argyle_error_free(): ARGYLE_ERROR_PROTOCOL with the status, the trace id, the
 *         body and the attempts of the call. That of the call where it has failed; ARGYLE_ERROR_ARGUMENT where it is
 *         not over, or an argument breaks a rule. Never NULL.
 */
argyle_error *argyle_call_unreadable(const argyle_call *call, const char *reason);

/**
 * Counts the attempts that were made, each of one connection and one request.
 *
 * @param call  The call, or NULL.
 * @return the attempts; 0 where the call ended before the first, where it is not over, and for NULL.
 */
int argyle_call_attempts(const argyle_call *call);

/** What argyle_call_time_us() tells. The numbers are fixed, and new ones may be added. */
enum {
  ARGYLE_TIME_TOTAL = 1,         /**< From run or submitted to over. */
  ARGYLE_TIME_WAITING = 2,       /**< From run or submitted to the first attempt: for a place, or the rate limit. */
  ARGYLE_TIME_NAME_RESOLVED = 3, /**< In the last attempt, until the host's address was known. */
  ARGYLE_TIME_CONNECTED = 4,     /**< In the last attempt, until it was connected. */
  ARGYLE_TIME_SECURED = 5,       /**< In the last attempt, until TLS was established. */
  ARGYLE_TIME_ANSWER_BEGAN = 6,  /**< In the last attempt, until the answer's first byte. */
  ARGYLE_TIME_ANSWER_ENDED = 7   /**< In the last attempt, until its end. */
};

/**
 * Tells how long a part of the call took.
 *
 * @param call  The call, or NULL.
 * @param time  One of the ARGYLE_TIME_ numbers.
 * @return microseconds; 0 for what did not happen, as a name to resolve on a connection that was kept; -1 where the
 *         call is not over, for any other number, and for NULL.
 */
int64_t argyle_call_time_us(const argyle_call *call, int time);

/**
 * Frees a call and all that was borrowed from it. A queue that holds it ends it and lets it go.
 *
 * @param call  The call, or NULL, which does nothing.
 */
void argyle_call_free(argyle_call *call);

/* ---------------------------------------------------------------- Queues */

/**
 * Many calls at once, on the thread that uses the queue and on no other: it does nothing between two calls of its
 * functions. Used by one thread at a time; where two are seen in it at once, one of them gets an argument error.
 *
 *   argyle_queue *queue = argyle_queue_new(NULL, &error);
 *   for (...) argyle_queue_submit(queue, argyle_call_new(client, ...), tag, &error);
 *   while (argyle_queue_wait(queue, -1, &error) > 0)
 *     while ((call = argyle_queue_next(queue, &tag, &error)) != NULL) { ...; argyle_call_free(call); }
 *   argyle_queue_free(queue);
 *
 * In an event loop, wait for argyle_queue_fd() to be readable, call argyle_queue_drive(), and take what is over.
 *
 * The calls may be of several clients. Over TLS, calls share an HTTP/2 connection where the server offers that;
 * otherwise each call in flight has a connection of its own, and those are kept for the next ones. A request that an
 * HTTP/2 server refused without processing it (REFUSED_STREAM, or a GOAWAY that excludes it) is retried at once, a
 * create too, where libcurl tells so: 7.88 and 8.12 to 8.23 do. Otherwise it is a lost connection. Time in which the
 * queue is not driven though it should be is not counted as the server's; an attempt that fails after such a pause is
 * made once more, where doing the thing twice does no harm.
 */
typedef struct argyle_queue argyle_queue;

/**
 * Makes a queue.
 *
 * @param options  A JSON object, or NULL for the defaults; an unknown key or a wrong type is an argument error that
 *                 names it:
 *
 *   max_in_flight  integer  1 to 1000, default 50: how many calls may be under way at once, the waits between their
 *                           attempts included; others wait
 *
 * @param error    Where to put the error; may be NULL.
 * @return a queue to be freed with argyle_queue_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_INTERNAL. Any thread may call it at any time.
 */
argyle_queue *argyle_queue_new(const json_t *options, argyle_error **error);

/**
 * Creates a queue from options given as JSON text. Otherwise it is like argyle_queue_new().
 *
 * @param options  The text of one JSON object in UTF-8, read during the call, or NULL for the defaults.
 * @param size     The bytes of the text; not looked at where that is NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a queue to be freed with argyle_queue_free(), or NULL on failure.
 *
 * Errors: as for argyle_queue_new(), and ARGYLE_ERROR_ARGUMENT where the text is not JSON. Any thread may call it at
 * any time.
 */
argyle_queue *argyle_queue_new_text(const char *options, size_t size, argyle_error **error);

/**
 * Hands a call to a queue, which takes it over until argyle_queue_next() gives it back. It does not block, and
 * nothing is sent before the queue is driven.
 *
 * Until then the call may be given to argyle_queue_cancel() and argyle_call_free() only. Any number of calls may
 * wait: one takes some 750 bytes, and those of its document.
 *
 * @param queue  The queue. Not NULL.
 * @param call   The call, which was neither run nor submitted before. Not NULL. On failure it stays the caller's.
 * @param tag    What argyle_queue_next() gives back with the call; may be NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
int argyle_queue_submit(argyle_queue *queue, argyle_call *call, void *tag, argyle_error **error);

/**
 * Gives the descriptor to wait on: readable whenever there is something to do, calls that are over included.
 *
 * It can be watched by poll(), epoll, libuv, GLib, asyncio or anything else, for reading. It belongs to the queue:
 * do not read from it and do not close it.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return the descriptor, always the same one, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED, ARGYLE_ERROR_INTERNAL.
 */
int argyle_queue_fd(argyle_queue *queue, argyle_error **error);

/**
 * Does all that can be done without waiting. It does not block.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return how many calls are over and can be taken, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also where the queue's descriptor was closed, which ends its calls;
 * ARGYLE_ERROR_FORKED. What becomes of a call is told by the call.
 */
int argyle_queue_drive(argyle_queue *queue, argyle_error **error);

/**
 * Waits until a call is over. It blocks, and no signal ends it.
 *
 * @param queue       The queue. Not NULL.
 * @param timeout_ms  The longest wait in milliseconds; negative: without end.
 * @param error       Where to put the error; may be NULL.
 * @return how many calls are over and can be taken; 0 where the time has passed or the queue holds no call; -1 on
 *         failure.
 *
 * Errors: as for argyle_queue_drive().
 */
int argyle_queue_wait(argyle_queue *queue, int timeout_ms, argyle_error **error);

/**
 * Takes a call that is over, in the order in which they ended. It does not block.
 *
 * @param queue  The queue. Not NULL.
 * @param tag    Where to put the tag that the call was submitted with; may be NULL.
 * @param error  Where to put the error; may be NULL.
 * @return the call, which is the caller's again, to be freed with argyle_call_free(); NULL with `*error` NULL where
 *         none is over, and NULL with an error on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
argyle_call *argyle_queue_next(argyle_queue *queue, void **tag, argyle_error **error);

/**
 * Counts the calls that a queue holds: those that wait, those under way, and those that are over and not taken.
 *
 * @param queue  The queue, or NULL.
 * @return how many there are; 0 for NULL.
 */
size_t argyle_queue_count(const argyle_queue *queue);

/**
 * Ends a call that a queue holds. It is over then, with ARGYLE_ERROR_CANCELLED, and is taken like any other; nothing
 * happens to one that is over. Whether the service has carried it out, argyle_error_outcome_is_unknown() tells.
 *
 * @param queue  The queue. Not NULL.
 * @param call   A call that this queue holds. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also where this queue does not hold the call; ARGYLE_ERROR_FORKED.
 */
int argyle_queue_cancel(argyle_queue *queue, argyle_call *call, argyle_error **error);

/**
 * Ends all calls that a queue holds, as argyle_queue_cancel() does.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
int argyle_queue_cancel_all(argyle_queue *queue, argyle_error **error);

/**
 * Frees a queue with all calls that it holds, at any time: what is under way is broken off.
 *
 * @param queue  The queue, or NULL, which does nothing.
 */
void argyle_queue_free(argyle_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* ARGYLE_H */
