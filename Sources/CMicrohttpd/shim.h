#ifndef ARGYLE_CMICROHTTPD_SHIM_H
#define ARGYLE_CMICROHTTPD_SHIM_H

#include <microhttpd.h>

// Certificate and key are NUL-terminated PEM.
#define ARGYLE_MHD_TLS(certificate, key) \
  { \
    {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(certificate)}, \
    {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(key)}, \
    {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)"NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"}, \
    {MHD_OPTION_END, 0, NULL}, \
  }

static inline enum MHD_Result argyle_mhd_reject(
    void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *part, size_t *part_count, void **exchange) {
  (void)context, (void)connection, (void)url, (void)method, (void)version;
  (void)part, (void)part_count, (void)exchange;
  return MHD_NO;
}

// Whether libmicrohttpd accepts this certificate and key, tested with a daemon that neither listens nor runs.
static inline int argyle_mhd_accepts(const unsigned char *certificate, const unsigned char *key) {
  struct MHD_OptionItem tls[] = ARGYLE_MHD_TLS(certificate, key);
  struct MHD_Daemon *daemon = MHD_start_daemon(
      MHD_USE_TLS | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, argyle_mhd_reject, NULL,
      MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
  if (daemon) MHD_stop_daemon(daemon);
  return daemon != NULL;
}

// Starts a daemon. Necessary because MHD_start_daemon is variadic, which Swift does not import.
//
// All callbacks receive the same context. The descriptor is a listening socket; the daemon closes it unless quiesced.
// With a certificate and key it uses TLS, 1.2 or newer. It has no timeout of its own. Not epoll: in 0.9.75 it misses
// the end of a connection that arrives together with data, and keeps such connections forever.
static inline struct MHD_Daemon *argyle_mhd_start(
    int descriptor, unsigned int connection_limit, size_t memory_limit,
    const unsigned char *certificate, const unsigned char *key,
    MHD_NotifyConnectionCallback on_connection,
    void *(*on_request_line)(void *context, const char *target, struct MHD_Connection *connection),
    MHD_AccessHandlerCallback on_request, MHD_RequestCompletedCallback on_completed, void *context) {
  struct MHD_OptionItem tls[] = ARGYLE_MHD_TLS(certificate, key);
  unsigned int flags = MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
  if (certificate) flags |= MHD_USE_TLS;
  return MHD_start_daemon(
      flags, 0, NULL, NULL, on_request, context,
      MHD_OPTION_LISTEN_SOCKET, (MHD_socket)descriptor,
      MHD_OPTION_CONNECTION_LIMIT, connection_limit,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_limit,
      MHD_OPTION_NOTIFY_CONNECTION, on_connection, context,
      MHD_OPTION_URI_LOG_CALLBACK, on_request_line, context,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, context,
      MHD_OPTION_ARRAY, certificate ? tls : tls + 3,
      MHD_OPTION_END);
}

// Necessary because MHD_get_connection_info is variadic, which Swift does not import.
static inline void *argyle_mhd_connection_context(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}
static inline int argyle_mhd_connection_descriptor(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info ? info->connect_fd : -1;
}

#endif
