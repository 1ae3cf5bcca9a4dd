/* tls_world: CAs, a client that trusts one of them, and one whole handshake. */
#ifndef DOTGATE_TESTS_UNIT_NET_TLS_WORLD_H
#define DOTGATE_TESTS_UNIT_NET_TLS_WORLD_H

#include "tls_link.h"

#include <signal.h>
#include <stdlib.h>

#define NAME "upstream.test"

struct world {
	char dir[64], ca[96];
	struct identity root, inter, other; /* `other` is nobody's trusted CA */
};

static struct world w;

static inline int setup(void **state)
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

static inline int teardown(void **state)
{
	(void)state;
	pki_free(&w.root);
	pki_free(&w.inter);
	pki_free(&w.other);
	unlink(w.ca);
	return rmdir(w.dir);
}

/* A leaf that is right in every way, for what is not about certificates. */
static inline struct identity good_leaf(void)
{
	return pki_make(&w.root, &(struct pki_spec){.cn = NAME, .san = "DNS:" NAME});
}

static inline struct tls_trust usual(void)
{
	return (struct tls_trust){.auth = TLS_AUTH_NAME, .name = NAME, .ca_file = w.ca};
}

static inline struct tls_peer *peer_of(const struct tls_trust *trust)
{
	char error[TLS_ERROR_MAX] = "";
	struct tls_peer *p = NULL;

	if (tls_peer_new(&p, trust, error) != 0)
		fail_msg("%s", error);
	return p;
}

/* One handshake: REASON_NONE, or the reason and a part of the detail. */
static inline void try(const struct tls_trust *trust, const struct server_spec *spec,
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

/* One handshake with a server whose certificate ISSUER signs. */
static inline void try_leaf(const struct tls_trust *trust, const struct identity *issuer,
			    const struct pki_spec *leaf, enum reason why,
			    const char *part)
{
	struct identity id = pki_make(issuer, leaf);
	struct server_spec spec = {.leaf = &id};

	try(trust, &spec, why, part);
	pki_free(&id);
}

/* A client, and a server that it trusts. */
struct scene {
	struct identity leaf;
	struct server_spec spec;
	struct server server;
	struct tls_peer *peer;
};

/* How the server behaves is said by SPEC, but for its certificate; NULL: as usual. */
static inline void scene_open(struct scene *s, const struct server_spec *spec)
{
	struct tls_trust trust = usual();

	s->leaf = good_leaf();
	s->spec = spec ? *spec : (struct server_spec){0};
	s->spec.leaf = &s->leaf;
	server_open(&s->server, &s->spec);
	s->peer = peer_of(&trust);
}

static inline void scene_shut(struct scene *s)
{
	server_shut(&s->server);
	tls_peer_free(s->peer);
	pki_free(&s->leaf);
}

/* One connection from the handshake to its end; whether it was resumed. */
static inline bool visit(struct tls_peer *p, struct server *server, bool polite)
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

#endif
