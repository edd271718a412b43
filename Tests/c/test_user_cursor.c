/* The section "User cursor" of argyle.h. */
#include "cursor.h"
#include "hostile_server.h"
#include "sandbox.h"

#define NO_NEXT "\"next\": null, \"previous\": null, \"count\": null"

/* ---------------------------------------------------------------- Helpers */

#define assert_next_fails(cursor, code, fragment)        \
  do {                                                   \
    argyle_error *error_ = RUBBISH;                      \
    assert_null(argyle_user_cursor_next(cursor, &error_)); \
    assert_failed(error_, code, fragment);               \
  } while (0)

static const hostile_request *request(hostile_fixture *fixture, int index) {
  return hostile_server_request(fixture->server, index);
}

/* ---------------------------------------------------------------- Arguments */

static void the_client_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_cursor_new(NULL, NULL, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_user_cursor_new(NULL, NULL, NULL));
}

static void a_query_may_be_text(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *query, *target;
  } cases[] = {
    {NULL, "/v1/users?limit=200"},
    {"{}", "/v1/users?limit=200"},
    {" {\"limit\": 5, \"offset\": 3, \"ordering\": \"created_at\"}",
     "/v1/users?limit=5&offset=3&ordering=created_at"},
  };
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [], " NO_NEXT "}");
  for (size_t i = 0; i < COUNT(cases); i++) {
    argyle_error *error = RUBBISH;
    size_t size = cases[i].query != NULL ? strlen(cases[i].query) : SIZE_MAX;
    argyle_user_cursor *cursor = argyle_user_cursor_new_text(fixture->client, cases[i].query, size, &error);
    assert_null(error);
    assert_null(argyle_user_cursor_next(cursor, &error));
    assert_null(error);
    assert_string_equal(request(fixture, (int)i)->target, cases[i].target);
    argyle_user_cursor_free(cursor);
  }
}

static void a_query_as_text_follows_the_rules(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *query, *fragment;
  } cases[] = {
    {"", "query"}, {"{", "query"}, {"[]", "query"}, {"null", "query"}, {"{}{}", "query"}, {"{\"limit\": 0}", "limit"},
    {"{\"offset\": -1}", "offset"}, {"{\"ordering\": \"id\"}", "ordering"}, {"{\"colour\": 1}", "colour"},
  };
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_null(argyle_user_cursor_new_text(fixture->client, cases[i].query, strlen(cases[i].query), &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, cases[i].fragment);
  }
  assert_null(argyle_user_cursor_new_text(fixture->client, "{}", SIZE_MAX, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "size");
  assert_null(argyle_user_cursor_new_text(NULL, NULL, 0, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_user_cursor_new_text(NULL, "{}", 2, NULL));
}

static void the_cursor_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_cursor_next(NULL, &error));
  assert_null_refused(error, "cursor");
  assert_null(argyle_user_cursor_next(NULL, NULL));
}

static void freeing_null_does_nothing(void **state) {
  (void)state;
  argyle_user_cursor_free(NULL);
}

