/* special: which names are, and what they are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/message.h"
#include "dns/name.h"
#include "dns/reply.h"
#include "proxy/special.h"

static uint8_t room[SPECIAL_ROOM];
static struct response r;
static uint8_t wire[NAME_MAX_LEN], lower[NAME_MAX_LEN];

static bool ask(const char *name, unsigned type)
{
	struct question q = {.name = wire, .type = (uint16_t)type, .class = CLASS_IN};

	q.name_len = name_parse(wire, name);
	assert_true(q.name_len > 0);
	name_lower(lower, wire, q.name_len);
	return special_answer(&q, lower, room, &r);
}

/* The reply as a client gets it, read again: all of it must be valid. */
static struct response reply(const char *name, unsigned type)
{
	static uint8_t out[600];
	struct query q = {.limit = sizeof out, .edns = {.present = true}};
	struct response again;
	size_t n;

	assert_true(ask(name, type));
	q.question = r.question;
	n = reply_from_response(out, sizeof out, &q, &r, 0);
	assert_true(n > 0);
	assert_int_equal(response_read(&again, out, n), 0);
	assert_int_equal(again.edns.ede[0].code, 29);
	return again;
}

/* The owner of the SOA in the authority section. */
static void check_soa(const char *name, unsigned type, unsigned rcode, const char *zone)
{
	struct response a = reply(name, type);
	struct cursor c = cursor_make(a.wire, a.len);
	uint8_t owner[NAME_MAX_LEN], want[NAME_MAX_LEN];
	size_t len;

	assert_int_equal(a.rcode, rcode);
	assert_int_equal(a.answers, 0);
	assert_int_equal(a.authorities, 1);
	cursor_skip(&c, a.question_end);
	len = name_expand(&c, owner);
	assert_int_equal(len, name_parse(want, zone));
	assert_true(name_equal(owner, want, len));
	assert_int_equal(cursor_u16(&c), TYPE_SOA);
}

static void names_that_do_not_exist(void **state)
{
	(void)state;
	check_soa("test", TYPE_A, RCODE_NXDOMAIN, "test");
	check_soa("a.b.TEST", TYPE_AAAA, RCODE_NXDOMAIN, "test");
	check_soa("x.invalid", TYPE_MX, RCODE_NXDOMAIN, "invalid");
	check_soa("abc.onion", TYPE_A, RCODE_NXDOMAIN, "onion");
	check_soa("printer.local", TYPE_A, RCODE_NXDOMAIN, "local");
	check_soa("x.alt", TYPE_A, RCODE_NXDOMAIN, "alt");
	check_soa("x.home.arpa", TYPE_A, RCODE_NXDOMAIN, "home.arpa");
	check_soa("_x.resolver.arpa", TYPE_SVCB, RCODE_NXDOMAIN, "resolver.arpa");
}

static void names_that_have_nothing(void **state)
{
	(void)state;
	check_soa("home.arpa", TYPE_A, RCODE_NOERROR, "home.arpa");
	check_soa("resolver.arpa", TYPE_A, RCODE_NOERROR, "resolver.arpa");
	check_soa("_dns.resolver.arpa", TYPE_SVCB, RCODE_NOERROR, "_dns.resolver.arpa");
	check_soa("10.in-addr.arpa", TYPE_NS, RCODE_NOERROR, "10.in-addr.arpa");
	check_soa("localhost", TYPE_MX, RCODE_NOERROR, "localhost");
}

static void this_machine(void **state)
{
	struct response a = reply("localhost", TYPE_A);

	(void)state;
	assert_int_equal(a.answers, 1);
	assert_memory_equal(a.wire + a.body_end - 4, "\177\0\0\1", 4);
	a = reply("deep.down.LocalHost", TYPE_AAAA);
	assert_int_equal(a.answers, 1);
	assert_int_equal(a.wire[a.body_end - 1], 1);
	a = reply("1.0.0.127.in-addr.arpa", TYPE_PTR);
	assert_int_equal(a.answers, 1);
	assert_memory_equal(a.wire + a.body_end - 11, "\11localhost", 11);
	a = reply(
	    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
	    TYPE_PTR);
	assert_int_equal(a.answers, 1);
}

static void private_reverse_zones(void **state)
{
	static const char *const names[] = {
	    "4.3.2.10.in-addr.arpa",	"1.0.16.172.in-addr.arpa",
	    "1.0.31.172.in-addr.arpa",	"1.1.168.192.in-addr.arpa",
	    "9.0.0.127.in-addr.arpa",	"1.2.254.169.in-addr.arpa",
	    "7.2.0.192.in-addr.arpa",	"7.100.51.198.in-addr.arpa",
	    "7.113.0.203.in-addr.arpa", "1.1.64.100.in-addr.arpa",
	    "1.1.127.100.in-addr.arpa", "1.0.0.0.in-addr.arpa",
	    "1.d.f.ip6.arpa",		"0.8.e.f.ip6.arpa",
	    "0.b.e.f.ip6.arpa",		"0.8.b.d.0.1.0.0.2.ip6.arpa"};

	(void)state;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		assert_int_equal(reply(names[i], TYPE_PTR).rcode, RCODE_NXDOMAIN);
}

static void all_others_are_forwarded(void **state)
{
	static const char *const names[] = {".",
					    "com",
					    "example.com",
					    "example",
					    "localhost.com",
					    "notlocalhost",
					    "test.example",
					    "mytest",
					    "arpa",
					    "in-addr.arpa",
					    "ip6.arpa",
					    "8.8.8.8.in-addr.arpa",
					    "1.0.15.172.in-addr.arpa",
					    "1.0.32.172.in-addr.arpa",
					    "1.0.016.172.in-addr.arpa",
					    "1.1.63.100.in-addr.arpa",
					    "1.1.128.100.in-addr.arpa",
					    "1.1.1664.100.in-addr.arpa",
					    "110.in-addr.arpa",
					    "168.192.arpa",
					    "e.f.ip6.arpa",
					    "c.e.f.ip6.arpa",
					    "use-application-dns.net",
					    "resolver.example",
					    "0.0.2.ip6.arpa",
					    "172.in-addr.arpa",
					    "100.in-addr.arpa",
					    "x6.172.in-addr.arpa"};

	(void)state;
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		if (ask(names[i], TYPE_PTR))
			fail_msg("%s is not special", names[i]);
	/* its parent is asked whether it is signed (RFC 8375 4) */
	assert_false(ask("home.arpa", TYPE_DS));
	assert_true(ask("x.home.arpa", TYPE_DS));
}

static void other_classes_are_forwarded(void **state)
{
	struct question q = {
	    .name = (const uint8_t *)"\4test", .name_len = 6, .type = 1, .class = 3};

	(void)state;
	assert_false(special_answer(&q, q.name, room, &r));
}

static void the_longest_name_fits(void **state)
{
	char name[300] = "";

	(void)state;
	for (unsigned i = 0; i < 124; i++)
		strcat(name, "a.");
	strcat(name, "test");
	check_soa(name, TYPE_A, RCODE_NXDOMAIN, "test");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_that_do_not_exist),
	    cmocka_unit_test(names_that_have_nothing),
	    cmocka_unit_test(this_machine),
	    cmocka_unit_test(private_reverse_zones),
	    cmocka_unit_test(all_others_are_forwarded),
	    cmocka_unit_test(other_classes_are_forwarded),
	    cmocka_unit_test(the_longest_name_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
