/* upstreams: dead, mute, slow, refused, unauthenticated: who is asked, and when. */
#include "story.h"

static void the_first_is_preferred(void **state)
{
	(void)state;
	world_new(2);
	world_ask("example.com");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->queries, 1);
	assert_int_equal(world_server(1)->dials, 0);
	world_free();
}

static void a_refusal_fails_over_at_once(void **state)
{
	(void)state;
	world_new(2);
	world_server(0)->dial = DIAL_REFUSES;
	world_ask("example.com");
	world_settle();
	assert_good(0);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	assert_int_equal(world_server(1)->queries, 1);
	world_free();
}

static void a_black_hole_fails_over_soon(void **state)
{
	uint64_t start;

	(void)state;
	world_new(2);
	world_server(0)->dial = DIAL_BLACK_HOLE;
	start = world_now();
	world_ask("example.com");
	world_run(5 * WORLD_S);
	assert_good(0);
	assert_true(world_told(0)->at_us <= start + 300 * WORLD_MS);
	/* the next one does not wait */
	start = world_now();
	world_ask("www.example.com");
	world_settle();
	assert_good(1);
	assert_int_equal(world_told(1)->at_us, start);
	world_free();
}

static void a_handshake_that_hangs_fails_over_soon(void **state)
{
	uint64_t start;

	(void)state;
	world_new(2);
	world_server(0)->shake = SHAKE_HANGS;
	start = world_now();
	world_ask("example.com");
	world_run(1 * WORLD_S);
	assert_good(0);
	assert_true(world_told(0)->at_us <= start + 300 * WORLD_MS);
	world_free();
}

static void a_mute_one_fails_over(void **state)
{
	uint64_t start;

	(void)state;
	world_new(2);
	world_server(0)->mute = true;
	start = world_now();
	world_ask("example.com");
	world_run(2 * WORLD_S);
	assert_good(0);
	assert_int_equal(world_told(0)->at_us, start + 1 * WORLD_S);
	/* it shakes hands again, but only an answer makes it usable */
	world_run(1 * WORLD_S);
	for (unsigned i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		start = world_now();
		world_ask(name);
		world_run(100 * WORLD_MS);
		assert_good(i + 1);
		assert_int_equal(world_told(i + 1)->at_us, start);
	}
	world_free();
}

static void an_unauthenticated_one_gets_nothing(void **state)
{
	(void)state;
	world_new(2);
	world_server(0)->shake = SHAKE_FAILS;
	world_server(0)->shake_failure = REASON_TLS_CERT_NAME;
	world_ask("example.com");
	world_settle();
	assert_good(0);
	assert_int_equal(world_server(0)->queries, 0);
	world_free();
}

static void a_sole_unauthenticated_one_is_told_at_once(void **state)
{
	uint64_t start;

	(void)state;
	world_new(1);
	world_server(0)->shake = SHAKE_FAILS;
	world_server(0)->shake_failure = REASON_TLS_CERT_EXPIRED;
	start = world_now();
	world_ask("example.com");
	world_settle();
	assert_failed(
	    0, 22, "tls_cert_expired: tls://first: as the test has it: have it renewed");
	assert_int_equal(world_told(0)->at_us, start);
	world_free();
}

/* Which upstream it was, and what to do about it, is for the operator. */
static void clients_hear_no_more_than_why(void **state)
{
	(void)state;
	world_make(&(struct world_plan){.upstreams = 1,
					.policy = POLICY_ORDERED,
					.hedge = HEDGE_OFF,
					.cached = true,
					.terse = true});
	world_server(0)->shake = SHAKE_FAILS;
	world_server(0)->shake_failure = REASON_TLS_CERT_EXPIRED;
	world_ask("example.com");
	world_settle();
	assert_failed(0, 22, "tls_cert_expired");
	assert_string_equal(world_told(0)->text, "tls_cert_expired");
	world_server(0)->shake = SHAKE_OK;
	world_server(0)->dial = DIAL_REFUSES;
	world_run(10 * WORLD_S);
	world_ask("example.net");
	world_run(3 * WORLD_S);
	assert_failed(1, 23, "dial_refused");
	assert_string_equal(world_told(1)->text, "dial_refused");
	world_free();
}

static void a_sole_refusing_one_is_waited_for(void **state)
{
	uint64_t start;

	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	start = world_now();
	world_ask("one.example");
	world_run(1 * WORLD_S);
	assert_int_equal(world_told(0)->answers, 0);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_run(1 * WORLD_S);
	assert_good(0);
	assert_true(world_told(0)->at_us < start + 2 * WORLD_S);
	world_free();
}

