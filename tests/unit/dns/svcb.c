/* svcb: the records that discovery meets, and those that are wrong in one way each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dns/svcb.h"

#define TARGET "\0\1\3dns\7example\0"

static struct svcb s;

/* Reads data in a buffer of exactly its length, so that a read beyond it is seen. */
static bool parse(const void *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	const struct record r = {.data = copy, .len = len};
	bool good;

	assert_non_null(copy);
	memcpy(copy, data, len);
	good = svcb_read(&s, &r);
	free(copy);
	return good;
}

#define READ(text) parse(text, sizeof(text) - 1)

static void a_designated_resolver(void **state)
{
	(void)state;
	assert_true(READ(TARGET "\0\1\0\7\3dot\2h2"
				"\0\3\0\2\x21\x63"
				"\0\4\0\10\300\0\2\1\300\0\2\2"
				"\0\6\0\20\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1"));
	assert_int_equal(s.priority, 1);
	assert_int_equal(s.target_len, 13);
	assert_true(s.dot);
	assert_int_equal(s.port, 8547);
	assert_int_equal(s.v4_count, 2);
	assert_int_equal(s.v4[1][3], 2);
	assert_int_equal(s.v6_count, 1);
	assert_int_equal(s.v6[0][15], 1);
}

static void other_protocols_are_not_dot(void **state)
{
	(void)state;
	assert_true(READ(TARGET "\0\1\0\3\2h2"));
	assert_false(s.dot);
	assert_true(READ(TARGET "\0\1\0\5\4dots"));
	assert_false(s.dot);
	assert_true(READ(TARGET));
	assert_false(s.dot);
}

static void keys_that_are_not_known(void **state)
{
	(void)state;
	/* are passed over, unless they are mandatory */
	assert_true(READ(TARGET "\0\1\0\4\3dot\0\7\0\2xx"));
	assert_true(s.dot);
	assert_false(READ(TARGET "\0\0\0\2\0\7\0\1\0\4\3dot\0\7\0\2xx"));
	assert_true(READ(TARGET "\0\0\0\4\0\1\0\3\0\1\0\4\3dot\0\3\0\2\0\1"));
}

static void what_is_malformed_is_refused(void **state)
{
	(void)state;
	assert_false(READ(""));
	assert_false(READ("\0"));
	assert_false(READ("\0\1"));		    /* no target */
	assert_false(READ("\0\1\300\14"));	    /* a pointer */
	assert_false(READ(TARGET "\0"));	    /* half a key */
	assert_false(READ(TARGET "\0\1\0\5\3dot")); /* cut off */
	assert_false(READ(TARGET "\0\1\0\0"));	    /* an empty list */
	assert_false(READ(TARGET "\0\1\0\4\4dot")); /* an id that is too long */
	assert_false(READ(TARGET "\0\1\0\1\0"));    /* an empty id */
	assert_false(READ(TARGET "\0\3\0\1\1"));    /* half a port */
	assert_false(READ(TARGET "\0\3\0\3\1\1\1"));
	assert_false(READ(TARGET "\0\4\0\5\1\1\1\1\1")); /* no addresses */
	assert_false(READ(TARGET "\0\4\0\0"));
	assert_false(READ(TARGET "\0\3\0\2\0\1\0\1\0\4\3dot"));	 /* out of order */
	assert_false(READ(TARGET "\0\1\0\4\3dot\0\1\0\4\3dot")); /* twice */
	assert_false(READ(TARGET "\0\0\0\0"));
	assert_false(READ(TARGET "\0\0\0\1\0"));
}

static void hints_have_a_cap(void **state)
{
	uint8_t data[13 + 2 + 4 + 4 * 20];

	(void)state;
	memcpy(data, TARGET, 15);
	memcpy(data + 15, "\0\4\0\120", 4);
	memset(data + 19, 7, 80);
	assert_true(parse(data, sizeof data));
	assert_int_equal(s.v4_count, SVCB_HINTS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_designated_resolver),
	    cmocka_unit_test(other_protocols_are_not_dot),
	    cmocka_unit_test(keys_that_are_not_known),
	    cmocka_unit_test(what_is_malformed_is_refused),
	    cmocka_unit_test(hints_have_a_cap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
