#include "harness.h"

/* Selects a single test for Tests/run; cmocka has no environment variable for that. */
__attribute__((constructor)) static void choose_test(void) {
  const char *name = getenv("ARGYLE_TEST");
  if (name != NULL && *name != '\0') {
    cmocka_set_test_filter(name);
  }
}

/* ---------------------------------------------------------------- Clients */

json_t *options_for(const char *base_url) {
  /* No retries, so that tests see each failure; test_retries.c has its own. Long timeouts for slow machines. */
  json_t *options = json_pack("{s:s, s:s, s:s, s:i, s:i, s:i}", "key_id", KEY_ID, "key_secret", KEY_SECRET, "base_url",
                              base_url, "max_retries", 0, "timeout_ms", 600000, "connect_timeout_ms", 600000);
  assert_non_null(options);
  return options;
}

argyle_client *client_with_options(json_t *options) {
  argyle_error *error = RUBBISH;
  argyle_client *client = argyle_client_new(options, &error);
  if (client == NULL) {
    print_error("client: %s\n", argyle_error_message(error));
  }
  assert_non_null(client);
  assert_null(error);
  json_decref(options);
  return client;
}

argyle_client *client_for(const char *base_url) {
  return client_with_options(options_for(base_url));
}

argyle_client *client_with_integer(const char *base_url, const char *option, json_int_t value) {
  json_t *options = options_for(base_url);
  assert_int_equal(json_object_set_new(options, option, json_integer(value)), 0);
  return client_with_options(options);
}

/* ---------------------------------------------------------------- Errors */

const char *name_of_code(int code) {
  static const char *const names[] = {
    [ARGYLE_OK] = "ok",
    [ARGYLE_ERROR_ARGUMENT] = "argument",
    [ARGYLE_ERROR_CONNECTION] = "connection",
    [ARGYLE_ERROR_TLS] = "tls",
    [ARGYLE_ERROR_TIMEOUT] = "timeout",
    [ARGYLE_ERROR_PROTOCOL] = "protocol",
    [ARGYLE_ERROR_TOO_LARGE] = "too_large",
    [ARGYLE_ERROR_AUTHENTICATION] = "authentication",
    [ARGYLE_ERROR_PERMISSION] = "permission",
    [ARGYLE_ERROR_NOT_FOUND] = "not_found",
    [ARGYLE_ERROR_INVALID_REQUEST] = "invalid_request",
    [ARGYLE_ERROR_CONFLICT] = "conflict",
    [ARGYLE_ERROR_RATE_LIMITED] = "rate_limited",
    [ARGYLE_ERROR_SERVER] = "server",
    [ARGYLE_ERROR_HTTP] = "http",
    [ARGYLE_ERROR_REDIRECT] = "redirect",
    [ARGYLE_ERROR_FORKED] = "forked",
    [ARGYLE_ERROR_INTERNAL] = "internal",
    [ARGYLE_ERROR_CANCELLED] = "cancelled",
  };
  return code >= 0 && (size_t)code < COUNT(names) ? names[code] : "unknown";
}

/* jansson creates strings from valid UTF-8 only. */
static bool is_utf8(const char *text) {
  json_t *string = json_string(text);
  json_decref(string);
  return string != NULL;
}

static bool is_one_line(const char *text) {
  for (; *text != '\0'; text++) {
    if ((unsigned char)*text < 0x20 || *text == 0x7f) {
      return false;
    }
  }
  return true;
}

void assert_error_at(const argyle_error *error, int code, const char *fragment, const char *file, int line) {
  if (error == NULL || error == RUBBISH) {
    print_error("%s:%d: no error was set\n", file, line);
    _fail(file, line);
    return;
  }
  const char *message = argyle_error_message(error);
  if (argyle_error_code(error) != code) {
    print_error("%s:%d: expected %s, got %s: %s\n", file, line, name_of_code(code),
                name_of_code(argyle_error_code(error)), message);
    _fail(file, line);
  }
  _assert_string_equal(argyle_error_name(error), name_of_code(code), file, line);
  _assert_true(message[0] != '\0', "the message says something", file, line);
  _assert_true(is_utf8(message), "the message is UTF-8", file, line);
  _assert_true(is_one_line(message), "the message is one line", file, line);
  _assert_true(strstr(message, KEY_SECRET) == NULL, "the message does not hold the secret", file, line);
  _assert_true(strstr(message, strchr(KEY_BASIC, ' ') + 1) == NULL, "the message does not hold the key", file, line);
  _assert_true(strstr(message, "eyJ") == NULL, "the message does not hold a token", file, line);
  if (fragment != NULL && strcasestr(message, fragment) == NULL) {
    print_error("%s:%d: \"%s\" is not in the message: %s\n", file, line, fragment, message);
    _fail(file, line);
  }
}

/* ---------------------------------------------------------------- JSON */

json_t *json_of(const char *text) {
  json_error_t error;
  json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
  if (value == NULL) {
    print_error("not JSON: %s: %s\n", error.text, text);
  }
  assert_non_null(value);
  return value;
}

void assert_same_json_at(const json_t *left, const json_t *right, const char *file, int line) {
  _assert_true(left != NULL && right != NULL, "there is JSON on both sides", file, line);
  char *left_text = json_dumps(left, JSON_ENCODE_ANY | JSON_COMPACT);
  char *right_text = json_dumps(right, JSON_ENCODE_ANY | JSON_COMPACT);
  _assert_string_equal(left_text, right_text, file, line);
  free(left_text);
  free(right_text);
}

void assert_json_at(const json_t *value, const char *text, const char *file, int line) {
  json_t *expected = json_of(text);
  assert_same_json_at(value, expected, file, line);
  json_decref(expected);
}

const char *string_at(const json_t *object, const char *key) {
  const char *text = json_string_value(json_object_get(object, key));
  return text != NULL ? text : "";
}

json_t *nested_arrays(size_t levels) {
  json_t *value = json_array();
  for (size_t level = 1; level < levels; level++) {
    json_t *outer = json_array();
    json_array_append_new(outer, value);
    value = outer;
  }
  return value;
}

json_t *nested_objects(size_t levels) {
  json_t *value = json_object();
  for (size_t level = 1; level < levels; level++) {
    json_t *outer = json_object();
    json_object_set_new(outer, "a", value);
    value = outer;
  }
  return value;
}

void release_nested(json_t *value) {
  /* Each level is emptied before it is released, so that no release recurses. */
  while (value != NULL) {
    json_t *inner = json_is_array(value) ? json_array_get(value, 0) : json_object_get(value, "a");
    json_incref(inner);
    json_array_clear(value);
    json_object_clear(value);
    json_decref(value);
    value = inner;
  }
}
