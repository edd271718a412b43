/* The section "Client" of argyle.h: options, their effects, and copies. */
#include "clock.h"
#include "hostile_server.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\"}"
#define LOOPBACK "http://127.0.0.1:1"

/* ---------------------------------------------------------------- Helpers */

/* Valid options with one of them set. */
static json_t *options_with(const char *option, json_t *value) {
  json_t *options = options_for(LOOPBACK);
  assert_int_equal(json_object_set_new(options, option, value), 0);
  return options;
}

/* Asserts that the options are refused with a message that names the option, and releases them. */
#define assert_options_refused(options, option) assert_options_refused_at(options, option, __FILE__, __LINE__)
static void assert_options_refused_at(json_t *options, const char *option, const char *file, int line) {
  argyle_error *error = RUBBISH;
  argyle_client *client = argyle_client_new(options, &error);
  if (client != NULL) {
    char *text = json_dumps(options, 0);
    print_error("%s:%d: these options were accepted: %s\n", file, line, text);
    free(text);
    argyle_client_free(client);
    _fail(file, line);
  }
  assert_error_at(error, ARGYLE_ERROR_ARGUMENT, option, file, line);
  assert_null(argyle_client_new(options, NULL));
  /* The same rule holds for options as text. */
  char *text = json_dumps(options, JSON_ENCODE_ANY);
  if (text != NULL) {
    argyle_error *of_text = RUBBISH;
    assert_null(argyle_client_new_text(text, strlen(text), &of_text));
    assert_string_equal(argyle_error_message(of_text), argyle_error_message(error));
    argyle_error_free(of_text);
    assert_null(argyle_client_new_text(text, strlen(text), NULL));
    free(text);
  }
  argyle_error_free(error);
  json_decref(options);
}

#define assert_option_refused(option, json) \
  assert_options_refused_at(options_with(option, json_of(json)), option, __FILE__, __LINE__)

/* Creates a client from options as text. */
static argyle_client *client_of_text(const char *options) {
  argyle_error *error = RUBBISH;
  argyle_client *client = argyle_client_new_text(options, strlen(options), &error);
  if (client == NULL) {
    print_error("%s: %s\n", options, argyle_error_message(error));
  }
  assert_non_null(client);
  assert_null(error);
  return client;
}

static void assert_options_accepted(json_t *options) {
  char *text = json_dumps(options, 0);
  argyle_client_free(client_of_text(text));
  free(text);
  argyle_client_free(client_with_options(options));
}

static json_t *key_alone(void) {
  return json_pack("{s:s, s:s}", "key_id", KEY_ID, "key_secret", KEY_SECRET);
}

static json_t *with_base_url(const char *base_url) {
  json_t *options = key_alone();
  json_object_set_new(options, "base_url", json_string(base_url));
  return options;
}

/* Makes one call, which the fixture's server answers with a user. */
static void get_user(hostile_fixture *fixture, argyle_client *client) {
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
}

static const hostile_request *last_request(hostile_fixture *fixture) {
  return hostile_server_request(fixture->server, hostile_server_requests(fixture->server) - 1);
}

/* ---------------------------------------------------------------- libcurl */

/* The version that libcurl reports to this program; NULL: its real one. */
static const char *reported_version;
static unsigned int reported_number;

typedef curl_version_info_data *version_function(CURLversion);

curl_version_info_data *curl_version_info(CURLversion age) {
  static curl_version_info_data changed;
  /* ISO C has no cast from an object pointer to a function pointer, so it is copied. */
  void *symbol = dlsym(RTLD_NEXT, "curl_version_info");
  version_function *real;
  memcpy(&real, &symbol, sizeof real);
  curl_version_info_data *information = real(age);
  if (reported_version == NULL) {
    return information;
  }
  changed = *information;
  changed.version = reported_version;
  changed.version_num = reported_number;
  return &changed;
}

static void report_version(const char *version, unsigned int number) {
  reported_version = version;
  reported_number = number;
}

static void a_libcurl_that_is_too_old_is_named(void **state) {
  (void)state;
  json_t *options = options_for(LOOPBACK);
  argyle_error *error = RUBBISH;
  report_version("7.86.0", 0x075600);
  argyle_client *client = argyle_client_new(options, &error);
  report_version(NULL, 0);
  assert_null(client);
  assert_error(error, ARGYLE_ERROR_INTERNAL, "libcurl 7.86.0");
  assert_failed(error, ARGYLE_ERROR_INTERNAL, "7.87");
  json_decref(options);
}

static void the_oldest_libcurl_and_newer_ones_are_accepted(void **state) {
  (void)state;
  report_version("7.87.0", 0x075700);
  assert_options_accepted(options_for(LOOPBACK));
  report_version("8.0.0", 0x080000);
  assert_options_accepted(options_for(LOOPBACK));
  report_version(NULL, 0);
}

