/* udp: batches in, batches out, from the right address, whatever else happens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dns/qtype.h"
#include "front/udp.h"
#include "net/loop.h"
#include "net/socket.h"
#include "net/timer.h"

/* More than there are receive slots and transmit slots. */
#define MANY 150

/* Rounds of a millisecond at most that a test waits for something. */
#define ROUNDS_MAX 2000

struct query {
	struct client client;
	size_t len;
	uint8_t message[512];
};

struct fixture {
	struct loop *loop;
	struct metrics *metrics;
	struct udp *udp;
	struct front front;
	struct timer timer;
	bool hold;     /* queries are kept in `queries`, not answered at once */
	uint64_t sent; /* responses */
	unsigned count;
	struct query queries[2 * MANY];
};

static void answer(struct fixture *f, const struct query *q)
{
	uint8_t *room = client_room(&f->front, &q->client, q->len);

	assert_non_null(room);
	memcpy(room, q->message, q->len);
	client_send(&f->front, &q->client, q->len, &f->sent);
}

static void on_query(void *arg, const struct client *c, const uint8_t *message,
		     size_t len)
{
	struct fixture *f = arg;
	struct query *q = &f->queries[f->count++];

	assert_true(f->count <= 2 * MANY);
	assert_int_equal(c->kind, CLIENT_UDP);
	assert_false(client_is_tcp(c));
	q->client = *c;
	q->len = len;
	memcpy(q->message, message, len < sizeof q->message ? len : sizeof q->message);
	if (!f->hold)
		answer(f, q);
}

static void end_round(void *arg)
{
	struct fixture *f = arg;

	udp_flush(f->udp);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	struct udp_options o = {.on_query = on_query, .arg = f};

	f->metrics = calloc(1, sizeof *f->metrics);
	assert_int_equal(loop_new(&f->loop, 16), 0);
	o.loop = f->loop;
	o.metrics = f->metrics;
	assert_int_equal(udp_new(&f->udp, &o), 0);
	f->front.udp = f->udp;
	loop_at_round_end(f->loop, end_round, f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	udp_free(f->udp);
	loop_free(f->loop);
	free(f->metrics);
	free(f);
	return 0;
}

static void on_timer(void *arg)
{
	(void)arg;
}

/* A round that waits for a millisecond at most. */
static void run_round(struct fixture *f)
{
	timer_set(f->loop, &f->timer, loop_now(f->loop) + 1000, on_timer, f);
	loop_stop(f->loop);
	loop_run(f->loop);
}

static void run_until(struct fixture *f, unsigned count)
{
	for (unsigned i = 0; i < ROUNDS_MAX && f->count < count; i++)
		run_round(f);
	assert_int_equal(f->count, count);
}

static struct address make(const char *ip, uint16_t port)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), port), 0);
	return a;
}

/* A listener on IP. Returns its address. */
static struct address listen_on(struct fixture *f, const char *ip)
{
	struct address a = make(ip, 0);
	bool wildcard = address_is_wildcard(&a);
	int fd = socket_listen_udp(&a);

	assert_true(fd >= 0);
	assert_int_equal(socket_local_address(fd, &a), 0);
	assert_int_equal(udp_add(f->udp, fd, wildcard), 0);
	return a;
}

/* A client that hears only what comes from A. */
static int connect_to(const struct address *a)
{
	int fd = socket(a->any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &a->any, address_len(a)), 0);
	return fd;
}

static void ask(int fd, unsigned number, size_t len)
{
	uint8_t message[8192] = {(uint8_t)(number >> 8), (uint8_t)number};

	assert_int_equal(send(fd, message, len, 0), len);
}

/* The next answer's number; fails if there is none. */
static unsigned hear(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint8_t message[1500];

	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_true(recv(fd, message, sizeof message, 0) >= 2);
	return (unsigned)message[0] << 8 | message[1];
}

