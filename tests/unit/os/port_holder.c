/* port_holder: which sockets are in the way, and whose they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/port_holder.h"

static struct address address_of(const char *ip, uint16_t port)
{
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), port), 0);
	return a;
}

#define V4(address, port, state)                                                         \
	"  12: " address ":" port " 00000000:0000 " state                                \
	" 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000 0\n"
#define V6(address, port, state)                                                         \
	"  12: " address ":" port " 00000000000000000000000000000000:0000 " state        \
	" 00000000:00000000 00:00000000 00000000     0        0 4711 2 0000 0\n"
#define ALL "00000000000000000000000000000000"
#define ONE "00000000000000000000000001000000"

static bool reads(const char *line, const char *ip, int type)
{
	struct address a = address_of(ip, 53);
	unsigned long inode = 0;
	bool r = port_holder_reads(line, &a, type, &inode);

	assert_true(!r || inode == 4711);
	return r;
}

static void lines_of_the_table(void **state)
{
	(void)state;
	assert_true(reads(V4("0100007F", "0035", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_true(reads(V4("0100007F", "0035", "07"), "127.0.0.1", SOCK_DGRAM));
	assert_true(reads(V4("00000000", "0035", "07"), "127.0.0.1", SOCK_DGRAM));
	assert_true(reads(V4("0100007F", "0035", "07"), "0.0.0.0", SOCK_DGRAM));
	assert_true(reads(V6(ALL, "0035", "07"), "127.0.0.1", SOCK_DGRAM));
	assert_true(reads(V6(ONE, "0035", "0A"), "::1", SOCK_STREAM));
	assert_true(reads(V6(ALL, "0035", "0A"), "::1", SOCK_STREAM));
	/* another port, address, family; a connection */
	assert_false(reads(V4("0100007F", "0036", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_false(reads(V4("0200007F", "0035", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_false(reads(V6(ONE, "0035", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_false(reads(V4("00000000", "0035", "0A"), "::1", SOCK_STREAM));
	assert_false(reads(V4("0100007F", "0035", "01"), "127.0.0.1", SOCK_STREAM));
}

static void lines_that_are_none(void **state)
{
	(void)state;
	assert_false(reads("", "127.0.0.1", SOCK_STREAM));
	assert_false(reads("  sl  local_address rem_address   st tx_queue rx_queue\n",
			   "127.0.0.1", SOCK_STREAM));
	assert_false(reads(V4("0100007", "0035", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_false(reads(V4("0100007F0", "0035", "0A"), "127.0.0.1", SOCK_STREAM));
	assert_false(
	    reads("  12: 0100007F:0035 00000000:0000 0A", "127.0.0.1", SOCK_STREAM));
}

/* A socket of this process. */
static void our_own(void **state, int type)
{
	struct address a = address_of("127.0.0.1", 0);
	socklen_t len = sizeof a;
	struct port_holder holder;
	int fd = socket(AF_INET, type, 0);

	(void)state;
	assert_int_equal(bind(fd, &a.any, address_len(&a)), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, &a.any, &len), 0);
	assert_int_equal(port_holder_find(&a, type, &holder), PORT_HELD_BY);
	assert_int_equal(holder.pid, getpid());
	assert_int_equal(strncmp(holder.name, "unit_os_port_holder", 15), 0);
	close(fd);
	assert_int_equal(port_holder_find(&a, type, &holder), PORT_FREE);
}

static void our_own_udp(void **state)
{
	our_own(state, SOCK_DGRAM);
}

static void our_own_tcp(void **state)
{
	our_own(state, SOCK_STREAM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_of_the_table),
	    cmocka_unit_test(lines_that_are_none),
	    cmocka_unit_test(our_own_udp),
	    cmocka_unit_test(our_own_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
