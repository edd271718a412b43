/* Walks over pages whose links are wrong, misleading or endless, and over pages that fail. */
#include "matrix.h"

#include <stdio.h>

#define FIRST "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}"
#define LAST "{\"results\": [{\"id\": \"u2\"}], \"next\": null}"

/* A limit that is never reached. */
#define NEVER_MS 600000

/* ---------------------------------------------------------------- Walks */

typedef enum form { USERS, PAGES, TEXTS, CALLS, FORMS } form;

static const char *const form_names[] = {"users", "pages", "texts", "calls"};

/* The current walk. */
static struct {
  const char *row;
  form form;
  hostile_server *server;
  argyle_client *client;
  argyle_user_cursor *cursor;
  argyle_error *error; /* of the last step */
  int descriptors;     /* open before the walk */
} walk;

/* Prepares a walk; the server has no answers yet. */
static void begin_walk(const char *row, form form, const char *limit, int limit_ms) {
  walk.row = row;
  walk.form = form;
  stop_clock();
  walk.descriptors = count_descriptors();
  walk.server = hostile_server_start();
  walk.client = client_with_integer(hostile_server_url(walk.server), limit, limit_ms);
  walk.cursor = argyle_user_cursor_new(walk.client, NULL, &walk.error);
  assert_non_null(walk.cursor);
}

static void free_walk(void) {
  argyle_error_free(walk.error);
  argyle_user_cursor_free(walk.cursor);
  argyle_client_free(walk.client);
  if (walk.server != NULL) {
    hostile_server_stop(walk.server);
  }
  clock_teardown(NULL);
  memset(&walk, 0, sizeof walk);
}

static void end_walk(void) {
  int before = walk.descriptors;
  free_walk();
  assert_int_equal(count_descriptors(), before);
  count_cell();
}

static int teardown_walk(void **state) {
  (void)state;
  if (walk.row != NULL) {
    print_error("in the row \"%s\", cursor of %s\n", walk.row, form_names[walk.form]);
  }
  free_walk();
  return 0;
}

#define walk_test(test) cmocka_unit_test_teardown(test, teardown_walk)

/* Runs a call for the next page and adds the page; returns whether there was one. */
static bool run_next_call(void) {
  argyle_call *call = argyle_user_cursor_next_call(walk.cursor, walk.client, &walk.error);
  if (call == NULL) {
    return false;
  }
  int added = argyle_call_run(call, &walk.error);
  if (added == 0) {
    added = argyle_user_cursor_add_page(walk.cursor, call, &walk.error);
    assert_int_not_equal(added, 0);
  }
  argyle_call_free(call);
  return added == 1;
}

/* Reads one user or one page; returns whether there was one. */
static bool step(void) {
  argyle_error_free(walk.error);
  walk.error = RUBBISH;
  json_t *value = NULL;
  const char *text = NULL;
  size_t size = 1;
  bool found = false;
  switch (walk.form) {
  case USERS:
    value = argyle_user_cursor_next(walk.cursor, &walk.error);
    break;
  case PAGES:
    value = argyle_user_cursor_next_page(walk.cursor, &walk.error);
    break;
  case TEXTS:
    text = argyle_user_cursor_next_page_text(walk.cursor, &size, &walk.error);
    assert_int_equal(text != NULL, size > 0);
    break;
  default:
    found = run_next_call();
  }
  found = found || value != NULL || text != NULL;
  json_decref(value);
  assert_true(walk.error == NULL || !found);
  return found;
}

#define assert_found()                                           \
  do {                                                           \
    bool found_ = step();                                        \
    if (walk.error != NULL) {                                    \
      print_error("%s\n", argyle_error_message(walk.error));     \
    }                                                            \
    assert_null(walk.error);                                     \
    assert_true(found_);                                         \
  } while (0)

#define assert_end()         \
  do {                       \
    assert_false(step());    \
    assert_null(walk.error); \
  } while (0)

#define assert_stopped(code, fragment)         \
  do {                                         \
    assert_false(step());                      \
    assert_error(walk.error, code, fragment);  \
  } while (0)

/* ---------------------------------------------------------------- Links that are followed */

