/* shares: one client against others, full tables, an upstream that is asked more than it can do. */
#include "story.h"

#include "proxy/flight.h"

static unsigned serial;

/* A client of ADDRESS asks for a name that nobody asked for before. */
static unsigned ask_new(unsigned address)
{
	char name[32];

	snprintf(name, sizeof name, "s%u.example", serial++);
	world_ask_from(address);
	return world_ask(name);
}

static void fill(unsigned addresses, unsigned queries)
{
	for (unsigned i = 0; i < queries; i++) {
		(void)ask_new(1 + i % addresses);
		if (i % 1000 == 0)
			world_settle();
	}
	world_settle();
}

static void make_mute(unsigned upstreams)
{
	serial = 0;
	world_new(upstreams);
	world_ask("warm.example");
	world_settle();
	for (unsigned i = 0; i < upstreams; i++)
		world_server(i)->mute = true;
}

/* ---- places ---- */

static void one_client_never_has_all(void **state)
{
	unsigned mine, others;

	(void)state;
	make_mute(1);
	fill(1, FLIGHTS_MAX);
	assert_int_equal(world_inflight(), FLIGHTS_MAX / 4 * 3);
	mine = ask_new(1);
	assert_failed(mine, 23, "overload");
	others = ask_new(2);
	world_settle();
	assert_int_equal(world_told(others)->answers, 0); /* it waits */
	for (unsigned n = 1; world_received(0, 0); n++) {
		world_answer(world_received(0, 0));
		if (n % 500 == 0)
			world_settle();
	}
	world_settle();
	assert_good(others);
	world_free();
}

static void what_nobody_else_wants_anyone_may_use(void **state)
{
	unsigned before = FLIGHTS_MAX / 4 * 3 - 1;

	(void)state;
	make_mute(1);
	fill(1, before);
	assert_int_equal(world_inflight(), before);
	world_free();
}

static void the_heaviest_gives_way(void **state)
{
	unsigned light, refused = 0;

	(void)state;
	make_mute(1);
	fill(1, FLIGHTS_MAX / 2);
	fill(1000, FLIGHTS_MAX / 4 * 3);
	assert_int_equal(world_inflight(), FLIGHTS_MAX);
	light = ask_new(5000);
	world_settle();
	assert_int_equal(world_inflight(), FLIGHTS_MAX);
	assert_int_equal(world_told(light)->answers, 0);
	for (unsigned i = 1; i < light; i++) {
		refused += world_told(i)->answers;
		/* only those of the first client */
		if (world_told(i)->answers)
			assert_int_equal(world_told(i)->address, 1);
	}
	assert_true(refused > 0);
	world_free();
}

/* ---- names that nobody answers ---- */

/* Answers all that is asked but for names that begin with u. */
static void answer_most(void)
{
	struct received *q;

	for (unsigned n = 0; (q = world_received(0, n));)
		if (q->message[13] == 'u' && q->message[12] > 0)
			n++;
		else
			world_answer(q);
}

static void names_without_an_answer_do_not_multiply(void **state)
{
	unsigned asked, others[150], n = 0;

	(void)state;
	serial = 0;
	world_new(1);
	world_server(0)->rtt_us = 20 * WORLD_MS;
	world_server(0)->mute = true;
	for (unsigned ms = 0; ms < 6000; ms += 10) {
		for (unsigned i = 0; i < 16; i++) {
			char name[32];

			snprintf(name, sizeof name, "u%u.example", serial++);
			world_ask_from(1);
			world_ask(name);
		}
		if (ms % 40 == 0)
			others[n++] = ask_new(2);
		if (ms % 40 == 0)
			answer_most();
		world_run(10 * WORLD_MS);
	}
	asked = world_ask_count();
	answer_most();
	world_run(100 * WORLD_MS);
	for (unsigned i = 0; i < n; i++)
		assert_good(others[i]);
	assert_in_range(world_server(0)->queries, asked, asked + asked / 2);
	world_run(5 * WORLD_S);
	world_free();
}

/* ---- a stale answer before `overload` ---- */

static void a_crowd_gets_the_stale_answer(void **state)
{
	const unsigned crowd = WAITERS_PER_FLIGHT + 188;
	struct received *q;

	(void)state;
	world_new_cached(1);
	world_server(0)->mute = true;
	world_ask("popular.example");
	world_settle();
	q = world_received(0, 0);
	world_answer_with(q, &(struct reply_plan){.ttl = 10});
	world_settle();
	assert_good(0);
	world_run(11 * WORLD_S);
	for (unsigned i = 0; i < crowd; i++) {
		world_ask_from(i);
		world_ask("popular.example");
	}
	world_run(2 * WORLD_S);
	for (unsigned i = 1; i <= crowd; i++)
		assert_good(i);
	world_free();
}