/* ---------------------------------------------------------------- Arguments */

static void options_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_new(NULL, &error));
  assert_null_refused(error, "options");
  assert_null(argyle_client_new(NULL, NULL));
}

static void options_must_be_an_object(void **state) {
  (void)state;
  static const char *const values[] = {"[]", "\"key_id\"", "1", "1.5", "true", "null"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_options_refused(json_of(values[i]), "options");
  }
}

static void freeing_null_does_nothing(void **state) {
  (void)state;
  argyle_client_free(NULL);
}

static void options_are_only_read(void **state) {
  (void)state;
  json_t *options = options_for(LOOPBACK);
  json_t *before = json_deep_copy(options);
  argyle_client *client = client_with_options(json_incref(options));
  assert_int_equal(options->refcount, 1);
  assert_int_equal(json_object_get(options, "key_id")->refcount, 1);
  assert_same_json(options, before);
  argyle_client_free(client);
  json_decref(before);
  json_decref(options);
}

static void a_client_keeps_nothing_of_its_options(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = options_for(hostile_server_url(fixture->server));
  argyle_client *client = client_with_options(json_incref(options));
  json_object_clear(options);
  json_decref(options);
  get_user(fixture, client);
  argyle_client_free(client);
}

static void a_new_client_opens_no_connection(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client_free(client_for(hostile_server_url(fixture->server)));
  assert_int_equal(hostile_server_connections(fixture->server), 0);
}

static void the_error_pointer_is_optional_for_a_client(void **state) {
  (void)state;
  json_t *options = options_for(LOOPBACK);
  argyle_client *client = argyle_client_new(options, NULL);
  assert_non_null(client);
  argyle_client_free(client);
  json_decref(options);
}

static void an_unknown_option_is_refused_by_name(void **state) {
  (void)state;
  assert_option_refused("time_out", "5");
  assert_option_refused("Key_id", "\"a\"");
  assert_option_refused("retries", "null");
}

static void an_unknown_option_with_any_name_is_refused_in_one_line(void **state) {
  (void)state;
  assert_options_refused(options_with("", json_true()), NULL);
  assert_options_refused(options_with("two\nlines", json_true()), NULL);
  assert_options_refused(options_with("\xc3\xbc", json_true()), "\xc3\xbc");
}

static void an_option_that_is_not_utf8_is_refused(void **state) {
  (void)state;
  static const char *const options[] = {"key_id", "key_secret", "base_url", "ca_file", "application", "environment"};
  for (size_t i = 0; i < COUNT(options); i++) {
    json_t *value = options_with(options[i], json_string_nocheck("a\xff"));
    if (strcmp(options[i], "environment") == 0) {
      json_object_del(value, "base_url");
    }
    assert_options_refused(value, "UTF-8");
  }
}

/* ---------------------------------------------------------------- Options as text */

static void a_text_must_not_be_null(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_new_text(NULL, 0, &error));
  assert_null_refused(error, "options");
  assert_null(argyle_client_new_text(NULL, 5, NULL));
  assert_null(argyle_client_with_text(fixture->client, NULL, 0, &error));
  assert_null_refused(error, "overrides");
  assert_null(argyle_client_with_text(NULL, "{}", 2, &error));
  assert_null_refused(error, "client");
}

static void a_text_must_be_one_json_value(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *text;
    size_t size;
  } texts[] = {
    {"", 0}, {" ", 1}, {"{", 1}, {"{}{}", 4}, {"{}\0", 3}, {"{},", 3}, {"\xef\xbb\xbf{}", 5},
    {"{\"timeout_ms\": 1,}", 18}, {"{'timeout_ms': 1}", 17}, {"{\"key_id\": \"\xff\"}", 15},
    {"{\"timeout_ms\": 9223372036854775808}", 35}, {"{\"key_secret\": \"\\ud800\"}", 24},
    {"{\"key_secret\": \"" KEY_SECRET "\"", 15 + 2 + sizeof KEY_SECRET}, {KEY_SECRET, sizeof KEY_SECRET - 1},
    {"{}", SIZE_MAX},
  };
  for (size_t i = 0; i < COUNT(texts); i++) {
    argyle_error *error = RUBBISH;
    assert_null(argyle_client_new_text(texts[i].text, texts[i].size, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, texts[i].size == SIZE_MAX ? "size" : "options");
    assert_null(argyle_client_with_text(fixture->client, texts[i].text, texts[i].size, &error));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, texts[i].size == SIZE_MAX ? "size" : "overrides");
  }
}

