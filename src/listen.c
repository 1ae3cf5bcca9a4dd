/* listen: binds every configured address for every worker. */
#include "listen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/socket.h"
#include "version.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2

static const char *remedy(int error)
{
	switch (-error) {
	case EADDRINUSE:
		return "another program has this port: find it with 'ss -lnptu', or "
		       "listen on "
		       "another one";
	case EACCES:
	case EPERM:
		return "ports below 1024 need root or CAP_NET_BIND_SERVICE";
	case EADDRNOTAVAIL:
		return "no interface of this machine has this address";
	case EAFNOSUPPORT:
		return "this machine has no IPv6";
	default:
		return "check this machine's limits and network";
	}
}

static int complain(const struct address *a, const char *protocol, int error)
{
	char text[ADDRESS_TEXT_MAX];

	fprintf(stderr, "%s: cannot listen on %s (%s): %s: %s\n", DOTGATE_NAME,
		address_text(a, text), protocol, strerror(-error), remedy(error));
	return error == -EMFILE || error == -ENOMEM ? EXIT_RUNTIME : EXIT_USAGE;
}

/* A machine without IPv6 is no reason not to serve IPv4. */
static bool is_missing_ipv6(const struct address *a, int error)
{
	return a->any.sa_family == AF_INET6 &&
	       (error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL) &&
	       (address_is_wildcard(a) || IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr));
}

static int listen_one(const struct address *a, struct worker *w)
{
	int udp = socket_listen_udp(a), tcp, r;

	if (udp < 0)
		return complain(a, "UDP", udp);
	tcp = socket_listen_tcp(a);
	if (tcp < 0) {
		socket_close(udp);
		return complain(a, "TCP", tcp);
	}
	r = worker_listen(w, udp, tcp, address_is_wildcard(a));
	return r < 0 ? complain(a, "UDP and TCP", r) : 0;
}

/* SO_REUSEPORT lets a second dotgate of the same user share a port unnoticed: two daemons
 * that each get half of the queries. So it is asked without first. Returns 0 or -errno.
 */
static int probe(const struct address *a, int type)
{
	const int one = 1;
	int fd = socket(a->any.sa_family, type | SOCK_CLOEXEC, 0), r = 0;

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (a->any.sa_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, &a->any, address_len(a)) < 0 ||
	    (type == SOCK_STREAM && listen(fd, 1) < 0))
		r = -errno;
	close(fd);
	return r;
}

int listen_all(const struct config *c, struct worker *const *workers,
	       unsigned worker_count)
{
	char text[ADDRESS_TEXT_MAX];
	unsigned missing = 0;

	for (unsigned i = 0; i < c->listen_count; i++) {
		const struct address *a = &c->listen[i];
		int udp = probe(a, SOCK_DGRAM),
		    tcp = udp < 0 ? udp : probe(a, SOCK_STREAM);

		if (tcp < 0 && is_missing_ipv6(a, tcp) && ++missing < c->listen_count) {
			log_line(LOG_WARNING, "not listening on %s: %s",
				 address_text(a, text), strerror(-tcp));
			continue;
		}
		if (tcp < 0)
			return complain(a, udp < 0 ? "UDP" : "TCP", tcp);
		for (unsigned n = 0; n < worker_count; n++) {
			int r = listen_one(a, workers[n]);

			if (r)
				return r;
		}
	}
	return 0;
}
