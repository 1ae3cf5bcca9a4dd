/* loop: who is called, in which order, and who no longer is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "net/loop.h"
#include "net/timer.h"

/* More than are fetched in a round. */
#define ITEMS 600

struct item {
	struct fixture *f;
	int fd, peer;
	loop_watch watch;
	unsigned number, calls, ready;
};

/* Items note their numbers in `ran`; so do other callbacks, with numbers of their own. */
struct fixture {
	struct loop *loop;
	struct timer timer;
	struct item items[ITEMS];
	unsigned ran[2 * ITEMS], ran_count, rounds;
	bool done;
};

enum { RAN_TIMER = 9000, RAN_END_1, RAN_END_2 };

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	for (unsigned i = 0; i < ITEMS; i++)
		f->items[i] = (struct item){.f = f, .fd = -1, .peer = -1, .number = i};
	*state = f;
	return loop_new(&f->loop, ITEMS);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < ITEMS; i++) {
		if (f->items[i].fd >= 0)
			close(f->items[i].fd);
		if (f->items[i].peer >= 0)
			close(f->items[i].peer);
	}
	loop_free(f->loop);
	free(f);
	return 0;
}

static void note(void *arg, unsigned ready)
{
	struct item *item = arg;

	item->f->ran[item->f->ran_count++] = item->number;
	item->calls++;
	item->ready = ready;
}

static void watch(struct item *item, unsigned events, enum loop_class class,
		  loop_event_fn *fn)
{
	assert_int_equal(
	    loop_watch_fd(item->f->loop, item->fd, events, class, fn, item, &item->watch),
	    0);
	assert_int_not_equal(item->watch, 0);
}

/* An item whose descriptor can be read and written at once. */
static struct item *make_ready(struct fixture *f, unsigned i)
{
	f->items[i].fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(f->items[i].fd >= 0);
	return &f->items[i];
}

/* An item that is one end of a stream; it can be written, and read once its peer has. */
static struct item *make_stream(struct fixture *f, unsigned i)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	f->items[i].fd = pair[0];
	f->items[i].peer = pair[1];
	return &f->items[i];
}

static void hang_up(struct item *item)
{
	close(item->peer);
	item->peer = -1;
}

static void on_timer(void *arg)
{
	struct fixture *f = arg;

	f->done = true;
}

/* One round; it waits for nothing. */
static void run_round(struct fixture *f)
{
	assert_int_equal(timer_set(f->loop, &f->timer, 0, on_timer, f), 0);
	loop_stop(f->loop);
	loop_run(f->loop);
}

static void check_ran(struct fixture *f, unsigned count, const unsigned *numbers)
{
	assert_int_equal(f->ran_count, count);
	assert_memory_equal(f->ran, numbers, count * sizeof *numbers);
	f->ran_count = 0;
}

static void test_readable(void **state)
{
	struct fixture *f = *state;
	struct item *item = make_stream(f, 0);

	watch(item, LOOP_READ, LOOP_CLIENT, note);
	run_round(f);
	assert_int_equal(item->calls, 0);
	assert_int_equal(write(item->peer, "x", 1), 1);
	run_round(f);
	assert_int_equal(item->calls, 1);
	assert_int_equal(item->ready, LOOP_READ);
	run_round(f); /* level-triggered: it was not read */
	assert_int_equal(item->calls, 2);
}

static void test_what_is_waited_for(void **state)
{
	struct fixture *f = *state;
	struct item *item = make_ready(f, 0);

	watch(item, LOOP_WRITE, LOOP_CLIENT, note);
	run_round(f);
	assert_int_equal(item->ready, LOOP_WRITE);
	loop_change(f->loop, item->watch, LOOP_READ);
	run_round(f);
	assert_int_equal(item->ready, LOOP_READ);
	loop_change(f->loop, item->watch, LOOP_READ | LOOP_WRITE);
	run_round(f);
	assert_int_equal(item->ready, LOOP_READ | LOOP_WRITE);
	assert_int_equal(item->calls, 3);
	loop_change(f->loop, item->watch, 0);
	run_round(f);
	assert_int_equal(item->calls, 3);
	loop_change(f->loop, item->watch, LOOP_WRITE);
	run_round(f);
	assert_int_equal(item->calls, 4);
}

static void test_clients_before_upstreams(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 6; i++)
		watch(make_ready(f, i), LOOP_READ, i % 2 ? LOOP_CLIENT : LOOP_UPSTREAM,
		      note);
	run_round(f);
	check_ran(f, 6, (const unsigned[]){1, 3, 5, 0, 2, 4});
}