/* The Authorization header of a client whose options are these members and the fixture's base_url. */
static const char *authorization_of_text(hostile_fixture *fixture, const char *members) {
  char text[512];
  snprintf(text, sizeof text, " {%s, \"base_url\": \"%s\"}\n", members, hostile_server_url(fixture->server));
  argyle_client *client = client_of_text(text);
  get_user(fixture, client);
  argyle_client_free(client);
  return hostile_request_header(last_request(fixture), "Authorization");
}

static void a_key_may_be_written_with_any_escapes(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const members[] = {
    "\"key_id\": \"" KEY_ID "\", \"key_secret\": \"" KEY_SECRET "\"",
    "\"key_secret\":\"" KEY_SECRET "\",\"key_id\":\"" KEY_ID "\"",
    "\"key_id\": \"" KEY_ID "\", \"key\\u005fsecret\": \"canary-secret-5\\u00662c\"",
    "\"key_secret\": \"first\", \"key_id\": \"" KEY_ID "\", \"key_secret\": \"" KEY_SECRET "\"",
    "\"key_secret\": 5, \"key_id\": \"" KEY_ID "\", \"key_secret\": \"" KEY_SECRET "\"",
  };
  for (size_t i = 0; i < COUNT(members); i++) {
    assert_string_equal(authorization_of_text(fixture, members[i]), KEY_BASIC);
  }
  /* base64 of i:"\/ü😀, and of i:x� with a real U+FFFD */
  assert_string_equal(
    authorization_of_text(fixture, "\"key_id\": \"i\", \"key_secret\": \"\\\"\\\\\\/\\u00fc\\ud83d\\ude00\""),
    "Basic aToiXC/DvPCfmIA=");
  assert_string_equal(authorization_of_text(fixture, "\"key_id\": \"i\", \"key_secret\": \"x\xef\xbf\xbd\""),
                      "Basic aTp477+9");
}

static void the_last_of_two_secrets_counts_whatever_its_type(void **state) {
  (void)state;
  static const char text[] = "{\"key_id\": \"i\", \"key_secret\": \"" KEY_SECRET "\", \"key_secret\": 5}";
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_new_text(text, strlen(text), &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, "key_secret");
}

static void overrides_may_be_text(void **state) {
  hostile_fixture *fixture = *state;
  static const char text[] = "{\"key_id\": \"i\", \"key_secret\": \"s\", \"application\": \"program/1\"}";
  argyle_error *error = RUBBISH;
  /* Only `size` bytes are read. */
  char *exact = malloc(strlen(text));
  memcpy(exact, text, strlen(text));
  argyle_client *client = argyle_client_with_text(fixture->client, exact, strlen(text), &error);
  free(exact);
  assert_null(error);
  get_user(fixture, client);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), "Basic aTpz");
  assert_non_null(strstr(hostile_request_header(last_request(fixture), "User-Agent"), "program/1"));
  argyle_client_free(client);
  client = argyle_client_with_text(fixture->client, "{}", 2, NULL);
  get_user(fixture, client);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), KEY_BASIC);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- The key */

static void the_key_is_sent_by_basic_authentication(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture, fixture->client);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), KEY_BASIC);
}

static void a_key_outside_ascii_is_sent_as_utf8(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *client = client_with_options(json_pack("{s:s, s:s, s:s}", "key_id", "\xc3\xbc", "key_secret",
    "a:\xc3\xbc", "base_url", hostile_server_url(fixture->server)));
  get_user(fixture, client);
  /* base64 of "ü:a:ü" */
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), "Basic w7w6YTrDvA==");
  argyle_client_free(client);
}

static void the_key_is_required(void **state) {
  (void)state;
  assert_options_refused(json_object(), "key_id");
  assert_options_refused(json_pack("{s:s}", "key_secret", KEY_SECRET), "key_id");
  assert_options_refused(json_pack("{s:s}", "key_id", KEY_ID), "key_secret");
}

static void a_key_id_must_not_be_empty(void **state) {
  (void)state;
  assert_option_refused("key_id", "\"\"");
}

static void a_key_id_has_no_colon(void **state) {
  (void)state;
  assert_option_refused("key_id", "\"a:b\"");
}

static void a_key_has_no_control_characters(void **state) {
  (void)state;
  static const char *const values[] = {
    "\"" KEY_SECRET "\\r\\nX-Evil: 1\"", "\"" KEY_SECRET "\\n\"", "\"" KEY_SECRET "\\u0000\"", "\"\\t" KEY_SECRET "\"",
    "\"" KEY_SECRET "\\u007f\"",
  };
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_option_refused("key_id", values[i]);
    assert_option_refused("key_secret", values[i]);
  }
}

