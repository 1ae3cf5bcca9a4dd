/* query: what is read of a client's query, and what goes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "build.h"
#include "dns/query.h"

static const struct header plain = {.id = 0xabcd, .flags = DNS_RD, .questions = 1};
static const struct header with_one = {
    .id = 0xabcd, .flags = DNS_RD, .questions = 1, .additionals = 1};
static const struct header with_two = {
    .id = 0xabcd, .flags = DNS_RD, .questions = 1, .additionals = 2};

static void start(struct build *b, struct header h)
{
	build_start(b, h);
	build_bytes(b, LITERAL(QUESTION_A_MIXED));
}

static int read_built(const struct build *b, struct query *q)
{
	memset(q, 0xaa, sizeof *q);
	return query_read(q, b->data, b->w.pos);
}

static void reads_a_plain_query(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, plain);
	assert_int_equal(read_built(&b, &q), 0);
	assert_int_equal(q.id, 0xabcd);
	assert_int_equal(q.flags, DNS_RD);
	assert_ptr_equal(q.question.name, b.data + 12);
	assert_int_equal(q.question.name_len, 17);
	assert_int_equal(q.question.type, TYPE_A);
	assert_int_equal(q.question.class, 1);
	assert_false(q.edns.present);
}

static void reads_the_opt_among_other_records(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_two);
	build_record(&b, LITERAL("\3key\300\14"), TYPE_TSIG, LITERAL("opaque"));
	build_opt(&b, (struct opt){.size = 4096, .flags = 0x8000}, LITERAL("\0\13\0\0"));
	assert_int_equal(read_built(&b, &q), 0);
	assert_true(q.edns.present && q.edns.do_bit && q.edns.keepalive);
	assert_int_equal(q.edns.udp_size, 4096);
}

static void octets_behind_the_last_record_do_not_count(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, plain);
	build_opt(&b, (struct opt){.size = 4096}, LITERAL(""));
	assert_int_equal(read_built(&b, &q), 0);
	assert_false(q.edns.present);
}

static void refuses_every_shorter_message(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_two);
	build_record(&b, LITERAL("\0"), TYPE_TXT, LITERAL("\3abc"));
	build_opt(&b, (struct opt){.size = 4096}, LITERAL("\0\14\0\2\0\0"));
	for (size_t len = 0; len < b.w.pos; len++)
		assert_int_equal(query_read(&q, b.data, len), -EBADMSG);
	assert_int_equal(query_read(&q, b.data, b.w.pos), 0);
}

static void keeps_the_question_of_a_bad_message(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_one);
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_int_equal(q.id, 0xabcd);
	assert_int_equal(q.flags, DNS_RD);
	assert_int_equal(q.question.name_len, 17);
	assert_false(q.edns.present);
}

static void refuses_two_opts(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_two);
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	build_opt(&b, (struct opt){.size = 4096}, LITERAL(""));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_true(q.edns.present);
	assert_int_equal(q.edns.udp_size, 1232);
}

static void refuses_an_opt_with_an_owner(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_one);
	build_record(&b, LITERAL("\1a\0"), TYPE_OPT, LITERAL(""));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	/* a pointer to the root is not the root's one octet */
	start(&b, with_one);
	build_record(&b, LITERAL("\300\34"), TYPE_OPT, LITERAL(""));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_false(q.edns.present);
}

static void refuses_an_opt_whose_length_overruns_the_message(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_one);
	build_opt(&b, (struct opt){.size = 1232}, LITERAL(""));
	b.data[b.w.pos - 1] = 4;
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	b.data[b.w.pos - 2] = 0xff;
	assert_int_equal(read_built(&b, &q), -EBADMSG);
}

static void refuses_bad_owner_names(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, with_one);
	build_record(&b, LITERAL("\300\41"), TYPE_TXT, LITERAL("\0")); /* to itself */
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	start(&b, with_one);
	build_record(&b, LITERAL("\300\0"), TYPE_TXT,
		     LITERAL("\0")); /* into the header */
	assert_int_equal(read_built(&b, &q), -EBADMSG);
}

static void refuses_counts_that_no_query_has(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	start(&b, (struct header){.id = 1});
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_int_equal(q.question.name_len, 0);
	start(&b, (struct header){.id = 1, .questions = 2});
	build_bytes(&b, LITERAL(QUESTION_A));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_int_equal(q.question.name_len, 0);
	start(&b, (struct header){.id = 1, .questions = 1, .answers = 1});
	build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_int_equal(q.question.name_len, 17);
	start(&b, (struct header){.id = 1, .questions = 1, .authorities = 1});
	build_answer(&b, TYPE_A, LITERAL("\1\2\3\4"));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
}

static void refuses_a_compressed_question(void **state)
{
	static struct build b;
	struct query q;

	(void)state;
	build_start(&b, plain);
	build_bytes(&b, LITERAL("\3www\300\14\0\1\0\1"));
	assert_int_equal(read_built(&b, &q), -EBADMSG);
	assert_int_equal(q.question.name_len, 0);
	assert_int_equal(q.id, 0xabcd);
}

/* ---- query_encode ---- */

static struct query parsed(struct build *b, struct header h, struct opt o)
{
	struct query q;

	start(b, h);
	if (h.additionals)
		build_opt(b, o,
			  LITERAL("\0\10\0\7\0\1\30\0\300\0\2")); /* client subnet */
	assert_int_equal(query_read(&q, b->data, b->w.pos), 0);
	return q;
}

