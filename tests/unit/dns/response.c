/* response: what is taken from an upstream, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "build.h"
#include "dns/response.h"

#define FLAGS (DNS_QR | DNS_RD | DNS_RA)

static void start(struct build *b, unsigned answers, unsigned authorities,
		  unsigned additionals)
{
	build_start(b,
		    (struct header){0x1234, FLAGS, 1, answers, authorities, additionals});
	build_bytes(b, LITERAL(QUESTION_A));
}

static int read_built(const struct build *b)
{
	struct response r;

	return response_read(&r, b->data, b->w.pos);
}

static void reads_a_whole_response(void **state)
{
	static struct build b;
	struct response r;

	(void)state;
	start(&b, 2, 1, 2);
	build_answer(&b, TYPE_CNAME, LITERAL("\1x\300\20"));
	build_record(&b, LITERAL("\300\55"), TYPE_A, LITERAL("\1\2\3\4"));
	build_record(&b, LITERAL("\300\20"), TYPE_NS, LITERAL("\2ns\300\20"));
	build_record(&b, LITERAL("\2ns\300\20"), TYPE_AAAA, LITERAL("0123456789abcdef"));
	build_opt(&b, (struct opt){.size = 1232, .flags = 0x8000},
		  LITERAL("\0\17\0\2\0\26"));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_ptr_equal(r.wire, b.data);
	assert_int_equal(r.len, b.w.pos);
	assert_int_equal(r.id, 0x1234);
	assert_int_equal(r.flags, FLAGS);
	assert_int_equal(r.rcode, 0);
	assert_int_equal(r.question.name_len, 17);
	assert_int_equal(r.question_end, RECORDS_AT);
	assert_int_equal(r.answers, 2);
	assert_int_equal(r.authorities, 1);
	assert_int_equal(r.additionals, 1);
	assert_int_equal(r.body_end, b.w.pos - OPT_LEN - 6);
	assert_true(r.edns.present && r.edns.do_bit);
	assert_int_equal(r.edns.ede_count, 1);
}

static int read_error(const struct build *b, struct response *r)
{
	return response_read_error(r, b->data, b->w.pos);
}

static void reads_an_error_without_a_question(void **state)
{
	static struct build b;
	struct response r;

	(void)state;
	build_start(&b, (struct header){0x1234, FLAGS | RCODE_REFUSED, 0, 0, 0, 0});
	assert_int_equal(read_error(&b, &r), 0);
	assert_int_equal(r.id, 0x1234);
	assert_int_equal(r.rcode, RCODE_REFUSED);
	assert_int_equal(r.question.name_len, 0);
	assert_int_equal(r.body_end, DNS_HEADER_LEN);
	build_start(&b, (struct header){0x1234, FLAGS, 0, 0, 0, 1});
	build_opt(&b, (struct opt){.size = 1232, .extended_rcode = 1}, LITERAL(""));
	assert_int_equal(read_error(&b, &r), 0);
	assert_int_equal(r.rcode, RCODE_BADVERS);
	assert_true(r.edns.present);
}

static void only_an_error_may_lack_its_question(void **state)
{
	static const struct header bad[] = {
	    {1, FLAGS, 0, 0, 0, 0},				/* NOERROR */
	    {1, FLAGS | RCODE_NXDOMAIN, 0, 0, 0, 0},		/* about no name */
	    {1, (FLAGS | RCODE_REFUSED) & ~DNS_QR, 0, 0, 0, 0}, /* a query */
	    {1, FLAGS | RCODE_REFUSED, 1, 0, 0, 0},		/* it says it has one */
	    {1, FLAGS | RCODE_REFUSED, 0, 1, 0, 0},
	    {1, FLAGS | RCODE_REFUSED, 0, 0, 1, 0},
	    {1, FLAGS | RCODE_REFUSED, 0, 0, 0, 1}, /* no record is there */
	};
	static struct build b;
	struct response r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		build_start(&b, bad[i]);
		assert_int_equal(read_error(&b, &r), -EBADMSG);
	}
	build_start(&b, (struct header){0x1234, FLAGS | RCODE_REFUSED, 0, 0, 0, 0});
	for (size_t len = 0; len < DNS_HEADER_LEN; len++)
		assert_int_equal(response_read_error(&r, b.data, len), -EBADMSG);
}

