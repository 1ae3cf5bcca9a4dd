/* tls: whom a client trusts, what it says of whom it does not, and what of it survives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/tls.h"
#include "tls_pki.h"

#define NAME "upstream.test"

/* Turns after which two ends that still wait have stalled. */
#define TURNS_MAX 2000

struct world {
	char dir[64], ca[96];
	struct identity root, inter, other; /* `other` is nobody's trusted CA */
};

static struct world w;

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

static int on_sni(SSL *ssl, int *alert, void *arg)
{
	struct server *s = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	(void)alert;
	snprintf(s->sni, sizeof s->sni, "%s", name ? name : "-");
	return s->spec->refuse_name ? SSL_TLSEXT_ERR_ALERT_FATAL : SSL_TLSEXT_ERR_OK;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
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

static void server_open(struct server *s, const struct server_spec *spec)
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

static void server_shut(struct server *s)
{
	SSL_CTX_free(s->ctx);
}

/* ---- both sides ---- */

/* Clients connect from there. */
static in_addr_t local_ip = INADDR_LOOPBACK;

static void bind_client(int fd)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr = {.s_addr = htonl(local_ip)}};

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
}

static void connect_pair(int *client, int *server)
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

static void link_open(struct link *l, struct tls_peer *peer, struct server *server)
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

static void link_shut(struct link *l)
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
static void wait_either(const struct link *l)
{
	struct pollfd p[] = {{.fd = l->client_fd, .events = POLLIN},
			     {.fd = l->server_fd, .events = POLLIN}};

	poll(p, 2, 5);
}

static void wait_client(const struct link *l)
{
	struct pollfd p = {.fd = l->client_fd, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
}

/* Until LEN octets are there to be read at once. */
static void wait_octets(const struct link *l, int len)
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
static bool server_waits(SSL *ssl, int r)
{
	int e = SSL_get_error(ssl, r);

	return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool client_waits(enum tls_status s)
{
	return s == TLS_WANT_READ || s == TLS_WANT_WRITE;
}

/* Both ends in turn until neither waits. Returns what the client came to. */
static enum tls_status shake(struct link *l)
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

static void server_send(struct link *l, const void *data, int len)
{
	assert_int_equal(SSL_write(l->ssl, data, len), len);
}

/* Reads until the client has a record, an end or a failure. */
static enum tls_status client_read(struct link *l, uint8_t *out, size_t cap, size_t *n)
{
	enum tls_status s = tls_read(l->conn, out, cap, n);

	for (unsigned i = 0; i < TURNS_MAX && client_waits(s); i++) {
		wait_client(l);
		s = tls_read(l->conn, out, cap, n);
	}
	return s;
}

/* An octet from the server; the tickets come before it. */
static void exchange(struct link *l)
{
	uint8_t got[8];
	size_t n = 0;

	server_send(l, "x", 1);
	assert_int_equal(client_read(l, got, sizeof got, &n), TLS_OK);
	assert_int_equal(n, 1);
	assert_int_equal(got[0], 'x');
}

static enum tls_status end_of(struct link *l)
{
	uint8_t got[8];
	size_t n = 0;

	return client_read(l, got, sizeof got, &n);
}

static void expect_failure(const struct link *l, enum reason why, const char *part)
{
	char detail[TLS_DETAIL_MAX] = "";
	enum reason got = tls_conn_failure(l->conn, detail);

	if (got != why || !strstr(detail, part))
		fail_msg("%s \"%s\" instead of %s \"%s\"", reason_word(got), detail,
			 reason_word(why), part);
}

static struct tls_trust usual(void)
{
	return (struct tls_trust){.auth = TLS_AUTH_NAME, .name = NAME, .ca_file = w.ca};
}

static struct tls_peer *peer_of(const struct tls_trust *trust)
{
	char error[TLS_ERROR_MAX] = "";
	struct tls_peer *p = NULL;

	if (tls_peer_new(&p, trust, error) != 0)
		fail_msg("%s", error);
	return p;
}

/* One handshake: REASON_NONE, or the reason and a part of the detail. */
static void try(const struct tls_trust *trust, const struct server_spec *spec,
		enum reason why, const char *part)
{
	struct tls_peer *p = peer_of(trust);
	struct server server;
	struct link l;
	enum tls_status s;

	server_open(&server, spec);
	link_open(&l, p, &server);
	s = shake(&l);
	expect_failure(&l, why, part);
	assert_int_equal(s, why == REASON_NONE ? TLS_OK : TLS_ERROR);
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
}

/* The same for a certificate that ISSUER signs. */
static void try_leaf(const struct tls_trust *trust, const struct identity *issuer,
		     const struct pki_spec *leaf, enum reason why, const char *part)
{
	struct identity id = pki_make(issuer, leaf);
	struct server_spec spec = {.leaf = &id};

	try(trust, &spec, why, part);
	pki_free(&id);
}

/* ---- whose certificate ---- */

static void try_san(const char *name, const char *san, enum reason why, const char *part)
{
	struct tls_trust trust = usual();
	struct pki_spec leaf = {.cn = NAME, .san = san};

	trust.name = name;
	try_leaf(&trust, &w.root, &leaf, why, part);
}

static void test_name(void **state)
{
	(void)state;
	try_san(NAME, "DNS:" NAME, REASON_NONE, "");
	try_san(NAME, "DNS:a.test,IP:192.0.2.1,DNS:" NAME, REASON_NONE, "");
	try_san(NAME, "DNS:UpStream.TEST", REASON_NONE, "");
	try_san(NAME, "DNS:a.example,DNS:b.example", REASON_TLS_CERT_NAME,
		"certificate is for a.example, b.example");
	try_san(NAME, "DNS:a,DNS:b,DNS:c,DNS:d,DNS:e", REASON_TLS_CERT_NAME,
		"certificate is for a, b, c, d");
	/* a part of the name, before it or behind it */
	try_san(NAME, "DNS:test", REASON_TLS_CERT_NAME, "for test");
	try_san(NAME, "DNS:x." NAME, REASON_TLS_CERT_NAME, "for x." NAME);
	try_san(NAME, "DNS:" NAME ".example", REASON_TLS_CERT_NAME,
		"for " NAME ".example");
}

/* The CN of all of them is the right name: it never counts (RFC 9525). */
static void test_common_name(void **state)
{
	(void)state;
	try_san(NAME, NULL, REASON_TLS_CERT_NAME, "certificate has no SubjectAltName");
	try_san(NAME, "IP:192.0.2.1", REASON_TLS_CERT_NAME,
		"certificate has no SubjectAltName that fits");
	try_san(NAME, "email:a@" NAME, REASON_TLS_CERT_NAME, "that fits");
}

static void test_wildcard(void **state)
{
	(void)state;
	try_san("a.upstream.test", "DNS:*.upstream.test", REASON_NONE, "");
	try_san("a.b.upstream.test", "DNS:*.upstream.test", REASON_TLS_CERT_NAME,
		"for *.upstream.test");
	try_san("upstream.test", "DNS:*.upstream.test", REASON_TLS_CERT_NAME, "for *.");
	try_san("upstream.test", "DNS:*.test", REASON_TLS_CERT_NAME, "for *.test");
	try_san("upstream.test", "DNS:*", REASON_TLS_CERT_NAME, "for *");
	try_san("a.upstream.test", "DNS:a*.upstream.test", REASON_TLS_CERT_NAME,
		"for a*.");
	try_san("a.upstream.test", "DNS:a.*.test", REASON_TLS_CERT_NAME, "for a.*.test");
}

/* What cannot be printed does not reach a log; what does not fit is cut. */
static void test_names_of_the_remote(void **state)
{
	char many[] =
	    "DNS:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example,"
	    "DNS:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example,"
	    "DNS:ccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example";

	(void)state;
	try_san(NAME, "DNS:a\x01\x1b[2J\x7f\xc3.test", REASON_TLS_CERT_NAME,
		"certificate is for a??[2J??.test");
	try_san(NAME, many, REASON_TLS_CERT_NAME, "bbb.example, ccc");
}

static void try_address(const char *ip, const char *san, enum reason why)
{
	struct tls_trust trust = usual();
	struct pki_spec leaf = {.cn = ip, .san = san};
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), 853), 0);
	trust.name = NULL;
	trust.address = &a;
	try_leaf(&trust, &w.root, &leaf, why, why == REASON_NONE ? "" : "certificate ");
}

