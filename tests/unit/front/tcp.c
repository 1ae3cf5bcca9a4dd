/* tcp: frames in any pieces, answers in any order, and clients that leave. */
#include "world.h"

/* ---- frames ---- */

static void test_octet_by_octet(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	uint8_t frames[28];

	put_query(frames + put_query(frames, 1), 2);
	for (unsigned i = 0; i < sizeof frames; i++) {
		write_all(fd, frames + i, 1);
		run_until_queries(f, (i + 1) / 14);
		run_round(f);
		assert_int_equal(f->count, (i + 1) / 14);
	}
	assert_int_equal(f->queries[0].len, 12);
	hears(f, fd, 1, 2);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

/* Cut in two at each place. */
static void test_two_pieces(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	uint8_t frames[42];

	for (unsigned i = 0; i < 3; i++)
		put_query(frames + 14 * i, i);
	for (unsigned cut = 1; cut < sizeof frames; cut++) {
		write_all(fd, frames, cut);
		run_rounds(f, 2);
		write_all(fd, frames + cut, sizeof frames - cut);
		hears(f, fd, 0, 3);
	}
	close(fd);
}

static void test_many_in_one_piece(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	ask(fd, 0, 100);
	hears(f, fd, 0, 100);
	assert_int_equal(f->longest, 100);
	close(fd);
}

/* Thousands that are answered at once: each round takes a turn of them, and none is
 * forgotten though nothing more arrives. */
static void test_turns(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	ask(fd, 0, 4000);
	hears(f, fd, 0, 4000);
	assert_int_equal(f->count, 4000);
	assert_int_equal(f->longest, 128);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

static void test_short_and_empty_frames(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	const uint8_t frames[] = {0, 0, 0, 1, 'x', 0, 0};

	f->mode = DROP;
	write_all(fd, frames, sizeof frames);
	run_until_queries(f, 3);
	assert_int_equal(f->queries[0].len, 0);
	assert_int_equal(f->queries[1].len, 1);
	assert_int_equal(f->queries[1].message[0], 'x');
	assert_int_equal(f->queries[2].len, 0);
	run_round(f);
	assert_true(is_open(fd));
	f->mode = ECHO;
	ask(fd, 5, 1);
	assert_int_equal(hear(f, fd), 5);
	close(fd);
}

static void test_largest_frame(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);
	static uint8_t frame[2 + 65535 + 14] = {0xff, 0xff, 0, 1};

	f->mode = LARGE;
	f->large = 65535;
	put_query(frame + 2 + 65535, 2);
	for (size_t at = 0; at < sizeof frame; at += 8191) {
		size_t n = sizeof frame - at < 8191 ? sizeof frame - at : 8191;

		write_all(fd, frame + at, n);
		run_round(f);
	}
	hears(f, fd, 1, 2);
	assert_int_equal(f->queries[0].len, 65535);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

/* Memory goes by what has arrived, not by what is announced. */
static void test_announced_length(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	write_all(fd, "\xff\xff\x00", 3);
	run_rounds(f, 3);
	assert_in_range(f->tcp->buffered, 1, 1023);
	close(fd);
	run_until_clients(f, 0);
	assert_int_equal(f->tcp->buffered, 0);
}

/* ---- answers ---- */

static void test_out_of_order(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 50);
	run_until_queries(f, 50);
	for (unsigned i = 0; i < 50; i++)
		answer(f, (i * 7 + 3) % 50);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(hear(f, fd), (i * 7 + 3) % 50);
	close(fd);
}

static void test_clients_apart(void **state)
{
	struct fixture *f = *state;
	int a = dial(f), b = dial(f);

	f->mode = HOLD;
	ask(a, 1, 1);
	run_until_queries(f, 1);
	ask(b, 2, 1);
	run_until_queries(f, 2);
	assert_true(f->queries[0].client.tcp.slot != f->queries[1].client.tcp.slot);
	answer(f, 1);
	answer(f, 0);
	assert_int_equal(hear(f, a), 1);
	assert_int_equal(hear(f, b), 2);
	close(a);
	close(b);
}

/* No more than 128 are under way, and the rest waits until half of them are answered. */
static void test_queries_under_way(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 1000);
	run_rounds(f, 10);
	assert_int_equal(f->count, 128);
	for (unsigned i = 0; i < 63; i++)
		answer(f, i);
	run_rounds(f, 5);
	assert_int_equal(f->count, 128);
	answer(f, 63);
	run_rounds(f, 5);
	assert_int_equal(f->count, 192);
	for (unsigned i = 64; i < 1000; i++) {
		run_until_query(f, i);
		answer(f, i);
	}
	assert_int_equal(f->count, 1000);
	hears(f, fd, 0, 1000);
	assert_int_equal(f->tcp->buffered, 0);
	close(fd);
}

