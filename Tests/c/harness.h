/*
 * What every test needs: cmocka, the header under test, a client for a server of ours, and assertions about
 * errors and JSON. Include it first.
 *
 * Assertions work on the thread that runs the test only: cmocka leaves a failed test by longjmp().
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <argyle.h>

/* The API key of every test. No message may ever hold the secret: assert_error() looks for it. */
#define KEY_ID "test-key"
#define KEY_SECRET "canary-secret-5f2c"
/* base64 of KEY_ID ":" KEY_SECRET */
#define KEY_BASIC "Basic dGVzdC1rZXk6Y2FuYXJ5LXNlY3JldC01ZjJj"

/* What an error variable holds before a call: a function that forgets to set it is found out. */
#define RUBBISH ((argyle_error *)(uintptr_t)0x6a756e6b)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------- Clients */

/* The options of a client for this base URL, without retries and with timeouts of ten minutes; a new reference. */
json_t *options_for(const char *base_url);

/* A client with these options, which are released. */
argyle_client *client_with_options(json_t *options);

/* A client for this base URL with these options. */
argyle_client *client_for(const char *base_url);

/* A client for this base URL with one integer option. */
argyle_client *client_with_integer(const char *base_url, const char *option, json_int_t value);

/* ---------------------------------------------------------------- Errors */

/* The name that the header's rule gives to a code: "not_found" for ARGYLE_ERROR_NOT_FOUND. */
const char *name_of_code(int code);

/*
 * Asserts that the error has the code and its name, and a message that is one line of UTF-8, holds the
 * fragment (in any case of letters; NULL: any message) and does not hold the secret.
 */
#define assert_error(error, code, fragment) assert_error_at(error, code, fragment, __FILE__, __LINE__)
void assert_error_at(const argyle_error *error, int code, const char *fragment, const char *file, int line);

/* As assert_error(), then releases the error and fills the variable with rubbish for the next call. */
#define assert_failed(error, code, fragment)  \
  do {                                        \
    assert_error(error, code, fragment);      \
    argyle_error_free(error);                 \
    (error) = RUBBISH;                        \
  } while (0)

/* Asserts an argument error that says which argument must not be NULL. */
#define assert_null_refused(error, argument)               \
  do {                                                     \
    assert_error(error, ARGYLE_ERROR_ARGUMENT, argument);  \
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "NULL");   \
  } while (0)

/* ---------------------------------------------------------------- JSON */

/* Parses any JSON value, U+0000 in strings included; a new reference. */
json_t *json_of(const char *text);

/* Asserts that both are the same JSON, order of keys and kind of number included. */
#define assert_same_json(left, right) assert_same_json_at(left, right, __FILE__, __LINE__)
void assert_same_json_at(const json_t *left, const json_t *right, const char *file, int line);

/* Asserts that the value is the same JSON as the text. */
#define assert_json(value, text) assert_json_at(value, text, __FILE__, __LINE__)
void assert_json_at(const json_t *value, const char *text, const char *file, int line);

/* The string at a key of an object, or "" where there is none. */
const char *string_at(const json_t *object, const char *key);

/* `levels` arrays, each in the other: [] for 1, [[]] for 2. Release it with release_nested(). */
json_t *nested_arrays(size_t levels);

/* `levels` objects, each in the other: {} for 1, {"a": {}} for 2. Release it with release_nested(). */
json_t *nested_objects(size_t levels);

/* Releases what the two functions above made; json_decref() would overflow the stack on a very deep one. */
void release_nested(json_t *value);

#endif /* HARNESS_H */
