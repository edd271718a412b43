/*
 * argyle.h - users and user tokens of the Argyle API, versions 1 and 2.
 *
 * Conventions, which hold for every function here unless its comment says otherwise:
 *
 * Results      A function that returns `json_t *` returns a new reference, which the caller releases with
 *              json_decref(), or NULL on failure. A function that returns `int` returns 0, or -1 on failure.
 * Arguments    `const json_t *` arguments are read during the call and never changed, stolen or kept. Strings
 *              are NUL-terminated UTF-8. NULL is an argument error unless the comment allows it.
 * Numbers      In a `json_t`, a number with a fraction or an exponent is the nearest double: 0.1234567890123456789012
 *              keeps about 17 digits, and 1e-400 becomes 0. An integer that does not fit into 64 bits or a number
 *              beyond the range of a double makes a response unreadable (ARGYLE_ERROR_PROTOCOL). Documents and
 *              responses that are passed as text keep every digit.
 * Errors       `error` may be NULL. Otherwise `*error` is set to NULL on success and to a new error on
 *              failure, which the caller releases with argyle_error_free(). The previous value of `*error` is
 *              overwritten, not released.
 * Handles      `_free` functions accept NULL. Using a handle after it was freed is undefined. Accessors, which
 *              cannot fail, take a const handle and accept NULL.
 * Threads      Any number of threads may use a client at once. Only one thread at a time may use a cursor, a call
 *              or a queue. An error is immutable: any number of threads may read it at once. Values in a `json_t`
 *              follow jansson's own rules.
 * Blocking     Functions documented as blocking return when the response has arrived or a timeout has expired.
 *              Signals that the host process handles do not interrupt them, unless a client's interrupt function
 *              says so.
 * Cancelling   A thread that pthread_cancel() cancels within a function or its callbacks ends at its next cancellation
 *              point after the function.
 * Callbacks    A callback must return. A C++ exception that leaves it ends the process, because the library cannot be
 *              unwound. Leaving it with longjmp() or pthread_exit() leaks what the call holds: memory, file
 *              descriptors and locks, so that a queue refuses any further use; after longjmp() the thread can no
 *              longer be cancelled either. In C++, catch every exception, store std::current_exception() in the
 *              callback's context, and rethrow it after the function of this library has returned; an interrupt
 *              function can end the call for that.
 * Processes    In a child process, a handle created before fork() fails with ARGYLE_ERROR_FORKED. The child may free
 *              it, which does not touch the connections that the parent uses.
 *              If a callback forks, the function that called it fails the same way in the child, and continues in
 *              the parent.
 * Stack        A thread that passes or receives deeply nested JSON needs up to 1 MiB of stack, because jansson's
 *              encoder and parser are recursive.
 * errno        Every function preserves it.
 * jansson      json-c, PostgreSQL and others export functions with the same names as jansson's, such as json_object().
 *              The library still calls jansson's, whatever comes first in the process or on the linker's command
 *              line; if it cannot find them, its functions fail with ARGYLE_ERROR_INTERNAL, and the message names
 *              the function. The program's own calls are bound by the linker alone: if such functions may be in the
 *              process, use the functions that take and return text, and argyle_json_decref(). A process should
 *              have one copy of jansson only: values of one copy cannot be searched by another.
 * Memory       If memory for the library's own objects runs out, the process aborts: Swift cannot recover from a
 *              failed allocation.
 * Globals      The first client initialises libcurl (curl_global_init) for the life of the process and keeps
 *              libcurl loaded. libcurl resolves host names on a thread of its own. Otherwise the library starts no
 *              threads, installs no handlers and does not read the environment itself. libcurl reads its proxy
 *              variables, and libcurl and its TLS library read their own, such as SSLKEYLOGFILE.
 *
 * Quoted section titles are those of Argyle's documentation page "Users".
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
 * A failure and everything known about it; see the section "Errors".
 *
 * Status, trace id, Retry-After and body are those of the response to the last attempt made, even if the call was
 * cancelled or reached its deadline before the next one.
 */
typedef struct argyle_error argyle_error;

/* ---------------------------------------------------------------- Version */

#define ARGYLE_VERSION_MAJOR 0
#define ARGYLE_VERSION_MINOR 1
#define ARGYLE_VERSION_PATCH 0
/** The version of this header as text. */
#define ARGYLE_VERSION "0.1.0"
/** The version of this header as a number that grows with each version: major << 16 | minor << 8 | patch. */
#define ARGYLE_VERSION_NUMBER \
  ((ARGYLE_VERSION_MAJOR << 16) | (ARGYLE_VERSION_MINOR << 8) | ARGYLE_VERSION_PATCH)

/**
 * Returns the version of the loaded library as text, such as "0.1.0".
 *
 * @return a constant string, owned by the library, valid while the library is loaded; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_version(void);

/**
 * Returns the version of the loaded library as a number to compare with ARGYLE_VERSION_NUMBER.
 *
 * @return major << 16 | minor << 8 | patch.
 *
 * Errors: none. Any thread may call it at any time.
 */
int argyle_version_number(void);

/**
 * Checks that the loaded library is compatible with the header that a program was compiled with.
 *
 * It is if both have the same major version and the library is not older than the header; while the major version
 * is 0, the minor versions must be the same too, because a new one may change any function.
 *
 *   if (argyle_check_version(ARGYLE_VERSION_NUMBER, &error) != 0) ...
 *
 * @param version  The ARGYLE_VERSION_NUMBER that the program was compiled with.
 * @param error    Where to put the error; may be NULL. Its message names both versions.
 * @return 0, or -1 if the library is not compatible.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT. Any thread may call it at any time.
 */
int argyle_check_version(int version, argyle_error **error);

/* ---------------------------------------------------------------- JSON */

/**
 * Releases a reference to a value, for languages that cannot call jansson's inline json_decref().
 *
 * @param value  The value, or NULL, which does nothing.
 *
 * Errors: none. Any thread may call it, on a value that no other thread is using.
 */
void argyle_json_decref(json_t *value);

/* ---------------------------------------------------------------- Errors */

