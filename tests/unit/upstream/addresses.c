/* addresses: their order, what counts as a change, and readers beside a writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "upstream/addresses.h"

static struct addresses a;

static struct address ip(const char *text)
{
	struct address x;

	assert_int_equal(address_parse_ip(&x, text, strlen(text), 853), 0);
	return x;
}

static void check(unsigned i, const char *text)
{
	struct address all[ADDRESSES_MAX], want = ip(text);

	assert_true(i < addresses_get(&a, all));
	assert_true(address_equal(&all[i], &want));
}

static int set_up(void **state)
{
	(void)state;
	addresses_init(&a);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	addresses_destroy(&a);
	return 0;
}

static void they_take_turns(void **state)
{
	const struct address from[] = {ip("192.0.2.1"),	  ip("192.0.2.2"),
				       ip("192.0.2.3"),	  ip("2001:db8::1"),
				       ip("2001:db8::2"), ip("192.0.2.1")};

	(void)state;
	assert_true(addresses_set(&a, from, 6));
	assert_int_equal(a.count, 5);
	check(0, "2001:db8::1");
	check(1, "192.0.2.1");
	check(2, "2001:db8::2");
	check(3, "192.0.2.2");
	check(4, "192.0.2.3");
}

static void only_other_addresses_are_a_change(void **state)
{
	const struct address from[] = {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.1")};
	unsigned version;

	(void)state;
	assert_int_equal(a.version, 0);
	assert_true(addresses_set(&a, from, 2));
	version = a.version;
	assert_false(addresses_set(&a, from + 1, 2)); /* another order */
	assert_int_equal(a.version, version);
	assert_true(addresses_set(&a, from, 1));
	assert_int_equal(a.version, version + 1);
}

static void the_one_that_works_is_first(void **state)
{
	const struct address from[] = {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")};
	struct address none = ip("192.0.2.9");

	(void)state;
	addresses_set(&a, from, 3);
	addresses_prefer(&a, &from[2]);
	check(0, "192.0.2.3");
	check(1, "192.0.2.1");
	check(2, "192.0.2.2");
	addresses_prefer(&a, &none);
	check(0, "192.0.2.3");
}

static void the_one_that_fails_is_last(void **state)
{
	const struct address from[] = {ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3")};
	struct address none = ip("192.0.2.9");

	(void)state;
	assert_false(addresses_distrust(&a, &none)); /* there is no other */
	addresses_set(&a, from, 3);
	assert_int_equal(addresses_count(&a), 3);
	assert_true(addresses_distrust(&a, &from[0]));
	check(0, "192.0.2.2");
	check(1, "192.0.2.3");
	check(2, "192.0.2.1");
	assert_true(addresses_distrust(&a, &from[0])); /* it is there already */
	check(2, "192.0.2.1");
	assert_true(addresses_distrust(&a, &none));
	check(0, "192.0.2.2");
	addresses_set(&a, from, 1);
	assert_false(addresses_distrust(&a, &from[0]));
	check(0, "192.0.2.1");
}

static void that_all_have_failed_is_told_once(void **state)
{
	int alarm = eventfd(0, EFD_NONBLOCK);
	uint64_t count;

	(void)state;
	addresses_all_failed(&a); /* nobody watches */
	assert_true(addresses_have_failed(&a));
	assert_false(addresses_have_failed(&a));
	addresses_watch(&a, alarm);
	for (unsigned i = 0; i < 3; i++)
		addresses_all_failed(&a);
	assert_int_equal(read(alarm, &count, sizeof count), sizeof count);
	assert_int_equal(count, 1);
	assert_true(addresses_have_failed(&a));
	addresses_all_failed(&a);
	assert_int_equal(read(alarm, &count, sizeof count), sizeof count);
	assert_true(addresses_have_failed(&a));
	addresses_watch(&a, -1);
	addresses_all_failed(&a);
	assert_int_equal(read(alarm, &count, sizeof count), -1);
	close(alarm);
}

static void there_is_a_cap(void **state)
{
	struct address from[12];

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		char text[] = "192.0.2.10";

		text[9] = (char)('0' + i % 10);
		text[8] = (char)('1' + i / 10);
		from[i] = ip(text);
	}
	assert_true(addresses_set(&a, from, 12));
	assert_int_equal(a.count, ADDRESSES_MAX);
}

static void *write_all_the_time(void *arg)
{
	const struct address from[] = {ip("192.0.2.1"), ip("192.0.2.2")};

	for (unsigned i = 0; i < 20000; i++)
		addresses_set(&a, from, 1 + i % 2);
	return arg;
}

static void readers_see_whole_lists(void **state)
{
	struct address all[ADDRESSES_MAX], first = ip("192.0.2.1");
	pthread_t writer;

	(void)state;
	assert_int_equal(pthread_create(&writer, NULL, write_all_the_time, NULL), 0);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = addresses_get(&a, all);

		assert_in_range(n, 0, 2);
		assert_true(n == 0 || address_equal(&all[0], &first));
	}
	pthread_join(writer, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(they_take_turns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_other_addresses_are_a_change, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_one_that_works_is_first, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(the_one_that_fails_is_last, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(that_all_have_failed_is_told_once, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(there_is_a_cap, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(readers_see_whole_lists, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
