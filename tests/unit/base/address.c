/* address: texts that are addresses, texts that are none, and comparing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"

static struct address make(const char *ip, uint16_t port)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), port), 0);
	return a;
}

static void check_text(const char *ip, uint16_t port, const char *with_port,
		       const char *alone)
{
	struct address a = make(ip, port);
	char text[ADDRESS_TEXT_MAX];

	assert_string_equal(address_text(&a, text), with_port);
	assert_string_equal(address_ip_text(&a, text), alone);
	assert_int_equal(address_port(&a), port);
}

static void test_there_and_back(void **state)
{
	(void)state;
	check_text("192.0.2.1", 53, "192.0.2.1:53", "192.0.2.1");
	check_text("255.255.255.255", 65535, "255.255.255.255:65535", "255.255.255.255");
	check_text("0.0.0.0", 0, "0.0.0.0:0", "0.0.0.0");
	check_text("2001:DB8::0:1", 853, "[2001:db8::1]:853", "2001:db8::1");
	check_text("::", 53, "[::]:53", "::");
	check_text("fd00::", 53, "[fd00::]:53", "fd00::");
	check_text("::ffff:192.0.2.1", 53, "[::ffff:192.0.2.1]:53", "::ffff:192.0.2.1");
	check_text("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", 65535,
		   "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
}

static void test_families_and_lengths(void **state)
{
	struct address v4 = make("192.0.2.1", 53), v6 = make("2001:db8::1", 53);

	(void)state;
	assert_int_equal(v4.any.sa_family, AF_INET);
	assert_int_equal(address_len(&v4), sizeof(struct sockaddr_in));
	assert_int_equal(v4.v4.sin_addr.s_addr, htonl(0xc0000201));
	assert_int_equal(v4.v4.sin_port, htons(53));
	assert_int_equal(v6.any.sa_family, AF_INET6);
	assert_int_equal(address_len(&v6), sizeof(struct sockaddr_in6));
	assert_int_equal(v6.v6.sin6_scope_id, 0);
}

/* Only LEN characters count: an address stands within a longer text. */
static void test_reads_only_len(void **state)
{
	struct address a, expected = make("192.0.2.1", 53);

	(void)state;
	assert_int_equal(address_parse_ip(&a, "192.0.2.17", 9, 53), 0);
	assert_true(address_equal(&a, &expected));
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
	    "",
	    " ",
	    "192.0.2",
	    "192.0.2.256",
	    "192.0.2.1.1",
	    "192.0.02.1",
	    "0x7f.0.0.1",
	    "2130706433",
	    "192.0.2.1 ",
	    " 192.0.2.1",
	    "192.0.2.1:53",
	    "192.0.2.1%lo",
	    "[::1]",
	    "::1::",
	    ":::",
	    ":",
	    "12345::",
	    "1:2:3:4:5:6:7:8:9",
	    "1:2:3:4:5:6:7",
	    "g::",
	    "::1%lo", /* only link-local addresses have a scope */
	    "2001:db8::1%1",
	    "fe80::1%",
	    "fe80::1%/",
	    "localhost",
	    "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555555555555555555555555555555",
	};
	struct address before = make("198.51.100.7", 99), a = before;
	char longest[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int error = address_parse_ip(&a, bad[i], strlen(bad[i]), 53);

		assert_int_equal(error,
				 strcmp(bad[i], "fe80::1%/") == 0 ? -ENODEV : -EINVAL);
		assert_memory_equal(&a, &before, sizeof a);
	}
	assert_int_equal(address_parse_ip(&a, "1.2.3.4\0", 8, 53), -EINVAL);
	memset(longest, '1', sizeof longest);
	assert_int_equal(address_parse_ip(&a, longest, sizeof longest, 53), -EINVAL);
	assert_int_equal(address_parse_ip(&a, "::1\0%", 5, 53), -EINVAL);
}

static void test_scope(void **state)
{
	unsigned lo = if_nametoindex("lo");
	char number[32], text[ADDRESS_TEXT_MAX];
	struct address a, b;

	(void)state;
	if (lo == 0)
		skip();
	a = make("fe80::1%lo", 53);
	assert_int_equal(a.v6.sin6_scope_id, lo);
	assert_string_equal(address_text(&a, text), "[fe80::1%lo]:53");
	assert_string_equal(address_ip_text(&a, text), "fe80::1%lo");
	snprintf(number, sizeof number, "fe80::1%%%u", lo);
	b = make(number, 53);
	assert_true(address_equal(&a, &b));
	b = make("fe80::1", 53);
	assert_false(address_same_ip(&a, &b));
}

static void test_scope_without_interface(void **state)
{
	struct address before = make("198.51.100.7", 99), a = before;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(address_parse_ip(&a, "fe80::1%nosuchif0", 17, 53), -ENODEV);
	assert_int_equal(address_parse_ip(&a, "fe80::1%0", 9, 53), -ENODEV);
	assert_int_equal(address_parse_ip(&a, "fe80::1%999999999", 17, 53), -ENODEV);
	assert_int_equal(address_parse_ip(&a, "fe80::1%4294967297", 18, 53), -ENODEV);
	assert_memory_equal(&a, &before, sizeof a);
	/* an interface that has gone is shown by its number */
	a = make("fe80::1", 53);
	a.v6.sin6_scope_id = 999999999;
	assert_string_equal(address_text(&a, text), "[fe80::1%999999999]:53");
}

static void test_no_address(void **state)
{
	struct address a;
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	memset(&a, 0, sizeof a);
	assert_string_equal(address_ip_text(&a, text), "unknown");
	assert_string_equal(address_text(&a, text), "unknown:0");
}

static void test_compare(void **state)
{
	struct address a = make("192.0.2.1", 53), b = make("192.0.2.1", 53);
	struct address port = make("192.0.2.1", 54), ip = make("192.0.2.2", 53);
	struct address v6 = make("2001:db8::1", 53), other = make("2001:db8::2", 53);
	struct address mapped = make("::ffff:192.0.2.1", 53);

	(void)state;
	assert_true(address_equal(&a, &b));
	assert_true(address_same_ip(&a, &b));
	assert_false(address_equal(&a, &port));
	assert_true(address_same_ip(&a, &port));
	assert_false(address_same_ip(&a, &ip));
	assert_false(address_equal(&a, &ip));
	assert_true(address_equal(&v6, &v6));
	assert_false(address_same_ip(&v6, &other));
	assert_false(address_same_ip(&a, &mapped));
	/* the flow label is no part of an address */
	b = v6;
	b.v6.sin6_flowinfo = 7;
	assert_true(address_equal(&v6, &b));
}

static void test_wildcard(void **state)
{
	struct address a = make("0.0.0.0", 53);

	(void)state;
	assert_true(address_is_wildcard(&a));
	a = make("::", 53);
	assert_true(address_is_wildcard(&a));
	a = make("0.0.0.1", 53);
	assert_false(address_is_wildcard(&a));
	a = make("::1", 53);
	assert_false(address_is_wildcard(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_there_and_back),
	    cmocka_unit_test(test_families_and_lengths),
	    cmocka_unit_test(test_reads_only_len),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_scope),
	    cmocka_unit_test(test_scope_without_interface),
	    cmocka_unit_test(test_no_address),
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_wildcard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
