/* The section "Calls" of argyle.h, and how blocking calls are interrupted. */
#include "clock.h"
#include "hostile_server.h"
#include "sandbox.h"
#include "signals.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

/* A success for every operation. */
#define ANSWER "{\"id\": \"u1\", \"token\": \"t\", \"access\": \"a\", \"results\": []}"
#define USER "{\"id\": \"u1\"}"
#define STALLING ((hostile_answer){.then = HOSTILE_STALL})
#define SHORT_MS 200

/* ---------------------------------------------------------------- Helpers */

/* Creates a call with a document as text; NULL: none. */
static argyle_call *call_of_text(argyle_client *client, int operation, const char *user_id, const char *document) {
  argyle_error *error = RUBBISH;
  size_t size = document != NULL ? strlen(document) : 0;
  argyle_call *call = argyle_call_new_text(client, operation, user_id, document, size, &error);
  if (call == NULL) {
    print_error("%s: %s\n", document, argyle_error_message(error));
  }
  assert_non_null(call);
  assert_null(error);
  return call;
}

static argyle_call *get_call(argyle_client *client) {
  return call_of_text(client, ARGYLE_OPERATION_USER_GET, "u1", NULL);
}

static argyle_call *create_call(argyle_client *client) {
  return call_of_text(client, ARGYLE_OPERATION_USER_CREATE, NULL, NULL);
}

static void assert_runs(argyle_call *call) {
  argyle_error *error = RUBBISH;
  int result = argyle_call_run(call, &error);
  if (result != 0) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_int_equal(result, 0);
  assert_null(error);
  assert_null(argyle_call_error(call));
}

/* Asserts that the run fails with the code and that the call keeps the same error. */
static void assert_run_fails(argyle_call *call, int code) {
  argyle_error *error = RUBBISH;
  assert_int_equal(argyle_call_run(call, &error), -1);
  assert_error(argyle_call_error(call), code, NULL);
  assert_string_equal(argyle_error_message(argyle_call_error(call)), argyle_error_message(error));
  assert_failed(error, code, NULL);
}

/* Asserts that the text is refused as a document with an error that contains the fragment. */
static void assert_text_refused(argyle_client *client, int operation, const char *text, size_t size,
                                const char *fragment) {
  const char *user_id = operation == ARGYLE_OPERATION_USER_UPDATE ? "u1" : NULL;
  argyle_error *error = RUBBISH;
  argyle_call *call = argyle_call_new_text(client, operation, user_id, text, size, &error);
  if (call != NULL) {
    print_error("taken: %.80s\n", text);
  }
  assert_null(call);
  assert_int_equal(argyle_error_attempts(error), 0);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, fragment);
  assert_null(argyle_call_new_text(client, operation, user_id, text, size, NULL));
}

/* `levels` times the opening text, followed by as many closing ones; the caller frees it. */
static char *nested_text(size_t levels, const char *open, const char *close) {
  char *text = malloc(levels * (strlen(open) + strlen(close)) + 1), *end = text;
  for (size_t i = 0; i < levels; i++) {
    end = stpcpy(end, open);
  }
  for (size_t i = 0; i < levels; i++) {
    end = stpcpy(end, close);
  }
  *end = '\0';
  return text;
}

/* ---------------------------------------------------------------- All operations */

static const struct {
  int operation;
  const char *user_id;
  const char *document;
} operations[] = {
  {ARGYLE_OPERATION_USER_CREATE, NULL, NULL},
  {ARGYLE_OPERATION_USER_CREATE, NULL, "{\"a\":[1,null]}"},
  {ARGYLE_OPERATION_USER_GET, "u/1", NULL},
  {ARGYLE_OPERATION_USER_UPDATE, "u1", "\"text\""},
  {ARGYLE_OPERATION_USER_UPDATE, "u1", "null"},
  {ARGYLE_OPERATION_USER_LIST, NULL, NULL},
  {ARGYLE_OPERATION_USER_LIST, NULL, "{\"limit\": 5, \"offset\": 3, \"ordering\": \"created_at\"}"},
  {ARGYLE_OPERATION_USER_DELETE, "u1", NULL},
  {ARGYLE_OPERATION_USER_TOKEN_CREATE, "\xc3\xbc", NULL},
};

/* The result of the operation's blocking function; NULL after a delete. */
static json_t *result_of_function(argyle_client *client, size_t index, const json_t *document) {
  argyle_error *error = RUBBISH;
  const char *user_id = operations[index].user_id;
  json_t *result = NULL;
  switch (operations[index].operation) {
  case ARGYLE_OPERATION_USER_CREATE:
    result = argyle_user_create(client, document, &error);
    break;
  case ARGYLE_OPERATION_USER_GET:
    result = argyle_user_get(client, user_id, &error);
    break;
  case ARGYLE_OPERATION_USER_UPDATE:
    result = argyle_user_update(client, user_id, document, &error);
    break;
  case ARGYLE_OPERATION_USER_LIST:
    result = argyle_user_list(client, document, &error);
    break;
  case ARGYLE_OPERATION_USER_DELETE:
    assert_int_equal(argyle_user_delete(client, user_id, &error), 0);
    break;
  case ARGYLE_OPERATION_USER_TOKEN_CREATE:
    result = argyle_user_token_create(client, user_id, &error);
    break;
  }
  assert_null(error);
  return result;
}

/* Runs the call, asserts its result (NULL after a delete) and frees it. */
static void assert_result(argyle_call *call, const json_t *expected) {
  argyle_error *error = RUBBISH;
  assert_runs(call);
  json_t *result = argyle_call_json(call, &error);
  assert_null(error);
  if (expected != NULL) {
    assert_same_json(result, expected);
  } else {
    assert_null(result);
  }
  json_decref(result);
  argyle_call_free(call);
}

static void assert_same_request(hostile_server *server, int left, int right) {
  const hostile_request *one = hostile_server_request(server, left), *other = hostile_server_request(server, right);
  assert_string_equal(one->method, other->method);
  assert_string_equal(one->target, other->target);
  assert_string_equal(one->body, other->body);
  const char *one_line = one->head, *other_line = other->head;
  do {
    assert_string_equal(one_line, other_line);
    one_line += strlen(one_line) + 1;
    other_line += strlen(other_line) + 1;
  } while (*one_line != '\0');
  assert_string_equal(other_line, "");
}

static void a_call_does_what_the_function_of_its_operation_does(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(operations); i++) {
    const char *id = operations[i].user_id != NULL ? operations[i].user_id : "u1";
    json_t *answer = json_pack("{s:s, s:s, s:s, s:[]}", "id", id, "token", "t", "access", "a", "results");
    char *text = json_dumps(answer, 0);
    hostile_server_answer_json(fixture->server, 200, text);
    free(text);
    json_decref(answer);
    json_t *document = operations[i].document != NULL ? json_of(operations[i].document) : NULL;
    json_t *expected = result_of_function(fixture->client, i, document);
    argyle_call *call =
      argyle_call_new(fixture->client, operations[i].operation, operations[i].user_id, document, &error);
    assert_null(error);
    assert_result(call, expected);
    assert_result(call_of_text(fixture->client, operations[i].operation, operations[i].user_id, operations[i].document),
                 expected);
    int first = 3 * (int)i;
    assert_same_request(fixture->server, first, first + 1);
    assert_same_request(fixture->server, first, first + 2);
    json_decref(expected);
    json_decref(document);
  }
  assert_int_equal(hostile_server_requests(fixture->server), 3 * COUNT(operations));
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void calls_cover_the_whole_life_of_a_user(void **state) {
  sandbox *sandbox = *state;
  argyle_error *error = RUBBISH;
  argyle_call *call = call_of_text(sandbox->client, ARGYLE_OPERATION_USER_CREATE, NULL, "{\"n\": 1}");
  assert_runs(call);
  assert_int_equal(argyle_call_http_status(call), 201);
  json_t *created = argyle_call_json(call, &error);
  argyle_call_free(call);
  const char *id = string_at(created, "id");

  call = call_of_text(sandbox->client, ARGYLE_OPERATION_USER_UPDATE, id, "[2]");
  assert_runs(call);
  json_t *updated = argyle_call_json(call, &error);
  assert_json(json_object_get(updated, "external_metadata"), "[2]");
  argyle_call_free(call);

  json_t *user = argyle_user_get(sandbox->client, id, NULL);
  assert_same_json(user, updated);
  json_decref(user);
  json_decref(updated);

  call = call_of_text(sandbox->client, ARGYLE_OPERATION_USER_DELETE, id, NULL);
  assert_runs(call);
  assert_int_equal(argyle_call_http_status(call), 204);
  argyle_call_free(call);

  call = call_of_text(sandbox->client, ARGYLE_OPERATION_USER_GET, id, NULL);
  assert_run_fails(call, ARGYLE_ERROR_NOT_FOUND);
  assert_int_equal(argyle_call_http_status(call), 404);
  argyle_call_free(call);
  json_decref(created);
}

/* ---------------------------------------------------------------- Arguments */

