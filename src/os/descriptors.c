/* descriptors: RLIMIT_NOFILE. */
#include "os/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

/* stdin, stdout, stderr; the control socket, its clients, what it waits with; two look-ups of
 * upstreams by name, what they wait with; certificates, cache and addresses while they are read
 * or written; some slack */
#define RESERVE_PROCESS 24
/* epoll, timer, control, network changes, a spare one for accept(), and some slack */
#define RESERVE_WORKER 7
/* The listener, and what its thread waits with. */
#define RESERVE_HTTP 4

/* HTTP connections: as many as are allowed, and one for a probe. */
#define HTTP_CLIENTS 32
#define HTTP_CLIENTS_LEAST 2

/* TCP clients that are served at any rate. */
#define CLIENTS_MIN 4

static unsigned long raise_limit(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0)
		return 1024;
	if (l.rlim_cur < l.rlim_max) {
		struct rlimit higher = {.rlim_cur = l.rlim_max, .rlim_max = l.rlim_max};

		if (setrlimit(RLIMIT_NOFILE, &higher) == 0)
			l = higher;
	}
	return l.rlim_cur;
}

static unsigned long less(unsigned long a, unsigned long b)
{
	return a > b ? a - b : 0;
}

static unsigned long smaller(unsigned long a, unsigned long b)
{
	return a < b ? a : b;
}

/* What is always open. */
static unsigned long fixed(const struct descriptor_users *u)
{
	return RESERVE_PROCESS + (u->http ? RESERVE_HTTP : 0ul) +
	       (unsigned long)u->workers * (RESERVE_WORKER + 2ul * u->listeners);
}

/* What others may need: TLS and PLAIN for each upstream and worker, HTTP in all. */
static unsigned long others(const struct descriptor_users *u, unsigned long tls,
			    unsigned long plain, unsigned long http)
{
	return (u->http ? http : 0ul) + u->workers * (tls * u->tls + plain * u->plain);
}

unsigned long descriptors_for_clients(unsigned long limit,
				      const struct descriptor_users *u)
{
	unsigned long rest = less(limit, fixed(u));
	unsigned long most = others(u, DESCRIPTORS_TLS, DESCRIPTORS_PLAIN, HTTP_CLIENTS);
	unsigned long least =
	    others(u, DESCRIPTORS_TLS_LEAST, DESCRIPTORS_PLAIN_LEAST, HTTP_CLIENTS_LEAST);
	unsigned long room = less(rest, most);

	if (room < rest / 2)
		room = smaller(rest / 2, less(rest, least));
	return room > CLIENTS_MIN ? room : CLIENTS_MIN;
}

void descriptors_fit(struct config *c, const struct descriptor_users *u)
{
	unsigned long limit = raise_limit(), room = descriptors_for_clients(limit, u);

	if (c->tcp_clients <= room)
		return;
	log_line(LOG_WARNING,
		 "only %lu descriptors: TCP clients are limited to %lu, not %u; raise "
		 "ulimit -n "
		 "(LimitNOFILE)",
		 limit, room, c->tcp_clients);
	c->tcp_clients = (unsigned)room;
	if (c->tcp_clients_per_address > c->tcp_clients)
		c->tcp_clients_per_address = c->tcp_clients;
}
