/* Each JSON type in each member of each object of the service. */
#include "matrix.h"

#include <stdio.h>

/* Values of each type, empty and not; NULL: the member is absent. */
static const char *const values[] = {"null", "true", "0", "1.5", "\"\"", "\"x\"", "\"u1\"", "[]", "{}", NULL};

#define MANY 16

/* What a member may be. */
typedef enum {
  ANYTHING,
  A_TEXT,         /* not empty */
  THE_ID,         /* of the requested user */
  A_TEXT_OR_NULL, /* or absent; the text may be empty */
  AN_INTEGER_OR_NULL,
  AN_ARRAY
} kind;

static bool is_text(const char *value) {
  return value != NULL && value[0] == '"';
}

static bool is_null(const char *value) {
  return value == NULL || strcmp(value, "null") == 0;
}

static bool fits(kind kind, const char *value) {
  switch (kind) {
  case ANYTHING:
    return true;
  case A_TEXT:
    return is_text(value) && strcmp(value, "\"\"") != 0;
  case THE_ID:
    return value != NULL && strcmp(value, "\"u1\"") == 0;
  case A_TEXT_OR_NULL:
    return is_text(value) || is_null(value);
  case AN_INTEGER_OR_NULL:
    return is_null(value) || strcmp(value, "0") == 0;
  case AN_ARRAY:
    return value != NULL && strcmp(value, "[]") == 0;
  }
  return false;
}

/* ---------------------------------------------------------------- Objects */

typedef struct {
  const char *name;
  kind kind;
  const char *good;
} member;

typedef struct {
  const char *name;
  const char *before, *after; /* around the members */
  columns columns;
  member members[MANY];
} object;

#define USER_MEMBERS(id)                                                                                          \
  {"id", id, "\"u1\""}, {"created_at", ANYTHING, "\"2019-11-29T11:40:54.143Z\""},                             \
  {"employers_connected", ANYTHING, "[\"e\"]"}, {"data_providers_connected", ANYTHING, "[\"d\"]"},                \
  {"external_metadata", ANYTHING, "{\"a\": 1}"}, {"something_new", ANYTHING, "1"}

#define USER_MEMBERS_V2(id)                                                                                          \
  {"id", id, "\"u1\""}, {"items_connected", ANYTHING, "[\"item_000000001\"]"}, {"external_id", ANYTHING, "\"e\""},    \
  {"first_name", ANYTHING, "\"f\""}, {"address", ANYTHING, "{\"city\": null}"}, {"birth_date", ANYTHING, "{}"}

/* The cursors' rules for "next" are in test_pages.c. */
static const object objects[] = {
  {"created user", "{", "}", ONLY_CREATE,
   {{"id", A_TEXT, "\"u1\""}, {"token", A_TEXT, "\"t\""}, {"something_new", ANYTHING, "1"}}},
  {"user", "{", "}", ONLY_GET, {USER_MEMBERS(THE_ID)}},
  {"updated user", "{", "}", ONLY_UPDATE, {USER_MEMBERS(THE_ID)}},
  {"deleted user", "{", "}", ONLY_DELETE, {{"id", ANYTHING, "\"u1\""}, {"detail", ANYTHING, "\"gone\""}}},
  {"user token", "{", "}", ONLY_TOKEN_CREATE,
   {{"access", A_TEXT, "\"a\""}, {"refresh", ANYTHING, "\"r\""}, {"something_new", ANYTHING, "1"}}},
  {"page", "{", "}", ONLY_LIST_ITSELF,
   {{"results", AN_ARRAY, "[{\"id\": \"u1\"}]"}, {"next", A_TEXT_OR_NULL, "null"}, {"previous", A_TEXT_OR_NULL, "null"},
    {"count", AN_INTEGER_OR_NULL, "1"}, {"something_new", ANYTHING, "1"}}},
  {"page of a cursor", "{", "}", ONLY_LIST,
   {{"results", AN_ARRAY, "[{\"id\": \"u1\"}]"}, {"previous", A_TEXT_OR_NULL, "null"},
    {"count", AN_INTEGER_OR_NULL, "1"}, {"something_new", ANYTHING, "1"}}},
  {"listed user", "{\"next\": null, \"results\": [{\"id\": \"u0\"}, {", "}]}", ONLY_LIST, {USER_MEMBERS(A_TEXT)}},
  /* Only the list: a cursor of texts reads of a bare array only what it needs to detect a repeated page. */
  {"user of an array", "[{\"id\": \"u0\"}, {", "}]", ONLY_LIST_ITSELF, {USER_MEMBERS(A_TEXT)}},
};

static const object objects_v2[] = {
  {"created user of version 2", "{", "}", ONLY_CREATE,
   {{"user_token", A_TEXT, "\"t\""}, {"id", A_TEXT, "\"u1\""}, {"token", ANYTHING, "1"}}},
  {"user of version 2", "{", "}", ONLY_GET, {USER_MEMBERS_V2(THE_ID)}},
  {"updated user of version 2", "{", "}", ONLY_UPDATE, {USER_MEMBERS_V2(THE_ID)}},
  {"user token of version 2", "{", "}", ONLY_TOKEN_CREATE,
   {{"user_token", A_TEXT, "\"t\""}, {"access", ANYTHING, "1"}}},
  {"page of version 2", "{", "}", ONLY_LIST_ITSELF,
   {{"results", AN_ARRAY, "[{\"id\": \"u1\"}]"}, {"next", A_TEXT_OR_NULL, "null"}, {"previous", A_TEXT_OR_NULL, "null"},
    {"something_new", ANYTHING, "1"}}},
  {"listed user of version 2", "{\"next\": null, \"results\": [{\"id\": \"u0\"}, {", "}]}", ONLY_LIST,
   {USER_MEMBERS_V2(A_TEXT)}},
};

