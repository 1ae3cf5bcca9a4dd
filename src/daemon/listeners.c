/* listeners: binds every configured address for every worker. */
#include "daemon/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/version.h"
#include "net/socket.h"
#include "os/port_holder.h"

#define EXIT_RUNTIME 1
#define EXIT_USAGE 2

/* A port may be in use for the moment in which another dotgate tries whether it is free: so often
 * it is tried again, after so long. */
#define TRIES 5
#define TRY_AGAIN_MS 20

/* A text that says why an address cannot be had. */
#define WHY_MAX 512

static const char *protocol_of(int type)
{
	return type == SOCK_DGRAM ? "UDP" : "TCP";
}

/* Who has the port, and what to do. */
static void put_holder(char *out, size_t size, const struct address *a, int type)
{
	struct port_holder holder;

	if (port_holder_find(a, type, &holder) == PORT_HELD_BY)
		snprintf(out, size,
			 "another program, %s (process %d), has this port: stop it, or "
			 "listen on another one",
			 holder.name, holder.pid);
	else
		snprintf(out, size,
			 "another program has this port: find it with 'ss -lnptu', or "
			 "listen on another one");
}

static const char *remedy(int error)
{
	switch (-error) {
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

/* Writes why WHAT ("listen on", ...) failed for A. */
static void explain(char out[WHY_MAX], const char *what, const struct address *a,
		    int type, int error)
{
	char text[ADDRESS_TEXT_MAX];
	int n = snprintf(out, WHY_MAX, "cannot %s %s (%s): %s: ", what,
			 address_text(a, text), protocol_of(type), strerror(-error));

	if (error == -EADDRINUSE)
		put_holder(out + n, WHY_MAX - (size_t)n, a, type);
	else
		snprintf(out + n, WHY_MAX - (size_t)n, "%s", remedy(error));
}

static int complain(const struct address *a, int type, int error)
{
	char why[WHY_MAX];

	explain(why, "listen on", a, type, error);
	fprintf(stderr, "%s: %s\n", DOTGATE_NAME, why);
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
		return complain(a, SOCK_DGRAM, udp);
	tcp = socket_listen_tcp(a);
	if (tcp < 0) {
		socket_close(udp);
		return complain(a, SOCK_STREAM, tcp);
	}
	r = worker_listen(w, udp, tcp, address_is_wildcard(a));
	return r < 0 ? complain(a, SOCK_DGRAM, r) : 0;
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

static int probe_again(const struct address *a, int type)
{
	const struct timespec pause = {.tv_nsec = TRY_AGAIN_MS * 1000000};
	int r = probe(a, type);

	for (int i = 1; i < TRIES && r == -EADDRINUSE; i++) {
		nanosleep(&pause, NULL);
		r = probe(a, type);
	}
	return r;
}

/* Returns 0, or -errno and in TYPE which of the two failed. */
static int probe_both(const struct address *a, int *type)
{
	int r = probe_again(a, *type = SOCK_DGRAM);

	return r < 0 ? r : probe_again(a, *type = SOCK_STREAM);
}

/* Says that A is left out, if the machine lacks IPv6 and the others suffice. */
static bool is_left_out(const struct address *a, int error, bool others,
			void (*warning)(const char *text))
{
	char text[ADDRESS_TEXT_MAX], line[WHY_MAX];

	if (!others || !is_missing_ipv6(a, error))
		return false;
	snprintf(line, sizeof line, "not listening on %s: %s", address_text(a, text),
		 strerror(-error));
	warning(line);
	return true;
}

static void log_warning(const char *text)
{
	log_line(LOG_WARNING, "%s", text);
}

static void leave_out(struct config *c, unsigned i)
{
	c->listen_count--;
	memmove(&c->listen[i], &c->listen[i + 1],
		(c->listen_count - i) * sizeof c->listen[0]);
}

/* For each worker. */
static int bind_all(const struct address *a, struct worker *const *workers,
		    unsigned worker_count)
{
	int r = 0;

	for (unsigned n = 0; n < worker_count && r == 0; n++)
		r = listen_one(a, workers[n]);
	return r;
}

int listeners_bind(struct config *c, struct worker *const *workers, unsigned worker_count)
{
	unsigned i = 0;
	int type, r;

	while (i < c->listen_count) {
		const struct address *a = &c->listen[i];

		r = probe_both(a, &type);
		if (r < 0 && is_left_out(a, r, c->listen_count > 1, log_warning)) {
			leave_out(c, i);
			continue;
		}
		r = r < 0 ? complain(a, type, r) : bind_all(a, workers, worker_count);
		if (r)
			return r;
		i++;
	}
	return 0;
}

/* ---- only to try ---- */

static bool is_of_a_running_dotgate(const struct address *a, int type)
{
	struct port_holder holder;

	return port_holder_find(a, type, &holder) == PORT_HELD_BY &&
	       strcmp(holder.name, DOTGATE_NAME) == 0;
}

/* What probing A for WHAT gave. */
static bool judge(const char *what, const struct address *a, int type, int error,
		  const struct listeners_sayings *say)
{
	char why[WHY_MAX];

	if (error == 0 || (error == -EADDRINUSE && is_of_a_running_dotgate(a, type)))
		return true;
	explain(why, what, a, type, error);
	say->error(why);
	return false;
}

bool listeners_check(const struct config *c, const struct listeners_sayings *say)
{
	unsigned left = c->listen_count;
	bool good = true;
	int type, r;

	for (unsigned i = 0; i < c->listen_count; i++) {
		const struct address *a = &c->listen[i];

		r = probe_both(a, &type);
		if (r < 0 && is_left_out(a, r, left > 1, say->warning))
			left--;
		else
			good = judge("listen on", a, type, r, say) && good;
	}
	if (!c->http_set)
		return good;
	r = probe_again(&c->http, SOCK_STREAM);
	return judge("have http at", &c->http, SOCK_STREAM, r, say) && good;
}
