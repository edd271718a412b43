/*
 * https: at least TLS 1.2, even on a machine that allows older versions.
 *
 * A separate program, because OpenSSL reads its configuration once in a process.
 */
#include "queued.h"
#include "tls_server.h"

#include <curl/curl.h>
#include <stdio.h>

/* Required for the oldest versions with OpenSSL 3. */
#define WEAK_CIPHERS "ALL:@SECLEVEL=0"

static int start(void **state, const char *option) {
  *state = tls_server_start_with((tls_options){.name = "IP:127.0.0.1", .option = option, .ciphers = WEAK_CIPHERS});
  return 0;
}

static int server_of_1_0(void **state) {
  return start(state, "-tls1");
}

static int server_of_1_1(void **state) {
  return start(state, "-tls1_1");
}

static int server_of_1_2(void **state) {
  return start(state, "-tls1_2");
}

static int server_of_1_3(void **state) {
  return start(state, "-tls1_3");
}

static int teardown(void **state) {
  tls_server_stop(*state);
  return 0;
}

/* Asserts that a server that must be refused received only the test's own request. */
static int teardown_after_one_request(void **state) {
  int requests = tls_server_stop(*state);
  if (requests != 1) {
    print_error("%d requests have reached the server\n", requests);
  }
  return requests == 1 ? 0 : -1;
}

static argyle_client *https_client(const tls_server *server) {
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d", server->port);
  json_t *options = options_for(url);
  json_object_set_new(options, "ca_file", json_string(server->certificate));
  return client_with_options(options);
}

static void assert_user(argyle_client *client) {
  argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_GET, "u1");
  argyle_error *error = RUBBISH;
  json_t *user = argyle_user_get(client, "u1", &error);
  assert_null(error);
  assert_json(user, "{\"id\": \"u1\"}");
  json_decref(user);
  assert_null(argyle_call_error(call));
  argyle_call_free(call);
}

static size_t ignore(char *bytes, size_t size, size_t count, void *context) {
  (void)bytes;
  (void)context;
  return size * count;
}

/* Makes a request that allows old versions in the same process: neither the server nor OpenSSL refuses them. */
static CURLcode request_with_old_versions(const tls_server *server) {
  char url[64];
  snprintf(url, sizeof url, "https://127.0.0.1:%d/v1/users/u1", server->port);
  CURL *easy = curl_easy_init();
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_CAINFO, server->certificate);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_0);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, ignore);
  CURLcode result = curl_easy_perform(easy);
  curl_easy_cleanup(easy);
  return result;
}

static void assert_refusal(const argyle_error *error) {
  assert_error(error, ARGYLE_ERROR_TLS, "127.0.0.1");
  assert_error(error, ARGYLE_ERROR_TLS, "protocol");
  assert_int_equal(argyle_error_attempts(error), 1);
  assert_int_equal(argyle_error_is_retryable(error), 0);
  assert_int_equal(argyle_error_outcome_is_unknown(error), 0);
}

static void an_old_version_is_refused(void **state) {
  argyle_error *error = RUBBISH;
  argyle_client *client = https_client(*state);
  assert_int_equal(request_with_old_versions(*state), CURLE_OK);
  assert_null(argyle_user_get(client, "u1", &error));
  assert_refusal(error);
  argyle_error_free(error);
  error = RUBBISH;
  assert_null(argyle_user_create(client, NULL, &error));
  assert_refusal(error);
  argyle_error_free(error);
  argyle_call *call = run_in_queue(client, ARGYLE_OPERATION_USER_GET, "u1");
  assert_refusal(argyle_call_error(call));
  argyle_call_free(call);
  argyle_client_free(client);
}

static void a_current_version_is_accepted(void **state) {
  argyle_client *client = https_client(*state);
  assert_user(client);
  argyle_client_free(client);
}

/* Makes OpenSSL allow all versions in this process only. */
static void allow_old_versions(void) {
  static const char settings[] =
    "openssl_conf = all\n"
    "[all]\nssl_conf = ssl\n"
    "[ssl]\nsystem_default = weak\n"
    "[weak]\nMinProtocol = TLSv1\nCipherString = " WEAK_CIPHERS "\n";
  char path[] = "/tmp/argyle-openssl-XXXXXX";
  int file = mkstemp(path);
  FILE *stream = fdopen(file, "w");
  fputs(settings, stream);
  fclose(stream);
  setenv("OPENSSL_CONF", path, 1);
  curl_global_init(CURL_GLOBAL_DEFAULT);
  unsetenv("OPENSSL_CONF");
  remove(path);
}

#define refusing(server, test) {#test " of " #server, test, server, teardown_after_one_request, NULL}
#define taking(server, test) {#test " of " #server, test, server, teardown, NULL}

int main(void) {
  const struct CMUnitTest tests[] = {
    refusing(server_of_1_0, an_old_version_is_refused),
    refusing(server_of_1_1, an_old_version_is_refused),
    taking(server_of_1_2, a_current_version_is_accepted),
    taking(server_of_1_3, a_current_version_is_accepted),
  };
  allow_old_versions();
  return cmocka_run_group_tests_name("tls_versions", tests, NULL, NULL);
}
