/* https: the certificate and its host name are always checked. */
#include "queued.h"
#include "tls_server.h"
#include "user.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "{\"id\": \"u1\"}"

static int setup_with_name(void **state, const char *name) {
  *state = tls_server_start(name);
  return 0;
}

static int server_of_this_host(void **state) {
  return setup_with_name(state, "IP:127.0.0.1,DNS:localhost");
}

static int server_of_another_host(void **state) {
  return setup_with_name(state, "DNS:argyle.example");
}

static int teardown(void **state) {
  tls_server_stop(*state);
  return 0;
}

/* Asserts that a server that must be refused received no request. */
static int teardown_without_requests(void **state) {
  int requests = tls_server_stop(*state);
  if (requests > 0) {
    print_error("%d requests have reached the server\n", requests);
  }
  return requests == 0 ? 0 : -1;
}

/* An https client for a host name; ca_file may be NULL. */
static argyle_client *https_client(const tls_server *server, const char *host, const char *ca_file) {
  char url[64];
  snprintf(url, sizeof url, "https://%s:%d", host, server->port);
  json_t *options = options_for(url);
  if (ca_file != NULL) {
    json_object_set_new(options, "ca_file", json_string(ca_file));
  }
  return client_with_options(options);
}

/* Asserts that an error names the host and the reason, and is not retryable. */
static void assert_refusal(const argyle_error *error, const char *host, const char *reason) {
  assert_error(error, ARGYLE_ERROR_TLS, host);
  assert_error(error, ARGYLE_ERROR_TLS, reason);
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_http_status(error), 0);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
}

/* Asserts that both forms of a call refuse the server, including calls that create something. */
static void assert_refused(argyle_client *client, const char *host, const char *reason) {
  static const int operations[] = {ARGYLE_OPERATION_USER_GET, ARGYLE_OPERATION_USER_CREATE};
  argyle_error *error = RUBBISH;
  assert_null(argyle_user_get(client, "u1", &error));
  assert_refusal(error, host, reason);
  argyle_error_free(error);
  error = RUBBISH;
  assert_null(argyle_user_create(client, NULL, &error));
  assert_refusal(error, host, reason);
  argyle_error_free(error);
  for (size_t i = 0; i < COUNT(operations); i++) {
    argyle_call *call =
      run_in_queue(client, operations[i], operations[i] == ARGYLE_OPERATION_USER_CREATE ? NULL : "u1");
    assert_refusal(argyle_call_error(call), host, reason);
    argyle_call_free(call);
  }
}

static void a_certificate_of_ca_file_is_trusted(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "127.0.0.1", server->certificate);
  assert_user(client, USER);
  argyle_client_free(client);
}

static void a_host_name_in_the_certificate_is_trusted(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "localhost", server->certificate);
  assert_user(client, USER);
  argyle_client_free(client);
}

static void a_self_signed_certificate_is_refused(void **state) {
  argyle_client *client = https_client(*state, "127.0.0.1", NULL);
  assert_refused(client, "127.0.0.1", "self-signed certificate");
  argyle_client_free(client);
}

static void a_ca_file_without_certificates_trusts_no_server(void **state) {
  tls_server *server = *state;
  char path[128];
  snprintf(path, sizeof path, "%s/key.pem", server->folder);
  argyle_client *client = https_client(server, "127.0.0.1", path);
  assert_refused(client, "127.0.0.1", "certificate file");
  argyle_client_free(client);
}