static void reads_a_response_without_records(void **state)
{
	static struct build b;
	struct response r;

	(void)state;
	build_start(&b, (struct header){1, FLAGS | 3, 1, 0, 0, 0});
	build_bytes(&b, LITERAL("\0\0\2\0\1"));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(r.rcode, 3);
	assert_int_equal(r.question_end, 17);
	assert_int_equal(r.body_end, 17);
	assert_int_equal(r.additionals, 0);
	assert_false(r.edns.present);
}

static void joins_the_extended_rcode(void **state)
{
	static struct build b;
	struct response r;

	(void)state;
	build_start(&b, (struct header){1, FLAGS | 7, 1, 0, 0, 1});
	build_bytes(&b, LITERAL(QUESTION_A));
	build_opt(&b, (struct opt){.extended_rcode = 0xff}, LITERAL(""));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(r.rcode, 0xff7);
}

static void keeps_no_records_behind_the_opt(void **state)
{
	static struct build b;
	struct response r;
	size_t opt;

	(void)state;
	start(&b, 0, 0, 3);
	build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	opt = b.w.pos;
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	build_record(&b, LITERAL("\0"), TYPE_TSIG, LITERAL("x"));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(r.additionals, 1);
	assert_int_equal(r.body_end, opt);
	assert_int_equal(r.len, b.w.pos);
}

static void octets_behind_the_last_record_do_not_count(void **state)
{
	static struct build b;
	struct response r;
	size_t end;

	(void)state;
	start(&b, 1, 0, 0);
	build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	end = b.w.pos;
	build_answer(&b, TYPE_A, LITERAL("\5\6\7\10"));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(r.len, end);
	assert_int_equal(r.body_end, end);
}

static void refuses_every_shorter_message(void **state)
{
	static struct build b;
	struct response r;

	(void)state;
	start(&b, 1, 1, 2);
	build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	build_answer(&b, TYPE_SOA,
		     LITERAL("\0\300\14"
			     "01234567890123456789"));
	build_opt(&b, (struct opt){.size = 1232}, LITERAL("\0\17\0\2\0\26"));
	build_answer(&b, 999, LITERAL("x"));
	for (size_t len = 0; len < b.w.pos; len++)
		assert_int_equal(response_read(&r, b.data, len), -EBADMSG);
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
}

static void refuses_headers_that_no_response_has(void **state)
{
	static const struct header bad[] = {
	    {1, DNS_RD, 1, 0, 0, 0},	       /* a query */
	    {1, FLAGS | 4u << 11, 1, 0, 0, 0}, /* NOTIFY */
	    {1, FLAGS | 1u << 11, 1, 0, 0, 0},
	    {1, FLAGS, 0, 0, 0, 0},
	    {1, FLAGS, 2, 0, 0, 0},
	    {1, FLAGS, 0x101, 0, 0, 0},
	};
	static struct build b;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		build_start(&b, bad[i]);
		build_bytes(&b, LITERAL(QUESTION_A QUESTION_A));
		assert_int_equal(read_built(&b), -EBADMSG);
	}
	start(&b, 0, 0, 0);
	assert_int_equal(read_built(&b), 0);
}

static void refuses_a_compressed_question(void **state)
{
	static struct build b;

	(void)state;
	build_start(&b, (struct header){1, FLAGS, 1, 0, 0, 0});
	build_bytes(&b, LITERAL("\300\0\0\1\0\1"));
	assert_int_equal(read_built(&b), -EBADMSG);
}

static void refuses_opts_that_are_not_one_in_its_place(void **state)
{
	static struct build b;

	(void)state;
	start(&b, 0, 0, 2); /* two */
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	assert_int_equal(read_built(&b), -EBADMSG);
	start(&b, 1, 0, 0); /* in the answer section */
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	assert_int_equal(read_built(&b), -EBADMSG);
	start(&b, 0, 1, 0); /* in the authority section */
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	assert_int_equal(read_built(&b), -EBADMSG);
	start(&b, 0, 0, 1); /* with an owner */
	build_answer(&b, TYPE_OPT, LITERAL(""));
	assert_int_equal(read_built(&b), -EBADMSG);
	start(&b, 0, 0, 1); /* with an option that overruns it */
	build_opt(&b, (struct opt){.size = 1232}, LITERAL("\0\17\0\3\0\1"));
	assert_int_equal(read_built(&b), -EBADMSG);
}

