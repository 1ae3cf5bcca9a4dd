/* descriptors: whom a low limit leaves how much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/resource.h>

#include "os/descriptors.h"

static const struct descriptor_users usual = {.workers = 2, .listeners = 2, .tls = 2};

static unsigned long room(unsigned long limit, const struct descriptor_users *u)
{
	return descriptors_for_clients(limit, u);
}

static void test_all_that_is_not_kept(void **state)
{
	/* 24, and for each worker 7, 4 of listeners, 66 of upstreams */
	(void)state;
	assert_int_equal(room(1024, &usual), 1024 - 24 - 2 * (7 + 4 + 66));
	assert_int_equal(room(1048576, &usual), 1048576 - 24 - 2 * (7 + 4 + 66));
}

/* Each kind of user has what it needs at most kept for it. */
static void test_each_user_is_counted(void **state)
{
	struct descriptor_users u = usual;
	unsigned long base = room(100000, &u);

	(void)state;
	u.http = true;
	assert_int_equal(base - room(100000, &u), 4 + 32);
	u = usual;
	u.plain = 3;
	assert_int_equal(base - room(100000, &u), 2 * 3 * 256);
	u = usual;
	u.tls = 10; /* routes, say */
	assert_int_equal(base - room(100000, &u), 2 * 8 * 33);
	u = usual;
	u.listeners = 5;
	assert_int_equal(base - room(100000, &u), 2 * 3 * 2);
	u = usual;
	u.workers = 3;
	assert_int_equal(base - room(100000, &u), 7 + 4 + 66);
}

/* Where there are few, clients have half of what is not always open. */
static void test_few_are_halved(void **state)
{
	struct descriptor_users u = {
	    .workers = 1, .listeners = 1, .tls = 1, .http = true};

	(void)state;
	assert_int_equal(room(64, &u), (64 - 24 - 4 - 7 - 2) / 2);
	u.plain = 1;
	assert_int_equal(room(256, &u), (256 - 24 - 4 - 7 - 2) / 2);
	/* but what upstreams cannot do without is kept */
	u.tls = 10;
	assert_int_equal(room(80, &u), (80 - 24 - 4 - 7 - 2) - (2 + 20 + 8));
}

static void test_a_few_clients_at_any_rate(void **state)
{
	(void)state;
	assert_int_equal(room(0, &usual), 4);
	assert_int_equal(room(40, &usual), 4);
	for (unsigned long limit = 0; limit < 2000; limit++) {
		assert_true(room(limit, &usual) <= room(limit + 1, &usual));
		assert_true(room(limit, &usual) >= 4);
	}
}

static void test_the_configuration_is_lowered(void **state)
{
	static struct config c;
	struct rlimit before, l;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	l = (struct rlimit){.rlim_cur = 200, .rlim_max = 300};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	c.tcp_clients = 100;
	c.tcp_clients_per_address = 0;
	log_set_level(LOG_ERROR);
	descriptors_fit(&c, &usual);
	assert_int_equal(c.tcp_clients, 100); /* they fit */
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	assert_int_equal(l.rlim_cur, 300);
	c.tcp_clients = 16384;
	descriptors_fit(&c, &usual);
	assert_int_equal(c.tcp_clients, room(300, &usual));
	assert_int_equal(c.tcp_clients_per_address,
			 0); /* half of it: for the table to say */
	c.tcp_clients = c.tcp_clients_per_address = 16384;
	descriptors_fit(&c, &usual);
	assert_int_equal(c.tcp_clients_per_address, c.tcp_clients);
	l = (struct rlimit){.rlim_cur = before.rlim_cur, .rlim_max = before.rlim_max};
	(void)setrlimit(RLIMIT_NOFILE, &l); /* not all may raise it again */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_that_is_not_kept),
	    cmocka_unit_test(test_each_user_is_counted),
	    cmocka_unit_test(test_few_are_halved),
	    cmocka_unit_test(test_a_few_clients_at_any_rate),
	    cmocka_unit_test(test_the_configuration_is_lowered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