/* Opening a FIFO without a writer would block forever. */
static void a_file_that_became_a_fifo_is_not_opened(void **state) {
  static const char *const names[] = {"ca_file", "client_certificate_file", "client_key_file"};
  tls_server *server = *state;
  char url[64], path[128], rule[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", server->port);
  snprintf(path, sizeof path, "%s/link", server->folder);
  for (size_t i = 0; i < COUNT(names); i++) {
    json_t *options = json_pack("{s:s, s:s, s:s}", "ca_file", server->certificate, "client_certificate_file",
                                server->certificate, "client_key_file", server->key);
    const char *file = json_string_value(json_object_get(options, names[i]));
    assert_int_equal(link(file, path), 0);
    json_object_set_new(options, names[i], json_string(path));
    json_t *others = options_for(url);
    json_object_update_missing(options, others);
    json_decref(others);
    argyle_client *client = client_with_options(options);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(rule, sizeof rule, "%s must be a regular file", names[i]);
    alarm(120);
    assert_refused(client, "127.0.0.1", rule);
    alarm(0);
    unlink(path);
    argyle_client_free(client);
  }
}

static void allow_insecure_http_does_not_loosen_https(void **state) {
  tls_server *server = *state;
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", server->port);
  json_t *options = options_for(url);
  json_object_set_new(options, "allow_insecure_http", json_true());
  argyle_client *client = client_with_options(options);
  assert_refused(client, "127.0.0.1", "self-signed certificate");
  argyle_client_free(client);
}

static void a_copy_with_a_ca_file_trusts_it_and_the_original_does_not(void **state) {
  tls_server *server = *state;
  argyle_error *error = RUBBISH;
  argyle_client *first = https_client(server, "127.0.0.1", NULL);
  json_t *overrides = json_pack("{s:s}", "ca_file", server->certificate);
  argyle_client *copy = argyle_client_with(first, overrides, &error);
  assert_null(error);
  assert_user(copy, USER);
  assert_refused(first, "127.0.0.1", "self-signed certificate");
  argyle_client_free(copy);
  argyle_client_free(first);
  json_decref(overrides);
}

static void a_certificate_for_another_host_is_refused(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "127.0.0.1", server->certificate);
  assert_refused(client, "127.0.0.1", "match");
  argyle_client_free(client);
  client = https_client(server, "localhost", server->certificate);
  assert_refused(client, "localhost", "match");
  argyle_client_free(client);
}

/* ---------------------------------------------------------------- Certificate authorities */

static int server_with_authority(void **state) {
  *state = tls_server_start_with((tls_options){.name = "IP:127.0.0.1", .has_authority = true});
  return 0;
}

static int server_of_the_past(void **state) {
  *state = tls_server_start_with((tls_options){
    .name = "IP:127.0.0.1", .has_authority = true, .from = "20200101000000Z", .until = "20200201000000Z"});
  return 0;
}

static int server_of_the_future(void **state) {
  *state = tls_server_start_with((tls_options){
    .name = "IP:127.0.0.1", .has_authority = true, .from = "20900101000000Z", .until = "20900201000000Z"});
  return 0;
}

static void a_certificate_signed_by_the_authority_is_trusted(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "127.0.0.1", server->authority);
  assert_user(client, USER);
  argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_GET, "u1");
  assert_null(argyle_call_error(call));
  argyle_call_free(call);
  argyle_client_free(client);
}

/* Belongs to the group, so that it is stopped even if a test fails. */
static tls_server *other;

static int start_other(void **state) {
  (void)state;
  other = tls_server_start_with((tls_options){.name = "IP:127.0.0.1", .has_authority = true});
  return 0;
}

static int stop_other(void **state) {
  (void)state;
  return tls_server_stop(other) == 0 ? 0 : -1;
}

static void a_certificate_of_another_authority_is_refused(void **state) {
  argyle_client *client = https_client(*state, "127.0.0.1", other->authority);
  assert_refused(client, "127.0.0.1", "issuer certificate");
  argyle_client_free(client);
}

static void a_certificate_that_has_expired_is_refused(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "127.0.0.1", server->authority);
  assert_refused(client, "127.0.0.1", "certificate has expired");
  argyle_client_free(client);
}

static void a_certificate_that_is_not_valid_yet_is_refused(void **state) {
  tls_server *server = *state;
  argyle_client *client = https_client(server, "127.0.0.1", server->authority);
  assert_refused(client, "127.0.0.1", "certificate is not yet valid");
  argyle_client_free(client);
}


