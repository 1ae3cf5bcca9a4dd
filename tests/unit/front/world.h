/* world: a worker with TCP clients over loopback, for the tests of tcp.c and its parts. */
#ifndef DOTGATE_TESTS_UNIT_FRONT_WORLD_H
#define DOTGATE_TESTS_UNIT_FRONT_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "front/tcp_table.h"
#include "net/socket.h"

/* Rounds of a millisecond at most that a test waits for something. */
#define ROUNDS_MAX 5000

/* Queries that are noted. */
#define QUERIES_MAX 4096

#define CLIENTS_MAX 8
#define PER_ADDRESS 6
#define IDLE_US 20000

/* Never idle within a test. */
#define LONG_US 3600000000ull

enum mode { ECHO, HOLD, DROP, LARGE };

struct query {
	struct client client;
	size_t len;
	uint8_t message[16];
};

struct fixture {
	struct loop *loop;
	struct metrics *metrics;
	struct tcp *tcp;
	struct front front;
	struct timer timer;
	struct address address; /* of the listener */
	enum mode mode;
	uint64_t sent;	  /* responses */
	size_t large;	  /* octets of an answer in mode LARGE */
	unsigned count;	  /* queries so far */
	unsigned round;	  /* of them in this round */
	unsigned longest; /* most in a round */
	struct query queries[QUERIES_MAX];
};

/* ---- the layer above ---- */

static inline void reply(struct fixture *f, const struct client *c, unsigned number,
			 size_t len)
{
	uint8_t *room = client_room(&f->front, c, len);

	if (!room)
		return;
	memset(room, 0, len);
	room[0] = (uint8_t)(number >> 8);
	room[1] = (uint8_t)number;
	client_send(&f->front, c, len, &f->sent);
}

static inline unsigned number_of(const struct query *q)
{
	return (unsigned)q->message[0] << 8 | q->message[1];
}

static inline void answer(struct fixture *f, unsigned i)
{
	const struct query *q = &f->queries[i];

	reply(f, &q->client, number_of(q), 12);
}

static inline void on_query(void *arg, const struct client *c, const uint8_t *message,
			    size_t len)
{
	struct fixture *f = arg;
	struct query *q = &f->queries[f->count++ % QUERIES_MAX];

	f->round++;
	assert_true(client_is_tcp(c));
	q->client = *c;
	q->len = len;
	memcpy(q->message, message, len < sizeof q->message ? len : sizeof q->message);
	if (f->mode == ECHO)
		reply(f, c, number_of(q), 12);
	else if (f->mode == LARGE)
		reply(f, c, number_of(q), f->large);
	else if (f->mode == DROP)
		client_drop(&f->front, c);
}

static inline void end_round(void *arg)
{
	struct fixture *f = arg;

	tcp_flush(f->tcp);
	if (f->round > f->longest)
		f->longest = f->round;
	f->round = 0;
}

/* ---- the worker ---- */

static inline void start(struct fixture *f, const struct tcp_options *options)
{
	struct address a;
	struct tcp_options o = *options;
	int fd;

	f->metrics = calloc(1, sizeof *f->metrics);
	assert_int_equal(loop_new(&f->loop, o.clients_max + 4), 0);
	o.loop = f->loop;
	o.metrics = f->metrics;
	o.on_query = on_query;
	o.arg = f;
	assert_int_equal(tcp_new(&f->tcp, &o), 0);
	f->front.tcp = f->tcp;
	loop_at_round_end(f->loop, end_round, f);
	assert_int_equal(address_parse_ip(&a, "0.0.0.0", 7, 0), 0);
	fd = socket_listen_tcp(&a);
	assert_true(fd >= 0);
	assert_int_equal(socket_local_address(fd, &f->address), 0);
	assert_int_equal(tcp_add(f->tcp, fd), 0);
}

static inline int set_up_with(void **state, uint64_t idle_us)
{
	struct tcp_options o = {.clients_max = CLIENTS_MAX,
				.clients_per_address = PER_ADDRESS,
				.idle_us = idle_us};
	struct fixture *f = calloc(1, sizeof *f);

	start(f, &o);
	*state = f;
	return 0;
}

static inline int set_up(void **state)
{
	return set_up_with(state, LONG_US);
}

static inline int set_up_hasty(void **state)
{
	return set_up_with(state, IDLE_US);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	tcp_free(f->tcp);
	assert_int_equal(f->metrics->tcp_clients, 0);
	loop_free(f->loop);
	free(f->metrics);
	free(f);
	return 0;
}

static inline void on_timer(void *arg)
{
	(void)arg;
}

