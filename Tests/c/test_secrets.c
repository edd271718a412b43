/* The key is wiped from memory, and no string that the library returns contains a secret. */
#include "hostile_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---------------------------------------------------------------- Memory */

/* The secret is stored XORed with this mask, or the search would find itself. */
#define MASK 0x5a
#define SECRET_LENGTH 40

/* The masked secret, of which the process has no other copy. */
static unsigned char hidden[SECRET_LENGTH];

static void make_secret(void) {
  int source = open("/dev/urandom", O_RDONLY);
  assert_int_equal(read(source, hidden, sizeof(hidden)), sizeof(hidden));
  close(source);
  for (size_t i = 0; i < sizeof(hidden); i++) {
    hidden[i] = (unsigned char)('a' + hidden[i] % 26) ^ MASK;
  }
}

/* The masked digits of base64("id:" secret) that encode only the secret. */
static void base64_of_secret(unsigned char *text) {
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i + 3 <= SECRET_LENGTH; i += 3) {
    unsigned bits = (unsigned)(hidden[i] ^ MASK) << 16 | (unsigned)(hidden[i + 1] ^ MASK) << 8 |
                    (unsigned)(hidden[i + 2] ^ MASK);
    for (int digit = 0; digit < 4; digit++) {
      text[i / 3 * 4 + (size_t)digit] = (unsigned char)alphabet[bits >> (18 - 6 * digit) & 63] ^ MASK;
    }
  }
}

static unsigned char window[1 << 16];

/* Counts occurrences of a masked text in a range of the process's memory. */
static int count_in_range(int memory, uintptr_t start, uintptr_t end, const unsigned char *masked, size_t length) {
  int count = 0;
  uintptr_t own = (uintptr_t)window;
  for (uintptr_t at = start; at < end; at += sizeof(window) - length) {
    size_t size = end - at < sizeof(window) ? end - at : sizeof(window);
    if (at < own + sizeof(window) && own < at + size) {
      continue;
    }
    ssize_t got = pread(memory, window, size, (off_t)at);
    for (ssize_t i = 0; i + (ssize_t)length <= got; i++) {
      size_t same = 0;
      while (same < length && (window[i + (ssize_t)same] ^ MASK) == masked[same]) {
        same++;
      }
      count += same == length;
    }
    memset(window, 0, sizeof(window));
  }
  return count;
}

/* The same for all writable memory. */
static int count_in_memory(const unsigned char *masked, size_t length) {
  int count = 0;
  int memory = open("/proc/self/mem", O_RDONLY);
  FILE *maps = fopen("/proc/self/maps", "r");
  assert_true(memory >= 0);
  assert_non_null(maps);
  char line[512];
  while (fgets(line, sizeof(line), maps) != NULL) {
    unsigned long start, end;
    char rights[5];
    /* AddressSanitizer's shadow has terabytes; valgrind's heap is executable. */
    if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && strncmp(rights, "rw", 2) == 0 &&
        end - start < 1UL << 30) {
      count += count_in_range(memory, start, end, masked, length);
    }
  }
  fclose(maps);
  close(memory);
  return count;
}

static int secrets_in_memory(void) {
  return count_in_memory(hidden, SECRET_LENGTH);
}

static int encoded_secrets_in_memory(void) {
  unsigned char masked[SECRET_LENGTH / 3 * 4];
  base64_of_secret(masked);
  return count_in_memory(masked, sizeof(masked));
}

/* Writes the secret in plain text; the caller wipes it. */
static void reveal(char text[SECRET_LENGTH + 1]) {
  for (size_t i = 0; i < SECRET_LENGTH; i++) {
    text[i] = (char)(hidden[i] ^ MASK);
  }
  text[SECRET_LENGTH] = '\0';
}

