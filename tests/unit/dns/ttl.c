/* ttl: which numbers of a response are TTLs, and the least of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "build.h"
#include "dns/ttl.h"

static struct build b;
static struct response r;
static struct ttls t;

static void start(unsigned answers, unsigned authorities, unsigned additionals)
{
	build_start(&b, (struct header){.flags = 0x8180,
					.questions = 1,
					.answers = answers,
					.authorities = authorities,
					.additionals = additionals});
	build_bytes(&b, LITERAL(QUESTION_A));
}

static void scan(void)
{
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	ttl_scan(&r, &t);
}

static void set_ttl(size_t at, uint32_t ttl)
{
	for (unsigned i = 0; i < 4; i++)
		b.data[at + i] = (uint8_t)(ttl >> (24 - 8 * i));
}

static void each_record_has_one(void **state)
{
	(void)state;
	start(2, 1, 1);
	build_answer(&b, TYPE_CNAME, LITERAL("\1x\0"));
	build_answer(&b, TYPE_A, LITERAL("\300\0\2\1"));
	build_record(&b, LITERAL("\0"), TYPE_NS, LITERAL("\1n\0"));
	build_record(&b, LITERAL("\1n\0"), TYPE_A, LITERAL("\300\0\2\2"));
	scan();
	assert_int_equal(t.count, 4);
	assert_true(t.answered);
	assert_int_equal(t.least, 300);
	assert_int_equal(t.negative, TTL_NONE);
	for (unsigned i = 0; i < t.count; i++)
		assert_memory_equal(r.wire + r.question_end + t.at[i], "\0\0\1\54", 4);
}

static void the_opt_has_none(void **state)
{
	(void)state;
	start(1, 0, 1);
	build_answer(&b, TYPE_A, LITERAL("\300\0\2\1"));
	build_opt(&b, (struct opt){.size = 1232, .flags = 0x8000}, LITERAL(""));
	scan();
	assert_int_equal(t.count, 1);
	assert_int_equal(t.least, 300);
}

static void more_than_31_bits_is_nothing(void **state)
{
	(void)state;
	assert_int_equal(ttl_read(0x7fffffff), 0x7fffffff);
	assert_int_equal(ttl_read(0x80000000), 0);
	start(1, 0, 0);
	build_answer(&b, TYPE_A, LITERAL("\300\0\2\1"));
	set_ttl(RECORDS_AT + 6, 0xffffffff);
	scan();
	assert_int_equal(t.least, 0);
}

static void only_an_alias_is_no_answer(void **state)
{
	(void)state;
	start(1, 0, 0);
	build_answer(&b, TYPE_CNAME, LITERAL("\1x\0"));
	scan();
	assert_false(t.answered);
}

static void the_soa_says_how_long_nothing_is_nothing(void **state)
{
	static const uint8_t soa[] = "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\74";

	(void)state;
	start(0, 1, 0);
	build_record(&b, LITERAL("\0"), TYPE_SOA, soa, 22);
	scan();
	assert_int_equal(t.negative, 60);
	/* elsewhere a SOA says nothing */
	start(1, 0, 0);
	build_record(&b, LITERAL("\0"), TYPE_SOA, soa, 22);
	scan();
	assert_int_equal(t.negative, TTL_NONE);
}

static void nothing_has_none(void **state)
{
	(void)state;
	start(0, 0, 0);
	scan();
	assert_int_equal(t.count, 0);
	assert_int_equal(t.least, TTL_NONE);
	assert_false(t.too_many);
}

static void too_many_are_not_listed(void **state)
{
	(void)state;
	start(TTLS_MAX + 1, 0, 0);
	for (unsigned i = 0; i <= TTLS_MAX; i++)
		build_answer(&b, TYPE_TXT, LITERAL("\0"));
	scan();
	assert_true(t.too_many);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_record_has_one),
	    cmocka_unit_test(the_opt_has_none),
	    cmocka_unit_test(more_than_31_bits_is_nothing),
	    cmocka_unit_test(only_an_alias_is_no_answer),
	    cmocka_unit_test(the_soa_says_how_long_nothing_is_nothing),
	    cmocka_unit_test(nothing_has_none),
	    cmocka_unit_test(too_many_are_not_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