static void accessors_of_a_call_accept_null(void **state) {
  (void)state;
  argyle_call_free(NULL);
  assert_null(argyle_call_error(NULL));
  assert_int_equal(argyle_call_http_status(NULL), 0);
  assert_null(argyle_call_header(NULL, "Date"));
  assert_null(argyle_call_header(NULL, NULL));
  const char *value = "rubbish";
  assert_null(argyle_call_header_at(NULL, 0, &value));
  assert_null(value);
  assert_null(argyle_call_header_at(NULL, 0, NULL));
  assert_int_equal(argyle_call_operation(NULL), 0);
  assert_null(argyle_call_user_id(NULL));
  assert_null(argyle_call_body_text(NULL));
  assert_int_equal(argyle_call_body_size(NULL), 0);
  assert_int_equal(argyle_call_attempts(NULL), 0);
  assert_true(argyle_call_time_us(NULL, ARGYLE_TIME_TOTAL) == -1);
}

static void a_call_or_client_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_call_new(NULL, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_call_new_text(NULL, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, 0, &error));
  assert_null_refused(error, "client");
  assert_int_equal(argyle_call_run(NULL, &error), -1);
  assert_null_refused(error, "call");
  assert_null(argyle_call_json(NULL, &error));
  assert_null_refused(error, "call");
  assert_null(argyle_call_new(NULL, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, NULL));
  assert_null(argyle_call_new_text(NULL, ARGYLE_OPERATION_USER_CREATE, NULL, NULL, 0, NULL));
  assert_int_equal(argyle_call_run(NULL, NULL), -1);
  assert_null(argyle_call_json(NULL, NULL));
}

/* Asserts that both constructors refuse these arguments. */
static void assert_arguments_refused(argyle_client *client, int operation, const char *user_id, const char *document,
                                     const char *fragment) {
  argyle_error *error = RUBBISH;
  json_t *value = document != NULL ? json_of(document) : NULL;
  assert_null(argyle_call_new(client, operation, user_id, value, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, fragment);
  assert_null(argyle_call_new_text(client, operation, user_id, document, document != NULL ? strlen(document) : 0,
                                   &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, fragment);
  assert_null(argyle_call_new(client, operation, user_id, value, NULL));
  json_decref(value);
}

static void an_unknown_operation_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  static const int numbers[] = {0, 9, -1, 100, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < COUNT(numbers); i++) {
    assert_arguments_refused(fixture->client, numbers[i], NULL, NULL, "operation");
    assert_arguments_refused(fixture->client, numbers[i], "u1", "{}", "operation");
  }
}

static void a_user_id_is_required_or_refused_by_operation(void **state) {
  hostile_fixture *fixture = *state;
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, "u1", NULL, "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, "", "{}", "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_LIST, "u1", NULL, "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_GET, NULL, NULL, "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_UPDATE, NULL, "{}", "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_DELETE, NULL, NULL, "user_id");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_TOKEN_CREATE, NULL, NULL, "user_id");
}

static void a_user_id_obeys_the_rules_of_the_functions(void **state) {
  hostile_fixture *fixture = *state;
  char long_id[257];
  memset(long_id, 'a', 256);
  long_id[256] = '\0';
  const char *const ids[] = {"", ".", "..", long_id, "\xff", "\xed\xa0\x80"};
  for (size_t i = 0; i < COUNT(ids); i++) {
    assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_GET, ids[i], NULL, "user_id");
    assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_UPDATE, ids[i], "{}", "user_id");
    assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_DELETE, ids[i], NULL, "user_id");
    assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_TOKEN_CREATE, ids[i], NULL, "user_id");
  }
  long_id[255] = '\0';
  argyle_call_free(call_of_text(fixture->client, ARGYLE_OPERATION_USER_GET, long_id, NULL));
}

static void a_document_is_required_or_refused_by_operation(void **state) {
  hostile_fixture *fixture = *state;
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", "{}", "document");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_DELETE, "u1", "null", "document");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", "{}", "document");
  assert_arguments_refused(fixture->client, ARGYLE_OPERATION_USER_UPDATE, "u1", NULL, "document");
}

static void making_a_call_sends_nothing(void **state) {
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(operations); i++) {
    argyle_call_free(
      call_of_text(fixture->client, operations[i].operation, operations[i].user_id, operations[i].document));
  }
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void a_document_is_read_immediately_and_not_changed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  json_t *metadata = json_of("{\"a\": 1}");
  argyle_call *call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, metadata, &error);
  assert_null(error);
  assert_int_equal(metadata->refcount, 1);
  json_object_clear(metadata);
  json_decref(metadata);
  char text[] = "[1, 2]";
  argyle_call *of_text = call_of_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, text);
  memset(text, 'x', sizeof text);
  assert_runs(call);
  assert_runs(of_text);
  assert_string_equal(hostile_server_request(fixture->server, 0)->body, "{\"external_metadata\":{\"a\":1}}");
  assert_string_equal(hostile_server_request(fixture->server, 1)->body, "{\"external_metadata\":[1, 2]}");
  argyle_call_free(call);
  argyle_call_free(of_text);
}

static void the_client_may_be_freed_before_the_call(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  argyle_client *client = client_for(hostile_server_url(fixture->server));
  argyle_call *call = get_call(client);
  argyle_call *never_run = get_call(client);
  argyle_client_free(client);
  assert_runs(call);
  argyle_call_free(call);
  argyle_call_free(never_run);
}

/* ---------------------------------------------------------------- Metadata as text */

/* A text with its size, which may contain NUL bytes. */
typedef struct {
  const char *bytes;
  size_t size;
} text;

#define TEXT(literal) {literal, sizeof(literal) - 1}

static void what_is_not_exactly_one_json_value_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  static const text texts[] = {
    /* Breaks out of the document, or ends it early. */
    TEXT("1},\"x\":{"), TEXT("1}"), TEXT("1},{\"a\":1"), TEXT("{}}"), TEXT("1,2"), TEXT("\"a\":1"), TEXT("}"),
    TEXT("]"),
    /* No value, or more than one. */
    TEXT(""), TEXT(" "), TEXT("\n\t\r "), TEXT("1 2"), TEXT("{} {}"), TEXT("1 // one"), TEXT("/**/1"), TEXT(","),
    /* An incomplete value. */
    TEXT("{"), TEXT("["), TEXT("[1"), TEXT("[1,"), TEXT("{\"a\""), TEXT("{\"a\":"), TEXT("{\"a\":1"), TEXT("\"a"),
    TEXT("\"\\"), TEXT("\"\\u00"), TEXT("\""),
    /* Invalid literals and numbers. */
    TEXT("tru"), TEXT("True"), TEXT("nul"), TEXT("nullx"), TEXT("NaN"), TEXT("Infinity"), TEXT("-Infinity"), TEXT("-"),
    TEXT("+1"), TEXT("01"), TEXT("-01"), TEXT("1."), TEXT(".5"), TEXT("1e"), TEXT("1e+"), TEXT("0x1"), TEXT("1_0"),
    /* Commas, colons and names. */
    TEXT("[1,]"), TEXT("[,1]"), TEXT("[1 2]"), TEXT("{\"a\":1,}"), TEXT("{,}"), TEXT("{\"a\" 1}"), TEXT("{a:1}"),
    TEXT("{1:1}"), TEXT("{\"a\":1 \"b\":2}"), TEXT("[1}"), TEXT("{\"a\":1]"), TEXT("'a'"), TEXT("{\"a\"::1}"),
    /* Strings. */
    TEXT("\"\\x\""), TEXT("\"\\u12g4\""), TEXT("\"\\U0041\""), TEXT("\"\x01\""), TEXT("\"\n\""), TEXT("\"\x1f\""),
    /* Invalid UTF-8. */
    TEXT("\"\xff\""), TEXT("\"\xc3\""), TEXT("\"\xc0\x80\""), TEXT("\"\xed\xa0\x80\""), TEXT("\"\xf4\x90\x80\x80\""),
    TEXT("\"\x80\""), TEXT("\"\xe2\x82\""), TEXT("{\"\xff\":1}"), TEXT("\"\xe0\x80\xaf\""), TEXT("\xff"),
    /* NUL, and a byte order mark. */
    TEXT("1\0"), TEXT("\0"), TEXT("\0" "1"), TEXT("\"a\0b\""), TEXT("{}\0{}"), TEXT("[1\0]"),
    TEXT("\xef\xbb\xbf" "1"), TEXT("\xef\xbb\xbf"), TEXT("\xfe\xff\0" "1"),
    /* White space that JSON does not allow. */
    TEXT("\xc2\xa0" "1"), TEXT("\x0b" "1"), TEXT("1\f"),
  };
  for (size_t i = 0; i < COUNT(texts); i++) {
    assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, texts[i].bytes, texts[i].size,
                        "external_metadata");
    assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_UPDATE, texts[i].bytes, texts[i].size,
                        "external_metadata");
  }
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void an_impossible_size_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, "1", SIZE_MAX, NULL);
}

