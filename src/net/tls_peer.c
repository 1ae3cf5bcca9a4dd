/* tls_peer: one upstream's context: what is trusted and offered, sessions to resume. */
#include "net/tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* Sessions kept: a connection of each worker, and the two tickets that servers usually
 * give. */
#define SESSIONS_MAX 16

/* Read ahead: a few records of answers by one system call. */
#define READ_BUFFER 32768

/* AES-128 first: half the work of AES-256 and none of its use here. Nothing without
 * forward secrecy or authenticated encryption (RFC 9325 4.2). */
#define SUITES_13                                                                        \
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_12                                                                        \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                     \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                     \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                                       \
	"ECDSA+SHA256:ed25519:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:"    \
	"RSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512"

static const unsigned char alpn[] = {3, 'd', 'o', 't'}; /* RFC 7858 8.3 */

struct tls_peer {
	SSL_CTX *context;
	struct tls_trust trust;
	pthread_mutex_t lock; /* of the sessions */
	unsigned session_count;
	SSL_SESSION *sessions[SESSIONS_MAX]; /* the newest last */
};

SSL_CTX *tls_peer_context(const struct tls_peer *p)
{
	return p->context;
}

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
	SSL_SESSION_free(p->sessions[0]);
	p->session_count--;
	memmove(p->sessions, p->sessions + 1, p->session_count * sizeof *p->sessions);
}

static void keep_session(struct tls_peer *p, SSL_SESSION *s)
{
	pthread_mutex_lock(&p->lock);
	if (p->session_count == SESSIONS_MAX)
		forget_oldest(p);
	p->sessions[p->session_count++] = s;
	pthread_mutex_unlock(&p->lock);
}

static int on_session(SSL *ssl, SSL_SESSION *s)
{
	if (!SSL_SESSION_is_resumable(s))
		return 0;
	keep_session(tls_peer_of(ssl), s);
	return 1;
}

/* OpenSSL does not look at the certificate again on resumption: what it said must still
 * hold. */
static bool session_is_good(const struct tls_peer *p, SSL_SESSION *s)
{
	X509 *cert = SSL_SESSION_get0_peer(s);
	time_t now = time(NULL);

	if (!SSL_SESSION_is_resumable(s)) /* a fatal alert has spoilt it */
		return false;
	if (now >= (time_t)SSL_SESSION_get_time(s) + (time_t)SSL_SESSION_get_timeout(s))
		return false;
	if (p->trust.auth != TLS_AUTH_NAME)
		return true;
	return cert && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
}

SSL_SESSION *tls_peer_take_session(struct tls_peer *p)
{
	SSL_SESSION *s = NULL;

	pthread_mutex_lock(&p->lock);
	while (!s && p->session_count) {
		s = p->sessions[--p->session_count];
		if (!session_is_good(p, s)) {
			SSL_SESSION_free(s);
			s = NULL;
		}
	}
	/* a TLS 1.2 server gives no new one on resumption: that session may serve again;
	 * a TLS 1.3 ticket is used once (RFC 8446 C.4) */
	if (s && SSL_SESSION_get_protocol_version(s) < TLS1_3_VERSION &&
	    SSL_SESSION_up_ref(s))
		p->sessions[p->session_count++] = s;
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

/* ---- trust ---- */

static int complain(char error[TLS_DETAIL_MAX], const char *what, const char *path,
		    const char *why)
{
	/* the path may be long: what is wrong with it must not be cut off */
	snprintf(error, TLS_DETAIL_MAX, "%s %.80s: %s", what, path, why);
	return -EINVAL;
}

/* A file of revocation lists alone loads just as well. */
static bool has_certificate(const SSL_CTX *c)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(c));

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
		if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_X509)
			return true;
	return false;
}

static int load_file(SSL_CTX *c, const char *path, char error[TLS_DETAIL_MAX])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(error, "ca-file", path,
				errno == ENOENT
				    ? "No such file: name a PEM file of CA certificates"
				    : strerror(errno));
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		close(fd);
		return complain(error, "ca-file", path, "is a folder: use ca-dir for it");
	}
	close(fd);
	if (SSL_CTX_load_verify_file(c, path) != 1 || !has_certificate(c))
		return complain(error, "ca-file", path,
				"has no CA certificate in PEM format");
	return 0;
}

