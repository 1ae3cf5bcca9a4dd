/* plain: real sockets on loopback, and a server that is told what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "dns/message.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/timer.h"
#include "upstream/conn.h"
#include "upstream/plain.h"

#define NAME "\3www\7example"
#define TIMEOUT_US 4000000

static struct {
	struct loop *loop;
	struct random random;
	struct hash_key key;
	struct upstream_metrics metrics;
	struct plain *plain;
	struct address address;
	struct addresses addresses;
	int server, listener;
	struct query query;
	uint64_t hash;
	unsigned answers, losses, doubts, silences;
	struct health health;
	enum reason why;
	uint64_t flight;
	size_t len;
} w;

static bool on_answer(void *arg, const struct plain_query *q, const struct response *r,
		      uint64_t rtt_us)
{
	(void)arg;
	(void)rtt_us;
	w.answers++;
	w.flight = q->flight;
	w.len = r->len;
	return true;
}

static void on_lost(void *arg, const struct plain_query *q, enum reason why,
		    const char *detail)
{
	(void)arg;
	assert_non_null(detail);
	w.losses++;
	w.flight = q->flight;
	w.why = why;
}

static void on_doubt(void *arg, const struct plain_query *q)
{
	(void)arg;
	(void)q;
	w.doubts++;
}

static bool on_silent(void *arg, const struct plain_query *q)
{
	(void)arg;
	(void)q;
	w.silences++;
	return true;
}

static const struct plain_events events = {
    .answer = on_answer, .lost = on_lost, .doubt = on_doubt, .silent = on_silent};

static void stop(void *arg)
{
	(void)arg;
	loop_stop(w.loop);
}

/* Runs the loop for MS milliseconds. */
static void run(unsigned ms)
{
	struct timer t = {0};

	assert_int_equal(
	    timer_set(w.loop, &t, loop_now(w.loop) + ms * 1000ull, stop, NULL), 0);
	loop_run(w.loop);
	timer_stop(w.loop, &t);
}

/* A socket of w.address that no other program shares (as SO_REUSEPORT would allow). */
static int bound(int type)
{
	int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, &w.address.any, address_len(&w.address)) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The same port for both; others may have one of them. */
static bool bind_both(void)
{
	for (unsigned i = 0; i < 50; i++) {
		if (address_parse_ip(&w.address, "127.0.0.1", 9, 0) < 0)
			return false;
		w.server = bound(SOCK_DGRAM);
		if (w.server < 0 || socket_local_address(w.server, &w.address) < 0)
			return false;
		w.listener = bound(SOCK_STREAM);
		if (w.listener >= 0)
			return listen(w.listener, 5) == 0;
		close(w.server);
	}
	return false;
}

static int set_up(void **state)
{
	struct plain_options o = {
	    .health = &w.health, .timeout_us = TIMEOUT_US, .events = &events};

	(void)state;
	memset(&w, 0, sizeof w);
	random_init(&w.random);
	w.key = (struct hash_key){1, 2};
	if (loop_new(&w.loop, 600) < 0 || !bind_both())
		return -1;
	o.loop = w.loop;
	o.random = &w.random;
	o.hash_key = &w.key;
	addresses_init(&w.addresses);
	addresses_set(&w.addresses, &w.address, 1);
	o.addresses = &w.addresses;
	o.metrics = &w.metrics;
	w.query = (struct query){.flags = DNS_RD,
				 .question = {.name = (const uint8_t *)NAME,
					      .name_len = sizeof NAME,
					      .type = 1,
					      .class = 1}};
	w.hash = conn_question_hash(&w.key, &w.query.question);
	return plain_new(&w.plain, &o);
}

static int tear_down(void **state)
{
	(void)state;
	plain_free(w.plain);
	loop_free(w.loop);
	if (w.server >= 0)
		close(w.server);
	if (w.listener >= 0)
		close(w.listener);
	return 0;
}

/* A query that the server has received. */
struct heard {
	struct address from;
	uint8_t message[600];
	size_t len;
};

static struct heard hear(void)
{
	struct heard h = {0};
	socklen_t len = sizeof h.from;
	ssize_t n = recvfrom(w.server, h.message, sizeof h.message, 0, &h.from.any, &len);

	assert_true(n > DNS_HEADER_LEN);
	h.len = (size_t)n;
	return h;
}