/* The query of a link, which the client must send. */
#define QUERY "offset=1&limit=200&ordering=-created_at"

/* Only the query is used, whatever else the link contains. OTHER is another server's port, SELF this server's. */
static const char *const links[] = {
  "http://127.0.0.1:SELF/v1/users?" QUERY,
  "http://127.0.0.1:SELF/elsewhere?" QUERY,
  "http://127.0.0.1:OTHER/v1/users?" QUERY,
  "http://localhost:OTHER/v1/users?" QUERY,
  "http://[::1]:OTHER/v1/users?" QUERY,
  "https://127.0.0.1:OTHER/v1/users?" QUERY,
  "https://api.argyle.com/v1/users?" QUERY,
  "HTTP://127.0.0.1:OTHER?" QUERY,
  "http://user:password@127.0.0.1:OTHER/v1/users?" QUERY,
  "http://" KEY_ID ":secret@127.0.0.1:SELF/v1/users?" QUERY,
  "http://127.0.0.1:SELF@127.0.0.1:OTHER/?" QUERY,
  "http://127.0.0.1:SELF\\\\@127.0.0.1:OTHER/?" QUERY,
  "http://127.0.0.1:99999/?" QUERY,
  "//127.0.0.1:OTHER/v1/users?" QUERY,
  "///127.0.0.1:OTHER/v1/users?" QUERY,
  "\\\\\\\\127.0.0.1:OTHER/?" QUERY,
  "/v1/users?" QUERY,
  "/v2/users?" QUERY,
  "/?" QUERY,
  "users?" QUERY,
  "../../users?" QUERY,
  "?" QUERY,
  "?" QUERY "#fragment",
  "?" QUERY "#fragment?offset=5",
  "ftp://127.0.0.1:OTHER/?" QUERY,
  "gopher://127.0.0.1:OTHER/_x?" QUERY,
  "file:///etc/passwd?" QUERY,
  "javascript:alert(1)?" QUERY,
  "data:text/plain,x?" QUERY,
  "unix:///var/run/docker.sock?" QUERY,
  "not a link ?" QUERY,
  "http://?" QUERY,
  ":?" QUERY,
};

/* Copies a link, replacing OTHER and SELF. */
static void write_link(char *to, const char *link, int other, int self) {
  while (*link != '\0') {
    if (strncmp(link, "OTHER", 5) == 0) {
      to += sprintf(to, "%d", other);
      link += 5;
    } else if (strncmp(link, "SELF", 4) == 0) {
      to += sprintf(to, "%d", self);
      link += 4;
    } else {
      *to++ = *link++;
    }
  }
  *to = '\0';
}

/* Walks over two pages with this link between them, and asserts the query of the second request. */
static void follow(const char *link, const char *query, form form, hostile_server *other) {
  char own_link[9000], page[10000], target[9000];
  begin_walk(link, form, "timeout_ms", NEVER_MS);
  write_link(own_link, link, hostile_server_port(other), hostile_server_port(walk.server));
  snprintf(page, sizeof page, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"%s\"}", own_link);
  hostile_server_answer_json(walk.server, 200, page);
  hostile_server_answer_json(walk.server, 200, LAST);
  assert_found();
  assert_found();
  assert_end();
  assert_int_equal(hostile_server_requests(walk.server), 2);
  const hostile_request *request = hostile_server_request(walk.server, 1);
  snprintf(target, sizeof target, "/v1/users?%s", query);
  assert_string_equal(request->target, target);
  assert_string_equal(request->method, "GET");
  assert_string_equal(hostile_request_header(request, "Authorization"), KEY_BASIC);
  end_walk();
}

static void only_the_query_of_a_link_is_used(void **state) {
  (void)state;
  hostile_server *other = hostile_server_start();
  for (size_t i = 0; i < COUNT(links); i++) {
    for (int form = 0; form < FORMS; form++) {
      follow(links[i], QUERY, (enum form)form, other);
    }
  }
  assert_int_equal(hostile_server_connections(other), 0);
  hostile_server_stop(other);
}