static void a_new_cursor_sends_nothing(void **state) {
  hostile_fixture *fixture = *state;
  argyle_user_cursor_free(cursor_for(fixture->client, NULL));
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void a_cursor_works_without_an_error_pointer(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(fixture->client, NULL, NULL);
  json_t *user = argyle_user_cursor_next(cursor, NULL);
  assert_string_equal(string_at(user, "id"), "u1");
  assert_null(argyle_user_cursor_next(cursor, NULL));
  json_decref(user);
  argyle_user_cursor_free(cursor);
}

/* ---------------------------------------------------------------- The sandbox */

typedef struct {
  sandbox *sandbox;
  char *ids[500]; /* in order of creation */
  int count;
} population;

static int population_setup(void **state) {
  population *population = calloc(1, sizeof *population);
  population->sandbox = sandbox_start();
  *state = population;
  return population->sandbox != NULL ? 0 : -1;
}

static int population_teardown(void **state) {
  population *population = *state;
  for (int i = 0; i < population->count; i++) {
    free(population->ids[i]);
  }
  sandbox_stop(population->sandbox);
  free(population);
  return 0;
}

static void grow_to(population *population, int count) {
  while (population->count < count) {
    json_t *created = argyle_user_create(population->sandbox->client, NULL, NULL);
    population->ids[population->count++] = strdup(string_at(created, "id"));
    json_decref(created);
  }
}

/* Asserts that a walk with this query returns the ids from `first` to the last, by `step` 1 or -1. */
static void assert_walk(population *population, const char *query, int first, int step) {
  argyle_user_cursor *cursor = cursor_for(population->sandbox->client, query);
  for (int i = first; i >= 0 && i < population->count; i += step) {
    assert_next(cursor, population->ids[i]);
  }
  assert_end(cursor);
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void every_user_is_returned_once(void **state) {
  static const int counts[] = {0, 1, 199, 200, 201, 450};
  population *population = *state;
  for (size_t i = 0; i < COUNT(counts); i++) {
    grow_to(population, counts[i]);
    assert_walk(population, NULL, population->count - 1, -1);
    assert_walk(population, "{\"ordering\": \"created_at\"}", 0, 1);
  }
}

static void pages_of_any_size_have_the_same_users(void **state) {
  population *population = *state;
  grow_to(population, 30);
  assert_walk(population, "{\"limit\": 1}", 29, -1);
  assert_walk(population, "{\"limit\": 7}", 29, -1);
  assert_walk(population, "{\"limit\": 30}", 29, -1);
  assert_walk(population, "{\"limit\": 1000}", 29, -1);
}

static void the_walk_starts_at_the_offset(void **state) {
  population *population = *state;
  grow_to(population, 30);
  assert_walk(population, "{\"limit\": 4, \"offset\": 10}", 19, -1);
  assert_walk(population, "{\"limit\": 4, \"offset\": 30}", -1, -1);
  assert_walk(population, "{\"limit\": 4, \"offset\": 25, \"ordering\": \"created_at\"}", 25, 1);
}

/* ---------------------------------------------------------------- Requests */

static void pages_of_200_are_requested(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_end(cursor);
  assert_string_equal(request(fixture, 0)->method, "GET");
  assert_int_equal(strncmp(request(fixture, 0)->target, "/v1/users?", 10), 0);
  assert_true(hostile_request_has_query(request(fixture, 0), "limit=200"));
  argyle_user_cursor_free(cursor);
}

static void the_query_is_sent_for_each_page(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [], " NO_NEXT "}");
  argyle_user_cursor *cursor =
    cursor_for(fixture->client, "{\"limit\": 3, \"offset\": 4, \"ordering\": \"created_at\"}");
  assert_end(cursor);
  assert_true(hostile_request_has_query(request(fixture, 0), "limit=3"));
  assert_true(hostile_request_has_query(request(fixture, 0), "offset=4"));
  assert_true(hostile_request_has_query(request(fixture, 0), "ordering=created_at"));
  argyle_user_cursor_free(cursor);
}

static void the_end_sends_no_more_requests(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_end(cursor);
  assert_end(cursor);
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_user_cursor_free(cursor);
}

static void unknown_fields_survive(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "[{\"z\": [1], \"id\": \"u1\", \"a\": {}}]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  assert_json(user, "{\"z\": [1], \"id\": \"u1\", \"a\": {}}");
  json_decref(user);
  argyle_user_cursor_free(cursor);
}

static void a_user_belongs_to_the_caller(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u3\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  json_t *user = argyle_user_cursor_next(cursor, &error);
  json_object_clear(user); /* does not disturb the walk */
  assert_next(cursor, "u2");
  assert_next(cursor, "u3");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  assert_json(user, "{}");
  json_decref(user);
}

static void the_client_may_be_freed_before_the_cursor(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], " NO_NEXT "}");
  argyle_client *client = client_for(hostile_server_url(fixture->server));
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  argyle_client_free(client);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void a_cursor_may_be_freed_in_the_middle(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200,
                             "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\"}], \"next\": \"/?offset=2\"}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  argyle_user_cursor_free(cursor);
}

static void two_cursors_do_not_disturb_each_other(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\"}], " NO_NEXT "}");
  argyle_user_cursor *first = cursor_for(fixture->client, NULL);
  argyle_user_cursor *second = cursor_for(fixture->client, NULL);
  assert_next(first, "u1");
  assert_next(second, "u1");
  assert_next(first, "u2");
  assert_next(second, "u2");
  assert_end(first);
  assert_end(second);
  argyle_user_cursor_free(first);
  argyle_user_cursor_free(second);
}

