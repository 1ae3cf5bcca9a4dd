/* edns: the OPT record's fields, its options, and what overruns it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "build.h"
#include "dns/edns.h"
#include "dns/octets.h"

/* An OPT without its owner and type: size, TTL and length from FIXED, then OPTIONS. */
static struct cursor opt(struct build *b, const uint8_t *options, size_t len)
{
	struct cursor c;

	b->w = writer_make(b->data, sizeof b->data);
	build_opt(b, (struct opt){.size = 1232}, options, len);
	c = cursor_make(b->data, b->w.pos);
	c.pos = 3;
	return c;
}

static struct edns read_good(struct build *b, const uint8_t *options, size_t len)
{
	struct cursor c = opt(b, options, len);
	struct edns e;

	memset(&e, 0xaa, sizeof e);
	edns_read(&c, &e);
	assert_false(c.bad);
	assert_int_equal(cursor_left(&c), 0);
	assert_true(e.present);
	return e;
}

static void reads_the_fixed_part(void **state)
{
	static const uint8_t data[] = "\x12\x34\x56\x07\x80\x00\x00\x00";
	struct cursor c = cursor_make(data, 8);
	struct edns e;

	(void)state;
	edns_read(&c, &e);
	assert_false(c.bad);
	assert_true(e.present && e.do_bit);
	assert_int_equal(e.udp_size, 0x1234);
	assert_int_equal(e.extended_rcode, 0x56);
	assert_int_equal(e.version, 7);
	assert_false(e.keepalive || e.padding);
	assert_int_equal(e.ede_count, 0);
}

static void other_flags_are_not_do(void **state)
{
	static const uint8_t data[] = "\x12\x34\x56\x07\x7f\xff\x00\x00";
	struct cursor c = cursor_make(data, 8);
	struct edns e;

	(void)state;
	edns_read(&c, &e);
	assert_true(e.present);
	assert_false(e.do_bit);
}

static void reads_only_its_own_octets(void **state)
{
	static const uint8_t data[] = "\x04\xd0\0\0\0\0\0\x04\0\x0c\0\0\0\x0b\0\0";
	struct cursor c = cursor_make(data, sizeof data - 1);
	struct edns e;

	(void)state;
	edns_read(&c, &e);
	assert_false(c.bad);
	assert_int_equal(c.pos, 12);
	assert_true(e.padding);
	assert_false(e.keepalive);
}

static void reads_keepalive(void **state)
{
	static struct build b;
	struct edns e = read_good(&b, LITERAL("\0\13\0\0"));

	(void)state;
	assert_true(e.keepalive);
	assert_int_equal(e.keepalive_value, 0xffff);
	e = read_good(&b, LITERAL("\0\13\0\2\1\2"));
	assert_true(e.keepalive);
	assert_int_equal(e.keepalive_value, 0x0102);
	assert_false(read_good(&b, LITERAL("\0\13\0\1\1")).keepalive);
	assert_false(read_good(&b, LITERAL("\0\13\0\3\1\2\3")).keepalive);
}

static void passes_over_unknown_options(void **state)
{
	static struct build b;
	struct edns e =
	    read_good(&b, LITERAL("\0\10\0\3abc\xff\xff\0\0\0\14\0\2\0\0\0\13\0\0"));

	(void)state;
	assert_true(e.padding && e.keepalive);
}

static void reads_ede(void **state)
{
	static struct build b;
	struct edns e = read_good(&b, LITERAL("\0\17\0\2\0\26\0\17\0\5\1\2abc"));

	(void)state;
	assert_int_equal(e.ede_count, 2);
	assert_int_equal(e.ede[0].code, 22);
	assert_int_equal(e.ede[0].text_len, 0);
	assert_int_equal(e.ede[1].code, 0x0102);
	assert_int_equal(e.ede[1].text_len, 3);
	assert_memory_equal(e.ede[1].text, "abc", 3);
	assert_int_equal(read_good(&b, LITERAL("\0\17\0\1\0")).ede_count, 0);
	assert_int_equal(read_good(&b, LITERAL("\0\17\0\0")).ede_count, 0);
}