static void test_address(void **state)
{
	(void)state;
	try_address("192.0.2.1", "DNS:a.test,IP:192.0.2.1", REASON_NONE);
	try_address("192.0.2.1", "IP:192.0.2.2", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", "DNS:192.0.2.1", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", "IP:::ffff:192.0.2.1", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", NULL, REASON_TLS_CERT_NAME);
	try_address("2001:db8::1", "IP:2001:db8::1", REASON_NONE);
	try_address("2001:db8::1", "IP:2001:db8::2,DNS:2001:db8::1",
		    REASON_TLS_CERT_NAME);
}

/* ---- when, by whom and what for ---- */

static void test_dates(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec old = {.cn = NAME, .san = "DNS:" NAME, .from = -20, .until = -10};
	struct pki_spec early = {.cn = NAME, .san = "DNS:" NAME, .from = 10, .until = 20};
	struct identity id[] = {pki_make(&w.root, &old), pki_make(&w.root, &early)};
	struct server_spec spec[] = {{.leaf = &id[0]}, {.leaf = &id[1]}};
	char day[16], text[64];

	(void)state;
	pki_day(X509_get0_notAfter(id[0].cert), day);
	snprintf(text, sizeof text, "certificate expired %s", day);
	try(&trust, &spec[0], REASON_TLS_CERT_EXPIRED, text);
	pki_day(X509_get0_notBefore(id[1].cert), day);
	snprintf(text, sizeof text, "certificate is not valid before %s", day);
	try(&trust, &spec[1], REASON_TLS_CERT_NOT_YET_VALID, text);
	pki_free(&id[0]);
	pki_free(&id[1]);
}

static void test_issuer(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct pki_spec no_ca = {.cn = "No CA", .san = "DNS:no-ca.test"};
	struct identity leaf = pki_make(&w.inter, &spec);
	struct identity between = pki_make(&w.root, &no_ca);
	struct identity below = pki_make(&between, &spec);
	struct server_spec whole = {.leaf = &leaf, .chain = &w.inter};
	struct server_spec cut = {.leaf = &leaf};
	struct server_spec wrong = {.leaf = &below, .chain = &between};

	(void)state;
	try_leaf(&trust, NULL, &spec, REASON_TLS_CERT_UNTRUSTED, "self");
	try_leaf(&trust, &w.other, &spec, REASON_TLS_CERT_UNTRUSTED,
		 "no trusted CA for the certificate's issuer Other CA");
	try(&trust, &whole, REASON_NONE, "");
	try(&trust, &cut, REASON_TLS_CERT_UNTRUSTED,
	    "no trusted CA for the certificate's issuer Between CA");
	try(&trust, &wrong, REASON_TLS_CERT_UNTRUSTED, "CA certificate");
	pki_free(&leaf);
	pki_free(&between);
	pki_free(&below);
}

/* A CA of the right name with another key. */
static void test_forged_issuer(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec ca = {.cn = "Root CA", .ca = true};
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity forged = pki_make(NULL, &ca);
	struct identity leaf = pki_make(&forged, &spec);
	struct server_spec with = {.leaf = &leaf, .chain = &forged};

	(void)state;
	try_leaf(&trust, &forged, &spec, REASON_TLS_CERT_UNTRUSTED, "");
	try(&trust, &with, REASON_TLS_CERT_UNTRUSTED, "");
	pki_free(&leaf);
	pki_free(&forged);
}

static void test_purpose(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME, .eku = "clientAuth"};

	(void)state;
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_PURPOSE, "purpose");
	spec.eku = "serverAuth,clientAuth";
	try_leaf(&trust, &w.root, &spec, REASON_NONE, "");
}