static void metadata_is_sent_verbatim(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const texts[] = {
    "1e999", "-1e-999", "1180591620717411303424", "-1180591620717411303424", "0.1000000000000000055511151231257827",
    "1E5", "1.0", "-0", "-0.0", "{\"a\": 1, \"a\": 2}", "{\"\": 1}", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\u0000\"",
    "{\"\\u0000\": 1}", "{\"\\ud800\": 1}", "\"\\/\"", "\"\\u0041\"", "\"/\x7f\"", " {\"a\" :\r\n[ 1 ,\t2 ] } ",
    "\"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\"", "null", "true", "false", "\"\"", "{}", "[]", "0",
  };
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  for (size_t i = 0; i < COUNT(texts); i++) {
    char expected[256];
    snprintf(expected, sizeof expected, "{\"external_metadata\":%s}", texts[i]);
    argyle_call *create = call_of_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, texts[i]);
    argyle_call *update = call_of_text(fixture->client, ARGYLE_OPERATION_USER_UPDATE, "u1", texts[i]);
    assert_runs(create);
    assert_runs(update);
    for (int j = 0; j < 2; j++) {
      const hostile_request *request = hostile_server_request(fixture->server, 2 * (int)i + j);
      assert_string_equal(request->body, expected);
      assert_int_equal(request->body_length, strlen(expected));
    }
    argyle_call_free(create);
    argyle_call_free(update);
  }
}

static void a_text_is_read_up_to_its_size_only(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  argyle_call *call =
    argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, "12},\"x\":{", 2, &error);
  assert_null(error);
  assert_runs(call);
  assert_string_equal(hostile_server_request(fixture->server, 0)->body, "{\"external_metadata\":12}");
  argyle_call_free(call);
}

static void metadata_is_nested_no_deeper_than_2044_levels(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const forms[][2] = {{"[", "]"}, {"{\"a\":", "}"}};
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  for (size_t i = 0; i < COUNT(forms); i++) {
    /* An object needs an innermost value, which does not count as a level. */
    const char *innermost = i == 0 ? "" : "1";
    for (size_t levels = 2044; levels <= 2045; levels++) {
      char *open = nested_text(levels, forms[i][0], "");
      char *close = nested_text(levels, "", forms[i][1]);
      char *whole = malloc(strlen(open) + strlen(close) + 2);
      strcat(strcat(strcpy(whole, open), innermost), close);
      if (levels == 2044) {
        argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, whole);
        assert_runs(call);
        assert_int_equal(hostile_server_request(fixture->server, (int)i)->body_length,
                         strlen("{\"external_metadata\":}") + strlen(whole));
        argyle_call_free(call);
      } else {
        assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, whole, strlen(whole), "deep");
        assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_UPDATE, whole, strlen(whole), "deep");
      }
      free(whole);
      free(close);
      free(open);
    }
  }
  assert_int_equal(hostile_server_requests(fixture->server), COUNT(forms));
}

static void a_very_deeply_nested_text_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  char *arrays = nested_text(1000000, "[", "]"), *objects = nested_text(1000000, "{\"a\":", "");
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, arrays, strlen(arrays), "deep");
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_CREATE, objects, strlen(objects), "deep");
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_LIST, arrays, strlen(arrays), NULL);
  free(objects);
  free(arrays);
}

/* ---------------------------------------------------------------- A query as text */

static void a_query_that_breaks_a_rule_is_refused(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *query;
    const char *fragment;
  } cases[] = {
    {"{\"colour\": 1}", "colour"},           {"{\"Limit\": 1}", "Limit"},
    {"{\"limit\": \"5\"}", "limit"},         {"{\"limit\": 1.5}", "limit"},
    {"{\"limit\": 0}", "limit"},             {"{\"limit\": null}", "limit"},
    {"{\"limit\": 2147483648}", "limit"},    {"{\"offset\": -1}", "offset"},
    {"{\"offset\": true}", "offset"},        {"{\"offset\": 9007199254740992}", "offset"},
    {"{\"ordering\": \"name\"}", "ordering"}, {"{\"ordering\": 1}", "ordering"},
    {"[]", "query"},                         {"1", "query"},
    {"null", "query"},                       {"\"limit\"", "query"},
    {"", "query"},                           {" ", "query"},
    {"{", "query"},                          {"{}{}", "query"},
    {"{}}", "query"},                        {"{\"limit\": 1,}", "query"},
    {"{\"limit\": 1180591620717411303424}", NULL}, {"{\"limit\": 1e999}", NULL},
    {"{\"\xff\": 1}", NULL},                 {"\xef\xbb\xbf{}", NULL},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_LIST, cases[i].query, strlen(cases[i].query),
                        cases[i].fragment);
  }
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_LIST, "{}\0", 3, NULL);
  assert_text_refused(fixture->client, ARGYLE_OPERATION_USER_LIST, "{}", SIZE_MAX, NULL);
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void a_query_text_of_an_empty_object_has_no_parameters(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_LIST, NULL, " {} ");
  assert_runs(call);
  assert_string_equal(hostile_server_request(fixture->server, 0)->target, "/v1/users");
  argyle_call_free(call);
}

/* ---------------------------------------------------------------- Before it completes */

/* The same as assert_failed() for an error that a function returns. */
static void assert_returned_error(argyle_error *error, int code, const char *fragment) {
  assert_failed(error, code, fragment);
}

