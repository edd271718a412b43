/* Bodies that are not JSON, or that jansson cannot parse, as a success and as a refusal. */
#include "matrix.h"

#include <stdio.h>

#define MEMBERS "\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": []"

/* The bytes of a body, which may contain NUL. */
typedef struct {
  const char *name;
  const char *bytes;
  size_t length;
} text;

#define TEXT(name, bytes) {name, bytes, sizeof(bytes) - 1}
/* An object that is a success for every operation, with another member that has this value. */
#define VALUE(value) {value, "{" MEMBERS ", \"x\": " value "}", sizeof("{" MEMBERS ", \"x\": " value "}") - 1}
#define NAMED_VALUE(name, value) TEXT(name, "{" MEMBERS ", \"x\": " value "}")

/* max_response_bytes, enough for a body of megabytes. */
#define LARGE (64 * 1024 * 1024)

/* ---------------------------------------------------------------- Texts */

/* Not JSON for any parser. */
static const text not_json[] = {
  /* Values */
  NAMED_VALUE("no value", ""),
  NAMED_VALUE("a comma instead of a value", ","),
  VALUE("tru"),
  VALUE("truex"),
  VALUE("nul"),
  VALUE("fals"),
  VALUE("True"),
  VALUE("NULL"),
  VALUE("undefined"),
  VALUE("NaN"),
  VALUE("Infinity"),
  VALUE("-Infinity"),
  VALUE("x"),
  VALUE("1;"),
  VALUE("1 2"),
  VALUE("= 1"),
  /* Numbers */
  VALUE("-"),
  VALUE("+1"),
  VALUE("--1"),
  VALUE("01"),
  VALUE("-01"),
  VALUE("00"),
  VALUE("1."),
  VALUE(".5"),
  VALUE("-.5"),
  VALUE("1.e1"),
  VALUE("1e"),
  VALUE("1e+"),
  VALUE("1e1.5"),
  VALUE("0x10"),
  VALUE("1_000"),
  VALUE("1a"),
  /* Strings */
  VALUE("'a'"),
  VALUE("\"a"),
  VALUE("a\""),
  VALUE("\"\\x\""),
  VALUE("\"\\\""),
  VALUE("\"\\u\""),
  VALUE("\"\\u12\""),
  VALUE("\"\\uZZZZ\""),
  VALUE("\"\\U0041\""),
  NAMED_VALUE("a line feed in a string", "\"a\nb\""),
  NAMED_VALUE("a tab in a string", "\"a\tb\""),
  NAMED_VALUE("a control character in a string", "\"a\x01\""),
  /* Arrays */
  VALUE("["),
  VALUE("]"),
  VALUE("[1,]"),
  VALUE("[,1]"),
  VALUE("[1,,2]"),
  VALUE("[1 2]"),
  VALUE("[1:2]"),
  VALUE("[1}"),
  /* Objects */
  VALUE("{"),
  VALUE("{]"),
  VALUE("{\"a\"}"),
  VALUE("{\"a\":}"),
  VALUE("{\"a\" 1}"),
  VALUE("{\"a\":1,}"),
  VALUE("{,\"a\":1}"),
  VALUE("{\"a\":1 \"b\":2}"),
  VALUE("{a:1}"),
  VALUE("{1:1}"),
  VALUE("{null:1}"),
  VALUE("{\"a\":1"),
  VALUE("{\"a\"=1}"),
  /* Comments */
  VALUE("1 // one\n"),
  VALUE("/* one */ 1"),
  VALUE("# one\n1"),
  /* Not UTF-8 */
  NAMED_VALUE("a byte that never occurs in UTF-8", "\"\xff\""),
  NAMED_VALUE("a continuation byte without a lead byte", "\"\x80\""),
  NAMED_VALUE("Latin-1", "\"caf\xe9\""),
  NAMED_VALUE("a truncated character", "\"\xe2\x82\""),
  NAMED_VALUE("an overlong character", "\"\xc0\xaf\""),
  NAMED_VALUE("a NUL of two bytes", "\"\xc0\x80\""),
  NAMED_VALUE("a surrogate", "\"\xed\xa0\x80\""),
  NAMED_VALUE("a character beyond U+10FFFF", "\"\xf4\x90\x80\x80\""),
  TEXT("a key that is not UTF-8", "{" MEMBERS ", \"\xff\": 1}"),
  TEXT("UTF-16", "{\0\"\0i\0d\0\"\0:\0\"\0u\0\"\0}\0"),
  /* NUL */
  NAMED_VALUE("a NUL in a string", "\"a\0b\""),
  NAMED_VALUE("a NUL instead of a value", "\0"),
  NAMED_VALUE("a NUL in a number", "1\0002"),
  TEXT("a NUL before the text", "\0{" MEMBERS "}"),
  TEXT("a NUL after the text", "{" MEMBERS "}\0"),
  TEXT("a NUL", "\0"),
  /* Around the text */
  TEXT("a byte order mark", "\xef\xbb\xbf{" MEMBERS "}"),
  TEXT("a byte order mark after the text", "{" MEMBERS "}\xef\xbb\xbf"),
  TEXT("garbage after the text", "{" MEMBERS "} and more"),
  TEXT("an extra bracket", "{" MEMBERS "}}"),
  TEXT("the text twice", "{" MEMBERS "}{" MEMBERS "}"),
  TEXT("the text on two lines", "{" MEMBERS "}\n{" MEMBERS "}"),
  TEXT("a missing bracket", "{" MEMBERS),
  TEXT("a comma after the text", "{" MEMBERS "},"),
  TEXT("a comma at the end", "{" MEMBERS ",}"),
  TEXT("a JSON prefix guard", ")]}',\n{" MEMBERS "}"),
  TEXT("a function around the text", "callback({" MEMBERS "})"),
  TEXT("a form feed", "\f{" MEMBERS "}"),
  TEXT("a no-break space", "\xc2\xa0{" MEMBERS "}"),
  /* Something else */
  TEXT("spaces", " \r\n\t "),
  TEXT("an opening bracket", "{"),
  TEXT("an opening square bracket", "["),
  TEXT("an opening quote", "\""),
  TEXT("a word", "OK"),
  TEXT("HTML", "<!DOCTYPE html><html><body>Please log in</body></html>"),
  TEXT("XML", "<?xml version=\"1.0\"?><error/>"),
  TEXT("a form", "id=u1&token=t"),
  TEXT("CBOR", "\xa1\x62id\x62u1"),
};

