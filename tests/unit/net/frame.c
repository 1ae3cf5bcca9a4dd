/* frame: messages behind their lengths, whole, cut and empty. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/frame.h"

static void test_two_messages(void **state)
{
	static const uint8_t data[] = {0, 3, 'a', 'b', 'c', 0, 1, 'd'};
	const uint8_t *message = NULL;
	size_t pos = 0, len = 0;

	(void)state;
	assert_true(frame_next(data, sizeof data, &pos, &message, &len));
	assert_ptr_equal(message, data + 2);
	assert_int_equal(len, 3);
	assert_int_equal(pos, 5);
	assert_true(frame_next(data, sizeof data, &pos, &message, &len));
	assert_ptr_equal(message, data + 7);
	assert_int_equal(len, 1);
	assert_int_equal(pos, sizeof data);
	assert_false(frame_next(data, sizeof data, &pos, &message, &len));
	assert_int_equal(pos, sizeof data);
}

/* Every cut of a frame waits for more and touches nothing; exact allocations let a
 * sanitizer see an octet read too far. */
static void test_every_cut(void **state)
{
	static const uint8_t data[] = {0, 3, 'a', 'b', 'c'};

	(void)state;
	for (size_t n = 0; n < sizeof data; n++) {
		uint8_t *cut = malloc(n + 1);
		const uint8_t *message = NULL;
		size_t pos = 1, len = 99;

		assert_non_null(cut);
		cut[0] = 0xee;
		memcpy(cut + 1, data, n);
		assert_false(frame_next(cut, n + 1, &pos, &message, &len));
		assert_int_equal(pos, 1);
		assert_null(message);
		assert_int_equal(len, 99);
		free(cut);
	}
}

static void test_empty_frame(void **state)
{
	static const uint8_t data[] = {0, 0, 0, 1, 'x'};
	const uint8_t *message = NULL;
	size_t pos = 0, len = 99;

	(void)state;
	assert_true(frame_next(data, sizeof data, &pos, &message, &len));
	assert_int_equal(len, 0);
	assert_int_equal(pos, 2);
	assert_true(frame_next(data, sizeof data, &pos, &message, &len));
	assert_int_equal(len, 1);
	assert_int_equal(*message, 'x');
}

static void test_longest_frame(void **state)
{
	uint8_t *data = calloc(1, FRAME_MAX);
	const uint8_t *message = NULL;
	size_t pos = 0, len = 0;

	(void)state;
	assert_non_null(data);
	frame_put_length(data, 65535);
	assert_false(frame_next(data, FRAME_MAX - 1, &pos, &message, &len));
	assert_true(frame_next(data, FRAME_MAX, &pos, &message, &len));
	assert_int_equal(len, 65535);
	assert_int_equal(pos, FRAME_MAX);
	free(data);
}

static void test_put_length(void **state)
{
	uint8_t frame[2];

	(void)state;
	frame_put_length(frame, 0x1234);
	assert_int_equal(frame[0], 0x12);
	assert_int_equal(frame[1], 0x34);
	frame_put_length(frame, 0);
	assert_int_equal(frame[0] | frame[1], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_two_messages), cmocka_unit_test(test_every_cut),
	    cmocka_unit_test(test_empty_frame),	 cmocka_unit_test(test_longest_frame),
	    cmocka_unit_test(test_put_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
