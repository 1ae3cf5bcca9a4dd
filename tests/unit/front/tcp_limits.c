/* tcp_limits: clients that are too slow, too quiet or too many, and what runs out. */
#include "world.h"

#include <sys/resource.h>

/* ---- clients that take no answers ---- */

static void test_slow_reader(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	unsigned asked = 0, heard = 0;
	uint8_t frame[14];

	f->mode = LARGE;
	f->large = 4000;
	/* it asks on until neither side takes any more */
	for (unsigned stuck = 0; stuck < 50;) {
		put_query(frame, asked);
		if (asked < 60000 &&
		    send(fd, frame, 14, MSG_DONTWAIT | MSG_NOSIGNAL) == 14) {
			asked++;
			stuck = 0;
			if (asked % 64)
				continue;
		}
		stuck++;
		run_round(f);
		/* what is queued, what is kept of the input, and room to grow */
		assert_in_range(f->tcp->buffered, 0, 4 * 65536);
	}
	assert_true(f->count < asked);
	assert_true(f->tcp->buffered > 65536);
	/* and once it reads, nothing is missing */
	while (heard < asked)
		assert_int_equal(hear(f, fd), heard++);
	run_rounds(f, 2);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

/* Answers of any length for all that is under way fit, in one round. */
static void test_large_answers(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 128);
	run_until_queries(f, 128);
	for (unsigned i = 0; i < 128; i++)
		reply(f, &f->queries[i].client, i, 65535);
	hears(f, fd, 0, 128);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

static void test_stuck_reader(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 128);
	run_until_queries(f, 128);
	for (unsigned i = 0; i < 127; i++)
		reply(f, &f->queries[i].client, i, 65535);
	run_until_clients(f, 0); /* though a query is under way */
	assert_int_equal(cut_off(f, REASON_SEND_FAILED), 1);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

/* Who goes on asking, but takes no answers, is not active. */
static void test_stuck_asker(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	uint64_t began, asked = 0;

	f->mode = LARGE;
	f->large = 4000;
	/* one by one, so that little is left when the socket takes no more */
	while (!f->tcp->buffered) {
		unsigned count = f->count;

		ask(fd, 1, 1);
		run_until_queries(f, count + 1);
	}
	assert_true(f->tcp->buffered < 65536);
	f->mode = ECHO;
	began = loop_now(f->loop);
	while (f->metrics->tcp_clients && loop_now(f->loop) - began < 10ull * IDLE_US) {
		/* some, but far fewer answers than would stop its input */
		if (loop_now(f->loop) - asked > 1000) {
			(void)send(fd, "\0\2xx", 4, MSG_NOSIGNAL);
			asked = loop_now(f->loop);
		}
		run_round(f);
	}
	assert_int_equal(f->metrics->tcp_clients, 0);
	assert_int_equal(cut_off(f, REASON_SEND_FAILED), 1);
	close(fd);
}

/* ---- idle times ---- */

static void test_idle(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	uint64_t began = loop_now(f->loop);

	hears_end(f, fd);
	assert_true(loop_now(f->loop) - began >= IDLE_US);
	assert_int_equal(f->metrics->tcp_clients, 0);
	assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), 0);
}

/* A single octet now and then is no query. */
static void test_dribble(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	const uint64_t began = loop_now(f->loop);
	unsigned sent = 0;

	write_all(fd, "\x40", 1);
	while (f->metrics->tcp_clients && sent++ < ROUNDS_MAX) {
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		run_round(f);
	}
	assert_int_equal(f->metrics->tcp_clients, 0);
	/* the first round may be late, but the dribble has not put off the end */
	assert_true(loop_now(f->loop) - began < 10ull * IDLE_US);
	close(fd);
}

static void test_activity_puts_off(void **state)
{
	struct fixture *f = *state;
	int busy = dial(f), idle = dial(f);
	unsigned n = 0;

	/* as long as a query comes in each round it stays */
	for (uint64_t began = loop_now(f->loop);
	     loop_now(f->loop) - began < 5ull * IDLE_US; n++) {
		ask(busy, n, 1);
		assert_int_equal(hear(f, busy), n);
	}
	hears_end(f, idle);
	assert_int_equal(f->metrics->tcp_clients, 1);
	hears_end(f, busy);
}

