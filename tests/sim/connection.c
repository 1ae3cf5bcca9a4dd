/* connection: what may happen to one, and that no query is lost or mixed up by it. */
#include "story.h"

#include <stdlib.h>

static void a_closed_connections_queries_move(void **state)
{
	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	world_server(0)->mute = true;
	ask_many(50);
	world_settle();
	assert_int_equal(world_received_count(0), 50);
	world_server(0)->mute = false;
	world_close(1);
	world_settle();
	for (unsigned i = 0; i <= 50; i++)
		assert_good(i);
	/* one to go on with, and one for the next time */
	assert_int_equal(world_server(0)->dials, 3);
	assert_int_equal(world_metrics()->replays, 50);
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_CLOSED_BUSY], 1);
	world_free();
}

static void a_reset_is_no_worse(void **state)
{
	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	world_server(0)->mute = true;
	ask_many(50);
	world_settle();
	world_server(0)->mute = false;
	world_reset(1);
	world_settle();
	for (unsigned i = 0; i <= 50; i++)
		assert_good(i);
	world_free();
}

static void answers_before_the_close_count(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(2);
	world_settle();
	world_answer(world_received(0, 0));
	world_close(1); /* the answer is on the way, the second query is not answered */
	world_settle();
	assert_good(0);
	assert_int_equal(world_told(1)->answers, 0);
	assert_int_equal(world_received_count(0), 1);
	world_answer(world_received(0, 0));
	world_settle();
	assert_good(1);
	world_free();
}

static void an_idle_close_is_no_failure(void **state)
{
	(void)state;
	world_new(1);
	world_ask("one.example");
	world_run(1 * WORLD_S);
	world_close(1);
	world_settle();
	assert_false(world_is_open(1));
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_CLOSED_IDLE], 1);
	world_ask("two.example");
	world_settle();
	assert_good(1);
	assert_int_equal(world_server(0)->dials, 2);
	world_free();
}

static void an_idle_connection_is_closed_by_us(void **state)
{
	(void)state;
	world_new(1);
	world_ask("one.example");
	world_run(9 * WORLD_S);
	assert_true(world_is_open(1));
	world_run(2 * WORLD_S);
	assert_false(world_is_open(1));
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_CLOSED_BY_US], 1);
	world_free();
}

/* RFC 7828: the answer names an idle time-out of VALUE * 100 ms. */
static void answer_with_keepalive(struct received *q, uint16_t value)
{
	uint8_t frame[600];
	size_t n = world_make_answer(q, frame, sizeof frame);
	const uint8_t opt[17] = {0,
				 0,
				 41,
				 4,
				 208,
				 0,
				 0,
				 0,
				 0,
				 0,
				 6,
				 0,
				 11,
				 0,
				 2,
				 (uint8_t)(value >> 8),
				 (uint8_t)value};

	memcpy(frame + n, opt, sizeof opt);
	n += sizeof opt;
	frame[2 + 11] = 1;
	frame[0] = (uint8_t)((n - 2) >> 8);
	frame[1] = (uint8_t)(n - 2);
	world_send(q->connection, frame, n);
}

static void the_upstreams_idle_time_is_obeyed(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	world_ask("one.example");
	world_settle();
	answer_with_keepalive(world_received(0, 0), 20); /* 2 s */
	world_settle();
	assert_good(0);
	world_run(1500 * WORLD_MS);
	assert_true(world_is_open(1));
	world_run(500 * WORLD_MS);
	assert_false(world_is_open(1));
	world_free();
}

static void a_keepalive_of_zero_ends_the_connection(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(2);
	world_settle();
	answer_with_keepalive(world_received(0, 0), 0);
	world_settle();
	assert_good(0);
	assert_true(world_is_open(1)); /* the other answer is still waited for */
	world_answer(world_received(0, 1));
	world_settle();
	assert_good(1);
	assert_false(world_is_open(1));
	world_free();
}

/* Sends the answer to Q with one octet at OFFSET of the message changed. */
static void send_spoiled(struct received *q, size_t offset, uint8_t value)
{
	uint8_t frame[600];
	size_t n = world_make_answer(q, frame, sizeof frame);

	frame[2 + offset] = value;
	world_send(q->connection, frame, n);
}

