/* tls: the handshake, alerts, what is not TLS, and how connections end. */
#include "tls_world.h"

#include <errno.h>

/* ---- handshakes ---- */

static void test_what_was_agreed(void **state)
{
	struct scene s;
	struct link l;
	struct tm tm;

	(void)state;
	scene_open(&s, NULL);
	link_open(&l, s.peer, &s.server);
	assert_int_equal(tls_conn_cert_not_after(l.conn), 0);
	assert_int_equal(shake(&l), TLS_OK);
	assert_string_equal(tls_conn_version(l.conn), "TLSv1.3");
	assert_string_equal(tls_conn_suite(l.conn), "TLS_AES_128_GCM_SHA256");
	assert_int_equal(ASN1_TIME_to_tm(X509_get0_notAfter(s.leaf.cert), &tm), 1);
	assert_int_equal(tls_conn_cert_not_after(l.conn), timegm(&tm));
	assert_false(tls_conn_resumed(l.conn));
	assert_string_equal(s.server.sni, NAME);
	assert_string_equal(s.server.alpn, "\x03"
					   "dot");
	assert_memory_equal(tls_library_version(), "OpenSSL 3", 9);
	link_shut(&l);
	scene_shut(&s);
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
	struct scene s;
	struct link l;

	(void)state;
	scene_open(&s, &(struct server_spec){.demand_cert = true});
	link_open(&l, s.peer, &s.server);
	assert_int_equal(shake(&l), TLS_OK);
	assert_int_equal(end_of(&l), TLS_ERROR);
	expect_failure(&l, REASON_TLS_ALERT, "alert certificate required");
	link_shut(&l);
	scene_shut(&s);
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
	struct scene s;
	struct link l;
	char c;

	(void)state;
	scene_open(&s, NULL);
	link_open(&l, s.peer, &s.server);
	tls_close(l.conn); /* there is nothing to close yet */
	assert_int_equal(recv(l.server_fd, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(shake(&l), TLS_OK);
	tls_close(l.conn);
	assert_int_equal(SSL_read(l.ssl, &c, 1), 0);
	assert_int_equal(SSL_get_error(l.ssl, 0), SSL_ERROR_ZERO_RETURN);
	link_shut(&l);
	tls_conn_free(NULL);
	tls_peer_free(NULL);
	scene_shut(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_was_agreed),
	    cmocka_unit_test(test_alerts),
	    cmocka_unit_test(test_client_certificate_demanded),
	    cmocka_unit_test(test_not_tls),
	    cmocka_unit_test(test_end_in_the_handshake),
	    cmocka_unit_test(test_ends),
	    cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