/* While it waits for us, it is not idle. */
static void test_waiting_is_not_idle(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 3, 1);
	for (uint64_t began = loop_now(f->loop);
	     loop_now(f->loop) - began < 5ull * IDLE_US;)
		run_round(f);
	assert_true(is_open(fd));
	answer(f, 0);
	assert_int_equal(hear(f, fd), 3);
	hears_end(f, fd);
}

static void test_keepalive(void **state)
{
	struct fixture *f = *state;
	const struct client c = {.kind = CLIENT_TCP};

	assert_int_equal(client_keepalive(&f->front, &c), 36000);
	f->tcp->options.idle_us = 30000000;
	assert_int_equal(client_keepalive(&f->front, &c), 300);
	f->tcp->options.idle_us = UINT64_MAX;
	assert_int_equal(client_keepalive(&f->front, &c), 65535);
}

/* ---- caps ---- */

/* From as many addresses as it takes. */
static int dial_number(struct fixture *f, unsigned i)
{
	char ip[16];

	snprintf(ip, sizeof ip, "127.0.1.%u", i + 1);
	return dial_from(f, ip);
}

static void test_idlest_gives_way(void **state)
{
	struct fixture *f = *state;
	int fds[CLIENTS_MAX + 2];

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = dial_number(f, i);
		run_until_clients(f, i + 1);
	}
	/* 0 was active, 1 waits for us: 2 is the idlest that can go, 3 the next */
	ask(fds[0], 1, 1);
	assert_int_equal(hear(f, fds[0]), 1);
	f->mode = HOLD;
	ask(fds[1], 2, 1);
	run_until_queries(f, 2);
	for (unsigned i = 0; i < 2; i++) {
		fds[CLIENTS_MAX + i] = dial_number(f, 50 + i);
		hears_end(f, fds[2 + i]);
		assert_int_equal(f->metrics->tcp_clients, CLIENTS_MAX);
		assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), i + 1);
	}
	f->mode = ECHO;
	for (unsigned i = 0; i < CLIENTS_MAX + 2; i++) {
		if (i == 2 || i == 3)
			continue;
		if (i == 1)
			answer(f, 1);
		else
			ask(fds[i], i + 1, 1);
		assert_int_equal(hear(f, fds[i]), i + 1);
		close(fds[i]);
	}
}

/* Who waits for an answer does not give way. */
static void test_all_busy(void **state)
{
	struct fixture *f = *state;
	int fds[CLIENTS_MAX], late;

	f->mode = HOLD;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = dial_number(f, i);
		ask(fds[i], i, 1);
		run_until_queries(f, i + 1);
	}
	late = dial_from(f, "127.0.0.1");
	hears_end(f, late);
	assert_int_equal(f->metrics->tcp_clients, CLIENTS_MAX);
	assert_int_equal(f->metrics->tcp_accepted, CLIENTS_MAX);
	assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), 1);
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		answer(f, i);
		assert_int_equal(hear(f, fds[i]), i);
		close(fds[i]);
	}
}

/* A client whose only query was dropped waits for nothing any more. */
static void test_dropped_gives_way(void **state)
{
	struct fixture *f = *state;
	int fds[CLIENTS_MAX], late;

	f->mode = HOLD;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		fds[i] = dial_number(f, i);
		ask(fds[i], i, 1);
		run_until_queries(f, i + 1);
	}
	client_drop(&f->front, &f->queries[3].client);
	run_round(f);
	late = dial(f);
	hears_end(f, fds[3]);
	assert_true(is_open(late));
	fds[3] = late;
	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		assert_true(is_open(fds[i]));
		close(fds[i]);
	}
}