static void what_does_not_match_is_dropped(void **state)
{
	struct received *q;
	struct upstream_metrics *m;

	(void)state;
	world_new(1);
	m = &world_metrics()->upstream[0];
	world_server(0)->mute = true;
	ask_many(2);
	world_settle();
	q = world_received(0, 0);
	send_spoiled(q, 0, (uint8_t)((q->id >> 8) ^ 0x5a)); /* another id */
	send_spoiled(q, 13, 'x');			    /* another name */
	send_spoiled(q, 12 + 13, 28);			    /* another type */
	send_spoiled(q, 12 + 15, 3);			    /* another class */
	world_settle();
	assert_int_equal(m->dropped[REASON_UNMATCHED], 4);
	send_spoiled(q, 2, 0x01); /* QR=0 */
	send_spoiled(q, 5, 0);	  /* no question */
	send_spoiled(q, 7, 2);	  /* a record is missing */
	world_settle();
	assert_int_equal(m->dropped[REASON_BAD_ANSWER], 3);
	assert_int_equal(world_told(0)->answers, 0);
	world_answer(world_received(0, 0));
	world_answer(world_received(0, 0));
	world_settle();
	assert_good(0);
	assert_good(1);
	assert_int_equal(world_server(0)->dials, 1);
	world_free();
}

static void swapped_ids_are_not_believed(void **state)
{
	struct received *a, *b;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(2);
	world_settle();
	a = world_received(0, 0);
	b = world_received(0, 1);
	{
		uint8_t frame[600];
		size_t n = world_make_answer(a, frame, sizeof frame);

		memcpy(frame + 2, b->message, 2);
		world_send(a->connection, frame, n);
	}
	world_settle();
	assert_int_equal(world_told(0)->answers + world_told(1)->answers, 0);
	world_answer(b);
	world_answer(a);
	world_settle();
	assert_good(0);
	assert_good(1);
	world_free();
}

static void a_duplicate_is_dropped(void **state)
{
	uint8_t frame[600];
	size_t n;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(1);
	world_settle();
	n = world_make_answer(world_received(0, 0), frame, sizeof frame);
	world_send(1, frame, n);
	world_send(1, frame, n);
	world_settle();
	assert_good(0);
	assert_int_equal(world_metrics()->upstream[0].dropped[REASON_UNMATCHED], 1);
	world_free();
}

static void octet_by_octet_is_enough(void **state)
{
	uint8_t frame[600];
	size_t n;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(1);
	world_settle();
	n = world_make_answer(world_received(0, 0), frame, sizeof frame);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(world_told(0)->answers, 0);
		world_send(1, frame + i, 1);
		world_settle();
	}
	assert_good(0);
	world_free();
}

static void a_frame_too_short_ends_the_connection(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(3);
	world_settle();
	world_server(0)->mute = false;
	world_send(1, "\0\0", 2);
	/* it had not answered anything: a short back-off, then all is asked again */
	world_run(100 * WORLD_MS);
	for (unsigned i = 0; i < 3; i++)
		assert_good(i);
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_BAD_FRAME], 1);
	world_free();
}

static void useless_messages_without_end_end_the_connection(void **state)
{
	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	ask_many(1);
	world_settle();
	world_server(0)->mute = false;
	for (unsigned i = 0; i < 200; i++)
		world_send(1, "\0\x0c\1\2\x80\0\0\0\0\0\0\0\0\0", 14);
	world_run(100 * WORLD_MS);
	assert_good(0);
	assert_int_equal(world_metrics()->upstream[0].closed[REASON_BAD_ANSWER], 1);
	world_free();
}

static void a_full_socket_loses_nothing(void **state)
{
	(void)state;
	world_new(1);
	world_ask("warm.example");
	world_settle();
	world_block(1, true);
	ask_many(20);
	world_run(100 * WORLD_MS);
	assert_int_equal(world_server(0)->queries, 1);
	world_block(1, false);
	world_settle();
	for (unsigned i = 0; i <= 20; i++)
		assert_good(i);
	assert_int_equal(world_server(0)->writes, 2);
	world_free();
}

/* Closes at every moment that a script of a fixed seed chooses: every query is answered.
 */
static void random_closes_lose_nothing(void **state)
{
	uint32_t x = 12345;
	unsigned clients = 0, last;

	(void)state;
	world_new(1);
	world_server(0)->rtt_us = 3 * WORLD_MS;
	for (unsigned i = 0; i < 3000; i++) {
		char name[32];

		x = x * 1664525u + 1013904223u;
		snprintf(name, sizeof name, "n%u.example", i);
		world_ask(name);
		clients++;
		last = world_connections();
		while (last > 0 && !world_is_open(last))
			last--;
		if ((x >> 16) % 40 == 0 && last > 0)
			((x >> 24) & 1 ? world_close : world_reset)(last);
		world_run((x >> 20) % 700);
	}
	world_run(5 * WORLD_S);
	for (unsigned i = 0; i < clients; i++)
		assert_good(i);
	assert_true(world_server(0)->dials > 20);
	world_free();
}

/* ---- an upstream that hangs up after a number of queries ---- */