static void assert_unfinished(argyle_call *call) {
  argyle_error *error = RUBBISH;
  assert_null(argyle_call_error(call));
  assert_int_equal(argyle_call_http_status(call), 0);
  assert_null(argyle_call_header(call, "Content-Type"));
  assert_null(argyle_call_header_at(call, 0, NULL));
  assert_null(argyle_call_body_text(call));
  assert_int_equal(argyle_call_body_size(call), 0);
  assert_int_equal(argyle_call_attempts(call), 0);
  for (int time = ARGYLE_TIME_TOTAL - 1; time <= ARGYLE_TIME_ANSWER_ENDED + 1; time++) {
    assert_true(argyle_call_time_us(call, time) == -1);
  }
  assert_null(argyle_call_json(call, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "finished");
  assert_null(argyle_call_json(call, NULL));
  assert_returned_error(argyle_call_unreadable(call, "it is none"), ARGYLE_ERROR_ARGUMENT, "finished");
}

static void an_unfinished_call_has_no_results(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  for (size_t i = 0; i < COUNT(operations); i++) {
    argyle_call *call =
      call_of_text(fixture->client, operations[i].operation, operations[i].user_id, operations[i].document);
    assert_unfinished(call);
    /* Reading too early has no effect on the run. */
    assert_runs(call);
    assert_int_equal(argyle_call_http_status(call), 200);
    assert_string_equal(argyle_call_header(call, "Content-Type"), "application/json");
    assert_string_equal(argyle_call_body_text(call), ANSWER);
    argyle_call_free(call);
  }
}

/* Asserts that the call returns what it was created from. */
static void assert_created_from(argyle_call *call, size_t index) {
  const char *user_id = argyle_call_user_id(call);
  assert_int_equal(argyle_call_operation(call), operations[index].operation);
  assert_int_equal(user_id == NULL, operations[index].user_id == NULL);
  if (user_id != NULL) {
    assert_string_equal(user_id, operations[index].user_id);
    assert_ptr_not_equal(user_id, operations[index].user_id);
    assert_ptr_equal(argyle_call_user_id(call), user_id);
  }
}

static void a_call_has_its_operation_and_user_id(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  for (size_t i = 0; i < COUNT(operations); i++) {
    json_t *document = operations[i].document != NULL ? json_of(operations[i].document) : NULL;
    argyle_call *call =
      argyle_call_new(fixture->client, operations[i].operation, operations[i].user_id, document, NULL);
    assert_created_from(call, i);
    argyle_call_free(call);
    json_decref(document);
    call = call_of_text(fixture->client, operations[i].operation, operations[i].user_id, operations[i].document);
    assert_created_from(call, i);
    assert_runs(call);
    assert_created_from(call, i);
    argyle_call_free(call);
  }
}

/* ---------------------------------------------------------------- Once only */

/* Asserts that another run is refused and leaves the call's results unchanged. */
static void assert_not_run_again(argyle_call *call) {
  argyle_error *error = RUBBISH;
  int status = argyle_call_http_status(call), attempts = argyle_call_attempts(call);
  const argyle_error *kept = argyle_call_error(call);
  assert_int_equal(argyle_call_run(call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  assert_int_equal(argyle_call_run(call, NULL), -1);
  assert_int_equal(argyle_call_http_status(call), status);
  assert_int_equal(argyle_call_attempts(call), attempts);
  assert_ptr_equal(argyle_call_error(call), kept);
}

static void a_call_runs_once(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  hostile_server_answer_json(fixture->server, 404, "{}");
  argyle_call *succeeded = get_call(fixture->client), *failed = get_call(fixture->client);
  assert_runs(succeeded);
  assert_run_fails(failed, ARGYLE_ERROR_NOT_FOUND);
  assert_not_run_again(succeeded);
  assert_not_run_again(failed);
  assert_int_equal(hostile_server_requests(fixture->server), 2);
  json_t *user = argyle_call_json(succeeded, &error);
  assert_json(user, ANSWER);
  json_decref(user);
  argyle_call_free(succeeded);
  argyle_call_free(failed);
}

static void a_call_that_was_submitted_is_not_run(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = get_call(fixture->client);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
  assert_int_equal(argyle_call_run(call, &error), -1);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "call");
  assert_int_equal(argyle_queue_wait(queue, -1, &error), 1);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
  assert_null(argyle_call_error(call));
  assert_not_run_again(call);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_call_free(call);
  argyle_queue_free(queue);
}

/* ---------------------------------------------------------------- Headers */

static void headers_are_found_by_name(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, (hostile_answer){.bytes =
    "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n"
    "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\nX-Both: early\r\n\r\n"
    "HTTP/1.1 200 OK\r\nX-One: \t first \t\r\nx-one: second\r\nX-Empty:\r\nX-Blank:  \t \r\nX-BOTH: final\r\n"
    "X-Colon: a: b\r\nX-Tight:tight\r\nX-\xc3\xbc: \xc3\xbc\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
    "c\r\n" USER "\r\n0\r\nX-Late: 1\r\nX-Tight: late\r\n\r\n"});
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  const char *first = argyle_call_header(call, "X-One");
  assert_string_equal(first, "first");
  assert_string_equal(argyle_call_header(call, "x-one"), "first");
  assert_string_equal(argyle_call_header(call, "X-ONE"), "first");
  assert_string_equal(argyle_call_header(call, "X-Empty"), "");
  assert_string_equal(argyle_call_header(call, "X-Blank"), "");
  assert_string_equal(argyle_call_header(call, "X-Both"), "final");
  assert_string_equal(argyle_call_header(call, "X-Colon"), "a: b");
  assert_string_equal(argyle_call_header(call, "X-Tight"), "tight");
  assert_string_equal(argyle_call_header(call, "X-\xc3\xbc"), "\xc3\xbc");
  static const char *const absent[] = {
    "X-Late", "X-Early", "X-Interim", "X-On", "X-One:", "X-One ", " X-One", "", "\xff", "HTTP/1.1 200 OK",
    "X-One: first",
  };
  for (size_t i = 0; i < COUNT(absent); i++) {
    assert_null(argyle_call_header(call, absent[i]));
  }
  assert_null(argyle_call_header(call, NULL));
  /* Borrowed strings stay valid. */
  assert_string_equal(first, "first");
  assert_string_equal(argyle_call_body_text(call), USER);
  argyle_call_free(call);
}

static void assert_header_at(const argyle_call *call, size_t index, const char *name, const char *value) {
  const char *found = "rubbish";
  assert_string_equal(argyle_call_header_at(call, index, &found), name);
  assert_string_equal(found, value);
}

static void headers_are_listed_as_received(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, (hostile_answer){.bytes =
    "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
    "HTTP/1.1 200 OK\r\nX-One: \t first \t\r\nx-one: second\r\nX-Empty:\r\nX-Colon: a: b\r\n"
    "X-\xc3\xbc: \xc3\xbc\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
    "c\r\n" USER "\r\n0\r\nX-Late: 1\r\n\r\n"});
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  /* In any order. */
  assert_header_at(call, 4, "X-\xc3\xbc", "\xc3\xbc");
  const char *first;
  assert_string_equal(argyle_call_header_at(call, 0, &first), "X-One");
  assert_header_at(call, 0, "X-One", "first");
  assert_header_at(call, 1, "x-one", "second");
  assert_header_at(call, 2, "X-Empty", "");
  assert_header_at(call, 3, "X-Colon", "a: b");
  assert_header_at(call, 5, "Transfer-Encoding", "chunked");
  assert_header_at(call, 6, "Trailer", "X-Late");
  assert_string_equal(argyle_call_header_at(call, 6, NULL), "Trailer");
  static const size_t none[] = {7, 8, SIZE_MAX / 2, SIZE_MAX};
  for (size_t i = 0; i < COUNT(none); i++) {
    const char *value = "rubbish";
    assert_null(argyle_call_header_at(call, none[i], &value));
    assert_null(value);
    assert_null(argyle_call_header_at(call, none[i], NULL));
  }
  /* Borrowed strings stay valid after a lookup by name. */
  assert_string_equal(argyle_call_header(call, "x-ONE"), "first");
  assert_string_equal(first, "first");
  argyle_call_free(call);
}

static void an_answer_may_have_no_headers(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server,
                        (hostile_answer){.bytes = "HTTP/1.1 200 OK\r\n\r\n" USER, .then = HOSTILE_CLOSE});
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  assert_null(argyle_call_header_at(call, 0, NULL));
  argyle_call_free(call);
}

static void the_answer_to_a_call_that_failed_can_be_read(void **state) {
  hostile_fixture *fixture = *state;
  const char *body = "{\"detail\": \"Slow down.\"}";
  hostile_server_answer_http(fixture->server, 429, "Retry-After: 7\r\nX-Trace-Id: trace\r\n", body, strlen(body));
  argyle_call *call = get_call(fixture->client);
  assert_run_fails(call, ARGYLE_ERROR_RATE_LIMITED);
  assert_int_equal(argyle_call_http_status(call), 429);
  assert_string_equal(argyle_call_header(call, "retry-after"), "7");
  assert_string_equal(argyle_call_body_text(call), body);
  assert_int_equal(argyle_call_body_size(call), strlen(body));
  assert_int_equal(argyle_call_attempts(call), 1);
  const argyle_error *error = argyle_call_error(call);
  assert_string_equal(argyle_error_trace_id(error), "trace");
  assert_int_equal(argyle_error_retry_after_ms(error), 7000);
  assert_string_equal(argyle_error_body_text(error), body);
  assert_ptr_equal(argyle_call_error(call), error);
  argyle_call_free(call);
}

/* ---------------------------------------------------------------- Body and JSON */

static void a_body_may_hold_nul(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  static const char body[] = "{\"id\": \0\"u1\"}\0\xff";
  hostile_server_answer_http(fixture->server, 200, "", body, sizeof body - 1);
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  assert_int_equal(argyle_call_body_size(call), sizeof body - 1);
  /* Including the terminating NUL. */
  assert_memory_equal(argyle_call_body_text(call), body, sizeof body);
  assert_ptr_equal(argyle_call_body_text(call), argyle_call_body_text(call));
  assert_null(argyle_call_json(call, &error));
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  assert_int_equal(argyle_call_body_size(call), sizeof body - 1);
  argyle_call_free(call);
}

/* Only the text has more digits than a double. */
static void a_decimal_is_exact_as_text_and_the_nearest_double_as_a_value(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  static const char body[] = "{\"id\": \"u1\", \"n\": 0.1234567890123456789012, \"m\": 1e-400}";
  hostile_server_answer_json(fixture->server, 200, body);
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  json_t *json = argyle_call_json(call, &error);
  assert_null(error);
  assert_true(json_real_value(json_object_get(json, "n")) == 0.1234567890123456789012);
  assert_true(json_is_real(json_object_get(json, "m")) && json_real_value(json_object_get(json, "m")) == 0);
  assert_string_equal(argyle_call_body_text(call), body);
  json_decref(json);
  argyle_call_free(call);
}

static void json_can_be_read_repeatedly(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, ANSWER);
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  json_t *first = argyle_call_json(call, &error);
  assert_null(error);
  json_t *second = argyle_call_json(call, NULL);
  assert_json(first, ANSWER);
  json_decref(first);
  assert_json(second, ANSWER);
  argyle_call_free(call);
  /* The caller's reference outlives the call. */
  assert_json(second, ANSWER);
  json_decref(second);
}

static void a_delete_has_no_json_and_no_error(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer(fixture->server, (hostile_answer){.bytes = "HTTP/1.1 204 No Content\r\nX-Trace-Id: a\r\n\r\n"});
  argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL);
  assert_runs(call);
  for (int i = 0; i < 2; i++) {
    error = RUBBISH;
    assert_null(argyle_call_json(call, &error));
    assert_null(error);
  }
  assert_int_equal(argyle_call_http_status(call), 204);
  assert_string_equal(argyle_call_header(call, "X-Trace-Id"), "a");
  assert_string_equal(argyle_call_body_text(call), "");
  assert_int_equal(argyle_call_body_size(call), 0);
  argyle_call_free(call);
}

static void the_json_of_a_call_that_failed_is_its_error(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 404, "{\"detail\": \"Not found.\"}");
  static const int kinds[] = {ARGYLE_OPERATION_USER_GET, ARGYLE_OPERATION_USER_DELETE};
  for (size_t i = 0; i < COUNT(kinds); i++) {
    argyle_call *call = call_of_text(fixture->client, kinds[i], "u1", NULL);
    assert_run_fails(call, ARGYLE_ERROR_NOT_FOUND);
    for (int j = 0; j < 2; j++) {
      assert_null(argyle_call_json(call, &error));
      assert_string_equal(argyle_error_message(error), argyle_error_message(argyle_call_error(call)));
      assert_failed(error, ARGYLE_ERROR_NOT_FOUND, "Not found.");
    }
    argyle_call_free(call);
  }
}

