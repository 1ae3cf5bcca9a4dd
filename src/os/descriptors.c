/* descriptors: RLIMIT_NOFILE. */
#include "os/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

/* stdin, stdout, stderr, the HTTP listener and its clients, a spare */
#define RESERVE_PROCESS 16
/* epoll, eventfd, a spare one for accept(), and some slack */
#define RESERVE_WORKER 6
/* Connections to one upstream, with a second that is being made. More are opened only
 * while there are descriptors. */
#define RESERVE_UPSTREAM 2

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

void descriptors_fit(struct config *c, unsigned workers)
{
	unsigned long limit = raise_limit();
	unsigned long reserve =
	    RESERVE_PROCESS + (unsigned long)workers *
				  (RESERVE_WORKER + 2ul * c->listen_count +
				   RESERVE_UPSTREAM * (unsigned long)c->upstream_count);
	unsigned long room =
	    limit > reserve + CLIENTS_MIN ? limit - reserve : CLIENTS_MIN;

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