/* ---- names and data ---- */

static int with_data(unsigned type, unsigned class, const uint8_t *data, size_t len)
{
	static struct build b;

	start(&b, 1, 0, 0);
	build_answer(&b, type, data, len);
	b.data[RECORDS_AT + 5] = (uint8_t) class;
	return read_built(&b);
}

static int with_owner(const uint8_t *owner, size_t len)
{
	static struct build b;

	start(&b, 1, 0, 0);
	build_record(&b, owner, len, TYPE_TXT, LITERAL("\0"));
	return read_built(&b);
}

static void checks_owner_names(void **state)
{
	(void)state;
	assert_int_equal(with_owner(LITERAL("\0")), 0);
	assert_int_equal(with_owner(LITERAL("\300\14")), 0);
	assert_int_equal(with_owner(LITERAL("\300\20")), 0);
	assert_int_equal(with_owner(LITERAL("\300\34")), 0); /* the question's root */
	assert_int_equal(with_owner(LITERAL("\1a\300\14")), 0);
	assert_int_equal(with_owner(LITERAL("\300\15")), -EBADMSG); /* within a label */
	assert_int_equal(with_owner(LITERAL("\300\41")), -EBADMSG); /* itself */
	assert_int_equal(with_owner(LITERAL("\1a\300\41")), -EBADMSG);
	assert_int_equal(with_owner(LITERAL("\300\43")), -EBADMSG); /* forward */
	assert_int_equal(with_owner(LITERAL("\300\13")), -EBADMSG); /* the header */
	assert_int_equal(with_owner(LITERAL("\100\14")), -EBADMSG);
	assert_int_equal(with_owner(LITERAL("\200\14")), -EBADMSG);
}

static void checks_addresses_in_class_in(void **state)
{
	static const uint8_t octets[17] = {0};

	(void)state;
	for (size_t len = 0; len <= 17; len++) {
		assert_int_equal(with_data(TYPE_A, 1, octets, len),
				 len == 4 ? 0 : -EBADMSG);
		assert_int_equal(with_data(TYPE_AAAA, 1, octets, len),
				 len == 16 ? 0 : -EBADMSG);
		assert_int_equal(with_data(TYPE_A, 3, octets, len), 0);
		assert_int_equal(with_data(TYPE_AAAA, 3, octets, len), 0);
	}
}

#define NUL2 "\0\0"
#define NUL4 NUL2 NUL2
#define NUL6 NUL2 NUL4
#define NUL18 NUL6 NUL6 NUL6
#define NUL20 NUL18 NUL2

/* Types with names: good data, of which no beginning is good (unless OPEN), nor with an
 * octet more; and nor is it with a pointer forward in place of its last name (at LAST).
 */
static const struct {
	unsigned type;
	const uint8_t *data;
	size_t len, last;
	bool open;
} layouts[] = {
    {TYPE_NS, LITERAL("\1a\300\14"), 2, false},
    {TYPE_MD, LITERAL("\1a\300\14"), 2, false},
    {TYPE_MF, LITERAL("\1a\300\14"), 2, false},
    {TYPE_CNAME, LITERAL("\1a\300\14"), 2, false},
    {TYPE_MB, LITERAL("\1a\300\14"), 2, false},
    {TYPE_MG, LITERAL("\1a\300\14"), 2, false},
    {TYPE_MR, LITERAL("\1a\300\14"), 2, false},
    {TYPE_PTR, LITERAL("\1a\300\14"), 2, false},
    {TYPE_DNAME, LITERAL("\1a\300\14"), 2, false},
    {TYPE_SOA, LITERAL("\1a\300\14\300\55" NUL20), 4, false},
    {TYPE_MINFO, LITERAL("\1a\300\14\300\55"), 4, false},
    {TYPE_RP, LITERAL("\1a\300\14\300\55"), 4, false},
    {TYPE_MX, LITERAL("\0\12\300\14"), 2, false},
    {TYPE_AFSDB, LITERAL("\0\12\300\14"), 2, false},
    {TYPE_RT, LITERAL("\0\12\300\14"), 2, false},
    {TYPE_SRV, LITERAL("\0\1\0\2\0\65\300\14"), 6, false},
    {TYPE_NAPTR, LITERAL("\0\1\0\2\1s\3abc\0\300\14"), 11, false},
    {TYPE_RRSIG, LITERAL(NUL18 "\300\14sig"), 18, true},
    {TYPE_NSEC, LITERAL("\300\14\0\1\100"), 0, true},
};