static void missing_required_members_are_reported_by_json(void **state) {
  static const struct {
    int operation;
    const char *user_id;
    const char *body;
  } cases[] = {
    {ARGYLE_OPERATION_USER_CREATE, NULL, "{\"id\": \"u1\"}"},
    {ARGYLE_OPERATION_USER_CREATE, NULL, "{\"token\": \"t\"}"},
    {ARGYLE_OPERATION_USER_GET, "u1", "{}"},
    {ARGYLE_OPERATION_USER_GET, "u1", "{\"id\": 1}"},
    {ARGYLE_OPERATION_USER_GET, "u1", "[]"},
    {ARGYLE_OPERATION_USER_LIST, NULL, "{}"},
    {ARGYLE_OPERATION_USER_LIST, NULL, "{\"results\": {}}"},
    {ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", "{\"refresh\": \"r\"}"},
    {ARGYLE_OPERATION_USER_GET, "u1", ""},
    {ARGYLE_OPERATION_USER_GET, "u1", "<html>"},
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(cases); i++) {
    hostile_server_answer_json(fixture->server, 200, cases[i].body);
    argyle_call *call = call_of_text(fixture->client, cases[i].operation, cases[i].user_id, NULL);
    assert_runs(call);
    for (int j = 0; j < 2; j++) {
      assert_null(argyle_call_json(call, &error));
      assert_int_equal(argyle_error_http_status(error), 200);
      assert_string_equal(argyle_error_body_text(error), cases[i].body);
      assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
    }
    assert_null(argyle_call_error(call));
    assert_string_equal(argyle_call_body_text(call), cases[i].body);
    argyle_call_free(call);
  }
}

static void a_bare_array_becomes_a_page_in_json_but_not_as_text(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, "[{\"id\": \"u1\"}]");
  argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_LIST, NULL, NULL);
  assert_runs(call);
  json_t *page = argyle_call_json(call, &error);
  assert_json(json_object_get(page, "results"), "[{\"id\": \"u1\"}]");
  assert_true(json_is_null(json_object_get(page, "count")));
  assert_string_equal(argyle_call_body_text(call), "[{\"id\": \"u1\"}]");
  json_decref(page);
  argyle_call_free(call);
}

static void a_page_that_jansson_cannot_parse_can_be_read_as_text(void **state) {
  static const char *const values[] = {
    "1180591620717411303424", "1e999", "\"\\ud800\"", "\"\\udc00\"", "{\"\\ud800\": 1}",
  };
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(values); i++) {
    char body[256];
    snprintf(body, sizeof body,
             "{\"results\": [{\"id\": \"u1\"}, {\"id\": \"u2\", \"external_metadata\": %s}], \"next\": null}",
             values[i]);
    hostile_server_answer_json(fixture->server, 200, body);
    argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_LIST, NULL, NULL);
    assert_runs(call);
    assert_string_equal(argyle_call_body_text(call), body);
    assert_null(argyle_call_json(call, &error));
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
    assert_string_equal(argyle_call_body_text(call), body);
    argyle_call_free(call);
  }
}

/* ---------------------------------------------------------------- Incomplete answers */

static void a_call_without_a_complete_answer_has_no_body(void **state) {
  static const char *const answers[] = {
    "", "HTTP/1.1 200 OK\r\nX-One: 1\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"id\": ",
  };
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(answers); i++) {
    hostile_server_answer(fixture->server, (hostile_answer){.bytes = answers[i], .then = HOSTILE_CLOSE});
    argyle_call *call = create_call(fixture->client);
    assert_run_fails(call, ARGYLE_ERROR_CONNECTION);
    assert_null(argyle_call_body_text(call));
    assert_int_equal(argyle_call_body_size(call), 0);
    assert_int_equal(argyle_call_http_status(call), 0);
    assert_null(argyle_call_header(call, "X-One"));
    assert_int_equal(argyle_call_attempts(call), 1);
    argyle_call_free(call);
  }
}

/* ---------------------------------------------------------------- The last attempt */

#define BUSY "{\"detail\": \"Busy.\"}"

/* A client that makes two attempts, the first of which gets a 503. */
static argyle_client *client_after_a_503(hostile_fixture *fixture) {
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "max_retries", json_integer(1));
  json_object_set_new(options, "max_response_bytes", json_integer(100));
  hostile_server_answer_http(fixture->server, 503, "Retry-After: 0\r\nX-Trace-Id: first\r\n", BUSY, strlen(BUSY));
  return client_with_options(options);
}

/* Asserts that a call and its error report the same answer, or none. */
static void assert_last_answer(argyle_call *call, int code, int status, const char *trace_id, const char *body) {
  const argyle_error *error = argyle_call_error(call);
  assert_error(error, code, NULL);
  assert_int_equal(argyle_error_http_status(error), status);
  assert_int_equal(argyle_call_http_status(call), status);
  assert_int_equal(argyle_call_attempts(call), argyle_error_attempts(error));
  if (trace_id != NULL) {
    assert_string_equal(argyle_error_trace_id(error), trace_id);
    assert_string_equal(argyle_call_header(call, "X-Trace-Id"), trace_id);
  } else {
    assert_null(argyle_error_trace_id(error));
    assert_null(argyle_call_header(call, "X-Trace-Id"));
  }
  size_t size = body == NULL ? 0 : strlen(body);
  assert_int_equal(argyle_error_body_size(error), size);
  assert_int_equal(argyle_call_body_size(call), size);
  if (body != NULL) {
    assert_string_equal(argyle_error_body_text(error), body);
    assert_string_equal(argyle_call_body_text(call), body);
  } else {
    assert_null(argyle_error_body_text(error));
    assert_null(argyle_call_body_text(call));
  }
}

static void an_answer_that_is_too_large_replaces_the_previous_one(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_after_a_503(fixture);
  char body[200];
  memset(body, 'x', sizeof body);
  hostile_server_answer_http(fixture->server, 200, "X-Trace-Id: second\r\n", body, sizeof body);
  argyle_call *call = get_call(client);
  assert_run_fails(call, ARGYLE_ERROR_TOO_LARGE);
  assert_int_equal(argyle_call_attempts(call), 2);
  assert_last_answer(call, ARGYLE_ERROR_TOO_LARGE, 200, "second", NULL);
  argyle_call_free(call);
  argyle_client_free(client);
}

static void a_lost_attempt_discards_the_previous_answer(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_after_a_503(fixture);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  argyle_call *call = get_call(client);
  assert_run_fails(call, ARGYLE_ERROR_CONNECTION);
  assert_last_answer(call, ARGYLE_ERROR_CONNECTION, 0, NULL, NULL);
  argyle_call_free(call);
  argyle_client_free(client);
}

static void note_wait(int level, const char *message, const json_t *fields, void *context) {
  (void)message;
  (void)fields;
  *(bool *)context |= level == ARGYLE_LOG_INFO;
}

static void a_call_cancelled_between_attempts_keeps_the_last_answer(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  bool waits = false;
  argyle_client *silent = client_with_integer(hostile_server_url(fixture->server), "max_retries", 1);
  argyle_client *client = argyle_client_with_log(silent, note_wait, &waits, &error);
  hostile_server_answer_http(fixture->server, 503, "Retry-After: 50\r\nX-Trace-Id: first\r\n", BUSY, strlen(BUSY));
  argyle_queue *queue = argyle_queue_new(NULL, &error);
  argyle_call *call = get_call(client);
  assert_int_equal(argyle_queue_submit(queue, call, NULL, &error), 0);
  for (int i = 0; i < 300 && !waits; i++) {
    assert_int_equal(argyle_queue_wait(queue, 100, &error), 0);
  }
  assert_int_equal(argyle_queue_cancel(queue, call, &error), 0);
  assert_ptr_equal(argyle_queue_next(queue, NULL, &error), call);
  assert_int_equal(argyle_call_attempts(call), 1);
  assert_last_answer(call, ARGYLE_ERROR_CANCELLED, 503, "first", BUSY);
  assert_int_equal(argyle_error_retry_after_ms(argyle_call_error(call)), 50000);
  argyle_call_free(call);
  argyle_queue_free(queue);
  argyle_client_free(client);
  argyle_client_free(silent);
}

/* ---------------------------------------------------------------- Attempts */

static void a_lost_idle_connection_takes_another_attempt(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_call *first = get_call(fixture->client), *second = get_call(fixture->client);
  assert_runs(first);
  assert_int_equal(argyle_call_attempts(first), 1);
  assert_runs(second);
  assert_int_equal(argyle_call_attempts(second), 2);
  assert_int_equal(hostile_server_requests(fixture->server), 3);
  argyle_call_free(first);
  argyle_call_free(second);
}

