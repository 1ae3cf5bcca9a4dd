/* buf: bytes come out as they went in, the cap holds, memory is given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"

static void append(struct buf *b, const void *data, size_t n, size_t cap)
{
	uint8_t *room = buf_reserve(b, n, cap);

	assert_non_null(room);
	memcpy(room, data, n);
	buf_commit(b, n);
}

static void test_first_in_first_out(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_int_equal(buf_len(&b), 0);
	append(&b, "abc", 3, 100);
	append(&b, "defg", 4, 100);
	assert_int_equal(buf_len(&b), 7);
	buf_consume(&b, 2);
	assert_int_equal(buf_len(&b), 5);
	assert_memory_equal(buf_head(&b), "cdefg", 5);
	append(&b, "h", 1, 100);
	assert_memory_equal(buf_head(&b), "cdefgh", 6);
	buf_consume(&b, 6);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

static void test_what_is_not_committed_is_not_queued(void **state)
{
	struct buf b = {0};
	uint8_t *room = buf_reserve(&b, 10, 10);

	(void)state;
	memset(room, 'x', 10);
	assert_int_equal(buf_len(&b), 0);
	buf_commit(&b, 4);
	assert_int_equal(buf_len(&b), 4);
	assert_memory_equal(buf_head(&b), "xxxx", 4);
	buf_free(&b);
}

static void test_cap_is_of_queued_bytes(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_null(buf_reserve(&b, 11, 10));
	append(&b, "0123456789", 10, 10);
	assert_null(buf_reserve(&b, 1, 10));
	assert_null(buf_reserve(&b, SIZE_MAX, 10));
	assert_null(buf_reserve(&b, SIZE_MAX - 5, SIZE_MAX));
	/* less than is queued already */
	assert_null(buf_reserve(&b, 0, 9));
	assert_non_null(buf_reserve(&b, 0, 10));
	assert_memory_equal(buf_head(&b), "0123456789", 10);
	buf_consume(&b, 3);
	append(&b, "abc", 3, 10);
	assert_null(buf_reserve(&b, 1, 10));
	assert_memory_equal(buf_head(&b), "3456789abc", 10);
	assert_true(b.size <= 10);
	buf_free(&b);
}

/* A long stream through a short queue needs no more memory than the cap. */
static void test_stream_through_a_cap(void **state)
{
	struct buf b = {0};
	unsigned in = 0, out = 0;

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		uint8_t chunk[17];
		size_t len = n % 17 + 1;

		for (size_t i = 0; i < len; i++)
			chunk[i] = (uint8_t)in++;
		append(&b, chunk, len, 3000);
		assert_true(b.size <= 3000);
		while (buf_len(&b) > 2900 - n % 2900) {
			assert_int_equal(*buf_head(&b), (uint8_t)out);
			out++;
			buf_consume(&b, 1);
		}
	}
	assert_int_equal(buf_len(&b), in - out);
	buf_free(&b);
}

static void test_empty_reserve(void **state)
{
	struct buf b = {0};

	(void)state;
	assert_non_null(buf_reserve(&b, 0, 0));
	buf_consume(&b, 0);
	assert_int_equal(buf_len(&b), 0);
	buf_free(&b);
}

static void test_trim(void **state)
{
	struct buf b = {0};

	(void)state;
	append(&b, "abcdefgh", 8, 100000);
	assert_non_null(buf_reserve(&b, 50000, 100000));
	buf_trim(&b, 1000);
	assert_memory_equal(buf_head(&b), "abcdefgh", 8); /* queued: kept */
	buf_consume(&b, 8);
	buf_trim(&b, b.size);
	assert_non_null(b.data); /* not larger: kept */
	buf_trim(&b, 1000);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	append(&b, "again", 5, 100);
	assert_memory_equal(buf_head(&b), "again", 5);
	buf_free(&b);
}

static void test_free_twice(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_free(&b);
	append(&b, "abc", 3, 100);
	buf_free(&b);
	assert_null(b.data);
	assert_int_equal(buf_len(&b), 0);
	assert_null(buf_head(&b));
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_in_first_out),
	    cmocka_unit_test(test_what_is_not_committed_is_not_queued),
	    cmocka_unit_test(test_cap_is_of_queued_bytes),
	    cmocka_unit_test(test_stream_through_a_cap),
	    cmocka_unit_test(test_empty_reserve),
	    cmocka_unit_test(test_trim),
	    cmocka_unit_test(test_free_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
