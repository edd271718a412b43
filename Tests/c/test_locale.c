/*
 * A host with another locale, here one that formats 0.5 as 0,5 and a thousand as 1.000: the library never parses or
 * formats a number by its rules, and does not change it.
 */
#include "hostile_server.h"
#include "queued.h"

#include <fcntl.h>
#include <ftw.h>
#include <locale.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define LOCALE "de_DE.UTF-8"

/* ---------------------------------------------------------------- The locale */

static char folder[] = "/tmp/argyle-locale-XXXXXX";

/* Compiled, because machines have few locales. */
static int compile_locale(void) {
  char path[64];
  snprintf(path, sizeof path, "%s/" LOCALE, folder);
  char *arguments[] = {"localedef", "--no-archive", "-i", "de_DE", "-f", "UTF-8", path, NULL};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process;
  int status = -1;
  if (posix_spawnp(&process, "localedef", &actions, NULL, arguments, environ) == 0) {
    waitpid(process, &status, 0);
  }
  posix_spawn_file_actions_destroy(&actions);
  return status;
}

static int use_locale(void **state) {
  (void)state;
  if (mkdtemp(folder) == NULL) {
    return -1;
  }
  if (compile_locale() != 0) {
    print_error("cannot compile " LOCALE ", for which the Debian package locales is needed\n");
    return -1;
  }
  setenv("LOCPATH", folder, 1);
  return setlocale(LC_ALL, LOCALE) != NULL ? 0 : -1;
}

static int remove_file(const char *path, const struct stat *status, int type, struct FTW *place) {
  (void)status;
  (void)type;
  (void)place;
  return remove(path);
}

static int remove_locale(void **state) {
  (void)state;
  setlocale(LC_ALL, "C");
  return nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
}

/* Otherwise the other tests would test nothing. */
static void the_locale_uses_a_comma(void **state) {
  (void)state;
  char text[16];
  snprintf(text, sizeof text, "%.1f", 0.5);
  assert_string_equal(text, "0,5");
}

/* ---------------------------------------------------------------- Numbers */

#define USER                                          \
  "{\"id\": \"u1\", \"token\": \"t\", \"external_metadata\": " \
  "[0.5, 1e-7, -1234567.25, 1E+30, 9007199254740993]}"

static void assert_numbers(const json_t *metadata) {
  assert_int_equal(json_array_size(metadata), 5);
  assert_true(json_real_value(json_array_get(metadata, 0)) == 0.5);
  assert_true(json_real_value(json_array_get(metadata, 1)) == 1e-7);
  assert_true(json_real_value(json_array_get(metadata, 2)) == -1234567.25);
  assert_true(json_real_value(json_array_get(metadata, 3)) == 1e30);
  assert_int_equal(json_integer_value(json_array_get(metadata, 4)), 9007199254740993);
}

static void numbers_of_an_answer_are_parsed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(fixture->client, "u1", &error);
  assert_null(error);
  assert_numbers(json_object_get(user, "external_metadata"));
  json_decref(user);
  argyle_call *call = run_in_queue(fixture->client, ARGYLE_OPERATION_USER_GET, "u1");
  user = argyle_call_json(call, &error);
  assert_numbers(json_object_get(user, "external_metadata"));
  json_decref(user);
  argyle_call_free(call);
}

/* The metadata sent last, parsed in a locale with a decimal point. */
static json_t *sent_metadata(hostile_server *server) {
  const hostile_request *request = hostile_server_request(server, hostile_server_requests(server) - 1);
  setlocale(LC_ALL, "C");
  json_t *document = json_of(request->body);
  setlocale(LC_ALL, LOCALE);
  json_t *metadata = json_incref(json_object_get(document, "external_metadata"));
  json_decref(document);
  return metadata;
}

static void numbers_of_metadata_are_sent(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *metadata = json_pack("[f, f, f, f, I]", 0.5, 1e-7, -1234567.25, 1e30, (json_int_t)9007199254740993);
  hostile_server_answer_json(fixture->server, 201, USER);
  json_decref(argyle_user_create(fixture->client, metadata, &error));
  assert_null(error);
  json_t *sent = sent_metadata(fixture->server);
  assert_numbers(sent);
  json_decref(sent);
  json_decref(argyle_user_update(fixture->client, "u1", metadata, &error));
  assert_null(error);
  sent = sent_metadata(fixture->server);
  assert_numbers(sent);
  json_decref(sent);
  json_decref(metadata);
}

static void metadata_as_text_is_sent_verbatim(void **state) {
  static const char text[] = "[0.5,1e-7,-1234567.250,1E+30]";
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 201, USER);
  argyle_call *call = argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, text, strlen(text),
                                           &error);
  assert_null(error);
  assert_int_equal(argyle_call_run(call, &error), 0);
  assert_non_null(strstr(hostile_server_request(fixture->server, 0)->body, text));
  argyle_call_free(call);
  call = argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, "0,5", 3, &error);
  assert_null(call);
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
}

