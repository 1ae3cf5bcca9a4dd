/* tls_peer: one upstream's context: what is trusted and offered, sessions to resume. */
#include "net/tls_peer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/socket.h"

/* Sessions kept: a connection of each worker, and the two tickets that servers usually
 * give. */
#define SESSIONS_MAX 16

/* The longest name that TLS can say. */
#define SNI_MAX 255

/* A session is resumed from the address only that it was given to: whoever sees a ticket again knows
 * that it is the same client, also in another network (RFC 8446 C.4). */
struct kept {
	SSL_SESSION *session;
	struct address local;
};

struct tls_peer {
	SSL_CTX *context;
	struct tls_trust trust;
	pthread_mutex_t lock; /* of all below, and of the context */
	char sni[SNI_MAX + 1];
	unsigned session_count;
	struct kept sessions[SESSIONS_MAX]; /* the newest last */
};

const struct tls_trust *tls_peer_trust(const struct tls_peer *p)
{
	return &p->trust;
}

struct tls_peer *tls_peer_of(const SSL *ssl)
{
	return SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
}

/* ---- sessions ---- */

static void forget_oldest(struct tls_peer *p)
{
	SSL_SESSION_free(p->sessions[0].session);
	p->session_count--;
	memmove(p->sessions, p->sessions + 1, p->session_count * sizeof *p->sessions);
}

/* Under the lock. */
static void keep_session(struct tls_peer *p, SSL_SESSION *s, const struct address *local)
{
	if (p->session_count == SESSIONS_MAX)
		forget_oldest(p);
	p->sessions[p->session_count++] = (struct kept){.session = s, .local = *local};
}

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	struct tls_peer *p = tls_peer_of(ssl);
	struct address local;
	bool kept;

	if (!SSL_SESSION_is_resumable(s) ||
	    socket_local_address(SSL_get_fd(ssl), &local) < 0)
		return 0;
	pthread_mutex_lock(&p->lock);
	kept = SSL_get_SSL_CTX(ssl) == p->context; /* else it is of an older trust */
	if (kept)
		keep_session(p, s, &local);
	pthread_mutex_unlock(&p->lock);
	return kept;
}

/* When the session began. OpenSSL 3.3 brought a function that knows of years after 2038, and
 * 3.4 deprecated the older one. */
static time_t session_time(const SSL_SESSION *s)
{
#if OPENSSL_VERSION_PREREQ(3, 3)
	return SSL_SESSION_get_time_ex(s);
#else
	return (time_t)SSL_SESSION_get_time(s);
#endif
}

/* OpenSSL does not look at the certificate again on resumption: what it said must still
 * hold. */
static bool session_is_good(const struct tls_peer *p, SSL_SESSION *s)
{
	X509 *cert = SSL_SESSION_get0_peer(s);
	time_t now = time(NULL);

	if (!SSL_SESSION_is_resumable(s)) /* a fatal alert has spoilt it */
		return false;
	if (now >= session_time(s) + (time_t)SSL_SESSION_get_timeout(s))
		return false;
	if (p->trust.auth != TLS_AUTH_NAME)
		return true;
	return cert && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

/* Under the lock. Those that are of no use any more are forgotten on the way. */
static SSL_SESSION *take_session(struct tls_peer *p, const struct address *local)
{
	while (p->session_count) {
		struct kept *k = &p->sessions[--p->session_count];

		if (address_same_ip(&k->local, local) && session_is_good(p, k->session))
			return k->session;
		SSL_SESSION_free(k->session);
	}
	return NULL;
}

SSL_SESSION *tls_peer_take_session(struct tls_peer *p, int fd)
{
	struct address local;
	SSL_SESSION *s;

	if (socket_local_address(fd, &local) < 0)
		return NULL;
	pthread_mutex_lock(&p->lock);
	s = take_session(p, &local);
	/* a TLS 1.2 server gives no new one on resumption: that session may serve again;
	 * a TLS 1.3 ticket is used once (RFC 8446 C.4) */
	if (s && SSL_SESSION_get_protocol_version(s) < TLS1_3_VERSION &&
	    SSL_SESSION_up_ref(s))
		keep_session(p, s, &local);
	pthread_mutex_unlock(&p->lock);
	return s;
}

unsigned tls_peer_sessions(struct tls_peer *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->session_count;
	pthread_mutex_unlock(&p->lock);
	return n;
}

static void forget_sessions(struct tls_peer *p)
{
	while (p->session_count)
		SSL_SESSION_free(p->sessions[--p->session_count].session);
}

void tls_peer_forget_sessions(struct tls_peer *p)
{
	pthread_mutex_lock(&p->lock);
	forget_sessions(p);
	pthread_mutex_unlock(&p->lock);
}

/* ---- contexts ---- */

static int make_context(struct tls_peer *p, SSL_CTX **out, char error[TLS_ERROR_MAX])
{
	int r = tls_context_new(out, &p->trust, error);
	SSL_CTX *c = *out;

	if (r < 0)
		return r;
	SSL_CTX_set_app_data(c, p);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c, tls_verify, p);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT |
					      SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return 0;
}

/* SSL_set_tlsext_host_name() without its cast. Addresses are not sent (RFC 6066 3). */
static bool set_sni(SSL *ssl, const char *name)
{
	return !*name ||
	       SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
			(void *)(uintptr_t)name) == 1;
}

SSL *tls_peer_ssl(struct tls_peer *p)
{
	SSL *ssl;

	pthread_mutex_lock(&p->lock);
	ssl = SSL_new(p->context);
	if (ssl && !set_sni(ssl, p->sni)) {
		SSL_free(ssl);
		ssl = NULL;
	}
	pthread_mutex_unlock(&p->lock);
	return ssl;
}

void tls_peer_set_sni(struct tls_peer *p, const char *name)
{
	pthread_mutex_lock(&p->lock);
	snprintf(p->sni, sizeof p->sni, "%s", name);
	pthread_mutex_unlock(&p->lock);
}

int tls_peer_reload(struct tls_peer *p, char error[TLS_ERROR_MAX])
{
	SSL_CTX *fresh = NULL, *old;
	int r = make_context(p, &fresh, error);

	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	old = p->context;
	p->context = fresh;
	/* they were verified by what may not be trusted any more */
	forget_sessions(p);
	pthread_mutex_unlock(&p->lock);
	SSL_CTX_free(old); /* connections that use it keep it */
	return 0;
}

int tls_peer_new(struct tls_peer **out, const struct tls_trust *trust,
		 char error[TLS_ERROR_MAX])
{
	struct tls_peer *p = calloc(1, sizeof *p);
	int r;

	if (!p) {
		snprintf(error, TLS_ERROR_MAX, "out of memory");
		return -EINVAL;
	}
	p->trust = *trust;
	r = make_context(p, &p->context, error);
	if (r < 0) {
		free(p);
		return r;
	}
	pthread_mutex_init(&p->lock, NULL);
	if (trust->name)
		tls_peer_set_sni(p, trust->name);
	*out = p;
	return 0;
}

void tls_peer_free(struct tls_peer *p)
{
	if (!p)
		return;
	forget_sessions(p);
	SSL_CTX_free(p->context);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
