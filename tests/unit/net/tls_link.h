/* tls_link: a server of OpenSSL's own, and a connection of the client under test to it. */
#ifndef DOTGATE_TESTS_UNIT_NET_TLS_LINK_H
#define DOTGATE_TESTS_UNIT_NET_TLS_LINK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls.h"
#include "tls_pki.h"

/* Turns after which two ends that still wait have stalled. */
#define TURNS_MAX 2000

/* How the server behaves; 0 is usual. */
struct server_spec {
	const struct identity *leaf, *chain; /* `chain`: sent behind the leaf */
	int version;			     /* the only one; 0: any */
	bool demand_cert, refuse_name, refuse_alpn;
};

struct server {
	SSL_CTX *ctx;
	const struct server_spec *spec;
	char sni[64], alpn[64];
};

struct link {
	struct server *server;
	SSL *ssl;
	struct tls_conn *conn;
	int client_fd, server_fd;
};

/* ---- the server's side ---- */

static inline int on_sni(SSL *ssl, int *alert, void *arg)
{
	struct server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	snprintf(s->sni, sizeof s->sni, "%s", name ? name : "-");
	return s->spec->refuse_name ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static inline int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
			  const unsigned char *in, unsigned in_len, void *arg)
{
	struct server *s = arg;

	(void)ssl;
	assert_in_range(in_len, 1, sizeof s->alpn - 1);
	memcpy(s->alpn, in, in_len);
	s->alpn[in_len] = '\0';
	*out = in + 1;
	*out_len = in[0];
	return s->spec->refuse_alpn ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static inline void server_open(struct server *s, const struct server_spec *spec)
{
	*s = (struct server){.ctx = SSL_CTX_new(TLS_server_method()), .spec = spec};
	assert_non_null(s->ctx);
	/* whatever is offered: it is the client that has to refuse */
	SSL_CTX_set_security_level(s->ctx, 0);
	SSL_CTX_set_min_proto_version(s->ctx, spec->version);
	SSL_CTX_set_max_proto_version(s->ctx, spec->version);
	SSL_CTX_set_session_id_context(s->ctx, (const uint8_t *)"t", 1);
	SSL_CTX_set_tlsext_servername_callback(s->ctx, on_sni);
	SSL_CTX_set_tlsext_servername_arg(s->ctx, s);
	SSL_CTX_set_alpn_select_cb(s->ctx, on_alpn, s);
	assert_int_equal(SSL_CTX_use_certificate(s->ctx, spec->leaf->cert), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(s->ctx, spec->leaf->key), 1);
	if (spec->chain)
		assert_int_equal(SSL_CTX_add1_chain_cert(s->ctx, spec->chain->cert), 1);
	SSL_CTX_set_mode(s->ctx, SSL_MODE_AUTO_RETRY);
	if (spec->demand_cert)
		SSL_CTX_set_verify(
		    s->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

static inline void server_shut(struct server *s)
{
	SSL_CTX_free(s->ctx);
}

/* ---- both sides ---- */

/* Clients connect from there. */
static in_addr_t local_ip = INADDR_LOOPBACK;

static inline void bind_client(int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr = {.s_addr = htonl(local_ip)}};

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
}

static inline void connect_pair(int *client, int *server)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof a;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
	*client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bind_client(*client);
	assert_int_equal(connect(*client, (struct sockaddr *)&a, len), 0);
	*server = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(*server >= 0);
	/* what is written has arrived */
	assert_int_equal(setsockopt(*server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
			 0);
	assert_int_equal(fcntl(*client, F_SETFL, O_NONBLOCK), 0);
	close(listener);
}

static inline void link_open(struct link *l, struct tls_peer *peer, struct server *server)
{
	*l = (struct link){.server = server};
	connect_pair(&l->client_fd, &l->server_fd);
	assert_int_equal(tls_conn_new(&l->conn, peer, l->client_fd), 0);
	if (!server)
		return;
	l->ssl = SSL_new(server->ctx);
	assert_non_null(l->ssl);
	assert_int_equal(SSL_set_fd(l->ssl, l->server_fd), 1);
	SSL_set_accept_state(l->ssl);
}

static inline void link_shut(struct link *l)
{
	tls_conn_free(l->conn);
	if (l->ssl) /* else its session would be forgotten */
		SSL_set_shutdown(l->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(l->ssl);
	close(l->client_fd);
	if (l->server_fd >= 0)
		close(l->server_fd);
}

/* Waits until either end has something to read; the bound of the turns is the real one.
 */
static inline void wait_either(const struct link *l)
{
	struct pollfd p[] = {{.fd = l->client_fd, .events = POLLIN},
			     {.fd = l->server_fd, .events = POLLIN}};

	poll(p, 2, 5);
}

static inline void wait_client(const struct link *l)
{
	struct pollfd p = {.fd = l->client_fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
}

/* Until LEN octets are there to be read at once. */
static inline void wait_octets(const struct link *l, int len)
{
	int there = 0;

	for (unsigned i = 0; i < TURNS_MAX && there < len; i++) {
		assert_int_equal(ioctl(l->client_fd, FIONREAD, &there), 0);
		if (there < len)
			usleep(1000);
	}
	assert_int_equal(there, len);
}

/* A server's call that has not ended for good. */
static inline bool server_waits(SSL *ssl, int r)
{
	int e = SSL_get_error(ssl, r);

	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static inline bool client_waits(enum tls_status s)
{
	return s == TLS_WANT_READ || s == TLS_WANT_WRITE;
}

/* Both ends in turn until neither waits. Returns what the client came to. */
static inline enum tls_status shake(struct link *l)
{
	enum tls_status s = TLS_WANT_READ;
	bool server_done = false;

	for (unsigned i = 0; i < TURNS_MAX && (client_waits(s) || !server_done); i++) {
		if (client_waits(s))
			s = tls_handshake(l->conn);
		ERR_clear_error();
		if (!server_done) {
			int r = SSL_accept(l->ssl);

			server_done = r == 1 || !server_waits(l->ssl, r);
		}
		ERR_clear_error();
		if (client_waits(s))
			wait_either(l);
	}
	assert_false(client_waits(s));
	return s;
}

/* Until the client no longer waits, against a server that has no TLS. */
static inline enum tls_status shake_alone(struct link *l)
{
	enum tls_status s = tls_handshake(l->conn);

	for (unsigned i = 0; i < TURNS_MAX && client_waits(s); i++) {
		wait_client(l);
		s = tls_handshake(l->conn);
	}
	return s;
}

static inline void take_hello(struct link *l)
{
	struct pollfd p = {.fd = l->server_fd, .events = POLLIN};
	uint8_t hello[4096];

	assert_int_equal(tls_handshake(l->conn), TLS_WANT_READ);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(read(l->server_fd, hello, sizeof hello) > 0);
}

static inline void server_send(struct link *l, const void *data, int len)
{
	assert_int_equal(SSL_write(l->ssl, data, len), len);
}

/* Reads until the client has a record, an end or a failure. */
static inline enum tls_status client_read(struct link *l, uint8_t *out, size_t cap,
					  size_t *n)
{
	enum tls_status s = tls_read(l->conn, out, cap, n);

	for (unsigned i = 0; i < TURNS_MAX && client_waits(s); i++) {
		wait_client(l);
		s = tls_read(l->conn, out, cap, n);
	}
	return s;
}

/* An octet from the server; the tickets come before it. */
static inline void exchange(struct link *l)
{
	uint8_t got[8];
	size_t n = 0;

	server_send(l, "x", 1);
	assert_int_equal(client_read(l, got, sizeof got, &n), TLS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(got[0], 'x');
}

static inline enum tls_status end_of(struct link *l)
{
	uint8_t got[8];
	size_t n = 0;

	return client_read(l, got, sizeof got, &n);
}

static inline void expect_failure(const struct link *l, enum reason why, const char *part)
{
	char detail[TLS_DETAIL_MAX] = "";
	enum reason got = tls_conn_failure(l->conn, detail);

	if (got != why || !strstr(detail, part))
		fail_msg("%s \"%s\" instead of %s \"%s\"", reason_word(got), detail,
			 reason_word(why), part);
}

#endif
