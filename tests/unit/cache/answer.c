/* answer: what is kept of a response and for how long (RFC 2308, 9520, 8767), and that it comes back
 * as it was but for its age. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "../dns/build.h"
#include "cache/answer.h"
#include "dns/records.h"

#define SOA(minimum)                                                                     \
	"\0\0"                                                                           \
	"\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4" minimum

static const struct answer_limits usual = {
    .ttl_min = 0, .ttl_max = 86400, .negative_ttl_max = 3600, .failure_ttl = 5};

static struct build b;
static struct response r;
static uint8_t room[ANSWER_HEADROOM + ANSWER_MAX];
static struct answer_life life;
static size_t packed_len;

static uint8_t *packed(void)
{
	return room + ANSWER_HEADROOM;
}

static void start(unsigned flags, unsigned answers, unsigned authorities,
		  unsigned additionals)
{
	build_start(&b, (struct header){.flags = 0x8180 | flags,
					.questions = 1,
					.answers = answers,
					.authorities = authorities,
					.additionals = additionals});
	build_bytes(&b, LITERAL(QUESTION_A));
}

static void put_ttl(size_t record_end, size_t data_len, uint32_t ttl)
{
	for (unsigned i = 0; i < 4; i++)
		b.data[record_end - data_len - 6 + i] = (uint8_t)(ttl >> (24 - 8 * i));
}

static void add_a(uint32_t ttl)
{
	build_answer(&b, TYPE_A, LITERAL("\300\0\2\1"));
	put_ttl(b.w.pos, 4, ttl);
}

static void add_soa(uint32_t ttl, const uint8_t *data)
{
	build_record(&b, LITERAL("\0"), TYPE_SOA, data, 22);
	put_ttl(b.w.pos, 22, ttl);
}

static void pack(const struct answer_limits *l)
{
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	packed_len = answer_pack(packed(), &r, l, &life);
	assert_true(packed_len > 0);
}

/* The response to a question of any spelling, AGE seconds later. */
static struct response unpack(uint32_t age, bool stale)
{
	struct response out;

	assert_int_equal(
	    answer_unpack(&out, packed(), packed_len, &r.question, age, stale), 0);
	return out;
}

static uint32_t first_ttl(const struct response *x)
{
	/* behind the owner, two octets, come type and class; or the root, one octet */
	const uint8_t *p = x->wire + x->question_end;

	p += (*p == 0 ? 1 : 2) + 4;
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void a_positive_answer_lives_by_its_shortest_ttl(void **state)
{
	struct response x;

	(void)state;
	start(0, 2, 0, 0);
	add_a(300);
	add_a(200);
	pack(&usual);
	assert_true(life.keep);
	assert_int_equal(life.kind, ANSWER_POSITIVE);
	assert_int_equal(life.ttl, 200);
	x = unpack(50, false);
	assert_int_equal(first_ttl(&x), 250);
	assert_int_equal(x.answers, 2);
}

static void ttls_stop_at_zero(void **state)
{
	struct response x;

	(void)state;
	start(0, 1, 0, 0);
	add_a(10);
	pack(&usual);
	x = unpack(11, false);
	assert_int_equal(first_ttl(&x), 0);
}

static void ttls_are_brought_into_the_limits(void **state)
{
	const struct answer_limits l = {.ttl_min = 60, .ttl_max = 100, .failure_ttl = 5};
	struct response x;

	(void)state;
	start(0, 1, 0, 0);
	add_a(5);
	pack(&l);
	assert_int_equal(life.ttl, 60);
	x = unpack(0, false);
	assert_int_equal(first_ttl(&x), 60);
	start(0, 1, 0, 0);
	add_a(99999);
	pack(&l);
	assert_int_equal(life.ttl, 100);
	x = unpack(1, false);
	assert_int_equal(first_ttl(&x), 99);
}

static void what_must_not_be_kept(void **state)
{
	(void)state;
	start(0, 1, 0, 0);
	add_a(0);
	pack(&usual);
	assert_false(life.keep); /* TTL 0 */
	start(0, 1, 0, 0);
	add_a(0x80000000);
	pack(&usual);
	assert_false(life.keep); /* more than 2^31 - 1 is 0 */
	start(DNS_TC, 1, 0, 0);
	add_a(300);
	pack(&usual);
	assert_false(life.keep); /* truncated */
	start(0, 0, 0, 0);
	pack(&usual);
	assert_false(life.keep); /* NODATA without a SOA */
	start(3, 0, 0, 0);
	pack(&usual);
	assert_false(life.keep); /* NXDOMAIN without a SOA */
	start(4, 0, 0, 0);
	pack(&usual);
	assert_false(life.keep); /* NOTIMP */
	start(0, 1, 0, 0);
	add_a(300);
	b.data[RECORDS_AT - 1] = 3; /* another class */
	pack(&usual);
	assert_false(life.keep);
}

static void negative_answers_live_by_their_soa(void **state)
{
	static const unsigned rcodes[] = {0, 3};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		start(rcodes[i], 0, 1, 0);
		add_soa(900, (const uint8_t *)SOA("\0\0\0\74"));
		pack(&usual);
		assert_true(life.keep);
		assert_int_equal(life.kind, ANSWER_NEGATIVE);
		assert_int_equal(life.ttl, 60); /* MINIMUM */
		start(rcodes[i], 0, 1, 0);
		add_soa(30, (const uint8_t *)SOA("\0\0\0\74"));
		pack(&usual);
		assert_int_equal(life.ttl, 30); /* its TTL */
		start(rcodes[i], 0, 1, 0);
		add_soa(90000, (const uint8_t *)SOA("\0\1\0\0"));
		pack(&usual);
		assert_int_equal(life.ttl, 3600); /* the limit */
	}
}