static void a_key_is_two_strings(void **state) {
  (void)state;
  static const char *const values[] = {"5", "null", "true", "[\"" KEY_SECRET "\"]", "{\"" KEY_SECRET "\": 1}"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_option_refused("key_id", values[i]);
    assert_option_refused("key_secret", values[i]);
  }
}

/* ---------------------------------------------------------------- Environment and base URL */

static void the_environments_are_production_and_sandbox(void **state) {
  (void)state;
  assert_options_accepted(key_alone());
  static const char *const environments[] = {"production", "sandbox"};
  for (size_t i = 0; i < COUNT(environments); i++) {
    json_t *options = key_alone();
    json_object_set_new(options, "environment", json_string(environments[i]));
    assert_options_accepted(options);
  }
}

static void any_other_environment_is_refused(void **state) {
  (void)state;
  static const char *const values[] = {"\"\"", "\"Production\"", "\"staging\"", "\"sandbox\\u0000\"", "1", "null"};
  for (size_t i = 0; i < COUNT(values); i++) {
    json_t *options = key_alone();
    json_object_set_new(options, "environment", json_of(values[i]));
    assert_options_refused(options, "environment");
  }
}

static void environment_and_base_url_exclude_each_other(void **state) {
  (void)state;
  assert_options_refused(options_with("environment", json_string("sandbox")), "environment");
  assert_options_refused(options_with("environment", json_string("sandbox")), "base_url");
}

static void a_base_url_is_an_origin_and_a_path(void **state) {
  (void)state;
  static const char *const urls[] = {
    "https://example.com", "https://example.com/", "https://example.com:8443", "https://example.com/a/b",
    "https://example.com/a/b/", "HTTPS://Example.COM", "https://192.0.2.1", "https://[2001:db8::1]:8443/x",
    "http://127.0.0.1:1", "http://127.9.9.9:1", "http://localhost", "http://localhost:1/path", "http://[::1]:1",
  };
  for (size_t i = 0; i < COUNT(urls); i++) {
    assert_options_accepted(with_base_url(urls[i]));
  }
}

static void an_invalid_base_url_is_refused(void **state) {
  (void)state;
  static const char *const urls[] = {
    "", " ", "/", "example.com", "127.0.0.1:1", "//127.0.0.1:1", "http:", "http://", "http:///v", "https://:80",
    "ftp://127.0.0.1", "file:///etc/passwd", "javascript:1", "https://127.0.0.1:99999", "https://127.0.0.1:port",
    "https://127.0.0.1:-1", "https://exa mple.com", "https://example.com/a b", "https://example.com/\r\nX-Evil: 1",
    "https://example.com\\@127.0.0.1", "https://[::1", "https://example.com/\xc3\xbc\n",
  };
  for (size_t i = 0; i < COUNT(urls); i++) {
    assert_options_refused(with_base_url(urls[i]), "base_url");
  }
  assert_option_refused("base_url", "5");
  assert_option_refused("base_url", "null");
  assert_option_refused("base_url", "\"http://127.0.0.1:1\\u0000.example.com\"");
}

