/* forwarding: from the configuration to upstreams, their groups, and the routes to these. */
#ifndef DOTGATE_FORWARDING_FORWARDING_H
#define DOTGATE_FORWARDING_FORWARDING_H

#include "conf/config.h"
#include "proxy/route.h"
#include "upstream/pool.h"

/* All upstreams, once each, those of the default group first. Constant while workers run. */
struct forwarding {
	unsigned count;
	struct pool_upstream pool[UPSTREAMS_MAX];
	const struct upstream_conf *conf[UPSTREAMS_MAX]; /* where they were configured */
	const char *labels[UPSTREAMS_MAX];		 /* in log and metrics */
	bool unauthenticated[UPSTREAMS_MAX];
	struct notes notes[UPSTREAMS_MAX];
	struct addresses addresses[UPSTREAMS_MAX];
	struct tls_trust trust[UPSTREAMS_MAX];
	unsigned group_count;
	struct pool_group groups[POOL_GROUPS_MAX];
	struct routes routes;
};

#define FORWARDING_ERROR_MAX (UPSTREAM_TEXT_MAX + TLS_ERROR_MAX + 32)

/* Makes them of C, which must outlive them, and logs what is not safe. Returns 0, or with a text in
 * ERROR -EINVAL or -ENOMEM. */
int forwarding_make(struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX]);
void forwarding_free(struct forwarding *f);

/* True of a copy for time-grace, which shares the addresses of its original. */
bool forwarding_is_copy(const struct forwarding *f, unsigned i);
/* How many of them are asked in the clear. */
unsigned forwarding_plain(const struct forwarding *f);

#endif
