/* check: one case per rule, and that the first match wins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../dns/build.h"
#include "proxy/check.h"

struct checked {
	struct query q;
	enum verdict verdict;
	unsigned rcode;
	enum reason why;
};

static struct checked check(const uint8_t *message, size_t len, bool tcp)
{
	struct checked c = {.rcode = 99, .why = REASON_N};

	memset(&c.q, 0xaa, sizeof c.q);
	c.verdict = check_message(&c.q, message, len, tcp, &c.rcode, &c.why);
	return c;
}

static struct checked check_built(const struct build *b)
{
	return check(b->data, b->w.pos, false);
}

/* A query with this header, type and class; with an OPT if the header counts one. */
static struct checked check_query(struct header h, unsigned type, unsigned class,
				  struct opt o)
{
	static struct build b;

	build_start(&b, h);
	build_bytes(&b, LITERAL("\3www\3com\0"));
	writer_u16(&b.w, (uint16_t)type);
	writer_u16(&b.w, (uint16_t) class);
	if (h.additionals)
		build_opt(&b, o, LITERAL(""));
	return check_built(&b);
}

static const struct header plain = {.id = 7, .flags = DNS_RD, .questions = 1};
static const struct header edns = {
    .id = 7, .flags = DNS_RD, .questions = 1, .additionals = 1};
static const struct opt usual = {.size = 1232};

static void assert_reply(struct checked c, unsigned rcode)
{
	assert_int_equal(c.verdict, VERDICT_REPLY);
	assert_int_equal(c.rcode, rcode);
	assert_int_equal(c.q.id, 7);
}

static void forwards_good_queries(void **state)
{
	struct checked c = check_query(plain, TYPE_A, CLASS_IN, usual);

	(void)state;
	assert_int_equal(c.verdict, VERDICT_FORWARD);
	assert_int_equal(c.q.id, 7);
	assert_int_equal(c.q.flags, DNS_RD);
	assert_int_equal(c.q.question.name_len, 9);
	assert_int_equal(c.q.question.type, TYPE_A);
	assert_int_equal(c.q.question.class, CLASS_IN);
	assert_int_equal(c.q.limit, 512);
	assert_int_equal(c.rcode, 99);
	assert_int_equal(c.why, REASON_N);
}

static void drops_short_messages(void **state)
{
	static const uint8_t zeros[12] = {0, 7};

	(void)state;
	for (size_t len = 0; len < 12; len++) {
		struct checked c = check(zeros, len, false);

		assert_int_equal(c.verdict, VERDICT_DROP);
		assert_int_equal(c.why, REASON_SHORT_MESSAGE);
	}
	assert_reply(check(zeros, 12, false), RCODE_FORMERR);
}

static void drops_responses(void **state)
{
	struct header h = plain;
	struct checked c;

	(void)state;
	h.flags = DNS_QR;
	c = check_query(h, TYPE_A, CLASS_IN, usual);
	assert_int_equal(c.verdict, VERDICT_DROP);
	assert_int_equal(c.why, REASON_NOT_A_QUERY);
	h.flags = 0xffff;
	assert_int_equal(check_query(h, TYPE_A, CLASS_IN, usual).verdict, VERDICT_DROP);
}

static void other_opcodes_are_not_implemented(void **state)
{
	(void)state;
	for (unsigned opcode = 1; opcode < 16; opcode++) {
		struct header h = edns;
		struct checked c;

		h.flags = opcode << 11 | DNS_RD;
		c = check_query(h, TYPE_SOA, CLASS_IN, usual);
		assert_reply(c, RCODE_NOTIMP);
		assert_int_equal(c.q.flags, h.flags);
		assert_int_equal(c.q.question.name_len, 0);
		assert_int_equal(c.q.question.type, 0);
		assert_false(c.q.edns.present);
		assert_int_equal(c.q.limit, 512);
	}
}

static void one_question_or_formerr(void **state)
{
	static const unsigned counts[] = {0, 2, 0x100, 0xffff};

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		struct header h = plain;
		struct checked c;

		h.questions = counts[i];
		c = check_query(h, TYPE_A, CLASS_IN, usual);
		assert_reply(c, RCODE_FORMERR);
		assert_int_equal(c.q.question.name_len, 0);
	}
}

static void no_answers_in_a_query(void **state)
{
	struct header h = plain;
	struct checked c;

	(void)state;
	h.answers = 1;
	c = check_query(h, TYPE_A, CLASS_IN, usual);
	assert_reply(c, RCODE_FORMERR);
	assert_int_equal(c.q.question.name_len, 9);
	h.answers = 0;
	h.authorities = 1;
	assert_reply(check_query(h, TYPE_A, CLASS_IN, usual), RCODE_FORMERR);
}

static void unreadable_questions_are_formerr(void **state)
{
	static struct build b;

	(void)state;
	build_start(&b, plain);
	build_bytes(&b, LITERAL("\3www\300\14\0\1\0\1"));
	assert_reply(check_built(&b), RCODE_FORMERR);
	build_start(&b, plain);
	build_bytes(&b, LITERAL("\3www\0\0\1\0"));
	assert_reply(check_built(&b), RCODE_FORMERR);
}