static void failures_live_by_their_own_time(void **state)
{
	const struct answer_limits never = {.ttl_max = 86400};

	(void)state;
	start(2, 0, 0, 0);
	pack(&usual);
	assert_true(life.keep);
	assert_int_equal(life.kind, ANSWER_FAILURE);
	assert_int_equal(life.ttl, 5);
	pack(&never);
	assert_false(life.keep);
}

static void a_failure_of_our_own_comes_back(void **state)
{
	struct response x;

	(void)state;
	start(0, 1, 0, 0);
	add_a(1);
	pack(&usual); /* for the question */
	packed_len = answer_pack_failure(packed(), 2, 22, "query_timeout: no answer",
					 &usual, &life);
	assert_true(life.keep);
	x = unpack(0, false);
	assert_int_equal(x.rcode, 2);
	assert_int_equal(x.edns.ede_count, 1);
	assert_int_equal(x.edns.ede[0].code, 22);
	assert_memory_equal(x.edns.ede[0].text, "query_timeout", 13);
}

static void stale_answers_say_thirty_seconds(void **state)
{
	struct response x;

	(void)state;
	start(0, 1, 0, 0);
	add_a(10);
	pack(&usual);
	x = unpack(5000, true);
	assert_int_equal(first_ttl(&x), ANSWER_STALE_TTL);
}

static void ad_and_edes_are_kept_the_opt_is_not(void **state)
{
	struct response x;

	(void)state;
	start(DNS_AD, 1, 0, 1);
	add_a(300);
	build_opt(&b, (struct opt){.size = 4000, .flags = 0x8000},
		  LITERAL("\0\17\0\7\0\6forge\0\12\0\10cookie!!"));
	pack(&usual);
	x = unpack(0, false);
	assert_true(x.flags & DNS_AD);
	assert_int_equal(x.additionals, 0);
	assert_int_equal(x.edns.ede_count, 1);
	assert_int_equal(x.edns.ede[0].code, 6);
	assert_int_equal(x.edns.ede[0].text_len, 5);
}

static void damaged_octets_are_noticed(void **state)
{
	struct response x;

	(void)state;
	start(0, 1, 0, 0);
	add_a(300);
	pack(&usual);
	for (size_t n = 0; n < 20; n++)
		(void)answer_unpack(&x, packed(), n, &r.question, 1,
				    false); /* must not read on */
	assert_int_equal(answer_unpack(&x, packed(), 3, &r.question, 1, false), -EBADMSG);
	packed()[10] = 0xff; /* more TTLs than there is room for */
	packed()[11] = 0xff;
	assert_int_equal(answer_unpack(&x, packed(), packed_len, &r.question, 1, false),
			 -EBADMSG);
}

/* The second record is of the root, as long as the first octet of the first one's TTL is 0. */
static void names_are_not_made_of_ttls(void **state)
{
	uint8_t owner[2] = {0xc0};
	size_t ttl_at;

	(void)state;
	start(0, 2, 0, 0);
	ttl_at = b.w.pos + 6;
	assert_in_range(ttl_at, 12, 255);
	owner[1] = (uint8_t)ttl_at;
	add_a(300);
	build_record(&b, owner, 2, TYPE_A, LITERAL("\300\0\2\2"));
	assert_int_equal(response_read(&r, b.data, b.w.pos), 0);
	assert_int_equal(answer_pack(packed(), &r, &usual, &life), 0);
	assert_false(life.keep);

	start(0, 2, 0, 0);
	owner[1] = 12 + 4; /* the parent of the question's name */
	add_a(300);
	build_record(&b, owner, 2, TYPE_A, LITERAL("\300\0\2\2"));
	pack(&usual);
	assert_true(life.keep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_positive_answer_lives_by_its_shortest_ttl),
	    cmocka_unit_test(ttls_stop_at_zero),
	    cmocka_unit_test(ttls_are_brought_into_the_limits),
	    cmocka_unit_test(what_must_not_be_kept),
	    cmocka_unit_test(negative_answers_live_by_their_soa),
	    cmocka_unit_test(failures_live_by_their_own_time),
	    cmocka_unit_test(a_failure_of_our_own_comes_back),
	    cmocka_unit_test(stale_answers_say_thirty_seconds),
	    cmocka_unit_test(ad_and_edes_are_kept_the_opt_is_not),
	    cmocka_unit_test(damaged_octets_are_noticed),
	    cmocka_unit_test(names_are_not_made_of_ttls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