static void a_limit_of_queries_is_learnt(void **state)
{
	uint64_t replays;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	serve_limited(60, 13);
	replays = world_metrics()->replays;
	assert_true(replays > 0);
	serve_limited(200, 13);
	assert_int_equal(world_metrics()->replays, replays);
	for (unsigned i = 0; i < 260; i++)
		assert_good(i);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void a_limit_that_is_gone_is_forgotten(void **state)
{
	unsigned connections;

	(void)state;
	world_new(1);
	world_server(0)->mute = true;
	serve_limited(60, 13);
	world_run(61 * WORLD_S);
	serve_limited(60, 1000);
	connections = world_connections();
	serve_limited(100, 1000);
	assert_in_range(world_connections(), connections, connections + 1);
	world_free();
}

/* A restart under load: all connections end at once with queries out, and for a while there is
 * nobody. That is no limit, so there are no more dials afterwards than for one connection. */
static void a_restart_teaches_no_limit(void **state)
{
	unsigned dials, asked = 0;

	(void)state;
	world_make(&(struct world_plan){.upstreams = 1, .keep_warm_us = 300 * WORLD_S});
	for (unsigned restart = 0; restart < 5; restart++) {
		world_server(0)->mute = false;
		for (unsigned i = 0; i < 40; i++) {
			ask_many(5);
			world_run(10 * WORLD_MS);
		}
		world_server(0)->mute = true;
		ask_many(5);
		world_run(10 * WORLD_MS);
		world_server(0)->dial = DIAL_REFUSES;
		for (unsigned c = 1; c <= world_connections(); c++)
			if (world_is_open(c))
				world_close(c);
		world_run(300 * WORLD_MS);
		world_server(0)->dial = DIAL_ACCEPTS;
		world_server(0)->mute = false;
		dials = world_server(0)->dials;
		world_run(1 * WORLD_S);
		for (unsigned i = 0; i < 40; i++) {
			ask_many(5);
			world_run(10 * WORLD_MS);
		}
		assert_int_equal(world_metrics()->upstream[0].learnt_limit, 0);
		assert_in_range(world_server(0)->dials, dials + 1, dials + 2);
		asked += 405;
	}
	for (unsigned i = 0; i < asked; i++)
		assert_good(i);
	world_free();
}

/* More connections are used up at once than may drain: those that wait are not forgotten. */
static void used_up_connections_make_room(void **state)
{
	unsigned asked = 60, open = 0;

	(void)state;
	world_make(&(struct world_plan){.upstreams = 1, .keep_warm_us = 300 * WORLD_S});
	world_server(0)->mute = true;
	serve_limited(60, 13);
	for (unsigned burst = 0; burst < 8; burst++) {
		ask_many(150 + burst);
		asked += 150 + burst;
		world_run(100 * WORLD_MS); /* each connection gets full of queries */
		for (unsigned turn = 0; turn < 100; turn++) {
			/* one answer at a time, of the youngest connection first */
			unsigned n = world_received_count(0);

			if (n > 0)
				world_answer(world_received(0, n - 1));
			world_run(1 * WORLD_MS);
		}
		while (world_received_count(0) > 0) {
			world_answer(world_received(0, 0));
			world_run(1 * WORLD_MS);
		}
		world_run(200 * WORLD_MS);
		assert_int_equal(world_inflight(), 0);
	}
	for (unsigned i = 0; i < asked; i++)
		assert_good(i);
	world_run(3 *
		  WORLD_S); /* what was opened for the bursts is not needed any more */
	world_ask("after.example");
	world_run(15 * WORLD_S);
	for (unsigned c = 1; c <= world_connections(); c++)
		open += world_is_open(c);
	assert_in_range(open, 1, 3); /* those that are used up have gone */
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_closed_connections_queries_move),
	    cmocka_unit_test(a_reset_is_no_worse),
	    cmocka_unit_test(answers_before_the_close_count),
	    cmocka_unit_test(an_idle_close_is_no_failure),
	    cmocka_unit_test(an_idle_connection_is_closed_by_us),
	    cmocka_unit_test(the_upstreams_idle_time_is_obeyed),
	    cmocka_unit_test(a_keepalive_of_zero_ends_the_connection),
	    cmocka_unit_test(what_does_not_match_is_dropped),
	    cmocka_unit_test(swapped_ids_are_not_believed),
	    cmocka_unit_test(a_duplicate_is_dropped),
	    cmocka_unit_test(octet_by_octet_is_enough),
	    cmocka_unit_test(a_frame_too_short_ends_the_connection),
	    cmocka_unit_test(useless_messages_without_end_end_the_connection),
	    cmocka_unit_test(a_full_socket_loses_nothing),
	    cmocka_unit_test(random_closes_lose_nothing),
	    cmocka_unit_test(a_limit_of_queries_is_learnt),
	    cmocka_unit_test(a_restart_teaches_no_limit),
	    cmocka_unit_test(used_up_connections_make_room),
	    cmocka_unit_test(a_limit_that_is_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