static void a_stale_answer_comes_first_when_sending_fails(void **state)
{
	unsigned c;

	(void)state;
	world_new_cached(1);
	world_server(0)->mute = true;
	world_ask("a.example");
	world_settle();
	world_answer_with(world_received(0, 0), &(struct reply_plan){.ttl = 10});
	world_settle();
	world_close(1);
	world_server(0)->shake = SHAKE_FAILS;
	world_server(0)->shake_failure = REASON_TLS_CERT_NAME;
	world_run(11 * WORLD_S);
	world_ask("b.example"); /* finds the upstream not authenticated */
	world_run(1 * WORLD_S);
	c = world_ask("a.example");
	world_settle();
	assert_good(c);
	assert_int_equal(world_told(c)->ede, 3);
	world_free();
}

/* ---- capacity ---- */

/* The server looks for work, and clients ask, so often. */
#define TICK_MS 4u

/* A server that answers one query after the other, RATE a second. */
static struct queue {
	unsigned rate, credit;
} queue;

static void serve(void)
{
	queue.credit += TICK_MS * queue.rate;
	while (queue.credit >= 1000 && world_received(0, 0)) {
		world_answer(world_received(0, 0));
		queue.credit -= 1000;
	}
	if (!world_received(0, 0) && queue.credit > 1000)
		queue.credit = 1000;
}

struct outcome {
	unsigned asked, good, refused;
	uint64_t slowest;
};

/* CLIENTS ask PER_S queries a second in all, for MS milliseconds. What comes of it is in OUT. */
static void offer(unsigned per_s, unsigned ms, bool queues, unsigned *first,
		  unsigned *last)
{
	static unsigned credit;

	*first = world_ask_count();
	for (unsigned i = 0; i < ms; i += TICK_MS) {
		for (credit += TICK_MS * per_s; credit >= 1000; credit -= 1000)
			(void)ask_new(1 + serial % 50);
		if (queues)
			serve();
		world_run(TICK_MS * WORLD_MS);
	}
	*last = world_ask_count();
}

static struct outcome outcome_of(unsigned first, unsigned last)
{
	struct outcome o = {.asked = last - first};

	for (unsigned i = first; i < last; i++) {
		const struct told *t = world_told(i);

		o.good += t->answers && t->rcode == RCODE_NOERROR;
		o.refused += t->answers && t->rcode != RCODE_NOERROR;
		if (t->answers && t->at_us - t->asked_us > o.slowest)
			o.slowest = t->at_us - t->asked_us;
	}
	return o;
}

static void overload_of(unsigned factor)
{
	const unsigned rate = 100, seconds = 12;
	unsigned a, b, c, d, e, f;
	struct outcome rush, after;

	serial = 0;
	world_new(1);
	queue = (struct queue){.rate = rate};
	world_server(0)->mute = true;
	offer(rate / 2, 5000, true, &a, &b);
	offer(rate * factor, seconds * 1000, true, &c, &d);
	offer(rate / 3, 1000, true, &e, &f);
	offer(rate / 3, 3000, true, &e, &f);
	offer(0, 6000, true, &a, &b);
	rush = outcome_of(c, d);
	after = outcome_of(e, f);
	assert_int_equal(rush.good + rush.refused, rush.asked);
	assert_true(rush.good >= rate * seconds * 9 / 10);
	assert_int_equal(after.good, after.asked);
	assert_true(after.slowest <= 200 * WORLD_MS);
	world_free();
}

static void an_overload_costs_no_more_than_its_excess(void **state)
{
	(void)state;
	overload_of(5);
}

static void a_little_overload_neither(void **state)
{
	unsigned a, b, c, d;
	struct outcome o;

	(void)state;
	serial = 0;
	world_new(1);
	queue = (struct queue){.rate = 150};
	world_server(0)->mute = true;
	offer(200, 15000, true, &a, &b);
	offer(0, 6000, true, &c, &d);
	o = outcome_of(a, b);
	assert_true(o.good >= 150 * 15 * 9 / 10);
	world_free();
}

static void nobody_is_refused_for_a_slow_upstream(void **state)
{
	unsigned a, b, c, d;
	struct outcome o;

	(void)state;
	serial = 0;
	world_new(1);
	world_server(0)->rtt_us = 20 * WORLD_MS;
	offer(200, 6000, false, &a, &b);
	world_server(0)->rtt_us = 1500 * WORLD_MS;
	offer(200, 8000, false, &c, &d);
	offer(0, 6000, false, &a, &b);
	o = outcome_of(c, d);
	assert_int_equal(o.good, o.asked);
	world_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_client_never_has_all),
	    cmocka_unit_test(what_nobody_else_wants_anyone_may_use),
	    cmocka_unit_test(the_heaviest_gives_way),
	    cmocka_unit_test(names_without_an_answer_do_not_multiply),
	    cmocka_unit_test(a_crowd_gets_the_stale_answer),
	    cmocka_unit_test(a_stale_answer_comes_first_when_sending_fails),
	    cmocka_unit_test(an_overload_costs_no_more_than_its_excess),
	    cmocka_unit_test(a_little_overload_neither),
	    cmocka_unit_test(nobody_is_refused_for_a_slow_upstream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