static void a_base_url_has_no_user_info(void **state) {
  (void)state;
  assert_options_refused(with_base_url("http://user@127.0.0.1:1"), "base_url");
  assert_options_refused(with_base_url("http://user:" KEY_SECRET "@127.0.0.1:1"), "base_url");
  assert_options_refused(with_base_url("http://@127.0.0.1:1"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1@example.com"), "base_url");
}

static void a_base_url_has_no_query_and_no_fragment(void **state) {
  (void)state;
  assert_options_refused(with_base_url("http://127.0.0.1:1?key=" KEY_SECRET), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1/?"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1/a?b=c"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1/#"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1#a"), "base_url");
}

static void a_base_url_does_not_end_in_v1(void **state) {
  (void)state;
  assert_options_refused(with_base_url("http://127.0.0.1:1/v1"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1/v1/"), "base_url");
  assert_options_refused(with_base_url("http://127.0.0.1:1/gateway/v1"), "base_url");
}

static void http_is_for_loopback_only(void **state) {
  (void)state;
  static const char *const urls[] = {
    "http://example.com", "http://192.0.2.1:80", "http://10.0.0.1", "http://[2001:db8::1]", "http://[::2]",
    "http://127.0.0.1.example.com", "http://localhost.example.com", "http://128.0.0.1", "http://127.example.com",
    "http://example.com/127.0.0.1", "http://notlocalhost",
  };
  for (size_t i = 0; i < COUNT(urls); i++) {
    assert_options_refused(with_base_url(urls[i]), "base_url");
    json_t *options = with_base_url(urls[i]);
    json_object_set_new(options, "allow_insecure_http", json_false());
    assert_options_refused(options, "allow_insecure_http");
  }
}

static void localhost_is_case_insensitive(void **state) {
  (void)state;
  assert_options_accepted(with_base_url("http://LocalHost:1"));
}

static void http_to_any_host_may_be_allowed(void **state) {
  (void)state;
  json_t *options = with_base_url("http://example.com");
  json_object_set_new(options, "allow_insecure_http", json_true());
  assert_options_accepted(options);
}

static void allow_insecure_http_is_a_boolean(void **state) {
  (void)state;
  static const char *const values[] = {"1", "0", "\"true\"", "null", "[]"};
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_option_refused("allow_insecure_http", values[i]);
  }
}

static void v1_is_added_to_the_path_of_the_base_url(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *path;
    const char *target;
  } cases[] = {
    {"", "/v1/users/u1"},
    {"/", "/v1/users/u1"},
    {"/gateway", "/gateway/v1/users/u1"},
    {"/a/b%20c/", "/a/b%20c/v1/users/u1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    char url[128];
    snprintf(url, sizeof url, "%s%s", hostile_server_url(fixture->server), cases[i].path);
    argyle_client *client = client_for(url);
    get_user(fixture, client);
    assert_string_equal(last_request(fixture)->target, cases[i].target);
    argyle_client_free(client);
  }
}

static void localhost_is_reached_by_name(void **state) {
  hostile_fixture *fixture = *state;
  char url[64];
  snprintf(url, sizeof url, "http://localhost:%d", hostile_server_port(fixture->server));
  argyle_client *client = client_for(url);
  get_user(fixture, client);
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Limits */

static const char *const limits[] = {"timeout_ms", "connect_timeout_ms", "max_response_bytes"};

static void limits_from_1_to_2147483647_are_accepted(void **state) {
  (void)state;
  static const char *const values[] = {"1", "30000", "2147483647"};
  for (size_t i = 0; i < COUNT(limits); i++) {
    for (size_t j = 0; j < COUNT(values); j++) {
      assert_options_accepted(options_with(limits[i], json_of(values[j])));
    }
  }
}

static void limits_out_of_range_are_refused(void **state) {
  (void)state;
  static const char *const values[] = {"0", "-1", "2147483648", "9223372036854775807", "-9223372036854775808"};
  for (size_t i = 0; i < COUNT(limits); i++) {
    for (size_t j = 0; j < COUNT(values); j++) {
      assert_option_refused(limits[i], values[j]);
      assert_options_refused(options_with(limits[i], json_of(values[j])), "2147483647");
    }
  }
}

static void limits_are_integers(void **state) {
  (void)state;
  static const char *const values[] = {"1000.0", "1.5", "\"1000\"", "true", "null", "[1000]", "{}"};
  for (size_t i = 0; i < COUNT(limits); i++) {
    for (size_t j = 0; j < COUNT(values); j++) {
      assert_option_refused(limits[i], values[j]);
    }
  }
}

/* ---------------------------------------------------------------- Certificate authorities */

static void a_ca_file_that_can_be_read_is_accepted(void **state) {
  (void)state;
  char path[] = "/tmp/argyle-test-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  close(file);
  assert_options_accepted(options_with("ca_file", json_string(path)));
  unlink(path);
}

static void a_ca_file_that_cannot_be_read_is_refused(void **state) {
  (void)state;
  assert_option_refused("ca_file", "\"/no/such/file.pem\"");
  assert_option_refused("ca_file", "\"\"");
  assert_option_refused("ca_file", "\"/\"");
  assert_option_refused("ca_file", "\"/etc/passwd\\u0000\"");
}

/* Opening a FIFO without a writer would block forever. */
static void files_must_be_regular(void **state) {
  (void)state;
  static const char *const names[] = {"ca_file", "client_certificate_file", "client_key_file"};
  char folder[] = "/tmp/argyle-test-XXXXXX";
  char fifo[64], rule[64];
  assert_non_null(mkdtemp(folder));
  snprintf(fifo, sizeof fifo, "%s/fifo", folder);
  assert_int_equal(mkfifo(fifo, 0600), 0);
  for (size_t i = 0; i < COUNT(names); i++) {
    const char *const paths[] = {fifo, "/dev/null", folder};
    for (size_t j = 0; j < COUNT(paths); j++) {
      argyle_error *error = RUBBISH;
      json_t *options = options_with(names[i], json_string(paths[j]));
      snprintf(rule, sizeof rule, "%s must be a regular file", names[i]);
      argyle_client *client = argyle_client_new(options, &error);
      assert_null(client);
      assert_failed(error, ARGYLE_ERROR_ARGUMENT, rule);
      json_decref(options);
    }
  }
  unlink(fifo);
  rmdir(folder);
}

static void a_ca_file_is_a_string(void **state) {
  (void)state;
  assert_option_refused("ca_file", "5");
  assert_option_refused("ca_file", "null");
  assert_option_refused("ca_file", "false");
}

/* ---------------------------------------------------------------- Application */

static void the_application_is_named_in_the_user_agent(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "application", json_string("payroll-demo/2.5 (test)"));
  argyle_client *client = client_with_options(options);
  get_user(fixture, client);
  const char *user_agent = hostile_request_header(last_request(fixture), "User-Agent");
  assert_non_null(user_agent);
  assert_non_null(strstr(user_agent, "payroll-demo/2.5 (test)"));
  argyle_client_free(client);
}

static void the_user_agent_names_the_version(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture, fixture->client);
  const char *user_agent = hostile_request_header(last_request(fixture), "User-Agent");
  assert_non_null(user_agent);
  assert_non_null(strstr(user_agent, ARGYLE_VERSION));
}

static json_t *text_of_length(size_t length) {
  char text[256];
  memset(text, 'a', length);
  return json_stringn(text, length);
}

static void an_application_has_1_to_128_characters(void **state) {
  (void)state;
  assert_options_accepted(options_with("application", text_of_length(1)));
  assert_options_accepted(options_with("application", text_of_length(128)));
  assert_options_refused(options_with("application", text_of_length(0)), "application");
  assert_options_refused(options_with("application", text_of_length(129)), "application");
}

static void an_application_is_printable_ascii(void **state) {
  (void)state;
  static const char *const values[] = {
    "\"a\\r\\nX-Evil: 1\"", "\"a\\n\"", "\"a\\t\"", "\"a\\u0000b\"", "\"a\\u007f\"", "\"\\u00fc\"", "5", "null", "[]",
  };
  for (size_t i = 0; i < COUNT(values); i++) {
    assert_option_refused("application", values[i]);
  }
}

/* ---------------------------------------------------------------- Copies */

/* Creates a copy and releases the overrides. */
static argyle_client *copy_of(argyle_client *client, json_t *overrides) {
  argyle_error *error = RUBBISH;
  argyle_client *copy = argyle_client_with(client, overrides, &error);
  assert_null(error);
  assert_non_null(copy);
  json_decref(overrides);
  return copy;
}

/* Asserts that the overrides are refused with a message that names the option, and releases them. */
static void assert_overrides_refused(argyle_client *client, json_t *overrides, const char *option) {
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_with(client, overrides, &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, option);
  assert_null(argyle_client_with(client, overrides, NULL));
  char *text = json_dumps(overrides, JSON_ENCODE_ANY);
  assert_null(argyle_client_with_text(client, text, strlen(text), &error));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, option);
  assert_null(argyle_client_with_text(client, text, strlen(text), NULL));
  free(text);
  json_decref(overrides);
}

static void the_client_to_copy_must_not_be_null(void **state) {
  (void)state;
  argyle_error *error = RUBBISH;
  json_t *overrides = json_object();
  assert_null(argyle_client_with(NULL, overrides, &error));
  assert_null_refused(error, "client");
  json_decref(overrides);
}

static void overrides_must_not_be_null(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  assert_null(argyle_client_with(fixture->client, NULL, &error));
  assert_null_refused(error, "overrides");
}

static void overrides_must_be_an_object(void **state) {
  hostile_fixture *fixture = *state;
  assert_overrides_refused(fixture->client, json_array(), "overrides");
  assert_overrides_refused(fixture->client, json_null(), "overrides");
}

static void overrides_follow_the_rules_of_options(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *option;
    const char *value;
  } cases[] = {
    {"unknown", "1"},
    {"timeout_ms", "0"},
    {"connect_timeout_ms", "\"5\""},
    {"max_response_bytes", "2147483648"},
    {"key_id", "\"a:b\""},
    {"key_secret", "\"" KEY_SECRET "\\n\""},
    {"environment", "\"staging\""},
    {"base_url", "\"http://example.com\""},
    {"ca_file", "\"/no/such/file.pem\""},
    {"application", "\"\""},
    {"allow_insecure_http", "1"},
  };
  for (size_t i = 0; i < COUNT(cases); i++) {
    json_t *overrides = json_object();
    json_object_set_new(overrides, cases[i].option, json_of(cases[i].value));
    assert_overrides_refused(fixture->client, overrides, cases[i].option);
  }
}

static void overrides_of_environment_and_base_url_exclude_each_other(void **state) {
  hostile_fixture *fixture = *state;
  json_t *overrides = json_pack("{s:s, s:s}", "environment", "sandbox", "base_url", LOOPBACK);
  assert_overrides_refused(fixture->client, overrides, "base_url");
}

static void overrides_are_only_read(void **state) {
  hostile_fixture *fixture = *state;
  json_t *overrides = json_pack("{s:i}", "timeout_ms", 5000);
  argyle_client *copy = copy_of(fixture->client, json_incref(overrides));
  assert_int_equal(overrides->refcount, 1);
  assert_json(overrides, "{\"timeout_ms\": 5000}");
  json_decref(overrides);
  argyle_client_free(copy);
}

static void the_error_pointer_is_optional_for_a_copy(void **state) {
  hostile_fixture *fixture = *state;
  json_t *overrides = json_object();
  argyle_client *copy = argyle_client_with(fixture->client, overrides, NULL);
  assert_non_null(copy);
  get_user(fixture, copy);
  argyle_client_free(copy);
  json_decref(overrides);
}

static void a_copy_has_the_options_of_the_original(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *copy = copy_of(fixture->client, json_object());
  get_user(fixture, copy);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), KEY_BASIC);
  argyle_client_free(copy);
}

