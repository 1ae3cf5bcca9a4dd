/* dial: several addresses, real sockets on loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "net/loop.h"
#include "net/socket.h"
#include "upstream/dial.h"

static struct {
	struct loop *loop;
	struct dial dial;
	struct addresses addresses;
	unsigned done;
	int fd;
	struct address address;
} w;

static void on_done(void *arg, int fd, const struct address *address)
{
	(void)arg;
	w.done++;
	w.fd = fd;
	w.address = *address;
	loop_stop(w.loop);
}

static void stop(void *arg)
{
	(void)arg;
	loop_stop(w.loop);
}

static void run(unsigned ms)
{
	struct timer t = {0};

	assert_int_equal(
	    timer_set(w.loop, &t, loop_now(w.loop) + ms * 1000ull, stop, NULL), 0);
	loop_run(w.loop);
	timer_stop(w.loop, &t);
}

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	addresses_init(&w.addresses);
	if (loop_new(&w.loop, 64) < 0)
		return -1;
	w.dial.loop = w.loop;
	w.dial.done = on_done;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dial_stop(&w.dial);
	if (w.done && w.fd >= 0)
		socket_close(w.fd);
	loop_free(w.loop);
	addresses_destroy(&w.addresses);
	return 0;
}

/* A port of 127.0.0.HOST: somebody listens (*FD), or nobody. */
static struct address place(unsigned host, bool listens, int *fd)
{
	char text[] = "127.0.0.1";
	struct address a;

	text[8] = (char)('0' + host);
	assert_int_equal(address_parse_ip(&a, text, 9, 0), 0);
	*fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(*fd, &a.any, address_len(&a)), 0);
	assert_int_equal(socket_local_address(*fd, &a), 0);
	if (listens)
		assert_int_equal(listen(*fd, 1), 0);
	return a;
}

static void no_address_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(dial_start(&w.dial, &w.addresses), -EADDRNOTAVAIL);
	assert_int_equal(w.done, 0);
}

static void the_first_that_answers_is_taken(void **state)
{
	struct address all[3];
	int fd[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		all[i] = place(i + 1, i == 2, &fd[i]); /* the first two refuse */
	addresses_set(&w.addresses, all, 3);
	assert_int_equal(dial_start(&w.dial, &w.addresses), 0);
	run(1000);
	assert_int_equal(w.done, 1);
	assert_true(w.fd >= 0);
	assert_true(address_equal(&w.address, &all[2]));
	for (unsigned i = 0; i < 3; i++)
		close(fd[i]);
}

static int kept; /* a descriptor that can be given up; -1: none */

static bool give_up_kept(void *arg)
{
	int fd = kept;

	(void)arg;
	kept = -1;
	return fd >= 0 && close(fd) == 0;
}

/* No descriptor beyond those that are open. Returns the limit before. */
static struct rlimit forbid_descriptors(void)
{
	struct rlimit before, l;
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	l = before;
	l.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	return before;
}

static void without_a_descriptor_somebody_gives_way(void **state)
{
	struct rlimit before;
	struct address all;
	int fd;

	(void)state;
	all = place(1, true, &fd);
	addresses_set(&w.addresses, &all, 1);
	kept = dup(0);
	before = forbid_descriptors();
	assert_int_equal(dial_start(&w.dial, &w.addresses), -EMFILE);
	loop_at_shortage(w.loop, give_up_kept, NULL);
	assert_int_equal(dial_start(&w.dial, &w.addresses), 0);
	assert_int_equal(kept, -1);
	run(1000);
	assert_true(w.fd >= 0);
	/* nobody can give way any more */
	assert_int_equal(dial_start(&w.dial, &w.addresses), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(fd);
}

static void when_all_refuse_the_last_error_is_told(void **state)
{
	struct address all[2];
	int fd[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		all[i] = place(i + 1, false, &fd[i]);
	addresses_set(&w.addresses, all, 2);
	assert_int_equal(dial_start(&w.dial, &w.addresses), 0);
	run(1000);
	assert_int_equal(w.done, 1);
	assert_int_equal(w.fd, -ECONNREFUSED);
	for (unsigned i = 0; i < 2; i++)
		close(fd[i]);
}

/* A listener whose queue is full answers no SYN. */
static void one_that_says_nothing_does_not_hold_up_the_next(void **state)
{
	struct address all[2];
	int fd[2], fill[8];

	(void)state;
	all[0] = place(1, false, &fd[0]);
	assert_int_equal(listen(fd[0], 0), 0);
	for (unsigned i = 0; i < 8; i++)
		fill[i] = socket_connect(&all[0], 1000, false);
	all[1] = place(2, true, &fd[1]);
	addresses_set(&w.addresses, all, 2);
	assert_int_equal(dial_start(&w.dial, &w.addresses), 0);
	run(150);
	assert_int_equal(w.done, 0);
	run(1000);
	assert_int_equal(w.done, 1);
	assert_true(address_equal(&w.address, &all[1]));
	for (unsigned i = 0; i < 8; i++)
		if (fill[i] >= 0)
			socket_close(fill[i]);
	close(fd[0]);
	close(fd[1]);
}

static void each_is_tried_twice_at_most(void **state)
{
	struct address all[3];
	int fd[3], fill[3][8];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		all[i] = place(i + 1, false, &fd[i]);
		assert_int_equal(listen(fd[i], 0), 0);
		for (unsigned k = 0; k < 8; k++)
			fill[i][k] = socket_connect(&all[i], 1000, false);
	}
	addresses_set(&w.addresses, all, 3);
	assert_int_equal(dial_start(&w.dial, &w.addresses), 0);
	run(4000); /* a step before the next of a turn, and a second between the turns */
	assert_int_equal(w.done, 0);
	assert_int_equal(w.dial.next, 6);
	dial_stop(&w.dial);
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 8; k++)
			if (fill[i][k] >= 0)
				socket_close(fill[i][k]);
		close(fd[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(no_address_is_an_error, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_first_that_answers_is_taken, set_up,
					    tear_down),
	    cmocka_unit_test_setup_teardown(without_a_descriptor_somebody_gives_way,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(when_all_refuse_the_last_error_is_told,
					    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		one_that_says_nothing_does_not_hold_up_the_next, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(each_is_tried_twice_at_most, set_up,
					    tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
