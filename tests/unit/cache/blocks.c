/* blocks: chains of any length, given back whole, never left by reading or writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cache/blocks.h"

#define COUNT 64

static struct blocks *all;

static int set_up(void **state)
{
	(void)state;
	all = blocks_new(COUNT);
	return all ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	blocks_free(all);
	return 0;
}

static void what_is_written_is_read(void **state)
{
	uint8_t in[1000], out[1000];

	(void)state;
	for (size_t i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 7);
	for (size_t len = 1; len <= sizeof in; len += 37) {
		uint32_t first = blocks_take(all, len);
		struct place p = blocks_start(all, first);

		assert_true(first > 0);
		assert_int_equal(blocks_used(all), (len + BLOCK_DATA - 1) / BLOCK_DATA);
		assert_true(blocks_write(&p, in, len / 2));
		assert_true(blocks_write(&p, in + len / 2, len - len / 2));
		p = blocks_start(all, first);
		assert_true(blocks_read(&p, out, len));
		assert_memory_equal(in, out, len);
		p = blocks_start(all, first);
		assert_true(blocks_equal(&p, in, len));
		out[len - 1] ^= 1;
		p = blocks_start(all, first);
		assert_false(blocks_equal(&p, out, len));
		blocks_give(all, first);
		assert_int_equal(blocks_used(all), 0);
	}
}

static void a_chain_is_never_left(void **state)
{
	uint8_t data[2 * BLOCK_DATA] = {0};
	uint32_t first = blocks_take(all, 1);
	struct place p = blocks_start(all, first);

	(void)state;
	assert_false(blocks_read(&p, data, BLOCK_DATA + 1));
	p = blocks_start(all, first);
	assert_false(blocks_write(&p, data, sizeof data));
	p = blocks_start(all, first);
	assert_false(blocks_equal(&p, data, sizeof data));
	p = blocks_start(all, first);
	assert_true(blocks_read(&p, data, BLOCK_DATA));
	assert_false(blocks_read(&p, data, 1));
}

static void at_the_end_of_the_blocks_nothing_is_taken(void **state)
{
	uint32_t first[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++) {
		first[i] = blocks_take(all, 1);
		assert_in_range(first[i], 1, COUNT);
	}
	assert_int_equal(blocks_take(all, 1), 0);
	blocks_give(all, first[5]);
	assert_int_equal(blocks_take(all, 2 * BLOCK_DATA), 0); /* not half of it either */
	assert_int_equal(blocks_used(all), COUNT - 1);
	assert_int_equal(blocks_take(all, BLOCK_DATA), first[5]);
}

static void pieces_make_a_long_chain(void **state)
{
	uint32_t first[COUNT];

	(void)state;
	for (unsigned i = 0; i < COUNT; i++)
		first[i] = blocks_take(all, 1);
	for (unsigned i = 0; i < COUNT; i += 2)
		blocks_give(all, first[i]);
	assert_true(blocks_take(all, COUNT / 2 * BLOCK_DATA) > 0);
	assert_int_equal(blocks_take(all, 1), 0);
	assert_int_equal(blocks_used(all), COUNT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_written_is_read, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_chain_is_never_left, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(at_the_end_of_the_blocks_nothing_is_taken,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pieces_make_a_long_chain, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
