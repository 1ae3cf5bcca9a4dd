/* records: which of an answer's records belong to the question, over CNAMEs and past strangers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/records.h"

#include "build.h"

/* Owner names. */
#define SELF "\300\14"
#define B "\1b\4test\0"
#define C "\1C\4Test\0"

#define ADD(owner, type, data) build_record(&b, LITERAL(owner), type, LITERAL(data))

static struct build b;
static struct response r;
static uint8_t name[NAME_MAX_LEN];
static uint32_t ttl;

static void start(unsigned answers)
{
	build_start(&b,
		    (struct header){.flags = DNS_QR, .questions = 1, .answers = answers});
	build_bytes(&b, LITERAL(QUESTION_A));
}

static size_t read_name(void)
{
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	ttl = UINT32_MAX;
	return records_name(&r, name, &ttl);
}

/* The last octets of the addresses that count, in order. */
static const char *addresses(void)
{
	static char out[32];
	size_t len = read_name(), n = 0;
	struct records it = records_of(&r);
	struct record x;

	while (len && records_next_of(&it, name, len, TYPE_A, &x))
		out[n++] = (char)x.data[3];
	out[n] = 0;
	return out;
}

static void the_question_itself(void **state)
{
	(void)state;
	start(2);
	ADD(SELF, TYPE_A, "\300\0\2a");
	ADD("\3WWW\7example\3COM\0", TYPE_A, "\300\0\2b");
	assert_string_equal(addresses(), "ab");
	assert_int_equal(ttl, UINT32_MAX);
	start(0);
	assert_string_equal(addresses(), "");
}

static void strangers_and_other_types_do_not_count(void **state)
{
	(void)state;
	start(4);
	ADD(B, TYPE_A, "\300\0\2x");
	ADD("\7example\3com\0", TYPE_A, "\300\0\2y");
	ADD(SELF, TYPE_TXT, "\3abc");
	ADD(SELF, TYPE_A, "\300\0\2a");
	assert_string_equal(addresses(), "a");
}

static void other_classes_do_not_count(void **state)
{
	(void)state;
	start(1);
	ADD(SELF, TYPE_A, "\300\0\2a");
	b.data[RECORDS_AT + 5] = 3;
	assert_string_equal(addresses(), "");
}

static void cnames_are_followed_in_any_order(void **state)
{
	(void)state;
	start(4);
	ADD(C, TYPE_A, "\300\0\2c");
	ADD(B, TYPE_CNAME, "\1c\4test\0");
	ADD(SELF, TYPE_A, "\300\0\2x");
	ADD(SELF, TYPE_CNAME, B);
	assert_string_equal(addresses(), "c");
	assert_int_equal(ttl, 300);
}

static void the_target_may_be_compressed(void **state)
{
	(void)state;
	start(2);
	ADD(SELF, TYPE_CNAME, "\1b\300\20"); /* b.example.com */
	ADD("\1b\7example\3com\0", TYPE_A, "\300\0\2c");
	assert_string_equal(addresses(), "c");
	assert_int_equal(read_name(), 15);
}

static void a_circle_leads_nowhere(void **state)
{
	(void)state;
	start(1);
	ADD(SELF, TYPE_CNAME, SELF);
	assert_int_equal(read_name(), 0);
	start(3);
	ADD(SELF, TYPE_CNAME, B);
	ADD(B, TYPE_CNAME, SELF);
	ADD(B, TYPE_A, "\300\0\2x");
	assert_int_equal(read_name(), 0);
}

/* COUNT CNAMEs, then an address. */
static void build_chain(unsigned count)
{
	uint8_t from[] = {0xc0, DNS_HEADER_LEN}, to[] = {1, 'a', 0};

	start(count + 1);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t before[] = {1, (uint8_t)('a' + i - 1), 0};

		to[1] = (uint8_t)('a' + i);
		build_record(&b, i ? before : from, i ? 3 : 2, TYPE_CNAME, to, sizeof to);
	}
	build_record(&b, to, sizeof to, TYPE_A, LITERAL("\300\0\2z"));
}

static void a_chain_has_a_cap(void **state)
{
	(void)state;
	build_chain(RECORDS_CNAMES_MAX);
	assert_string_equal(addresses(), "z");
	build_chain(RECORDS_CNAMES_MAX + 1);
	assert_int_equal(read_name(), 0);
}

/* The last octets of the addresses of B in the additional section. */
static const char *additional(void)
{
	static char out[32];
	struct records it;
	struct record x;
	size_t n = 0;

	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	it = records_additional(&r);
	while (records_next_of(&it, LITERAL(B), TYPE_A, &x))
		out[n++] = (char)x.data[3];
	assert_false(records_next(&it, &x));
	out[n] = 0;
	return out;
}

static void the_additional_section_is_told_from_the_others(void **state)
{
	(void)state;
	build_start(&b, (struct header){.flags = DNS_QR,
					.questions = 1,
					.answers = 2,
					.authorities = 1,
					.additionals = 4});
	build_bytes(&b, LITERAL(QUESTION_A));
	ADD(SELF, TYPE_A, "\300\0\2a");
	ADD(B, TYPE_A, "\300\0\2b");
	ADD(B, TYPE_A, "\300\0\2c");
	ADD(B, TYPE_A, "\300\0\2d");
	ADD(C, TYPE_A, "\300\0\2e");
	ADD(B, TYPE_A, "\300\0\2f");
	build_opt(&b, (struct opt){.size = 1232}, NULL, 0);
	assert_string_equal(additional(), "df");
	start(1);
	ADD(B, TYPE_A, "\300\0\2a");
	assert_string_equal(additional(), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_question_itself),
	    cmocka_unit_test(strangers_and_other_types_do_not_count),
	    cmocka_unit_test(other_classes_do_not_count),
	    cmocka_unit_test(cnames_are_followed_in_any_order),
	    cmocka_unit_test(the_target_may_be_compressed),
	    cmocka_unit_test(a_circle_leads_nowhere),
	    cmocka_unit_test(a_chain_has_a_cap),
	    cmocka_unit_test(the_additional_section_is_told_from_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