static void hears_nothing(int fd)
{
	uint8_t octet;

	assert_int_equal(recv(fd, &octet, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void test_batches(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, 12 + i);
	run_until(f, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		assert_int_equal(f->queries[i].len, 12 + i);
		assert_int_equal(hear(fd), i);
	}
	hears_nothing(fd);
	assert_int_equal(f->metrics->dropped[REASON_SEND_FAILED], 0);
	close(fd);
}

static void test_four_batches_in_a_round(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, 12);
	run_round(f);
	assert_int_equal(f->count, 128);
	run_round(f);
	assert_int_equal(f->count, MANY);
	close(fd);
}

/* One datagram at a time, then many at once, then one again. */
static void test_one_and_many(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);
	unsigned asked = 0, heard = 0;

	for (unsigned wave = 0; wave < 4; wave++) {
		for (unsigned i = 0; i < 5; i++) {
			ask(fd, asked++, 12);
			run_until(f, asked);
			usleep(200); /* what comes after a pause is read in another way */
		}
		for (unsigned i = 0; i < 20; i++)
			ask(fd, asked++, 12);
		run_until(f, asked);
	}
	while (heard < asked)
		assert_int_equal(hear(fd), heard++);
	close(fd);
}

static void test_peer_is_told(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1"), mine;
	int fd = connect_to(&a);

	assert_int_equal(socket_local_address(fd, &mine), 0);
	ask(fd, 7, 12);
	run_until(f, 1);
	assert_true(address_equal(&f->queries[0].client.udp.peer, &mine));
	assert_int_equal(f->queries[0].client.udp.listener, 0);
	assert_int_equal(f->queries[0].client.udp.local.family, 0);
	assert_int_equal(client_keepalive(&f->front, &f->queries[0].client), 0);
	close(fd);
}

/* A connected client hears an answer only if it comes from where it asked. */
static void test_wildcard_v4(void **state)
{
	struct fixture *f = *state;
	uint16_t port = 0;
	const char *ips[] = {"127.0.0.1", "127.0.0.2", "127.99.3.4"};
	struct address a = listen_on(f, "0.0.0.0");

	port = address_port(&a);
	for (unsigned i = 0; i < 3; i++) {
		struct address to = make(ips[i], port);
		int fd = connect_to(&to);

		ask(fd, i, 12);
		run_until(f, i + 1);
		assert_int_equal(f->queries[i].client.udp.local.family, AF_INET);
		assert_int_equal(f->queries[i].client.udp.local.v4.s_addr,
				 to.v4.sin_addr.s_addr);
		assert_int_equal(hear(fd), i);
		close(fd);
	}
}

/* Answers of one batch leave from different addresses. */
static void test_wildcard_batch(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "0.0.0.0");
	struct address one = make("127.0.0.1", address_port(&a));
	struct address two = make("127.0.0.2", address_port(&a));
	int fds[2] = {connect_to(&one), connect_to(&two)};

	for (unsigned i = 0; i < 20; i++)
		ask(fds[i % 2], i, 12);
	run_until(f, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(hear(fds[i % 2]), i);
	close(fds[0]);
	close(fds[1]);
}

/* ---- IPv6 addresses of a network namespace of our own ---- */

struct in6_ifreq_v6 {
	struct in6_addr address;
	uint32_t prefix;
	int interface;
};

/* The kernel takes its time before an address can be used. */
static bool add_address(int fd, const char *ip, int interface)
{
	struct in6_ifreq_v6 r = {.prefix = 64, .interface = interface};
	struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				 .sin6_scope_id = (uint32_t)interface};

	if (inet_pton(AF_INET6, ip, &r.address) != 1 || ioctl(fd, SIOCSIFADDR, &r) < 0)
		return false;
	a.sin6_addr = r.address;
	for (unsigned i = 0; i < ROUNDS_MAX; i++) {
		int probe = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		bool bound = bind(probe, (struct sockaddr *)&a, sizeof a) == 0;

		close(probe);
		if (bound)
			return true;
		usleep(1000);
	}
	return false;
}