static void test_weak(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME, .rsa_bits = 1024};

	(void)state;
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_WEAK, "key too weak");
	spec.rsa_bits = 2048;
	try_leaf(&trust, &w.root, &spec, REASON_NONE, "");
	spec.digest = EVP_sha1();
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_WEAK, "too weak");
}

/* ---- pins, and no authentication ---- */

static void add_pin(struct tls_trust *t, const struct identity *id)
{
	pki_pin(id, t->pins[t->pin_count++]);
}

/* With a name, pins come on top of it, and anyone in the chain may carry them. */
static void test_name_and_pin(void **state)
{
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity leaf = pki_make(&w.inter, &spec);
	struct server_spec server = {.leaf = &leaf, .chain = &w.inter};
	const struct identity *in_chain[] = {&leaf, &w.inter, &w.root};
	struct tls_trust trust;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		trust = usual();
		add_pin(&trust, &w.other);
		add_pin(&trust, in_chain[i]);
		try(&trust, &server, REASON_NONE, "");
	}
	trust.name = "other.test";
	try(&trust, &server, REASON_TLS_CERT_NAME, "for " NAME);
	trust = usual();
	add_pin(&trust, &w.other);
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

/* A chain that is sent but not verified proves nothing. */
static void test_pin_beside_the_chain(void **state)
{
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity leaf = pki_make(&w.root, &spec);
	struct server_spec server = {.leaf = &leaf, .chain = &w.other};
	struct tls_trust trust = usual();

	(void)state;
	add_pin(&trust, &w.other);
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	trust.auth = TLS_AUTH_PIN;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

/* Nothing but the end certificate's key is looked at. */
static void test_pin_alone(void **state)
{
	struct pki_spec old = {.cn = "x", .san = "DNS:x.test", .from = -20, .until = -10};
	struct identity leaf = pki_make(&w.other, &old);
	struct server_spec server = {.leaf = &leaf, .chain = &w.other};
	struct tls_trust trust = {.auth = TLS_AUTH_PIN, .name = NAME};

	(void)state;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	add_pin(&trust, &w.other); /* its issuer's pin does not do */
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	while (trust.pin_count < TLS_PINS_MAX - 1)
		add_pin(&trust, &w.root);
	add_pin(&trust, &leaf);
	try(&trust, &server, REASON_NONE, "");
	trust.pins[TLS_PINS_MAX - 1][TLS_PIN_LEN - 1] ^= 1;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

static void test_no_authentication(void **state)
{
	struct pki_spec old = {.cn = "x", .from = -20, .until = -10, .rsa_bits = 1024};
	struct tls_trust trust = {.auth = TLS_AUTH_NONE, .name = NAME};

	(void)state;
	try_leaf(&trust, NULL, &old, REASON_NONE, "");
}

/* ---- versions, alerts and what is not TLS ---- */

/* A leaf that is right in every way, for what is not about certificates. */
static struct identity good_leaf(void)
{
	return pki_make(&w.root, &(struct pki_spec){.cn = NAME, .san = "DNS:" NAME});
}

static void test_versions(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_1_VERSION};
	struct tls_trust trust = usual();

	(void)state;
	try(&trust, &spec, REASON_TLS_PROTOCOL, "protocol version");
	spec.version = TLS1_2_VERSION;
	try(&trust, &spec, REASON_NONE, "");
	trust.tls13_only = true;
	try(&trust, &spec, REASON_TLS_PROTOCOL, "protocol version");
	spec.version = TLS1_3_VERSION;
	try(&trust, &spec, REASON_NONE, "");
	pki_free(&leaf);
}

/* Suites without forward secrecy or authenticated encryption are not offered. */
static void test_old_suites(void **state)
{
	struct identity leaf = pki_make(
	    &w.root,
	    &(struct pki_spec){.cn = NAME, .san = "DNS:" NAME, .rsa_bits = 2048});
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_2_VERSION};
	static const char *const old[] = {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct server server;
		struct link l;

		server_open(&server, &spec);
		assert_int_equal(SSL_CTX_set_cipher_list(server.ctx, old[i]), 1);
		link_open(&l, p, &server);
		assert_int_equal(shake(&l), TLS_ERROR);
		expect_failure(&l, REASON_TLS_PROTOCOL, "handshake failure");
		link_shut(&l);
		server_shut(&server);
	}
	tls_peer_free(p);
	pki_free(&leaf);
}

