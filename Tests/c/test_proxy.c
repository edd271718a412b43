/* libcurl's proxy rule: its environment variables count, but never for a loopback host. */
#include "hostile_server.h"

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

static int forget_proxy(void **state) {
  for (size_t i = 0; i < COUNT(variables); i++) {
    unsetenv(variables[i]);
  }
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
  argyle_error *error = RUBBISH;
  hostile_server_answer_json(fixture->server, 200, USER);
  json_t *user = argyle_user_get(client, "u1", &error);
  if (error != NULL) {
    print_error("%s\n", argyle_error_message(error));
  }
  assert_null(error);
  assert_json(user, USER);
  json_decref(user);
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

int main(void) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_loopback_address_is_called_without_the_proxy, proxy_on_a_closed_port,
                                    forget_proxy),
    cmocka_unit_test_setup_teardown(localhost_is_called_without_the_proxy, proxy_on_a_closed_port, forget_proxy),
    cmocka_unit_test_setup_teardown(another_host_is_called_by_the_proxy, proxy_on_the_server, forget_proxy),
  };
  return cmocka_run_group_tests_name("proxy", tests, NULL, NULL);
}
