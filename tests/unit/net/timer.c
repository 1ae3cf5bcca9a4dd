/* timer: deadlines run in order, once, and may do anything to each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "net/loop.h"
#include "net/timer.h"

#define TIMERS 300

struct item {
	struct timer timer;
	unsigned number;
	struct fixture *f;
};

/* Items note their numbers in `ran`. */
struct fixture {
	struct loop *loop;
	struct item items[TIMERS];
	unsigned ran[2 * TIMERS], ran_count;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	for (unsigned i = 0; i < TIMERS; i++) {
		f->items[i].number = i;
		f->items[i].f = f;
	}
	*state = f;
	return loop_new(&f->loop, 1);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	loop_free(f->loop);
	free(f);
	return 0;
}

static void note(void *arg)
{
	struct item *item = arg;

	item->f->ran[item->f->ran_count++] = item->number;
}

static void set(struct fixture *f, unsigned i, uint64_t due, timer_fn *fn)
{
	assert_int_equal(timer_set(f->loop, &f->items[i].timer, due, fn, &f->items[i]),
			 0);
	assert_true(timer_running(&f->items[i].timer));
}

static void stop(struct fixture *f, unsigned i)
{
	timer_stop(f->loop, &f->items[i].timer);
	assert_false(timer_running(&f->items[i].timer));
}

/* Runs one round: what is due by now has to be there. */
static void run_round(struct fixture *f)
{
	loop_stop(f->loop);
	loop_run(f->loop);
}

static void check_ran(const struct fixture *f, unsigned count, const unsigned *numbers)
{
	assert_int_equal(f->ran_count, count);
	assert_memory_equal(f->ran, numbers, count * sizeof *numbers);
}

static void test_order_of_deadlines(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 30, note);
	set(f, 1, 10, note);
	set(f, 2, 20, note);
	set(f, 3, 0, note);
	run_round(f);
	check_ran(f, 4, (const unsigned[]){3, 1, 2, 0});
	for (unsigned i = 0; i < 4; i++)
		assert_false(timer_running(&f->items[i].timer));
}

static void test_equal_deadlines_in_order_set(void **state)
{
	struct fixture *f = *state;
	unsigned expected[TIMERS];

	for (unsigned i = 0; i < TIMERS; i++) {
		expected[i] = TIMERS - 1 - i;
		set(f, expected[i], 5, note);
	}
	run_round(f);
	check_ran(f, TIMERS, expected);
}

/* To be set again, even to the same time, is to be set later. */
static void test_set_again_goes_behind(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 5, note);
	set(f, 1, 5, note);
	set(f, 2, 5, note);
	set(f, 0, 5, note);
	run_round(f);
	check_ran(f, 3, (const unsigned[]){1, 2, 0});
}

static void test_moved_earlier_and_later(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 10; i++)
		set(f, i, 100 + i, note);
	set(f, 9, 1, note);
	set(f, 0, 200, note);
	set(f, 4, 150, note);
	run_round(f);
	check_ran(f, 10, (const unsigned[]){9, 1, 2, 3, 5, 6, 7, 8, 4, 0});
}

static void test_not_before_its_time(void **state)
{
	struct fixture *f = *state;
	uint64_t due = loop_now(f->loop) + 3000;

	set(f, 0, 0, note);
	set(f, 1, due, note);
	run_round(f);
	assert_int_equal(f->ran[0], 0);
	while (f->ran_count < 2)
		run_round(f);
	assert_true(loop_now(f->loop) >= due);
}

static void test_waiting_is_not_spinning(void **state)
{
	struct fixture *f = *state;
	unsigned rounds = 0;

	set(f, 0, loop_now(f->loop) + 20000, note);
	while (f->ran_count == 0) {
		run_round(f);
		rounds++;
	}
	assert_in_range(rounds, 1, 3);
}

static void test_stopped_does_not_run(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 7; i++)
		set(f, i, i, note);
	stop(f, 3);
	stop(f, 0);
	stop(f, 6);
	stop(f, 6); /* idle already */
	run_round(f);
	check_ran(f, 4, (const unsigned[]){1, 2, 4, 5});
}

static void set_self_in_the_past(void *arg)
{
	struct item *item = arg;

	note(arg);
	assert_false(timer_running(&item->timer));
	set(item->f, item->number, 0, note);
}

/* Else a timer could keep a round from ever ending. */
static void test_set_by_a_timer_waits_a_round(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 1, set_self_in_the_past);
	set(f, 1, 2, note);
	run_round(f);
	check_ran(f, 2, (const unsigned[]){0, 1});
	assert_true(timer_running(&f->items[0].timer));
	assert_int_equal(f->items[0].timer.due, 0);
	while (f->ran_count < 3)
		run_round(f);
	check_ran(f, 3, (const unsigned[]){0, 1, 0});
}

static void stop_next(void *arg)
{
	struct item *item = arg;

	note(arg);
	stop(item->f, item->number + 1);
}

static void test_timer_stops_one_that_is_due_too(void **state)
{
	struct fixture *f = *state;

	set(f, 0, 1, stop_next);
	set(f, 1, 1, note);
	set(f, 2, 1, note);
	run_round(f);
	check_ran(f, 2, (const unsigned[]){0, 2});
}

static void free_self(void *arg)
{
	struct item *item = arg;

	note(arg);
	free(item);
}

/* The owner is gone after its callback; nothing may touch the timer then. */
static void test_callback_frees_its_owner(void **state)
{
	struct fixture *f = *state;
	struct item *item = calloc(1, sizeof *item);

	assert_non_null(item);
	item->f = f;
	item->number = 77;
	assert_int_equal(timer_set(f->loop, &item->timer, 1, free_self, item), 0);
	set(f, 1, 2, note);
	run_round(f);
	check_ran(f, 2, (const unsigned[]){77, 1});
}

/* The same deadlines by another way: sorting. */
static int compare(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;

	if (x->timer.due != y->timer.due)
		return x->timer.due < y->timer.due ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

/* Deadlines are unequal but for a few: those are told apart by number, so they are set in
 * the order of their numbers, last. */
static void test_many_changes(void **state)
{
	struct fixture *f = *state;
	struct item *expected[TIMERS];
	unsigned count = 0;
	uint32_t x = 1;

	for (unsigned n = 0; n < 5000; n++) {
		x = x * 1664525 + 1013904223;

		unsigned i = (x >> 8) % TIMERS;

		if (x >> 30 == 0)
			stop(f, i);
		else
			set(f, i, x >> 12, note);
	}
	for (unsigned i = 0; i < TIMERS; i += 3)
		set(f, i, i / 30, note);
	for (unsigned i = 0; i < TIMERS; i++)
		if (timer_running(&f->items[i].timer))
			expected[count++] = &f->items[i];
	assert_true(count > TIMERS / 2);
	qsort(expected, count, sizeof expected[0], compare);
	run_round(f);
	assert_int_equal(f->ran_count, count);
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(f->ran[i], expected[i]->number);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_order_of_deadlines),
	    TEST(test_equal_deadlines_in_order_set),
	    TEST(test_set_again_goes_behind),
	    TEST(test_moved_earlier_and_later),
	    TEST(test_not_before_its_time),
	    TEST(test_waiting_is_not_spinning),
	    TEST(test_stopped_does_not_run),
	    TEST(test_set_by_a_timer_waits_a_round),
	    TEST(test_timer_stops_one_that_is_due_too),
	    TEST(test_callback_frees_its_owner),
	    TEST(test_many_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