/* ---------------------------------------------------------------- Links */

/* The target of the second request if the first page has this link. */
static const char *target_after(hostile_fixture *fixture, const char *next) {
  json_t *page = json_pack("{s:[{s:s}], s:s}", "results", "id", "u1", "next", next);
  char *text = json_dumps(page, 0);
  hostile_server_answer_json(fixture->server, 200, text);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
  free(text);
  json_decref(page);
  return request(fixture, 1)->target;
}

static void only_the_query_of_a_link_is_used(void **state) {
  hostile_fixture *fixture = *state;
  const char *target = target_after(fixture, "https://user:pw@evil.example:444/other/path?offset=1&x=a%20b&limit=1");
  assert_string_equal(target, "/v1/users?offset=1&x=a%20b&limit=1");
  assert_string_equal(hostile_request_header(request(fixture, 1), "Host"),
                      hostile_server_url(fixture->server) + strlen("http://"));
  assert_string_equal(hostile_request_header(request(fixture, 1), "Authorization"), KEY_BASIC);
}

static void a_link_to_another_server_goes_to_the_clients_own(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server *elsewhere = hostile_server_start();
  char next[128] = "";
  strcat(strcat(next, hostile_server_url(elsewhere)), "/v1/users?offset=1");
  assert_string_equal(target_after(fixture, next), "/v1/users?offset=1");
  assert_int_equal(hostile_server_connections(elsewhere), 0);
  hostile_server_stop(elsewhere);
}

static void a_relative_link_is_followed(void **state) {
  assert_string_equal(target_after(*state, "?offset=1"), "/v1/users?offset=1");
}

static void the_fragment_of_a_link_is_not_sent(void **state) {
  assert_string_equal(target_after(*state, "https://h/v1/users?offset=1#part"), "/v1/users?offset=1");
}

static void a_link_is_followed_below_the_path_of_the_base_url(void **state) {
  hostile_fixture *fixture = *state;
  char url[128] = "";
  strcat(strcat(url, hostile_server_url(fixture->server)), "/gateway");
  argyle_client_free(fixture->client);
  fixture->client = client_for(url);
  assert_string_equal(target_after(fixture, "https://h/v1/users?offset=1"), "/gateway/v1/users?offset=1");
}

static void a_link_cannot_add_a_header(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200,
    "{\"results\": [{\"id\": \"u1\"}], \"next\": \"https://h/?offset=1 HTTP/1.1\\r\\nX-Evil: 1\\r\\n\\r\\n\"}");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  json_decref(argyle_user_cursor_next(cursor, NULL));
  for (int i = 0; i < hostile_server_requests(fixture->server); i++) {
    assert_null(hostile_request_header(request(fixture, i), "X-Evil"));
  }
  assert_in_range(hostile_server_requests(fixture->server), 1, 2);
  argyle_user_cursor_free(cursor);
}

/* Asserts that a first page with this member "next" is a protocol error, immediately or after its user. */
static void assert_link_refused(const char *next) {
  hostile_server *server = hostile_server_start();
  argyle_client *client = client_for(hostile_server_url(server));
  json_t *page = json_sprintf("{\"results\": [{\"id\": \"u1\"}], \"next\": %s}", next);
  hostile_server_answer_json(server, 200, json_string_value(page));
  argyle_user_cursor *cursor = cursor_for(client, NULL);
  json_decref(argyle_user_cursor_next(cursor, NULL));
  assert_next_fails(cursor, ARGYLE_ERROR_PROTOCOL, "next");
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
  json_decref(page);
  hostile_server_stop(server);
}

static void a_link_of_a_wrong_type_cannot_be_read(void **state) {
  (void)state;
  static const char *const values[] = {"5", "true", "false", "{}", "[\"?offset=1\"]"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_link_refused(values[i]);
  }
}

static void a_link_without_a_query_cannot_be_followed(void **state) {
  (void)state;
  static const char *const values[] = {
    "\"\"", "\"https://h/v1/users\"", "\"https://h/v1/users?\"", "\"https://h/v1/users#?offset=1\"",
  };
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_link_refused(values[i]);
  }
}