static void any_query_is_used(void **state) {
  (void)state;
  char long_link[8100] = "/?a=", *long_query = long_link + 2;
  memset(long_link + 4, 'x', 8000);
  const struct {
    const char *link;
    const char *query;
  } queries[] = {
    {"?offset=%31%0d%0aX-Evil:%201", "offset=%31%0d%0aX-Evil:%201"},
    {"?a=1?b=2", "a=1?b=2"},
    {"?cursor=b2Zmc2V0PTE=&b=/..//", "cursor=b2Zmc2V0PTE=&b=/..//"},
    {"?offset=-1", "offset=-1"},
    {"?offset=99999999999999999999999", "offset=99999999999999999999999"},
    {"?a=\\\"<>`{}|^[]", "a=\"<>`{}|^[]"},
    {"?&&&", "&&&"},
    {"?%", "%"},
    {"\\u003foffset\\u003d1", "offset=1"},
    {long_link, long_query},
  };
  hostile_server *other = hostile_server_start();
  for (size_t i = 0; i < COUNT(queries); i++) {
    for (int form = 0; form < FORMS; form++) {
      follow(queries[i].link, queries[i].query, (enum form)form, other);
    }
  }
  hostile_server_stop(other);
}

/* ---------------------------------------------------------------- Links that are refused */

/* Asserts an error, after the page that has the link, or instead of it if the link is not a text. */
static void assert_link_refused(const char *next, form form, bool is_text) {
  char page[10000];
  begin_walk(next, form, "timeout_ms", NEVER_MS);
  snprintf(page, sizeof page, "{\"results\": [{\"id\": \"u1\"}], \"next\": %s}", next);
  hostile_server_answer_json(walk.server, 200, page);
  hostile_server_answer_json(walk.server, 200, page);
  if (is_text || form >= TEXTS) {
    assert_found();
  }
  assert_stopped(ARGYLE_ERROR_PROTOCOL, "next");
  assert_stopped(ARGYLE_ERROR_PROTOCOL, "next");
  /* If the link is a text, the page is not requested again: it would be the same. */
  if (is_text || form >= TEXTS) {
    assert_int_equal(hostile_server_requests(walk.server), 1);
  }
  end_walk();
}

static void a_link_that_cannot_be_followed_ends_the_walk(void **state) {
  (void)state;
  char too_long[9100] = "\"/?a=";
  memset(too_long + 5, 'x', 9000);
  strcat(too_long, "\"");
  const char *const texts[] = {
    "\"\"", "\"x\"", "\"?\"", "\"#\"", "\"https://h/v1/users\"", "\"https://h/v1/users?\"", "\"/v1/users#?offset=1\"",
    "\"?offset=1 HTTP/1.1\\r\\nX-Evil: 1\\r\\n\\r\\n\"", "\"?offset=1\\n\"", "\"?offset=1\\r\"", "\"?a b\"",
    "\"?a\\u0000b\"",
    "\"?\\u0000\"", "\"?\xc3\xa9\"", "\"?\\u00e9\"", "\"?\\u007f\"", "\"?\\t\"", "\"?\\ud83d\\ude00\"", too_long,
  };
  static const char *const others[] = {
    "true", "false", "0", "1.5", "-1", "[]", "{}", "[\"?offset=1\"]", "{\"?a\": \"?offset=1\"}", "[[\"?offset=1\"]]",
  };
  for (int form = 0; form < FORMS; form++) {
    for (size_t i = 0; i < COUNT(texts); i++) {
      assert_link_refused(texts[i], (enum form)form, true);
    }
    for (size_t i = 0; i < COUNT(others); i++) {
      assert_link_refused(others[i], (enum form)form, false);
    }
  }
}

/* ---------------------------------------------------------------- Endless walks */

/* Adds a page with or without a user that links to an offset. */
static void answer_page(int users, int next) {
  char page[128];
  const char *results = users > 0 ? "{\"id\": \"u1\"}" : "";
  snprintf(page, sizeof page, "{\"results\": [%s], \"next\": \"/?offset=%d\"}", results, next);
  hostile_server_answer_json(walk.server, 200, page);
}