/** Error codes. The numbers are fixed: none is ever reused, and new ones may be added. */
enum {
  ARGYLE_OK = 0,                     /**< No error: argyle_error_code(NULL). */
  ARGYLE_ERROR_ARGUMENT = 1,         /**< An argument is invalid; nothing was sent. */
  ARGYLE_ERROR_CONNECTION = 2,       /**< The host could not be reached, or the connection was lost. */
  ARGYLE_ERROR_TLS = 3,              /**< No secure connection: certificate, host name or protocol version. */
  ARGYLE_ERROR_TIMEOUT = 4,          /**< A timeout or deadline expired: the message names the _ms option. */
  ARGYLE_ERROR_PROTOCOL = 5,         /**< The response cannot be read: not HTTP, not JSON, or unexpected JSON. */
  ARGYLE_ERROR_TOO_LARGE = 6,        /**< The decoded response exceeds max_response_bytes, or its headers a limit. */
  ARGYLE_ERROR_AUTHENTICATION = 7,   /**< 401: the API key is wrong, or belongs to the other environment. */
  ARGYLE_ERROR_PERMISSION = 8,       /**< 403: the API key does not allow this. */
  ARGYLE_ERROR_NOT_FOUND = 9,        /**< 404: there is no such user. */
  ARGYLE_ERROR_INVALID_REQUEST = 10, /**< 400 or 422: the service rejected the request. */
  ARGYLE_ERROR_CONFLICT = 11,        /**< 409. */
  ARGYLE_ERROR_RATE_LIMITED = 12,    /**< 429: too many requests; see argyle_error_retry_after_ms(). */
  ARGYLE_ERROR_SERVER = 13,          /**< 5xx: the service failed. */
  ARGYLE_ERROR_HTTP = 14,            /**< Any other status that is not a success. */
  ARGYLE_ERROR_REDIRECT = 15,        /**< 3xx: redirects are not followed, because they would forward the key. */
  ARGYLE_ERROR_FORKED = 16,          /**< The handle belongs to the parent process. */
  ARGYLE_ERROR_INTERNAL = 17,        /**< Memory or file descriptors ran out, or this library has a defect. */
  ARGYLE_ERROR_CANCELLED = 18        /**< The caller cancelled the call. */
};

/**
 * Returns an error's code.
 *
 * @param error  The error, or NULL.
 * @return one of the ARGYLE_ERROR_ numbers, possibly one newer than this header; ARGYLE_OK for NULL.
 */
int argyle_error_code(const argyle_error *error);

/**
 * Returns the name of an error's code, such as "not_found" for ARGYLE_ERROR_NOT_FOUND.
 *
 * @param error  The error, or NULL.
 * @return a constant string, owned by the library, valid while the library is loaded; "ok" for NULL.
 */
const char *argyle_error_name(const argyle_error *error);

/**
 * Returns the name of a code, such as "not_found" for ARGYLE_ERROR_NOT_FOUND.
 *
 * @param code  One of the ARGYLE_ERROR_ numbers, or ARGYLE_OK.
 * @return a constant string, owned by the library, valid while the library is loaded: the same as that of
 *         argyle_error_name(), and "unknown" for any other number; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_error_code_name(int code);

/**
 * Returns a sentence that describes the failure for people; its wording may change between versions.
 *
 * It contains neither the API key's secret nor user tokens. It may contain the user's id, the host and, truncated to
 * 200 characters, what the service said about the failure, in which strings of at least 4 bytes that were sent as
 * metadata or fields are redacted.
 *
 * @param error  The error, or NULL.
 * @return one line of UTF-8, borrowed from the error; "" for NULL.
 */
const char *argyle_error_message(const argyle_error *error);

/**
 * Returns the HTTP status of the response.
 *
 * @param error  The error, or NULL.
 * @return the status, or 0 if no complete response was received, and for NULL; ARGYLE_ERROR_TOO_LARGE has it anyway.
 */
int argyle_error_http_status(const argyle_error *error);

/**
 * Returns the X-Trace-Id of the response, by which Argyle's support can find the request.
 *
 * @param error  The error, or NULL.
 * @return one line of UTF-8, truncated to 200 characters, borrowed from the error; NULL if the response had none,
 *         and for NULL.
 */
const char *argyle_error_trace_id(const argyle_error *error);

/**
 * Returns whether the call is safe to retry and may then succeed.
 *
 * Creating a user or a token is safe to retry only if the request did not reach the service, or if the service
 * rejected it with 429, or with 503 and a Retry-After.
 *
 * @param error  The error, or NULL.
 * @return 1 or 0; 0 for NULL.
 */
int argyle_error_is_retryable(const argyle_error *error);

/**
 * Returns whether the service may have carried out the request although the call failed.
 *
 * This is the case if a request that changes something may have reached the service and no response arrived, if the
 * service failed while handling it (408, and 5xx except 501, 505, and 503 with a Retry-After), or if the service
 * reported a success in a response that cannot be read. Check with the service before you retry a creation. If only
 * an attempt before the last one may have been carried out, this returns 1 too, and the message says so.
 *
 * @param error  The error, or NULL.
 * @return 1 or 0; 0 for NULL.
 */
int argyle_error_outcome_is_unknown(const argyle_error *error);

/**
 * Returns how long the service asked to wait in its Retry-After header.
 *
 * @param error  The error, or NULL.
 * @return milliseconds, 0 or more; -1 if it did not ask, and for NULL.
 */
int64_t argyle_error_retry_after_ms(const argyle_error *error);

/**
 * Returns the number of attempts made, each with one connection and one request.
 *
 * @param error  The error, or NULL.
 * @return 0 if the call ended before the first attempt, as with an argument error; 0 for NULL.
 */
int argyle_error_attempts(const argyle_error *error);

/**
 * Returns the body of the response as JSON.
 *
 * @param error  The error, or NULL.
 * @return a value borrowed from the error (json_incref() it to keep it), or NULL if no complete response was received
 *         or its body is not JSON that jansson can represent; NULL for NULL.
 */
json_t *argyle_error_body(const argyle_error *error);

/**
 * Returns the body of the response as received.
 *
 * It comes from the service and may contain personal data: do not log it.
 *
 * @param error  The error, or NULL.
 * @return the bytes, not necessarily UTF-8 and possibly containing NULs, followed by a NUL; borrowed from the error.
 *         NULL if no complete response was received, and for NULL.
 */
const char *argyle_error_body_text(const argyle_error *error);

/**
 * Returns the size of the response's body.
 *
 * @param error  The error, or NULL.
 * @return the number of bytes in argyle_error_body_text(), without the terminating NUL; 0 if that is NULL, and for
 *         NULL.
 */
size_t argyle_error_body_size(const argyle_error *error);

/**
 * Frees an error and everything borrowed from it.
 *
 * @param error  The error, or NULL, which does nothing.
 */
void argyle_error_free(argyle_error *error);

/* ---------------------------------------------------------------- Client */

/** An API key, a base URL and limits, with a pool of connections, of which at most 32 are kept idle. */
typedef struct argyle_client argyle_client;