/* False: not permitted here. */
static bool enter_namespace(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	int fd;

	if (unshare(CLONE_NEWNET) < 0)
		return false;
	fd = socket(AF_INET6, SOCK_DGRAM, 0);
	if (fd < 0)
		return false;
	r.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	if (ioctl(fd, SIOCSIFFLAGS, &r) < 0 || !add_address(fd, "fd00::1", 1) ||
	    !add_address(fd, "fd00::2", 1) || !add_address(fd, "fe80::1", 1)) {
		close(fd);
		return false;
	}
	close(fd);
	return true;
}

static void test_wildcard_v6(void **state)
{
	struct fixture *f = *state;
	const char *ips[] = {"::1", "fd00::2", "fd00::1", "fe80::1%lo"};
	struct address a = listen_on(f, "::");

	for (unsigned i = 0; i < 4; i++) {
		struct address to = make(ips[i], address_port(&a));
		struct client *c = &f->queries[i].client;
		int fd = connect_to(&to);

		ask(fd, i, 12);
		run_until(f, i + 1);
		assert_int_equal(c->udp.local.family, AF_INET6);
		assert_memory_equal(&c->udp.local.v6, &to.v6.sin6_addr, 16);
		assert_int_equal(c->udp.local.interface, i == 3 ? 1 : 0);
		assert_int_equal(c->udp.peer.v6.sin6_scope_id, i == 3 ? 1 : 0);
		assert_int_equal(hear(fd), i);
		close(fd);
	}
}

/* ---- what is dropped ---- */

static void test_long_message(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	ask(fd, 1, 4097);
	ask(fd, 2, 4096);
	ask(fd, 3, 8000);
	ask(fd, 4, 12);
	run_until(f, 2);
	assert_int_equal(f->queries[0].len, 4096);
	assert_int_equal(f->queries[0].message[1], 2);
	assert_int_equal(f->queries[1].message[1], 4);
	assert_int_equal(f->metrics->dropped[REASON_LONG_MESSAGE], 2);
	/* the two others are for the layer above to count */
	assert_int_equal(f->metrics->requests[METRIC_UDP][qtype_slot(0)], 2);
	close(fd);
}

static void test_empty_message(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	ask(fd, 0, 0);
	ask(fd, 0, 1);
	run_until(f, 2);
	assert_int_equal(f->queries[0].len, 0);
	assert_int_equal(f->queries[1].len, 1);
	client_drop(&f->front, &f->queries[0].client);
	run_round(f);
	hears_nothing(fd);
	close(fd);
}

/* From port 0, which takes a raw socket. */
static void test_port_0(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	uint16_t port = address_port(&a);
	uint8_t datagram[20] = {0, 0, (uint8_t)(port >> 8), (uint8_t)port, 0, 20};
	int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP), fd;

	if (raw < 0)
		skip();
	a.v4.sin_port = 0;
	assert_int_equal(sendto(raw, datagram, 20, 0, &a.any, sizeof a.v4), 20);
	a.v4.sin_port = htons(port);
	fd = connect_to(&a);
	ask(fd, 5, 12);
	run_until(f, 1);
	assert_int_equal(hear(fd), 5);
	assert_int_equal(f->metrics->dropped[REASON_SPOOFABLE], 1);
	assert_int_equal(f->metrics->requests[METRIC_UDP][qtype_slot(0)], 1);
	close(raw);
	close(fd);
}

