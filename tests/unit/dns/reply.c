/* reply: whose fields a reply has, and that it fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "build.h"
#include "dns/reply.h"

#define FLAGS (DNS_QR | DNS_RD | DNS_RA)

/* One client, one upstream, and what the client is sent. */
struct scene {
	struct build asked, answered;
	struct query q;
	struct response r, sent;
	uint8_t out[DNS_MESSAGE_MAX];
	size_t len;
};

static void ask(struct scene *s, unsigned flags, bool edns, unsigned edns_flags)
{
	build_start(&s->asked, (struct header){0xabcd, flags, 1, 0, 0, edns});
	build_bytes(&s->asked, LITERAL(QUESTION_A_MIXED));
	if (edns)
		build_opt(&s->asked, (struct opt){.size = 1232, .flags = edns_flags},
			  LITERAL(""));
	assert_int_equal(query_read(&s->q, s->asked.data, s->asked.w.pos), 0);
	s->q.limit = 512;
}

static void answer(struct scene *s, unsigned flags, unsigned records,
		   unsigned extended_rcode, const uint8_t *options, size_t len)
{
	build_start(&s->answered, (struct header){0x9999, flags, 1, records, 0, 1});
	build_bytes(&s->answered, LITERAL(QUESTION_A));
	for (unsigned i = 0; i < records; i++)
		build_answer(&s->answered, TYPE_A,
			     (const uint8_t[]){10, 0, 0, (uint8_t)i}, 4);
	build_opt(&s->answered, (struct opt){4096, extended_rcode, 0, 0x8000}, options,
		  len);
	assert_int_equal(response_read(&s->r, s->answered.data, s->answered.w.pos), 0);
}

/* Replies, and reads what was sent as a client would. */
static void reply(struct scene *s, uint16_t keepalive)
{
	s->len = reply_from_response(s->out, sizeof s->out, &s->q, &s->r, keepalive);
	assert_true(s->len > 0 && s->len <= s->q.limit);
	assert_int_equal(response_read(&s->sent, s->out, s->len), 0);
	assert_int_equal(s->sent.len, s->len);
}

static void error(struct scene *s, unsigned rcode, int ede, const char *text)
{
	memset(s->out, 0xaa, sizeof s->out);
	s->len = reply_error(s->out, &s->q, rcode, ede, text, 0);
	assert_true(s->len <= s->q.limit && s->len <= REPLY_ERROR_MAX);
	assert_int_equal(s->out[s->len], 0xaa);
}

static void replies_octet_for_octet(void **state)
{
	static struct scene s;
	static const uint8_t expected[] =
	    "\xab\xcd\x81\x80\0\1\0\1\0\0\0\1" QUESTION_A_MIXED
	    "\300\14\0\1\0\1\0\0\1\x2c\0\4\12\0\0\0"
	    "\0\0\51\x04\xd0\0\0\0\0\0\0";

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS, 1, 0, LITERAL("\0\14\0\2\0\0\0\10\0\4\0\1\0\0"));
	reply(&s, 0);
	assert_int_equal(s.len, sizeof expected - 1);
	assert_memory_equal(s.out, expected, s.len);
}

static void replies_without_opt_to_clients_without(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, false, 0);
	answer(&s, FLAGS, 2, 0, LITERAL("\0\17\0\2\0\26"));
	reply(&s, 100);
	assert_false(s.sent.edns.present);
	assert_int_equal(s.sent.answers, 2);
	assert_int_equal(s.sent.additionals, 0);
	assert_int_equal(s.len, RECORDS_AT + 32);
}

static unsigned flags_for(unsigned asked, unsigned edns_flags, unsigned answered)
{
	static struct scene s;

	ask(&s, asked, true, edns_flags);
	answer(&s, answered, 1, 0, LITERAL(""));
	reply(&s, 0);
	assert_int_equal(s.sent.edns.do_bit, edns_flags >> 15);
	return s.sent.flags;
}