/* A round that waits for a millisecond at most. */
static inline void run_round(struct fixture *f)
{
	struct timespec t;
	uint64_t due;

	clock_gettime(CLOCK_MONOTONIC, &t);
	due = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000 + 1000;
	assert_int_equal(timer_set(f->loop, &f->timer, due, on_timer, f), 0);
	loop_stop(f->loop);
	loop_run(f->loop);
}

static inline void run_rounds(struct fixture *f, unsigned n)
{
	while (n-- > 0)
		run_round(f);
}

static inline void run_until_queries(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < ROUNDS_MAX && f->count < count; i++)
		run_round(f);
	assert_int_equal(f->count, count);
}

/* Query I has come. */
static inline void run_until_query(struct fixture *f, unsigned i)
{
	for (unsigned n = 0; n < ROUNDS_MAX && f->count <= i; n++)
		run_round(f);
	assert_true(f->count > i);
}

static inline void run_until_clients(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < ROUNDS_MAX && f->metrics->tcp_clients != count; i++)
		run_round(f);
	assert_int_equal(f->metrics->tcp_clients, count);
}

static inline uint64_t dropped(const struct fixture *f, enum reason why)
{
	return f->metrics->dropped[why];
}

/* Clients that were refused or cut off. */
static inline uint64_t cut_off(const struct fixture *f, enum reason why)
{
	return f->metrics->tcp_dropped[why];
}

/* ---- clients ---- */

/* A client from IP whose connection waits to be accepted. */
static inline int dial_from(struct fixture *f, const char *ip)
{
	const int on = 1;
	struct address from, to = f->address;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(address_parse_ip(&from, ip, strlen(ip), 0), 0);
	assert_int_equal(bind(fd, &from.any, sizeof from.v4), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
	to.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(connect(fd, &to.any, sizeof to.v4), 0);
	return fd;
}

/* One that has been accepted. */
static inline int dial(struct fixture *f)
{
	uint64_t accepted = f->metrics->tcp_accepted;
	int fd = dial_from(f, "127.0.0.1");

	for (unsigned i = 0; i < ROUNDS_MAX && f->metrics->tcp_accepted == accepted; i++)
		run_round(f);
	assert_int_equal(f->metrics->tcp_accepted, accepted + 1);
	return fd;
}

static inline size_t put_query(uint8_t *out, unsigned number)
{
	const uint8_t frame[14] = {0, 12, (uint8_t)(number >> 8), (uint8_t)number};

	memcpy(out, frame, sizeof frame);
	return sizeof frame;
}

static inline void write_all(int fd, const void *data, size_t len)
{
	assert_int_equal(send(fd, data, len, MSG_NOSIGNAL), len);
}

/* COUNT queries from FIRST on, in one piece. */
static inline void ask(int fd, unsigned first, unsigned count)
{
	static uint8_t frames[14 * 8192];
	size_t n = 0;

	for (unsigned i = 0; i < count; i++)
		n += put_query(frames + n, first + i);
	write_all(fd, frames, n);
}

/* Waits for LEN octets while the worker runs. */
static inline void read_all(struct fixture *f, int fd, uint8_t *out, size_t len)
{
	size_t got = 0;

	for (unsigned i = 0; i < ROUNDS_MAX && got < len; i++) {
		ssize_t n = recv(fd, out + got, len - got, MSG_DONTWAIT);

		if (n > 0)
			got += (size_t)n;
		else
			run_round(f);
		assert_int_not_equal(n, 0);
	}
	assert_int_equal(got, len);
}

/* The next answer's number. */
static inline unsigned hear(struct fixture *f, int fd)
{
	static uint8_t frame[2 + 65535];

	read_all(f, fd, frame, 2);
	read_all(f, fd, frame + 2, (size_t)frame[0] << 8 | frame[1]);
	return (unsigned)frame[2] << 8 | frame[3];
}

static inline void hears(struct fixture *f, int fd, unsigned first, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		assert_int_equal(hear(f, fd), first + i);
}

static inline bool is_open(int fd)
{
	uint8_t octet;

	return recv(fd, &octet, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == EAGAIN;
}

/* Runs until the worker has closed FD: cleanly, without anything more to hear. */
static inline void hears_end(struct fixture *f, int fd)
{
	uint8_t octet;
	ssize_t n = -1;

	for (unsigned i = 0; i < ROUNDS_MAX && n < 0; i++) {
		n = recv(fd, &octet, 1, MSG_DONTWAIT);
		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			run_round(f);
		}
	}
	assert_int_equal(n, 0);
	close(fd);
}

static inline void reset(int fd)
{
	const struct linger l = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof l), 0);
	close(fd);
}

#endif
