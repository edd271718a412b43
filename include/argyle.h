/*
 * argyle.h - users and user tokens of the Argyle API, version 1.
 *
 * Conventions, true of every function here unless its comment says otherwise:
 *
 * Results      A function that returns `json_t *` returns a new reference, which the caller releases with
 *              json_decref(), or NULL on failure. A function that returns `int` returns 0, or -1 on failure.
 * Arguments    `const json_t *` arguments are read during the call: never changed, stolen or kept. Strings
 *              are NUL-terminated UTF-8. NULL is an argument error where the comment does not allow it.
 * Errors       `error` may be NULL. Otherwise `*error` is set to NULL on success and to a new error on
 *              failure, which the caller releases with argyle_error_free(). What `*error` held before is
 *              overwritten, not released.
 * Handles      `_free` functions accept NULL. Using a handle after it was freed is undefined.
 * Threads      A client may be used by any number of threads at once. A cursor may be used by one thread at
 *              a time. An error does not change once made and may be read by any number of threads at once.
 *              Values in a `json_t` follow jansson's own rules.
 * Blocking     Functions documented as blocking return once the answer has arrived, or when a time-out has
 *              passed. A signal handled by the host does not end them.
 * Processes    A handle made before fork() answers with ARGYLE_ERROR_FORKED in the child. It may be freed
 *              there, which makes no call on the connections that the parent uses.
 * Stack        A thread that passes or receives deeply nested JSON needs up to 1 MiB of stack, for jansson's
 *              encoder and parser call themselves for each level.
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

#ifdef __cplusplus
extern "C" {
#endif

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

/* ---------------------------------------------------------------- Errors */

/** Why a call failed. The numbers are fixed: none is ever reused, and new ones may be added. */
enum {
  ARGYLE_OK = 0,                     /**< No error: argyle_error_code(NULL). */
  ARGYLE_ERROR_ARGUMENT = 1,         /**< The caller passed something that breaks a rule; nothing was sent. */
  ARGYLE_ERROR_CONNECTION = 2,       /**< The host could not be reached, or the connection was lost. */
  ARGYLE_ERROR_TLS = 3,              /**< No secure connection: certificate, host name or protocol version. */
  ARGYLE_ERROR_TIMEOUT = 4,          /**< timeout_ms or connect_timeout_ms passed. */
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
  ARGYLE_ERROR_INTERNAL = 17         /**< Memory ran out, or a defect of this library. */
};

/** One failure with all that is known about it; see the accessors. */
typedef struct argyle_error argyle_error;

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
 * Tells how long the service asked to wait, from its Retry-After header.
 *
 * @param error  The error, or NULL.
 * @return milliseconds, 0 or more; -1 where the service said nothing, and for NULL.
 */
json_int_t argyle_error_retry_after_ms(const argyle_error *error);

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
 * @param options  A JSON object; an unknown key or a wrong type is an argument error that names it. Not NULL.
 *
 *   key_id               string   required; the API key's id: not empty, no ':' and no control characters
 *   key_secret           string   required; the API key's secret: not empty, no control characters
 *   environment          string   "production" (default) or "sandbox": Argyle's hosts
 *   base_url             string   instead of environment: an http or https URL of host, optional port and
 *                                 optional path, to which /v1 is added (so it must not end with that); no
 *                                 user info, query or fragment. http is allowed for loopback hosts only,
 *                                 unless allow_insecure_http
 *   timeout_ms           integer  1 to 2147483647, default 30000: the time of one request, connecting included
 *   connect_timeout_ms   integer  1 to 2147483647, default 10000: the time to resolve, connect and secure
 *   max_response_bytes   integer  1 to 2147483647, default 16777216: the largest answer, after decompression
 *   ca_file              string   a PEM file of the certificate authorities to trust instead of the system's
 *   application          string   added to the User-Agent header: 1 to 128 printable ASCII characters
 *   allow_insecure_http  boolean  default false: allow http to any host, which shows the key to the network
 *
 * @param error    Where to put the error; may be NULL.
 * @return a client to be freed with argyle_client_free(), or NULL on failure.
 *
 * Errors: ARGYLE_ERROR_ARGUMENT, ARGYLE_ERROR_INTERNAL. Any thread may call it at any time.
 */
argyle_client *argyle_client_new(const json_t *options, argyle_error **error);

/**
 * Makes a client like another, with some options changed, that shares its connections.
 *
 * It is cheap: make one for the time-outs of a single call. Both may be freed in any order.
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
 * Frees a client; its connections are closed with the last client that shares them.
 *
 * Cursors made from the client keep what they need and may go on. Freeing a client while one of its calls is
 * running in another thread is undefined.
 *
 * @param client  The client, or NULL, which does nothing.
 */
void argyle_client_free(argyle_client *client);

/* ---------------------------------------------------------------- Users */

/*
 * The functions of this section and the next each block for one call, and any number of threads may call them
 * on one client at once. Apart from the argument errors, each can fail with any error above, but for those
 * of statuses that the service does not send.
 */

/**
 * Creates a user ("Create a user": POST /v1/users).
 *
 * The request is sent once and never repeated by itself once it may have reached the service.
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
 * Errors: ARGYLE_ERROR_NOT_FOUND where there is no such user; ARGYLE_ERROR_ARGUMENT.
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
 * Errors: ARGYLE_ERROR_NOT_FOUND where there is no such user; ARGYLE_ERROR_ARGUMENT.
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
 * Where the request had to be sent again, because a kept connection was lost, and the user is not found any
 * more, the first request has deleted it: that is a success.
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
 * Errors: ARGYLE_ERROR_INVALID_REQUEST where there is no such user; ARGYLE_ERROR_ARGUMENT.
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

/** A walk over all users, page after page ("List users"). Used by one thread at a time. */
typedef struct argyle_user_cursor argyle_user_cursor;

/**
 * Starts a walk over all users. It sends nothing yet.
 *
 * It asks for 200 users a page unless the query has a limit. Of the service's "next" links only the query is
 * used, always on the client's own base URL. The service counts pages by offset: a user deleted during the
 * walk can make it pass over another, and a user created during it can make it give another twice, unless
 * "ordering" is "created_at".
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
 * Gives the next user. It blocks where the next page has to be fetched.
 *
 * A page that could not be fetched is asked for again by the next call, so that a passing failure loses
 * nothing. Where the link to the next page is at fault, the users of the page that has it are given first.
 *
 * @param cursor  The cursor. Not NULL.
 * @param error   Where to put the error; NULL leaves the end and a failure undistinguished.
 * @return a new reference to a user object; NULL with `*error` NULL at the end, and NULL with an error on
 *         failure: as for argyle_user_list(), and ARGYLE_ERROR_PROTOCOL where the pages go in a circle.
 */
json_t *argyle_user_cursor_next(argyle_user_cursor *cursor, argyle_error **error);

/**
 * Frees a cursor.
 *
 * @param cursor  The cursor, or NULL, which does nothing.
 */
void argyle_user_cursor_free(argyle_user_cursor *cursor);

#ifdef __cplusplus
}
#endif

#endif /* ARGYLE_H */