static void a_wait_in_vain_is_told(void **state)
{
	uint64_t start;

	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	start = world_now();
	world_ask("one.example");
	world_run(5 * WORLD_S);
	assert_failed(0, 23, "dial_refused: tls://first");
	assert_true(world_told(0)->at_us <= start + 2 * WORLD_S);
	world_free();
}

static void dials_back_off_more_when_nobody_asks(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	world_ask("one.example");
	world_run(60 * WORLD_S);
	/* while it grows, then one each 2.5 to 5 s */
	assert_in_range(world_server(0)->dials, 15, 45);
	world_free();
}

static void dials_back_off(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	for (unsigned i = 0; i < 600; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		world_run(100 * WORLD_MS);
	}
	/* a minute: some while the back-off grows, then one each 0.5 to 1 s: clients wait */
	assert_in_range(world_server(0)->dials, 55, 110);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_run(5 * WORLD_S);
	world_ask("at.last.example");
	world_run(1 * WORLD_S);
	assert_good(600);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void one_dial_at_a_time(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_BLACK_HOLE;
	for (unsigned i = 0; i < 90; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		world_run(10 * WORLD_MS);
	}
	assert_int_equal(world_server(0)->dials, 1);
	world_run(1 * WORLD_S);
	assert_int_equal(world_server(0)->dials, 2); /* the SYN may have been lost */
	world_free();
}

static void a_slow_one_is_heard(void **state)
{
	static const uint64_t delays[] = {2 * WORLD_S, 3 * WORLD_S, 4500 * WORLD_MS};

	(void)state;
	for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
		uint64_t start;

		world_new(1);
		world_server(0)->rtt_us = delays[i];
		start = world_now();
		world_ask("example.com");
		world_run(5 * WORLD_S);
		assert_good(0);
		assert_int_equal(world_told(0)->at_us, start + delays[i]);
		/* silence makes others be tried, and probes be sent, but only a few */
		assert_in_range(world_server(0)->queries, 1, 8);
		world_free();
	}
}

static void a_silent_connection_retires(void **state)
{
	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	world_server(0)->mute = true;
	world_ask("one.example");
	world_run(500 * WORLD_MS);
	world_server(0)->mute = false;
	world_run(1 * WORLD_S);
	/* a second connection answered what the first did not */
	assert_good(1);
	assert_int_equal(world_server(0)->dials, 2);
	world_ask("two.example");
	world_settle();
	assert_good(2);
	world_run(6 * WORLD_S);
	assert_false(world_is_open(1));
	assert_true(world_is_open(2));
	world_free();
}

/* A server that answers only the first query of a record, until more comes. */
static void after_silence_each_query_has_its_record(void **state)
{
	unsigned writes;

	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	world_server(0)->mute = true;
	ask_many(10);
	world_settle();
	assert_int_equal(world_server(0)->writes, 2);
	world_server(0)->mute = false;
	writes = world_server(0)->writes;
	world_run(1500 * WORLD_MS);
	for (unsigned i = 0; i <= 10; i++)
		assert_good(i);
	assert_in_range(world_server(0)->writes - writes, 10, 11); /* and a probe */
	world_free();
}

/* The copy on a silent connection is no reason not to replay one that was lost. */
static void a_copy_lost_after_silence_is_replayed(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	world_ask("one.example");
	world_run(1 * WORLD_S);
	assert_int_equal(world_server(0)->dials, 2);
	world_server(0)->mute = false;
	world_close(2);
	world_run(200 * WORLD_MS);
	assert_good(0);
	assert_true(world_is_open(1));
	world_close(1);
	world_settle();
	assert_int_equal(world_told(0)->answers, 1);
	world_free();
}