/* Creates a client with the secret, which keeps the only copy. */
static argyle_client *client_with_secret(const char *url) {
  char text[SECRET_LENGTH + 1];
  reveal(text);
  json_t *options = options_for(url);
  json_object_set_new(options, "key_id", json_string("id"));
  json_object_set_new(options, "key_secret", json_string(text));
  explicit_bzero(text, sizeof(text));
  argyle_error *error = RUBBISH;
  argyle_client *client = argyle_client_new(options, &error);
  assert_null(error);
  explicit_bzero((char *)json_string_value(json_object_get(options, "key_secret")), SECRET_LENGTH);
  json_decref(options);
  return client;
}

static void the_key_is_wiped_with_its_client(void **state) {
  (void)state;
  argyle_client *client = client_with_secret("http://127.0.0.1:1");
  assert_true(secrets_in_memory() > 0);
  assert_true(encoded_secrets_in_memory() > 0);
  argyle_client_free(client);
  assert_int_equal(secrets_in_memory(), 0);
  assert_int_equal(encoded_secrets_in_memory(), 0);
}

/* The allocator overwrites the beginning of freed memory, so each half of the secret is searched for. */
static int halves_in_memory(void) {
  return count_in_memory(hidden, SECRET_LENGTH / 2) +
         count_in_memory(hidden + SECRET_LENGTH / 2, SECRET_LENGTH / 2);
}

static void a_key_given_as_text_is_wiped(void **state) {
  (void)state;
  static const char *const forms[] = {
    "{\"key_id\": \"id\", \"key_secret\": \"%s\", \"base_url\": \"http://127.0.0.1:1\"}",
    ("{\"key_secret\": \"%s\", \"client_key_password\": \"%s\", \"key_id\": \"id\", \"base_url\": "
     "\"http://127.0.0.1:1\", \"client_certificate_file\": \"/none\"}"),
    "{\"key_id\": \"id\", \"base_url\": \"http://127.0.0.1:1\", \"key_secret\": \"\\u00fc\\/%s\\u00fc\"}",
    "{\"key_id\": \"id\", \"unknown\": 1, \"key_secret\": \"%s\"}",
    "{\"key_id\": \"id\", \"key_secret\": \"%s\"",
  };
  assert_int_equal(halves_in_memory(), 0);
  for (size_t i = 0; i < COUNT(forms); i++) {
    char secret[SECRET_LENGTH + 1], text[512];
    reveal(secret);
    int size = snprintf(text, sizeof(text), forms[i], secret, secret);
    argyle_client *client = argyle_client_new_text(text, (size_t)size, NULL);
    assert_int_equal(client != NULL, i == 0 || i == 2);
    if (client != NULL) {
      argyle_client *other = argyle_client_with_text(client, text, (size_t)size, NULL);
      assert_non_null(other);
      argyle_client_free(other);
      assert_true(halves_in_memory() > 0);
    }
    explicit_bzero(secret, sizeof(secret));
    explicit_bzero(text, sizeof(text));
    argyle_client_free(client);
    int left = halves_in_memory();
    if (left != 0) {
      print_error("%s: %d halves are left\n", forms[i], left);
    }
    assert_int_equal(left, 0);
  }
}