static void bad_opts_are_formerr(void **state)
{
	static struct build b;
	struct header two = edns;
	struct checked c;

	(void)state;
	two.additionals = 2;
	build_start(&b, two);
	build_bytes(&b, LITERAL(QUESTION_A));
	build_opt(&b, usual, LITERAL(""));
	build_opt(&b, usual, LITERAL(""));
	assert_reply(check_built(&b), RCODE_FORMERR);
	build_start(&b, edns);
	build_bytes(&b, LITERAL(QUESTION_A));
	build_answer(&b, TYPE_OPT, LITERAL(""));
	assert_reply(check_built(&b), RCODE_FORMERR);
	build_start(&b, edns);
	build_bytes(&b, LITERAL(QUESTION_A));
	build_opt(&b, usual, LITERAL("\0\10\0\7\0"));
	c = check_built(&b);
	assert_reply(c, RCODE_FORMERR);
	assert_int_equal(c.q.question.name_len, 17);
	assert_false(c.q.edns.present);
}

static void newer_versions_are_badvers(void **state)
{
	struct checked c = check_query(edns, TYPE_AXFR, CLASS_IN,
				       (struct opt){.size = 1000, .version = 1});

	(void)state;
	assert_reply(c, RCODE_BADVERS);
	assert_true(c.q.edns.present);
	assert_int_equal(c.q.limit, 1000);
	assert_reply(check_query(edns, TYPE_A, CLASS_IN, (struct opt){.version = 255}),
		     RCODE_BADVERS);
}

static void types_that_are_not_forwarded(void **state)
{
	unsigned forwarded = 0;

	(void)state;
	assert_reply(check_query(plain, 251, CLASS_IN, usual), RCODE_REFUSED); /* IXFR */
	assert_reply(check_query(plain, 252, CLASS_IN, usual), RCODE_REFUSED); /* AXFR */
	assert_reply(check_query(plain, 253, CLASS_IN, usual), RCODE_NOTIMP);  /* MAILB */
	assert_reply(check_query(plain, 254, CLASS_IN, usual), RCODE_NOTIMP);  /* MAILA */
	assert_reply(check_query(plain, 249, CLASS_IN, usual), RCODE_NOTIMP);  /* TKEY */
	assert_reply(check_query(plain, 250, CLASS_IN, usual), RCODE_FORMERR); /* TSIG */
	assert_reply(check_query(plain, 41, CLASS_IN, usual), RCODE_FORMERR);  /* OPT */
	assert_reply(check_query(plain, 128, CLASS_IN, usual),
		     RCODE_FORMERR); /* NXNAME */
	assert_reply(check_query(plain, 0, CLASS_IN, usual), RCODE_FORMERR);
	for (unsigned type = 0; type <= 0xffff; type++)
		forwarded +=
		    check_query(plain, type, CLASS_IN, usual).verdict == VERDICT_FORWARD;
	assert_int_equal(forwarded, 0x10000 - 9);
}

static void classes(void **state)
{
	(void)state;
	assert_reply(check_query(plain, TYPE_A, 0, usual), RCODE_FORMERR);
	assert_reply(check_query(plain, TYPE_A, CLASS_NONE, usual), RCODE_FORMERR);
	assert_int_equal(check_query(plain, TYPE_TXT, 3, usual).verdict, VERDICT_FORWARD);
	assert_int_equal(check_query(plain, TYPE_A, CLASS_ANY, usual).verdict,
			 VERDICT_FORWARD);
	assert_int_equal(check_query(plain, TYPE_A, 0xffff, usual).verdict,
			 VERDICT_FORWARD);
}

static uint16_t limit_for(unsigned size)
{
	return check_query(edns, TYPE_A, CLASS_IN, (struct opt){.size = size}).q.limit;
}

static void limits_udp_answers(void **state)
{
	(void)state;
	assert_int_equal(limit_for(0), 512);
	assert_int_equal(limit_for(511), 512);
	assert_int_equal(limit_for(512), 512);
	assert_int_equal(limit_for(513), 513);
	assert_int_equal(limit_for(1232), 1232);
	assert_int_equal(limit_for(1233), 1232);
	assert_int_equal(limit_for(65535), 1232);
}

static void tcp_answers_have_no_other_limit(void **state)
{
	static struct build b;

	(void)state;
	build_start(&b, edns);
	build_bytes(&b, LITERAL(QUESTION_A));
	build_opt(&b, (struct opt){.size = 512}, LITERAL(""));
	assert_int_equal(check(b.data, b.w.pos, true).q.limit, 65535);
	assert_int_equal(check(b.data, b.w.pos, true).verdict, VERDICT_FORWARD);
	assert_int_equal(check(b.data, 20, true).q.limit, 65535);
	assert_int_equal(check(b.data, 20, false).q.limit, 512);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(forwards_good_queries),
	    cmocka_unit_test(drops_short_messages),
	    cmocka_unit_test(drops_responses),
	    cmocka_unit_test(other_opcodes_are_not_implemented),
	    cmocka_unit_test(one_question_or_formerr),
	    cmocka_unit_test(no_answers_in_a_query),
	    cmocka_unit_test(unreadable_questions_are_formerr),
	    cmocka_unit_test(bad_opts_are_formerr),
	    cmocka_unit_test(newer_versions_are_badvers),
	    cmocka_unit_test(types_that_are_not_forwarded),
	    cmocka_unit_test(classes),
	    cmocka_unit_test(limits_udp_answers),
	    cmocka_unit_test(tcp_answers_have_no_other_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