static void claims_of_a_token_are_parsed(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  /* {"exp":1700000000.5,"iat":1700000000} */
  json_t *claims = argyle_token_claims("e30.eyJleHAiOjE3MDAwMDAwMDAuNSwiaWF0IjoxNzAwMDAwMDAwfQ.AAAA", &error);
  assert_null(error);
  assert_true(json_real_value(json_object_get(claims, "exp")) == 1700000000.5);
  assert_int_equal(json_integer_value(json_object_get(claims, "iat")), 1700000000);
  json_decref(claims);
}

/* ---------------------------------------------------------------- Options, headers, the log */

static void an_option_may_be_a_fraction(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  json_t *options = json_pack("{s:f}", "max_requests_per_second", 2000.5);
  argyle_client *client = argyle_client_with(fixture->client, options, &error);
  assert_null(error);
  hostile_server_answer_json(fixture->server, 200, USER);
  json_decref(argyle_user_get(client, "u1", &error));
  assert_null(error);
  argyle_client_free(client);
  /* The message for a refused option contains its bounds, with a decimal point. */
  json_object_set_new(options, "max_requests_per_second", json_real(0.0005));
  assert_null(argyle_client_with(fixture->client, options, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "0.001 and 1000000");
  json_decref(options);
}

static void a_retry_after_is_parsed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 429, "Retry-After: 1234\r\n", "{}", 2);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_int_equal(argyle_error_retry_after_ms(error), 1234000);
  assert_failed(error, ARGYLE_ERROR_RATE_LIMITED, NULL);
}

/* In this locale months have other names, such as "Okt". */
static void a_retry_after_date_is_parsed(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  hostile_server_answer_http(fixture->server, 429, "Retry-After: Fri, 31 Oct 2098 23:59:59 GMT\r\n", "{}", 2);
  assert_null(argyle_user_get(fixture->client, "u1", &error));
  assert_true(argyle_error_retry_after_ms(error) > 0);
  assert_failed(error, ARGYLE_ERROR_RATE_LIMITED, NULL);
}

static void keep_record(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  (void)message;
  char *text = json_dumps(fields, JSON_COMPACT);
  strncat(context, text, 1023 - strlen(context));
  free(text);
}

static void the_log_has_whole_numbers(void **state) {
  hostile_fixture *fixture = *state;
  char records[1024] = "";
  argyle_client *client = argyle_client_with_log(fixture->client, keep_record, records, NULL);
  hostile_server_answer(fixture->server, (hostile_answer){
    .bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"id\": \"u1\"}", .delay_ms = 20});
  json_decref(argyle_user_get(client, "u1", NULL));
  argyle_client_free(client);
  json_t *fields = json_of(records);
  assert_true(json_is_integer(json_object_get(fields, "milliseconds")));
  assert_int_equal(json_integer_value(json_object_get(fields, "status")), 200);
  json_decref(fields);
}

static void error_messages_use_a_decimal_point(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "max_response_bytes", 1234567);
  char *body = malloc(2000000);
  memset(body, ' ', 2000000);
  hostile_server_answer_http(fixture->server, 200, "", body, 2000000);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TOO_LARGE, "(1234567)");
  free(body);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- The locale afterwards */

static void the_locale_is_not_changed(void **state) {
  hostile_fixture *fixture = *state;
  char before[256] = "";
  strncat(before, setlocale(LC_ALL, NULL), sizeof before - 1);
  argyle_client *client = client_for(hostile_server_url(fixture->server));
  hostile_server_answer_json(fixture->server, 201, USER);
  json_t *metadata = json_pack("[f]", 0.5);
  json_decref(argyle_user_create(client, metadata, NULL));
  argyle_call_free(run_in_queue(client, ARGYLE_OPERATION_USER_GET, "u1"));
  argyle_client_free(client);
  json_decref(metadata);
  assert_string_equal(setlocale(LC_ALL, NULL), before);
  the_locale_uses_a_comma(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_locale_uses_a_comma),
    hostile_test(numbers_of_an_answer_are_parsed),
    hostile_test(numbers_of_metadata_are_sent),
    hostile_test(metadata_as_text_is_sent_verbatim),
    cmocka_unit_test(claims_of_a_token_are_parsed),
    hostile_test(an_option_may_be_a_fraction),
    hostile_test(a_retry_after_is_parsed),
    hostile_test(a_retry_after_date_is_parsed),
    hostile_test(the_log_has_whole_numbers),
    hostile_test(error_messages_use_a_decimal_point),
    hostile_test(the_locale_is_not_changed),
  };
  return cmocka_run_group_tests_name("locale", tests, use_locale, remove_locale);
}