/* ---------------------------------------------------------------- Circles */

/* Walks until there is an error or the end; returns false if there is neither. */
static bool walk_to_an_error(argyle_user_cursor *cursor, argyle_error **error) {
  for (int i = 0; i < 100; i++) {
    json_t *user = argyle_user_cursor_next(cursor, error);
    if (user == NULL) {
      return *error != NULL;
    }
    json_decref(user);
  }
  return false;
}

static void a_page_that_links_to_itself_is_a_cycle(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_true(walk_to_an_error(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  argyle_user_cursor_free(cursor);
}

static void a_link_back_to_the_first_page_is_a_cycle(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?limit=200\"}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_true(walk_to_an_error(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  argyle_user_cursor_free(cursor);
}

static void a_longer_cycle_is_found(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  static const char *const links[] = {"/?offset=1", "/?offset=2", "/?offset=3", "/?offset=1", "/?offset=2"};
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < COUNT(links); i++) {
      json_t *page = json_sprintf("{\"results\": [{\"id\": \"u%d-%zu\"}], \"next\": \"%s\"}", round, i, links[i]);
      hostile_server_answer_json(fixture->server, 200, json_string_value(page));
      json_decref(page);
    }
  }
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_true(walk_to_an_error(cursor, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  assert_in_range(hostile_server_requests(fixture->server), 4, 6);
  argyle_user_cursor_free(cursor);
}

static void empty_pages_in_a_cycle_are_found_too(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [], \"next\": \"/?offset=1\"}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next_fails(cursor, ARGYLE_ERROR_PROTOCOL, NULL);
  argyle_user_cursor_free(cursor);
}

/* ---------------------------------------------------------------- Bare arrays */

static void bare_arrays_are_followed_by_offset_until_an_empty_page(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u3\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_next(cursor, "u3");
  assert_end(cursor);
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_true(hostile_request_has_query(request(fixture, 1), "offset=2"));
  assert_true(hostile_request_has_query(request(fixture, 2), "offset=3"));
  assert_true(hostile_request_has_query(request(fixture, 2), "limit=200"));
  argyle_user_cursor_free(cursor);
}

static void bare_arrays_are_followed_from_the_querys_offset(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor =
    cursor_for(fixture->client, "{\"limit\": 2, \"offset\": 10, \"ordering\": \"created_at\"}");
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_true(hostile_request_has_query(request(fixture, 1), "offset=12"));
  assert_true(hostile_request_has_query(request(fixture, 1), "limit=2"));
  assert_true(hostile_request_has_query(request(fixture, 1), "ordering=created_at"));
  argyle_user_cursor_free(cursor);
}

static void a_repeated_bare_array_is_a_cycle(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}, {\"id\": \"u2\"}]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_next_fails(cursor, ARGYLE_ERROR_PROTOCOL, NULL);
  /* Prefetched, and requested again when needed. */
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  argyle_user_cursor_free(cursor);
}

static void the_next_offset_does_not_overflow(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, "{\"offset\": 9007199254740991}");
  assert_next(cursor, "u1");
  /* The end or an error, but not a crash. */
  json_decref(argyle_user_cursor_next(cursor, NULL));
  argyle_user_cursor_free(cursor);
}

/* ---------------------------------------------------------------- Failures */

static void after_an_error_the_same_page_is_requested_again(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  /* For the prefetch, and for the second request. */
  hostile_server_answer_json(fixture->server, 503, "");
  hostile_server_answer_json(fixture->server, 503, "");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next_fails(cursor, ARGYLE_ERROR_SERVER, NULL);
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 4);
  assert_string_equal(request(fixture, 1)->target, request(fixture, 2)->target);
  assert_string_equal(request(fixture, 1)->target, request(fixture, 3)->target);
  argyle_user_cursor_free(cursor);
}

static void a_page_whose_prefetch_failed_is_requested_again(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"/?offset=1\"}");
  hostile_server_answer_json(fixture->server, 503, "");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next(cursor, "u2");
  assert_end(cursor);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  assert_string_equal(request(fixture, 1)->target, request(fixture, 2)->target);
  argyle_user_cursor_free(cursor);
}