/**
 * Creates a client without opening a connection.
 *
 * The library overwrites its copies of the key and of client_key_password once nothing uses them any more: the client,
 * clients created from it, their calls, and the queues that ran those. Copies that libcurl and the TLS library hold
 * of requests, of a proxy's password and of the key file are theirs to release, and `options` is the caller's.
 *
 * @param options  A JSON object; an unknown key or a wrong type is an argument error that names it. Not NULL.
 *
 *   key_id               string   required; the API key's id: not empty, no ':' and no control characters
 *   key_secret           string   required; the API key's secret: not empty, no control characters
 *   environment          string   "production" (default) or "sandbox": Argyle's hosts
 *   base_url             string   instead of environment: an http or https URL with a host, an optional port and
 *                                 an optional path, to which /v1 or /v2 is added (so it must not end with either);
 *                                 no user info, query or fragment. http is allowed for loopback hosts only,
 *                                 unless allow_insecure_http is true
 *   api_version          integer  1 or 2, default 1: the version of the service's API. It decides which fields a user
 *                                 has, how lists are paged, and what responses contain
 *   timeout_ms           integer  1 to 2147483647, default 30000: timeout of one attempt, connecting included
 *   connect_timeout_ms   integer  1 to 2147483647, default 10000: timeout for name resolution, connecting and TLS
 *   stall_timeout_ms     integer  1 to 2147483647, optional: maximum time without a byte sent or received, once an
 *                                 attempt is connected, the wait for the response included. A header line or the
 *                                 size of a chunk counts once it is complete; a stalled upload may be noticed only
 *                                 after twice the time
 *   deadline_ms          integer  1 to 2147483647, optional: deadline of a whole call, including retries, backoff and
 *                                 waits for max_requests_per_second; in a queue, it starts with the call's turn
 *   max_retries          integer  0 to 100, default 2: maximum number of retries after transient failures: a failed
 *                                 connection, a timeout, 408, 429, 500, 502, 503, 504. Creating a user or a token
 *                                 is retried only if the service cannot have acted: the request did not reach it,
 *                                 or it responded with 429, or with 503 and a Retry-After. The backoff is random,
 *                                 up to 0.5 s at first and doubling to 8 s, or what Retry-After says. In an
 *                                 outage a client stops after 100 retries, or 50 if they are for timeouts; every
 *                                 five successes allow one more
 *   max_retry_after_ms   integer  1 to 2147483647, default 60000: if Retry-After asks for a longer wait, the call
 *                                 fails at once
 *   max_response_bytes   integer  1 to 2147483647, default 16777216: maximum size of a response after decompression
 *   max_requests_per_second  number  0.001 to 1000000, optional: maximum request rate, shared by all threads and
 *                                 queues that use the client or one created from it. Requests are evenly spaced,
 *                                 except for a burst of a tenth of a second's worth after a pause. If the service
 *                                 responds with 429 anyway, the rate is halved, and recovers within ten seconds
 *   ca_file              string   a PEM file of the certificate authorities to trust instead of the system's, for the
 *                                 server; an https proxy is checked against the system's. Like the other files, it
 *                                 must be a regular file: opening a FIFO could block forever
 *   proxy                string   "" for no proxy, or a URL with http, https, socks4, socks4a, socks5 or socks5h and
 *                                 optional user name and password; if absent, libcurl's environment variables
 *                                 apply, but never for a loopback host
 *   client_certificate_file  string  a PEM file of the client certificate and its intermediate certificates
 *   client_key_file      string   a PEM file of the certificate's key; if absent, the key is in the certificate's file
 *   client_key_password  string   the password of the certificate's key
 *   application          string   text added to the User-Agent header: 1 to 128 printable ASCII characters
 *   allow_insecure_http  boolean  default false: allow http to any host, which exposes the key to the network
 *
 * @param error    Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT; ARGYLE_ERROR_INTERNAL, also if the loaded libcurl is older than 7.87, which the
 * message says. Any thread may call it at any time.
 */
argyle_client *argyle_client_new(const json_t *options, argyle_error **error);

/**
 * Creates a client from options given as JSON text; otherwise like argyle_client_new().
 *
 * The library also overwrites its copies of the key and of client_key_password in the text: those of the last member,
 * if several have the same name.
 *
 * @param options  The text of one JSON object in UTF-8, read during the call; of members with the same name, the last
 *                 one counts. Not NULL.
 * @param size     The size of the text in bytes.
 * @param error    Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: as for argyle_client_new(), and ARGYLE_ERROR_ARGUMENT if the text is not JSON. Any thread may call it at any
 * time.
 */
argyle_client *argyle_client_new_text(const char *options, size_t size, argyle_error **error);

/**
 * Creates a client with some options changed that shares another's connections.
 *
 * This is cheap: use it to change the timeouts of a single call. The clients may be freed in any order. They also
 * share the rate limit, unless max_requests_per_second is among the overrides, even with the same number, and the
 * number of retries left in an outage.
 *
 * @param client     The original client. Not NULL.
 * @param overrides  A JSON object of options as for argyle_client_new(), which replace the client's own;
 *                   base_url also replaces environment, and vice versa. Not NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with(argyle_client *client, const json_t *overrides, argyle_error **error);

/**
 * Creates a client from another with overrides given as JSON text; otherwise like argyle_client_with().
 *
 * @param client     The original client. Not NULL.
 * @param overrides  The text of one JSON object, as for argyle_client_new_text(). Not NULL.
 * @param size       The size of the text in bytes.
 * @param error      Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: as for argyle_client_with(), and ARGYLE_ERROR_ARGUMENT if the text is not JSON. Any number of threads may
 * call it on one client.
 */
argyle_client *argyle_client_with_text(argyle_client *client, const char *overrides, size_t size,
                                       argyle_error **error);

/**
 * Decides whether a blocking function continues: returns 0 to continue, and anything else to end the call.
 *
 * It is called on the blocked thread: when a signal has interrupted the wait, and every 100 ms without a response. It
 * may call any function of this library, except on the handle that blocks. It must return: see "Callbacks" at the
 * top.
 */
typedef int (*argyle_interrupt_function)(void *context);

/**
 * Creates a client whose blocking calls and cursors can be ended by a signal.
 *
 * It shares the other client's connections. A call that is ended fails with ARGYLE_ERROR_CANCELLED; a cursor can be
 * used again afterwards. argyle_queue_wait() belongs to no client: use its timeout to regain control.
 *
 * @param client    The original client. Not NULL.
 * @param function  The function to ask, called from every thread that uses the client; NULL for none, as with
 *                  argyle_client_new().
 * @param context   Passed to the function; may be NULL. It must outlive the new client and all clients, cursors and
 *                  calls created from it.
 * @param error     Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with_interrupt(argyle_client *client, argyle_interrupt_function function, void *context,
                                            argyle_error **error);

/** Log levels. The numbers are fixed, and new ones may be added. */
enum {
  ARGYLE_LOG_DEBUG = 1,  /**< An attempt finished. */
  ARGYLE_LOG_INFO = 2,   /**< A call will be retried. */
  ARGYLE_LOG_WARNING = 3 /**< A call failed. */
};

