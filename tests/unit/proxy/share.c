/* share: holders come and go, the heaviest is known, the number of holders is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proxy/share.h"

#define PLACES 8u
#define FLIGHTS 6u

static struct shares *s;

static int set_up(void **state)
{
	(void)state;
	s = shares_new(PLACES, FLIGHTS);
	return s ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	shares_free(s);
	return 0;
}

static struct host host(uint64_t n)
{
	return (struct host){.interface = n};
}

static uint32_t enter(uint64_t n)
{
	const struct host h = host(n);

	return shares_enter(s, &h);
}

static struct holding of(uint64_t n)
{
	const struct host h = host(n);

	return shares_of(s, &h);
}

static void test_each_is_counted(void **state)
{
	uint32_t a = enter(1), b = enter(2);

	(void)state;
	assert_int_not_equal(a, 0);
	assert_int_not_equal(a, b);
	assert_int_equal(enter(1), a);
	assert_int_equal(of(1).places, 2);
	assert_int_equal(of(2).places, 1);
	assert_int_equal(of(3).places, 0);
	shares_leave(s, a);
	shares_leave(s, a);
	assert_int_equal(of(1).places, 0);
	shares_leave(s, b);
}

static void test_the_heaviest(void **state)
{
	struct list nodes[6];
	uint32_t a = enter(1), b = enter(2);

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		list_init(&nodes[i]);
	assert_null(shares_heaviest_flights(s));
	shares_own(s, a, &nodes[0]);
	shares_own(s, b, &nodes[1]);
	shares_own(s, b, &nodes[2]);
	assert_int_equal(shares_heaviest(s), 2);
	assert_ptr_equal(shares_heaviest_flights(s)->prev, &nodes[2]);
	shares_own(s, a, &nodes[3]);
	shares_own(s, a, &nodes[4]);
	assert_int_equal(shares_heaviest(s), 3);
	assert_ptr_equal(shares_heaviest_flights(s)->prev, &nodes[4]);
	shares_disown(s, a, &nodes[4]);
	shares_disown(s, a, &nodes[0]);
	assert_int_equal(shares_heaviest(s), 2);
	assert_ptr_equal(shares_heaviest_flights(s)->prev, &nodes[2]);
	shares_disown(s, b, &nodes[1]);
	shares_disown(s, b, &nodes[2]);
	shares_disown(s, a, &nodes[3]);
	assert_int_equal(shares_heaviest(s), 0);
	assert_null(shares_heaviest_flights(s));
	shares_leave(s, a);
	shares_leave(s, b);
}

/* One that has flights, but no place any more, is still the same holder. */
static void test_flights_hold(void **state)
{
	struct list node;
	uint32_t a = enter(1);

	(void)state;
	list_init(&node);
	shares_own(s, a, &node);
	shares_leave(s, a);
	assert_int_equal(of(1).flights, 1);
	assert_int_equal(enter(1), a);
	shares_leave(s, a);
	shares_disown(s, a, &node);
	assert_int_equal(of(1).flights, 0);
}

static void test_there_is_a_cap(void **state)
{
	uint32_t holders[PLACES];

	(void)state;
	for (unsigned i = 0; i < PLACES; i++) {
		holders[i] = enter(i);
		assert_int_not_equal(holders[i], 0);
	}
	assert_int_equal(enter(99), 0);
	assert_int_equal(enter(3), holders[3]);
	shares_leave(s, holders[3]);
	shares_leave(s, holders[3]);
	assert_int_not_equal(enter(99), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_each_is_counted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_the_heaviest, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_flights_hold, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_there_is_a_cap, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
