/* late: silent connections, late answers, and what is sent a second time because of them. */
#include "story.h"

#define RTT (20 * WORLD_MS)

static void make(unsigned upstreams, enum policy policy, enum hedge hedge)
{
	world_make(&(struct world_plan){.upstreams = upstreams,
					.policy = policy,
					.race = 2,
					.hedge = hedge,
					.keep_warm_us = 300 * WORLD_S});
	for (unsigned i = 0; i < upstreams; i++)
		world_server(i)->rtt_us = RTT;
	world_warm();
	world_settle();
}

/* Asks N names one after the other, so that what is usual gets known. Returns how many clients
 * there have been. */
static unsigned train(unsigned n)
{
	unsigned last = 0;

	for (unsigned i = 0; i < n; i++) {
		char name[32];

		snprintf(name, sizeof name, "t%u.example", i);
		last = world_ask(name);
		world_run(RTT + 1 * WORLD_MS);
		assert_good(last);
	}
	return last + 1;
}

static uint64_t waited(unsigned client, uint64_t asked)
{
	return world_told(client)->at_us - asked;
}

/* ---- a connection that says nothing ---- */

static void a_dead_connection_costs_little(void **state)
{
	unsigned n, c;
	uint64_t asked;

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	n = train(40);
	world_server(0)->mute = true;
	asked = world_now();
	c = world_ask("one.example");
	world_run(10 * WORLD_MS);
	assert_int_equal(c, n);
	world_server(0)->mute = false; /* only the first connection is dead */
	world_run(1 * WORLD_S);
	assert_good(c);
	assert_in_range(waited(c, asked), 50 * WORLD_MS, 50 * WORLD_MS + 2 * RTT);
	/* the upstream itself was never taken for down, and the dead one takes no more */
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	assert_int_equal(world_server(0)->dials, 2);
	asked = world_now();
	c = world_ask("two.example");
	world_run(1 * WORLD_S);
	assert_in_range(waited(c, asked), RTT, RTT);
	world_free();
}

/* A far upstream: when the dead connection has been silent for too long, the one opened beside it
 * has not had the time to answer. */
static void nor_does_that_of_a_far_upstream(void **state)
{
	static const char *const names[] = {"a.example", "b.example", "c.example"};
	unsigned c;

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	world_server(0)->rtt_us = 300 * WORLD_MS;
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(world_ask(names[i]), i);
		world_run(310 * WORLD_MS);
		assert_good(i);
	}
	world_server(0)->mute = true;
	c = world_ask("one.example");
	world_run(10 * WORLD_MS);
	world_server(0)->mute = false;
	for (unsigned i = 0; i < 200; i++) {
		world_run(10 * WORLD_MS);
		assert_int_equal(world_metrics()->upstream[0].up, 1);
	}
	assert_good(c);
	world_run(5 * WORLD_S);
	assert_false(world_is_open(1));
	world_free();
}

/* A server that answers one query of a record, and the others only when more comes. */
static void what_a_forgetful_server_holds_is_asked_again(void **state)
{
	unsigned first;

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	first = train(40);
	world_server(0)->mute = true;
	ask_many(10);
	world_settle();
	world_answer(world_received(0, 0));
	world_run(30 * WORLD_MS);
	world_server(0)->mute = false;
	world_run(200 * WORLD_MS);
	for (unsigned i = 0; i < 10; i++)
		assert_good(first + i);
	/* once each: the copies share a record with no other */
	assert_int_equal(world_server(0)->queries, 40 + 10 + 9);
	assert_int_equal(world_server(0)->writes, 40 + 1 + 9);
	assert_int_equal(world_inflight(), 0);
	world_free();
}

