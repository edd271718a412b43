/* libcurl's proxy rule: its environment variables count, but never for a loopback host. */
#include "hostile_server.h"
#include "user.h"

#include <stdio.h>

#define USER "{\"id\": \"u1\"}"

static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"};

/* The variables are of the whole process, so they are the fixture's: set before, removed after. */
static void set_proxy(const char *url) {
  unsetenv("no_proxy");
  unsetenv("NO_PROXY");
  for (size_t i = 0; i < COUNT(variables); i++) {
    setenv(variables[i], url, 1);
  }
}

static int forget_variables(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(variables); i++) {
    unsetenv(variables[i]);
  }
  return 0;
}

static int forget_proxy(void **state) {
  forget_variables(state);
  return hostile_teardown(state);
}

static int proxy_on_a_closed_port(void **state) {
  char url[64];
  closed_port_url(url, sizeof url);
  set_proxy(url);
  return hostile_setup(state);
}

/* The fixture's server is the proxy. */
static int proxy_on_the_server(void **state) {
  int result = hostile_setup(state);
  set_proxy(hostile_server_url(((hostile_fixture *)*state)->server));
  return result;
}

static void get_user(hostile_fixture *fixture, argyle_client *client) {
  hostile_server_answer_json(fixture->server, 200, USER);
  assert_user(client, USER);
}

static void a_loopback_address_is_called_without_the_proxy(void **state) {
  hostile_fixture *fixture = *state;
  get_user(fixture, fixture->client);
}

static void localhost_is_called_without_the_proxy(void **state) {
  hostile_fixture *fixture = *state;
  char url[64] = "http://localhost";
  strcat(url, strrchr(hostile_server_url(fixture->server), ':'));
  argyle_client *client = client_for(url);
  get_user(fixture, client);
  argyle_client_free(client);
}

static void another_host_is_called_by_the_proxy(void **state) {
  hostile_fixture *fixture = *state;
  json_t *options = options_for("http://api.example:8080");
  json_object_set_new(options, "allow_insecure_http", json_true());
  argyle_client *client = client_with_options(options);
  get_user(fixture, client);
  const hostile_request *request = hostile_server_request(fixture->server, 0);
  assert_string_equal(request->target, "http://api.example:8080/v1/users/u1");
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- The option */

/* A client for a host that nobody knows, by way of a proxy. */
static argyle_client *client_by(const char *base_url, const char *proxy) {
  json_t *options = options_for(base_url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "proxy", json_string(proxy));
  return client_with_options(options);
}

static void the_options_proxy_is_used_with_its_credentials(void **state) {
  hostile_fixture *fixture = *state;
  char proxy[128];
  snprintf(proxy, sizeof proxy, "http://somebody:pass%%40word@%s",
           hostile_server_url(fixture->server) + strlen("http://"));
  static const char *const hosts[] = {"http://api.example:8080", "http://127.0.0.1:9"};
  for (int i = 0; i < 2; i++) {
    argyle_client *client = client_by(hosts[i], proxy);
    get_user(fixture, client);
    const hostile_request *request = hostile_server_request(fixture->server, i);
    assert_ptr_equal(strstr(request->target, hosts[i]), request->target);
    /* somebody:pass@word */
    assert_string_equal(hostile_request_header(request, "Proxy-Authorization"), "Basic c29tZWJvZHk6cGFzc0B3b3Jk");
    argyle_client_free(client);
  }
}

static void the_option_may_say_that_there_is_none(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_by("http://api.invalid:8080", "");
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "api.invalid");
  assert_int_equal(hostile_server_requests(fixture->server), 0);
  argyle_client_free(client);
}

static void a_proxy_that_is_none_is_refused_without_being_shown(void **state) {
  (void)state;
  static const char *const proxies[] = {
    "canary", "canary:8080", "ftp://canary", "http://", "http://a canary", "http://canary\n", "http://canary:port",
    "://canary",
  };
  for (size_t i = 0; i < COUNT(proxies); i++) {
    argyle_error *error = RUBBISH;
    json_t *options = options_for("http://127.0.0.1:9");
    json_object_set_new(options, "proxy", json_string(proxies[i]));
    assert_null(argyle_client_new(options, &error));
    assert_null(strstr(argyle_error_message(error), "canary"));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "proxy must be");
    json_decref(options);
  }
}