static void keeps_the_first_four_edes(void **state)
{
	static struct build b;
	struct edns e = read_good(&b, LITERAL("\0\17\0\2\0\1\0\17\0\2\0\2\0\17\0\2\0\3"
					      "\0\17\0\2\0\4\0\17\0\2\0\5\0\17\0\2\0\6"));

	(void)state;
	assert_int_equal(e.ede_count, EDE_KEPT_MAX);
	assert_int_equal(e.ede[0].code, 1);
	assert_int_equal(e.ede[3].code, 4);
}

static void cuts_long_ede_texts_between_characters(void **state)
{
	static struct build b;
	uint8_t option[6 + 300] = "\0\17\1\56\0\1"; /* 302 octets */
	struct edns e;

	(void)state;
	memset(option + 6, 'x', 300);
	e = read_good(&b, option, sizeof option);
	assert_int_equal(e.ede[0].text_len, 200);
	memcpy(option + 6 + 199, "\xc3\xa9", 2); /* would be cut in its middle */
	e = read_good(&b, option, sizeof option);
	assert_int_equal(e.ede[0].text_len, 199);
	memcpy(option + 6 + 197, "\xf0\x9f\x98\x80", 4);
	e = read_good(&b, option, sizeof option);
	assert_int_equal(e.ede[0].text_len, 197);
	memcpy(option + 6 + 196, "\xf0\x9f\x98\x80x", 5); /* just fits */
	e = read_good(&b, option, sizeof option);
	assert_int_equal(e.ede[0].text_len, 200);
}

static void cuts_what_is_not_utf8_somewhere(void **state)
{
	uint8_t text[300];

	(void)state;
	memset(text, 0x80, sizeof text);
	assert_int_equal(utf8_cut(text, sizeof text, 200), 197);
	assert_int_equal(utf8_cut(text, sizeof text, 2), 0);
	assert_int_equal(utf8_cut(text, sizeof text, 0), 0);
	assert_int_equal(utf8_cut(text, 200, 200), 200);
	assert_int_equal(utf8_cut(text, 0, 0), 0);
}

static void assert_bad(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_make(data, len);
	struct edns e = {0};

	edns_read(&c, &e);
	assert_true(c.bad);
	assert_false(e.present);
	assert_int_equal(e.udp_size, 0);
	assert_int_equal(e.ede_count, 0);
}

static void refuses_short_records(void **state)
{
	static const uint8_t whole[] = "\4\320\0\0\0\0\0\6\0\17\0\2\0\1";

	(void)state;
	for (size_t len = 0; len < sizeof whole - 1; len++)
		assert_bad(whole, len);
}

static void refuses_options_that_overrun_the_record(void **state)
{
	(void)state;
	/* three octets of an option's head; data one short, though the message goes on */
	assert_bad(LITERAL("\4\320\0\0\0\0\0\3\0\14\0\0\0\0"));
	assert_bad(LITERAL("\4\320\0\0\0\0\0\5\0\14\0\2\0\0\0"));
	assert_bad(LITERAL("\4\320\0\0\0\0\0\5\0\14\0\0\0"));
	assert_bad(LITERAL("\4\320\0\0\0\0\0\4\0\14\377\377"));
	/* a good EDE before it */
	assert_bad(LITERAL("\4\320\0\0\0\0\0\12\0\17\0\2\0\1\0\14\0\1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_the_fixed_part),
	    cmocka_unit_test(other_flags_are_not_do),
	    cmocka_unit_test(reads_only_its_own_octets),
	    cmocka_unit_test(reads_keepalive),
	    cmocka_unit_test(passes_over_unknown_options),
	    cmocka_unit_test(reads_ede),
	    cmocka_unit_test(keeps_the_first_four_edes),
	    cmocka_unit_test(cuts_long_ede_texts_between_characters),
	    cmocka_unit_test(cuts_what_is_not_utf8_somewhere),
	    cmocka_unit_test(refuses_short_records),
	    cmocka_unit_test(refuses_options_that_overrun_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
