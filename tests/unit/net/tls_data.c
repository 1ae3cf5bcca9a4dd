/* tls_data: octets that are written and read, and early data. */
#include "tls_world.h"

/* ---- data ---- */

static void test_write_before_authentication(void **state)
{
	struct scene s;
	struct link l;
	size_t n = 0;
	char c;

	(void)state;
	scene_open(&s, NULL);
	link_open(&l, s.peer, &s.server);
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
	scene_shut(&s);
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
	struct scene s;
	struct link l;
	uint8_t got[64];
	size_t n = 0;
	char c;

	(void)state;
	scene_open(&s, NULL);
	link_open(&l, s.peer, &s.server);
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
	scene_shut(&s);
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
	struct scene s;
	struct link l;
	size_t sent = 0, got = 0;
	unsigned waits = 0;

	(void)state;
	scene_open(&s, NULL);
	link_open(&l, s.peer, &s.server);
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
	scene_shut(&s);
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

static void allow_early(struct server *server)
{
	assert_int_equal(SSL_CTX_set_max_early_data(server->ctx, EARLY_ROOM), 1);
}

static void test_early_data(void **state)
{
	struct scene s;
	struct link l;

	(void)state;
	scene_open(&s, NULL);
	allow_early(&s.server);
	link_open(&l, s.peer, &s.server);
	assert_int_equal(tls_early_room(l.conn), 0); /* it has no ticket */
	link_shut(&l);
	assert_false(visit(s.peer, &s.server, true));
	link_open(&l, s.peer, &s.server);
	assert_int_equal(tls_early_room(l.conn), EARLY_ROOM);
	assert_int_equal(tls_write_early(l.conn, (const uint8_t *)"question", 8), TLS_OK);
	assert_string_equal(shake_early(&l), "question");
	assert_true(tls_early_accepted(l.conn));
	assert_true(tls_conn_resumed(l.conn));
	exchange(&l);
	link_shut(&l);
	/* a ticket that allows it need not be used so */
	assert_true(visit(s.peer, &s.server, true));
	scene_shut(&s);
}

/* A server that does not know the ticket any more reads nothing of it. */
static void test_early_data_refused(void **state)
{
	struct scene s;
	struct server restarted;
	struct link l;
	size_t n;

	(void)state;
	scene_open(&s, NULL);
	allow_early(&s.server);
	server_open(&restarted, &s.spec);
	allow_early(&restarted);
	assert_false(visit(s.peer, &s.server, true));
	link_open(&l, s.peer, &restarted);
	assert_int_equal(tls_early_room(l.conn), EARLY_ROOM);
	assert_int_equal(tls_write_early(l.conn, (const uint8_t *)"question", 8), TLS_OK);
	assert_string_equal(shake_early(&l), "");
	assert_false(tls_early_accepted(l.conn));
	assert_false(tls_conn_resumed(l.conn));
	assert_int_equal(tls_write(l.conn, (const uint8_t *)"question", 8, &n), TLS_OK);
	exchange(&l);
	link_shut(&l);
	server_shut(&restarted);
	scene_shut(&s);
}

static void test_no_early_data_under_another_name(void **state)
{
	struct scene s;
	struct link l;

	(void)state;
	scene_open(&s, NULL);
	allow_early(&s.server);
	assert_false(visit(s.peer, &s.server, true));
	tls_peer_set_sni(s.peer, "another.test");
	link_open(&l, s.peer, &s.server);
	assert_int_equal(tls_early_room(l.conn), 0);
	assert_int_equal(shake(&l), TLS_OK);
	link_shut(&l);
	scene_shut(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_write_before_authentication),
	    cmocka_unit_test(test_write_after_refusal),
	    cmocka_unit_test(test_pending),
	    cmocka_unit_test(test_write_that_must_wait),
	    cmocka_unit_test(test_early_data),
	    cmocka_unit_test(test_early_data_refused),
	    cmocka_unit_test(test_no_early_data_under_another_name),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
