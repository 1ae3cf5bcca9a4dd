/* socket: the options that each kind of descriptor has, and how connecting ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "net/socket.h"

static struct address make(const char *ip, uint16_t port)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), port), 0);
	return a;
}

static int option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void check_flags(int fd)
{
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static bool have_ipv6(void)
{
	struct address a = make("::1", 0);
	int fd = socket_listen_udp(&a);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int listen_on(const char *ip, int (*fn)(const struct address *),
		     struct address *bound)
{
	struct address a = make(ip, 0);
	int fd = fn(&a);

	assert_true(fd >= 0);
	check_flags(fd);
	assert_int_equal(socket_local_address(fd, bound), 0);
	assert_true(address_same_ip(bound, &a));
	assert_int_not_equal(address_port(bound), 0);
	return fd;
}

static void test_udp(void **state)
{
	struct address a;
	int fd = listen_on("127.0.0.1", socket_listen_udp, &a);

	(void)state;
	assert_int_equal(option(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
	assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	assert_int_equal(option(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_OMIT);
	/* bound to an address there is no doubt whom to answer from */
	assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 0);
	close(fd);
}

static void test_udp_buffers(void **state)
{
	struct address a;
	int fd = listen_on("127.0.0.1", socket_listen_udp, &a);
	int usual = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_true(usual >= 0);
	assert_true(option(fd, SOL_SOCKET, SO_RCVBUF) >=
		    option(usual, SOL_SOCKET, SO_RCVBUF));
	assert_true(option(fd, SOL_SOCKET, SO_SNDBUF) >=
		    option(usual, SOL_SOCKET, SO_SNDBUF));
	close(usual);
	close(fd);
}

static void test_udp_wildcard(void **state)
{
	struct address a;
	int fd = listen_on("0.0.0.0", socket_listen_udp, &a);

	(void)state;
	assert_int_equal(option(fd, IPPROTO_IP, IP_PKTINFO), 1);
	close(fd);
	if (!have_ipv6())
		skip();
	fd = listen_on("::", socket_listen_udp, &a);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO), 1);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_OMIT);
	close(fd);
}