static void a_slow_answer_is_not_taken_for_a_dead_connection(void **state)
{
	unsigned c;

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	train(40);
	world_server(0)->rtt_us = 700 * WORLD_MS;
	c = world_ask("slow.example");
	world_run(2 * WORLD_S);
	assert_good(c);
	assert_true(world_is_open(1)); /* it answered first, and stays */
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void silence_of_all_is_down(void **state)
{
	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	train(40);
	world_server(0)->mute = true;
	world_ask("one.example");
	world_run(500 * WORLD_MS);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_run(800 * WORLD_MS);
	assert_int_equal(world_metrics()->upstream[0].up, 0);
	world_free();
}

/* A stall of the first upstream's connections is bridged by the second upstream. */
static void another_upstream_bridges_a_stall(void **state)
{
	unsigned c;
	uint64_t asked;

	(void)state;
	make(2, POLICY_ORDERED, HEDGE_OFF);
	train(40);
	world_server(0)->mute = true;
	asked = world_now();
	c = world_ask("one.example");
	world_run(1 * WORLD_S);
	assert_good(c);
	assert_in_range(waited(c, asked), 50 * WORLD_MS, 60 * WORLD_MS + RTT);
	world_free();
}

/* ---- late answers ---- */

/* Asks N names that server 0 keeps for itself while it answers all others. */
static void stall(unsigned n, unsigned every, unsigned *clients, uint64_t *asked)
{
	unsigned stalled = 0;

	world_server(0)->mute = true;
	for (unsigned i = 0; stalled < n; i++) {
		char name[32];
		struct received *q;
		unsigned c;

		snprintf(name, sizeof name, "s%u.example", i);
		c = world_ask(name);
		world_settle();
		q = world_received(0, world_received_count(0) - 1);
		assert_non_null(q);
		if (i % every == 0) {
			clients[stalled] = c;
			asked[stalled++] = world_now();
		} else {
			world_answer(q);
		}
		world_run(5 * WORLD_MS);
	}
	world_run(1 * WORLD_S);
}

static void a_late_answer_is_fetched_from_another(void **state)
{
	unsigned clients[5];
	uint64_t asked[5];

	(void)state;
	make(2, POLICY_ORDERED, HEDGE_AUTO);
	train(60);
	stall(5, 50, clients, asked);
	for (unsigned i = 0; i < 5; i++) {
		assert_good(clients[i]);
		assert_true(waited(clients[i], asked[i]) < 3 * RTT);
	}
	assert_int_equal(world_metrics()->upstream[1].hedges[true], 5);
	world_free();
}

/* More are lost at once than may be copied: the others have their copies as queries go on. */
static void a_lost_answer_waits_for_its_copy(void **state)
{
	unsigned lost[15], n = 0;
	const uint64_t *hedges;

	(void)state;
	make(2, POLICY_ORDERED, HEDGE_AUTO);
	train(60);
	hedges = world_metrics()->upstream[1].hedges;
	world_server(0)->mute = true;
	for (unsigned i = 0; i < 500; i++) {
		char name[32];
		unsigned c;

		snprintf(name, sizeof name, "l%u.example", i);
		c = world_ask(name);
		world_settle();
		if (i % 2 == 0 && n < 15)
			lost[n++] = c;
		else
			world_answer(world_received(0, world_received_count(0) - 1));
		world_run(5 * WORLD_MS);
	}
	for (unsigned i = 0; i < n; i++)
		assert_good(lost[i]);
	/* one or two were copied as overdue before there was a hedge for them */
	assert_in_range(hedges[false] + hedges[true], 10, (560 * 3) / 100 + 10);
	world_free();
}

/* Loses what the server holds of NAME; answers all else. Returns how many were lost. */
static unsigned lose(const char *label)
{
	unsigned lost = 0;
	struct received *q;

	while ((q = world_received(0, lost)))
		if (memcmp(q->message + 13, label, strlen(label)) == 0)
			lost++;
		else
			world_answer(q);
	return lost;
}

/* The answer is lost, and that to the first copy, while others are answered. */
static void what_is_lost_twice_is_asked_again_soon(void **state)
{
	unsigned c;
	bool arrived = false;
	uint64_t asked;

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	train(60);
	world_server(0)->mute = true;
	asked = world_now();
	c = world_ask("lost.example");
	for (unsigned i = 0; i < 1500 && !world_told(c)->answers; i += 5) {
		char name[32];

		snprintf(name, sizeof name, "o%u.example", i);
		world_ask(name);
		world_settle();
		if (lose("lost") == 3) { /* the third one arrives */
			world_answer(world_received(0, 2));
			arrived = true;
		}
		world_run(5 * WORLD_MS);
	}
	assert_true(arrived);
	assert_good(c);
	assert_true(waited(c, asked) <= 3 * 2 * RTT + 1 * WORLD_S + 2 * RTT);
	assert_int_equal(world_metrics()->upstream[0].up, 1);
	world_free();
}

static void hedges_are_few(void **state)
{
	unsigned clients[200];
	uint64_t asked[200];
	const uint64_t *hedges;

	(void)state;
	make(2, POLICY_ORDERED, HEDGE_AUTO);
	train(60);
	hedges = world_metrics()->upstream[1].hedges;
	stall(200, 2, clients, asked); /* half of 400 queries are late */
	assert_in_range(hedges[false] + hedges[true], 5, (460 * 3) / 100 + 10);
	world_free();
}

static void one_upstream_alone_is_not_hedged_unless_asked(void **state)
{
	unsigned clients[2];
	uint64_t asked[2];

	(void)state;
	make(1, POLICY_FASTEST, HEDGE_AUTO);
	train(60);
	stall(2, 50, clients, asked);
	assert_int_equal(world_metrics()->upstream[0].hedges[true], 0);
	world_free();
	make(1, POLICY_FASTEST, HEDGE_ON);
	train(60);
	stall(2, 50, clients, asked);
	world_run(5 * WORLD_S); /* until they are given up */
	/* the first of them opened the connection for the next */
	assert_int_equal(world_metrics()->upstream[0].hedges[true] +
			     world_metrics()->upstream[0].hedges[false],
			 1);
	world_free();
}

static void off_sends_no_hedge(void **state)
{
	unsigned clients[2];
	uint64_t asked[2];

	(void)state;
	make(2, POLICY_ORDERED, HEDGE_OFF);
	train(60);
	stall(2, 50, clients, asked);
	assert_int_equal(world_metrics()->upstream[1].hedges[false] +
			     world_metrics()->upstream[1].hedges[true],
			 0);
	world_free();
}

/* ---- policies ---- */

static void the_faster_upstream_is_found_and_used(void **state)
{
	unsigned before;

	(void)state;
	make(2, POLICY_FASTEST, HEDGE_OFF);
	world_server(0)->rtt_us = 80 * WORLD_MS;
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof name, "f%u.example", i);
		world_ask(name);
		world_run(100 * WORLD_MS);
	}
	before = world_server(0)->queries;
	assert_true(before < 60);
	assert_true(world_server(1)->queries > 40);
	/* and the slower one is still asked now and then */
	for (unsigned i = 0; i < 100; i++) {
		char name[32];

		snprintf(name, sizeof name, "g%u.example", i);
		world_ask(name);
		world_run(1 * WORLD_S);
	}
	assert_in_range(world_server(0)->queries - before, 2, 5);
	world_free();
}