static void a_copy_shares_the_connections(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *copy = copy_of(fixture->client, json_pack("{s:i}", "timeout_ms", 20000));
  get_user(fixture, fixture->client);
  get_user(fixture, copy);
  get_user(fixture, fixture->client);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
  argyle_client_free(copy);
}

static void a_copy_with_a_shorter_timeout_gives_up_sooner(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  stop_clock();
  argyle_client *copy = copy_of(fixture->client, json_pack("{s:i}", "timeout_ms", SHORT_LIMIT_MS));
  hostile_server_answer(fixture->server, (hostile_answer){.then = HOSTILE_STALL, .advance_ms = SHORT_LIMIT_MS});
  assert_null(argyle_user_get(copy, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_TIMEOUT, "127.0.0.1");
  get_user(fixture, fixture->client);
  argyle_client_free(copy);
}

static void a_copy_with_another_base_url_calls_there(void **state) {
  hostile_fixture *fixture = *state;
  hostile_fixture other = {.server = hostile_server_start()};
  argyle_client *copy = copy_of(fixture->client, json_pack("{s:s}", "base_url", hostile_server_url(other.server)));
  get_user(&other, copy);
  get_user(fixture, fixture->client);
  assert_int_equal(hostile_server_requests(other.server), 1);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(copy);
  hostile_server_stop(other.server);
}

static void a_copy_with_another_key_sends_that_one(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *copy = copy_of(fixture->client, json_pack("{s:s, s:s}", "key_id", "a", "key_secret", "b"));
  get_user(fixture, copy);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), "Basic YTpi");
  get_user(fixture, fixture->client);
  assert_string_equal(hostile_request_header(last_request(fixture), "Authorization"), KEY_BASIC);
  argyle_client_free(copy);
}