static void a_connection_that_was_refused_counts_as_an_attempt(void **state) {
  (void)state;
  char url[64];
  closed_port_url(url, sizeof url);
  argyle_client *client = client_for(url);
  argyle_call *call = get_call(client);
  assert_run_fails(call, ARGYLE_ERROR_CONNECTION);
  assert_int_equal(argyle_call_attempts(call), 1);
  assert_int_equal(argyle_error_attempts(argyle_call_error(call)), 1);
  assert_int_equal(argyle_call_http_status(call), 0);
  argyle_call_free(call);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Times */

static void times_are_those_of_the_call(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" USER, .delay_ms = 50});
  argyle_call *call = get_call(fixture->client);
  assert_runs(call);
  int64_t total = argyle_call_time_us(call, ARGYLE_TIME_TOTAL);
  int64_t connected = argyle_call_time_us(call, ARGYLE_TIME_CONNECTED);
  int64_t began = argyle_call_time_us(call, ARGYLE_TIME_ANSWER_BEGAN);
  int64_t ended = argyle_call_time_us(call, ARGYLE_TIME_ANSWER_ENDED);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_WAITING) >= 0);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_NAME_RESOLVED) >= 0);
  assert_true(connected > 0);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_SECURED) == 0);
  assert_true(began >= 50000);
  assert_true(began >= connected);
  assert_true(ended >= began);
  assert_true(total >= 50000);
  static const int unknown[] = {0, 8, -1, 1000, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < COUNT(unknown); i++) {
    assert_true(argyle_call_time_us(call, unknown[i]) == -1);
  }
  argyle_call_free(call);
}

static void a_reused_connection_takes_no_time_to_connect(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_call *first = get_call(fixture->client), *second = get_call(fixture->client);
  assert_runs(first);
  assert_runs(second);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  assert_true(argyle_call_time_us(first, ARGYLE_TIME_CONNECTED) > 0);
  assert_true(argyle_call_time_us(second, ARGYLE_TIME_CONNECTED) == 0);
  assert_true(argyle_call_time_us(second, ARGYLE_TIME_NAME_RESOLVED) == 0);
  assert_true(argyle_call_time_us(second, ARGYLE_TIME_ANSWER_BEGAN) > 0);
  argyle_call_free(first);
  argyle_call_free(second);
}

static void a_call_that_failed_has_times_too(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_MS);
  hostile_server_answer(fixture->server, STALLING);
  argyle_call *call = get_call(client);
  assert_run_fails(call, ARGYLE_ERROR_TIMEOUT);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) >= SHORT_MS * 1000);
  assert_true(argyle_call_time_us(call, ARGYLE_TIME_ANSWER_BEGAN) == 0);
  argyle_call_free(call);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Whether the outcome is known */

/* Runs the call, asserts that it fails and whether its outcome is unknown, and frees it. */
static void assert_outcome_unknown(argyle_call *call, int expected, int code) {
  assert_run_fails(call, code);
  assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), expected);
  argyle_call_free(call);
}

static void the_status_determines_whether_the_outcome_is_known(void **state) {
  static const struct {
    int status;
    const char *headers;
    int of_create;
    int code;
  } cases[] = {
    {500, "", 1, ARGYLE_ERROR_SERVER},
    {502, "", 1, ARGYLE_ERROR_SERVER},
    {504, "", 1, ARGYLE_ERROR_SERVER},
    {408, "", 1, ARGYLE_ERROR_HTTP},
    {503, "", 1, ARGYLE_ERROR_SERVER},
    {503, "Retry-After: 1\r\n", 0, ARGYLE_ERROR_SERVER},
    {503, "Retry-After: soon\r\n", 1, ARGYLE_ERROR_SERVER},
    {500, "Retry-After: 1\r\n", 1, ARGYLE_ERROR_SERVER},
    {429, "", 0, ARGYLE_ERROR_RATE_LIMITED},
    {429, "Retry-After: 1\r\n", 0, ARGYLE_ERROR_RATE_LIMITED},
    {400, "", 0, ARGYLE_ERROR_INVALID_REQUEST},
    {401, "", 0, ARGYLE_ERROR_AUTHENTICATION},
    {404, "", 0, ARGYLE_ERROR_NOT_FOUND},
    {409, "", 0, ARGYLE_ERROR_CONFLICT},
    {302, "", 0, ARGYLE_ERROR_REDIRECT},
  };
  (void)state;
  for (size_t i = 0; i < COUNT(cases); i++) {
    int code = cases[i].code, unknown = cases[i].of_create;
    hostile_server *server = hostile_server_start();
    hostile_server_answer_http(server, cases[i].status, cases[i].headers, "{}", 2);
    argyle_client *client = client_for(hostile_server_url(server));
    assert_outcome_unknown(create_call(client), unknown, code);
    assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", NULL), unknown, code);
    assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_UPDATE, "u1", "{}"), unknown, code);
    assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL), unknown, code);
    assert_outcome_unknown(get_call(client), 0, code);
    assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_LIST, NULL, NULL), 0, code);
    argyle_client_free(client);
    hostile_server_stop(server);
  }
}

static void the_outcome_of_a_sent_request_without_an_answer_is_unknown(void **state) {
  hostile_fixture *fixture = *state;
  stop_clock();
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "timeout_ms", SHORT_LIMIT_MS);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_LIMIT_MS});
  assert_outcome_unknown(create_call(client), 1, ARGYLE_ERROR_TIMEOUT);
  assert_outcome_unknown(get_call(client), 0, ARGYLE_ERROR_TIMEOUT);
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
  assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL), 1, ARGYLE_ERROR_CONNECTION);
  assert_outcome_unknown(create_call(client), 1, ARGYLE_ERROR_CONNECTION);
  assert_outcome_unknown(get_call(client), 0, ARGYLE_ERROR_CONNECTION);
  argyle_client_free(client);
}

static void the_outcome_of_what_was_never_sent_is_known(void **state) {
  (void)state;
  char url[64];
  closed_port_url(url, sizeof url);
  argyle_client *client = client_for(url);
  assert_outcome_unknown(create_call(client), 0, ARGYLE_ERROR_CONNECTION);
  assert_outcome_unknown(call_of_text(client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL), 0, ARGYLE_ERROR_CONNECTION);
  assert_outcome_unknown(get_call(client), 0, ARGYLE_ERROR_CONNECTION);
  argyle_client_free(client);
  assert_int_equal(argyle_error_outcome_is_unknown(NULL), 0);
}

static void a_success_that_cannot_be_read_leaves_the_outcome_unknown(void **state) {
  static const char *const bodies[] = {"", "<html>", "{\"id\": \"u1\"", "{\"id\": \"u1\"}", "[]"};
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  for (size_t i = 0; i < COUNT(bodies); i++) {
    hostile_server_answer_json(fixture->server, 201, bodies[i]);
    argyle_call *call = create_call(fixture->client);
    assert_runs(call);
    assert_null(argyle_call_json(call, &error));
    assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
    assert_int_equal(argyle_error_is_retryable(error), 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
    argyle_call_free(call);

    hostile_server_answer_json(fixture->server, 201, bodies[i]);
    assert_null(argyle_user_create(fixture->client, NULL, &error));
    assert_int_equal(argyle_error_outcome_is_unknown(error), 1);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
  }
  hostile_server_answer_json(fixture->server, 200, "<html>");
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
  assert_failed(error, ARGYLE_ERROR_PROTOCOL, NULL);
}

/* A caller that parses the text itself can create the error that the library would return. */
static void the_caller_may_find_an_answer_unreadable(void **state) {
  hostile_fixture *fixture = *state;
  for (int operation = 0; operation < 2; operation++) {
    hostile_server_answer_http(fixture->server, 201, "X-Trace-Id: trace-1\r\n", "{\"detail\": 1}", 13);
    argyle_call *call = operation == 0
                          ? create_call(fixture->client)
                          : argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL);
    assert_runs(call);
    argyle_error *error = argyle_call_unreadable(call, "not\nthe " KEY_SECRET " answer");
    const char *message = argyle_error_message(error);
    const char *what = operation == 0 ? "POST /v1/users at 127.0.0.1:" : "GET /v1/users/u1 at 127.0.0.1:";
    assert_ptr_equal(strstr(message, what), message);
    assert_null(strstr(message, KEY_SECRET));
    assert_null(strchr(message, '\n'));
    assert_int_equal(argyle_error_http_status(error), 201);
    assert_string_equal(argyle_error_trace_id(error), "trace-1");
    assert_string_equal(argyle_error_body_text(error), "{\"detail\": 1}");
    assert_int_equal(argyle_error_attempts(error), 1);
    assert_int_equal(argyle_error_is_retryable(error), 0);
    assert_int_equal(argyle_error_outcome_is_unknown(error), operation == 0);
    assert_failed(error, ARGYLE_ERROR_PROTOCOL, "answer");
    assert_returned_error(argyle_call_unreadable(call, NULL), ARGYLE_ERROR_ARGUMENT, "reason");
    argyle_call_free(call);
  }
  hostile_server_answer_json(fixture->server, 404, "{}");
  argyle_call *call = argyle_call_new(fixture->client, ARGYLE_OPERATION_USER_GET, "u1", NULL, NULL);
  assert_int_equal(argyle_call_run(call, NULL), -1);
  assert_returned_error(argyle_call_unreadable(call, "it is none"), ARGYLE_ERROR_NOT_FOUND, NULL);
  argyle_call_free(call);
  assert_returned_error(argyle_call_unreadable(NULL, "it is none"), ARGYLE_ERROR_ARGUMENT, "call");
}

