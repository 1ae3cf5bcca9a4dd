/* habits: what is supposed, proven, learnt from ends that agree, and forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/habits.h"

#define S UINT64_C(1000000)

static void nothing_is_known_at_first(void **state)
{
	struct habits h = {0};

	(void)state;
	assert_int_equal(h.limit, 0);
	assert_int_equal(habits_idle(&h, 5 * S), 0);
	assert_false(habits_want_spare(&h, 5 * S));
	assert_false(habits_doubt_limit(&h, 5 * S));
}

static void one_end_is_supposed_to_be_a_limit(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 0, 5 * S);
	assert_int_equal(h.limit, 100);
	assert_true(habits_doubt_limit(&h, 5 * S));
	assert_true(habits_want_spare(&h, 6 * S));
}

static void a_limit_that_is_passed_is_none(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 0, 5 * S);
	habits_limit_passed(&h);
	assert_int_equal(h.limit, 0);
	/* but it has hung up once, and may again */
	assert_true(habits_want_spare(&h, 64 * S));
	assert_false(habits_want_spare(&h, 65 * S));
}

static void a_proven_limit_is_doubted_each_minute(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 0, 1 * S);
	habits_limit_met(&h, 2 * S);
	assert_false(habits_doubt_limit(&h, 61 * S));
	assert_true(habits_doubt_limit(&h, 62 * S));
	habits_limit_met(&h, 62 * S);
	assert_false(habits_doubt_limit(&h, 63 * S));
	assert_true(habits_want_spare(&h, 1000 * S));
}

static void another_number_is_another_limit(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 0, 1 * S);
	habits_limit_met(&h, 2 * S);
	habits_hung_up(&h, 100, 0, 3 * S); /* the same again says nothing new */
	assert_false(habits_doubt_limit(&h, 3 * S));
	habits_hung_up(&h, 40, 0, 4 * S);
	assert_int_equal(h.limit, 40);
	assert_true(habits_doubt_limit(&h, 4 * S));
}

static void ends_of_several_at_once_are_a_restart(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 182, 0, 10 * S);
	habits_hung_up(&h, 182, 0, 10 * S + 30000);
	assert_int_equal(h.limit, 0);
	habits_hung_up(&h, 201, 0, 10 * S + 60000);
	assert_int_equal(h.limit, 0);
	/* and then it is learnt as ever */
	habits_hung_up(&h, 100, 0, 11 * S);
	assert_int_equal(h.limit, 100);
	habits_hung_up(&h, 90, 0, 12 * S);
	assert_int_equal(h.limit, 90);
}

static void an_end_before_an_outage_is_a_restart(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 2947, 0, 10 * S);
	habits_went_down(&h, 10 * S + 500000);
	assert_int_equal(h.limit, 0);
	habits_hung_up(&h, 2947, 0, 20 * S);
	habits_went_down(&h, 21 * S); /* for another reason */
	assert_int_equal(h.limit, 2947);
}

static void a_proven_limit_outlives_a_restart(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 0, 1 * S);
	habits_limit_met(&h, 2 * S);
	habits_hung_up(&h, 40, 0, 3 * S);
	assert_int_equal(h.limit, 40);
	habits_went_down(&h, 3 * S + 100000);
	assert_int_equal(h.limit, 100);
	assert_true(h.proven);
	habits_went_down(&h, 3 * S + 200000);
	assert_int_equal(h.limit, 100);
}

static void a_few_answers_are_no_rule(void **state)
{
	struct habits h = {0};

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		habits_hung_up(&h, i, 0, i * S);
	assert_int_equal(h.limit, 0);
}

static void two_idle_ends_that_agree_are_a_rule(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_closed_idle(&h, 8 * S, 10 * S);
	assert_int_equal(habits_idle(&h, 10 * S), 0);
	habits_closed_idle(&h, 3 * S, 20 * S); /* a restart */
	assert_int_equal(habits_idle(&h, 20 * S), 0);
	habits_closed_idle(&h, 8 * S, 30 * S);
	habits_closed_idle(&h, 8 * S + 200000, 40 * S);
	assert_int_equal(habits_idle(&h, 40 * S), 8 * S);
}

static void a_close_without_a_pause_is_no_idle_time(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_closed_idle(&h, 1000, 10 * S);
	habits_closed_idle(&h, 1000, 20 * S);
	assert_int_equal(habits_idle(&h, 20 * S), 0);
}

static void an_idle_time_is_tried_longer_after_ten_minutes(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_closed_idle(&h, 8 * S, 0);
	habits_closed_idle(&h, 8 * S, 0);
	assert_int_equal(habits_idle(&h, 599 * S), 8 * S);
	assert_int_equal(habits_idle(&h, 600 * S), 10 * S);
	assert_int_equal(habits_idle(&h, 601 * S), 10 * S);
	/* it does not hold: back to what it is */
	habits_closed_idle(&h, 8 * S, 700 * S);
	assert_int_equal(habits_idle(&h, 701 * S), 8 * S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_known_at_first),
	    cmocka_unit_test(one_end_is_supposed_to_be_a_limit),
	    cmocka_unit_test(a_limit_that_is_passed_is_none),
	    cmocka_unit_test(a_proven_limit_is_doubted_each_minute),
	    cmocka_unit_test(another_number_is_another_limit),
	    cmocka_unit_test(ends_of_several_at_once_are_a_restart),
	    cmocka_unit_test(an_end_before_an_outage_is_a_restart),
	    cmocka_unit_test(a_proven_limit_outlives_a_restart),
	    cmocka_unit_test(a_few_answers_are_no_rule),
	    cmocka_unit_test(two_idle_ends_that_agree_are_a_rule),
	    cmocka_unit_test(a_close_without_a_pause_is_no_idle_time),
	    cmocka_unit_test(an_idle_time_is_tried_longer_after_ten_minutes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