static void an_environment_replaces_the_base_url_of_a_copy(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client_free(copy_of(fixture->client, json_pack("{s:s}", "environment", "sandbox")));
}

static void a_base_url_replaces_the_environment_of_a_copy(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = key_alone();
  json_object_set_new(options, "environment", json_string("sandbox"));
  argyle_client *client = client_with_options(options);
  argyle_client *copy = copy_of(client, json_pack("{s:s}", "base_url", hostile_server_url(fixture->server)));
  get_user(fixture, copy);
  argyle_client_free(copy);
  argyle_client_free(client);
}

static void a_copy_cannot_disallow_the_http_of_its_base_url(void **state) {
  (void)state;
  json_t *options = with_base_url("http://example.com");
  json_object_set_new(options, "allow_insecure_http", json_true());
  argyle_client *client = client_with_options(options);
  assert_overrides_refused(client, json_pack("{s:b}", "allow_insecure_http", 0), "allow_insecure_http");
  argyle_client_free(client);
}

static void a_copy_of_a_copy_works(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *copy = copy_of(fixture->client, json_pack("{s:i}", "timeout_ms", 20000));
  argyle_client *second = copy_of(copy, json_pack("{s:i}", "max_response_bytes", 1000));
  argyle_client_free(copy);
  get_user(fixture, second);
  argyle_client_free(second);
}

static void the_original_may_be_freed_before_its_copy(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *first = client_for(hostile_server_url(fixture->server));
  argyle_client *copy = copy_of(first, json_object());
  get_user(fixture, first);
  argyle_client_free(first);
  get_user(fixture, copy);
  argyle_client_free(copy);
}

static void a_copy_may_be_freed_before_the_original(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *copy = copy_of(fixture->client, json_object());
  get_user(fixture, copy);
  argyle_client_free(copy);
  get_user(fixture, fixture->client);
  assert_int_equal(hostile_server_connections(fixture->server), 1);
}

