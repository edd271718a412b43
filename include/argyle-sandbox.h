/*
 * argyle-sandbox.h - a server in this process that answers as the Argyle API, version 1, does.
 *
 * It is what the command argyle-sandbox runs, as a library: for tests that need no other process. It is asked
 * over HTTP, by any client, at the URL that argyle_sandbox_url() tells; so is everything that changes it while
 * it runs.
 *
 * Conventions, true of every function here unless its comment says otherwise:
 *
 * Arguments    `const json_t *` arguments are read during the call: never changed, stolen or kept.
 * Errors       `error` may be NULL. Otherwise `*error` is set to NULL on success and to a new error on
 *              failure, which the caller releases with argyle_sandbox_error_free(). What `*error` held before
 *              is overwritten, not released.
 * Handles      `_free` functions accept NULL. Using a handle after it was freed is undefined.
 * Threads      Any number of threads may use one sandbox at once, and any number of sandboxes may run at once.
 *              An error does not change once made and may be read by any number of threads at once.
 * Processes    In a child that fork() made, a sandbox of the parent does not run. There the handle may be freed,
 *              which releases the handle alone and touches nothing that the parent uses, and argyle_sandbox_stop()
 *              does nothing. A child that wants a sandbox of its own has to call exec() first, unless none ran
 *              when it was made.
 * errno        Every function leaves it as it was.
 * jansson      The library calls jansson's functions also where others of the same names are in the process, such as
 *              json-c's or PostgreSQL's. libjwt, which signs tokens, does not: there, run the command argyle-sandbox.
 * Memory       When no memory is left for the library's own objects, the process is aborted: Swift's
 *              allocations cannot fail softly.
 * Globals      Each sandbox serves on threads of its own, in which every signal is blocked but those that a
 *              fault of the thread itself raises: signals for the process go to the host's threads. The library
 *              installs no handler, prints nothing and reads nothing of the environment itself; GnuTLS, which serves
 *              HTTPS, does, such as SSLKEYLOGFILE. Once every sandbox is freed it may be unloaded.
 * Descriptors  A sandbox takes up to 1000 connections, and no more than the limit of descriptors that the process
 *              has when it starts less 64, or half of that limit where it is very low: the rest is for the host.
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
/** The version of this header as one number that grows: major << 16 | minor << 8 | patch. */
#define ARGYLE_SANDBOX_VERSION_NUMBER \
  ((ARGYLE_SANDBOX_VERSION_MAJOR << 16) | (ARGYLE_SANDBOX_VERSION_MINOR << 8) | ARGYLE_SANDBOX_VERSION_PATCH)

/**
 * Tells the version of the loaded library as text, such as "0.1.0".
 *
 * @return a constant string, owned by the library, valid while the library is loaded; never NULL.
 *
 * Errors: none. Any thread may call it at any time.
 */
const char *argyle_sandbox_version(void);

/**
 * Tells the version of the loaded library as a number, to compare with ARGYLE_SANDBOX_VERSION_NUMBER.
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
 * Says in one sentence what failed, for people; its wording may change between versions.
 *
 * It never holds the API key's secret. It can hold the name of an option and of a file.
 *
 * @param error  The error, or NULL.
 * @return one line of UTF-8, borrowed from the error; "" for NULL.
 */
const char *argyle_sandbox_error_message(const argyle_sandbox_error *error);

/**
 * Releases an error and the message that was borrowed from it.
 *
 * @param error  The error, or NULL, which does nothing.
 */
void argyle_sandbox_error_free(argyle_sandbox_error *error);

/* ---------------------------------------------------------------- Sandbox */

/** A server with its state. */
typedef struct argyle_sandbox argyle_sandbox;

/**
 * Starts a sandbox. When it returns, requests are answered.
 *
 * @param options  A JSON object of the options of the command argyle-sandbox, with `_` for `-`; an unknown key, a
 *                 wrong type or a value that cannot be is an error that says which. NULL: all defaults.
 *
 *   key_id            string   the API key's id that is accepted, default "sandbox-key-id"
 *   key_secret        string   the API key's secret that is accepted, default "sandbox-key-secret"
 *   port              integer  0 to 65535: the port on 127.0.0.1; default 0, any free one
 *   database          string   the SQLite file that keeps the state, made where there is none; default: in memory
 *   other_key_id      string   with other_key_secret, a key of the other environment, which is answered 401
 *   other_key_secret  string
 *   faults            array    of flat objects: faults that are set from the start, as the option --fault has them
 *   timeout           integer  1 to 3600, default 30: the seconds that a client has to begin a request, to send
 *                              it, and to take its answer, each
 *   log               string   a file to which a line of JSON is added for each request; a line that cannot be written
 *                              at once, as to a pipe that is full, is left out
 *   certificate       string   with certificate_key, PEM files with which HTTPS is served in place of HTTP
 *   certificate_key   string
 *
 * @param error    Where to put the error; may be NULL.
 * @return a sandbox to be freed with argyle_sandbox_free(), or NULL on failure, which leaves nothing running; a
 *         log file can have been made.
 *
 * Errors: an option is wrong, the port is taken, the database or another file cannot be used, or the system is
 * out of threads.
 * Any thread may call it at any time. It blocks while the database is opened.
 */
argyle_sandbox *argyle_sandbox_start(const json_t *options, argyle_sandbox_error **error);

/**
 * Tells where a sandbox is reached, such as "http://127.0.0.1:40123".
 *
 * @param sandbox  The sandbox, or NULL.
 * @return an http or https URL without a slash at its end, borrowed from the sandbox, the same also after it was
 *         stopped; "" for NULL.
 */
const char *argyle_sandbox_url(const argyle_sandbox *sandbox);

/**
 * Stops a sandbox: it takes no more connections, finishes the requests in flight, and closes the database.
 *
 * It blocks until that is done, for some five seconds at the most. Requests that are not finished by then are cut:
 * one that the database is still at work on, such as a large seeding, is undone as a whole, one that was not begun
 * with is never carried out, and one that was carried out loses what is left of its answer. When it returns, no
 * thread of the sandbox is left and its database file may be opened again. Stopping again does nothing.
 *
 * @param sandbox  The sandbox, or NULL, which does nothing. It has to be freed all the same.
 */
void argyle_sandbox_stop(argyle_sandbox *sandbox);

/**
 * Frees a sandbox, and stops it first where it still runs, as argyle_sandbox_stop() does.
 *
 * @param sandbox  The sandbox, or NULL, which does nothing.
 */
void argyle_sandbox_free(argyle_sandbox *sandbox);

#ifdef __cplusplus
}
#endif

#endif /* ARGYLE_SANDBOX_H */
