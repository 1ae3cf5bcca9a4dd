/* habits: what is learnt from ends that agree, and how it is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "upstream/habits.h"

#define S UINT64_C(1000000)

static void test_nothing_is_known_at_first(void **state)
{
	struct habits h = {0};

	(void)state;
	assert_int_equal(habits_limit(&h, 5 * S), 0);
	assert_false(habits_want_spare(&h, 5 * S));
}

static void test_one_end_wants_a_spare_for_a_minute(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 5 * S);
	assert_int_equal(habits_limit(&h, 6 * S), 0);
	assert_true(habits_want_spare(&h, 64 * S));
	assert_false(habits_want_spare(&h, 65 * S));
}

static void test_two_that_agree_are_a_limit(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 100, 1 * S);
	habits_hung_up(&h, 99, 2 * S);
	assert_int_equal(habits_limit(&h, 2 * S), 0);
	habits_hung_up(&h, 99, 3 * S);
	assert_int_equal(habits_limit(&h, 3 * S), 99);
	assert_true(habits_want_spare(&h, 1000 * S));
}

static void test_a_single_answer_is_no_rule(void **state)
{
	struct habits h = {0};

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		habits_hung_up(&h, 1, i * S);
	for (unsigned i = 0; i < 5; i++)
		habits_hung_up(&h, 0, i * S);
	assert_int_equal(habits_limit(&h, 5 * S), 0);
}

static void test_it_is_put_to_the_test_each_minute(void **state)
{
	struct habits h = {0};

	(void)state;
	habits_hung_up(&h, 50, 1 * S);
	habits_hung_up(&h, 50, 1 * S);
	assert_int_equal(habits_limit(&h, 60 * S), 50);
	assert_int_equal(habits_limit(&h, 61 * S), 0); /* one only */
	assert_int_equal(habits_limit(&h, 61 * S), 50);
	habits_answered(&h, 50);
	assert_int_equal(habits_limit(&h, 62 * S), 50);
	habits_answered(&h, 51);
	assert_int_equal(habits_limit(&h, 62 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_nothing_is_known_at_first),
	    cmocka_unit_test(test_one_end_wants_a_spare_for_a_minute),
	    cmocka_unit_test(test_two_that_agree_are_a_limit),
	    cmocka_unit_test(test_a_single_answer_is_no_rule),
	    cmocka_unit_test(test_it_is_put_to_the_test_each_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
