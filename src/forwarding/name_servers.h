/* name_servers: who is asked for the addresses of upstreams. */
#ifndef DOTGATE_FORWARDING_NAME_SERVERS_H
#define DOTGATE_FORWARDING_NAME_SERVERS_H

#include "forwarding/forwarding.h"
#include "forwarding/stub.h"

#define NAME_SERVERS_MAX (BOOTSTRAP_MAX + UPSTREAMS_MAX)

/* Zero-filled, there are none. */
struct name_servers {
	unsigned count;
	struct stub_server all[NAME_SERVERS_MAX];
	int upstreams_of[NAME_SERVERS_MAX]; /* negative: it is a bootstrap */
	struct tls_peer *peers[BOOTSTRAP_MAX];
	struct tls_trust trust[BOOTSTRAP_MAX];
};

/* The bootstraps of C, or if it has none those upstreams of F that have an address and are not asked
 * in the clear. Returns 0 or -EINVAL with a text in ERROR; right before name_servers_free() anyway. */
int name_servers_make(struct name_servers *s, const struct forwarding *f,
		      const struct config *c, char error[FORWARDING_ERROR_MAX]);
void name_servers_free(struct name_servers *s);

/* Who is asked for NAME (wire format, LEN octets): its numbers, and returns how many. A name that is on
 * a route is asked there, if there is somebody to ask; others, and else, everybody may be. */
unsigned name_servers_choose(const struct name_servers *s, const struct forwarding *f,
			     const uint8_t *name, size_t len,
			     uint8_t out[NAME_SERVERS_MAX]);

#endif
