/* Every status, and redirects, none of which is followed. */
#include "matrix.h"

#include <stdio.h>

/* ---------------------------------------------------------------- Every status */

/* The error code of a status, as the header documents it. */
static int code_of(int status) {
  switch (status) {
  case 400:
  case 422:
    return ARGYLE_ERROR_INVALID_REQUEST;
  case 401:
    return ARGYLE_ERROR_AUTHENTICATION;
  case 403:
    return ARGYLE_ERROR_PERMISSION;
  case 404:
    return ARGYLE_ERROR_NOT_FOUND;
  case 409:
    return ARGYLE_ERROR_CONFLICT;
  case 429:
    return ARGYLE_ERROR_RATE_LIMITED;
  default:
    if (status / 100 == 3) {
      return ARGYLE_ERROR_REDIRECT;
    }
    return status / 100 == 5 ? ARGYLE_ERROR_SERVER : ARGYLE_ERROR_HTTP;
  }
}

/* Runs a row whose answer has this status, and a body if it may have one. */
static void run_status(int status, const char *headers, fault row) {
  char text[512];
  bool has_body = status >= 200 && status != 204 && status != 304;
  const char *body = status / 100 == 2 ? GOOD_BODY : "{\"detail\": \"no\"}";
  if (has_body) {
    snprintf(text, sizeof text, "HTTP/1.1 %d Status\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body),
             body);
  } else {
    snprintf(text, sizeof text, "HTTP/1.1 %d Status\r\n%s\r\n", status, headers);
  }
  /* No answer follows an interim one. */
  row.answer = (hostile_answer){.bytes = text, .then = status / 100 == 1 ? HOSTILE_CLOSE : HOSTILE_KEEP};
  row.name = "status";
  row.status = status;
  run_numbered_fault(row, status);
}

/* Runs the statuses from `from` up to, but not including, `to`. */
static void run_statuses(int from, int to, fault row) {
  for (int status = from; status < to; status++) {
    fault own = row;
    if (status == 204) {
      own.consequence = UNREADABLE;
      own.code = ARGYLE_ERROR_PROTOCOL;
    } else if (own.consequence == REFUSED) {
      own.code = code_of(status);
    }
    run_status(status, "", own);
  }
}

static void statuses_of_100(void **state) {
  (void)state;
  run_statuses(100, 200, (fault){.consequence = LOST, .code = ARGYLE_ERROR_CONNECTION});
}

static void statuses_of_200(void **state) {
  (void)state;
  run_statuses(200, 300, (fault){.consequence = NO_FAULT});
}

static void statuses_of_300(void **state) {
  (void)state;
  run_statuses(300, 400, (fault){.consequence = REFUSED});
}

static void statuses_of_400(void **state) {
  (void)state;
  run_statuses(400, 500, (fault){.consequence = REFUSED, .fragment = "status 4"});
}

static void statuses_of_500(void **state) {
  (void)state;
  run_statuses(500, 600, (fault){.consequence = REFUSED, .fragment = "status 5"});
}

static void statuses_that_do_not_exist(void **state) {
  (void)state;
  run_statuses(600, 603, (fault){.consequence = REFUSED});
  run_statuses(999, 1000, (fault){.consequence = REFUSED});
}

/* ---------------------------------------------------------------- Retry-After */

static const int transient[] = {408, 429, 500, 502, 503, 504};

static void statuses_with_retry_after(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(transient); i++) {
    fault row = {.consequence = REFUSED, .code = code_of(transient[i])};
    /* An invalid Retry-After is ignored. */
    run_status(transient[i], "Retry-After: soon\r\n", row);
    run_status(transient[i], "Retry-After:\r\n", row);
    row.retry_after_ms = 7000;
    run_status(transient[i], "Retry-After: 7\r\n", row);
    run_status(transient[i], "Retry-After: 7\r\nRetry-After: 9\r\n", row);
  }
}

/* ---------------------------------------------------------------- Redirects */

static const int redirects[] = {300, 301, 302, 303, 304, 305, 307, 308};

/* Each operation makes one request, and none to the location. */
static void run_redirects(const char *location) {
  char headers[512];
  snprintf(headers, sizeof headers, "Location: %s\r\n", location);
  const fault row = {.consequence = REFUSED, .code = ARGYLE_ERROR_REDIRECT, .fragment = "redirect"};
  for (size_t i = 0; i < COUNT(redirects); i++) {
    run_status(redirects[i], headers, row);
  }
}

static void redirected_within_the_origin(void **state) {
  (void)state;
  static const char *const locations[] = {
    "/v1/users/u1/", "u2", "?offset=1", "", "/", "../..", "#a", "//", "http:", ":", "not a location at all", "\xff\xfe",
  };
  for (size_t i = 0; i < COUNT(locations); i++) {
    run_redirects(locations[i]);
  }
}

static void redirected_to_another_origin(void **state) {
  (void)state;
  hostile_server *other = hostile_server_start();
  hostile_server_answer_json(other, 200, GOOD_BODY);
  static const char *const locations[] = {
    "http://127.0.0.1:%d/v1/users", "https://127.0.0.1:%d/v1/users", "//127.0.0.1:%d/v1/users",
    "http://test-key:secret@127.0.0.1:%d/v1/users", "http://localhost:%d/", "ftp://127.0.0.1:%d/",
    "gopher://127.0.0.1:%d/_x",
  };
  for (size_t i = 0; i < COUNT(locations); i++) {
    char location[128];
    snprintf(location, sizeof location, locations[i], hostile_server_port(other));
    run_redirects(location);
  }
  run_redirects("file:///etc/passwd");
  assert_int_equal(hostile_server_connections(other), 0);
  hostile_server_stop(other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(statuses_of_100), matrix_test(statuses_of_200),
    matrix_test(statuses_of_300), matrix_test(statuses_of_400),
    matrix_test(statuses_of_500), matrix_test(statuses_that_do_not_exist),
    matrix_test(statuses_with_retry_after),   matrix_test(redirected_within_the_origin),
    matrix_test(redirected_to_another_origin),
  };
  return run_matrix("faults of the status", NULL, 0, tests, COUNT(tests));
}