static void flags_come_from_the_right_side(void **state)
{
	const unsigned all = 0x87f0; /* QR and all flags, Z too */

	(void)state;
	assert_int_equal(flags_for(0, 0, all & ~DNS_TC), DNS_QR | DNS_RA);
	assert_int_equal(flags_for(0, 0, DNS_QR), DNS_QR | DNS_RA);
	assert_int_equal(flags_for(DNS_RD, 0, DNS_QR), DNS_QR | DNS_RA | DNS_RD);
	assert_int_equal(flags_for(DNS_CD, 0, DNS_QR), DNS_QR | DNS_RA | DNS_CD);
	assert_int_equal(flags_for(0, 0, DNS_QR | DNS_TC), DNS_QR | DNS_RA | DNS_TC);
	assert_int_equal(flags_for(DNS_AA | DNS_TC | DNS_RA, 0, DNS_QR), DNS_QR | DNS_RA);
}

static void ad_is_for_who_asked(void **state)
{
	const unsigned base = DNS_QR | DNS_RA;

	(void)state;
	assert_int_equal(flags_for(0, 0, FLAGS | DNS_AD), base);
	assert_int_equal(flags_for(DNS_AD, 0, FLAGS | DNS_AD), base | DNS_AD);
	assert_int_equal(flags_for(0, 0x8000, FLAGS | DNS_AD), base | DNS_AD);
	assert_int_equal(flags_for(DNS_AD, 0x8000, FLAGS), base);
}

static void truncated_responses_keep_their_records(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS | DNS_TC, 3, 0, LITERAL(""));
	reply(&s, 0);
	assert_true(s.sent.flags & DNS_TC);
	assert_int_equal(s.sent.answers, 3);
}

static void rcodes_pass(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS | 3, 0, 0, LITERAL(""));
	reply(&s, 0);
	assert_int_equal(s.sent.rcode, 3);
	answer(&s, FLAGS | 7, 0, 1, LITERAL("")); /* BADCOOKIE */
	reply(&s, 0);
	assert_int_equal(s.sent.rcode, 23);
	ask(&s, DNS_RD, false, 0);
	reply(&s, 0);
	assert_int_equal(s.sent.rcode, 2);
	answer(&s, FLAGS | 5, 0, 0, LITERAL(""));
	reply(&s, 0);
	assert_int_equal(s.sent.rcode, 5);
}

static void keepalive_and_ede_come_down(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS, 1, 0,
	       LITERAL("\0\13\0\2\377\377\0\17\0\2\0\3\0\17\0\4\0\26hi"));
	reply(&s, 0x0102);
	assert_true(s.sent.edns.keepalive);
	assert_int_equal(s.sent.edns.keepalive_value, 0x0102);
	assert_int_equal(s.sent.edns.ede_count, 2);
	assert_int_equal(s.sent.edns.ede[0].code, 3);
	assert_int_equal(s.sent.edns.ede[1].code, 22);
	assert_int_equal(s.sent.edns.ede[1].text_len, 2);
	assert_memory_equal(s.sent.edns.ede[1].text, "hi", 2);
	reply(&s, 0);
	assert_false(s.sent.edns.keepalive);
}

/* Header and question are 33 octets, a record 16, the OPT 11: 29 records and an OPT make
 * 508. */
static void fits_to_the_octet(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS, 29, 0, LITERAL(""));
	reply(&s, 0);
	assert_int_equal(s.len, 508);
	assert_false(s.sent.flags & DNS_TC);
	s.q.limit = 508;
	reply(&s, 0);
	assert_int_equal(s.sent.answers, 29);
	s.q.limit = 507;
	reply(&s, 0);
	assert_int_equal(s.len, RECORDS_AT + OPT_LEN);
	assert_int_equal(s.sent.flags, FLAGS | DNS_TC);
	assert_int_equal(s.sent.answers, 0);
	assert_true(s.sent.edns.present);
	s.q.limit = 513; /* the keepalive option needs 514 */
	reply(&s, 1);
	assert_true(s.sent.flags & DNS_TC);
	assert_true(s.sent.edns.keepalive);
	s.q.limit = 514;
	reply(&s, 1);
	assert_false(s.sent.flags & DNS_TC);
}