static void test_what_was_agreed(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	struct tm tm;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(tls_conn_cert_not_after(l.conn), 0);
	assert_int_equal(shake(&l), TLS_OK);
	assert_string_equal(tls_conn_version(l.conn), "TLSv1.3");
	assert_string_equal(tls_conn_suite(l.conn), "TLS_AES_128_GCM_SHA256");
	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(leaf.cert), &tm), 1);
	assert_int_equal(tls_conn_cert_not_after(l.conn), timegm(&tm));
	assert_false(tls_conn_resumed(l.conn));
	assert_string_equal(server.sni, NAME);
	assert_string_equal(server.alpn, "\x03"
					 "dot");
	assert_memory_equal(tls_library_version(), "OpenSSL 3", 9);
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* RFC 6066 3: an address is no server name. */
static void test_no_sni_of_an_address(void **state)
{
	struct identity leaf =
	    pki_make(&w.root, &(struct pki_spec){.cn = "x", .san = "IP:192.0.2.1"});
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct address a;
	struct tls_peer *p;
	struct server server;
	struct link l;

	(void)state;
	assert_int_equal(address_parse_ip(&a, "192.0.2.1", 9, 853), 0);
	trust.name = NULL;
	trust.address = &a;
	p = peer_of(&trust);
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(shake(&l), TLS_OK);
	assert_string_equal(server.sni, "-");
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

static void test_alerts(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec name = {.leaf = &leaf, .refuse_name = true};
	struct server_spec alpn = {.leaf = &leaf, .refuse_alpn = true};
	struct server_spec demand = {
	    .leaf = &leaf, .version = TLS1_2_VERSION, .demand_cert = true};
	struct tls_trust trust = usual();

	(void)state;
	try(&trust, &name, REASON_TLS_ALERT, "alert unrecognized name");
	try(&trust, &alpn, REASON_TLS_ALERT, "alert no application protocol");
	try(&trust, &demand, REASON_TLS_ALERT, "alert handshake failure");
	pki_free(&leaf);
}

/* TLS 1.3: the client is done before the server looks for its certificate. */
static void test_client_certificate_demanded(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf, .demand_cert = true};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(shake(&l), TLS_OK);
	assert_int_equal(end_of(&l), TLS_ERROR);
	expect_failure(&l, REASON_TLS_ALERT, "alert certificate required");
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* Until the client no longer waits, against a server that has no TLS. */
static enum tls_status shake_alone(struct link *l)
{
	enum tls_status s = tls_handshake(l->conn);

	for (unsigned i = 0; i < TURNS_MAX && client_waits(s); i++) {
		wait_client(l);
		s = tls_handshake(l->conn);
	}
	return s;
}

static void take_hello(struct link *l)
{
	struct pollfd p = {.fd = l->server_fd, .events = POLLIN};
	uint8_t hello[4096];

	assert_int_equal(tls_handshake(l->conn), TLS_WANT_READ);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(read(l->server_fd, hello, sizeof hello) > 0);
}

static void test_not_tls(void **state)
{
	static const struct {
		const char *data;
		size_t len;
	} said[] = {
	    {"HTTP/1.1 400 Bad Request\r\n\r\n", 28},
	    {"220 mail.example ESMTP\r\n", 24},
	    {"SSH-2.0-x\r\n", 11},
	    {"\x00\x0c\x12\x34\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00", 14},
	    {"\xff\xff\xff\xff\xff\xff\xff\xff", 8},
	    /* TLS in front, but nonsense in the record, and a record too long */
	    {"\x16\x03\x03\x00\x04zzzz", 9},
	    {"\x16\x03\x03\xff\xff\x02\x00\x00", 8},
	    {"\x17\x03\x03\x00\x02hi", 7},
	};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);

	(void)state;
	for (unsigned i = 0; i < sizeof said / sizeof *said; i++) {
		struct link l;

		link_open(&l, p, NULL);
		take_hello(&l);
		assert_int_equal(write(l.server_fd, said[i].data, said[i].len),
				 said[i].len);
		assert_int_equal(shake_alone(&l), TLS_ERROR);
		expect_failure(&l, REASON_TLS_PROTOCOL, " ");
		link_shut(&l);
	}
	tls_peer_free(p);
}

/* ---- ends ---- */

static void drop(struct link *l, bool reset)
{
	struct linger now = {.l_onoff = 1};

	if (reset)
		setsockopt(l->server_fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
	close(l->server_fd);
	l->server_fd = -1;
}

static void test_end_in_the_handshake(void **state)
{
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct link l;

	(void)state;
	for (int reset = 0; reset < 2; reset++) {
		link_open(&l, p, NULL);
		take_hello(&l);
		drop(&l, reset);
		assert_int_equal(shake_alone(&l), TLS_ERROR);
		expect_failure(&l, reset ? REASON_RESET : REASON_CLOSED_BUSY,
			       reset ? strerror(ECONNRESET) : "the upstream");
		link_shut(&l);
	}
	/* in the middle of a record */
	link_open(&l, p, NULL);
	take_hello(&l);
	assert_int_equal(write(l.server_fd, "\x16\x03\x03\x00\x40\x02", 6), 6);
	drop(&l, false);
	assert_int_equal(shake_alone(&l), TLS_ERROR);
	expect_failure(&l, REASON_CLOSED_BUSY, "the upstream");
	link_shut(&l);
	tls_peer_free(p);
}

enum end { END_NOTIFY, END_FIN, END_RESET };

static void try_end(struct tls_peer *p, struct server *server, enum end end)
{
	uint8_t got[64];
	size_t n = 0;
	struct link l;

	link_open(&l, p, server);
	assert_int_equal(shake(&l), TLS_OK);
	exchange(&l);
	if (end != END_RESET)
		server_send(&l, "last", 4);
	if (end == END_NOTIFY)
		SSL_shutdown(l.ssl);
	else
		drop(&l, end == END_RESET);
	if (end != END_RESET) {
		assert_int_equal(client_read(&l, got, sizeof got, &n), TLS_OK);
		assert_int_equal(n, 4);
		assert_memory_equal(got, "last", 4);
		assert_int_equal(end_of(&l), TLS_EOF);
		assert_int_equal(end_of(&l), TLS_EOF);
	} else {
		assert_int_equal(end_of(&l), TLS_ERROR);
		expect_failure(&l, REASON_RESET, strerror(ECONNRESET));
	}
	tls_close(l.conn);
	link_shut(&l);
}

static void test_ends(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct server server;

		spec.version = version;
		server_open(&server, &spec);
		try_end(p, &server, END_NOTIFY);
		try_end(p, &server, END_FIN);
		try_end(p, &server, END_RESET);
		server_shut(&server);
	}
	tls_peer_free(p);
	pki_free(&leaf);
}

