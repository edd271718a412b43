/* Proxies: libcurl's environment variables apply, except to loopback hosts. */
#include "hostile_server.h"
#include "user.h"

#include <stdio.h>

#define USER "{\"id\": \"u1\"}"

static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY"};

/* The fixtures set and unset the variables, because they affect the whole process. */
static void set_proxy(const char *url) {
  unsetenv("no_proxy");
  unsetenv("NO_PROXY");
  for (size_t i = 0; i < COUNT(variables); i++) {
    setenv(variables[i], url, 1);
  }
}

static int unset_variables(void **state) {
  (void)state;
  for (size_t i = 0; i < COUNT(variables); i++) {
    unsetenv(variables[i]);
  }
  return 0;
}

static int unset_proxy(void **state) {
  unset_variables(state);
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

static void another_host_is_called_through_the_proxy(void **state) {
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

/* A client with the option "proxy". */
static argyle_client *client_with_proxy(const char *base_url, const char *proxy) {
  json_t *options = options_for(base_url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "proxy", json_string(proxy));
  return client_with_options(options);
}

static void the_proxy_option_is_used_with_its_credentials(void **state) {
  hostile_fixture *fixture = *state;
  char proxy[128];
  snprintf(proxy, sizeof proxy, "http://somebody:pass%%40word@%s",
           hostile_server_url(fixture->server) + strlen("http://"));
  static const char *const hosts[] = {"http://api.example:8080", "http://127.0.0.1:9"};
  for (int i = 0; i < 2; i++) {
    argyle_client *client = client_with_proxy(hosts[i], proxy);
    get_user(fixture, client);
    const hostile_request *request = hostile_server_request(fixture->server, i);
    assert_ptr_equal(strstr(request->target, hosts[i]), request->target);
    /* somebody:pass@word */
    assert_string_equal(hostile_request_header(request, "Proxy-Authorization"), "Basic c29tZWJvZHk6cGFzc0B3b3Jk");
    argyle_client_free(client);
  }
}

static void the_option_can_disable_proxies(void **state) {
  hostile_fixture *fixture = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_proxy("http://api.invalid:8080", "");
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, "api.invalid");
  assert_int_equal(hostile_server_requests(fixture->server), 0);
  argyle_client_free(client);
}

static void an_invalid_proxy_is_refused_but_not_shown(void **state) {
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
  argyle_client *client = client_with_proxy("http://api.example:8080", proxy);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_null(strstr(argyle_error_message(error), "canary"));
  assert_failed(error, ARGYLE_ERROR_CONNECTION, NULL);
  argyle_client_free(client);
  /* Not even if the proxy repeats it. */
  snprintf(proxy, sizeof proxy, "http://somebody:canary%%2Fword@%s",
           hostile_server_url(fixture->server) + strlen("http://"));
  client = client_with_proxy("http://api.example:8080", proxy);
  hostile_server_answer_json(fixture->server, 407, "{\"detail\": \"canary/word or canary%2Fword?\"}");
  assert_null(argyle_user_get(client, "u1", &error));
  assert_null(strstr(argyle_error_message(error), "canary"));
  assert_failed(error, ARGYLE_ERROR_HTTP, "redacted");
  argyle_client_free(client);
}

/* libcurl would continue without the proxy. */
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

static void no_proxy_does_not_apply_to_the_option(void **state) {
  hostile_fixture *fixture = *state;
  setenv("no_proxy", "*", 1);
  argyle_client *client = client_with_proxy("http://api.example:8080", hostile_server_url(fixture->server));
  get_user(fixture, client);
  assert_int_equal(hostile_server_requests(fixture->server), 1);
  argyle_client_free(client);
  unsetenv("no_proxy");
}

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_loopback_address_is_called_without_the_proxy, proxy_on_a_closed_port,
                                    unset_proxy),
    cmocka_unit_test_setup_teardown(localhost_is_called_without_the_proxy, proxy_on_a_closed_port, unset_proxy),
    cmocka_unit_test_setup_teardown(another_host_is_called_through_the_proxy, proxy_on_the_server, unset_proxy),
    cmocka_unit_test_setup_teardown(the_proxy_option_is_used_with_its_credentials, proxy_on_a_closed_port,
                                    unset_proxy),
    cmocka_unit_test_setup_teardown(the_option_can_disable_proxies, proxy_on_the_server, unset_proxy),
    cmocka_unit_test(an_invalid_proxy_is_refused_but_not_shown),
    hostile_test(no_message_shows_the_proxys_password),
    cmocka_unit_test(credentials_that_cannot_be_decoded_are_refused),
    cmocka_unit_test_setup_teardown(no_message_shows_the_environments_password, NULL, unset_variables),
    hostile_test(no_proxy_does_not_apply_to_the_option),
  };
  return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
