/* capacity: full, slow, busy, and silent for some names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/capacity.h"

#define MS 1000ull
#define S 1000000ull

static struct capacity k;
static uint64_t now;

static int set_up(void **state)
{
	(void)state;
	k = (struct capacity){0};
	now = 1000 * S;
	return 0;
}

/* RATE answers a second for MS milliseconds, each RTT after its query. */
static void answers(unsigned rate, unsigned ms, uint64_t rtt)
{
	for (unsigned i = 0; i < rate * ms / 1000; i++) {
		now += S / rate;
		capacity_answered(&k, rtt, now);
	}
}

static bool allows(unsigned in_flight)
{
	return capacity_allows(&k, in_flight, false, now);
}

static void test_nothing_is_known(void **state)
{
	(void)state;
	assert_true(allows(0));
	assert_true(allows(100000));
	answers(100, 100, 2 * S);
	assert_true(allows(100000)); /* for too short a time */
}

static void test_fast_answers_bind_nothing(void **state)
{
	(void)state;
	answers(10, 8000, 20 * MS);
	assert_true(allows(100000));
}

static void test_a_queue_is_bounded(void **state)
{
	(void)state;
	answers(100, 4000, 10 * MS);
	answers(100, 4000, 900 * MS);
	assert_true(allows(299));
	assert_false(allows(301));
	/* those that give way stop at three quarters */
	assert_true(capacity_allows(&k, 220, true, now));
	assert_false(capacity_allows(&k, 230, true, now));
}

static void test_one_fast_answer_shows_that_there_is_none(void **state)
{
	(void)state;
	answers(100, 4000, 900 * MS);
	capacity_answered(&k, 20 * MS, now);
	assert_true(allows(100000));
}

static void test_what_is_usual_is_no_queue(void **state)
{
	(void)state;
	answers(2, 20000, 650 * MS); /* by satellite */
	assert_true(allows(100000));
}

static void test_few_are_always_allowed(void **state)
{
	(void)state;
	answers(100, 4000, 10 * MS);
	answers(5, 4000, 2 * S);
	assert_true(allows(63));
	assert_false(allows(200));
}

static void test_what_is_held_back_shortens_the_queue(void **state)
{
	(void)state;
	answers(100, 4000, 10 * MS);
	for (unsigned i = 0; i < 20; i++) {
		answers(100, 100, 2 * S);
		capacity_held(&k, now);
	}
	assert_false(allows(100));
	assert_true(allows(60));
	/* a second without holding back, and the whole bound counts */
	answers(100, 1100, 2 * S);
	assert_true(allows(250));
}

/* Asked a third more than it answers, for long: the queue is kept short from the start. */
static void test_who_falls_behind_is_held_at_once(void **state)
{
	(void)state;
	answers(100, 4000, 10 * MS);
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned n = 0; n < 4; n++)
			capacity_sent(&k, now);
		answers(30, 100, 700 * MS);
	}
	assert_false(allows(70));
}

/* For two seconds it answers less than it is sent, since it has become that much slower. */
static void test_who_becomes_slower_is_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		for (unsigned n = 0; n < 10; n++)
			capacity_sent(&k, now);
		if (i < 40 || i >= 55) /* 1.5 s nothing */
			answers(100, 100, i < 40 ? 10 * MS : 1500 * MS);
		else
			now += 100 * MS;
		if (i >= 55)
			assert_true(allows(150));
	}
}

/* It was held back for a queue, and answers do not become faster: it is the upstream's own time. */
static void test_who_is_slow_is_not_held_for_long(void **state)
{
	(void)state;
	answers(100, 4000, 10 * MS);
	for (unsigned i = 0; i < 80; i++) {
		answers(40, 100, 2 * S);
		capacity_held(&k, now);
		(void)allows(64);
	}
	assert_true(allows(100));
}

static void test_after_a_pause_all_is_new(void **state)
{
	(void)state;
	answers(100, 4000, 900 * MS);
	now += 60 * S;
	assert_true(allows(100000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_nothing_is_known, set_up),
	    cmocka_unit_test_setup(test_fast_answers_bind_nothing, set_up),
	    cmocka_unit_test_setup(test_a_queue_is_bounded, set_up),
	    cmocka_unit_test_setup(test_one_fast_answer_shows_that_there_is_none, set_up),
	    cmocka_unit_test_setup(test_what_is_usual_is_no_queue, set_up),
	    cmocka_unit_test_setup(test_few_are_always_allowed, set_up),
	    cmocka_unit_test_setup(test_what_is_held_back_shortens_the_queue, set_up),
	    cmocka_unit_test_setup(test_who_falls_behind_is_held_at_once, set_up),
	    cmocka_unit_test_setup(test_who_becomes_slower_is_not, set_up),
	    cmocka_unit_test_setup(test_who_is_slow_is_not_held_for_long, set_up),
	    cmocka_unit_test_setup(test_after_a_pause_all_is_new, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