static void test_close(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	char c;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	tls_close(l.conn); /* there is nothing to close yet */
	assert_int_equal(recv(l.server_fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(shake(&l), TLS_OK);
	tls_close(l.conn);
	assert_int_equal(SSL_read(l.ssl, &c, 1), 0);
	assert_int_equal(SSL_get_error(l.ssl, 0), SSL_ERROR_ZERO_RETURN);
	link_shut(&l);
	tls_conn_free(NULL);
	tls_peer_free(NULL);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* ---- data ---- */

static void test_write_before_authentication(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	size_t n = 0;
	char c;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(tls_write(l.conn, (const uint8_t *)"secret", 6, &n), TLS_ERROR);
	assert_int_equal(n, 0);
	assert_int_equal(recv(l.server_fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(tls_handshake(l.conn), TLS_WANT_READ);
	assert_int_equal(tls_write(l.conn, (const uint8_t *)"secret", 6, &n), TLS_ERROR);
	expect_failure(&l, REASON_TLS_PROTOCOL, "not authenticated");
	assert_int_equal(shake(&l), TLS_OK);
	assert_int_equal(SSL_read(l.ssl, &c, 1), -1);
	assert_int_equal(SSL_get_error(l.ssl, -1), SSL_ERROR_WANT_READ);
	assert_int_equal(tls_write(l.conn, (const uint8_t *)"a", 1, &n), TLS_OK);
	assert_int_equal(SSL_read(l.ssl, &c, 1), 1);
	assert_int_equal(c, 'a');
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* A refused upstream gets nothing, and why it was refused stays known. */
static void test_write_after_refusal(void **state)
{
	struct identity leaf =
	    pki_make(&w.root, &(struct pki_spec){.cn = "x", .san = "DNS:x.test"});
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	size_t n = 0;
	char c;

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		spec.version = version;
		server_open(&server, &spec);
		link_open(&l, p, &server);
		assert_int_equal(shake(&l), TLS_ERROR);
		assert_int_equal(tls_write(l.conn, (const uint8_t *)"s", 1, &n),
				 TLS_ERROR);
		assert_int_equal(tls_handshake(l.conn), TLS_ERROR);
		assert_int_equal(tls_write(l.conn, (const uint8_t *)"s", 1, &n),
				 TLS_ERROR);
		assert_int_equal(tls_read(l.conn, (uint8_t *)&c, 1, &n), TLS_ERROR);
		assert_int_equal(n, 0);
		expect_failure(&l, REASON_TLS_CERT_NAME, "for x.test");
		tls_close(l.conn);
		assert_true(SSL_read(l.ssl, &c, 1) <= 0);
		assert_int_equal(tls_peer_sessions(p), 0);
		link_shut(&l);
		server_shut(&server);
	}
	tls_peer_free(p);
	pki_free(&leaf);
}

/* Records that the library has taken from the socket already are said to be pending. */
static void test_pending(void **state)
{
	enum { RECORDS = 20 };
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	uint8_t got[64];
	size_t n = 0;
	char c;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(shake(&l), TLS_OK);
	exchange(&l);
	assert_false(tls_pending(l.conn));
	for (int i = 1; i <= RECORDS; i++)
		server_send(&l, "abcdefghijklmnopqrstuvwxyz", i);
	/* a header, the octets, their type and their tag */
	wait_octets(&l, RECORDS * (5 + 1 + 16) + RECORDS * (RECORDS + 1) / 2);
	for (size_t i = 1; i <= RECORDS; i++) {
		assert_int_equal(tls_read(l.conn, got, sizeof got, &n), TLS_OK);
		assert_int_equal(n, i);
		assert_memory_equal(got, "abcdefghijklmnopqrstuvwxyz", n);
		assert_int_equal(tls_pending(l.conn), i < RECORDS);
		assert_int_equal(recv(l.client_fd, &c, 1, MSG_PEEK), -1);
	}
	assert_int_equal(tls_read(l.conn, got, sizeof got, &n), TLS_WANT_READ);
	assert_false(tls_pending(l.conn));
	/* one record, in parts */
	server_send(&l, "abcdef", 6);
	assert_int_equal(client_read(&l, got, 4, &n), TLS_OK);
	assert_int_equal(n, 4);
	assert_true(tls_pending(l.conn));
	assert_int_equal(tls_read(l.conn, got, 4, &n), TLS_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(got, "ef", 2);
	assert_false(tls_pending(l.conn));
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 31 + i / 251);
}

/* Offers what is left of TOTAL octets, each time from another place in memory. */
static enum tls_status write_rest(struct link *l, size_t total, size_t *done)
{
	static uint8_t copy[2][40000];
	static unsigned turn;
	enum tls_status s = TLS_OK;

	while (s == TLS_OK && *done < total) {
		uint8_t *data = copy[turn++ % 2];
		size_t n = 0, len = total - *done;

		if (len > sizeof copy[0])
			len = sizeof copy[0];
		for (size_t i = 0; i < len; i++)
			data[i] = pattern(*done + i);
		s = tls_write(l->conn, data, len, &n);
		*done += n;
	}
	return s;
}

/* Takes what has come; returns how much there is by now. */
static size_t drain(struct link *l, size_t got)
{
	struct pollfd p = {.fd = l->server_fd, .events = POLLIN};
	uint8_t data[16384];
	int n;

	poll(&p, 1, 5);
	while ((n = SSL_read(l->ssl, data, sizeof data)) > 0)
		for (int i = 0; i < n; i++)
			if (data[i] != pattern(got++))
				fail_msg("octet %zu is wrong", got - 1);
	return got;
}

static void test_write_that_must_wait(void **state)
{
	enum { TOTAL = 16 << 20 };
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;
	size_t sent = 0, got = 0;
	unsigned waits = 0;

	(void)state;
	server_open(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(shake(&l), TLS_OK);
	for (unsigned turn = 0; turn < TURNS_MAX && got < TOTAL; turn++) {
		if (sent < TOTAL && write_rest(&l, TOTAL, &sent) == TLS_WANT_WRITE)
			waits++;
		got = drain(&l, got);
	}
	assert_int_equal(sent, TOTAL);
	assert_int_equal(got, TOTAL);
	assert_true(waits > 0);
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* ---- resumption ---- */

/* One connection from the handshake to its end; whether it was resumed. */
static bool visit(struct tls_peer *p, struct server *server, bool polite)
{
	struct link l;
	bool resumed;

	link_open(&l, p, server);
	assert_int_equal(shake(&l), TLS_OK);
	exchange(&l);
	resumed = tls_conn_resumed(l.conn);
	assert_true(tls_conn_cert_not_after(l.conn) > time(NULL));
	assert_int_equal(SSL_session_reused(l.ssl), resumed);
	if (polite)
		tls_close(l.conn);
	link_shut(&l);
	return resumed;
}

static void test_tickets_are_used_once(void **state)
{
	enum { TICKETS = 3 };
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;

	(void)state;
	server_open(&server, &spec);
	SSL_CTX_set_num_tickets(server.ctx, TICKETS);
	assert_int_equal(tls_peer_sessions(p), 0);
	assert_false(visit(p, &server, true));
	assert_int_equal(tls_peer_sessions(p), TICKETS);
	SSL_CTX_set_num_tickets(server.ctx, 0);
	for (unsigned i = TICKETS; i-- > 0;) {
		assert_true(visit(p, &server, true));
		assert_int_equal(tls_peer_sessions(p), i);
	}
	assert_false(visit(p, &server, true));
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* In another network they would tell that it is the same client (RFC 8446 C.4). */
static void test_tickets_stay_in_their_network(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;

	(void)state;
	server_open(&server, &spec);
	assert_false(visit(p, &server, true));
	assert_true(visit(p, &server, true));
	local_ip = INADDR_LOOPBACK + 1;
	assert_false(visit(p, &server, true));
	assert_true(visit(p, &server, true));
	local_ip = INADDR_LOOPBACK;
	assert_false(visit(p, &server, true));
	tls_peer_forget_sessions(p);
	assert_int_equal(tls_peer_sessions(p), 0);
	assert_false(visit(p, &server, true));
	assert_true(visit(p, &server, true));
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* A connection that is dropped leaves its sessions as good as one that is closed. */
static void test_tickets_outlive_a_drop(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_peer *p = peer_of(&trust);
		struct server server;

		spec.version = version;
		server_open(&server, &spec);
		assert_false(visit(p, &server, false));
		assert_true(visit(p, &server, false));
		assert_true(visit(p, &server, false));
		server_shut(&server);
		tls_peer_free(p);
	}
	pki_free(&leaf);
}

/* TLS 1.2: a session may serve again, also while it is in use. */
static void test_tls12_sessions(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_2_VERSION};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l[2];

	(void)state;
	server_open(&server, &spec);
	assert_false(visit(p, &server, true));
	for (unsigned i = 0; i < 2; i++) {
		link_open(&l[i], p, &server);
		assert_int_equal(shake(&l[i]), TLS_OK);
		assert_true(tls_conn_resumed(l[i].conn));
		assert_string_equal(tls_conn_version(l[i].conn), "TLSv1.2");
	}
	link_shut(&l[0]);
	link_shut(&l[1]);
	assert_true(visit(p, &server, true));
	assert_true(tls_peer_sessions(p) >= 1);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* A session whose connection broke the protocol is not offered again (RFC 5246 7.2.2). */
static void test_spoilt_session(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_2_VERSION};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;

	(void)state;
	server_open(&server, &spec);
	assert_false(visit(p, &server, true));
	link_open(&l, p, &server);
	assert_int_equal(shake(&l), TLS_OK);
	assert_true(tls_conn_resumed(l.conn));
	assert_int_equal(write(l.server_fd, "\x17\x03\x03\x00\x04zzzz", 9), 9);
	assert_int_equal(end_of(&l), TLS_ERROR);
	expect_failure(&l, REASON_TLS_PROTOCOL, "");
	link_shut(&l);
	assert_false(visit(p, &server, true));
	assert_int_equal(tls_peer_sessions(p), 1);
	assert_true(visit(p, &server, true));
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* However many tickets a server gives, the newest few are kept. */
static void test_tickets_are_bounded(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;

	(void)state;
	server_open(&server, &spec);
	SSL_CTX_set_num_tickets(server.ctx, 100);
	assert_false(visit(p, &server, true));
	assert_int_equal(tls_peer_sessions(p), 16);
	assert_true(visit(p, &server, true));
	assert_int_equal(tls_peer_sessions(p), 16);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* ---- early data ---- */

/* As shake(), with a server that reads early data. Returns what it read. */
static const char *shake_early(struct link *l)
{
	static char got[64];
	enum tls_status s = TLS_WANT_READ;
	size_t len = 0, n;
	bool early_done = false, server_done = false;

	for (unsigned i = 0; i < TURNS_MAX && (client_waits(s) || !server_done); i++) {
		if (client_waits(s))
			s = tls_handshake(l->conn);
		ERR_clear_error();
		if (!early_done) {
			int r = SSL_read_early_data(l->ssl, got + len,
						    sizeof got - len - 1, &n);

			early_done = r == SSL_READ_EARLY_DATA_FINISH;
			len += r == SSL_READ_EARLY_DATA_SUCCESS ? n : 0;
		} else if (!server_done) {
			server_done = SSL_accept(l->ssl) == 1;
		}
		ERR_clear_error();
		if (client_waits(s))
			wait_either(l);
	}
	assert_int_equal(s, TLS_OK);
	got[len] = '\0';
	return got;
}

#define EARLY_ROOM 1000

static void open_early(struct server *server, const struct server_spec *spec)
{
	server_open(server, spec);
	assert_int_equal(SSL_CTX_set_max_early_data(server->ctx, EARLY_ROOM), 1);
}

static void test_early_data(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;

	(void)state;
	open_early(&server, &spec);
	link_open(&l, p, &server);
	assert_int_equal(tls_early_room(l.conn), 0); /* it has no ticket */
	link_shut(&l);
	assert_false(visit(p, &server, true));
	link_open(&l, p, &server);
	assert_int_equal(tls_early_room(l.conn), EARLY_ROOM);
	assert_int_equal(tls_write_early(l.conn, (const uint8_t *)"question", 8), TLS_OK);
	assert_string_equal(shake_early(&l), "question");
	assert_true(tls_early_accepted(l.conn));
	assert_true(tls_conn_resumed(l.conn));
	exchange(&l);
	link_shut(&l);
	/* a ticket that allows it need not be used so */
	assert_true(visit(p, &server, true));
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* A server that does not know the ticket any more reads nothing of it. */
static void test_early_data_refused(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server, restarted;
	struct link l;
	size_t n;

	(void)state;
	open_early(&server, &spec);
	open_early(&restarted, &spec);
	assert_false(visit(p, &server, true));
	link_open(&l, p, &restarted);
	assert_int_equal(tls_early_room(l.conn), EARLY_ROOM);
	assert_int_equal(tls_write_early(l.conn, (const uint8_t *)"question", 8), TLS_OK);
	assert_string_equal(shake_early(&l), "");
	assert_false(tls_early_accepted(l.conn));
	assert_false(tls_conn_resumed(l.conn));
	assert_int_equal(tls_write(l.conn, (const uint8_t *)"question", 8, &n), TLS_OK);
	exchange(&l);
	link_shut(&l);
	server_shut(&server);
	server_shut(&restarted);
	tls_peer_free(p);
	pki_free(&leaf);
}

static void test_no_early_data_under_another_name(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);
	struct server server;
	struct link l;

	(void)state;
	open_early(&server, &spec);
	assert_false(visit(p, &server, true));
	tls_peer_set_sni(p, "another.test");
	link_open(&l, p, &server);
	assert_int_equal(tls_early_room(l.conn), 0);
	assert_int_equal(shake(&l), TLS_OK);
	link_shut(&l);
	server_shut(&server);
	tls_peer_free(p);
	pki_free(&leaf);
}

/* Sessions are not used for another trust, even with the same server. */
static void test_sessions_stay_with_their_peer(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust none = {.auth = TLS_AUTH_NONE, .name = NAME};
	struct tls_trust strict = usual();
	struct tls_peer *a = peer_of(&none), *b;
	struct server server;
	struct link l;

	(void)state;
	strict.name = "other.test";
	b = peer_of(&strict);
	server_open(&server, &spec);
	assert_false(visit(a, &server, true));
	assert_int_equal(tls_peer_sessions(a), 2);
	link_open(&l, b, &server);
	assert_int_equal(shake(&l), TLS_ERROR);
	expect_failure(&l, REASON_TLS_CERT_NAME, "for " NAME);
	link_shut(&l);
	assert_int_equal(tls_peer_sessions(a), 2);
	assert_int_equal(tls_peer_sessions(b), 0);
	assert_true(visit(a, &server, true));
	server_shut(&server);
	tls_peer_free(a);
	tls_peer_free(b);
	pki_free(&leaf);
}

/* The server has lost its keys: that costs a full handshake, and nothing else. */
static void test_session_unknown_to_the_server(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf};
	struct tls_trust trust = usual();

	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct tls_peer *p = peer_of(&trust);
		struct server old, new;

		spec.version = version;
		server_open(&old, &spec);
		server_open(&new, &spec);
		assert_false(visit(p, &old, true));
		assert_false(visit(p, &new, true));
		assert_true(visit(p, &new, true));
		server_shut(&old);
		server_shut(&new);
		tls_peer_free(p);
	}
	pki_free(&leaf);
}

/* ---- trust that cannot be read ---- */

static void expect_refused(const struct tls_trust *trust, const char *part)
{
	struct tls_peer *p = NULL;
	char error[TLS_ERROR_MAX] = "";

	assert_int_equal(tls_peer_new(&p, trust, error), -EINVAL);
	assert_null(p);
	if (!strstr(error, part))
		fail_msg("\"%s\" instead of \"%s\"", error, part);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_ca_file(void **state)
{
	struct tls_trust trust = usual();
	char path[128], text[256];

	(void)state;
	snprintf(path, sizeof path, "%s/x.pem", w.dir);
	trust.ca_file = path;
	snprintf(text, sizeof text, "ca-file %s: No such file", path);
	expect_refused(&trust, text);
	snprintf(text, sizeof text, "ca-file %s: has no CA certificate in PEM", path);
	put(path, "");
	expect_refused(&trust, text);
	put(path, "this is no certificate\n");
	expect_refused(&trust, text);
	put(path, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	expect_refused(&trust, text);
	put(path, "-----BEGIN CERTIFICATE-----\n");
	expect_refused(&trust, text);
	assert_int_equal(unlink(path), 0);
	trust.ca_file = w.dir;
	expect_refused(&trust, ": is a folder: use ca-dir");
}

/* A list of revoked certificates is not one of CAs. */
static void test_ca_file_of_revocations(void **state)
{
	struct tls_trust trust = usual();
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/crl.pem", w.dir);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(w.root.cert));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, now);
	assert_true(X509_CRL_sign(crl, w.root.key, EVP_sha256()) > 0);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	trust.ca_file = path;
	expect_refused(&trust, ": has no CA certificate in PEM");
	assert_int_equal(unlink(path), 0);
	ASN1_TIME_free(now);
	X509_CRL_free(crl);
}

/* The folder as `openssl rehash` leaves it. */
static void test_ca_dir(void **state)
{
	struct pki_spec leaf = {.cn = NAME, .san = "DNS:" NAME};
	struct tls_trust trust = {.auth = TLS_AUTH_NAME, .name = NAME, .ca_dir = w.dir};
	char path[128];

	(void)state;
	try_leaf(&trust, &w.root, &leaf, REASON_TLS_CERT_UNTRUSTED, "issuer Root CA");
	snprintf(path, sizeof path, "%s/%08lx.0", w.dir,
		 X509_NAME_hash_ex(X509_get_subject_name(w.root.cert), NULL, NULL, NULL));
	pki_save(&w.root, path);
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(unlink(path), 0);
	trust.ca_dir = w.ca;
	expect_refused(&trust, ": is no folder: use ca-file");
	trust.ca_dir = path;
	expect_refused(&trust, ": No such file");
	trust.ca_dir = w.dir; /* both count */
	trust.ca_file = w.ca;
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
}

static void test_system_trust(void **state)
{
	struct pki_spec leaf = {.cn = NAME, .san = "DNS:" NAME};
	struct tls_trust trust = {.auth = TLS_AUTH_NAME, .name = NAME};

	(void)state;
	try_leaf(&trust, &w.root, &leaf, REASON_TLS_CERT_UNTRUSTED, "issuer Root CA");
	assert_int_equal(setenv("SSL_CERT_FILE", w.ca, 1), 0);
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(setenv("SSL_CERT_FILE", w.dir, 1), 0);
	expect_refused(&trust, ": is a folder");
	/* who does not look at CAs has no use for their file */
	trust.auth = TLS_AUTH_NONE;
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

/* ---- */

static int setup(void **state)
{
	struct pki_spec root = {.cn = "Root CA", .ca = true};
	struct pki_spec inter = {.cn = "Between CA", .ca = true};
	struct pki_spec other = {.cn = "Other CA", .ca = true};

	(void)state;
	/* as the daemon does */
	signal(SIGPIPE, SIG_IGN);
	unsetenv("SSL_CERT_FILE");
	unsetenv("SSL_CERT_DIR");
	snprintf(w.dir, sizeof w.dir, "/tmp/dotgate-tls-XXXXXX");
	if (!mkdtemp(w.dir))
		return -1;
	snprintf(w.ca, sizeof w.ca, "%s/ca.pem", w.dir);
	w.root = pki_make(NULL, &root);
	w.inter = pki_make(&w.root, &inter);
	w.other = pki_make(NULL, &other);
	pki_save(&w.root, w.ca);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	pki_free(&w.root);
	pki_free(&w.inter);
	pki_free(&w.other);
	unlink(w.ca);
	return rmdir(w.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_common_name),
	    cmocka_unit_test(test_wildcard),
	    cmocka_unit_test(test_names_of_the_remote),
	    cmocka_unit_test(test_address),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_issuer),
	    cmocka_unit_test(test_forged_issuer),
	    cmocka_unit_test(test_purpose),
	    cmocka_unit_test(test_weak),
	    cmocka_unit_test(test_name_and_pin),
	    cmocka_unit_test(test_pin_beside_the_chain),
	    cmocka_unit_test(test_pin_alone),
	    cmocka_unit_test(test_no_authentication),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_old_suites),
	    cmocka_unit_test(test_what_was_agreed),
	    cmocka_unit_test(test_no_sni_of_an_address),
	    cmocka_unit_test(test_alerts),
	    cmocka_unit_test(test_client_certificate_demanded),
	    cmocka_unit_test(test_not_tls),
	    cmocka_unit_test(test_end_in_the_handshake),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_close),
	    cmocka_unit_test(test_write_before_authentication),
	    cmocka_unit_test(test_write_after_refusal),
	    cmocka_unit_test(test_pending),
	    cmocka_unit_test(test_write_that_must_wait),
	    cmocka_unit_test(test_tickets_are_used_once),
	    cmocka_unit_test(test_tickets_stay_in_their_network),
	    cmocka_unit_test(test_tickets_outlive_a_drop),
	    cmocka_unit_test(test_tls12_sessions),
	    cmocka_unit_test(test_spoilt_session),
	    cmocka_unit_test(test_tickets_are_bounded),
	    cmocka_unit_test(test_early_data),
	    cmocka_unit_test(test_early_data_refused),
	    cmocka_unit_test(test_no_early_data_under_another_name),
	    cmocka_unit_test(test_sessions_stay_with_their_peer),
	    cmocka_unit_test(test_session_unknown_to_the_server),
	    cmocka_unit_test(test_ca_file),
	    cmocka_unit_test(test_ca_file_of_revocations),
	    cmocka_unit_test(test_ca_dir),
	    cmocka_unit_test(test_system_trust),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