static void a_success_that_is_too_large_leaves_the_outcome_unknown(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "max_response_bytes", 10);
  hostile_server_answer_json(fixture->server, 201, ANSWER);
  assert_outcome_unknown(create_call(client), 1, ARGYLE_ERROR_TOO_LARGE);
  argyle_client_free(client);
}

static void a_refused_attempt_leaves_the_outcome_of_the_previous_one_unknown(void **state) {
  static const struct {
    int status;
    const char *headers;
    int code;
  } refusals[] = {
    {429, "", ARGYLE_ERROR_RATE_LIMITED},
    {503, "Retry-After: 1\r\n", ARGYLE_ERROR_SERVER},
    {401, "", ARGYLE_ERROR_AUTHENTICATION},
  };
  hostile_fixture *fixture = *state;
  for (size_t i = 0; i < COUNT(refusals); i++) {
    /* On a reused connection, the service may have acted on the first attempt, whose answer is lost. */
    hostile_server_answer_json(fixture->server, 200, USER);
    hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_CLOSE});
    hostile_server_answer_http(fixture->server, refusals[i].status, refusals[i].headers, "{}", 2);
    json_decref(argyle_user_get(fixture->client, "u1", NULL));
    argyle_call *call = call_of_text(fixture->client, ARGYLE_OPERATION_USER_DELETE, "u1", NULL);
    assert_run_fails(call, refusals[i].code);
    assert_int_equal(argyle_call_attempts(call), 2);
    assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), 1);
    argyle_call_free(call);
  }
}

/* ---------------------------------------------------------------- Interruption */

/* Context of an interrupt function. */
typedef struct {
  hostile_server *server;
  pthread_t thread;
  int calls;
  int wrong_threads; /* calls on another thread */
  int answer;        /* its result once the server has read `requests` requests; 0 before */
  int requests;
} interruption;

static int interrupt(void *context) {
  interruption *interruption = context;
  interruption->calls++;
  if (!pthread_equal(pthread_self(), interruption->thread)) {
    interruption->wrong_threads++;
  }
  return hostile_server_requests(interruption->server) >= interruption->requests ? interruption->answer : 0;
}

static interruption interruption_at(hostile_fixture *fixture, int answer) {
  return (interruption){.server = fixture->server, .thread = pthread_self(), .answer = answer, .requests = 1};
}

static argyle_client *interruptible(argyle_client *client, argyle_interrupt_function function, void *context) {
  argyle_error *error = RUBBISH;
  argyle_client *made = argyle_client_with_interrupt(client, function, context, &error);
  assert_null(error);
  assert_non_null(made);
  return made;
}

static void a_signal_ends_a_call_if_the_function_says_so(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer(fixture->server, STALLING);
  for (size_t i = 0; i < COUNT(operations); i++) {
    interruption interruption = interruption_at(fixture, 1);
    interruption.requests = (int)i + 1;
    argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
    argyle_call *call = call_of_text(client, operations[i].operation, operations[i].user_id, operations[i].document);
    start_signals();
    assert_run_fails(call, ARGYLE_ERROR_CANCELLED);
    stop_signals();
    assert_true(interruption.calls > 0);
    assert_int_equal(interruption.wrong_threads, 0);
    int kind = operations[i].operation;
    bool reads = kind == ARGYLE_OPERATION_USER_GET || kind == ARGYLE_OPERATION_USER_LIST;
    assert_int_equal(argyle_error_outcome_is_unknown(argyle_call_error(call)), reads ? 0 : 1);
    assert_int_equal(argyle_call_http_status(call), 0);
    assert_null(argyle_call_body_text(call));
    assert_true(argyle_call_time_us(call, ARGYLE_TIME_TOTAL) > 0);
    argyle_call_free(call);
    argyle_client_free(client);
  }
  assert_int_equal(hostile_server_requests(fixture->server), COUNT(operations));
}

