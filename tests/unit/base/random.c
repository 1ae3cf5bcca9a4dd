/* random: the pool gives each octet once, and numbers below a bound evenly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/random.h"

/* A pool that begins with these octets. */
static struct random with_pool(const void *octets, size_t n)
{
	struct random r;

	random_init(&r);
	memcpy(r.pool, octets, n);
	r.used = 0;
	return r;
}

static void test_init_fills_the_pool(void **state)
{
	static const uint8_t zeros[64];
	struct random a, b;

	(void)state;
	memset(&a, 0, sizeof a);
	memset(&b, 0, sizeof b);
	random_init(&a);
	random_init(&b);
	for (size_t i = 0; i < sizeof a.pool; i += sizeof zeros) {
		assert_memory_not_equal(a.pool + i, zeros, sizeof zeros);
		assert_memory_not_equal(a.pool + i, b.pool + i, sizeof zeros);
	}
}

static void test_octets_in_order_and_wiped(void **state)
{
	uint8_t octets[14], zeros[14] = {0};
	uint16_t two;
	uint32_t four;
	uint64_t eight;

	(void)state;
	for (size_t i = 0; i < sizeof octets; i++)
		octets[i] = (uint8_t)(i + 1);

	struct random r = with_pool(octets, sizeof octets);

	two = random_u16(&r);
	four = random_u32(&r);
	eight = random_u64(&r);
	assert_memory_equal(&two, octets, 2);
	assert_memory_equal(&four, octets + 2, 4);
	assert_memory_equal(&eight, octets + 6, 8);
	assert_int_equal(r.used, 14);
	assert_memory_equal(r.pool, zeros, sizeof zeros);
}

static void test_refill_when_too_few_are_left(void **state)
{
	struct random r, before;

	(void)state;
	random_init(&r);
	before = r;
	r.used = sizeof r.pool - 8;
	random_u64(&r);
	assert_int_equal(r.used, sizeof r.pool);
	/* not one octet is left, then one too few */
	random_u16(&r);
	assert_int_equal(r.used, 2);
	assert_memory_not_equal(r.pool + 64, before.pool + 64, 64);
	before = r;
	r.used = sizeof r.pool - 7;
	random_u64(&r);
	assert_int_equal(r.used, 8);
	assert_memory_not_equal(r.pool + 64, before.pool + 64, 64);
}

static void test_numbers_do_not_repeat(void **state)
{
	uint64_t seen[1000];
	struct random r;

	(void)state;
	random_init(&r);
	for (size_t i = 0; i < 1000; i++) {
		seen[i] = random_u64(&r);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen[i], seen[j]);
	}
}

static void test_below_is_in_range(void **state)
{
	static const uint32_t bounds[] = {1, 2, 3, 7, 1000, 0x80000001, UINT32_MAX};
	struct random r;

	(void)state;
	random_init(&r);
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
		for (unsigned n = 0; n < 1000; n++)
			assert_true(random_below(&r, bounds[i]) < bounds[i]);
}

/* 2^32 mod 3 is 1: of the 2^32 numbers just one is drawn again, and each third of the
 * rest becomes one result. */
static void test_below_is_even(void **state)
{
	const uint32_t draws[] = {0,	      1,	  0x55555555, 0x55555556,
				  0xaaaaaaaa, 0xaaaaaaab, UINT32_MAX};
	const uint32_t expected[] = {0, 0, 1, 1, 2, 2};
	struct random r = with_pool(draws, sizeof draws);

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(random_below(&r, 3), expected[i]);
	assert_int_equal(r.used, sizeof draws);
}

static void test_below_reaches_all(void **state)
{
	unsigned count[10] = {0};
	struct random r;

	(void)state;
	random_init(&r);
	/* 1000 expected, deviation 30: 700 is out of reach */
	for (unsigned n = 0; n < 10000; n++)
		count[random_below(&r, 10)]++;
	for (size_t i = 0; i < 10; i++)
		assert_in_range(count[i], 700, 1300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_init_fills_the_pool),
	    cmocka_unit_test(test_octets_in_order_and_wiped),
	    cmocka_unit_test(test_refill_when_too_few_are_left),
	    cmocka_unit_test(test_numbers_do_not_repeat),
	    cmocka_unit_test(test_below_is_in_range),
	    cmocka_unit_test(test_below_is_even),
	    cmocka_unit_test(test_below_reaches_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