/**
 * Receives a log record.
 *
 * It is called on the thread that waits for the call or drives the queue. It may call any function of this library,
 * except on the call that the record is about and on its queue or cursor. It is never called while a call, cursor or
 * queue is being freed, nor after the last of those with calls of the client was freed. It must return: see "Callbacks"
 * at the top.
 *
 * @param level    One of the ARGYLE_LOG_ numbers.
 * @param message  One line of UTF-8 for people, borrowed during the call; its wording may change between versions.
 * @param fields   The same for programs, borrowed during the call. It has no other members than these:
 *
 *   method, path, host   string   the request; the path contains the user's id, but no query
 *   attempt              integer  the number of the attempt, or of the last one of a failed call; absent if there
 *                                 was none
 *   milliseconds         integer  how long the attempt took, with or without a response, or the whole failed call
 *   status               integer  the status of the response; absent if there was none
 *   trace_id             string   the response's X-Trace-Id
 *   error                string   the name of a failure's code
 *   wait_ms              integer  time until the next attempt
 *
 * @param context  The context passed to argyle_client_with_log().
 */
typedef void (*argyle_log_function)(int level, const char *message, const json_t *fields, void *context);

/**
 * Creates a client that logs its calls to a function.
 *
 * It shares the other client's connections. A record never contains a key, token, header, body or query.
 *
 * @param client    The original client. Not NULL.
 * @param function  Receives the records, called from every thread that uses the client; NULL for no log.
 * @param context   Passed to the function; may be NULL. It must outlive the new client and all clients, cursors and
 *                  calls created from it.
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
 * Cursors and calls created from the client keep what they need and remain usable. Freeing a client during one of its
 * calls in another thread is undefined.
 *
 * @param client  The client, or NULL, which does nothing.
 */
void argyle_client_free(argyle_client *client);

/* ---------------------------------------------------------------- Cancellations */

/**
 * Cancels blocking calls from another thread: those of the clients created with it.
 *
 * Any number of threads may use it at once.
 */
typedef struct argyle_cancellation argyle_cancellation;

/**
 * Creates a cancellation.
 *
 * @param error  Where to put the error; may be NULL.
 * @return a cancellation to be freed with argyle_cancellation_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_INTERNAL if the process is out of file descriptors. Any thread may call it at any time.
 */
argyle_cancellation *argyle_cancellation_new(argyle_error **error);

/**
 * Creates a client whose blocking calls and cursors can be cancelled from another thread.
 *
 * It shares the other client's connections. It has no effect on queues, which have argyle_queue_cancel().
 *
 * @param client        The original client. Not NULL.
 * @param cancellation  Cancels the client's calls; NULL for none. It may be freed before the client.
 * @param error         Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED. Any number of threads may call it on one client.
 */
argyle_client *argyle_client_with_cancellation(argyle_client *client, argyle_cancellation *cancellation,
                                               argyle_error **error);

/**
 * Cancels blocking calls at once, and later calls before they start.
 *
 * They fail with ARGYLE_ERROR_CANCELLED, also during a backoff; argyle_error_outcome_is_unknown() returns whether the
 * service may have carried one out. It cannot be undone. In a forked child it does nothing.
 *
 * @param cancellation  The cancellation, or NULL, which does nothing. Any thread may call it at any time; a signal
 *                      handler may not.
 */
void argyle_cancellation_cancel(argyle_cancellation *cancellation);

/**
 * Frees a cancellation; clients created with it keep what they need.
 *
 * @param cancellation  The cancellation, or NULL, which does nothing.
 */
void argyle_cancellation_free(argyle_cancellation *cancellation);

/* ---------------------------------------------------------------- Users */

/*
 * The functions in this section and the next each block for one call; any number of threads may call them on one
 * client at once. Besides the argument errors, each can fail with any error above, except those for statuses that
 * the service does not send.
 */

/**
 * Creates a user ("Create a user": POST /users).
 *
 * The request is never retried automatically if the service may have acted on it.
 *
 * @param client             The client. Not NULL.
 * @param external_metadata  Any JSON value to attach to the user, nested no deeper than 2044 levels; json_null()
 *                           is sent as null. NULL: none is sent, and the service stores {}.
 * @param error              Where to put the error; may be NULL.
 * @return a new reference to an object with at least the strings "id" and "token" (version 2: "user_token"), or NULL.
 *         The token is a credential for Argyle Link: keep it secret.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT if the client is NULL or the metadata cannot be encoded.
 */
json_t *argyle_user_create(argyle_client *client, const json_t *external_metadata, argyle_error **error);

/**
 * Retrieves a user ("Retrieve a user and their metadata": GET /users/{id}).
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id: 1 to 255 bytes of UTF-8 other than "." and "..". Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a new reference to the user object as the service sent it, with at least the string "id", or NULL.
 *
 * Errors: ARGYLE_ERROR_NOT_FOUND if there is no such user; ARGYLE_ERROR_PROTOCOL if the response has a different "id"
 * (case-insensitive); ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_get(argyle_client *client, const char *user_id, argyle_error **error);

/**
 * Replaces the metadata of a user ("Update a user's metadata": PATCH /users/{id}).
 *
 * @param client             The client. Not NULL.
 * @param user_id            The user's id, as for argyle_user_get(). Not NULL.
 * @param external_metadata  Any JSON value, nested no deeper than 2044 levels; json_null() stores null. Not NULL.
 * @param error              Where to put the error; may be NULL.
 * @return a new reference to the updated user object, with at least the string "id", or NULL.
 *
 * Errors: as for argyle_user_get().
 */
json_t *argyle_user_update(argyle_client *client, const char *user_id, const json_t *external_metadata,
                           argyle_error **error);

/**
 * Creates a user with fields ("Create a user": POST /users).
 *
 * Like argyle_user_create(), it never retries a request that the service may have carried out.
 *
 * @param client  The client. Not NULL.
 * @param fields  A JSON object that is sent as is, nested no deeper than 2045 levels. With api_version 2 it may have any
 *                field, such as "external_id", "first_name" or "external_metadata", even one that this library does
 *                not know. With api_version 1 it may have "external_metadata" only. Not NULL.
 * @param error   Where to put the error; may be NULL.
 * @return as argyle_user_create().
 *
 * Errors: as for argyle_user_create(); ARGYLE_ERROR_ARGUMENT if `fields` is not an object or has a field that the
 * client's version of the API lacks.
 */