static void leaves_out_edes_that_do_not_fit(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS, 29, 0, LITERAL("\0\17\0\4\0\1ab\0\17\0\2\0\2\0\17\0\2\0\3"));
	s.q.limit = 508;
	reply(&s, 0);
	assert_int_equal(s.sent.edns.ede_count, 0);
	assert_int_equal(s.sent.answers, 29);
	s.q.limit = 514; /* not the first, but the second, then no third */
	reply(&s, 0);
	assert_int_equal(s.len, 514);
	assert_int_equal(s.sent.edns.ede_count, 1);
	assert_int_equal(s.sent.edns.ede[0].code, 2);
	s.q.limit = 600;
	reply(&s, 0);
	assert_int_equal(s.sent.edns.ede_count, 3);
	s.q.limit = 507; /* truncated: they fit again */
	reply(&s, 0);
	assert_int_equal(s.sent.answers, 0);
	assert_int_equal(s.sent.edns.ede_count, 3);
}

static void needs_no_more_room_than_the_answer(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, DNS_RD, true, 0);
	answer(&s, FLAGS, 4, 0, LITERAL("\0\17\0\2\0\26"));
	reply(&s, 5);
	for (size_t cap = 0; cap < s.len; cap++)
		assert_int_equal(reply_from_response(s.out, cap, &s.q, &s.r, 5), 0);
	assert_int_equal(reply_from_response(s.out, s.len, &s.q, &s.r, 5), s.len);
}

static void needs_no_more_room_than_promised(void **state)
{
	static struct scene s;
	uint8_t options[4 * 206];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		memcpy(options + 206 * i, "\0\17\0\312\0\1", 6);
		memset(options + 206 * i + 6, 'x', 200);
	}
	ask(&s, DNS_RD, true, 0);
	s.q.limit = 65535;
	answer(&s, FLAGS, 1, 0, options, sizeof options);
	reply(&s, 5);
	assert_int_equal(s.len, s.r.body_end + REPLY_OPT_MAX);
	assert_int_equal(s.sent.edns.ede_count, 4);
}

/* ---- reply_error ---- */

static void errors_octet_for_octet(void **state)
{
	static struct scene s;
	static const uint8_t expected[] =
	    "\xab\xcd\x81\x92\0\1\0\0\0\0\0\1" QUESTION_A_MIXED
	    "\0\0\51\x04\xd0\0\0\x80\0\0\x0a\0\17\0\6\0\26text";

	(void)state;
	ask(&s, DNS_RD | DNS_CD | DNS_AD, true, 0x8000);
	error(&s, RCODE_SERVFAIL, 22, "text");
	assert_int_equal(s.len, sizeof expected - 1);
	assert_memory_equal(s.out, expected, s.len);
}

static void errors_without_opt_to_clients_without(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, 0, false, 0);
	error(&s, RCODE_REFUSED, 22, "text");
	assert_int_equal(s.len, RECORDS_AT);
	assert_memory_equal(s.out, "\xab\xcd\x80\x85\0\1\0\0\0\0\0\0", 12);
	error(&s, RCODE_BADVERS, -1, NULL);
	assert_memory_equal(s.out + 2, "\x80\x82", 2);
}

static void errors_without_question_where_there_is_none(void **state)
{
	static struct scene s;

	(void)state;
	s.q =
	    (struct query){.id = 0xabcd, .flags = 0x2900, .limit = 512}; /* UPDATE, RD */
	error(&s, RCODE_NOTIMP, -1, NULL);
	assert_int_equal(s.len, 12);
	assert_memory_equal(s.out, "\xab\xcd\xa9\x04\0\0\0\0\0\0\0\0", 12);
}

/* RA and CD are not said of an opcode that is not implemented; of a type they are. */
static void other_opcodes_have_no_ra_and_no_cd(void **state)
{
	static struct scene s;

	(void)state;
	for (unsigned opcode = 1; opcode < 16; opcode++) {
		s.q = (struct query){.flags = (uint16_t)(opcode << 11 | DNS_CD | DNS_AD),
				     .limit = 512};
		error(&s, RCODE_NOTIMP, -1, NULL);
		assert_int_equal(s.out[2], 0x80 | opcode << 3);
		assert_int_equal(s.out[3], RCODE_NOTIMP);
	}
	s.q = (struct query){.flags = DNS_CD, .limit = 512};
	error(&s, RCODE_NOTIMP, -1, NULL);
	assert_int_equal(s.out[3], DNS_RA | DNS_CD | RCODE_NOTIMP);
}