/* JSON that jansson cannot parse without changing it: an error, but not if it is returned as text. */
static const text not_parsed[] = {
  VALUE("9223372036854775808"),
  VALUE("-9223372036854775809"),
  VALUE("18446744073709551616"),
  VALUE("100000000000000000000000000000000000000000"),
  VALUE("1e999"),
  VALUE("-1e999"),
  VALUE("1e99999999999999999999"),
  VALUE("\"\\ud800\""),
  VALUE("\"\\udc00\""),
  VALUE("\"\\ud800\\u0041\""),
  VALUE("\"\\udc00\\ud800\""),
  VALUE("{\"a\\u0000b\": 1}"),
  VALUE("{\"\\u0000\": 1}"),
};

/* JSON that jansson can parse. */
static const text parsed[] = {
  VALUE("9223372036854775807"),
  VALUE("-9223372036854775808"),
  VALUE("1.7976931348623157e308"),
  VALUE("1e-999"),
  VALUE("-0"),
  VALUE("0.1"),
  VALUE("\"\\u0000\""),
  VALUE("\"\\ud83d\\ude00\""),
  VALUE("\"\xf0\x9f\x98\x80\""),
  VALUE("\"\\/\\b\\f\\n\\r\\t\\\\\\\"\""),
  VALUE("{\"\": {\"\": []}}"),
  VALUE("{\"a\": 1, \"a\": 2}"),
  TEXT("surrounding white space", " \r\n\t{" MEMBERS "}\r\n "),
  TEXT("duplicate members, the last of which count",
       "{\"id\": 5, \"token\": 5, \"access\": 5, \"results\": 5, " MEMBERS "}"),
  TEXT("escapes in keys",
       "{\"\\u0069d\": \"u1\", \"tok\\u0065n\": \"t\", \"\\u0061ccess\": \"a\", \"r\\u0065sults\": []}"),
};

/* ---------------------------------------------------------------- Rows */

/* Runs a row whose answer has this status and body and keeps the connection open. */
static void run_body(const char *name, int status, const char *bytes, size_t length, fault row) {
  char *answer = malloc(length + 256);
  size_t head = (size_t)snprintf(answer, 256,
                                 "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                                 status, length);
  memcpy(answer + head, bytes, length);
  row.name = name;
  row.status = status;
  row.answer = (hostile_answer){.bytes = answer, .length = head + length};
  row.max_response_bytes = LARGE;
  run_fault(&row);
  free(answer);
}

static void run_text(const text *text, int status, fault row) {
  run_body(text->name, status, text->bytes, text->length, row);
}

static void a_success_that_is_not_json(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(not_json); i++) {
    run_text(&not_json[i], 200, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL, .fragment = "JSON"});
  }
}

static void a_success_that_jansson_cannot_parse(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(not_parsed); i++) {
    run_text(&not_parsed[i], 200, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL,
                                        .text_succeeds = true});
  }
}

static void a_success_that_jansson_can_parse(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(parsed); i++) {
    run_text(&parsed[i], 200, (fault){.consequence = NO_FAULT});
  }
}