/* One address has its share, and drives nobody out beyond it. */
static void test_per_address(void **state)
{
	struct fixture *f = *state;
	int fds[CLIENTS_MAX];

	for (unsigned i = 0; i < 2; i++)
		fds[i] = dial_number(f, i);
	run_until_clients(f, 2);
	for (unsigned i = 2; i < CLIENTS_MAX; i++)
		fds[i] = dial(f);
	hears_end(f, dial_from(f, "127.0.0.1"));
	hears_end(f, dial_from(f, "127.0.0.1"));
	assert_int_equal(f->metrics->tcp_clients, CLIENTS_MAX);
	assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), 2);
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		assert_true(is_open(fds[i]));
	/* one leaves, one can come */
	close(fds[2]);
	run_until_clients(f, CLIENTS_MAX - 1);
	fds[2] = dial(f);
	assert_int_equal(f->metrics->tcp_clients, CLIENTS_MAX);
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		close(fds[i]);
}

/* A worker whose places nothing but shares limits. */
static struct fixture *start_shared(unsigned places)
{
	struct tcp_options o = {.clients_max = places, .idle_us = LONG_US};
	struct fixture *f = calloc(1, sizeof *f);

	start(f, &o);
	return f;
}

/* COUNT clients from 127.0.0.1, from number FIRST on; of them all wait for an answer if BUSY. */
static void dial_many(struct fixture *f, int *fds, unsigned count, bool busy)
{
	f->mode = HOLD;
	for (unsigned i = 0; i < count; i++) {
		fds[i] = dial(f);
		if (busy) {
			ask(fds[i], i, 1);
			run_until_queries(f, f->count + 1);
		}
	}
}

static unsigned count_open(const int *fds, unsigned count)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++)
		n += is_open(fds[i]);
	return n;
}

static void close_all(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		close(fds[i]);
}

/* What nobody else wants one address may have, up to three quarters; then its own idle ones give
 * way to more of it. */
static void test_share_binds_when_scarce(void **state)
{
	struct fixture *f = start_shared(16);
	void *fixture = f;
	int fds[20];

	(void)state;
	dial_many(f, fds, 20, false);
	run_rounds(f, 5);
	assert_int_equal(f->metrics->tcp_clients, 12);
	assert_int_equal(count_open(fds, 20), 12);
	assert_int_equal(count_open(fds, 8), 0); /* the idlest have gone */
	assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), 8);
	close_all(fds, 20);
	run_until_clients(f, 0);
	tear_down(&fixture);
}

/* Busy ones do not give way to more of the same address: the newcomer goes. */
static void test_share_of_busy_ones(void **state)
{
	struct fixture *f = start_shared(16);
	void *fixture = f;
	int fds[12];

	(void)state;
	dial_many(f, fds, 12, true);
	hears_end(f, dial_from(f, "127.0.0.1"));
	assert_int_equal(count_open(fds, 12), 12);
	close_all(fds, 12);
	tear_down(&fixture);
}

/* Others always get in: the heaviest gives way, idle ones first, then busy ones. */
static void test_heaviest_gives_way(void **state)
{
	struct fixture *f = start_shared(16);
	void *fixture = f;
	int heavy[12], others[8];

	(void)state;
	dial_many(f, heavy, 2, false);
	dial_many(f, heavy + 2, 10, true);
	for (unsigned i = 0; i < 8; i++) {
		others[i] = dial_number(f, i);
		run_until_clients(f, 13 + (i < 3 ? i : 3));
		for (unsigned n = 0; n < ROUNDS_MAX && f->metrics->tcp_accepted < 13 + i;
		     n++)
			run_round(f);
		/* the two idle ones go first */
		assert_int_equal(count_open(heavy, 2), i < 4 ? 2 : i == 4 ? 1 : 0);
		assert_int_equal(count_open(heavy + 2, 10), i < 6 ? 10 : 10 - (i - 5));
		assert_int_equal(count_open(others, i + 1), i + 1);
	}
	f->mode = ECHO;
	for (unsigned i = 0; i < 8; i++) {
		ask(others[i], i, 1);
		assert_int_equal(hear(f, others[i]), i);
	}
	close_all(heavy, 12);
	close_all(others, 8);
	tear_down(&fixture);
}

