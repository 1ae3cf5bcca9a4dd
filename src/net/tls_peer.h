/* tls_peer: what the parts of the TLS adapter share. Only src/net/tls*.c include it. */
#ifndef DOTGATE_NET_TLS_PEER_H
#define DOTGATE_NET_TLS_PEER_H

#include <openssl/ssl.h>

#include "net/tls.h"

struct tls_conn {
	SSL *ssl;
	struct tls_peer *peer;
	bool ready; /* authenticated */
	int pin;    /* the number of the one that matched; -1: none was looked at */
	enum reason failure;
	char detail[TLS_DETAIL_MAX];
};

struct tls_peer *tls_peer_of(const SSL *ssl);
/* A new connection with what is trusted now; NULL: out of memory. */
SSL *tls_peer_ssl(struct tls_peer *p);
const struct tls_trust *tls_peer_trust(const struct tls_peer *p);

/* A session to resume over the socket FD, which is the caller's to free; NULL: there is no good one. */
SSL_SESSION *tls_peer_take_session(struct tls_peer *p, int fd);

/* Makes a context that trusts, offers and accepts what T says. As tls_peer_new(). */
int tls_context_new(SSL_CTX **out, const struct tls_trust *t, char error[TLS_ERROR_MAX]);

/* Decides on the peer's certificate (SSL_CTX_set_cert_verify_callback); a refusal is
 * written down in the tls_conn that is the SSL's app data. */
int tls_verify(X509_STORE_CTX *store, void *peer);

#endif