static void end_1(void *arg)
{
	struct fixture *f = arg;

	f->ran[f->ran_count++] = RAN_END_1;
}

static void end_2(void *arg)
{
	struct fixture *f = arg;

	f->ran[f->ran_count++] = RAN_END_2;
}

static void note_timer(void *arg)
{
	struct fixture *f = arg;

	f->ran[f->ran_count++] = RAN_TIMER;
}

static void note_and_stop(void *arg, unsigned ready)
{
	struct item *item = arg;

	note(arg, ready);
	loop_stop(item->f->loop);
}

/* loop_stop() lets the round end: also what comes after the handler that called it. */
static void test_a_whole_round(void **state)
{
	struct fixture *f = *state;

	loop_at_round_end(f->loop, end_1, f);
	loop_at_round_end(f->loop, end_2, f);
	watch(make_ready(f, 0), LOOP_READ, LOOP_UPSTREAM, note);
	watch(make_ready(f, 1), LOOP_READ, LOOP_CLIENT, note_and_stop);
	timer_set(f->loop, &f->timer, 0, note_timer, f);
	loop_run(f->loop);
	check_ran(f, 5, (const unsigned[]){1, 0, RAN_TIMER, RAN_END_1, RAN_END_2});
	/* and it can run again */
	loop_run(f->loop);
	check_ran(f, 4, (const unsigned[]){1, 0, RAN_END_1, RAN_END_2});
}

static void end_sets_timer(void *arg)
{
	struct fixture *f = arg;

	if (f->rounds++ == 0)
		timer_set(f->loop, &f->timer, loop_now(f->loop) + 1000, on_timer, f);
	if (f->done)
		loop_stop(f->loop);
}

static void test_timer_set_at_round_end(void **state)
{
	struct fixture *f = *state;
	struct item *item = make_ready(f, 0);

	watch(item, LOOP_READ, LOOP_CLIENT, note);
	loop_at_round_end(f->loop, end_sets_timer, f);
	run_round(f);
	loop_forget(f->loop, item->watch);
	loop_run(f->loop); /* would wait for ever */
	assert_true(f->done);
}

static void forget_next(void *arg, unsigned ready)
{
	struct item *item = arg;

	note(arg, ready);
	loop_forget(item->f->loop, item[1].watch);
	close(item[1].fd);
	item[1].fd = -1;
}

static void test_forgotten_in_the_same_round(void **state)
{
	struct fixture *f = *state;

	watch(make_ready(f, 0), LOOP_READ, LOOP_CLIENT, forget_next);
	watch(make_ready(f, 1), LOOP_READ, LOOP_CLIENT, note);
	watch(make_ready(f, 2), LOOP_READ, LOOP_CLIENT, note);
	run_round(f);
	check_ran(f, 2, (const unsigned[]){0, 2});
}

static void replace_next(void *arg, unsigned ready)
{
	struct item *item = arg;
	int old = item[1].fd;

	note(arg, ready);
	loop_forget(item->f->loop, item->watch);
	loop_forget(item->f->loop, item[1].watch);
	close(item[1].fd);
	/* the same slot and the same descriptor number */
	assert_int_equal(make_stream(item->f, 2)->fd, old);
	item[1].fd = -1;
	watch(&item[2], LOOP_READ, LOOP_CLIENT, note);
}

/* An event that was fetched for one descriptor is not the next one's. */
static void test_replaced_in_the_same_round(void **state)
{
	struct fixture *f = *state;

	watch(make_ready(f, 0), LOOP_READ, LOOP_CLIENT, replace_next);
	watch(make_ready(f, 1), LOOP_READ, LOOP_CLIENT, note);
	run_round(f);
	check_ran(f, 1, (const unsigned[]){0});
	assert_int_equal(f->items[2].watch & UINT32_MAX, f->items[1].watch & UINT32_MAX);
	assert_int_not_equal(f->items[2].watch, f->items[1].watch);
	/* the old names do nothing to the new watch */
	loop_change(f->loop, f->items[1].watch, 0);
	loop_forget(f->loop, f->items[1].watch);
	assert_int_equal(write(f->items[2].peer, "x", 1), 1);
	run_round(f);
	check_ran(f, 1, (const unsigned[]){2});
}

static void pause_next(void *arg, unsigned ready)
{
	struct item *item = arg;

	note(arg, ready);
	loop_change(item->f->loop, item[1].watch, 0);
}

static void test_paused_in_the_same_round(void **state)
{
	struct fixture *f = *state;

	watch(make_ready(f, 0), LOOP_READ, LOOP_CLIENT, pause_next);
	watch(make_ready(f, 1), LOOP_READ, LOOP_UPSTREAM, note);
	run_round(f);
	check_ran(f, 1, (const unsigned[]){0});
}