/* Of two that have as many, and less than half, idle ones of anybody go before busy ones. */
static void test_within_its_share_idle_ones_of_others_go_first(void **state)
{
	struct fixture *f = start_shared(8);
	void *fixture = f;
	int heavy[3], others[6];

	(void)state;
	dial_many(f, heavy, 3, true);
	for (unsigned i = 0; i < 5; i++) {
		others[i] = dial_number(f, i);
		run_until_clients(f, 4 + i);
	}
	others[5] = dial_number(f, 5);
	hears_end(f, others[0]);
	assert_int_equal(count_open(heavy, 3), 3);
	assert_int_equal(count_open(others + 1, 5), 5);
	close_all(heavy, 3);
	close_all(others + 1, 5);
	tear_down(&fixture);
}

/* ---- memory of all clients ---- */

/* Who has half a frame left when all answers have been sent is still known to hold
 * memory. */
static void test_holding(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	const uint8_t frames[20] = {0, 12, [14] = 0, 12};

	write_all(fd, frames, sizeof frames);
	assert_int_equal(hear(f, fd), 0);
	assert_true(f->tcp->buffered > 0);
	assert_false(list_empty(&f->tcp->holding));
	write_all(fd, frames, 8); /* the other half */
	assert_int_equal(hear(f, fd), 0);
	assert_int_equal(f->tcp->buffered, 0);
	assert_true(list_empty(&f->tcp->holding));
	close(fd);
}

/* Frames that are never whole: who has held memory longest gives way, and there is always
 * room for others. */
