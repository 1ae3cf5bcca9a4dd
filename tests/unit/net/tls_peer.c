/* tls_peer: sessions that are resumed, and the server name that is sent. */
#include "tls_world.h"

/* ---- the server name ---- */

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

/* ---- resumption ---- */

static void test_tickets_are_used_once(void **state)
{
	enum { TICKETS = 3 };
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	SSL_CTX_set_num_tickets(s.server.ctx, TICKETS);
	assert_int_equal(tls_peer_sessions(s.peer), 0);
	assert_false(visit(s.peer, &s.server, true));
	assert_int_equal(tls_peer_sessions(s.peer), TICKETS);
	SSL_CTX_set_num_tickets(s.server.ctx, 0);
	for (unsigned i = TICKETS; i-- > 0;) {
		assert_true(visit(s.peer, &s.server, true));
		assert_int_equal(tls_peer_sessions(s.peer), i);
	}
	assert_false(visit(s.peer, &s.server, true));
	scene_shut(&s);
}

/* In another network they would tell that it is the same client (RFC 8446 C.4). */
static void test_tickets_stay_in_their_network(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	assert_false(visit(s.peer, &s.server, true));
	assert_true(visit(s.peer, &s.server, true));
	local_ip = INADDR_LOOPBACK + 1;
	assert_false(visit(s.peer, &s.server, true));
	assert_true(visit(s.peer, &s.server, true));
	local_ip = INADDR_LOOPBACK;
	assert_false(visit(s.peer, &s.server, true));
	tls_peer_forget_sessions(s.peer);
	assert_int_equal(tls_peer_sessions(s.peer), 0);
	assert_false(visit(s.peer, &s.server, true));
	assert_true(visit(s.peer, &s.server, true));
	scene_shut(&s);
}

/* A connection that is dropped leaves its sessions as good as one that is closed. */
static void test_tickets_outlive_a_drop(void **state)
{
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct scene s;

		scene_open(&s, &(struct server_spec){.version = version});
		assert_false(visit(s.peer, &s.server, false));
		assert_true(visit(s.peer, &s.server, false));
		assert_true(visit(s.peer, &s.server, false));
		scene_shut(&s);
	}
}

/* TLS 1.2: a session may serve again, also while it is in use. */
static void test_tls12_sessions(void **state)
{
	struct scene s;
	struct link l[2];

	(void)state;
	scene_open(&s, &(struct server_spec){.version = TLS1_2_VERSION});
	assert_false(visit(s.peer, &s.server, true));
	for (unsigned i = 0; i < 2; i++) {
		link_open(&l[i], s.peer, &s.server);
		assert_int_equal(shake(&l[i]), TLS_OK);
		assert_true(tls_conn_resumed(l[i].conn));
		assert_string_equal(tls_conn_version(l[i].conn), "TLSv1.2");
	}
	link_shut(&l[0]);
	link_shut(&l[1]);
	assert_true(visit(s.peer, &s.server, true));
	assert_true(tls_peer_sessions(s.peer) >= 1);
	scene_shut(&s);
}

/* A session whose connection broke the protocol is not offered again (RFC 5246 7.2.2). */
static void test_spoilt_session(void **state)
{
	struct scene s;
	struct link l;

	(void)state;
	scene_open(&s, &(struct server_spec){.version = TLS1_2_VERSION});
	assert_false(visit(s.peer, &s.server, true));
	link_open(&l, s.peer, &s.server);
	assert_int_equal(shake(&l), TLS_OK);
	assert_true(tls_conn_resumed(l.conn));
	assert_int_equal(write(l.server_fd, "\x17\x03\x03\x00\x04zzzz", 9), 9);
	assert_int_equal(end_of(&l), TLS_ERROR);
	expect_failure(&l, REASON_TLS_PROTOCOL, "");
	link_shut(&l);
	assert_false(visit(s.peer, &s.server, true));
	assert_int_equal(tls_peer_sessions(s.peer), 1);
	assert_true(visit(s.peer, &s.server, true));
	scene_shut(&s);
}

/* However many tickets a server gives, the newest few are kept. */
static void test_tickets_are_bounded(void **state)
{
	struct scene s;

	(void)state;
	scene_open(&s, NULL);
	SSL_CTX_set_num_tickets(s.server.ctx, 100);
	assert_false(visit(s.peer, &s.server, true));
	assert_int_equal(tls_peer_sessions(s.peer), 16);
	assert_true(visit(s.peer, &s.server, true));
	assert_int_equal(tls_peer_sessions(s.peer), 16);
	scene_shut(&s);
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
	(void)state;
	for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
		struct scene s;
		struct server restarted;

		scene_open(&s, &(struct server_spec){.version = version});
		server_open(&restarted, &s.spec);
		assert_false(visit(s.peer, &s.server, true));
		assert_false(visit(s.peer, &restarted, true));
		assert_true(visit(s.peer, &restarted, true));
		server_shut(&restarted);
		scene_shut(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_sni_of_an_address),
	    cmocka_unit_test(test_tickets_are_used_once),
	    cmocka_unit_test(test_tickets_stay_in_their_network),
	    cmocka_unit_test(test_tickets_outlive_a_drop),
	    cmocka_unit_test(test_tls12_sessions),
	    cmocka_unit_test(test_spoilt_session),
	    cmocka_unit_test(test_tickets_are_bounded),
	    cmocka_unit_test(test_sessions_stay_with_their_peer),
	    cmocka_unit_test(test_session_unknown_to_the_server),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
