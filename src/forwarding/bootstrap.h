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
struct names;

/* Sets *OUT to NULL if there is nothing to find. U must live until names_end(). Returns 0; or
 * -EINVAL with a text in ERROR: nobody can be asked; or -errno. */
int names_begin(struct names **out, struct upstreams *u, const struct config *c,
		char error[UPSTREAMS_ERROR_MAX]);
void names_end(struct names *n);

/* Adds the bootstraps to R, which must end before N. NULL is right. */
void names_reload(struct names *n, struct reload *r);

/* Whether names_begin() would find somebody to ask. Returns 0 or -EINVAL, with a text in ERROR. */
int names_check(struct upstreams *u, const struct config *c,
		char error[UPSTREAMS_ERROR_MAX]);

#endif
