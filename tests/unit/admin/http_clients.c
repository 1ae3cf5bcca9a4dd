/* http_clients: who gives way, in which order, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "admin/http_clients.h"

#define S 1000000u

static struct http_clients table;

static int begin(void **state)
{
	(void)state;
	http_clients_init(&table);
	return 0;
}

static struct http_client *add(int fd, const char *ip, uint64_t now)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), 1), 0);
	return http_clients_add(&table, fd, &a.any, now);
}

/* N of them; the first has descriptor FD. */
static void add_many(int fd, unsigned n, const char *ip, uint64_t now)
{
	for (unsigned i = 0; i < n; i++)
		assert_non_null(add(fd + (int)i, ip, now + i));
}

/* The descriptor of who gives way; -1: nobody. */
static int pick(uint64_t now)
{
	struct http_client *k = http_clients_pick(&table, now);

	return k ? k->fd : -1;
}

static void test_one_address(void **state)
{
	(void)state;
	add_many(10, HTTP_CLIENTS_PER_ADDRESS, "192.0.2.1", 5);
	assert_int_equal(pick(S), -1);
	add_many(50, 2, "192.0.2.1", 100);
	assert_int_equal(pick(S), 10);
	assert_int_equal(pick(S), 11);
	assert_int_equal(pick(S), -1);
	assert_non_null(add(60, "192.0.2.1", 300));
	assert_int_equal(pick(S), 12);
	assert_int_equal(pick(S), -1);
}

static void test_all_addresses(void **state)
{
	(void)state;
	assert_non_null(add(1, "192.0.2.9", 0)); /* the oldest, but the only one there */
	add_many(10, 8, "192.0.2.1", 100);
	add_many(20, 8, "192.0.2.2", 200);
	add_many(30, 8, "192.0.2.3", 300);
	add_many(40, 7, "192.0.2.4", 10);
	assert_int_equal(pick(S), -1);
	assert_non_null(add(50, "2001:db8::1", 400));
	assert_int_equal(pick(S), 10);
	assert_int_equal(pick(S), -1);
}

static void test_a_network_is_one_address(void **state)
{
	char ip[32];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(ip, sizeof ip, "2001:db8::%d", i + 1);
		assert_non_null(add(10 + i, ip, (uint64_t)i));
	}
	assert_non_null(add(20, "2001:db8:0:1::1", 0));
	assert_non_null(add(21, "32.1.13.184", 0)); /* the same octets */
	assert_int_equal(pick(S), 10);
	assert_int_equal(pick(S), -1);
}

static void test_late(void **state)
{
	struct http_client *k = add(1, "192.0.2.1", 5 * S);

	(void)state;
	assert_int_equal(http_clients_wait_ms(&table, 6 * S), 9001);
	assert_int_equal(pick(15 * S - 1), -1);
	assert_non_null(add(2, "192.0.2.1", 15 * S));
	assert_int_equal(http_clients_wait_ms(&table, 20 * S), 0);
	assert_int_equal(pick(15 * S), 1);
	assert_int_equal(pick(15 * S), -1);
	assert_int_equal(http_clients_wait_ms(&table, 16 * S), 9001);
	assert_int_equal(pick(25 * S), 2);
	assert_int_equal(http_clients_wait_ms(&table, 26 * S), -1);
	http_clients_remove(k);
	http_clients_remove(NULL);
	assert_int_equal(http_clients_wait_ms(&table, 26 * S), -1);
}

static void test_full(void **state)
{
	(void)state;
	add_many(1, HTTP_CLIENTS_MAX + HTTP_CLIENTS_SPARE, "192.0.2.1", 1);
	assert_null(add(99, "192.0.2.2", 2));
	for (int i = 0;
	     i < HTTP_CLIENTS_MAX + HTTP_CLIENTS_SPARE - HTTP_CLIENTS_PER_ADDRESS; i++)
		assert_int_equal(pick(S), 1 + i);
	assert_int_equal(pick(S), -1);
	http_clients_remove(&table.all[0]);
	assert_non_null(add(99, "192.0.2.2", 2));
	assert_int_equal(pick(S), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(test_one_address, begin),
	    cmocka_unit_test_setup(test_all_addresses, begin),
	    cmocka_unit_test_setup(test_a_network_is_one_address, begin),
	    cmocka_unit_test_setup(test_late, begin),
	    cmocka_unit_test_setup(test_full, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