json_t *argyle_user_create_with_fields(argyle_client *client, const json_t *fields, argyle_error **error);

/**
 * Updates fields of a user ("Update a user": PATCH /users/{id}).
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id, as for argyle_user_get(). Not NULL.
 * @param fields   As for argyle_user_create_with_fields(): each field replaces the user's, null clears it, and fields
 *                 that are absent stay as they are. Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return as argyle_user_update().
 *
 * Errors: as for argyle_user_update() and argyle_user_create_with_fields().
 */
json_t *argyle_user_update_with_fields(argyle_client *client, const char *user_id, const json_t *fields,
                                       argyle_error **error);

/**
 * Lists one page of users ("List users": GET /users).
 *
 * @param client  The client. Not NULL.
 * @param query   A JSON object, or NULL for the service's defaults; an unknown key or a wrong type is an
 *                argument error that names it:
 *
 *   limit        integer  1 to 2147483647: page size; the service's default is 10 and its maximum 200
 *   offset       integer  version 1: 0 to 9007199254740991: number of users to skip; default 0
 *   ordering     string   version 1: "-created_at" (newest first, the service's default) or "created_at"
 *   cursor       string   version 2: 1 to 8192 bytes: where to continue, the decoded "cursor" of a page's "next"
 *   external_id  string   version 2: 1 to 1024 bytes: only users with this external_id
 *
 * @param error   Where to put the error; may be NULL.
 * @return a new reference to {"results": [users], "next": URL or null, "previous": URL or null, "count": integer
 *         or null}, or NULL. "count" is null in version 2, and if the service sends a bare array in version 1, which
 *         is brought to the same form. To follow "next", use a cursor.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_list(argyle_client *client, const json_t *query, argyle_error **error);

/**
 * Deletes a user with all accounts and resources ("Delete a user": DELETE /users/{id}).
 *
 * If the request is retried after a failure that may have come too late, and the user is then not found, an earlier
 * attempt has deleted it: the function succeeds.
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id, as for argyle_user_get(). Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_NOT_FOUND if there is no such user; ARGYLE_ERROR_ARGUMENT.
 */
int argyle_user_delete(argyle_client *client, const char *user_id, argyle_error **error);

/* ---------------------------------------------------------------- User tokens */

/**
 * Creates a token for a user ("Create a user token": POST /user-tokens).
 *
 * @param client   The client. Not NULL.
 * @param user_id  The user's id, as for argyle_user_get(). Not NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a new reference to an object with at least the string "access" (version 2: "user_token"), which is passed to
 *         Argyle Link, or NULL. Its tokens are credentials: keep them secret.
 *
 * Errors: ARGYLE_ERROR_INVALID_REQUEST if there is no such user; ARGYLE_ERROR_PROTOCOL if the token can be decoded
 * and has a different "user_id" (case-insensitive); ARGYLE_ERROR_ARGUMENT.
 */
json_t *argyle_user_token_create(argyle_client *client, const char *user_id, argyle_error **error);

/**
 * Decodes the claims of a user token ("The user token object"). It does not block.
 *
 * The token is decoded, not verified: only the service has the key. Do not trust the claims of a token that did not
 * come from the service.
 *
 * @param token  A JSON Web Token: three base64url parts separated by dots. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return a new reference to the object of claims, such as "exp" and "user_id", or NULL.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT if the text is not such a token. Any thread may call it at any time.
 */
json_t *argyle_token_claims(const char *token, argyle_error **error);

/* ---------------------------------------------------------------- User cursor */

/**
 * A cursor over all users that fetches page after page ("List users").
 *
 * Only one thread at a time may use it. While one page is read, the next is already requested, without a thread; its
 * bytes are read whenever the cursor is used. Memory use is that of two pages, whatever the number of users.
 *
 * Version 1 of the API counts pages by offset. As long as users are only created and "ordering" is "created_at", every
 * user who exists from start to end is returned exactly once: new users come at the end. With the newest first, a user
 * created meanwhile shifts the others, and one of them is returned twice, at the start of the next page. If a user that
 * was already returned is deleted meanwhile, the cursor skips another one. If that matters, list all users again and
 * compare ids. Version 2 pages by a cursor of its own, with which users created or deleted meanwhile shift nothing.
 */
typedef struct argyle_user_cursor argyle_user_cursor;

/**
 * Creates a cursor over all users; nothing is sent yet.
 *
 * The page size is 200 unless the query has a limit. Of the service's "next" links, only the query is used (version 2:
 * only its "cursor", and a link may be a bare cursor), always with the client's own base URL.
 *
 * @param client  The client. Not NULL. It may be freed before the cursor.
 * @param query   As for argyle_user_list(); the cursor starts at its offset or cursor. NULL: all users, newest first.
 * @param error   Where to put the error; may be NULL.
 * @return a cursor to be freed with argyle_user_cursor_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
argyle_user_cursor *argyle_user_cursor_new(argyle_client *client, const json_t *query, argyle_error **error);

/**
 * Creates a cursor with a query given as JSON text; otherwise like argyle_user_cursor_new().
 *
 * @param client  The client. Not NULL. It may be freed before the cursor.
 * @param query   The text of the query, read during the call, or NULL.
 * @param size    The size of the text in bytes; ignored if `query` is NULL.
 * @param error   Where to put the error; may be NULL.
 * @return a cursor to be freed with argyle_user_cursor_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also if the text is not JSON; ARGYLE_ERROR_FORKED.
 */
argyle_user_cursor *argyle_user_cursor_new_text(argyle_client *client, const char *query, size_t size,
                                                argyle_error **error);

/**
 * Returns the next user; blocks if the next page has not arrived yet.
 *
 * If the prefetched page failed or cannot be read, it is requested again before an error is returned, but not before
 * the service's Retry-After has passed; time in which the cursor was not used is not counted against the server. After
 * an error, the next call requests the page again, so that a transient failure loses nothing. If a page has an invalid
 * link to the next one, its users are returned first. If a page is larger than max_response_bytes, it and later pages
 * are requested with half the page size, down to one user.
 *
 * @param cursor  The cursor. Not NULL.
 * @param error   Where to put the error; if NULL, the end cannot be told from a failure.
 * @return a new reference to a user object; NULL with `*error` NULL at the end, and NULL with an error on
 *         failure: as for argyle_user_list(), ARGYLE_ERROR_PROTOCOL if the pages form a cycle or a hundred
 *         consecutive pages have no users, and ARGYLE_ERROR_ARGUMENT if the cursor has returned pages or created
 *         calls before.
 */