static void test_tcp(void **state)
{
	struct address a;
	int fd = listen_on("127.0.0.1", socket_listen_tcp, &a);

	(void)state;
	assert_int_equal(option(fd, SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	assert_int_equal(option(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
	assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEPORT), 1);
	assert_int_equal(option(fd, SOL_SOCKET, SO_REUSEADDR), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	close(fd);
	if (!have_ipv6())
		skip();
	fd = listen_on("::1", socket_listen_tcp, &a);
	assert_int_equal(option(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
	close(fd);
}

/* One socket for each worker, and for each family, on one port. */
static void test_port_is_shared(void **state)
{
	int (*const fns[])(const struct address *) = {socket_listen_udp,
						      socket_listen_tcp};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct address a;
		int first = listen_on("127.0.0.1", fns[i], &a), second = fns[i](&a);

		assert_true(second >= 0);
		close(second);
		close(first);
	}
}

static void test_wildcards_of_both_families(void **state)
{
	int (*const fns[])(const struct address *) = {socket_listen_udp,
						      socket_listen_tcp};

	(void)state;
	if (!have_ipv6())
		skip();
	for (size_t i = 0; i < 2; i++) {
		int first = -1, second = -1;

		/* the port of the one may be another program's in the other family */
		for (unsigned tries = 0; second < 0 && tries < 50; tries++) {
			struct address v6, v4;

			if (first >= 0)
				close(first);
			first = listen_on("::", fns[i], &v6);
			v4 = make("0.0.0.0", address_port(&v6));
			second = fns[i](&v4);
		}
		assert_true(second >= 0);
		close(second);
		close(first);
	}
}

static void test_cannot_bind(void **state)
{
	struct address a = make("192.0.2.1", 0); /* documentation, nobody's (RFC 5737) */
	struct address none;

	(void)state;
	assert_int_equal(socket_listen_udp(&a), -EADDRNOTAVAIL);
	assert_int_equal(socket_listen_tcp(&a), -EADDRNOTAVAIL);
	memset(&none, 0, sizeof none);
	assert_int_equal(socket_listen_udp(&none), -EAFNOSUPPORT);
	assert_int_equal(socket_listen_tcp(&none), -EAFNOSUPPORT);
	assert_int_equal(socket_connect(&none, 1000, false), -EAFNOSUPPORT);
}

/* A port that somebody else has, without SO_REUSEPORT. */
static void test_port_is_taken(void **state)
{
	struct address a = make("127.0.0.1", 0);
	int other = socket(AF_INET, SOCK_DGRAM, 0);

	(void)state;
	assert_int_equal(bind(other, &a.any, address_len(&a)), 0);
	assert_int_equal(socket_local_address(other, &a), 0);
	assert_int_equal(socket_listen_udp(&a), -EADDRINUSE);
	close(other);
}

static int await(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	assert_int_equal(poll(&p, 1, 10000), 1);
	return p.revents;
}

static void test_connected(void **state)
{
	struct address a;
	int listener = listen_on("127.0.0.1", socket_listen_tcp, &a);
	int fd = socket_connect(&a, 4321, false);

	(void)state;
	assert_true(fd >= 0);
	check_flags(fd);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 4321);
	await(fd, POLLOUT);
	assert_int_equal(socket_connect_result(fd), 0);
	await(listener, POLLIN);

	int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	assert_true(accepted >= 0);
	assert_int_equal(option(accepted, IPPROTO_TCP, TCP_NODELAY), 1); /* inherited */
	close(accepted);
	close(fd);
	close(listener);
}

static void test_refused(void **state)
{
	struct address a;
	int listener = listen_on("127.0.0.1", socket_listen_tcp, &a);
	int fd;

	(void)state;
	close(listener);
	fd = socket_connect(&a, 1000, false);
	if (fd == -ECONNREFUSED) /* loopback may tell at once */
		return;
	assert_true(fd >= 0);
	await(fd, POLLOUT);
	assert_int_equal(socket_connect_result(fd), -ECONNREFUSED);
	/* the error is told once; the socket is not connected for that */
	assert_int_equal(socket_connect_result(fd), -ENOTCONN);
	close(fd);
}

static void test_connect_fails_at_once(void **state)
{
	struct address a = make("255.255.255.255", 853);
	int free_before = dup(0), free_after;

	(void)state;
	close(free_before);
	assert_int_equal(socket_connect(&a, 1000, false), -ENETUNREACH);
	free_after = dup(0);
	close(free_after);
	assert_int_equal(free_after, free_before); /* no descriptor was left open */
}

static void test_not_connected(void **state)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(socket_connect_result(fd), -ENOTCONN);
	close(fd);
	assert_int_equal(socket_connect_result(-1), -EBADF);
}

static void test_ways(void **state)
{
	struct address near = make("127.0.0.1", 853),
		       nowhere = make("255.255.255.255", 853);

	(void)state;
	assert_true(socket_has_way(&near));
	assert_false(socket_has_way(&nowhere));
}

static void test_local_address_of_nothing(void **state)
{
	struct address a = make("192.0.2.1", 53), before = a;

	(void)state;
	assert_int_equal(socket_local_address(-1, &a), -EBADF);
	assert_memory_equal(&a, &before, sizeof a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_udp),
	    cmocka_unit_test(test_udp_buffers),
	    cmocka_unit_test(test_udp_wildcard),
	    cmocka_unit_test(test_tcp),
	    cmocka_unit_test(test_port_is_shared),
	    cmocka_unit_test(test_wildcards_of_both_families),
	    cmocka_unit_test(test_cannot_bind),
	    cmocka_unit_test(test_port_is_taken),
	    cmocka_unit_test(test_connected),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_connect_fails_at_once),
	    cmocka_unit_test(test_not_connected),
	    cmocka_unit_test(test_ways),
	    cmocka_unit_test(test_local_address_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
