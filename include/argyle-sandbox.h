/*
 * argyle-sandbox.h - an in-process server that behaves like the Argyle API, versions 1 and 2.
 *
 * It is the command argyle-sandbox as a library, for tests that need no other process. Clients use it, and change
 * it while it runs, over HTTP at the URL that argyle_sandbox_url() returns.
 *
 * Conventions, which hold for every function here unless its comment says otherwise:
 *
 * Arguments    `const json_t *` arguments are read during the call and never changed, stolen or kept.
 * Errors       `error` may be NULL. Otherwise `*error` is set to NULL on success and to a new error on
 *              failure, which the caller releases with argyle_sandbox_error_free(). The previous value of `*error`
 *              is overwritten, not released.
 * Handles      `_free` functions accept NULL. Using a handle after it was freed is undefined.
 * Threads      Any number of threads may use one sandbox at once, and any number of sandboxes may run at once.
 *              An error is immutable: any number of threads may read it at once.
 * Processes    A sandbox does not run in a forked child of its process. The child may free the handle, which
 *              releases the handle alone and touches nothing that the parent uses; argyle_sandbox_stop() does
 *              nothing there. A child that needs its own sandbox must call exec() first, unless no sandbox was
 *              running at the time of the fork.
 * errno        Every function preserves it.
 * jansson      The library calls jansson's functions even if the process contains others with the same names, such as
 *              json-c's or PostgreSQL's. libjwt, which signs tokens, does not: in such a process, run the command
 *              argyle-sandbox instead.
 * Memory       If memory for the library's own objects runs out, the process aborts: Swift cannot recover from a
 *              failed allocation.
 * Globals      Each sandbox serves on threads of its own, which block every signal except those raised by a fault
 *              of the thread itself: signals to the process are delivered to the host's threads. The library installs
 *              no handlers, prints nothing and does not read the environment itself; GnuTLS, which serves HTTPS,
 *              reads variables such as SSLKEYLOGFILE. Once every sandbox is freed, the library may be unloaded.
 * Descriptors  A sandbox accepts up to 1000 connections, but no more than the process's limit of file descriptors at
 *              the start minus 64, or half of that limit if it is very low: the rest is left to the host.
 */
#ifndef ARGYLE_SANDBOX_H
#define ARGYLE_SANDBOX_H

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---------------------------------------------------------------- Version */

#define ARGYLE_SANDBOX_VERSION_MAJOR 0
#define ARGYLE_SANDBOX_VERSION_MINOR 1
#define ARGYLE_SANDBOX_VERSION_PATCH 0
/** The version of this header as text. */
#define ARGYLE_SANDBOX_VERSION "0.1.0"
/** The version of this header as a number that grows with each version: major << 16 | minor << 8 | patch. */
#define ARGYLE_SANDBOX_VERSION_NUMBER \
  ((ARGYLE_SANDBOX_VERSION_MAJOR << 16) | (ARGYLE_SANDBOX_VERSION_MINOR << 8) | ARGYLE_SANDBOX_VERSION_PATCH)

/**
 * Returns the version of the loaded library as text, such as "0.1.0".
 *
 * @return a constant string, owned by the library, valid while the library is loaded; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_sandbox_version(void);

/**
 * Returns the version of the loaded library as a number to compare with ARGYLE_SANDBOX_VERSION_NUMBER.
 *
 * @return major << 16 | minor << 8 | patch.
 *
 * Errors: none. Any thread may call it at any time.
 */
int argyle_sandbox_version_number(void);

/* ---------------------------------------------------------------- Errors */

/** Why a sandbox did not start. */
typedef struct argyle_sandbox_error argyle_sandbox_error;

/**
 * Returns a sentence that describes the failure for people; its wording may change between versions.
 *
 * It never contains the API key's secret. It may contain the names of an option and of a file.
 *
 * @param error  The error, or NULL.
 * @return one line of UTF-8, borrowed from the error; "" for NULL.
 */
const char *argyle_sandbox_error_message(const argyle_sandbox_error *error);

/**
 * Frees an error and the message borrowed from it.
 *
 * @param error  The error, or NULL, which does nothing.
 */
void argyle_sandbox_error_free(argyle_sandbox_error *error);

/* ---------------------------------------------------------------- Sandbox */

/** A server with its state. */
typedef struct argyle_sandbox argyle_sandbox;

/**
 * Starts a sandbox, which serves requests when the function returns.
 *
 * @param options  A JSON object with the options of the command argyle-sandbox, with `_` for `-`; an unknown key, a
 *                 wrong type or an invalid value is an error that names it. NULL: all defaults.
 *
 *   key_id            string   the id of the accepted API key, default "sandbox-key-id"
 *   key_secret        string   the secret of the accepted API key, default "sandbox-key-secret"
 *   port              integer  0 to 65535: the port on 127.0.0.1; default 0, any free one
 *   database          string   the SQLite file for the state, created if absent; default: in memory
 *   other_key_id      string   with other_key_secret, a key of the other environment, which gets a 401
 *   other_key_secret  string
 *   faults            array    of flat objects: faults set from the start, in the form of the option --fault
 *   timeout           integer  1 to 3600, default 30: the seconds that a client has to begin a request, to send
 *                              it, and to receive the response, each
 *   log               string   a file to which a line of JSON is appended for each request; a line that cannot be
 *                              written at once, as to a full pipe, is dropped
 *   certificate       string   with certificate_key, PEM files to serve HTTPS instead of HTTP
 *   certificate_key   string
 *
 * @param error    Where to put the error; may be NULL.
 * @return a sandbox to be freed with argyle_sandbox_free(), or NULL on failure, which leaves nothing running but may
 *         have created a log file.
 *
 * Errors: an option is invalid, the port is in use, the database or another file cannot be used, or the system is
 * out of threads.
 * Any thread may call it at any time. It blocks while the database is opened.
 */
argyle_sandbox *argyle_sandbox_start(const json_t *options, argyle_sandbox_error **error);

/**
 * Returns the URL of a sandbox, such as "http://127.0.0.1:40123".
 *
 * @param sandbox  The sandbox, or NULL.
 * @return an http or https URL without a trailing slash, borrowed from the sandbox, unchanged after it was stopped; ""
 *         for NULL.
 */
const char *argyle_sandbox_url(const argyle_sandbox *sandbox);

/**
 * Stops a sandbox: it accepts no more connections, finishes the requests in flight, and closes the database.
 *
 * It blocks until that is done, for about five seconds at most. Requests that are not finished by then are aborted: one
 * that is still in the database, such as a large seeding, is rolled back as a whole, one that was not started is never
 * carried out, and one that was carried out loses the rest of its response. When it returns, no thread of the sandbox
 * is left, and its database file may be opened again. Stopping again does nothing.
 *
 * @param sandbox  The sandbox, or NULL, which does nothing. It must still be freed.
 */
void argyle_sandbox_stop(argyle_sandbox *sandbox);

/**
 * Frees a sandbox; if it is still running, stops it first, as argyle_sandbox_stop() does.
 *
 * @param sandbox  The sandbox, or NULL, which does nothing.
 */
void argyle_sandbox_free(argyle_sandbox *sandbox);

#ifdef __cplusplus
}
#endif

#endif /* ARGYLE_SANDBOX_H */