/* Exactly as many as may be under way: reading goes on afterwards. */
static void test_exactly_full(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 128);
	run_until_queries(f, 128);
	run_round(f);
	ask(fd, 128, 1);
	run_rounds(f, 5);
	assert_int_equal(f->count, 128);
	for (unsigned i = 0; i < 128; i++)
		answer(f, i);
	run_until_queries(f, 129);
	answer(f, 128);
	hears(f, fd, 0, 129);
	close(fd);
}

/* Dropped queries are no longer under way. */
static void test_drop(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 128 + 10);
	run_until_queries(f, 128);
	for (unsigned i = 0; i < 128; i++)
		client_drop(&f->front, &f->queries[i].client);
	run_until_queries(f, 138);
	for (unsigned i = 128; i < 138; i++)
		answer(f, i);
	hears(f, fd, 128, 10);
	close(fd);
}

/* Room that is given up for a drop leaves nothing behind. */
static void test_room_then_drop(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 2);
	run_until_queries(f, 2);
	assert_non_null(client_room(&f->front, &f->queries[0].client, 65535));
	client_drop(&f->front, &f->queries[0].client);
	answer(f, 1);
	assert_int_equal(hear(f, fd), 1);
	shutdown(fd, SHUT_WR);
	hears_end(f, fd);
	assert_int_equal(f->tcp->buffered, 0);
}

/* ---- the client's end ---- */

static void test_half_close(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 3);
	write_all(fd, "\0\x0c", 2); /* and never the rest */
	shutdown(fd, SHUT_WR);
	run_until_queries(f, 3);
	for (unsigned i = 3; i-- > 0;) {
		run_rounds(f, 3);
		assert_true(is_open(fd));
		answer(f, i);
		assert_int_equal(hear(f, fd), i);
	}
	hears_end(f, fd);
	run_until_clients(f, 0);
}

/* The end comes while most queries still wait for their turn. */
static void test_half_close_with_backlog(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 1000);
	shutdown(fd, SHUT_WR);
	for (unsigned i = 0; i < 1000; i++) {
		run_until_query(f, i);
		answer(f, i);
		if (i % 100 == 99)
			run_round(f);
	}
	hears(f, fd, 0, 1000);
	hears_end(f, fd);
}

/* Nothing is passed up twice, and a query that is dropped ends the client, too. */
static void test_half_close_then_drop(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = DROP;
	ask(fd, 0, 500);
	shutdown(fd, SHUT_WR);
	hears_end(f, fd);
	assert_int_equal(f->count, 500);
}

static void test_reset(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 3);
	run_until_queries(f, 3);
	reset(fd);
	run_until_clients(f, 0);
	answer(f, 0);
	client_drop(&f->front, &f->queries[1].client);
	answer(f, 2);
	/* the third was dropped by who asked for it */
	assert_int_equal(dropped(f, REASON_CLIENT_GONE), 2);
	assert_int_equal(f->sent, 0);
	assert_int_equal(cut_off(f, REASON_CLIENT_GONE), 1);
}

/* Answers are queued when the reset comes, and more are to come. */
static void test_reset_in_mid_answer(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 100);
	run_until_queries(f, 100);
	for (unsigned i = 0; i < 90; i++)
		reply(f, &f->queries[i].client, i, 65535);
	run_rounds(f, 3);
	assert_true(f->tcp->buffered > 65536);
	reset(fd);
	run_until_clients(f, 0);
	assert_int_equal(f->tcp->buffered, 0);
	assert_int_equal(dropped(f, REASON_CLIENT_GONE), 0);
	assert_int_equal(cut_off(f, REASON_CLIENT_GONE), 1);
	for (unsigned i = 90; i < 100; i++)
		answer(f, i);
	assert_int_equal(dropped(f, REASON_CLIENT_GONE), 10);
	assert_int_equal(f->sent, 90);
}

/* The reset is found while answers of the same round are made: the id is stale at once.
 */
static void test_reset_unnoticed(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 128);
	run_until_queries(f, 128);
	run_round(f); /* not read from any more */
	reset(fd);
	for (unsigned i = 0; i < 128; i++)
		reply(f, &f->queries[i].client, i, 60000);
	run_until_clients(f, 0);
	assert_true(dropped(f, REASON_CLIENT_GONE) > 100);
	assert_int_equal(f->sent + dropped(f, REASON_CLIENT_GONE), 128);
	assert_int_equal(cut_off(f, REASON_CLIENT_GONE), 1);
	assert_int_equal(f->tcp->buffered, 0);
}