/* What the kernel has no room for is counted, once, at the next look. */
static void test_kernel_drops(void **state)
{
	struct fixture *f = *state;
	struct address a = make("127.0.0.1", 0);
	int fd = socket_listen_udp(&a), small = 4096, client;
	uint64_t drops;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
	assert_int_equal(socket_local_address(fd, &a), 0);
	assert_int_equal(udp_add(f->udp, fd, false), 0);
	client = connect_to(&a);
	udp_look(f->udp);
	assert_int_equal(f->metrics->udp_kernel_drops, 0);
	for (unsigned i = 0; i < MANY; i++)
		ask(client, i, 500);
	udp_look(f->udp);
	drops = f->metrics->udp_kernel_drops;
	assert_true(drops > 0);
	udp_look(f->udp);
	assert_int_equal(f->metrics->udp_kernel_drops, drops);
	run_until(f, (unsigned)(MANY - drops));
	close(client);
}

/* ---- answers ---- */

/* More answers in a round than there are slots, latest query first. */
static void test_out_of_slots(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	for (unsigned i = 0; i < MANY; i++)
		ask(fd, i, 100);
	run_until(f, MANY);
	hears_nothing(fd);
	for (unsigned i = MANY; i-- > 0;)
		answer(f, &f->queries[i]);
	udp_flush(f->udp);
	assert_int_equal(f->sent, MANY);
	for (unsigned i = MANY; i-- > 0;)
		assert_int_equal(hear(fd), i);
	hears_nothing(fd);
	close(fd);
}

/* Room that is not used costs nothing, and the next one is good. */
static void test_room_without_send(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	ask(fd, 9, 12);
	run_until(f, 1);
	for (unsigned i = 0; i < 200; i++) {
		assert_non_null(client_room(&f->front, &f->queries[0].client, 1232));
		client_drop(&f->front, &f->queries[0].client);
	}
	answer(f, &f->queries[0]);
	udp_flush(f->udp);
	assert_int_equal(hear(fd), 9);
	hears_nothing(fd);
	assert_null(client_room(&f->front, &f->queries[0].client, 1233));
	assert_int_equal(f->metrics->dropped[REASON_SEND_FAILED], 1);
	close(fd);
}

static void test_largest_answer(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);
	uint8_t message[1500], *room;

	f->hold = true;
	ask(fd, 9, 12);
	run_until(f, 1);
	room = client_room(&f->front, &f->queries[0].client, 1232);
	assert_non_null(room);
	for (unsigned i = 0; i < 1232; i++)
		room[i] = (uint8_t)i;
	client_send(&f->front, &f->queries[0].client, 1232, &f->sent);
	udp_flush(f->udp);
	assert_int_equal(recv(fd, message, sizeof message, 0), 1232);
	for (unsigned i = 0; i < 1232; i++)
		assert_int_equal(message[i], (uint8_t)i);
	close(fd);
}

/* Each answer leaves by the listener that was asked, in order, however they are mixed. */
static void test_listeners(void **state)
{
	struct fixture *f = *state;
	struct address a[3] = {listen_on(f, "127.0.0.1"), listen_on(f, "127.0.0.2"),
			       listen_on(f, "0.0.0.0")};
	int fds[3];

	a[2] = make("127.0.0.3", address_port(&a[2]));
	for (unsigned i = 0; i < 3; i++)
		fds[i] = connect_to(&a[i]);
	f->hold = true;
	for (unsigned i = 0; i < MANY; i++)
		ask(fds[i % 3], i, 12);
	run_until(f, MANY);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < MANY / 3; i++)
			for (unsigned l = 0; l < 3; l++)
				answer(f, &f->queries[l * MANY / 3 + i]);
		udp_flush(f->udp);
		for (unsigned i = 0; i < MANY; i++)
			assert_int_equal(hear(fds[i % 3]), i);
	}
	for (unsigned i = 0; i < 3; i++) {
		hears_nothing(fds[i]);
		close(fds[i]);
	}
}

