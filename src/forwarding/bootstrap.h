/* bootstrap: finds the addresses of upstreams that are written by name, or discovered. */
#ifndef DOTGATE_FORWARDING_BOOTSTRAP_H
#define DOTGATE_FORWARDING_BOOTSTRAP_H

#include "forwarding/certwatch.h"
#include "forwarding/forwarding.h"

/*
 * One thread, which asks the upstreams of the option bootstrap, or else those that are written with
 * an address. Addresses are asked for again when their TTL ends, or soon if the upstream can be had at
 * none of them; old ones are kept until there are new ones. It also discovers designated resolvers
 * (RFC 9462): the one question that goes to the plain resolver's address in the clear is
 * _dns.resolver.arpa.
 */
struct bootstrap;

/* Sets *OUT to NULL if there is nothing to find. F must live until bootstrap_end(). Returns 0; or
 * -EINVAL with a text in ERROR: nobody can be asked; or -errno. */
int bootstrap_begin(struct bootstrap **out, struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX]);
void bootstrap_end(struct bootstrap *b);

/* Adds the bootstraps to W, which must end before B. NULL is right. */
void bootstrap_watch_certs(struct bootstrap *b, struct certwatch *w);

/* Whether bootstrap_begin() would find somebody to ask. Returns 0 or -EINVAL, with a text in ERROR. */
int bootstrap_check(struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX]);

#endif
