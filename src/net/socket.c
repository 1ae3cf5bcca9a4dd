/* socket: descriptors with the options dotgate wants. */
#include "net/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <unistd.h>

/* A burst of some thousand queries while a worker is busy; only what arrives takes
 * memory. */
#define UDP_BUFFER (4 * 1024 * 1024)

/* Connections not accepted yet. The kernel lowers it to net.core.somaxconn. */
#define TCP_BACKLOG 4096

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int open_socket(const struct address *a, int type)
{
	int fd = socket(a->any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

/* Closes FD and returns ERROR. */
static int fail(int fd, int error)
{
	close(fd);
	return error;
}

/* What the kernel grants: beyond rmem_max and wmem_max only with CAP_NET_ADMIN. */
static void enlarge_buffers(int fd)
{
	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_BUFFER) < 0)
		(void)set(fd, SOL_SOCKET, SO_RCVBUF, UDP_BUFFER);
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_BUFFER) < 0)
		(void)set(fd, SOL_SOCKET, SO_SNDBUF, UDP_BUFFER);
}

/* IP_PMTUDISC_OMIT: forged "fragmentation needed" messages change nothing (RFC 9715). A
 * kernel without it still serves, so its refusal is no failure. */
static int set_udp_options(int fd, const struct address *a)
{
	bool v6 = a->any.sa_family == AF_INET6;

	enlarge_buffers(fd);
	if (v6)
		(void)set(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_OMIT);
	else
		(void)set(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_OMIT);
	if (!address_is_wildcard(a))
		return 0;
	return v6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
		  : set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

/* Every worker binds a socket of its own to A; IPv6 sockets leave IPv4 to others. */
static int bind_shared(int fd, const struct address *a)
{
	int error = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (error == 0 && a->any.sa_family == AF_INET6)
		error = set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	if (error == 0 && bind(fd, &a->any, address_len(a)) < 0)
		error = -errno;
	return error;
}

int socket_listen_udp(const struct address *a)
{
	int fd = open_socket(a, SOCK_DGRAM);

	if (fd < 0)
		return fd;

	int error = set_udp_options(fd, a);

	if (error == 0)
		error = bind_shared(fd, a);
	return error < 0 ? fail(fd, error) : fd;
}

int socket_listen_tcp(const struct address *a)
{
	int fd = open_socket(a, SOCK_STREAM);

	if (fd < 0)
		return fd;

	int error = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);

	if (error == 0)
		error = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (error == 0)
		error = bind_shared(fd, a);
	if (error == 0 && listen(fd, TCP_BACKLOG) < 0)
		error = -errno;
	return error < 0 ? fail(fd, error) : fd;
}

int socket_connect(const struct address *a, unsigned user_timeout_ms, bool fast_open)
{
	int timeout = user_timeout_ms < INT_MAX ? (int)user_timeout_ms : INT_MAX;
	int fd = open_socket(a, SOCK_STREAM);

	if (fd < 0)
		return fd;

	int error = set(fd, IPPROTO_TCP, TCP_NODELAY, 1);

	if (error == 0)
		error = set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout);
	if (fast_open)
		(void)set(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1);
	if (error == 0 && connect(fd, &a->any, address_len(a)) < 0 &&
	    errno != EINPROGRESS)
		error = -errno;
	return error < 0 ? fail(fd, error) : fd;
}

int socket_connect_udp(const struct address *a)
{
	int fd = open_socket(a, SOCK_DGRAM);

	/* the kernel picks the port at random (RFC 5452 9.2) */
	if (fd >= 0 && connect(fd, &a->any, address_len(a)) < 0)
		return fail(fd, -errno);
	return fd;
}

int socket_connect_result(int fd)
{
	struct address peer;
	socklen_t len = sizeof peer;
	int error = 0;
	socklen_t error_len = sizeof error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_len) < 0)
		return -errno;
	if (error != 0)
		return -error;
	/* no error is also what an attempt still under way has */
	return getpeername(fd, &peer.any, &len) < 0 ? -errno : 0;
}

/* The local address that the kernel would choose for A now. */
static int chosen_address(const struct address *a, struct address *out)
{
	int fd = open_socket(a, SOCK_DGRAM); /* connecting it sends nothing */
	int error;

	if (fd < 0)
		return fd;
	error = connect(fd, &a->any, address_len(a)) < 0 ? -errno
							 : socket_local_address(fd, out);
	close(fd);
	return error;
}

bool socket_has_way(const struct address *a)
{
	struct address local;

	return chosen_address(a, &local) == 0;
}

bool socket_path_changed(int fd, const struct address *a)
{
	struct address now, then;

	return chosen_address(a, &now) < 0 || socket_local_address(fd, &then) < 0 ||
	       !address_same_ip(&now, &then);
}

void socket_close(int fd)
{
	close(fd);
}

int socket_local_address(int fd, struct address *out)
{
	struct address a = {0};
	socklen_t len = sizeof a;

	if (getsockname(fd, &a.any, &len) < 0)
		return -errno;
	*out = a;
	return 0;
}