static void a_race_asks_both(void **state)
{
	uint64_t asked;
	unsigned c;

	(void)state;
	make(2, POLICY_RACE, HEDGE_OFF);
	world_server(0)->mute = true;
	asked = world_now();
	c = world_ask("one.example");
	world_run(2 * WORLD_S);
	assert_good(c);
	assert_in_range(waited(c, asked), RTT, RTT);
	assert_true(world_server(0)->queries >= 1);
	assert_int_equal(world_server(1)->queries, 1);
	world_free();
}

static void a_race_with_a_loser_that_dies_loses_nothing(void **state)
{
	unsigned c;

	(void)state;
	make(2, POLICY_RACE, HEDGE_OFF);
	world_server(0)->mute = world_server(1)->mute = true;
	c = world_ask("one.example");
	world_run(10 * WORLD_MS);
	world_close(1);
	world_server(1)->mute = false;
	world_run(10 * WORLD_MS);
	world_answer(world_received(1, 0));
	world_run(1 * WORLD_S);
	assert_good(c);
	world_free();
}

static void round_robin_takes_turns(void **state)
{
	(void)state;
	make(2, POLICY_ROUND_ROBIN, HEDGE_OFF);
	train(20);
	assert_int_equal(world_server(0)->queries, 10);
	assert_int_equal(world_server(1)->queries, 10);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_dead_connection_costs_little),
	    cmocka_unit_test(nor_does_that_of_a_far_upstream),
	    cmocka_unit_test(what_a_forgetful_server_holds_is_asked_again),
	    cmocka_unit_test(a_slow_answer_is_not_taken_for_a_dead_connection),
	    cmocka_unit_test(silence_of_all_is_down),
	    cmocka_unit_test(another_upstream_bridges_a_stall),
	    cmocka_unit_test(a_late_answer_is_fetched_from_another),
	    cmocka_unit_test(a_lost_answer_waits_for_its_copy),
	    cmocka_unit_test(what_is_lost_twice_is_asked_again_soon),
	    cmocka_unit_test(hedges_are_few),
	    cmocka_unit_test(one_upstream_alone_is_not_hedged_unless_asked),
	    cmocka_unit_test(off_sends_no_hedge),
	    cmocka_unit_test(the_faster_upstream_is_found_and_used),
	    cmocka_unit_test(a_race_asks_both),
	    cmocka_unit_test(a_race_with_a_loser_that_dies_loses_nothing),
	    cmocka_unit_test(round_robin_takes_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