/* Forks a server that answers each request; its memory is not searched. */
static pid_t start_server(int *listener, char url[64]) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof(address);
  *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(*listener, (struct sockaddr *)&address, sizeof(address)), 0);
  assert_int_equal(listen(*listener, 4), 0);
  assert_int_equal(getsockname(*listener, (struct sockaddr *)&address, &size), 0);
  snprintf(url, 64, "http://127.0.0.1:%d", ntohs(address.sin_port));
  pid_t server = fork();
  if (server == 0) {
    /* End with a test that fails. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 12\r\nConnection: close\r\n\r\n{\"id\": \"u1\"}";
    for (;;) {
      int connection = accept(*listener, NULL, NULL);
      char request[8192];
      if (connection < 0 || read(connection, request, sizeof(request)) <= 0 ||
          write(connection, answer, sizeof(answer) - 1) < 0) {
        _exit(1);
      }
      close(connection);
    }
  }
  return server;
}

/* Does not search for the encoded key: the library cannot wipe libcurl's request buffer. */
static void the_key_is_wiped_after_requests(void **state) {
  (void)state;
  int listener;
  char url[64];
  pid_t server = start_server(&listener, url);
  argyle_client *client = client_with_secret(url);
  argyle_error *error = RUBBISH;
  json_t *nothing = json_object();
  for (int i = 0; i < 3; i++) {
    json_t *user = i == 1 ? argyle_user_update(client, "u1", nothing, &error) : argyle_user_get(client, "u1", &error);
    assert_null(error);
    json_decref(user);
  }
  argyle_client *other = argyle_client_with(client, nothing, &error);
  assert_non_null(other);
  json_decref(nothing);
  argyle_client_free(other);
  argyle_client_free(client);
  assert_int_equal(secrets_in_memory(), 0);
  kill(server, SIGKILL);
  waitpid(server, NULL, 0);
  close(listener);
}

/* ---------------------------------------------------------------- Strings */

#define TOKEN "eyJhbGciOiJub25lIn0.eyJjYW5hcnkiOjF9.canary-signature"
#define PERSON "canary-person-77"
#define PROXY_PASSWORD "canary-proxy-password"
#define KEY_PASSWORD "canary-key-password"

/* Every secret that a test passes to the library, in each of its forms. */
static const char *const secrets[] = {
    KEY_SECRET, &KEY_BASIC[sizeof("Basic ") - 1], TOKEN, PROXY_PASSWORD, "canary-signature", KEY_PASSWORD,
};

static void assert_contains_none(const char *text, const char *const *canaries, size_t count, const char *what) {
  for (size_t i = 0; text != NULL && i < count; i++) {
    if (strstr(text, canaries[i]) != NULL) {
      print_error("%s: \"%s\" is in \"%s\"\n", what, canaries[i], text);
      fail();
    }
  }
}

/* Checks all of an error but the body, which the server sent. */
static void assert_error_is_clean(const argyle_error *error, const char *what) {
  assert_contains_none(argyle_error_message(error), secrets, COUNT(secrets), what);
  assert_contains_none(argyle_error_trace_id(error), secrets, COUNT(secrets), what);
  assert_contains_none(argyle_error_name(error), secrets, COUNT(secrets), what);
}

/* The texts of all log records. */
typedef struct {
  int records;
  char *texts[64];
} journal;

static void note(int level, const char *message, const json_t *fields, void *context) {
  (void)level;
  journal *journal = context;
  char *dump = json_dumps(fields, 0);
  if (journal->records < (int)COUNT(journal->texts)) {
    size_t size = strlen(message) + strlen(dump) + 2;
    char *text = malloc(size);
    snprintf(text, size, "%s %s", message, dump);
    journal->texts[journal->records++] = text;
  }
  free(dump);
}

static void assert_journal_is_clean(journal *journal, const char *what) {
  assert_true(journal->records > 0);
  for (int i = 0; i < journal->records; i++) {
    assert_contains_none(journal->texts[i], secrets, COUNT(secrets), what);
    assert_contains_none(journal->texts[i], (const char *const[]){PERSON}, 1, what);
    free(journal->texts[i]);
  }
  journal->records = 0;
}

/* Answers in which a server may repeat what it received; each %s is a secret. */
static const char *const echoes[] = {
    "HTTP/1.1 500 %s\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 404 Not Found\r\nX-Trace-Id: %s\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: 1\r\n\r\n?",
    "HTTP/1.1 400 Bad Request\r\n\r\n{\"detail\": \"no, not %s\"}",
    "HTTP/1.1 400 Bad Request\r\n\r\n{\"%s\": [\"is wrong\"]}",
    "HTTP/1.1 422 Unprocessable Entity\r\n\r\n{\"key\": [\"is %s\"]}",
    "HTTP/1.1 401 Unauthorized\r\n\r\n{\"detail\": \"%s%s\"}",
    "HTTP/1.1 200 OK\r\n\r\n{\"id\": %s}",
    "HTTP/1.1 200 OK\r\n\r\n%s",
    "HTTP/1.1 200 OK\r\n\r\n{\"%s\": 1e999}",
    "HTTP/1.1 200 OK\r\n\r\n{\"results\": [], \"next\": \"%s\"}",
    "HTTP/1.1 302 Found\r\nLocation: http://u:%s@127.0.0.1/\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: 1\r\n\r\n?",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n?",
    "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n?",
    "HTTP/1.1 %s OK\r\n\r\n",
    "HTTP/%s 200 OK\r\n\r\n",
    "HTTP/1.1 200 OK\r\n%s\r\n\r\n",
    "%s\r\n\r\n",
};

/* Each field that version 2 knows, and one that it does not, with personal data. */
#define FIELDS                                                                                                       \
  "{\"external_id\": \"" PERSON "\", \"first_name\": \"" PERSON "\", \"last_name\": \"" PERSON "\", "                \
  "\"email\": \"" PERSON "@example.com\", \"phone_number\": \"" PERSON "\", \"ssn\": \"" PERSON "\", "               \
  "\"address\": {\"city\": \"" PERSON "\", \"line1\": \"" PERSON "\", \"postal_code\": \"" PERSON "\"}, "          \
  "\"birth_date\": {\"year\": \"" PERSON "\"}, \"external_metadata\": {\"name\": \"" PERSON "\"}, "                \
  "\"open_banking\": {\"end_user\": {\"name\": \"" PERSON "\"}}, \"unknown\": \"" PERSON "\"}"

static const struct {
  int version, operation;
  const char *user_id, *document;
} operations[] = {
    {1, ARGYLE_OPERATION_USER_CREATE, NULL, "{\"name\": \"" PERSON "\"}"},
    {1, ARGYLE_OPERATION_USER_GET, "u1", NULL},
    {1, ARGYLE_OPERATION_USER_UPDATE, "u1", "{\"name\": \"" PERSON "\"}"},
    {1, ARGYLE_OPERATION_USER_LIST, NULL, NULL},
    {1, ARGYLE_OPERATION_USER_DELETE, "u1", NULL},
    {1, ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", NULL},
    {2, ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, FIELDS},
    {2, ARGYLE_OPERATION_USER_GET, "u1", NULL},
    {2, ARGYLE_OPERATION_USER_UPDATE_WITH_FIELDS, "u1", FIELDS},
    {2, ARGYLE_OPERATION_USER_LIST, NULL, "{\"external_id\": \"" PERSON "\", \"cursor\": \"" PERSON "\"}"},
    {2, ARGYLE_OPERATION_USER_TOKEN_CREATE, "u1", NULL},
};

/* A client of a version of the API with a log, which uses the hostile server as its proxy. */
static argyle_client *client_with_journal(const hostile_server *server, int version, journal *journal) {
  char proxy[128];
  snprintf(proxy, sizeof(proxy), "http://u:" PROXY_PASSWORD "@127.0.0.1:%d", hostile_server_port(server));
  json_t *options = options_for("http://api.example");
  json_object_set_new(options, "allow_insecure_http", json_true());
  json_object_set_new(options, "api_version", json_integer(version));
  json_object_set_new(options, "proxy", json_string(proxy));
  argyle_client *plain = client_with_options(options);
  argyle_error *error = RUBBISH;
  argyle_client *client = argyle_client_with_log(plain, note, journal, &error);
  assert_non_null(client);
  argyle_client_free(plain);
  return client;
}

/* Runs an operation and reads its response; returns the error, or NULL. */
static argyle_error *run_operation(argyle_client *const clients[2], size_t i) {
  argyle_error *error = RUBBISH;
  const char *document = operations[i].document;
  argyle_call *call = argyle_call_new_text(clients[operations[i].version - 1], operations[i].operation,
                                           operations[i].user_id, document, document != NULL ? strlen(document) : 0,
                                           &error);
  assert_non_null(call);
  if (argyle_call_run(call, &error) == 0) {
    json_decref(argyle_call_json(call, &error));
  }
  argyle_call_free(call);
  return error;
}

static void no_answer_reveals_a_secret(void **state) {
  (void)state;
  journal journal = {0};
  int failures = 0;
  for (size_t echo = 0; echo < COUNT(echoes); echo++) {
    /* A new server, because one records a limited number of requests. */
    hostile_server *server = hostile_server_start();
    argyle_client *clients[] = {
        client_with_journal(server, 1, &journal),
        client_with_journal(server, 2, &journal),
    };
    for (size_t secret = 0; secret < 4; secret++) {
      char bytes[1024];
      snprintf(bytes, sizeof(bytes), echoes[echo], secrets[secret], secrets[secret]);
      /* Each operation with each echo, and with every other secret: all take long under valgrind. */
      for (size_t i = (echo + secret) % 2; i < COUNT(operations); i += 2) {
        hostile_server_answer(server, (hostile_answer){.bytes = bytes, .then = HOSTILE_CLOSE});
        argyle_error *error = run_operation(clients, i);
        if (error != NULL) {
          failures++;
          assert_error_is_clean(error, bytes);
          assert_contains_none(argyle_error_message(error), (const char *const[]){PERSON}, 1, bytes);
        }
        argyle_error_free(error);
        assert_journal_is_clean(&journal, bytes);
      }
    }
    argyle_client_free(clients[0]);
    argyle_client_free(clients[1]);
    hostile_server_stop(server);
  }
  assert_true(failures > (int)(COUNT(echoes) * 4 * COUNT(operations) / 4));
}

/* Nor does the error about a response that cannot be read. */
static void no_unreadable_response_is_shown(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const responses[] = {
      FIELDS,
      "[" FIELDS "]",
      "\"" PERSON "\"",
      FIELDS "}",
      "{\"id\": \"\", \"user_token\": 1, \"token\": 1, \"access\": {}, \"name\": \"" PERSON "\"}",
      "{\"id\": \"" PERSON "\"}",
      "{\"id\": [\"" PERSON "\"], \"results\": {\"ssn\": \"" PERSON "\"}}",
      "{\"results\": [" FIELDS "]}",
      "{\"results\": [\"" PERSON "\"]}",
      "{\"results\": [], \"next\": {\"" PERSON "\": \"" PERSON "\"}}",
      "{\"results\": [], \"next\": \"" PERSON " \"}",
      "{\"results\": [], \"next\": \"?" PERSON "\"}",
  };
  journal journal = {0};
  argyle_client *clients[] = {
      client_with_journal(fixture->server, 1, &journal),
      client_with_journal(fixture->server, 2, &journal),
  };
  int failures = 0;
  for (size_t response = 0; response < COUNT(responses); response++) {
    hostile_server_answer_json(fixture->server, 200, responses[response]);
    for (size_t i = 0; i < COUNT(operations); i++) {
      argyle_error *error = run_operation(clients, i);
      failures += error != NULL;
      assert_contains_none(argyle_error_message(error), (const char *const[]){PERSON}, 1, responses[response]);
      argyle_error_free(error);
      assert_journal_is_clean(&journal, responses[response]);
    }
  }
  assert_true(failures > (int)(COUNT(responses) * COUNT(operations) / 2));
  argyle_client_free(clients[0]);
  argyle_client_free(clients[1]);
}

/* Even if the service repeats what was sent; only the id of a user may be repeated. */
static void no_value_that_was_sent_is_repeated(void **state) {
  hostile_fixture *fixture = *state;
  static const char *const responses[] = {
      "{\"detail\": \"" PERSON " is wrong\"}",
      "{\"email\": [\"'" PERSON "@example.com' and " PERSON " are wrong\"]}",
      "{\"address\": {\"city\": [\"" PERSON "\"]}}",
  };
  journal journal = {0};
  argyle_client *clients[] = {
      client_with_journal(fixture->server, 1, &journal),
      client_with_journal(fixture->server, 2, &journal),
  };
  for (size_t response = 0; response < COUNT(responses); response++) {
    hostile_server_answer_json(fixture->server, 400, responses[response]);
    for (size_t i = 0; i < COUNT(operations); i++) {
      argyle_error *error = run_operation(clients, i);
      const char *message = argyle_error_message(error);
      int has_body = operations[i].document != NULL && operations[i].operation != ARGYLE_OPERATION_USER_LIST;
      assert_int_equal(strstr(message, PERSON) == NULL, has_body);
      assert_int_equal(strstr(message, "[redacted]") != NULL, has_body);
      if (response == 1) {
        assert_non_null(strstr(message, has_body ? "email: '[redacted]" : "email: '" PERSON));
        assert_non_null(strstr(message, "are wrong"));
      }
      argyle_error_free(error);
      for (int record = 0; record < journal.records; record++) {
        free(journal.texts[record]);
      }
      journal.records = 0;
    }
  }
  /* Short texts are not looked for: they occur in any message. */
  argyle_error *error = RUBBISH;
  json_t *fields = json_of("{\"first_name\": \"is\", \"last_name\": \"\", \"ssn\": \"wro\", \"x\": [{\"y\": \"long\"}]}");
  hostile_server_answer_json(fixture->server, 400, "{\"detail\": \"this is wrong, so long\"}");
  assert_null(argyle_user_create_with_fields(clients[1], fields, &error));
  assert_failed(error, ARGYLE_ERROR_INVALID_REQUEST, "status 400: this is wrong, so [redacted]");
  json_decref(fields);
  /* A body that jansson cannot read may contain anything. */
  static const char unreadable[] = "{\"ssn\": \"" PERSON "\", \"x\": 1e999}";
  hostile_server_answer_json(fixture->server, 400, "{\"detail\": \"" PERSON "\"}");
  argyle_call *call = argyle_call_new_text(clients[1], ARGYLE_OPERATION_USER_CREATE_WITH_FIELDS, NULL, unreadable,
                                           strlen(unreadable), &error);
  assert_int_equal(argyle_call_run(call, &error), -1);
  assert_non_null(strstr(argyle_error_message(error), "status 400"));
  assert_null(strstr(argyle_error_message(error), PERSON));
  argyle_error_free(error);
  argyle_call_free(call);
  argyle_client_free(clients[0]);
  argyle_client_free(clients[1]);
  for (int record = 0; record < journal.records; record++) {
    free(journal.texts[record]);
  }
}

static void no_link_reveals_a_secret(void **state) {
  hostile_fixture *fixture = *state;
  journal journal = {0};
  argyle_client *client = client_with_journal(fixture->server, 1, &journal);
  static const char *const links[] = {"%s", "?%s", "http://u:%s@elsewhere/?", "?a b%s", "?\\u0000%s"};
  for (size_t link = 0; link < COUNT(links); link++) {
    for (size_t secret = 0; secret < 4; secret++) {
      char text[512], page[1024];
      snprintf(text, sizeof(text), links[link], secrets[secret]);
      snprintf(page, sizeof(page), "{\"results\": [], \"next\": \"%s\"}", text);
      hostile_server_answer_json(fixture->server, 200, page);
      hostile_server_answer_json(fixture->server, 404, page);
      argyle_error *error = NULL;
      argyle_user_cursor *cursor = argyle_user_cursor_new(client, NULL, &error);
      json_decref(argyle_user_cursor_next(cursor, &error));
      assert_non_null(error);
      assert_error_is_clean(error, page);
      argyle_error_free(error);
      argyle_user_cursor_free(cursor);
      assert_journal_is_clean(&journal, page);
    }
  }
  argyle_client_free(client);
}

/* Not even if a program passes the key or a token as a user id. */
static void no_path_shows_the_key(void **state) {
  hostile_fixture *fixture = *state;
  journal journal = {0};
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_journal(fixture->server, 1, &journal);
  hostile_server_answer_json(fixture->server, 401, "{}");
  static const char *const ids[] = {KEY_SECRET, TOKEN};
  for (size_t i = 0; i < COUNT(ids); i++) {
    assert_null(argyle_user_get(client, ids[i], &error));
    assert_error_is_clean(error, "path");
    assert_failed(error, ARGYLE_ERROR_AUTHENTICATION, "GET /v1/users/[redacted] at ");
    assert_journal_is_clean(&journal, "path");
  }
  argyle_client_free(client);
}

/* A secret of one digit also occurs in the library's own numbers, which are not redacted. */
static void a_short_secret_is_not_redacted_from_the_librarys_own_words(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    int status;
    const char *headers, *body, *message;
  } answers[] = {
      {401, "", "{\"detail\": \"1 is no key\"}", "status 401: [redacted] is no key"},
      {200, "Content-Type: text/1\r\n", "?1", "the response cannot be parsed as JSON (text/[redacted])"},
      {200, "", "{\"id\": \"1\"}", "the \"id\" in the response is another user's"},
      {200, "", "[11111111111]", "the response is larger than max_response_bytes (11)"},
  };
  argyle_error *error = RUBBISH;
  json_t *options = options_for(hostile_server_url(fixture->server));
  json_object_set_new(options, "key_secret", json_string("1"));
  json_object_set_new(options, "timeout_ms", json_integer(111111));
  argyle_client *plain = client_with_options(options);
  journal journal = {0};
  argyle_client *client = argyle_client_with_log(plain, note, &journal, &error);
  assert_non_null(client);
  for (size_t i = 0; i < COUNT(answers); i++) {
    hostile_server_answer_http(fixture->server, answers[i].status, answers[i].headers, answers[i].body,
                               strlen(answers[i].body));
    json_t *changes = i + 1 == COUNT(answers) ? json_pack("{s:i}", "max_response_bytes", 11) : json_object();
    argyle_client *changed = argyle_client_with(client, changes, &error);
    assert_non_null(changed);
    json_decref(changes);
    assert_null(argyle_user_get(changed, "u11", &error));
    const char *reason = strstr(argyle_error_message(error), ": ");
    assert_non_null(reason);
    assert_memory_equal(argyle_error_message(error), "GET /v1/users/u11 at 127.0.0.1:", 31);
    if (strncmp(reason + 2, answers[i].message, strlen(answers[i].message)) != 0) {
      fail_msg("expected \"%s\", got \"%s\"", answers[i].message, reason + 2);
    }
    argyle_error_free(error);
    error = NULL;
    argyle_client_free(changed);
  }
  assert_non_null(strstr(journal.texts[0], "status 401 after "));
  assert_journal_is_clean(&journal, "a short secret");
  argyle_client_free(client);
  argyle_client_free(plain);
}

/* The log has neither the tokens nor the personal data of a success. */
static void successes_are_logged_without_their_bodies(void **state) {
  hostile_fixture *fixture = *state;
  journal journal = {0};
  argyle_client *clients[] = {
      client_with_journal(fixture->server, 1, &journal),
      client_with_journal(fixture->server, 2, &journal),
  };
  json_t *response = json_of(FIELDS);
  json_t *others = json_pack("{s:s, s:s, s:s, s:s, s:[]}", "id", "u1", "token", TOKEN, "access", TOKEN, "user_token",
                             TOKEN, "results");
  assert_int_equal(json_object_update(response, others), 0);
  char *text = json_dumps(response, 0);
  hostile_server_answer_json(fixture->server, 200, text);
  for (size_t i = 0; i < COUNT(operations); i++) {
    assert_null(run_operation(clients, i));
    assert_journal_is_clean(&journal, "success");
  }
  free(text);
  json_decref(others);
  json_decref(response);
  argyle_client_free(clients[0]);
  argyle_client_free(clients[1]);
}

/* A refused argument is not repeated in the message. */
static void no_argument_is_shown(void **state) {
  hostile_fixture *fixture = *state;
  static const struct {
    const char *option, *value;
  } wrong[] = {
      {"key_id", "a:" KEY_SECRET},
      {"key_id", KEY_SECRET "\n"},
      {"key_secret", KEY_SECRET "\n"},
      {"base_url", "https://u:" KEY_SECRET "@host"},
      {"base_url", "https://" KEY_SECRET "@host"},
      {"base_url", "https://host?" KEY_SECRET},
      {"base_url", KEY_SECRET},
      {"environment", KEY_SECRET},
      {"ca_file", "/" KEY_SECRET},
      {"proxy", "ftp://u:" PROXY_PASSWORD "@host"},
      {"proxy", "http://u:" PROXY_PASSWORD "@ host"},
      {"proxy", "http://u:" PROXY_PASSWORD "@host:port"},
      {"client_key_password", KEY_PASSWORD},
      {"client_certificate_file", "/" KEY_PASSWORD},
      {"application", KEY_SECRET "\n"},
      {"timeout_ms", KEY_SECRET},
  };
  for (size_t i = 0; i < COUNT(wrong); i++) {
    json_t *options = options_for("http://127.0.0.1:1");
    if (strcmp(wrong[i].option, "environment") == 0) {
      json_object_del(options, "base_url");
    }
    json_object_set_new(options, wrong[i].option, json_string(wrong[i].value));
    argyle_error *error = RUBBISH;
    assert_null(argyle_client_new(options, &error));
    assert_error_is_clean(error, wrong[i].option);
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
    json_decref(options);
  }
  static const char *const documents[] = {
      "\"" PERSON, "{\"" PERSON "\": ?}", "{\"name\": \"" PERSON "\"} x", PERSON, "{\"name\": \"" PERSON "\\q\"}",
  };
  for (size_t i = 0; i < COUNT(documents); i++) {
    argyle_error *error = RUBBISH;
    assert_null(argyle_call_new_text(fixture->client, ARGYLE_OPERATION_USER_CREATE, NULL, documents[i],
                                     strlen(documents[i]), &error));
    assert_null(strstr(argyle_error_message(error), PERSON));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
  }
  static const char *const queries[] = {
      "{\"external_id\": [\"" PERSON "\"]}", "{\"external_id\": \"" PERSON "\", \"offset\": 1}",
      "{\"external_id\": \"" PERSON "\", \"" PERSON "\": ?}", "{\"cursor\": \"\", \"external_id\": \"" PERSON "\"}",
  };
  argyle_error *error = RUBBISH;
  argyle_client *client = client_with_integer(hostile_server_url(fixture->server), "api_version", 2);
  for (size_t i = 0; i < COUNT(queries); i++) {
    assert_null(argyle_call_new_text(client, ARGYLE_OPERATION_USER_LIST, NULL, queries[i], strlen(queries[i]), &error));
    assert_null(strstr(argyle_error_message(error), PERSON));
    assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
  }
  argyle_client_free(client);
  assert_null(argyle_token_claims("eyJhbGciOiJub25lIn0.eyJjYW5hcnk.canary-signature", &error));
  assert_error_is_clean(error, "token");
  assert_null(strstr(argyle_error_message(error), "eyJjYW5hcnk"));
  assert_failed(error, ARGYLE_ERROR_ARGUMENT, NULL);
}

int main(void) {
  make_secret();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_key_is_wiped_with_its_client),
      cmocka_unit_test(a_key_given_as_text_is_wiped),
      cmocka_unit_test(the_key_is_wiped_after_requests),
      cmocka_unit_test(no_answer_reveals_a_secret),
      hostile_test(no_unreadable_response_is_shown),
      hostile_test(no_value_that_was_sent_is_repeated),
      hostile_test(no_link_reveals_a_secret),
      hostile_test(no_path_shows_the_key),
      hostile_test(a_short_secret_is_not_redacted_from_the_librarys_own_words),
      hostile_test(successes_are_logged_without_their_bodies),
      hostile_test(no_argument_is_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
