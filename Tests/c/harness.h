/*
 * Common to all tests: cmocka, the header under test, clients for local servers, and assertions about errors and JSON.
 * Include it first.
 *
 * Assert only on the thread that runs the test: cmocka leaves a failed test with longjmp().
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

/* The API key of every test. assert_error() checks that no message contains the secret. */
#define KEY_ID "test-key"
#define KEY_SECRET "canary-secret-5f2c"
/* base64 of KEY_ID ":" KEY_SECRET */
#define KEY_BASIC "Basic dGVzdC1rZXk6Y2FuYXJ5LXNlY3JldC01ZjJj"

/* Initial value of error variables, which reveals a function that does not set its error. */
#define RUBBISH ((argyle_error *)(uintptr_t)0x6a756e6b)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---------------------------------------------------------------- Clients */

/* Client options for a base URL, without retries and with timeouts of ten minutes; a new reference. */
json_t *options_for(const char *base_url);

/* Creates a client and releases the options. */
argyle_client *client_with_options(json_t *options);

/* Creates a client with options_for() this base URL. */
argyle_client *client_for(const char *base_url);

/* The same with one integer option more. */
argyle_client *client_with_integer(const char *base_url, const char *option, json_int_t value);

/* ---------------------------------------------------------------- Errors */

/* The name of an error code by the header's rule: "not_found" for ARGYLE_ERROR_NOT_FOUND. */
const char *name_of_code(int code);

/*
 * Asserts that the error has the code and its name, and that its message is one line of UTF-8, contains the fragment
 * (case-insensitive; NULL: any message) and does not contain the secret.
 */
#define assert_error(error, code, fragment) assert_error_at(error, code, fragment, __FILE__, __LINE__)
void assert_error_at(const argyle_error *error, int code, const char *fragment, const char *file, int line);

/* The same as assert_error(), then frees the error and sets the variable to RUBBISH for the next call. */
#define assert_failed(error, code, fragment)  \
  do {                                        \
    assert_error(error, code, fragment);      \
    argyle_error_free(error);                 \
    (error) = RUBBISH;                        \
  } while (0)

/* Asserts an argument error whose message says that the argument must not be NULL. */
#define assert_null_refused(error, argument)               \
  do {                                                     \
    assert_error(error, ARGYLE_ERROR_ARGUMENT, argument);  \
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "NULL");   \
  } while (0)

/* ---------------------------------------------------------------- JSON */

/* Parses any JSON value, allowing U+0000 in strings; a new reference. */
json_t *json_of(const char *text);

/* Asserts that both are the same JSON, including key order and number type. */
#define assert_same_json(left, right) assert_same_json_at(left, right, __FILE__, __LINE__)
void assert_same_json_at(const json_t *left, const json_t *right, const char *file, int line);

/* Asserts that the value is the JSON of `text`. */
#define assert_json(value, text) assert_json_at(value, text, __FILE__, __LINE__)
void assert_json_at(const json_t *value, const char *text, const char *file, int line);

/* The string at a key of an object; "" if there is none. */
const char *string_at(const json_t *object, const char *key);

/* Nested arrays: [] for 1 level, [[]] for 2. Release them with release_nested(). */
json_t *nested_arrays(size_t levels);

/* Nested objects: {} for 1 level, {"a": {}} for 2. Release them with release_nested(). */
json_t *nested_objects(size_t levels);

/* Releases nested arrays or objects; json_decref() would overflow the stack on very deep ones. */
void release_nested(json_t *value);

#endif /* HARNESS_H */