/* A slot is used again: who had it before is not mistaken for who has it now. */
static void test_stale_ids(void **state)
{
	struct fixture *f = *state;
	const struct client none = {.kind = CLIENT_TCP, .tcp = {.slot = 5}};
	const struct client beyond = {.kind = CLIENT_TCP, .tcp = {.slot = UINT32_MAX}};
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 1, 1);
	run_until_queries(f, 1);
	close(fd);
	answer(f, 0); /* the client is gone after this */
	run_until_clients(f, 0);
	fd = dial(f);
	ask(fd, 2, 1);
	run_until_queries(f, 2);
	assert_int_equal(f->queries[1].client.tcp.slot, f->queries[0].client.tcp.slot);
	assert_null(client_room(&f->front, &f->queries[0].client, 12));
	client_drop(&f->front, &f->queries[0].client);
	assert_null(client_room(&f->front, &none, 12));
	assert_null(client_room(&f->front, &beyond, 12));
	client_drop(&f->front, &beyond);
	assert_int_equal(dropped(f, REASON_CLIENT_GONE), 3);
	answer(f, 1);
	assert_int_equal(hear(f, fd), 2);
	assert_true(is_open(fd));
	close(fd);
}

/* ---- the end ---- */

static void test_stop(void **state)
{
	struct fixture *f = *state;
	int idle = dial(f), half = dial(f), busy = dial(f), arrived = dial(f);
	int unaccepted, fd;
	struct address a = f->address;

	f->mode = HOLD;
	write_all(half, "\0\x0c", 2);
	ask(busy, 1, 2);
	run_until_queries(f, 2);
	run_round(f);
	ask(arrived, 5, 1);
	unaccepted = dial_from(f, "127.0.0.1");
	ask(unaccepted, 6, 1);
	tcp_stop(f->tcp);
	/* what had arrived is served; who waits for nothing is closed */
	assert_int_equal(f->count, 4);
	assert_int_equal(f->metrics->tcp_clients, 3);
	hears_end(f, idle);
	hears_end(f, half);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	a.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, &a.any, sizeof a.v4), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(fd);
	/* what comes now is not read, and does not cost the answers either */
	ask(busy, 9, 50);
	run_rounds(f, 3);
	assert_int_equal(f->count, 4);
	answer(f, 0);
	assert_int_equal(hear(f, busy), 1);
	assert_true(is_open(busy));
	for (unsigned i = 1; i < 4; i++)
		answer(f, i);
	run_until_clients(f, 0);
	assert_int_equal(hear(f, busy), 2);
	hears_end(f, busy);
	assert_int_equal(hear(f, arrived), 5);
	hears_end(f, arrived);
	assert_int_equal(hear(f, unaccepted), 6);
	hears_end(f, unaccepted);
}

/* What a cap holds back was read before the stop, and is served. */
static void test_stop_with_backlog(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 300);
	run_until_queries(f, 128);
	tcp_stop(f->tcp);
	for (unsigned i = 0; i < 300; i++) {
		run_until_query(f, i);
		answer(f, i);
		if (i % 50 == 49)
			run_round(f);
	}
	run_until_clients(f, 0);
	hears(f, fd, 0, 300);
	hears_end(f, fd);
}

/* Freed in the middle of everything. */
static void test_free_in_use(void **state)
{
	struct fixture *f = *state;
	int fd = dial(f), other = dial(f);

	f->mode = HOLD;
	ask(fd, 0, 300);
	write_all(other, "\x10", 1);
	run_until_queries(f, 128);
	answer(f, 0);
	tcp_free(NULL);
	close(fd);
	close(other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_octet_by_octet),
	    TEST(test_two_pieces),
	    TEST(test_many_in_one_piece),
	    TEST(test_turns),
	    TEST(test_short_and_empty_frames),
	    TEST(test_largest_frame),
	    TEST(test_announced_length),
	    TEST(test_out_of_order),
	    TEST(test_clients_apart),
	    TEST(test_queries_under_way),
	    TEST(test_exactly_full),
	    TEST(test_drop),
	    TEST(test_room_then_drop),
	    TEST(test_half_close),
	    TEST(test_half_close_with_backlog),
	    TEST(test_half_close_then_drop),
	    TEST(test_reset),
	    TEST(test_reset_in_mid_answer),
	    TEST(test_reset_unnoticed),
	    TEST(test_stale_ids),
	    TEST(test_stop),
	    TEST(test_stop_with_backlog),
	    TEST(test_free_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
