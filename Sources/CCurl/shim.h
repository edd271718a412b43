// libcurl, with wrappers for what Swift cannot import.
#ifndef ARGYLE_CCURL_SHIM_H
#define ARGYLE_CCURL_SHIM_H

#include <curl/curl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Necessary because curl_easy_setopt and curl_easy_getinfo are variadic: one wrapper for each argument type.
static inline CURLcode argyle_curl_set_long(CURL *easy, CURLoption option, long value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode argyle_curl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode argyle_curl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode argyle_curl_set_bytes(CURL *easy, CURLoption option, const void *value) {
  return curl_easy_setopt(easy, option, (const char *)value);
}
static inline CURLcode argyle_curl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode argyle_curl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
  return curl_easy_setopt(easy, option, value);
}
static inline CURLcode argyle_curl_set_write_function(CURL *easy, curl_write_callback function) {
  return curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, function);
}
static inline CURLcode argyle_curl_set_header_function(CURL *easy, curl_write_callback function) {
  return curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, function);
}
static inline CURLcode argyle_curl_set_prereq_function(CURL *easy, curl_prereq_callback function) {
  return curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, function);
}
static inline CURLcode argyle_curl_set_progress_function(CURL *easy, curl_xferinfo_callback function) {
  return curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, function);
}
static inline CURLcode argyle_curl_set_debug_function(CURL *easy, curl_debug_callback function) {
  return curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, function);
}
static inline CURLcode argyle_curl_set_open_function(CURL *easy, curl_opensocket_callback function) {
  return curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, function);
}
static inline CURLcode argyle_curl_set_close_function(CURL *easy, curl_closesocket_callback function) {
  return curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, function);
}
static inline CURLcode argyle_curl_get_long(CURL *easy, CURLINFO info, long *value) {
  return curl_easy_getinfo(easy, info, value);
}
static inline CURLcode argyle_curl_get_offset(CURL *easy, CURLINFO info, curl_off_t *value) {
  return curl_easy_getinfo(easy, info, value);
}

static inline CURLcode argyle_curl_get_pointer(CURL *easy, CURLINFO info, void **value) {
  return curl_easy_getinfo(easy, info, value);
}

// Returns the OpenSSL session of the connection in use, or NULL. Necessary because the result is a pointer to a struct.
static inline const void *argyle_curl_openssl_session(CURL *easy) {
  struct curl_tlssessioninfo *info = NULL;
  if (curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info) != CURLE_OK || info == NULL) return NULL;
  return info->backend == CURLSSLBACKEND_OPENSSL ? info->internals : NULL;
}

// Necessary because curl_multi_setopt is variadic too.
static inline CURLMcode argyle_curl_multi_set_long(CURLM *multi, CURLMoption option, long value) {
  return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode argyle_curl_multi_set_pointer(CURLM *multi, CURLMoption option, void *value) {
  return curl_multi_setopt(multi, option, value);
}
static inline CURLMcode argyle_curl_multi_set_socket_function(CURLM *multi, curl_socket_callback function) {
  return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, function);
}
static inline CURLMcode argyle_curl_multi_set_timer_function(CURLM *multi, curl_multi_timer_callback function) {
  return curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, function);
}

// Necessary because a message holds its result in a union.
static inline CURLcode argyle_curl_message_result(const CURLMsg *message) { return message->data.result; }

// A probe for whether the server refused the stream of the last transfer (REFUSED_STREAM) on a reused connection.
//
// libcurl does not report that at the time, but records it in the easy handle and reports it when a later transfer gets
// no response. The probe is such a transfer, over a socket pair whose peer ends the stream at once.
struct argyle_curl_probe {
  int socket, peer;
  int refused;
};

static inline int argyle_curl_probe_trace(CURL *easy, curl_infotype type, char *text, size_t size, void *context) {
  static const char prefix[] = "REFUSED_STREAM, retrying";
  (void)easy;
  if (type == CURLINFO_TEXT && size >= sizeof prefix - 1 && memcmp(text, prefix, sizeof prefix - 1) == 0)
    ((struct argyle_curl_probe *)context)->refused = 1;
  return 0;
}

static inline curl_socket_t argyle_curl_probe_socket(void *context, curlsocktype purpose,
                                                     struct curl_sockaddr *address) {
  struct argyle_curl_probe *probe = (struct argyle_curl_probe *)context;
  curl_socket_t socket = probe->socket;
  socklen_t size = sizeof address->addr;
  (void)purpose;
  // libcurl connects it again. The kernel chose the address of the peer, so it is short.
  if (socket == CURL_SOCKET_BAD || getsockname(probe->peer, &address->addr, &size) != 0 ||
      size > (socklen_t)sizeof address->addr)
    return CURL_SOCKET_BAD;
  address->family = AF_UNIX;
  address->addrlen = size;
  probe->socket = CURL_SOCKET_BAD;
  return socket;
}

// Returns whether the server refused the last transfer's stream. Changes options: the handle must be cleaned up then.
static inline int argyle_curl_was_refused(CURL *easy) {
  struct sockaddr any = {.sa_family = AF_UNIX};
  struct argyle_curl_probe probe = {CURL_SOCKET_BAD, CURL_SOCKET_BAD, 0};
  int ends[2];
  // libcurl reads an empty datagram as the end of the stream.
  if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends) != 0) return 0;
  probe.socket = ends[0];
  probe.peer = ends[1];
  if (bind(ends[1], &any, sizeof any.sa_family) == 0 && send(ends[1], "", 0, MSG_NOSIGNAL) == 0 &&
      curl_easy_setopt(easy, CURLOPT_URL, "http://127.0.0.1/") == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_HTTPHEADER, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 1000L) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, NULL) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, argyle_curl_probe_socket) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &probe) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, argyle_curl_probe_trace) == CURLE_OK &&
      curl_easy_setopt(easy, CURLOPT_DEBUGDATA, &probe) == CURLE_OK)
    (void)curl_easy_perform(easy);
  if (probe.socket != CURL_SOCKET_BAD) close(probe.socket);
  close(probe.peer);
  return probe.refused;
}

// Necessary because Swift cannot take the address of a C function as data.
static inline const void *argyle_curl_address(void) { return (const void *)&curl_easy_init; }

#endif