static void forget_self(void *arg, unsigned ready)
{
	struct item *item = arg;

	note(arg, ready);
	loop_forget(item->f->loop, item->watch);
}

static void test_forgets_itself(void **state)
{
	struct fixture *f = *state;

	watch(make_ready(f, 0), LOOP_READ, LOOP_CLIENT, forget_self);
	run_round(f);
	run_round(f);
	assert_int_equal(f->items[0].calls, 1);
}

static void test_hang_up_shows_as_both(void **state)
{
	struct fixture *f = *state;
	struct item *both = make_stream(f, 0), *reads = make_stream(f, 1),
		    *writes = make_stream(f, 2);

	watch(both, LOOP_READ | LOOP_WRITE, LOOP_CLIENT, note);
	watch(reads, LOOP_READ, LOOP_CLIENT, note);
	watch(writes, LOOP_WRITE, LOOP_CLIENT, note);
	hang_up(both);
	hang_up(reads);
	hang_up(writes);
	run_round(f);
	assert_int_equal(both->ready, LOOP_READ | LOOP_WRITE);
	assert_int_equal(reads->ready, LOOP_READ);
	assert_int_equal(writes->ready, LOOP_WRITE);
}

/* A pipe without a reader has an error and nothing else. */
static void test_error_shows(void **state)
{
	struct fixture *f = *state;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(ends[1], ends, 1) > 0)
		;
	close(ends[0]);
	f->items[0].fd = ends[1];
	watch(&f->items[0], LOOP_READ, LOOP_CLIENT, note);
	run_round(f);
	assert_int_equal(f->items[0].ready, LOOP_READ);
}

static void count_round(void *arg)
{
	struct fixture *f = arg;

	f->rounds++;
	if (f->done)
		loop_stop(f->loop);
}

/* epoll reports a hang-up whatever is waited for; a paused watch must not make the loop
 * spin on it, nor lose it. */
static void test_paused_watch_does_not_spin(void **state)
{
	struct fixture *f = *state;
	struct item *paused = make_stream(f, 0), *never = make_stream(f, 1);

	watch(paused, LOOP_READ, LOOP_CLIENT, note);
	watch(never, 0, LOOP_CLIENT, note);
	loop_change(f->loop, paused->watch, 0);
	hang_up(paused);
	hang_up(never);
	loop_at_round_end(f->loop, count_round, f);
	timer_set(f->loop, &f->timer, loop_now(f->loop) + 20000, on_timer, f);
	loop_run(f->loop);
	assert_int_equal(f->ran_count, 0);
	assert_in_range(f->rounds, 1, 5);
	loop_change(f->loop, paused->watch, LOOP_READ);
	loop_change(f->loop, never->watch, LOOP_WRITE);
	run_round(f);
	assert_int_equal(paused->ready, LOOP_READ);
	assert_int_equal(never->ready, LOOP_WRITE);
}

static void test_no_more_than_watches_max(void **state)
{
	struct fixture *f = *state;
	loop_watch w = 4711;

	for (unsigned i = 0; i < ITEMS; i++)
		watch(make_ready(f, i), LOOP_READ, LOOP_CLIENT, note);

	int fd = eventfd(1, EFD_CLOEXEC);

	assert_int_equal(
	    loop_watch_fd(f->loop, fd, LOOP_READ, LOOP_CLIENT, note, &f->items[0], &w),
	    -ENOSPC);
	assert_int_equal(w, 4711);
	loop_forget(f->loop, f->items[300].watch);
	assert_int_equal(loop_watch_fd(f->loop, fd, LOOP_READ, LOOP_CLIENT, note,
				       &f->items[300], &f->items[300].watch),
			 0);
	close(fd);
}

/* More events than one round fetches: the rest come in the next ones. */
static void test_many_ready(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < ITEMS; i++)
		watch(make_ready(f, i), LOOP_READ, LOOP_CLIENT, forget_self);
	for (unsigned n = 0; n < 3; n++)
		run_round(f);
	assert_int_equal(f->ran_count, ITEMS);
	for (unsigned i = 0; i < ITEMS; i++)
		assert_int_equal(f->items[i].calls, 1);
}

static void watch_many(void *arg, unsigned ready)
{
	struct item *item = arg;

	note(arg, ready);
	loop_forget(item->f->loop, item->watch);
	for (unsigned i = 10; i < ITEMS; i++)
		watch(make_ready(item->f, i), LOOP_READ, LOOP_CLIENT, forget_self);
}