json_t *argyle_user_cursor_next(argyle_user_cursor *cursor, argyle_error **error);

/**
 * Returns the next page as a whole; otherwise like argyle_user_cursor_next().
 *
 * A cursor returns users, returns pages or creates calls, and does only one of these.
 *
 * @param cursor  The cursor. Not NULL.
 * @param error   Where to put the error; if NULL, the end cannot be told from a failure.
 * @return a new reference to a page in the form of argyle_user_list(); NULL with `*error` NULL at the end, and NULL
 *         with an error on failure.
 */
json_t *argyle_user_cursor_next_page(argyle_user_cursor *cursor, argyle_error **error);

/**
 * Returns the text of the next page as received: a JSON object with "results", or a bare array of users.
 *
 * The text does not pass through jansson, so that no user in it can make it unreadable. The library only searches it
 * for the link to the next page (the last of several members "next", as in jansson) and for users; the caller must
 * check whether it is otherwise JSON. Otherwise it is like argyle_user_cursor_next_page(), with which it may be mixed.
 *
 * @param cursor  The cursor. Not NULL.
 * @param size    Where to put the number of bytes, without the terminating NUL; may be NULL. 0 if NULL is returned.
 * @param error   Where to put the error; if NULL, the end cannot be told from a failure.
 * @return the text, followed by a NUL, borrowed from the cursor until its next use; NULL with `*error` NULL at the
 *         end, and NULL with an error on failure.
 */
const char *argyle_user_cursor_next_page_text(argyle_user_cursor *cursor, size_t *size, argyle_error **error);

/**
 * Creates an error for a page whose text the caller cannot read.
 *
 * @param cursor  The cursor. Not NULL.
 * @param reason  What is wrong with the text that argyle_user_cursor_next_page_text() returned last; the message ends
 *                with it. Not NULL.
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
 * An operation to run, and then its result.
 *
 * It runs once: alone with argyle_call_run(), or with others in a queue. Only one thread at a time may use it, its
 * accessors included. Results can also be read as text, which needs no jansson and loses nothing that jansson cannot
 * represent.
 */
typedef struct argyle_call argyle_call;

/** The operations. The numbers are fixed. */
enum {
  ARGYLE_OPERATION_USER_CREATE = 1,             /**< As argyle_user_create(). */
  ARGYLE_OPERATION_USER_GET = 2,                /**< As argyle_user_get(). */
  ARGYLE_OPERATION_USER_UPDATE = 3,             /**< As argyle_user_update(). */
  ARGYLE_OPERATION_USER_LIST = 4,               /**< As argyle_user_list(). */
  ARGYLE_OPERATION_USER_DELETE = 5,             /**< As argyle_user_delete(). */
  ARGYLE_OPERATION_USER_TOKEN_CREATE = 6,       /**< As argyle_user_token_create(). */
  ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS = 7, /**< As argyle_user_create_with_fields(). */
  ARGYLE_OPERATION_USER_UPDATE_WITH_FIELDS = 8  /**< As argyle_user_update_with_fields(). */
};

/**
 * Creates a call; nothing is sent.
 *
 * @param client     The client. Not NULL. It may be freed before the call.
 * @param operation  One of the ARGYLE_OPERATION_ numbers.
 * @param user_id    The user's id, as for argyle_user_get(). To create a user or to list users: NULL.
 * @param document   To create or update a user: its external_metadata, NULL only to create one without; for the
 *                   operations with fields: the fields, not NULL. To list: the query, or NULL. Otherwise NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a call to be freed with argyle_call_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, as for the operation's own function.
 */
argyle_call *argyle_call_new(argyle_client *client, int operation, const char *user_id, const json_t *document,
                             argyle_error **error);

/**
 * Creates a call with a document given as JSON text; otherwise like argyle_call_new().
 *
 * The text must be exactly one JSON value in UTF-8, nested no deeper than 2044 levels (fields: 2045). Metadata and
 * fields are sent unchanged, including numbers of any size and precision, escapes and duplicate keys, which jansson may
 * then be unable to read back.
 *
 * @param client     The client. Not NULL. It may be freed before the call.
 * @param operation  One of the ARGYLE_OPERATION_ numbers.
 * @param user_id    As for argyle_call_new().
 * @param document   The text, read during the call; NULL if the document of argyle_call_new() may be NULL.
 * @param size       The size of the text in bytes; ignored if `document` is NULL.
 * @param error      Where to put the error; may be NULL.
 * @return a call to be freed with argyle_call_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, as for the operation's own function, and if the text is not one JSON value.
 */
argyle_call *argyle_call_new_text(argyle_client *client, int operation, const char *user_id, const char *document,
                                  size_t size, argyle_error **error);

/**
 * Runs a call alone. It blocks.
 *
 * It succeeds if the service reports success; only argyle_call_json() checks what the response contains.
 *
 * @param call   The call, which must not have been run or submitted before. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure; if the call was started, argyle_call_error() then has the same error.
 *
 * Errors: as for the operation's own function; ARGYLE_ERROR_ARGUMENT if the call was already run or submitted.
 */
int argyle_call_run(argyle_call *call, argyle_error **error);

/**
 * Returns a call's operation.
 *
 * @param call  The call, or NULL.
 * @return one of the ARGYLE_OPERATION_ numbers; 0 for NULL.
 */
int argyle_call_operation(const argyle_call *call);

/**
 * Returns the id of the user that a call was created for.
 *
 * @param call  The call, or NULL.
 * @return the id as passed by the caller, borrowed from the call; NULL if the operation takes none, and for NULL.
 */
const char *argyle_call_user_id(const argyle_call *call);

/**
 * Returns the error of a failed call.
 *
 * @param call  The call, or NULL.
 * @return the error, borrowed from the call, not to be freed; NULL if the call succeeded or is not finished, and for
 *         NULL.
 */
const argyle_error *argyle_call_error(const argyle_call *call);

/**
 * Returns the HTTP status of the response to the last attempt, whether it is a success or not.
 *
 * Responses to earlier attempts are not available: status, headers and body are those of one response, the same as in
 * argyle_call_error().
 *
 * @param call  The call, or NULL.
 * @return the status, or 0 if that attempt got no complete response, and for NULL; a response that was too large has it
 *         anyway.
 */
int argyle_call_http_status(const argyle_call *call);