/* Runs a row with this body. */
static void run_body(const char *name, int status, const char *body, fault row) {
  char answer[2048];
  snprintf(answer, sizeof answer,
           "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", status,
           strlen(body), body);
  row.name = name;
  row.status = status;
  row.answer = (hostile_answer){.bytes = answer};
  run_fault(&row);
}

/* Writes a body with the object, one member of which has another value. */
static void write_object(char *body, size_t size, const object *object, const member *changed, const char *value) {
  size_t at = (size_t)snprintf(body, size, "%s", object->before);
  const char *comma = "";
  for (const member *member = object->members; member->name != NULL; member++) {
    const char *own = member == changed ? value : member->good;
    if (own != NULL) {
      at += (size_t)snprintf(body + at, size - at, "%s\"%s\": %s", comma, member->name, own);
      comma = ", ";
    }
  }
  snprintf(body + at, size - at, "%s", object->after);
}

static void run_member(const object *object, const member *member, int api_version) {
  for (size_t i = 0; i < COUNT(values); i++) {
    char body[1024], name[256];
    write_object(body, sizeof body, object, member, values[i]);
    snprintf(name, sizeof name, "%s: %s is %s", object->name, member->name, values[i] != NULL ? values[i] : "absent");
    fault row = {.columns = object->columns, .api_version = api_version};
    if (!fits(member->kind, values[i])) {
      row.consequence = UNREADABLE;
      row.code = ARGYLE_ERROR_PROTOCOL;
      row.fragment = member->name;
      row.text_succeeds = true;
    }
    run_body(name, 200, body, row);
  }
}

static void run_members(const object *objects, size_t count, int api_version) {
  for (size_t i = 0; i < count; i++) {
    for (const member *member = objects[i].members; member->name != NULL; member++) {
      run_member(&objects[i], member, api_version);
    }
  }
}

static void each_type_in_each_member(void **state) {
  (void)state;
  run_members(objects, COUNT(objects), 1);
  run_members(objects_v2, COUNT(objects_v2), 2);
}

/* ---------------------------------------------------------------- Whole answers */

static void run_each_type_for_an_answer(int api_version) {
  static const columns of_objects[] = {ONLY_CREATE, ONLY_GET, ONLY_UPDATE, ONLY_TOKEN_CREATE};
  for (size_t i = 0; i < COUNT(values); i++) {
    const char *body = values[i] != NULL ? values[i] : "";
    bool is_array = strcmp(body, "[]") == 0;
    bool is_object = strcmp(body, "{}") == 0;
    fault readable = {.api_version = api_version};
    fault unreadable = {.consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL, .api_version = api_version};
    for (size_t j = 0; j < COUNT(of_objects); j++) {
      unreadable.columns = of_objects[j];
      run_body("an answer of one value", 200, body, unreadable);
    }
    /* In version 1 a list may be a bare array; the caller finds out that a text has no "results". */
    readable.columns = unreadable.columns = ONLY_LIST;
    unreadable.text_succeeds = is_object;
    run_body("a list of one value", 200, body, is_array && api_version == 1 ? readable : unreadable);
    readable.columns = ONLY_DELETE;
    run_body("a deletion that answers", 200, body, readable);
  }
}

static void each_type_for_an_answer(void **state) {
  (void)state;
  run_each_type_for_an_answer(1);
  run_each_type_for_an_answer(2);
}

static void each_type_for_a_user_of_a_list(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(values) - 1; i++) {
    char body[256];
    fault row = {.columns = ONLY_LIST, .consequence = UNREADABLE, .code = ARGYLE_ERROR_PROTOCOL,
                 .fragment = "index 1", .text_succeeds = true};
    snprintf(body, sizeof body, "{\"next\": null, \"results\": [{\"id\": \"u1\"}, %s, {\"id\": \"u3\"}]}", values[i]);
    run_body("a user of one value", 200, body, row);
    row.columns = ONLY_LIST_ITSELF;
    snprintf(body, sizeof body, "[{\"id\": \"u1\"}, %s, {\"id\": \"u3\"}]", values[i]);
    run_body("a user of one value in an array", 200, body, row);
  }
}

/* ---------------------------------------------------------------- Refusals */

static void each_type_in_a_refusal(void **state) {
  (void)state;
  static const char *const forms[] = {
    "%s", "{\"detail\": %s}", "{\"detail\": [%s]}", "{\"user\": %s}", "{\"user\": [%s]}", "{\"user\": {\"id\": %s}}",
    "{\"\": [%s]}", "[%s]", "[[%s]]",
  };
  static const struct {
    int status;
    int code;
  } refusals[] = {
    {400, ARGYLE_ERROR_INVALID_REQUEST}, {401, ARGYLE_ERROR_AUTHENTICATION}, {404, ARGYLE_ERROR_NOT_FOUND},
    {500, ARGYLE_ERROR_SERVER},
  };
  for (size_t i = 0; i < COUNT(forms); i++) {
    for (size_t j = 0; j < COUNT(values) - 1; j++) {
      char body[256];
      json_t *text = json_sprintf(forms[i], values[j]);
      snprintf(body, sizeof body, "%s", json_string_value(text));
      json_decref(text);
      run_body(body, refusals[j % COUNT(refusals)].status, body,
               (fault){.consequence = REFUSED, .code = refusals[j % COUNT(refusals)].code});
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
    matrix_test(each_type_in_each_member),
    matrix_test(each_type_for_an_answer),
    matrix_test(each_type_for_a_user_of_a_list),
    matrix_test(each_type_in_a_refusal),
  };
  return run_matrix("faults of the fields", NULL, 0, tests, COUNT(tests));
}