/* In the clear: the network says at once that there is no way. */
static void without_a_way_another_is_asked(void **state)
{
	(void)state;
	world_make(&(struct world_plan){
	    .upstreams = 2, .policy = POLICY_ORDERED, .hedge = HEDGE_OFF, .plain = 1});
	world_server(0)->dial = DIAL_UNREACHABLE;
	world_ask("one.example");
	world_settle();
	assert_good(0);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_run(5 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void the_only_one_without_a_way_says_so(void **state)
{
	(void)state;
	world_make(&(struct world_plan){.upstreams = 1, .plain = 1});
	world_server(0)->dial = DIAL_UNREACHABLE;
	world_ask("one.example");
	world_run(3 * WORLD_S);
	assert_failed(0, 23, "dial_unreachable: ");
	assert_in_range(world_connections(), 5, 40);
	world_free();
}

/* It asks for the root's name servers: nobody waits for the answer. */
static bool is_probe(const struct received *q)
{
	return q->message[DNS_HEADER_LEN] == 0;
}

static void who_always_hangs_up_is_not_asked_for_ever(void **state)
{
	unsigned sent = 0, probes = 0;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	world_ask("example.com");
	for (unsigned i = 0; i < 2000; i++) {
		const struct received *q;

		world_run(10 * WORLD_MS);
		q = world_received(0, 0);
		if (!q)
			continue;
		if (is_probe(q))
			probes++;
		else
			sent++;
		world_close(q->connection);
		if (i >= 600)
			assert_true(probes > 0);
	}
	assert_int_equal(world_told(0)->answers, 1);
	assert_int_equal(world_told(0)->rcode, RCODE_SERVFAIL);
	assert_in_range(sent, 3, 16);
	assert_in_range(probes, 3, 30);
	world_free();
}

static void a_dead_one_comes_back(void **state)
{
	(void)state;
	world_new(2);
	world_server(0)->dial = DIAL_REFUSES;
	world_ask("one.example");
	world_settle();
	assert_int_equal(world_server(1)->queries, 1);
	world_server(0)->dial = DIAL_ACCEPTS;
	for (unsigned i = 0; i < 60; i++) {
		char name[32];

		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		world_run(100 * WORLD_MS);
		assert_good(i + 1);
	}
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	assert_true(world_server(0)->queries > 40);
	world_free();
}

static void it_comes_back_though_nobody_asks(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->dial = DIAL_REFUSES;
	world_ask("one.example");
	world_run(60 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	assert_in_range(world_server(0)->dials, 20, 45);
	world_server(0)->dial = DIAL_ACCEPTS;
	world_run(5 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

/* A handshake does not tell that what failed on a connection is well again: an answer does. */
static void it_is_asked_though_nobody_asks(void **state)
{
	(void)state;
	world_new(1);
	world_warm();
	world_settle();
	world_server(0)->mute = true;
	world_reset(1);
	world_run(60 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	assert_in_range(world_server(0)->queries, 5, 30);
	world_close(world_connections());
	world_server(0)->mute = false;
	world_run(8 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

/* A connection that ends with nothing out on it is no failure, and no reason to wait for a client. */
static void an_idle_end_is_no_end_of_trying(void **state)
{
	(void)state;
	world_new(1);
	world_warm();
	world_settle();
	world_server(0)->mute = true;
	world_reset(1);
	for (unsigned i = 0; i < 100; i++) {
		world_run(10 * WORLD_MS);
		if (world_is_open(world_connections()))
			world_close(world_connections());
	}
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	world_server(0)->mute = false;
	world_run(8 * WORLD_S);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void all_down_is_told_with_a_reason(void **state)
{
	(void)state;
	world_new(2);
	world_server(0)->dial = DIAL_REFUSES;
	world_server(1)->shake = SHAKE_FAILS;
	world_server(1)->shake_failure = REASON_TLS_PIN;
	world_ask("one.example");
	world_run(5 * WORLD_S);
	assert_failed(0, 23, "dial_refused: tls://first");
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_is_preferred),
	    cmocka_unit_test(a_refusal_fails_over_at_once),
	    cmocka_unit_test(a_black_hole_fails_over_soon),
	    cmocka_unit_test(a_handshake_that_hangs_fails_over_soon),
	    cmocka_unit_test(a_mute_one_fails_over),
	    cmocka_unit_test(an_unauthenticated_one_gets_nothing),
	    cmocka_unit_test(a_sole_unauthenticated_one_is_told_at_once),
	    cmocka_unit_test(clients_hear_no_more_than_why),
	    cmocka_unit_test(a_sole_refusing_one_is_waited_for),
	    cmocka_unit_test(a_wait_in_vain_is_told),
	    cmocka_unit_test(dials_back_off),
	    cmocka_unit_test(dials_back_off_more_when_nobody_asks),
	    cmocka_unit_test(one_dial_at_a_time),
	    cmocka_unit_test(a_slow_one_is_heard),
	    cmocka_unit_test(a_silent_connection_retires),
	    cmocka_unit_test(after_silence_each_query_has_its_record),
	    cmocka_unit_test(a_copy_lost_after_silence_is_replayed),
	    cmocka_unit_test(without_a_way_another_is_asked),
	    cmocka_unit_test(the_only_one_without_a_way_says_so),
	    cmocka_unit_test(who_always_hangs_up_is_not_asked_for_ever),
	    cmocka_unit_test(a_dead_one_comes_back),
	    cmocka_unit_test(it_comes_back_though_nobody_asks),
	    cmocka_unit_test(it_is_asked_though_nobody_asks),
	    cmocka_unit_test(an_idle_end_is_no_end_of_trying),
	    cmocka_unit_test(all_down_is_told_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