/* ---------------------------------------------------------------- Client certificates */

static int mutual_server(void **state) {
  *state = tls_server_start_mutual("IP:127.0.0.1");
  return 0;
}

/* A client with a client certificate; NULL omits an option. */
static argyle_client *mutual_client(const tls_server *server, const char *certificate, const char *key,
                                    const char *password) {
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", server->port);
  json_t *options = options_for(url);
  json_object_set_new(options, "ca_file", json_string(server->certificate));
  if (certificate != NULL) json_object_set_new(options, "client_certificate_file", json_string(certificate));
  if (key != NULL) json_object_set_new(options, "client_key_file", json_string(key));
  if (password != NULL) json_object_set_new(options, "client_key_password", json_string(password));
  return client_with_options(options);
}

static void a_server_that_requires_a_certificate_gets_it(void **state) {
  tls_server *server = *state;
  argyle_client *client = mutual_client(server, server->certificate, server->key, NULL);
  assert_user(client, USER);
  argyle_client_free(client);
  client = mutual_client(server, server->certificate, server->locked_key, TLS_PASSWORD);
  assert_user(client, USER);
  argyle_client_free(client);
}

static void without_a_certificate_such_a_server_refuses(void **state) {
  tls_server *server = *state;
  argyle_error *error = RUBBISH;
  argyle_client *client = mutual_client(server, NULL, NULL, NULL);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_failed(error, argyle_error_code(error) == ARGYLE_ERROR_TLS ? ARGYLE_ERROR_TLS : ARGYLE_ERROR_CONNECTION, NULL);
  argyle_client_free(client);
}

static void a_key_that_cannot_be_read_is_an_error_without_its_password(void **state) {
  static const char *const passwords[] = {NULL, "", TLS_PASSWORD "x"};
  tls_server *server = *state;
  for (size_t i = 0; i < COUNT(passwords); i++) {
    argyle_error *error = RUBBISH;
    argyle_client *client = mutual_client(server, server->certificate, server->locked_key, passwords[i]);
    assert_null(argyle_user_get(client, "u1", &error));
    assert_null(strstr(argyle_error_message(error), TLS_PASSWORD));
    assert_failed(error, ARGYLE_ERROR_TLS, NULL);
    argyle_client_free(client);
  }
}

#define trusting(server, test) cmocka_unit_test_setup_teardown(test, server, teardown)
#define refusing(server, test) cmocka_unit_test_setup_teardown(test, server, teardown_without_requests)

int main(void) {
  const struct CMUnitTest tests[] = {
    trusting(server_of_this_host, a_certificate_of_ca_file_is_trusted),
    trusting(server_of_this_host, a_host_name_in_the_certificate_is_trusted),
    refusing(server_of_this_host, a_self_signed_certificate_is_refused),
    refusing(server_of_this_host, a_ca_file_without_certificates_trusts_no_server),
    refusing(server_of_this_host, a_file_that_became_a_fifo_is_not_opened),
    refusing(server_of_this_host, allow_insecure_http_does_not_loosen_https),
    trusting(server_of_this_host, a_copy_with_a_ca_file_trusts_it_and_the_original_does_not),
    refusing(server_of_another_host, a_certificate_for_another_host_is_refused),
    trusting(server_with_authority, a_certificate_signed_by_the_authority_is_trusted),
    refusing(server_with_authority, a_certificate_of_another_authority_is_refused),
    refusing(server_of_the_past, a_certificate_that_has_expired_is_refused),
    refusing(server_of_the_future, a_certificate_that_is_not_valid_yet_is_refused),
    trusting(mutual_server, a_server_that_requires_a_certificate_gets_it),
    refusing(mutual_server, without_a_certificate_such_a_server_refuses),
    refusing(mutual_server, a_key_that_cannot_be_read_is_an_error_without_its_password),
  };
  return cmocka_run_group_tests_name("tls", tests, start_other, stop_other);
}