static void the_first_page_may_fail_too(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 429, "{}");
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], " NO_NEXT "}");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next_fails(cursor, ARGYLE_ERROR_RATE_LIMITED, NULL);
  assert_next(cursor, "u1");
  assert_end(cursor);
  assert_string_equal(request(fixture, 0)->target, request(fixture, 1)->target);
  argyle_user_cursor_free(cursor);
}

static void a_failed_page_is_no_cycle(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}]");
  /* For the prefetch, and for the second request. */
  hostile_server_answer_json(fixture->server, 200, "not JSON");
  hostile_server_answer_json(fixture->server, 200, "not JSON");
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u2\"}]");
  hostile_server_answer_json(fixture->server, 200, "[]");
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  assert_next(cursor, "u1");
  assert_next_fails(cursor, ARGYLE_ERROR_PROTOCOL, NULL);
  assert_next(cursor, "u2");
  assert_end(cursor);
  argyle_user_cursor_free(cursor);
}

static void a_page_that_is_no_list_cannot_be_read(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const bodies[] = {
    "{}", "{\"results\": {}}", "{\"results\": null, \"next\": null}", "5", "[5]", "[{\"name\": \"no id\"}]",
    "{\"results\": [{\"id\": 5}]}",
  };
  argyle_user_cursor *cursor = cursor_for(fixture->client, NULL);
  for (size_t i = 0; i < COUNT(bodies); i++) {
    hostile_server_answer_json(fixture->server, 200, bodies[i]);
    argyle_error *error = RUBBISH;
    assert_null(argyle_user_cursor_next(cursor, &error));
    assert_string_equal(argyle_error_body_text(error), bodies[i]);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  }
  argyle_user_cursor_free(cursor);
}

#define population_test(test) cmocka_unit_test_setup_teardown(test, population_setup, population_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_client_must_not_be_null),
    cmocka_unit_test(the_cursor_must_not_be_null),
    hostile_test(a_query_may_be_text),
    hostile_test(a_query_as_text_follows_the_rules),
    cmocka_unit_test(freeing_null_does_nothing),
    hostile_test(a_new_cursor_sends_nothing),
    hostile_test(a_cursor_works_without_an_error_pointer),
    population_test(every_user_is_returned_once),
    population_test(pages_of_any_size_have_the_same_users),
    population_test(the_walk_starts_at_the_offset),
    hostile_test(pages_of_200_are_requested),
    hostile_test(the_query_is_sent_for_each_page),
    hostile_test(the_end_sends_no_more_requests),
    hostile_test(unknown_fields_survive),
    hostile_test(a_user_belongs_to_the_caller),
    hostile_test(the_client_may_be_freed_before_the_cursor),
    hostile_test(a_cursor_may_be_freed_in_the_middle),
    hostile_test(two_cursors_do_not_disturb_each_other),
    hostile_test(only_the_query_of_a_link_is_used),
    hostile_test(a_link_to_another_server_goes_to_the_clients_own),
    hostile_test(a_relative_link_is_followed),
    hostile_test(the_fragment_of_a_link_is_not_sent),
    hostile_test(a_link_is_followed_below_the_path_of_the_base_url),
    hostile_test(a_link_cannot_add_a_header),
    hostile_test(a_link_of_a_wrong_type_cannot_be_read),
    hostile_test(a_link_without_a_query_cannot_be_followed),
    hostile_test(a_page_that_links_to_itself_is_a_cycle),
    hostile_test(a_link_back_to_the_first_page_is_a_cycle),
    hostile_test(a_longer_cycle_is_found),
    hostile_test(empty_pages_in_a_cycle_are_found_too),
    hostile_test(bare_arrays_are_followed_by_offset_until_an_empty_page),
    hostile_test(bare_arrays_are_followed_from_the_querys_offset),
    hostile_test(a_repeated_bare_array_is_a_cycle),
    hostile_test(the_next_offset_does_not_overflow),
    hostile_test(a_page_whose_prefetch_failed_is_requested_again),
      hostile_test(after_an_error_the_same_page_is_requested_again),
    hostile_test(the_first_page_may_fail_too),
    hostile_test(a_failed_page_is_no_cycle),
    hostile_test(a_page_that_is_no_list_cannot_be_read),
  };
  return cmocka_run_group_tests_name("user_cursor", tests, NULL, NULL);
}