static void encodes_octet_for_octet(void **state)
{
	static struct build b;
	static const uint8_t head[] = "\x12\x34\x01\x20\0\1\0\0\0\0\0\1" QUESTION_A_MIXED
				      "\0\0\51\x04\xd0\0\0\0\0\0\x54\0\14\0\x50";
	struct query q = parsed(&b, plain, (struct opt){0});
	uint8_t out[QUERY_ENCODED_MAX];

	(void)state;
	memset(out, 0xaa, sizeof out);
	assert_int_equal(query_encode(out, &q, 0x1234, false), 128);
	assert_memory_equal(out, head, sizeof head - 1);
	assert_int_equal(sizeof head - 1 + 0x50, 128);
	for (size_t i = sizeof head - 1; i < 128; i++)
		assert_int_equal(out[i], 0);
	assert_int_equal(out[128], 0xaa);
}

static void encodes_nothing_behind_a_bare_question(void **state)
{
	static struct build b;
	struct query q = parsed(&b, plain, (struct opt){0}), up;
	uint8_t out[QUERY_ENCODED_MAX];
	size_t n = query_encode_bare(out, &q, 0x1234);

	(void)state;
	assert_int_equal(n, RECORDS_AT);
	assert_int_equal(query_read(&up, out, n), 0);
	assert_int_equal(up.id, 0x1234);
	assert_false(up.edns.present);
}

static void encodes_keepalive_before_the_padding(void **state)
{
	static struct build b;
	static const uint8_t opt[] = "\0\0\51\x04\xd0\0\0\0\0\0\x54\0\13\0\0\0\14\0\x4c";
	struct query q = parsed(&b, plain, (struct opt){0});
	uint8_t out[QUERY_ENCODED_MAX];

	(void)state;
	assert_int_equal(query_encode(out, &q, 0x1234, true), 128);
	assert_memory_equal(out + RECORDS_AT, opt, sizeof opt - 1);
}

static void only_rd_cd_and_do_of_the_client_go_up(void **state)
{
	static struct build b;
	struct header h = with_one;
	struct query q, up;
	uint8_t out[QUERY_ENCODED_MAX];

	(void)state;
	h.flags = 0x07ff; /* AA TC RD RA Z AD CD and an rcode */
	q = parsed(&b, h,
		   (struct opt){.size = 512, .flags = 0xffff, .extended_rcode = 9});
	assert_int_equal(query_read(&up, out, query_encode(out, &q, 7, true)), 0);
	assert_int_equal(up.id, 7);
	assert_int_equal(up.flags, DNS_RD | DNS_AD | DNS_CD);
	assert_true(up.edns.do_bit && up.edns.keepalive && up.edns.padding);
	assert_int_equal(up.edns.keepalive_value, 0xffff);
	assert_int_equal(up.edns.udp_size, 1232);
	assert_int_equal(up.edns.extended_rcode, 0);
	assert_int_equal(up.edns.version, 0);
	assert_int_equal(up.question.name_len, 17);
	assert_memory_equal(up.question.name, q.question.name, 17);

	h.flags = 0;
	q = parsed(&b, h, (struct opt){.size = 512});
	assert_int_equal(query_read(&up, out, query_encode(out, &q, 7, false)), 0);
	assert_int_equal(up.flags, DNS_AD);
	assert_false(up.edns.do_bit || up.edns.keepalive);
}

static void every_name_length_is_padded_to_a_block(void **state)
{
	uint8_t name[255], out[QUERY_ENCODED_MAX];

	(void)state;
	for (size_t len = 3; len <= 255; len += 2) {
		struct query q = {.question = {name, len, 28, 1}}, up;

		for (size_t i = 0; i + 1 < len; i += 2) {
			name[i] = 1;
			name[i + 1] = 'x';
		}
		name[len - 1] = 0;
		for (unsigned keepalive = 0; keepalive < 2; keepalive++) {
			size_t bare = 12 + len + 4 + 11 + 4 + (keepalive ? 4 : 0);
			size_t n = query_encode(out, &q, 1, keepalive);

			assert_int_equal(n, (bare + 127) / 128 * 128);
			assert_int_equal(query_read(&up, out, n), 0);
			assert_int_equal(up.question.name_len, len);
			assert_int_equal(up.question.type, 28);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_a_plain_query),
	    cmocka_unit_test(reads_the_opt_among_other_records),
	    cmocka_unit_test(octets_behind_the_last_record_do_not_count),
	    cmocka_unit_test(refuses_every_shorter_message),
	    cmocka_unit_test(keeps_the_question_of_a_bad_message),
	    cmocka_unit_test(refuses_two_opts),
	    cmocka_unit_test(refuses_an_opt_with_an_owner),
	    cmocka_unit_test(refuses_an_opt_whose_length_overruns_the_message),
	    cmocka_unit_test(refuses_bad_owner_names),
	    cmocka_unit_test(refuses_counts_that_no_query_has),
	    cmocka_unit_test(refuses_a_compressed_question),
	    cmocka_unit_test(encodes_octet_for_octet),
	    cmocka_unit_test(encodes_nothing_behind_a_bare_question),
	    cmocka_unit_test(encodes_keepalive_before_the_padding),
	    cmocka_unit_test(only_rd_cd_and_do_of_the_client_go_up),
	    cmocka_unit_test(every_name_length_is_padded_to_a_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