/* Walks to an error, which must come; returns the number of steps. */
static int steps_to_an_error(void) {
  int steps = 0;
  while (step()) {
    steps++;
    assert_in_range(steps, 0, 1000);
  }
  assert_error(walk.error, ARGYLE_ERROR_PROTOCOL, "page");
  return steps;
}

static void a_cycle_ends_the_walk(void **state) {
  (void)state;
  static const int lengths[] = {1, 2, 3, 10, 40};
  for (size_t i = 0; i < COUNT(lengths); i++) {
    for (int form = 0; form < FORMS; form++) {
      begin_walk("a cycle", (enum form)form, "timeout_ms", NEVER_MS);
      for (int j = 0; j < 3 * lengths[i]; j++) {
        answer_page(1, 1 + j % lengths[i]);
      }
      /* Only the first page may be returned twice, because it was first requested without a link. */
      assert_in_range(steps_to_an_error(), lengths[i], lengths[i] + 1);
      end_walk();
    }
  }
}

static void a_long_walk_is_no_cycle(void **state) {
  (void)state;
  for (int form = 0; form < FORMS; form++) {
    begin_walk("a long walk", (enum form)form, "timeout_ms", NEVER_MS);
    for (int i = 1; i <= 200; i++) {
      answer_page(1, i);
    }
    hostile_server_answer_json(walk.server, 200, LAST);
    for (int i = 1; i <= 201; i++) {
      assert_found();
    }
    assert_end();
    assert_int_equal(hostile_server_requests(walk.server), 201);
    end_walk();
  }
}

/* Empty pages that link to further ones: a call that looks for a user must return anyway. */
static void endless_empty_pages_end_the_walk(void **state) {
  (void)state;
  for (int form = 0; form < FORMS; form++) {
    begin_walk("empty pages", (enum form)form, "timeout_ms", NEVER_MS);
    for (int i = 1; i <= 250; i++) {
      answer_page(0, i);
    }
    steps_to_an_error();
    assert_in_range(hostile_server_requests(walk.server), 50, 150);
    end_walk();
  }
}

static void some_empty_pages_are_skipped(void **state) {
  (void)state;
  begin_walk("some empty pages", USERS, "timeout_ms", NEVER_MS);
  for (int i = 1; i <= 240; i++) {
    answer_page(i % 50 == 0, i);
  }
  hostile_server_answer_json(walk.server, 200, LAST);
  for (int i = 0; i < 5; i++) {
    assert_found();
  }
  assert_end();
  end_walk();
}

