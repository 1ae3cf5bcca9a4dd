/* wire: cursor and writer keep to their bounds and remember the first error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/wire.h"

static void cursor_reads_in_network_order(void **state)
{
	const uint8_t data[] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct cursor c = cursor_make(data, sizeof data);

	(void)state;
	assert_int_equal(cursor_u8(&c), 1);
	assert_int_equal(cursor_u16(&c), 0x0203);
	assert_int_equal(cursor_u32(&c), 0x04050607);
	assert_int_equal(cursor_left(&c), 1);
	assert_ptr_equal(cursor_bytes(&c, 1), data + 7);
	assert_int_equal(cursor_left(&c), 0);
	assert_false(c.bad);
}

static void cursor_reads_the_highest_values(void **state)
{
	const uint8_t data[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct cursor c = cursor_make(data, sizeof data);

	(void)state;
	assert_int_equal(cursor_u8(&c), 0xff);
	assert_int_equal(cursor_u16(&c), 0xffff);
	assert_int_equal(cursor_u32(&c), 0xffffffff);
}

static void cursor_error_sticks_and_moves_nothing(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct cursor c = cursor_make(data, sizeof data);

	(void)state;
	assert_int_equal(cursor_u32(&c), 0);
	assert_true(c.bad);
	assert_int_equal(c.pos, 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_null(cursor_bytes(&c, 0));
	assert_int_equal(c.pos, 0);
}

static void cursor_survives_the_longest_length(void **state)
{
	const uint8_t data[] = {1, 2, 3};
	struct cursor c = cursor_make(data, sizeof data);

	(void)state;
	cursor_skip(&c, 2);
	assert_null(cursor_bytes(&c, SIZE_MAX));
	assert_true(c.bad);
	assert_int_equal(c.pos, 2);
}

static void cursor_of_nothing_is_empty(void **state)
{
	struct cursor c = cursor_make(NULL, 0);

	(void)state;
	assert_int_equal(cursor_left(&c), 0);
	assert_int_equal(cursor_u8(&c), 0);
	assert_true(c.bad);
}

static void writer_writes_in_network_order(void **state)
{
	const uint8_t expected[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
	uint8_t data[9];
	struct writer w = writer_make(data, sizeof data);

	(void)state;
	writer_u8(&w, 1);
	writer_u16(&w, 0x0203);
	writer_u32(&w, 0x04050607);
	writer_bytes(&w, expected + 7, 2);
	assert_false(w.full);
	assert_int_equal(w.pos, sizeof expected);
	assert_memory_equal(data, expected, sizeof expected);
}

static void writer_full_sticks_and_writes_nothing(void **state)
{
	uint8_t data[4] = {9, 9, 9, 9};
	struct writer w = writer_make(data, 3);

	(void)state;
	writer_u32(&w, 0);
	assert_true(w.full);
	writer_u8(&w, 0);
	assert_null(writer_room(&w, 0));
	assert_int_equal(w.pos, 0);
	assert_memory_equal(data, ((const uint8_t[]){9, 9, 9, 9}), 4);
}

static void writer_survives_the_longest_length(void **state)
{
	uint8_t data[4];
	struct writer w = writer_make(data, sizeof data);

	(void)state;
	writer_u8(&w, 1);
	assert_null(writer_room(&w, SIZE_MAX));
	assert_true(w.full);
	assert_int_equal(w.pos, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cursor_reads_in_network_order),
	    cmocka_unit_test(cursor_reads_the_highest_values),
	    cmocka_unit_test(cursor_error_sticks_and_moves_nothing),
	    cmocka_unit_test(cursor_survives_the_longest_length),
	    cmocka_unit_test(cursor_of_nothing_is_empty),
	    cmocka_unit_test(writer_writes_in_network_order),
	    cmocka_unit_test(writer_full_sticks_and_writes_nothing),
	    cmocka_unit_test(writer_survives_the_longest_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