static bool heard_nothing(void)
{
	uint8_t x;

	return recv(w.server, &x, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
}

/* The query as its own answer: NODATA, without the OPT. */
static size_t make_answer(const struct heard *h, uint8_t *out, unsigned flags)
{
	size_t len = DNS_HEADER_LEN + sizeof NAME + 4;

	memcpy(out, h->message, len);
	out[2] = (uint8_t)(0x81 | flags >> 8);
	out[3] = 0x80;
	memset(out + 6, 0, 6);
	return len;
}

static void say(int fd, const struct heard *to, const uint8_t *message, size_t len)
{
	assert_int_equal(
	    sendto(fd, message, len, 0, &to->from.any, address_len(&to->from)),
	    (ssize_t)len);
}

static int ask_for(uint64_t flight)
{
	const struct ask a = {.query = &w.query, .flight = flight, .question = w.hash};

	return plain_send(w.plain, &a);
}

static void send_one(uint64_t flight)
{
	assert_int_equal(ask_for(flight), 0);
}

static void an_answer_comes_back(void **state)
{
	uint8_t out[600];
	struct heard h;

	(void)state;
	send_one(7);
	h = hear();
	assert_true(h.len < 60); /* not padded */
	say(w.server, &h, out, make_answer(&h, out, 0));
	run(50);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.flight, 7);
	assert_int_equal(plain_inflight(w.plain), 0);
	assert_int_equal(w.metrics.inflight, 0);
	assert_int_equal(w.metrics.requests[REASON_NONE], 1);
}

static void what_does_not_match_is_dropped(void **state)
{
	uint8_t out[600];
	struct heard h;
	size_t n;
	int stranger;

	(void)state;
	send_one(7);
	h = hear();
	n = make_answer(&h, out, 0);
	out[1] ^= 1; /* another id */
	say(w.server, &h, out, n);
	out[1] ^= 1;
	out[13] ^= 1; /* another name */
	say(w.server, &h, out, n);
	out[13] ^= 1;
	out[2] &= 0x7f; /* a query */
	say(w.server, &h, out, n);
	out[2] |= 0x80;
	say(w.server, &h, out, 5); /* cut off */
	/* from elsewhere: the kernel keeps it out */
	stranger = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(stranger >= 0);
	(void)sendto(stranger, out, n, 0, &h.from.any, address_len(&h.from));
	close(stranger);
	run(50);
	assert_int_equal(w.answers, 0);
	assert_int_equal(w.metrics.dropped[REASON_UNMATCHED], 3);
	assert_int_equal(w.metrics.dropped[REASON_BAD_ANSWER], 1);
	say(w.server, &h, out, n);
	run(50);
	assert_int_equal(w.answers, 1);
}

static void ids_and_ports_differ(void **state)
{
	struct heard a, b;
	unsigned same_id = 0, same_port = 0;

	(void)state;
	for (unsigned i = 0; i < 20; i++) {
		send_one(i);
		send_one(i);
		a = hear();
		b = hear();
		same_id += memcmp(a.message, b.message, 2) == 0;
		same_port += address_port(&a.from) == address_port(&b.from);
	}
	assert_true(same_id < 2);
	assert_int_equal(same_port, 0);
}

static void silence_is_asked_again_twice_then_lost(void **state)
{
	struct heard first, again;

	(void)state;
	send_one(7);
	first = hear();
	run(500);
	assert_true(heard_nothing());
	run(1000);
	again = hear();
	assert_memory_equal(first.message, again.message, first.len);
	run(2000);
	hear();
	run(1500);
	assert_true(heard_nothing());
	assert_int_equal(w.losses, 1);
	assert_int_equal(w.why, REASON_QUERY_TIMEOUT);
	assert_int_equal(plain_inflight(w.plain), 0);
}

static void a_refusal_is_told_at_once(void **state)
{
	(void)state;
	close(w.server);
	w.server = -1;
	(void)ask_for(7);
	run(50);
	assert_int_equal(w.losses, 1);
	assert_int_equal(w.why, REASON_DIAL_REFUSED);
}

static int accept_one(void)
{
	int fd = -1;

	for (unsigned i = 0; fd < 0 && i < 50; i++) {
		run(10);
		fd = accept(w.listener, NULL, NULL);
	}
	assert_true(fd >= 0);
	return fd;
}