static void no_message_shows_the_proxys_password(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  char url[64], proxy[128];
  closed_port_url(url, sizeof url);
  snprintf(proxy, sizeof proxy, "http://somebody:canary%%2Fword@%s", url + strlen("http://"));
  argyle_client *client = client_by("http://api.example:8080", proxy);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_null(strstr(argyle_error_message(error), "canary"));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, NULL);
  argyle_client_free(client);
  /* Not even where the proxy repeats it. */
  snprintf(proxy, sizeof proxy, "http://somebody:canary%%2Fword@%s",
           hostile_server_url(fixture->server) + strlen("http://"));
  client = client_by("http://api.example:8080", proxy);
  hostile_server_answer_json(fixture->server, 407, "{\"detail\": \"canary/word or canary%2Fword?\"}");
  assert_null(argyle_user_get(client, "u1", &error));
  assert_null(strstr(argyle_error_message(error), "canary"));
  assert_failed(error, ARGYLE_ERROR_HTTP, "redacted");
  argyle_client_free(client);
}

/* libcurl would go on without the proxy. */
static void credentials_that_cannot_be_decoded_are_refused(void **state) {
  (void)state;
  static const char *const proxies[] = {
    "http://user:can%00ary@127.0.0.1:9", "http://user:can%0aary@127.0.0.1:9", "http://us%01er:canary@127.0.0.1:9",
  };
  for (size_t i = 0; i < COUNT(proxies); i++) {
    argyle_error *error = RUBBISH;
    json_t *options = options_for("http://127.0.0.1:9");
    json_object_set_new(options, "proxy", json_string(proxies[i]));
    assert_null(argyle_client_new(options, &error));
    assert_null(strstr(argyle_error_message(error), "ary"));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, "proxy must not contain control characters");
    json_decref(options);
  }
}

static void no_message_shows_the_environments_password(void **state) {
  static const char *const proxies[] = {
    "http://user:canary/x@127.0.0.1:9", "http://user:canary#x@127.0.0.1:9", "http://user:canary?@127.0.0.1:9",
    "http://user:canary x@127.0.0.1:9", "http://user:canary/x",             "ftp://user:canary@127.0.0.1:9",
    "http://user:canary@127.0.0.1:port", "http://user:canary@127.0.0.1:9",  "canary:canary:canary@127.0.0.1:9",
  };
  (void)state;
  for (size_t i = 0; i < COUNT(proxies); i++) {
    set_proxy(proxies[i]);
    argyle_error *error = RUBBISH;
    json_t *options = options_for("http://api.example:8080");
    json_object_set_new(options, "allow_insecure_http", json_true());
    argyle_client *client = client_with_options(options);
    assert_null(argyle_user_get(client, "u1", &error));
    if (strstr(argyle_error_message(error), "canary") != NULL) {
      print_error("%s\n", argyle_error_message(error));
      fail();
    }
    argyle_error_free(error);
    argyle_client_free(client);
  }
}

static void what_the_environment_excepts_is_its_own_proxys(void **state) {
  hostile_fixture *fixture = *state;
  setenv("no_proxy", "*", 1);
  argyle_client *client = client_by("http://api.example:8080", hostile_server_url(fixture->server));
  get_user(fixture, client);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
  unsetenv("no_proxy");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_loopback_address_is_called_without_the_proxy, proxy_on_a_closed_port,
                                    forget_proxy),
    cmocka_unit_test_setup_teardown(localhost_is_called_without_the_proxy, proxy_on_a_closed_port, forget_proxy),
    cmocka_unit_test_setup_teardown(another_host_is_called_by_the_proxy, proxy_on_the_server, forget_proxy),
    cmocka_unit_test_setup_teardown(the_options_proxy_is_used_with_its_credentials, proxy_on_a_closed_port,
                                    forget_proxy),
    cmocka_unit_test_setup_teardown(the_option_may_say_that_there_is_none, proxy_on_the_server, forget_proxy),
    cmocka_unit_test(a_proxy_that_is_none_is_refused_without_being_shown),
    hostile_test(no_message_shows_the_proxys_password),
    cmocka_unit_test(credentials_that_cannot_be_decoded_are_refused),
    cmocka_unit_test_setup_teardown(no_message_shows_the_environments_password, NULL, forget_variables),
    hostile_test(what_the_environment_excepts_is_its_own_proxys),
  };
  return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
