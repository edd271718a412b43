#ifndef ARGYLE_CMICROHTTPD_SHIM_H
#define ARGYLE_CMICROHTTPD_SHIM_H

#include <microhttpd.h>

// Necessary because MHD_start_daemon is variadic, which Swift does not import. All three callbacks are
// given the same context. The descriptor is a listening socket; the daemon closes it unless quiesced.
static inline struct MHD_Daemon *argyle_mhd_start(
    int descriptor, unsigned int connection_limit, unsigned int timeout_seconds, size_t memory_limit,
    void *(*on_request_line)(void *context, const char *target, struct MHD_Connection *connection),
    MHD_AccessHandlerCallback on_request, MHD_RequestCompletedCallback on_completed, void *context) {
  return MHD_start_daemon(
      MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, NULL, NULL, on_request, context,
      MHD_OPTION_LISTEN_SOCKET, (MHD_socket)descriptor,
      MHD_OPTION_CONNECTION_LIMIT, connection_limit,
      MHD_OPTION_CONNECTION_TIMEOUT, timeout_seconds,
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_limit,
      MHD_OPTION_URI_LOG_CALLBACK, on_request_line, context,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, context,
      MHD_OPTION_END);
}

#endif