static void badvers_is_an_extended_rcode(void **state)
{
	static struct scene s;

	(void)state;
	ask(&s, 0, true, 0);
	error(&s, RCODE_BADVERS, -1, NULL);
	assert_int_equal(response_read(&s.sent, s.out, s.len), 0);
	assert_int_equal(s.sent.rcode, 16);
	assert_int_equal(s.sent.edns.version, 0);
	assert_int_equal(s.sent.edns.ede_count, 0);
}

static size_t text_sent(struct scene *s, const char *text)
{
	error(s, RCODE_SERVFAIL, 0, text);
	assert_int_equal(response_read(&s->sent, s->out, s->len), 0);
	assert_int_equal(s->sent.edns.ede_count, 1);
	assert_int_equal(s->sent.edns.ede[0].code, 0);
	assert_memory_equal(s->sent.edns.ede[0].text, text, s->sent.edns.ede[0].text_len);
	return s->sent.edns.ede[0].text_len;
}

static void error_texts_are_cut_between_characters(void **state)
{
	static struct scene s;
	char text[301];

	(void)state;
	ask(&s, 0, true, 0);
	memset(text, 'x', 300);
	text[300] = '\0';
	assert_int_equal(text_sent(&s, ""), 0);
	assert_int_equal(text_sent(&s, "ab"), 2);
	assert_int_equal(text_sent(&s, text), 200);
	memcpy(text + 198, "\xe2\x82\xac", 3);
	assert_int_equal(text_sent(&s, text), 198);
	/* behind header, question, OPT and the EDE's head 10 octets are left */
	s.q.limit = RECORDS_AT + OPT_LEN + 6 + 10;
	assert_int_equal(text_sent(&s, text), 10);
	assert_int_equal(s.len, s.q.limit);
	memcpy(text + 9, "\xc3\xa9", 2);
	assert_int_equal(text_sent(&s, text), 9);
}

static void the_longest_error_has_room(void **state)
{
	static struct scene s;
	uint8_t name[255];
	char text[301];

	(void)state;
	for (size_t i = 0; i < 254; i += 2) {
		name[i] = 1;
		name[i + 1] = 'x';
	}
	name[254] = 0;
	memset(text, 'x', 300);
	text[300] = '\0';
	s.q = (struct query){.limit = 512, .question = {name, 255, 1, 1}};
	s.q.edns.present = true;
	s.len = reply_error(s.out, &s.q, RCODE_SERVFAIL, 65535, text, 9);
	assert_int_equal(s.len, REPLY_ERROR_MAX);
	assert_int_equal(response_read(&s.sent, s.out, s.len), 0);
	assert_int_equal(s.sent.edns.ede[0].code, 65535);
	assert_int_equal(s.sent.edns.ede[0].text_len, 200);
	assert_int_equal(s.sent.edns.keepalive_value, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(replies_octet_for_octet),
	    cmocka_unit_test(replies_without_opt_to_clients_without),
	    cmocka_unit_test(flags_come_from_the_right_side),
	    cmocka_unit_test(ad_is_for_who_asked),
	    cmocka_unit_test(truncated_responses_keep_their_records),
	    cmocka_unit_test(rcodes_pass),
	    cmocka_unit_test(keepalive_and_ede_come_down),
	    cmocka_unit_test(fits_to_the_octet),
	    cmocka_unit_test(leaves_out_edes_that_do_not_fit),
	    cmocka_unit_test(needs_no_more_room_than_the_answer),
	    cmocka_unit_test(needs_no_more_room_than_promised),
	    cmocka_unit_test(errors_octet_for_octet),
	    cmocka_unit_test(errors_without_opt_to_clients_without),
	    cmocka_unit_test(errors_without_question_where_there_is_none),
	    cmocka_unit_test(other_opcodes_have_no_ra_and_no_cd),
	    cmocka_unit_test(badvers_is_an_extended_rcode),
	    cmocka_unit_test(error_texts_are_cut_between_characters),
	    cmocka_unit_test(the_longest_error_has_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