/* The table moves while events are delivered. */
static void test_table_grows_in_a_round(void **state)
{
	struct fixture *f = *state;

	watch(make_ready(f, 0), LOOP_READ, LOOP_CLIENT, watch_many);
	watch(make_ready(f, 1), LOOP_READ, LOOP_CLIENT, note);
	watch(make_ready(f, 2), LOOP_READ, LOOP_UPSTREAM, note);
	run_round(f);
	check_ran(f, 3, (const unsigned[]){0, 1, 2});
	for (unsigned n = 0; n < 4; n++)
		run_round(f);
	assert_int_equal(f->items[ITEMS - 1].calls, 1);
}

static void test_descriptors_that_cannot_be_watched(void **state)
{
	struct fixture *f = *state;
	struct item *item = make_ready(f, 0);
	loop_watch w = 4711;

	assert_int_equal(
	    loop_watch_fd(f->loop, -1, LOOP_READ, LOOP_CLIENT, note, item, &w), -EBADF);
	/* a failure keeps no slot */
	for (unsigned i = 0; i < ITEMS; i++)
		loop_watch_fd(f->loop, -1, LOOP_READ, LOOP_CLIENT, note, item, &w);
	watch(item, LOOP_READ, LOOP_CLIENT, note);
	assert_int_equal(
	    loop_watch_fd(f->loop, item->fd, LOOP_READ, LOOP_CLIENT, note, item, &w),
	    -EEXIST);
	assert_int_equal(w, 4711);
	run_round(f);
	assert_int_equal(item->calls, 1);
}

static void test_names_of_nothing(void **state)
{
	struct fixture *f = *state;
	struct item *item = make_ready(f, 0);

	loop_forget(f->loop, 0);
	loop_change(f->loop, 0, LOOP_READ);
	watch(item, LOOP_READ, LOOP_CLIENT, note);
	loop_forget(f->loop, 0);
	loop_forget(f->loop, item->watch + 1);
	loop_forget(f->loop, UINT64_MAX);
	loop_change(f->loop, 0, 0);
	run_round(f);
	assert_int_equal(item->calls, 1);
	loop_forget(f->loop, item->watch);
	loop_forget(f->loop, item->watch);
	loop_change(f->loop, item->watch, LOOP_READ);
	/* the slot is free once, not twice */
	watch(item, LOOP_READ, LOOP_CLIENT, note);
	watch(make_ready(f, 1), LOOP_READ, LOOP_CLIENT, note);
	assert_int_not_equal(item->watch & UINT32_MAX, f->items[1].watch & UINT32_MAX);
}

static void on_signal(int number)
{
	(void)number;
}

static void test_signals_do_not_end_it(void **state)
{
	struct fixture *f = *state;
	struct sigaction act = {.sa_handler = on_signal}, before;
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};

	assert_int_equal(sigaction(SIGALRM, &act, &before), 0);
	setitimer(ITIMER_REAL, &every, NULL);
	loop_at_round_end(f->loop, count_round, f);
	timer_set(f->loop, &f->timer, loop_now(f->loop) + 20000, on_timer, f);
	loop_run(f->loop);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &before, NULL);
	assert_true(f->done);
}

static void test_time_goes_on(void **state)
{
	struct fixture *f = *state;
	uint64_t before = loop_now(f->loop);

	assert_true(before > 0);
	timer_set(f->loop, &f->timer, before + 2000, on_timer, f);
	loop_at_round_end(f->loop, count_round, f);
	loop_run(f->loop);
	assert_true(loop_now(f->loop) >= before + 2000);
}

static void test_free_of_nothing(void **state)
{
	(void)state;
	loop_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_readable),
	    TEST(test_what_is_waited_for),
	    TEST(test_clients_before_upstreams),
	    TEST(test_a_whole_round),
	    TEST(test_timer_set_at_round_end),
	    TEST(test_forgotten_in_the_same_round),
	    TEST(test_replaced_in_the_same_round),
	    TEST(test_paused_in_the_same_round),
	    TEST(test_forgets_itself),
	    TEST(test_hang_up_shows_as_both),
	    TEST(test_error_shows),
	    TEST(test_paused_watch_does_not_spin),
	    TEST(test_no_more_than_watches_max),
	    TEST(test_many_ready),
	    TEST(test_table_grows_in_a_round),
	    TEST(test_descriptors_that_cannot_be_watched),
	    TEST(test_names_of_nothing),
	    TEST(test_signals_do_not_end_it),
	    TEST(test_time_goes_on),
	    TEST(test_free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