static void a_signal_ends_the_functions_of_the_operations(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, -1);
  argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
  hostile_server_answer(fixture->server, STALLING);
  start_signals();
  assert_null(argyle_user_create(client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_null(argyle_user_update(client, "u1", json_true(), &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_null(argyle_user_list(client, NULL, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_int_equal(argyle_user_delete(client, "u1", &error), -1);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_null(argyle_user_token_create(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests++;
  assert_null(argyle_user_get(client, "u1", NULL));
  stop_signals();
  assert_int_equal(hostile_server_requests(fixture->server), 7);
  argyle_client_free(client);
}

static void a_client_works_after_an_interrupted_call(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
  hostile_server_answer(fixture->server, STALLING);
  hostile_server_answer_json(fixture->server, 200, USER);
  start_signals();
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  stop_signals();
  interruption.answer = 0;
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
  argyle_client_free(client);
}

static void an_interrupted_cursor_continues(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
  hostile_server_answer(fixture->server, STALLING);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u1\"}], \"next\": \"?offset=1\"}");
  hostile_server_answer(fixture->server, STALLING);
  hostile_server_answer_json(fixture->server, 200, "{\"results\": [{\"id\": \"u2\"}], \"next\": null}");
  argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
  /* Each page stalls once: the first when it is requested, the second while it is prefetched. */
  for (int page = 0; page < 2; page++) {
    interruption.requests = 2 * page + 1;
    interruption.answer = 1;
    start_signals();
    assert_null(argyle_user_cursor_next_page(cursor, &error));
    assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
    stop_signals();
    interruption.answer = 0;
    json_t *result = argyle_user_cursor_next_page(cursor, &error);
    assert_null(error);
    assert_json(json_object_get(result, "results"), page == 0 ? "[{\"id\": \"u1\"}]" : "[{\"id\": \"u2\"}]");
    json_decref(result);
  }
  assert_null(argyle_user_cursor_next_page(cursor, &error));
  assert_null(error);
  assert_int_equal(hostile_server_requests(fixture->server), 4);
  argyle_user_cursor_free(cursor);
  argyle_client_free(client);
}

static void cursors_of_users_and_texts_are_interrupted_too(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
  hostile_server_answer(fixture->server, STALLING);
  argyle_user_cursor *users = argyle_user_cursor_new(client, NULL, &error);
  argyle_user_cursor *texts = argyle_user_cursor_new(client, NULL, &error);
  size_t size = 1;
  start_signals();
  assert_null(argyle_user_cursor_next(users, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  interruption.requests = 2;
  assert_null(argyle_user_cursor_next_page_text(texts, &size, &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  stop_signals();
  assert_int_equal(size, 0);
  argyle_user_cursor_free(users);
  argyle_user_cursor_free(texts);
  argyle_client_free(client);
}

/* Releases the answer when first called during the wait, and lets the call continue. */
static int release_answer_once_called(void *context) {
  interruption *interruption = context;
  if (hostile_server_requests(interruption->server) > 0 && interruption->calls++ == 0) {
    hostile_server_release(interruption->server);
  }
  return 0;
}

static void a_call_continues_if_the_function_says_so(void **state) {
  hostile_fixture *fixture = *state;
  interruption interruption = interruption_at(fixture, 0);
  argyle_client *client = interruptible(fixture->client, release_answer_once_called, &interruption);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" USER, .held = true});
  argyle_call *call = get_call(client);
  start_signals();
  assert_runs(call);
  stop_signals();
  assert_true(interruption.calls > 0);
  assert_string_equal(argyle_call_body_text(call), USER);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_call_free(call);
  argyle_client_free(client);
}

/* A signal may arrive just before the wait, or on another thread: the function is also called at intervals. */
static void the_function_is_called_without_a_signal_too(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *client = interruptible(fixture->client, interrupt, &interruption);
  hostile_server_answer(fixture->server, STALLING);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  assert_true(interruption.calls > 0);
  argyle_client_free(client);
}

/* Counts calls of an interrupt function that are at least 50 ms apart. */
typedef struct {
  int calls;
  int64_t last_call;
} spaced_calls;

static int interrupt_at_the_tenth_call(void *context) {
  spaced_calls *times = context;
  if (now_ms() - times->last_call >= 50) {
    times->last_call = now_ms();
    times->calls++;
  }
  return times->calls >= 10;
}

/* Bytes that keep arriving leave no pause of 100 ms in which the function would be called. */
static void the_function_is_called_while_the_server_drips(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  spaced_calls times = {0};
  argyle_client *client = interruptible(fixture->client, interrupt_at_the_tenth_call, &times);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", .then = HOSTILE_DRIP});
  json_t *user = argyle_user_get(client, "u1", &error);
  argyle_client_free(client);
  assert_null(user);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
}

/* Sends signals to the thread until the interrupt function has been called. */
static void *signal_until_called(void *argument) {
  interruption *interruption = argument;
  while (__atomic_load_n(&interruption->calls, __ATOMIC_RELAXED) == 0) {
    pthread_kill(interruption->thread, SIGALRM);
    struct timespec pause = {.tv_nsec = 2000000};
    nanosleep(&pause, NULL);
  }
  return NULL;
}

static int interrupt_immediately(void *context) {
  interruption *interruption = context;
  __atomic_fetch_add(&interruption->calls, 1, __ATOMIC_RELAXED);
  return 1;
}

static void another_thread_ends_a_call_by_a_signal(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *client = interruptible(fixture->client, interrupt_immediately, &interruption);
  pthread_t other;
  hostile_server_answer(fixture->server, STALLING);
  /* The timer is off: this sets the handler. */
  start_signals();
  stop_signals();
  assert_int_equal(pthread_create(&other, NULL, signal_until_called, &interruption), 0);
  assert_null(argyle_user_create(client, NULL, &error));
  assert_int_equal(pthread_join(other, NULL), 0);
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  argyle_client_free(client);
}

static void a_copy_of_an_interruptible_client_is_interruptible(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *first = interruptible(fixture->client, interrupt, &interruption);
  json_t *overrides = json_pack("{s:i}", "timeout_ms", 60000);
  argyle_client *client = argyle_client_with(first, overrides, &error);
  json_decref(overrides);
  argyle_client_free(first);
  hostile_server_answer(fixture->server, STALLING);
  start_signals();
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CANCELLED, NULL);
  stop_signals();
  argyle_client_free(client);
}

static void without_a_function_no_call_is_interrupted(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  interruption interruption = interruption_at(fixture, 1);
  argyle_client *asking = interruptible(fixture->client, interrupt, &interruption);
  argyle_client *clients[] = {interruptible(fixture->client, NULL, NULL), interruptible(asking, NULL, &interruption)};
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" USER, .held = true});
  for (size_t i = 0; i < COUNT(clients); i++) {
    start_signals_before_answer(fixture->server, (int)i + 1);
    json_t *user = argyle_user_get(clients[i], "u1", &error);
    stop_signals_after_answer();
    assert_null(error);
    assert_json(user, USER);
    json_decref(user);
    argyle_client_free(clients[i]);
  }
  assert_int_equal(interruption.calls, 0);
  argyle_client_free(asking);
}

static void an_interruptible_client_needs_a_client(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_with_interrupt(NULL, interrupt, NULL, &error));
  assert_null_refused(error, "client");
  assert_null(argyle_client_with_interrupt(NULL, NULL, NULL, NULL));
}

/* An interrupt function that uses the library itself, once, before the server answers. */
typedef struct {
  hostile_server *server;
  argyle_client *clients[2];
  int calls;
  int failures;
} nested;

static int use_the_library(void *context) {
  nested *nested = context;
  if (hostile_server_requests(nested->server) > 0 && nested->calls++ == 0) {
    nested->failures += strcmp(argyle_version(), ARGYLE_VERSION) != 0;
    for (size_t i = 0; i < COUNT(nested->clients); i++) {
      argyle_error *error = RUBBISH;
      json_t *user = argyle_user_get(nested->clients[i], "u1", &error);
      nested->failures += error != NULL || strcmp(string_at(user, "id"), "u1") != 0;
      json_decref(user);
    }
    hostile_server_release(nested->server);
  }
  return 0;
}

static void the_function_may_use_the_library(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server *other = hostile_server_start();
  hostile_server_answer_json(other, 200, USER);
  /* A client that shares the connections, and one that does not. */
  nested nested = {fixture->server, {fixture->client, client_for(hostile_server_url(other))}, 0, 0};
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\": \"u0\"}", .held = true});
  hostile_server_answer_json(fixture->server, 200, USER);
  argyle_client *client = interruptible(fixture->client, use_the_library, &nested);
  json_t *user = argyle_user_get(client, "u0", &error);
  assert_null(error);
  assert_string_equal(string_at(user, "id"), "u0");
  assert_true(nested.calls > 0);
  assert_int_equal(nested.failures, 0);
  assert_int_equal(hostile_server_requests(other), 1);
  json_decref(user);
  argyle_client_free(client);
  argyle_client_free(nested.clients[1]);
  hostile_server_stop(other);
}

/* ---------------------------------------------------------------- Deadlines */

/* A blocking call does not wait for the rate limit beyond its deadline. */
static void a_deadline_bounds_the_wait_for_the_rate_limit(void **state) {
  hostile_fixture *fixture = *state;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "max_requests_per_second", json_real(0.01));
  argyle_client *client = client_with_options(options);
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_non_null(user);
  json_decref(user);
  /* The rate limit allows the next request in 100 s. */
  json_t *overrides = json_pack("{s:i}", "deadline_ms", SHORT_MS);
  argyle_client *hasty = argyle_client_with(client, overrides, &error);
  assert_null(error);
  assert_null(argyle_user_get(hasty, "u1", &error));
  assert_int_equal(argyle_error_attempts(error), 0);
  assert_int_equal(argyle_error_is_retryable(error), 1);
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "deadline_ms");
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(hasty);
  argyle_client_free(client);
  json_decref(overrides);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    hostile_test(a_call_does_what_the_function_of_its_operation_does),
    cmocka_unit_test_setup_teardown(calls_cover_the_whole_life_of_a_user, sandbox_setup, sandbox_teardown),
    cmocka_unit_test(accessors_of_a_call_accept_null),
    cmocka_unit_test(a_call_or_client_must_not_be_null),
    hostile_test(an_unknown_operation_is_refused),
    hostile_test(a_user_id_is_required_or_refused_by_operation),
    hostile_test(a_user_id_obeys_the_rules_of_the_functions),
    hostile_test(a_document_is_required_or_refused_by_operation),
    hostile_test(making_a_call_sends_nothing),
    hostile_test(a_document_is_read_immediately_and_not_changed),
    hostile_test(the_client_may_be_freed_before_the_call),
    hostile_test(what_is_not_exactly_one_json_value_is_refused),
    hostile_test(an_impossible_size_is_refused),
    hostile_test(metadata_is_sent_verbatim),
    hostile_test(a_text_is_read_up_to_its_size_only),
    hostile_test(metadata_is_nested_no_deeper_than_2044_levels),
    hostile_test(a_very_deeply_nested_text_is_refused),
    hostile_test(a_query_that_breaks_a_rule_is_refused),
    hostile_test(a_query_text_of_an_empty_object_has_no_parameters),
    hostile_test(an_unfinished_call_has_no_results),
    hostile_test(a_call_has_its_operation_and_user_id),
    hostile_test(a_call_runs_once),
    hostile_test(a_call_that_was_submitted_is_not_run),
    hostile_test(headers_are_found_by_name),
    hostile_test(headers_are_listed_as_received),
    hostile_test(an_answer_may_have_no_headers),
    hostile_test(the_answer_to_a_call_that_failed_can_be_read),
    hostile_test(a_body_may_hold_nul),
    hostile_test(a_decimal_is_exact_as_text_and_the_nearest_double_as_a_value),
    hostile_test(json_can_be_read_repeatedly),
    hostile_test(a_delete_has_no_json_and_no_error),
    hostile_test(the_json_of_a_call_that_failed_is_its_error),
    hostile_test(missing_required_members_are_reported_by_json),
    hostile_test(a_bare_array_becomes_a_page_in_json_but_not_as_text),
    hostile_test(a_page_that_jansson_cannot_parse_can_be_read_as_text),
    hostile_test(a_call_without_a_complete_answer_has_no_body),
    hostile_test(an_answer_that_is_too_large_replaces_the_previous_one),
    hostile_test(a_lost_attempt_discards_the_previous_answer),
    hostile_test(a_call_cancelled_between_attempts_keeps_the_last_answer),
    hostile_test(a_lost_idle_connection_takes_another_attempt),
    cmocka_unit_test(a_connection_that_was_refused_counts_as_an_attempt),
    hostile_test(times_are_those_of_the_call),
    hostile_test(a_reused_connection_takes_no_time_to_connect),
    hostile_test(a_call_that_failed_has_times_too),
    cmocka_unit_test(the_status_determines_whether_the_outcome_is_known),
    hostile_test(the_outcome_of_a_sent_request_without_an_answer_is_unknown),
    cmocka_unit_test(the_outcome_of_what_was_never_sent_is_known),
    hostile_test(a_success_that_cannot_be_read_leaves_the_outcome_unknown),
    hostile_test(the_caller_may_find_an_answer_unreadable),
    hostile_test(a_success_that_is_too_large_leaves_the_outcome_unknown),
    hostile_test(a_refused_attempt_leaves_the_outcome_of_the_previous_one_unknown),
    hostile_test(a_signal_ends_a_call_if_the_function_says_so),
    hostile_test(a_signal_ends_the_functions_of_the_operations),
    hostile_test(a_client_works_after_an_interrupted_call),
    hostile_test(an_interrupted_cursor_continues),
    hostile_test(cursors_of_users_and_texts_are_interrupted_too),
    hostile_test(a_call_continues_if_the_function_says_so),
    hostile_test(the_function_is_called_without_a_signal_too),
    hostile_test(the_function_is_called_while_the_server_drips),
    hostile_test(another_thread_ends_a_call_by_a_signal),
    hostile_test(a_copy_of_an_interruptible_client_is_interruptible),
    hostile_test(without_a_function_no_call_is_interrupted),
    cmocka_unit_test(an_interruptible_client_needs_a_client),
    hostile_test(a_deadline_bounds_the_wait_for_the_rate_limit),
    hostile_test(the_function_may_use_the_library),
  };
  return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
