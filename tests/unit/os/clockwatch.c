/* clockwatch: sleep, a clock that is set, and neither. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/clockwatch.h"

#define S INT64_C(1000000)

static void time_that_passes_is_no_change(void **state)
{
	struct clockwatch w = {0};

	(void)state;
	for (int64_t i = 0; i < 100; i++)
		assert_int_equal(clockwatch_compare(&w, 10 * S + i * S, 15 * S + i * S,
						    1000 * S + i * S),
				 CLOCK_SAME);
}

static void sleep_is_told_once(void **state)
{
	struct clockwatch w = {0};

	(void)state;
	clockwatch_compare(&w, 10 * S, 10 * S, 1000 * S);
	/* an hour, and the real clock went on with it */
	assert_int_equal(clockwatch_compare(&w, 11 * S, 3611 * S, 4601 * S), CLOCK_SLEPT);
	assert_int_equal(clockwatch_compare(&w, 12 * S, 3612 * S, 4602 * S), CLOCK_SAME);
}

static void a_clock_that_is_set_is_told_either_way(void **state)
{
	struct clockwatch w = {0};

	(void)state;
	clockwatch_compare(&w, 10 * S, 10 * S, 1000 * S);
	assert_int_equal(clockwatch_compare(&w, 11 * S, 11 * S, 90000 * S), CLOCK_SET);
	assert_int_equal(clockwatch_compare(&w, 12 * S, 12 * S, 500 * S), CLOCK_SET);
	assert_int_equal(clockwatch_compare(&w, 13 * S, 13 * S, 501 * S + S / 2),
			 CLOCK_SAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(time_that_passes_is_no_change),
	    cmocka_unit_test(sleep_is_told_once),
	    cmocka_unit_test(a_clock_that_is_set_is_told_either_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
