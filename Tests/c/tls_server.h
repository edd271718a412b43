/*
 * A server with a certificate of its own: `openssl s_server`, which answers GET requests with files. It serves
 * one user, "u1".
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "harness.h"

#include <sys/types.h>

#define TLS_PASSWORD "canary-password-91ab"

/* What is to be known of a server. */
typedef struct {
  const char *name;         /* what its certificate is for, such as "IP:127.0.0.1" or "DNS:h.example" */
  bool has_authority;       /* its certificate is signed by a certificate authority */
  const char *from, *until; /* when such a certificate is valid, as "20200131000000Z"; NULL: now */
  const char *option;       /* one more option of `openssl s_server`, such as "-tls1_2"; NULL: none */
  const char *ciphers;      /* the ciphers to allow; NULL: OpenSSL's choice */
  bool wants_certificate;   /* of the client, and takes its own for one */
} tls_options;

typedef struct {
  pid_t process;
  int output;           /* the reading end of what it says */
  char folder[64];      /* where its files are: key.pem and certificate.pem among them */
  char certificate[96]; /* the path of the certificate */
  char authority[96];   /* the path of the certificate of who signed it */
  char key[96];         /* the path of its key */
  char locked_key[96];  /* the path of its key behind TLS_PASSWORD */
  int port;
} tls_server;

/* Starts a server on 127.0.0.1 whose certificate is for this name and signed itself. */
tls_server *tls_server_start(const char *name);
/* The same, but it wants a certificate of the client, and takes its own for one. */
tls_server *tls_server_start_mutual(const char *name);
tls_server *tls_server_start_with(tls_options options);

/* Stops the server, and tells how many GET requests have reached it. */
int tls_server_stop(tls_server *server);

#endif /* TLS_SERVER_H */
