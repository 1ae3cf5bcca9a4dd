/* heap: what is due comes in order, once, and may change the heap meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "net/heap.h"

/* More than the first memory of a heap has room for. */
#define ITEMS 300

struct thing {
	struct heap_item item;
	uint64_t due;
	unsigned number;
	struct fixture *f;
};

/* Things note their numbers in `ran`. */
struct fixture {
	struct heap heap;
	struct thing things[ITEMS];
	unsigned ran[2 * ITEMS], ran_count;
};

static void note(void *arg)
{
	struct thing *t = arg;

	t->f->ran[t->f->ran_count++] = t->number;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	for (unsigned i = 0; i < ITEMS; i++)
		f->things[i] = (struct thing){
		    .item = {.fn = note, .arg = &f->things[i]}, .number = i, .f = f};
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	heap_free(&f->heap);
	free(f);
	return 0;
}

static void set(struct fixture *f, unsigned i, uint64_t due)
{
	f->things[i].due = due;
	assert_int_equal(heap_set(&f->heap, &f->things[i].item, due), 0);
	assert_int_not_equal(f->things[i].item.slot, 0);
}

static void take(struct fixture *f, unsigned i)
{
	heap_remove(&f->heap, &f->things[i].item);
	assert_int_equal(f->things[i].item.slot, 0);
}

static void check_ran(const struct fixture *f, unsigned count, const unsigned *numbers)
{
	assert_int_equal(f->ran_count, count);
	assert_memory_equal(f->ran, numbers, count * sizeof *numbers);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	assert_true(heap_next(&f->heap) == UINT64_MAX);
	heap_run(&f->heap, UINT64_MAX - 1);
	take(f, 0); /* it is in no heap */
	heap_free(&f->heap);
	assert_true(heap_next(&f->heap) == UINT64_MAX);
}

static void test_only_what_is_due(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 30);
	set(f, 1, 10);
	set(f, 2, 20);
	assert_int_equal(heap_next(&f->heap), 10);
	heap_run(&f->heap, 9);
	check_ran(f, 0, NULL);
	heap_run(&f->heap, 20);
	check_ran(f, 2, (const unsigned[]){1, 2});
	assert_int_equal(f->things[1].item.slot, 0);
	assert_int_equal(heap_next(&f->heap), 30);
	heap_run(&f->heap, 30);
	check_ran(f, 3, (const unsigned[]){1, 2, 0});
}

static void test_equal_deadlines_in_order_set(void **state)
{
	struct fixture *f = *state;
	unsigned expected[ITEMS];

	for (unsigned i = 0; i < ITEMS; i++) {
		expected[i] = ITEMS - 1 - i;
		set(f, expected[i], 5);
	}
	heap_run(&f->heap, 5);
	check_ran(f, ITEMS, expected);
}

static void test_moved_and_removed(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 6; i++)
		set(f, i, 10 + i);
	set(f, 5, 1);
	set(f, 0, 20);
	take(f, 2);
	take(f, 2);
	assert_int_equal(heap_next(&f->heap), 1);
	heap_run(&f->heap, 20);
	check_ran(f, 5, (const unsigned[]){5, 1, 3, 4, 0});
}

static void set_again(void *arg)
{
	struct thing *t = arg;

	note(t);
	set(t->f, t->number, 0);
}

/* Else one call might never end. */
static void test_set_meanwhile_waits_for_the_next_call(void **state)
{
	struct fixture *f = *state;

	f->things[0].item.fn = set_again;
	set(f, 0, 1);
	set(f, 1, 2);
	heap_run(&f->heap, 2);
	check_ran(f, 2, (const unsigned[]){0, 1});
	assert_int_equal(heap_next(&f->heap), 3);
	heap_run(&f->heap, 3);
	check_ran(f, 3, (const unsigned[]){0, 1, 0});
}

static void take_next(void *arg)
{
	struct thing *t = arg;

	note(t);
	take(t->f, t->number + 1);
}

static void test_removed_meanwhile_is_not_called(void **state)
{
	struct fixture *f = *state;

	f->things[0].item.fn = take_next;
	for (unsigned i = 0; i < 3; i++)
		set(f, i, 1);
	heap_run(&f->heap, 1);
	check_ran(f, 2, (const unsigned[]){0, 2});
}

static void free_owner(void *arg)
{
	note(arg);
	free(arg);
}

static void test_callback_frees_its_owner(void **state)
{
	struct fixture *f = *state;
	struct thing *t = calloc(1, sizeof *t);

	assert_non_null(t);
	*t = (struct thing){.item = {.fn = free_owner, .arg = t}, .number = 77, .f = f};
	assert_int_equal(heap_set(&f->heap, &t->item, 1), 0);
	set(f, 1, 2);
	heap_run(&f->heap, 2);
	check_ran(f, 2, (const unsigned[]){77, 1});
}

/* However it came about: each item knows its place, and none is due before the one above it. */
static void check_shape(const struct fixture *f)
{
	const struct heap *h = &f->heap;

	for (unsigned i = 0; i < h->count; i++) {
		assert_int_equal(h->entries[i].item->slot, i + 1);
		assert_true(h->entries[(i - (i > 0)) / 2].due <= h->entries[i].due);
	}
}

static void test_many_changes(void **state)
{
	struct fixture *f = *state;
	uint32_t x = 1;
	unsigned count = 0;

	for (unsigned n = 0; n < 5000; n++) {
		x = x * 1664525 + 1013904223;

		unsigned i = (x >> 8) % ITEMS;

		if (x >> 30 == 0)
			take(f, i);
		else
			set(f, i, x >> 12);
		check_shape(f);
	}
	for (unsigned i = 0; i < ITEMS; i++)
		count += f->things[i].item.slot != 0;
	assert_true(count > ITEMS / 2);
	heap_run(&f->heap, UINT32_MAX);
	assert_int_equal(f->ran_count, count);
	for (unsigned i = 1; i < count; i++)
		assert_true(f->things[f->ran[i - 1]].due <= f->things[f->ran[i]].due);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_empty),
	    TEST(test_only_what_is_due),
	    TEST(test_equal_deadlines_in_order_set),
	    TEST(test_moved_and_removed),
	    TEST(test_set_meanwhile_waits_for_the_next_call),
	    TEST(test_removed_meanwhile_is_not_called),
	    TEST(test_callback_frees_its_owner),
	    TEST(test_many_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