static void a_truncated_answer_is_fetched_over_tcp(void **state)
{
	uint8_t out[602], frame[602];
	struct heard h;
	ssize_t n;
	int fd;

	(void)state;
	send_one(7);
	h = hear();
	say(w.server, &h, out, make_answer(&h, out, DNS_TC));
	fd = accept_one();
	run(20);
	n = recv(fd, frame, sizeof frame, 0);
	assert_int_equal(n, (ssize_t)h.len + 2);
	assert_memory_equal(frame + 2, h.message, h.len);
	n = (ssize_t)make_answer(&h, out + 2, 0);
	out[0] = 0;
	out[1] = (uint8_t)n;
	/* in two pieces */
	assert_int_equal(send(fd, out, 9, 0), 9);
	run(20);
	assert_int_equal(w.answers, 0);
	assert_int_equal(send(fd, out + 9, (size_t)n - 7, 0), n - 7);
	run(20);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.len, n);
	close(fd);
}

static void a_tcp_connection_that_closes_is_lost(void **state)
{
	uint8_t out[600];
	struct heard h;
	int fd;

	(void)state;
	send_one(7);
	h = hear();
	say(w.server, &h, out, make_answer(&h, out, DNS_TC));
	fd = accept_one();
	close(fd);
	run(50);
	assert_int_equal(w.losses, 1);
	assert_int_equal(plain_inflight(w.plain), 0);
}

/* ---- silence ---- */

static void silence_is_told_in_two_steps(void **state)
{
	(void)state;
	w.health.rtt_us = 20000;
	send_one(7);
	run(100);
	assert_int_equal(w.doubts, 1);
	assert_int_equal(w.silences, 0);
	run(1100);
	assert_int_equal(w.doubts, 1);
	assert_int_equal(w.silences, 1);
	assert_int_equal(w.losses, 0); /* it is listened for */
}

static void two_questions_are_mute(void **state)
{
	uint64_t start = loop_now(w.loop);

	(void)state;
	send_one(1);
	send_one(2); /* the same question */
	assert_false(plain_is_mute(w.plain, start));
	w.hash++;
	send_one(3);
	w.hash--;
	assert_true(plain_is_mute(w.plain, start));
	assert_false(plain_is_mute(w.plain, start + 1)); /* heard since */
}

static void the_next_address_is_asked(void **state)
{
	struct address both[2] = {w.address, w.address};
	uint8_t out[600];
	struct heard h;

	(void)state;
	both[0].v4.sin_addr.s_addr = htonl(0x7f0000fe); /* nobody is there */
	assert_true(addresses_set(&w.addresses, both, 2));
	send_one(7);
	run(50); /* refused by the first */
	h = hear();
	say(w.server, &h, out, make_answer(&h, out, 0));
	run(50);
	assert_int_equal(w.answers, 1);
	assert_int_equal(w.losses, 0);
	/* it answers, so it is asked first from now on */
	send_one(8);
	h = hear();
	say(w.server, &h, out, make_answer(&h, out, 0));
	run(50);
	assert_int_equal(w.answers, 2);
}

static void an_error_without_a_question_is_an_answer(void **state)
{
	struct heard h;
	uint8_t out[DNS_HEADER_LEN] = {0, 0, 0x81, 0x80 | RCODE_REFUSED};

	(void)state;
	send_one(7);
	h = hear();
	memcpy(out, h.message, 2);
	say(w.server, &h, out, sizeof out);
	run(50);
	assert_int_equal(w.answers, 1);
}

static void without_edns_there_is_no_opt(void **state)
{
	struct ask a = {
	    .query = &w.query, .flight = 7, .question = w.hash, .without_edns = true};
	struct heard h;

	(void)state;
	assert_int_equal(plain_send(w.plain, &a), 0);
	h = hear();
	assert_int_equal(h.message[11], 0); /* ARCOUNT */
	a.without_edns = false;
	assert_int_equal(plain_send(w.plain, &a), 0);
	h = hear();
	assert_int_equal(h.message[11], 1);
}

static void there_is_a_cap(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PLAIN_QUERIES_MAX; i++)
		send_one(i + 1);
	assert_int_equal(ask_for(9), -ENOSPC);
	assert_int_equal(plain_inflight(w.plain), PLAIN_QUERIES_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(an_answer_comes_back, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_does_not_match_is_dropped, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(ids_and_ports_differ, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(silence_is_asked_again_twice_then_lost,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_refusal_is_told_at_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_truncated_answer_is_fetched_over_tcp,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_tcp_connection_that_closes_is_lost, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(silence_is_told_in_two_steps, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(two_questions_are_mute, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_next_address_is_asked, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_error_without_a_question_is_an_answer,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_edns_there_is_no_opt, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(there_is_a_cap, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
