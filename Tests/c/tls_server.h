/*
 * An HTTPS server with its own certificate: `openssl s_server`, which answers GET requests with files. It serves one
 * user, "u1".
 */
#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include "harness.h"

#include <sys/types.h>

#define TLS_PASSWORD "canary-password-91ab"

typedef struct {
  const char *name;         /* the certificate's subjectAltName, such as "IP:127.0.0.1" or "DNS:h.example" */
  bool has_authority;       /* a certificate authority signs the certificate */
  const char *from, *until; /* validity of such a certificate, as "20200131000000Z"; NULL: now */
  const char *option;       /* another option of `openssl s_server`, such as "-tls1_2"; NULL: none */
  const char *ciphers;      /* allowed ciphers; NULL: OpenSSL's default */
  bool wants_certificate;   /* requires a client certificate; the server's own is accepted */
} tls_options;

typedef struct {
  pid_t process;
  int output;           /* read end of its output */
  char folder[64];      /* holds key.pem, certificate.pem and its other files */
  char certificate[96]; /* path of the certificate */
  char authority[96];   /* path of the authority's certificate */
  char key[96];         /* path of the private key */
  char locked_key[96];  /* path of the key encrypted with TLS_PASSWORD */
  int port;
} tls_server;

/* Starts a server on 127.0.0.1 with a self-signed certificate for this name. */
tls_server *tls_server_start(const char *name);
/* The same, but requires a client certificate; the server's own is accepted. */
tls_server *tls_server_start_mutual(const char *name);
tls_server *tls_server_start_with(tls_options options);

/* Stops the server; returns the number of GET requests that reached it. */
int tls_server_stop(tls_server *server);

#endif /* TLS_SERVER_H */
