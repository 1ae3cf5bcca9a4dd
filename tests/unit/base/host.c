/* host: which addresses are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/host.h"

static struct host of(const char *text)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, text, strlen(text), 53), 0);
	return host_of(&a);
}

static bool same(const char *a, const char *b)
{
	struct host x = of(a), y = of(b);

	return memcmp(&x, &y, sizeof x) == 0;
}

static void test_ipv4(void **state)
{
	(void)state;
	assert_true(same("192.0.2.1", "192.0.2.1"));
	assert_false(same("192.0.2.1", "192.0.2.2"));
	assert_true(same("192.0.2.1", "::ffff:192.0.2.1"));
}

static void test_ipv6_sites(void **state)
{
	(void)state;
	assert_true(same("2001:db8:0:1200::1", "2001:db8:0:12ff:ffff::2"));
	assert_false(same("2001:db8:0:1200::1", "2001:db8:0:1300::1"));
	assert_false(same("::1", "192.0.2.1"));
}

static void test_links(void **state)
{
	(void)state;
	assert_false(same("fe80::1", "fe80::2"));
	assert_true(same("fe80::1", "fe80::1"));
}

static void test_the_port_does_not_count(void **state)
{
	struct address a, b;
	struct host x, y;

	(void)state;
	assert_int_equal(address_parse_ip(&a, "192.0.2.1", 9, 1), 0);
	assert_int_equal(address_parse_ip(&b, "192.0.2.1", 9, 2), 0);
	x = host_of(&a);
	y = host_of(&b);
	assert_memory_equal(&x, &y, sizeof x);
}

static void test_texts(void **state)
{
	struct host h;
	char text[HOST_TEXT_MAX];

	(void)state;
	h = of("192.0.2.1");
	assert_string_equal(host_text(&h, text), "192.0.2.1");
	h = of("2001:db8:0:1234::9");
	assert_string_equal(host_text(&h, text), "2001:db8:0:1200::/56");
	h = of("fe80::1");
	assert_string_equal(host_text(&h, text), "fe80::1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ipv4),  cmocka_unit_test(test_ipv6_sites),
	    cmocka_unit_test(test_links), cmocka_unit_test(test_the_port_does_not_count),
	    cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