/* A refusal may have any body: only its status counts. */
static void a_refusal_of_any_text(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(not_json); i++) {
    run_text(&not_json[i], 400, (fault){.consequence = REFUSED, .code = ARGYLE_ERROR_INVALID_REQUEST});
  }
  for (size_t i = 0; i < COUNT(not_parsed); i++) {
    run_text(&not_parsed[i], 502, (fault){.consequence = REFUSED, .code = ARGYLE_ERROR_SERVER});
  }
  for (size_t i = 0; i < COUNT(parsed); i++) {
    run_text(&parsed[i], 403, (fault){.consequence = REFUSED, .code = ARGYLE_ERROR_PERMISSION});
  }
}

/* ---------------------------------------------------------------- Depth */

/* A body with a value nested `levels` deep; the caller frees it. */
static char *nested_body(const char *open, const char *close, size_t levels, bool is_closed) {
  char *body = malloc((strlen(open) + strlen(close)) * levels + 256);
  char *at = stpcpy(body, "{" MEMBERS ", \"x\": ");
  for (size_t i = 0; i < levels; i++) {
    at = stpcpy(at, open);
  }
  at = stpcpy(at, "1");
  for (size_t i = 0; is_closed && i < levels; i++) {
    at = stpcpy(at, close);
  }
  strcpy(at, is_closed ? "}" : "");
  return body;
}

static void run_nested(size_t levels, bool is_closed, fault row) {
  static const char *const pairs[][2] = {{"[", "]"}, {"{\"a\":", "}"}, {"[{\"\":", "}]"}};
  for (size_t i = 0; i < COUNT(pairs); i++) {
    char *body = nested_body(pairs[i][0], pairs[i][1], levels, is_closed);
    run_body("nested", 200, body, strlen(body), row);
    run_body("nested refusal", 400, body, strlen(body),
             (fault){.consequence = REFUSED, .code = ARGYLE_ERROR_INVALID_REQUEST});
    free(body);
  }
}

static void nested(void **state) {
  (void)state;
  run_nested(1000, true, (fault){.consequence = NO_FAULT});
  /* Deeper than jansson parses. */
  run_nested(2100, true,
             (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL, .text_succeeds = true});
  run_nested(2100, false, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL});
  run_nested(100000, true, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL});
  run_nested(100000, false, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL});
}

/* ---------------------------------------------------------------- Secrets */

/* A server that repeats what it received and sent: no message shows it, as assert_error() checks. */
static void repeated_secrets(void **state) {
  (void)state;
  static const text refusals[] = {
    TEXT("the secret", "{\"detail\": \"bad key " KEY_SECRET "\"}"),
    TEXT("the secret in a name", "{\"" KEY_SECRET "\": [\"is bad\"]}"),
    TEXT("the secret with an escape", "{\"detail\": \"bad key canary-secret-5f2\\u0063\"}"),
    TEXT("the header", "{\"detail\": \"bad header " KEY_BASIC "\"}"),
    TEXT("a token", "{\"user\": [\"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln\"]}"),
    TEXT("many secrets", "{\"detail\": \"" KEY_SECRET KEY_SECRET " " KEY_SECRET "eyJhbGciOiJIUzI1NiJ9.eyJ9.x\"}"),
    TEXT("lines", "{\"detail\": \"one\\r\\ntwo\\u0000three\\u001b[31m\\u0085\\u2028\"}"),
  };
  for (size_t i = 0; i < COUNT(refusals); i++) {
    run_text(&refusals[i], 401, (fault){.consequence = REFUSED, .code = ARGYLE_ERROR_AUTHENTICATION});
    run_text(&refusals[i], 200,
             (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL, .text_succeeds = true});
  }
  static const text successes[] = {
    TEXT("the secret instead of JSON", KEY_SECRET),
    TEXT("the header instead of JSON", KEY_BASIC),
    TEXT("a token instead of JSON", "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln"),
    TEXT("the secret in broken JSON", "{" MEMBERS ", \"x\": \"" KEY_SECRET "\" " KEY_SECRET "}"),
    TEXT("a token in broken JSON", "{" MEMBERS ", \"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln\"}"),
    TEXT("a token in an unterminated string", "{\"token\": \"eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjF9.c2ln"),
  };
  for (size_t i = 0; i < COUNT(successes); i++) {
    run_text(&successes[i], 200, (fault){.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL});
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(a_success_that_is_not_json), matrix_test(a_success_that_jansson_cannot_parse),
    matrix_test(a_success_that_jansson_can_parse),     matrix_test(a_refusal_of_any_text),
    matrix_test(nested),                     matrix_test(repeated_secrets),
  };
  return run_matrix("faults of the JSON", NULL, 0, tests, COUNT(tests));
}