static void checks_names_in_data(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
		uint8_t data[64];
		size_t len = layouts[i].len, last = layouts[i].last;
		unsigned type = layouts[i].type;

		memcpy(data, layouts[i].data, len);
		data[len] = 0;
		assert_int_equal(with_data(type, 1, data, len), 0);
		assert_int_equal(with_data(type, 3, data, len), 0);
		for (size_t shorter = 0; shorter < last + 2; shorter++)
			assert_int_equal(with_data(type, 1, data, shorter), -EBADMSG);
		if (layouts[i].open) {
			assert_int_equal(with_data(type, 1, data, last + 2), 0);
		} else {
			assert_int_equal(with_data(type, 1, data, len - 1), -EBADMSG);
			assert_int_equal(with_data(type, 1, data, len + 1), -EBADMSG);
		}
		data[last + 1] = 200;
		assert_int_equal(with_data(type, 1, data, len), -EBADMSG);
	}
}

static void does_not_look_into_other_types(void **state)
{
	(void)state;
	assert_int_equal(with_data(TYPE_TXT, 1, LITERAL("\377")), 0);
	assert_int_equal(with_data(TYPE_HTTPS, 1, LITERAL("\377\377\377")), 0);
	assert_int_equal(with_data(65280 & 0xffff, 1, LITERAL("\300\377")), 0);
	assert_int_equal(with_data(TYPE_SVCB, 1, LITERAL("")), 0);
}

static void names_in_data_end_with_the_data(void **state)
{
	static struct build b;

	(void)state;
	/* the root that would end the name is the next record's owner */
	start(&b, 2, 0, 0);
	build_answer(&b, TYPE_NS, LITERAL("\1a"));
	build_record(&b, LITERAL("\0"), TYPE_TXT, LITERAL("\0"));
	assert_int_equal(read_built(&b), -EBADMSG);
}

static void names_do_not_reach_into_the_opt(void **state)
{
	static struct build b;

	(void)state;
	/* The data of a TXT is the start of a label that runs over the next record and
	 * ends in the OPT behind: what the name is would depend on an OPT that is not
	 * passed on. */
	start(&b, 1, 0, 2);
	build_answer(&b, TYPE_TXT, LITERAL("\17"));
	build_record(&b, LITERAL("\300\55"), TYPE_TXT, LITERAL("\1a"));
	build_opt(&b, (struct opt){0}, LITERAL(""));
	assert_int_equal(read_built(&b), -EBADMSG);
}

static void takes_the_longest_message(void **state)
{
	static struct build b;
	struct response r;
	unsigned n = 0;

	(void)state;
	start(&b, 0, 0, 0);
	for (; b.w.cap - b.w.pos >= 16; n++)
		build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	b.data[6] = (uint8_t)(n >> 8);
	b.data[7] = (uint8_t)n;
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(r.answers, n);
	b.data[6] = b.data[7] = 0xff;
	assert_int_equal(read_built(&b), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_a_whole_response),
	    cmocka_unit_test(reads_an_error_without_a_question),
	    cmocka_unit_test(only_an_error_may_lack_its_question),
	    cmocka_unit_test(reads_a_response_without_records),
	    cmocka_unit_test(joins_the_extended_rcode),
	    cmocka_unit_test(keeps_no_records_behind_the_opt),
	    cmocka_unit_test(octets_behind_the_last_record_do_not_count),
	    cmocka_unit_test(refuses_every_shorter_message),
	    cmocka_unit_test(refuses_headers_that_no_response_has),
	    cmocka_unit_test(refuses_a_compressed_question),
	    cmocka_unit_test(refuses_opts_that_are_not_one_in_its_place),
	    cmocka_unit_test(checks_owner_names),
	    cmocka_unit_test(checks_addresses_in_class_in),
	    cmocka_unit_test(checks_names_in_data),
	    cmocka_unit_test(does_not_look_into_other_types),
	    cmocka_unit_test(names_in_data_end_with_the_data),
	    cmocka_unit_test(names_do_not_reach_into_the_opt),
	    cmocka_unit_test(takes_the_longest_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
