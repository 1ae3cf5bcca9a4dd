/* policy: each policy's order, on simulated latencies and failures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "upstream/policy.h"

#define MS UINT64_C(1000)
#define S (1000 * MS)

static struct random r;
static struct policy_memory m;
static struct candidate c[UPSTREAMS_MAX];
static uint8_t order[UPSTREAMS_MAX];

static int set_up(void **state)
{
	(void)state;
	random_init(&r);
	memset(&m, 0, sizeof m);
	memset(c, 0, sizeof c);
	for (unsigned i = 0; i < UPSTREAMS_MAX; i++)
		c[i] = (struct candidate){.weight = 1, .identity = 1000 + i * i};
	return 0;
}

static unsigned first(enum policy p, unsigned n, uint64_t domain, uint64_t now)
{
	unsigned seen = 0;

	policy_order(p, &m, c, n, domain, now, &r, order);
	for (unsigned i = 0; i < n; i++)
		seen |= 1u << order[i];
	assert_int_equal(seen, (1u << n) - 1); /* each exactly once */
	return order[0];
}

static void the_faster_of_two_is_first(void **state)
{
	(void)state;
	c[0].latency_us = 40 * MS;
	c[1].latency_us = 10 * MS;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(first(POLICY_FASTEST, 2, 0, i * S), 1);
}

static void about_as_fast_is_no_reason_to_change(void **state)
{
	(void)state;
	c[0].latency_us = 12 * MS;
	c[1].latency_us = 10 * MS; /* less than a fifth */
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 0);
	c[0].latency_us = 900; /* less than a millisecond */
	c[1].latency_us = 100;
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 0);
}

static void failures_make_it_slower(void **state)
{
	(void)state;
	c[0].latency_us = 10 * MS;
	c[1].latency_us = 22 * MS;
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 0);
	c[0].failures = 2;
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 1);
}

static void what_is_not_known_comes_after_what_is(void **state)
{
	(void)state;
	c[1].latency_us = 500 * MS;
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 1);
	c[1].latency_us = 0;
	assert_int_equal(first(POLICY_FASTEST, 2, 0, 1), 0);
}

static void two_of_many_are_chosen_for_a_second(void **state)
{
	unsigned wins[5] = {0};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		c[i].latency_us = (10 + 20 * i) * MS;
	for (unsigned i = 0; i < 2000; i++) {
		unsigned x = first(POLICY_FASTEST, 5, 0, i * S);

		assert_int_equal(first(POLICY_FASTEST, 5, 0, i * S + S - 1), x);
		wins[x]++;
	}
	assert_int_equal(wins[4], 0);	    /* the slowest always loses */
	assert_in_range(wins[0], 650, 950); /* the fastest wins its pairs: 2 of 5 */
	assert_true(wins[1] > wins[3]);
}

static void ordered_is_as_written(void **state)
{
	(void)state;
	c[0].latency_us = 900 * MS;
	c[2].latency_us = 1 * MS;
	first(POLICY_ORDERED, 3, 0, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(order[i], i);
}

static void round_robin_takes_turns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++)
		assert_int_equal(first(POLICY_ROUND_ROBIN, 3, 0, i), i % 3);
}

static void random_takes_all_alike(void **state)
{
	unsigned wins[4] = {0};

	(void)state;
	for (unsigned i = 0; i < 4000; i++)
		wins[first(POLICY_RANDOM, 4, 0, 1)]++;
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(wins[i], 800, 1200);
}

static void weights_are_proportions(void **state)
{
	unsigned wins[3] = {0};

	(void)state;
	c[1].weight = 2;
	c[2].weight = 5;
	for (unsigned i = 0; i < 8000; i++)
		wins[first(POLICY_WEIGHTED, 3, 0, 1)]++;
	assert_in_range(wins[0], 800, 1200);
	assert_in_range(wins[1], 1700, 2300);
	assert_in_range(wins[2], 4600, 5400);
}

static void a_shard_is_stable_and_fair(void **state)
{
	unsigned wins[3] = {0};

	(void)state;
	for (uint64_t d = 0; d < 3000; d++) {
		uint64_t domain = d * UINT64_C(0x9e3779b97f4a7c15);
		unsigned x = first(POLICY_SHARD, 3, domain, 1), y;

		assert_int_equal(first(POLICY_SHARD, 3, domain, 99 * S), x);
		wins[x]++;
		/* when one is gone only its own move, and come back */
		c[1].down = true;
		y = first(POLICY_SHARD, 3, domain, 1);
		assert_true(x == 1 ? y != 1 : y == x);
		c[1].down = false;
	}
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(wins[i], 850, 1150);
}

static void those_that_are_down_are_last(void **state)
{
	static const enum policy all[] = {
	    POLICY_FASTEST,  POLICY_ORDERED, POLICY_ROUND_ROBIN, POLICY_RANDOM,
	    POLICY_WEIGHTED, POLICY_RACE,    POLICY_SHARD};

	(void)state;
	c[0].down = c[2].down = true;
	for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
		for (unsigned k = 0; k < 50; k++) {
			first(all[i], 4, k, k * S);
			assert_false(c[order[0]].down || c[order[1]].down);
			assert_true(c[order[2]].down && c[order[3]].down);
		}
}

static void one_is_always_first(void **state)
{
	(void)state;
	for (unsigned p = POLICY_FASTEST; p <= POLICY_SHARD; p++)
		assert_int_equal(first((enum policy)p, 1, 7, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(the_faster_of_two_is_first, set_up),
	    cmocka_unit_test_setup(about_as_fast_is_no_reason_to_change, set_up),
	    cmocka_unit_test_setup(failures_make_it_slower, set_up),
	    cmocka_unit_test_setup(what_is_not_known_comes_after_what_is, set_up),
	    cmocka_unit_test_setup(two_of_many_are_chosen_for_a_second, set_up),
	    cmocka_unit_test_setup(ordered_is_as_written, set_up),
	    cmocka_unit_test_setup(round_robin_takes_turns, set_up),
	    cmocka_unit_test_setup(random_takes_all_alike, set_up),
	    cmocka_unit_test_setup(weights_are_proportions, set_up),
	    cmocka_unit_test_setup(a_shard_is_stable_and_fair, set_up),
	    cmocka_unit_test_setup(those_that_are_down_are_last, set_up),
	    cmocka_unit_test_setup(one_is_always_first, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