/**
 * Returns a header of the response to the last attempt, available whenever the status is.
 *
 * @param call  The call, or NULL.
 * @param name  The header's name, case-insensitive. NULL: no header.
 * @return the value of the first header with this name, without surrounding whitespace, borrowed from the call; NULL
 *         if there is none, and for NULL.
 */
const char *argyle_call_header(const argyle_call *call, const char *name);

/**
 * Returns a header of the response to the last attempt by its index.
 *
 *   for (i = 0; (name = argyle_call_header_at(call, i, &value)) != NULL; i++) ...
 *
 * @param call   The call, or NULL.
 * @param index  The header's index, from 0: headers are in the order received, those with the same name separately,
 *               without those of interim responses and without trailers.
 * @param value  Where to put the value, as returned by argyle_call_header(), borrowed from the call; may be NULL. It is
 *               set to NULL if there is no such header.
 * @return the name as spelled by the server, borrowed from the call; NULL if there is no such header, and for NULL.
 */
const char *argyle_call_header_at(const argyle_call *call, size_t index, const char **value);

/**
 * Returns the body of the response to the last attempt as received.
 *
 * It may contain personal data and tokens: do not log it.
 *
 * @param call  The call, or NULL.
 * @return the bytes, not necessarily UTF-8 and possibly containing NULs, followed by a NUL; borrowed from the call.
 *         NULL if that attempt got no complete response, and for NULL.
 */
const char *argyle_call_body_text(const argyle_call *call);

/**
 * Returns the size of the body of the response to the last attempt.
 *
 * @param call  The call, or NULL.
 * @return the number of bytes in argyle_call_body_text(), without the terminating NUL; 0 if that is NULL, and for NULL.
 */
size_t argyle_call_body_size(const argyle_call *call);

/**
 * Returns what the operation's own function returns: the response as JSON, parsed on first use.
 *
 * @param call   The call. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return a new reference; NULL with `*error` NULL after a delete; NULL with an error if the call failed or is not
 *         finished, or if the response is not what the operation promises.
 *
 * Errors: those of the call; ARGYLE_ERROR_PROTOCOL; ARGYLE_ERROR_ARGUMENT if the call is not finished.
 */
json_t *argyle_call_json(argyle_call *call, argyle_error **error);

/**
 * Creates an error for a response whose text the caller cannot read, like that of argyle_call_json().
 *
 * @param call    The call, which must have succeeded. Not NULL.
 * @param reason  What is wrong with the response; the message ends with it. Not NULL.
 * @return a new error, to be freed with argyle_error_free(): ARGYLE_ERROR_PROTOCOL with the status, trace id, body and
 *         attempts of the call. The call's own error if it failed; ARGYLE_ERROR_ARGUMENT if it is not finished, or if
 *         an argument is invalid. Never NULL.
 */
argyle_error *argyle_call_unreadable(const argyle_call *call, const char *reason);

/**
 * Returns the number of attempts made, each with one connection and one request.
 *
 * @param call  The call, or NULL.
 * @return the number; 0 if the call ended before the first attempt, if it is not finished, and for NULL.
 */
int argyle_call_attempts(const argyle_call *call);

/** The times that argyle_call_time_us() returns. The numbers are fixed, and new ones may be added. */
enum {
  ARGYLE_TIME_TOTAL = 1,         /**< From run or submission to completion. */
  ARGYLE_TIME_WAITING = 2,       /**< From run or submission to the first attempt: in a queue, or for the rate limit. */
  ARGYLE_TIME_NAME_RESOLVED = 3, /**< In the last attempt, until the host's name was resolved. */
  ARGYLE_TIME_CONNECTED = 4,     /**< In the last attempt, until it was connected. */
  ARGYLE_TIME_SECURED = 5,       /**< In the last attempt, until TLS was established. */
  ARGYLE_TIME_ANSWER_BEGAN = 6,  /**< In the last attempt, until the response's first byte. */
  ARGYLE_TIME_ANSWER_ENDED = 7   /**< In the last attempt, until its end. */
};

/**
 * Returns how long a part of the call took.
 *
 * @param call  The call, or NULL.
 * @param time  One of the ARGYLE_TIME_ numbers.
 * @return microseconds; 0 for what did not happen, such as name resolution on a reused connection; -1 if the call is
 *         not finished, for any other number, and for NULL.
 */
int64_t argyle_call_time_us(const argyle_call *call, int time);

/**
 * Frees a call and everything borrowed from it.
 *
 * If a queue holds it, the call is cancelled and removed from the queue.
 *
 * @param call  The call, or NULL, which does nothing.
 */
void argyle_call_free(argyle_call *call);

/**
 * Creates a call for the next page, for programs that must not block; nothing is sent yet.
 *
 *   while ((call = argyle_user_cursor_next_call(cursor, client, &error)) != NULL) {
 *     ... run the call in a queue, then:
 *     int added = argyle_user_cursor_add_page(cursor, call, &error);
 *     if (added == 1) ... read argyle_call_json(call, ...)
 *     argyle_call_free(call);
 *     if (added < 0) break;
 *   }
 *
 * Until a page is added, it creates a call for the same page each time. A cursor that creates calls returns neither
 * users nor pages.
 *
 * @param cursor  The cursor. Not NULL.
 * @param client  The client that makes the call, usually that of the cursor. Not NULL.
 * @param error   Where to put the error; if NULL, the end cannot be told from a failure.
 * @return a call to be freed with argyle_call_free(); NULL with `*error` NULL at the end, and NULL with an error on
 *         failure: ARGYLE_ERROR_PROTOCOL if the last page has an invalid link to the next one, if the pages form a
 *         cycle or if a hundred consecutive pages have no users; ARGYLE_ERROR_ARGUMENT if the cursor has returned
 *         users or pages before.
 */
argyle_call *argyle_user_cursor_next_call(argyle_user_cursor *cursor, argyle_client *client, argyle_error **error);

/**
 * Adds the page that a finished call of argyle_user_cursor_next_call() has received; the cursor continues after it.
 *
 * It checks that the response is JSON with an array of users, but not the users: a program that must be able to read
 * them calls argyle_call_json() first, and does not add a page that it cannot read.
 *
 * @param cursor  The cursor. Not NULL.
 * @param call    The call, which stays the caller's. It must be for the page that comes next. Not NULL.
 * @param error   Where to put the error; may be NULL.
 * @return 1 if the page was added; 0 if it was larger than max_response_bytes, so that the next call requests a smaller
 *         one; -1 on failure, after which the next call requests the same page again.
 *
 * Errors: those of the call; ARGYLE_ERROR_PROTOCOL if its response is not a page; ARGYLE_ERROR_ARGUMENT if the call is
 * not finished or not for the next page, such as one whose page was already added.
 */
