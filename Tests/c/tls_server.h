/*
 * A server with a certificate of its own: `openssl s_server`, which answers GET requests with files. It serves
 * one user, "u1".
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "harness.h"

#include <sys/types.h>

#define TLS_PASSWORD "canary-password-91ab"

typedef struct {
  pid_t process;
  int output;           /* the reading end of its standard output */
  char folder[64];      /* where its files are: key.pem and certificate.pem among them */
  char certificate[96]; /* the path of the certificate, which signed itself */
  char key[96];         /* the path of its key */
  char locked_key[96];  /* the path of its key behind TLS_PASSWORD */
  int port;
} tls_server;

/* Starts a server on 127.0.0.1 whose certificate is for this name, such as "IP:127.0.0.1" or "DNS:h.example". */
tls_server *tls_server_start(const char *name);
/* The same, but it wants a certificate of the client, and takes its own for one. */
tls_server *tls_server_start_mutual(const char *name);
void tls_server_stop(tls_server *server);

#endif /* TLS_SERVER_H */