static void endless_bare_arrays_end_the_walk(void **state) {
  (void)state;
  for (int form = 0; form < FORMS; form++) {
    begin_walk("the same array", (enum form)form, "timeout_ms", NEVER_MS);
    hostile_server_answer_json(walk.server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
    assert_in_range(steps_to_an_error(), 1, 2);
    end_walk();
  }
}

/* ---------------------------------------------------------------- Pages that fail */

typedef struct {
  const char *name;
  hostile_answer answer;
  int code;
  bool text_succeeds;
  bool dies; /* before the answer: on a reused connection this is no failure, and is retried immediately */
} page_fault;

#define CUT(name, text) \
  {name, {.bytes = text, .then = HOSTILE_CLOSE}, .code = ARGYLE_ERROR_CONNECTION}
#define BROKEN(name, text) \
  {name, {.bytes = text, .then = HOSTILE_CLOSE}, .code = ARGYLE_ERROR_PROTOCOL}
#define WRONG(name, body)                                                                           \
  {name, {.bytes = OK_UNTIL_CLOSED body, .then = HOSTILE_CLOSE}, .code = ARGYLE_ERROR_PROTOCOL, \
   .text_succeeds = true}
#define STATUS(status, code_) \
  {status, {.bytes = "HTTP/1.1 " status " No\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"}, .code = code_}

static const page_fault page_faults[] = {
  {"closed", {.then = HOSTILE_CLOSE}, .code = ARGYLE_ERROR_CONNECTION, .dies = true},
  {"reset", {.then = HOSTILE_RESET}, .code = ARGYLE_ERROR_CONNECTION, .dies = true},
  CUT("closed within the headers", "HTTP/1.1 200 OK\r\nCont"),
  CUT("closed within the body", OK_HEAD "Content-Length: 500\r\n\r\n" LAST),
  BROKEN("garbage", "garbage\r\n\r\n"),
  BROKEN("garbage for chunks", OK_HEAD "Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
  BROKEN("invalid gzip", OK_HEAD "Content-Encoding: gzip\r\n\r\nthis is not gzip data"),
  BROKEN("HTML", OK_UNTIL_CLOSED "<html>"),
  BROKEN("a page that is cut", OK_UNTIL_CLOSED "{\"results\": [{\"id\""),
  BROKEN("an empty page", OK_UNTIL_CLOSED),
  WRONG("a page without users", "{}"),
  WRONG("a user without an id", "{\"results\": [{}]}"),
  WRONG("a number that is too large", "{\"results\": [], \"count\": 1e999}"),
  STATUS("302", ARGYLE_ERROR_REDIRECT),
  STATUS("400", ARGYLE_ERROR_INVALID_REQUEST),
  STATUS("401", ARGYLE_ERROR_AUTHENTICATION),
  STATUS("404", ARGYLE_ERROR_NOT_FOUND),
  STATUS("429", ARGYLE_ERROR_RATE_LIMITED),
  STATUS("500", ARGYLE_ERROR_SERVER),
};

/* Walks over two pages, the second of which fails `times` times first. */
static void fail_second_page(const page_fault *fault, int times, form form, const char *limit, int limit_ms) {
  begin_walk(fault->name, form, limit, limit_ms);
  hostile_server_answer_json(walk.server, 200, FIRST);
  for (int i = 0; i < times; i++) {
    hostile_server_answer(walk.server, fault->answer);
  }
  hostile_server_answer_json(walk.server, 200, LAST);
  assert_found();
  /* A failed prefetch is retried before it is reported; calls are not prefetched. */
  int unreported = form == CALLS ? 0 : 1;
  for (int i = fault->dies ? unreported + 1 : unreported; i < times; i++) {
    assert_stopped(fault->code, fault->code == ARGYLE_ERROR_TIMEOUT ? limit : NULL);
    assert_int_equal(argyle_error_outcome_is_unknown(walk.error), 0);
  }
  assert_found();
  assert_end();
  assert_int_equal(hostile_server_requests(walk.server), 2 + times);
  end_walk();
}

static void a_failed_page_is_requested_again(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(page_faults); i++) {
    for (int form = 0; form < FORMS; form++) {
      for (int times = 1; times <= 3; times++) {
        if (form < TEXTS || !page_faults[i].text_succeeds) {
          fail_second_page(&page_faults[i], times, (enum form)form, "timeout_ms", NEVER_MS);
        }
      }
    }
  }
}

static void a_stalled_page_is_requested_again(void **state) {
  (void)state;
  static const page_fault stalls[] = {
    {"stalled", {.then = HOSTILE_STALL, .advance_ms = SHORT_MS}, .code = ARGYLE_ERROR_TIMEOUT},
    {"stalled within the body",
     {.bytes = OK_HEAD "Content-Length: 500\r\n\r\n{", .then = HOSTILE_STALL, .advance_ms = SHORT_MS},
     .code = ARGYLE_ERROR_TIMEOUT},
  };
  for (size_t i = 0; i < COUNT(stalls); i++) {
    for (int form = is_sampled() ? (int)i : 0; form < (is_sampled() ? (int)i + 1 : FORMS); form++) {
      fail_second_page(&stalls[i], 2, (enum form)form, i == 0 ? "timeout_ms" : "deadline_ms", SHORT_MS);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    walk_test(only_the_query_of_a_link_is_used),
    walk_test(any_query_is_used),
    walk_test(a_link_that_cannot_be_followed_ends_the_walk),
    walk_test(a_cycle_ends_the_walk),
    walk_test(a_long_walk_is_no_cycle),
    walk_test(endless_empty_pages_end_the_walk),
    walk_test(some_empty_pages_are_skipped),
    walk_test(endless_bare_arrays_end_the_walk),
    walk_test(a_failed_page_is_requested_again),
    walk_test(a_stalled_page_is_requested_again),
  };
  return run_matrix("faults of the pages", NULL, 0, tests, COUNT(tests));
}