static int load_dir(SSL_CTX *c, const char *path, char error[TLS_DETAIL_MAX])
{
	struct stat st;

	if (stat(path, &st) < 0)
		return complain(error, "ca-dir", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return complain(error, "ca-dir", path,
				"is no folder: use ca-file for it");
	if (SSL_CTX_load_verify_dir(c, path) != 1)
		return complain(error, "ca-dir", path, "cannot be used");
	return 0;
}

/* The hashed folder of the system is read as it is needed; its bundle would be read
 * whole. As other programs do, obey SSL_CERT_FILE and SSL_CERT_DIR. */
static int load_system(SSL_CTX *c, char error[TLS_DETAIL_MAX])
{
	const char *file = getenv("SSL_CERT_FILE");

	if (file && *file)
		return load_file(c, file, error);
	if (SSL_CTX_set_default_verify_dir(c) != 1)
		return complain(error, "ca-dir", X509_get_default_cert_dir(),
				"cannot be used");
	return 0;
}

static int load_trust(SSL_CTX *c, const struct tls_trust *t, char error[TLS_DETAIL_MAX])
{
	int r = 0;

	if (t->auth != TLS_AUTH_NAME)
		return 0;
	if (t->ca_file)
		r = load_file(c, t->ca_file, error);
	if (r == 0 && t->ca_dir)
		r = load_dir(c, t->ca_dir, error);
	if (!t->ca_file && !t->ca_dir)
		r = load_system(c, error);
	return r;
}

/* Whose certificate it must be: SubjectAltName alone (RFC 9525). */
static bool set_identity(SSL_CTX *c, const struct tls_trust *t)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(c);
	const struct address *a = t->address;

	if (t->auth != TLS_AUTH_NAME)
		return true;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
					       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (t->name)
		return X509_VERIFY_PARAM_set1_host(p, t->name, 0) == 1;
	if (a->any.sa_family == AF_INET6)
		return X509_VERIFY_PARAM_set1_ip(p, a->v6.sin6_addr.s6_addr, 16) == 1;
	return X509_VERIFY_PARAM_set1_ip(p, (const uint8_t *)&a->v4.sin_addr, 4) == 1;
}

/* What SSL_CTX_set1_groups_list() and its like do, without their cast of a literal. */
static bool set_list(SSL_CTX *c, int command, const char *list)
{
	return SSL_CTX_ctrl(c, command, 0, (void *)(uintptr_t)list) == 1;
}

static bool set_protocol(SSL_CTX *c, const struct tls_trust *t)
{
	SSL_CTX_set_security_level(c, 2);
	SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
				   SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
				SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_default_read_buffer_len(c, READ_BUFFER);
	return SSL_CTX_set_min_proto_version(c, t->tls13_only ? TLS1_3_VERSION
							      : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(c, SUITES_13) == 1 &&
	       SSL_CTX_set_cipher_list(c, SUITES_12) == 1 &&
	       set_list(c, SSL_CTRL_SET_GROUPS_LIST, GROUPS) &&
	       set_list(c, SSL_CTRL_SET_SIGALGS_LIST, SIGNATURES) &&
	       SSL_CTX_set_alpn_protos(c, alpn, sizeof alpn) == 0;
}

static int set_up(struct tls_peer *p, char error[TLS_DETAIL_MAX])
{
	SSL_CTX *c = p->context;

	if (!set_protocol(c, &p->trust) || !set_identity(c, &p->trust)) {
		snprintf(error, TLS_DETAIL_MAX, "OpenSSL refuses the settings: %s",
			 ERR_reason_error_string(ERR_peek_error()));
		return -EINVAL;
	}
	SSL_CTX_set_app_data(c, p);
	SSL_CTX_set_verify(c, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(c, tls_verify, p);
	SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT |
					      SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c, on_session);
	return load_trust(c, &p->trust, error);
}

int tls_peer_new(struct tls_peer **out, const struct tls_trust *trust,
		 char error[TLS_DETAIL_MAX])
{
	struct tls_peer *p = calloc(1, sizeof *p);
	int r;

	/* The system's openssl.cnf is not read: what is offered and accepted is said
	 * above, whole, and cannot be weakened elsewhere. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	if (p)
		p->context = SSL_CTX_new(TLS_client_method());
	if (!p || !p->context) {
		free(p);
		snprintf(error, TLS_DETAIL_MAX, "out of memory");
		return -EINVAL;
	}
	pthread_mutex_init(&p->lock, NULL);
	p->trust = *trust;
	r = set_up(p, error);
	ERR_clear_error();
	if (r < 0) {
		tls_peer_free(p);
		return r;
	}
	*out = p;
	return 0;
}

void tls_peer_free(struct tls_peer *p)
{
	if (!p)
		return;
	while (p->session_count)
		SSL_SESSION_free(p->sessions[--p->session_count]);
	SSL_CTX_free(p->context);
	pthread_mutex_destroy(&p->lock);
	free(p);
}
