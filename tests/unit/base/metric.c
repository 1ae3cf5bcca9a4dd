/* metric: counters, gauges and the bounds of the histogram's buckets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"

static void test_counters(void **state)
{
	uint64_t m = 0;

	(void)state;
	metric_inc(&m);
	metric_inc(&m);
	metric_add(&m, 40);
	assert_int_equal(metric_get(&m), 42);
	metric_dec(&m);
	assert_int_equal(metric_get(&m), 41);
	metric_set(&m, 7);
	assert_int_equal(metric_get(&m), 7);
	metric_set(&m, UINT64_MAX);
	metric_inc(&m);
	assert_int_equal(metric_get(&m), 0);
}

/* The only bucket that US counts in. */
static size_t bucket_of(uint64_t us)
{
	struct histogram h = {0};
	size_t found = HISTOGRAM_BUCKETS;

	histogram_add(&h, us);
	assert_int_equal(h.sum_us, us);
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		if (h.bucket[i] == 0)
			continue;
		assert_int_equal(h.bucket[i], 1);
		assert_int_equal(found, HISTOGRAM_BUCKETS);
		found = i;
	}
	return found;
}

static void test_bucket_bounds(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(0), 0);
	assert_int_equal(bucket_of(1), 0);
	/* bucket i ends with 64 us << i, and the next one begins there */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
		uint64_t bound = (uint64_t)64 << i;

		assert_int_equal(bucket_of(bound), i);
		assert_int_equal(bucket_of(bound + 1), i + 1);
	}
}

static void test_last_bucket_takes_the_rest(void **state)
{
	(void)state;
	assert_int_equal(bucket_of(8388608), HISTOGRAM_BUCKETS - 2);
	assert_int_equal(bucket_of(8388609), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(bucket_of((uint64_t)1 << 40), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void test_durations_add_up(void **state)
{
	struct histogram h = {0};

	(void)state;
	histogram_add(&h, 10);
	histogram_add(&h, 64);
	histogram_add(&h, 100);
	histogram_add(&h, 10000000);
	assert_int_equal(h.bucket[0], 2);
	assert_int_equal(h.bucket[1], 1);
	assert_int_equal(h.bucket[HISTOGRAM_BUCKETS - 1], 1);
	assert_int_equal(h.sum_us, 10000174);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_counters),
	    cmocka_unit_test(test_bucket_bounds),
	    cmocka_unit_test(test_last_bucket_takes_the_rest),
	    cmocka_unit_test(test_durations_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