static void the_connections_are_closed_with_the_last_client(void **state) {
  hostile_fixture *fixture = *state;
  argyle_client *first = client_for(hostile_server_url(fixture->server));
  argyle_client *copy = copy_of(first, json_object());
  get_user(fixture, first);
  argyle_client_free(first);
  argyle_client_free(copy);
  hostile_server_wait_for_closed(fixture->server, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_libcurl_that_is_too_old_is_named),
    cmocka_unit_test(the_oldest_libcurl_and_newer_ones_are_accepted),
    cmocka_unit_test(options_must_not_be_null),
    cmocka_unit_test(options_must_be_an_object),
    cmocka_unit_test(freeing_null_does_nothing),
    cmocka_unit_test(options_are_only_read),
    hostile_test(a_client_keeps_nothing_of_its_options),
    hostile_test(a_new_client_opens_no_connection),
    cmocka_unit_test(the_error_pointer_is_optional_for_a_client),
    cmocka_unit_test(an_unknown_option_is_refused_by_name),
    cmocka_unit_test(an_unknown_option_with_any_name_is_refused_in_one_line),
    cmocka_unit_test(an_option_that_is_not_utf8_is_refused),
    hostile_test(a_text_must_not_be_null),
    hostile_test(a_text_must_be_one_json_value),
    hostile_test(a_key_may_be_written_with_any_escapes),
    cmocka_unit_test(the_last_of_two_secrets_counts_whatever_its_type),
    hostile_test(overrides_may_be_text),
    hostile_test(the_key_is_sent_by_basic_authentication),
    hostile_test(a_key_outside_ascii_is_sent_as_utf8),
    cmocka_unit_test(the_key_is_required),
    cmocka_unit_test(a_key_id_must_not_be_empty),
    cmocka_unit_test(a_key_id_has_no_colon),
    cmocka_unit_test(a_key_has_no_control_characters),
    cmocka_unit_test(a_key_is_two_strings),
    cmocka_unit_test(the_environments_are_production_and_sandbox),
    cmocka_unit_test(any_other_environment_is_refused),
    cmocka_unit_test(environment_and_base_url_exclude_each_other),
    cmocka_unit_test(a_base_url_is_an_origin_and_a_path),
    cmocka_unit_test(an_invalid_base_url_is_refused),
    cmocka_unit_test(a_base_url_has_no_user_info),
    cmocka_unit_test(a_base_url_has_no_query_and_no_fragment),
    cmocka_unit_test(a_base_url_does_not_end_in_v1),
    cmocka_unit_test(http_is_for_loopback_only),
    cmocka_unit_test(localhost_is_case_insensitive),
    cmocka_unit_test(http_to_any_host_may_be_allowed),
    cmocka_unit_test(allow_insecure_http_is_a_boolean),
    hostile_test(v1_is_added_to_the_path_of_the_base_url),
    hostile_test(localhost_is_reached_by_name),
    cmocka_unit_test(limits_from_1_to_2147483647_are_accepted),
    cmocka_unit_test(limits_out_of_range_are_refused),
    cmocka_unit_test(limits_are_integers),
    cmocka_unit_test(a_ca_file_that_can_be_read_is_accepted),
    cmocka_unit_test(a_ca_file_that_cannot_be_read_is_refused),
    cmocka_unit_test(files_must_be_regular),
    cmocka_unit_test(a_ca_file_is_a_string),
    hostile_test(the_application_is_named_in_the_user_agent),
    hostile_test(the_user_agent_names_the_version),
    cmocka_unit_test(an_application_has_1_to_128_characters),
    cmocka_unit_test(an_application_is_printable_ascii),
    cmocka_unit_test(the_client_to_copy_must_not_be_null),
    hostile_test(overrides_must_not_be_null),
    hostile_test(overrides_must_be_an_object),
    hostile_test(overrides_follow_the_rules_of_options),
    hostile_test(overrides_of_environment_and_base_url_exclude_each_other),
    hostile_test(overrides_are_only_read),
    hostile_test(the_error_pointer_is_optional_for_a_copy),
    hostile_test(a_copy_has_the_options_of_the_original),
    hostile_test(a_copy_shares_the_connections),
    hostile_test(a_copy_with_a_shorter_timeout_gives_up_sooner),
    hostile_test(a_copy_with_another_base_url_calls_there),
    hostile_test(a_copy_with_another_key_sends_that_one),
    hostile_test(an_environment_replaces_the_base_url_of_a_copy),
    hostile_test(a_base_url_replaces_the_environment_of_a_copy),
    hostile_test(a_copy_cannot_disallow_the_http_of_its_base_url),
    hostile_test(a_copy_of_a_copy_works),
    hostile_test(the_original_may_be_freed_before_its_copy),
    hostile_test(a_copy_may_be_freed_before_the_original),
    hostile_test(the_connections_are_closed_with_the_last_client),
  };
  return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