int argyle_user_cursor_add_page(argyle_user_cursor *cursor, argyle_call *call, argyle_error **error);

/* ---------------------------------------------------------------- Queues */

/**
 * Many calls at once, all on the thread that uses the queue: nothing happens outside the queue's functions.
 *
 * Only one thread at a time may use it; if two are detected in it at once, one of them gets an argument error.
 *
 *   argyle_queue *queue = argyle_queue_new(NULL, &error);
 *   for (...) argyle_queue_submit(queue, argyle_call_new(client, ...), tag, &error);
 *   while (argyle_queue_wait(queue, -1, &error) > 0)
 *     while ((call = argyle_queue_next(queue, &tag, &error)) != NULL) { ...; argyle_call_free(call); }
 *   argyle_queue_free(queue);
 *
 * In an event loop, wait until argyle_queue_fd() is readable, call argyle_queue_drive(), and take the finished calls.
 *
 * The calls may belong to several clients. Over TLS, calls share an HTTP/2 connection if the server offers HTTP/2;
 * otherwise each call in flight has a connection of its own, which is kept for later calls. A request that an HTTP/2
 * server refused without processing it (REFUSED_STREAM, or a GOAWAY that excludes it) is resent at once, even one that
 * creates something, if libcurl reports the refusal: 7.88 and 8.12 to 8.23 do. Otherwise it counts as a lost
 * connection. Time in which the queue should have been driven but was not is not counted against the server; an attempt
 * that fails after such a pause is resent once, if that is safe.
 */
typedef struct argyle_queue argyle_queue;

/**
 * Creates a queue.
 *
 * @param options  A JSON object, or NULL for the defaults; an unknown key or a wrong type is an argument error that
 *                 names it:
 *
 *   max_in_flight  integer  1 to 1000, default 50: maximum number of calls in flight, including those in backoff;
 *                           others are pending
 *
 * @param error    Where to put the error; may be NULL.
 * @return a queue to be freed with argyle_queue_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_INTERNAL. Any thread may call it at any time.
 */
argyle_queue *argyle_queue_new(const json_t *options, argyle_error **error);

/**
 * Creates a queue from options given as JSON text; otherwise like argyle_queue_new().
 *
 * @param options  The text of one JSON object in UTF-8, read during the call, or NULL for the defaults.
 * @param size     The size of the text in bytes; ignored if `options` is NULL.
 * @param error    Where to put the error; may be NULL.
 * @return a queue to be freed with argyle_queue_free(), or NULL on failure.
 *
 * Errors: as for argyle_queue_new(), and ARGYLE_ERROR_ARGUMENT if the text is not JSON. Any thread may call it at any
 * time.
 */
argyle_queue *argyle_queue_new_text(const char *options, size_t size, argyle_error **error);

/**
 * Submits a call to a queue, which owns it until argyle_queue_next() returns it. It does not block.
 *
 * Nothing is sent until the queue is driven. Until it is returned, the call may only be passed to
 * argyle_queue_cancel() and argyle_call_free(). Any number of calls may be pending: each takes about 750 bytes plus its
 * document.
 *
 * @param queue  The queue. Not NULL.
 * @param call   The call, which must not have been run or submitted before. Not NULL. On failure the caller still owns
 *               it.
 * @param tag    Returned with the call by argyle_queue_next(); may be NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
int argyle_queue_submit(argyle_queue *queue, argyle_call *call, void *tag, argyle_error **error);

/**
 * Returns the file descriptor to wait on, readable whenever there is work to do or a finished call to take.
 *
 * Watch it for reading with poll(), epoll, libuv, GLib, asyncio or anything else. It belongs to the queue: do not read
 * from it and do not close it.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return the descriptor, always the same one, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED, ARGYLE_ERROR_INTERNAL.
 */
int argyle_queue_fd(argyle_queue *queue, argyle_error **error);

/**
 * Does everything that can be done without waiting. It does not block.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return the number of finished calls that can be taken, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also if the queue's descriptor was closed, which ends its calls;
 * ARGYLE_ERROR_FORKED. Failures of calls are reported by the calls.
 */
int argyle_queue_drive(argyle_queue *queue, argyle_error **error);

/**
 * Waits until a call is finished. It blocks, and no signal interrupts it.
 *
 * @param queue       The queue. Not NULL.
 * @param timeout_ms  The maximum wait in milliseconds; negative: no limit.
 * @param error       Where to put the error; may be NULL.
 * @return the number of finished calls that can be taken; 0 if the timeout has expired or the queue holds no calls; -1
 *         on failure.
 *
 * Errors: as for argyle_queue_drive().
 */
int argyle_queue_wait(argyle_queue *queue, int timeout_ms, argyle_error **error);

/**
 * Takes the next finished call, in order of completion. It does not block.
 *
 * @param queue  The queue. Not NULL.
 * @param tag    Where to put the tag that the call was submitted with; may be NULL.
 * @param error  Where to put the error; may be NULL.
 * @return the call, now owned by the caller, to be freed with argyle_call_free(); NULL with `*error` NULL if none is
 *         finished, and NULL with an error on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
argyle_call *argyle_queue_next(argyle_queue *queue, void **tag, argyle_error **error);

/**
 * Returns the number of calls that a queue holds: pending, in flight, or finished and not taken.
 *
 * @param queue  The queue, or NULL.
 * @return the number; 0 for NULL.
 */
size_t argyle_queue_count(const argyle_queue *queue);

/**
 * Cancels a call that a queue holds.
 *
 * The call is then finished with ARGYLE_ERROR_CANCELLED and taken like any other; a call that is already finished does
 * not change. argyle_error_outcome_is_unknown() returns whether the service may have carried it out.
 *
 * @param queue  The queue. Not NULL.
 * @param call   A call that this queue holds. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, also if this queue does not hold the call; ARGYLE_ERROR_FORKED.
 */
int argyle_queue_cancel(argyle_queue *queue, argyle_call *call, argyle_error **error);

/**
 * Cancels all calls that a queue holds, as argyle_queue_cancel() does.
 *
 * @param queue  The queue. Not NULL.
 * @param error  Where to put the error; may be NULL.
 * @return 0, or -1 on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_FORKED.
 */
int argyle_queue_cancel_all(argyle_queue *queue, argyle_error **error);

/**
 * Frees a queue and all calls that it holds, at any time; calls in flight are aborted.
 *
 * @param queue  The queue, or NULL, which does nothing.
 */
void argyle_queue_free(argyle_queue *queue);

#ifdef __cplusplus
}
#endif

#endif /* ARGYLE_H */
