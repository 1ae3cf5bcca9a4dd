/* base64: the vectors of RFC 4648, and spellings that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/base64.h"

static const struct {
	const char *plain, *text;
} vectors[] = {
    {"", ""},
    {"f", "Zg=="},
    {"fo", "Zm8="},
    {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="},
    {"fooba", "Zm9vYmE="},
    {"foobar", "Zm9vYmFy"},
};

#define VECTORS (sizeof vectors / sizeof vectors[0])

static int decode(uint8_t *out, size_t cap, const char *text)
{
	return base64_decode(out, cap, text, strlen(text));
}

static void test_rfc_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < VECTORS; i++) {
		size_t len = strlen(vectors[i].plain);
		uint8_t octets[8];
		char text[16];

		base64_encode(text, (const uint8_t *)vectors[i].plain, len);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(decode(octets, sizeof octets, vectors[i].text), len);
		assert_memory_equal(octets, vectors[i].plain, len);
	}
}

static void test_padding_is_optional(void **state)
{
	uint8_t octets[4];

	(void)state;
	assert_int_equal(decode(octets, sizeof octets, "Zg"), 1);
	assert_memory_equal(octets, "f", 1);
	assert_int_equal(decode(octets, sizeof octets, "Zm8"), 2);
	assert_memory_equal(octets, "fo", 2);
}

static void test_both_alphabets(void **state)
{
	const uint8_t expected[] = {0xfb, 0xff, 0xbf};
	uint8_t octets[3];
	char text[5];

	(void)state;
	assert_int_equal(decode(octets, sizeof octets, "+/+/"), 3);
	assert_memory_equal(octets, expected, 3);
	memset(octets, 0, sizeof octets);
	assert_int_equal(decode(octets, sizeof octets, "-_-_"), 3);
	assert_memory_equal(octets, expected, 3);
	base64_encode(text, expected, 3);
	assert_string_equal(text, "+/+/");
}

static void test_every_octet_survives(void **state)
{
	uint8_t in[256], out[256];
	char text[(256 + 2) / 3 * 4 + 1];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof in; n++) {
		base64_encode(text, in, n);
		assert_int_equal(strlen(text), (n + 2) / 3 * 4);
		assert_int_equal(decode(out, n, text), n);
		assert_memory_equal(out, in, n);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
	    "Z",
	    "Zg=",
	    "Zg===",
	    "Z===",
	    "====",
	    "=",
	    "==",
	    "Zm9vY",
	    "Zm8==",
	    "Zm9v=",
	    "Zm9v==",
	    "Zg==Zg==",
	    "Z=g=",
	    " Zg==",
	    "Zg==\n",
	    "Zm 9v",
	    "Zm9\xff",
	    "Zm9.",
	    "Zm9,",
	    "Zm9@",
	    "Zm9[",
	    "Zm9`",
	    "Zm9{",
	    "Zm9:",
	    /* bits beyond the last octet */
	    "Zh==",
	    "Zh",
	    "Zm9=",
	    "Zm9",
	};
	uint8_t out[16];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		memset(out, 0x55, sizeof out);
		assert_int_equal(decode(out, sizeof out, bad[i]), -EINVAL);
		for (size_t j = 0; j < sizeof out; j++)
			assert_int_equal(out[j], 0x55);
	}
	assert_int_equal(base64_decode(out, sizeof out, "Zm\0v", 4), -EINVAL);
}

static void test_no_room(void **state)
{
	uint8_t out[3] = {0x55, 0x55, 0x55};

	(void)state;
	assert_int_equal(decode(out, 2, "Zm9v"), -ENOSPC);
	assert_int_equal(decode(out, 0, "Zg"), -ENOSPC);
	assert_int_equal(out[0], 0x55);
	assert_int_equal(decode(out, 3, "Zm9v"), 3);
	/* what is no base64 stays so, whatever the room */
	assert_int_equal(decode(out, 0, "Zg="), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rfc_vectors),
	    cmocka_unit_test(test_padding_is_optional),
	    cmocka_unit_test(test_both_alphabets),
	    cmocka_unit_test(test_every_octet_survives),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
