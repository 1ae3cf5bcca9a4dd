/* question: reading it, its key; and the slots of types and rcodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/metric.h"
#include "build.h"
#include "dns/qtype.h"
#include "dns/question.h"

static struct question from(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_make(data, len);
	struct question q = question_read(&c);

	assert_false(c.bad);
	return q;
}

static void reads_name_type_and_class(void **state)
{
	static const uint8_t data[] = "\3wWw\3com\0\x12\x34\xab\xcdx";
	struct cursor c = cursor_make(data, sizeof data - 1);
	struct question q = question_read(&c);

	(void)state;
	assert_false(c.bad);
	assert_int_equal(c.pos, 13);
	assert_ptr_equal(q.name, data);
	assert_int_equal(q.name_len, 9);
	assert_int_equal(q.type, 0x1234);
	assert_int_equal(q.class, 0xabcd);
}

static void assert_refused(const uint8_t *data, size_t len)
{
	struct cursor c = cursor_make(data, len);
	struct question q = question_read(&c);

	assert_true(c.bad);
	assert_int_equal(q.name_len, 0);
	assert_int_equal(q.type, 0);
	assert_int_equal(q.class, 0);
}

static void refuses_what_is_short_or_compressed(void **state)
{
	static const uint8_t whole[] = "\3www\0\0\1\0\1";

	(void)state;
	for (size_t len = 0; len < sizeof whole - 1; len++)
		assert_refused(whole, len);
	assert_int_equal(from(whole, sizeof whole - 1).name_len, 5);
	assert_refused(LITERAL("\300\0\0\1\0\1"));
	assert_refused(LITERAL("\1a\300\0\0\1\0\1"));
	assert_refused(LITERAL("\100\0\0\1\0\1"));
}

static void key_is_lower_case_name_type_class(void **state)
{
	struct question q = from(LITERAL("\3wWw\7eXAMPLE\3Com\0\0\34\0\3"));
	uint8_t key[QUESTION_KEY_MAX];

	(void)state;
	assert_int_equal(question_key(&q, key), 21);
	assert_memory_equal(key, "\3www\7example\3com\0\0\34\0\3", 21);
	q = from(LITERAL("\0\0\2\0\1"));
	assert_int_equal(question_key(&q, key), 5);
	assert_memory_equal(key, "\0\0\2\0\1", 5);
}

static void key_has_room_for_the_longest_name(void **state)
{
	uint8_t data[259], key[QUESTION_KEY_MAX];
	struct question q;

	(void)state;
	for (size_t i = 0; i < 254; i += 2) {
		data[i] = 1;
		data[i + 1] = 'A';
	}
	memcpy(data + 254, "\0\0\1\0\1", 5);
	q = from(data, sizeof data);
	assert_int_equal(question_key(&q, key), QUESTION_KEY_MAX);
	assert_int_equal(key[1], 'a');
	assert_int_equal(key[253], 'a');
	assert_memory_equal(key + 254, "\0\0\1\0\1", 5);
}

static void keys_part_different_questions(void **state)
{
	struct question a = from(LITERAL("\2ab\1c\0\0\1\0\1"));
	struct question others[] = {
	    from(LITERAL("\1a\2bc\0\0\1\0\1")),
	    from(LITERAL("\2ab\1c\0\0\2\0\1")),
	    from(LITERAL("\2ab\1c\0\0\1\0\3")),
	    from(LITERAL("\2ab\1d\0\0\1\0\1")),
	};
	uint8_t one[QUESTION_KEY_MAX], other[QUESTION_KEY_MAX];

	(void)state;
	assert_int_equal(question_key(&a, one), 10);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		assert_int_equal(question_key(&others[i], other), 10);
		assert_memory_not_equal(one, other, 10);
	}
}

static void slots_have_their_words(void **state)
{
	static const struct {
		uint16_t type;
		const char *word;
	} known[] = {{1, "A"},	    {28, "AAAA"},  {65, "HTTPS"}, {12, "PTR"},
		     {33, "SRV"},   {5, "CNAME"},  {15, "MX"},	  {16, "TXT"},
		     {2, "NS"},	    {6, "SOA"},	   {43, "DS"},	  {48, "DNSKEY"},
		     {46, "RRSIG"}, {35, "NAPTR"}, {52, "TLSA"},  {64, "SVCB"},
		     {257, "CAA"},  {255, "ANY"}};
	bool seen[METRIC_TYPES] = {false};

	(void)state;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		unsigned slot = qtype_slot(known[i].type);

		assert_true(slot < METRIC_TYPES - 1);
		assert_false(seen[slot]);
		seen[slot] = true;
		assert_string_equal(qtype_slot_word(slot), known[i].word);
	}
	assert_int_equal(sizeof known / sizeof known[0], METRIC_TYPES - 1);
}

static void all_other_types_share_the_last_slot(void **state)
{
	unsigned others = 0;

	(void)state;
	for (unsigned type = 0; type <= 0xffff; type++)
		others += qtype_slot((uint16_t)type) == METRIC_TYPES - 1;
	assert_int_equal(others, 0x10000 - (METRIC_TYPES - 1));
	assert_string_equal(qtype_slot_word(METRIC_TYPES - 1), "other");
	assert_string_equal(qtype_slot_word(METRIC_TYPES), "other");
}

static void rcodes_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(rcode_slot_word(0), "NOERROR");
	assert_string_equal(rcode_slot_word(2), "SERVFAIL");
	assert_string_equal(rcode_slot_word(3), "NXDOMAIN");
	assert_string_equal(rcode_slot_word(5), "REFUSED");
	assert_string_equal(rcode_slot_word(10), "NOTZONE");
	assert_string_equal(rcode_slot_word(11), "other");
	assert_string_equal(rcode_slot_word(METRIC_RCODES), "other");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_name_type_and_class),
	    cmocka_unit_test(refuses_what_is_short_or_compressed),
	    cmocka_unit_test(key_is_lower_case_name_type_class),
	    cmocka_unit_test(key_has_room_for_the_longest_name),
	    cmocka_unit_test(keys_part_different_questions),
	    cmocka_unit_test(slots_have_their_words),
	    cmocka_unit_test(all_other_types_share_the_last_slot),
	    cmocka_unit_test(rcodes_have_their_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
