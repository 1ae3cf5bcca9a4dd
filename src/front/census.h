/* census: how many connections each address has, so that none takes them all. */
#ifndef DOTGATE_FRONT_CENSUS_H
#define DOTGATE_FRONT_CENSUS_H

#include "base/address.h"

struct census;

/* For at most MAX connections at a time. NULL: out of memory. */
struct census *census_new(unsigned max);
void census_free(struct census *c);

/*
 * Counts one more for A; *PLACE is where, for census_leave(). One host is counted by its
 * IPv4 address, or by the /64 of its IPv6 address, all of which it can have; on a link,
 * where all hosts share fe80::/64, by the whole address. Returns 0, or -EUSERS when A has
 * CAP already (or all MAX places are taken).
 */
int census_enter(struct census *c, const struct address *a, unsigned cap,
		 uint32_t *place);

/* Counts one less where census_enter() counted one more. */
void census_leave(struct census *c, uint32_t place);

#endif