/* The kernel refuses an answer in the middle: it is counted, the others leave. */
static void test_refused_answers(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	for (unsigned i = 0; i < 10; i++)
		ask(fd, i, 12);
	run_until(f, 10);
	/* broadcasts need an option that the listener does not have */
	f->queries[0].client.udp.peer = make("255.255.255.255", 5353);
	f->queries[4].client.udp.peer = f->queries[0].client.udp.peer;
	f->queries[5].client.udp.peer = f->queries[0].client.udp.peer;
	f->queries[9].client.udp.peer = f->queries[0].client.udp.peer;
	for (unsigned i = 0; i < 10; i++)
		answer(f, &f->queries[i]);
	udp_flush(f->udp);
	for (unsigned i = 1; i < 9; i++)
		if (i != 4 && i != 5)
			assert_int_equal(hear(fd), i);
	hears_nothing(fd);
	assert_int_equal(f->metrics->dropped[REASON_SEND_FAILED], 4);
	assert_int_equal(f->sent, 6); /* a response is sent or dropped, never both */
	answer(f, &f->queries[0]);    /* alone */
	udp_flush(f->udp);
	assert_int_equal(f->metrics->dropped[REASON_SEND_FAILED], 5);
	assert_int_equal(f->sent, 6);
	close(fd);
}

/* An answer to a port that has been closed comes back as an ICMP message. */
static void test_port_unreachable(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int gone = connect_to(&a), fd = connect_to(&a);

	for (unsigned i = 0; i < 5; i++)
		ask(gone, i, 12);
	close(gone);
	run_until(f, 5);
	for (unsigned i = 0; i < 40; i++)
		ask(fd, i, 12);
	run_until(f, 45);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(hear(fd), i);
	close(fd);
}

/* ---- the end ---- */

static void test_stop(void **state)
{
	struct fixture *f = *state;
	struct address a = listen_on(f, "127.0.0.1");
	int fd = connect_to(&a);

	f->hold = true;
	for (unsigned i = 0; i < 40; i++)
		ask(fd, i, 12);
	udp_stop(f->udp); /* what had arrived counts */
	assert_int_equal(f->count, 40);
	ask(fd, 40, 12);
	run_round(f);
	assert_int_equal(f->count, 40);
	for (unsigned i = 0; i < 40; i++)
		answer(f, &f->queries[i]);
	run_round(f);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(hear(fd), i);
	hears_nothing(fd);
	close(fd);
}

static void test_listeners_max(void **state)
{
	struct fixture *f = *state;
	struct address a = make("127.0.0.1", 0);
	struct udp_options o = {.metrics = f->metrics, .on_query = on_query, .arg = f};
	struct loop *loop;
	struct udp *u;
	int fd;

	assert_int_equal(loop_new(&loop, UDP_LISTENERS_MAX + 1), 0);
	o.loop = loop;
	assert_int_equal(udp_new(&u, &o), 0);
	for (unsigned i = 0; i < UDP_LISTENERS_MAX; i++)
		assert_int_equal(udp_add(u, socket_listen_udp(&a), false), 0);
	fd = socket_listen_udp(&a);
	assert_int_equal(udp_add(u, fd, false), -ENOSPC);
	assert_int_equal(close(fd), 0); /* it is still ours */
	udp_free(u);
	udp_free(NULL);
	loop_free(loop);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_batches),
	    TEST(test_four_batches_in_a_round),
	    TEST(test_one_and_many),
	    TEST(test_peer_is_told),
	    TEST(test_wildcard_v4),
	    TEST(test_wildcard_batch),

	    TEST(test_long_message),
	    TEST(test_empty_message),
	    TEST(test_port_0),
	    TEST(test_kernel_drops),
	    TEST(test_out_of_slots),
	    TEST(test_room_without_send),
	    TEST(test_largest_answer),
	    TEST(test_listeners),
	    TEST(test_refused_answers),
	    TEST(test_port_unreachable),
	    TEST(test_stop),
	    TEST(test_listeners_max),
	};

	const struct CMUnitTest v6_tests[] = {
	    TEST(test_wildcard_v6),
	};
	pid_t child = fork();
	int status = 0;

	if (child == 0)
		_exit(enter_namespace() ? cmocka_run_group_tests(v6_tests, NULL, NULL)
					: 0);
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