static void test_memory(void **state)
{
	enum { HOARDERS = 850, PIECE = 60000 };
	struct tcp_options o = {.clients_max = HOARDERS + 8,
				.clients_per_address = HOARDERS + 8,
				.idle_us = LONG_US};
	struct fixture *f = calloc(1, sizeof *f);
	/* a query, which is answered, and behind it half a frame */
	static const uint8_t piece[PIECE] = {0, 12, [14] = 0xff, 0xff};
	int *fds = calloc(HOARDERS, sizeof *fds), fd;
	void *fixture = f;

	(void)state;
	start(f, &o);
	for (unsigned i = 0; i < HOARDERS; i++) {
		fds[i] = dial(f);
		write_all(fds[i], piece, PIECE);
		assert_int_equal(hear(f, fds[i]), 0);
	}
	run_rounds(f, 20);
	assert_in_range(f->tcp->buffered, 32u << 20, 48u << 20);
	assert_true(cut_off(f, REASON_CLIENT_LIMIT) > 0);
	assert_int_equal(f->metrics->tcp_clients + cut_off(f, REASON_CLIENT_LIMIT),
			 HOARDERS);
	hears_end(f, fds[0]);
	fds[0] = -1;
	assert_true(is_open(fds[HOARDERS - 1]));
	fd = dial(f);
	ask(fd, 1, 1);
	assert_int_equal(hear(f, fd), 1);
	close(fd);
	for (unsigned i = 0; i < HOARDERS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	run_until_clients(f, 0);
	assert_int_equal(f->tcp->buffered, 0);
	free(fds);
	tear_down(&fixture);
}

/* An answer that finds no room is dropped, and its client cut off, as it would wait in vain. */
static void test_no_memory_for_an_answer(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	size_t buffered;

	f->mode = HOLD;
	ask(fd, 0, 3);
	run_until_queries(f, 3);
	answer(f, 0);
	buffered = f->tcp->buffered;
	f->tcp->buffered = (size_t)64 << 20;
	answer(f, 1);
	f->tcp->buffered = buffered;
	answer(f, 2);
	run_until_clients(f, 0);
	assert_int_equal(f->sent, 1);
	assert_int_equal(dropped(f, REASON_CLIENT_LIMIT), 1);
	assert_int_equal(dropped(f, REASON_CLIENT_GONE), 1);
	assert_int_equal(cut_off(f, REASON_CLIENT_LIMIT), 1);
	close(fd);
}

/* ---- descriptors ---- */

/* No descriptor above those that are open. Returns the limit before. */
static rlim_t forbid_descriptors(unsigned more)
{
	struct rlimit l;
	rlim_t before;
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	before = l.rlim_cur;
	l.rlim_cur = (rlim_t)fd + more;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	return before;
}

static void allow_descriptors(rlim_t limit)
{
	struct rlimit l;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	l.rlim_cur = limit;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
}

static void test_no_descriptor_idle_gives_way(void **state)
{
	struct fixture *f = *state;
	int idle = dial(f), late = dial_from(f, "127.0.0.1");
	rlim_t limit = forbid_descriptors(0);

	ask(late, 4, 1);
	assert_int_equal(hear(f, late), 4);
	hears_end(f, idle);
	allow_descriptors(limit);
	assert_int_equal(cut_off(f, REASON_NO_DESCRIPTOR), 1);
	assert_int_equal(f->metrics->tcp_clients, 1);
	close(late);
}

static void test_no_descriptor_newcomer_goes(void **state)
{
	struct fixture *f = *state;
	int busy = dial(f), late[3];
	rlim_t limit;

	f->mode = HOLD;
	ask(busy, 1, 1);
	run_until_queries(f, 1);
	for (unsigned i = 0; i < 3; i++)
		late[i] = dial_from(f, "127.0.0.1");
	limit = forbid_descriptors(0);
	for (unsigned i = 0; i < 3; i++)
		hears_end(f, late[i]);
	allow_descriptors(limit);
	assert_int_equal(cut_off(f, REASON_NO_DESCRIPTOR), 3);
	assert_int_equal(f->metrics->tcp_clients, 1);
	answer(f, 0);
	assert_int_equal(hear(f, busy), 1);
	close(dial(f)); /* there are descriptors again, and the spare one is kept */
	assert_true(f->tcp->spare >= 0);
	close(busy);
}

/* Not even a spare one: the listener rests, and the loop does not spin. */
static void test_no_descriptor_at_all(void **state)
{
	struct fixture *f = *state;
	int busy = dial(f), late, taken;
	uint64_t began;
	rlim_t limit;

	f->mode = HOLD;
	ask(busy, 1, 1);
	run_until_queries(f, 1);
	late = dial_from(f, "127.0.0.1");
	close(f->tcp->spare);
	f->tcp->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	limit = forbid_descriptors(0);
	close(f->tcp->spare);
	f->tcp->spare = -1;
	taken = dup(0); /* what the spare one leaves is taken by another thread */
	began = loop_now(f->loop);
	run_rounds(f, 5);
	assert_true(timer_running(&f->tcp->pause));
	assert_in_range(f->tcp->pause.due, began, loop_now(f->loop) + 100000);
	run_rounds(f, 10);
	assert_int_equal(f->metrics->tcp_accepted, 1);
	assert_int_equal(cut_off(f, REASON_NO_DESCRIPTOR), 0);
	allow_descriptors(limit);
	close(taken);
	/* it is accepted as soon as the pause is over */
	f->mode = ECHO;
	ask(late, 2, 1);
	assert_int_equal(hear(f, late), 2);
	assert_true(loop_now(f->loop) - began >= 100000);
	close(busy);
	close(late);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define HASTY(name) cmocka_unit_test_setup_teardown(name, set_up_hasty, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_slow_reader),
	    TEST(test_large_answers),
	    HASTY(test_stuck_reader),
	    HASTY(test_stuck_asker),
	    HASTY(test_idle),
	    HASTY(test_dribble),
	    HASTY(test_activity_puts_off),
	    HASTY(test_waiting_is_not_idle),
	    TEST(test_keepalive),
	    TEST(test_idlest_gives_way),
	    TEST(test_all_busy),
	    TEST(test_dropped_gives_way),
	    TEST(test_per_address),
	    cmocka_unit_test(test_share_binds_when_scarce),
	    cmocka_unit_test(test_share_of_busy_ones),
	    cmocka_unit_test(test_heaviest_gives_way),
	    cmocka_unit_test(test_within_its_share_idle_ones_of_others_go_first),
	    TEST(test_holding),
	    cmocka_unit_test(test_memory),
	    TEST(test_no_memory_for_an_answer),
	    TEST(test_no_descriptor_idle_gives_way),
	    TEST(test_no_descriptor_newcomer_goes),
	    TEST(test_no_descriptor_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
