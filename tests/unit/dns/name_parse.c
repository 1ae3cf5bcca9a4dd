/* name_parse: presentation format in, compressed names out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dns/name.h"

static size_t parse(const char *text)
{
	uint8_t out[NAME_MAX_LEN];

	return name_parse(out, text);
}

static void test_names(void **state)
{
	static const struct {
		const char *text;
		const char *wire;
		size_t len;
	} good[] = {
	    {".", "", 1},
	    {"a", "\1a", 3},
	    {"a.", "\1a", 3},
	    {"www.Example.com", "\3www\7Example\3com", 17},
	    {"a\\.b.c", "\3a.b\1c", 7},
	    {"\\000\\255.x", "\2\0\377\1x", 6},
	};
	uint8_t out[NAME_MAX_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(name_parse(out, good[i].text), good[i].len);
		assert_memory_equal(out, good[i].wire, good[i].len);
	}
}

static void test_no_names(void **state)
{
	static const char *const bad[] = {"",	 "..",	"a..b",	 ".a",
					  "a\\", "\\2", "\\256", "\\12x"};
	char longest[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(parse(bad[i]), 0);
	memset(longest, 'a', sizeof longest);
	longest[64] = 0; /* a label of 64 octets */
	assert_int_equal(parse(longest), 0);
	longest[63] = 0;
	assert_int_equal(parse(longest), 65);
	longest[63] = longest[64] = 'a';
	for (size_t i = 1; i < sizeof longest; i += 2)
		longest[i] = '.';
	longest[254] = 0; /* 127 labels: 255 octets */
	assert_int_equal(parse(longest), 255);
	longest[254] = 'a';
	longest[255] = 0;
	assert_int_equal(parse(longest), 0);
}

static void test_expand(void **state)
{
	static const uint8_t message[] = {0, 0, 0, 0,	0, 0, 0,   0,	 0,  0,
					  0, 0, 1, 'a', 0, 1, 'b', 0xc0, 12, 9};
	static const uint8_t loop[] = {0xc0, 0, 0xc0, 4, 0xc0, 2};
	uint8_t out[NAME_MAX_LEN];
	struct cursor c = cursor_make(message, sizeof message);

	(void)state;
	c.pos = 15;
	assert_int_equal(name_expand(&c, out), 5);
	assert_memory_equal(out, "\1b\1a", 5);
	assert_int_equal(cursor_u8(&c), 9);
	for (size_t at = 0; at < sizeof loop; at += 2) {
		c = cursor_make(loop, sizeof loop);
		c.pos = at;
		assert_int_equal(name_expand(&c, out), 0);
		assert_true(c.bad);
	}
	c = cursor_make(message, 17); /* cut off */
	c.pos = 15;
	assert_int_equal(name_expand(&c, out), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_no_names),
	    cmocka_unit_test(test_expand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
