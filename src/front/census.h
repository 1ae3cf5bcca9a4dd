/* census: which connections each address has, and which address has the most. */
#ifndef DOTGATE_FRONT_CENSUS_H
#define DOTGATE_FRONT_CENSUS_H

#include <stdint.h>

#include "base/host.h"
#include "base/list.h"

struct census;

/* One address, while it has connections. The lists are the owner's: of its connections, those
 * that wait for nothing and the others, in an order of its own. */
struct holder {
	unsigned count;
	struct list quiet, busy;
};

/* For at most MAX connections at a time. NULL: out of memory. */
struct census *census_new(unsigned max);
void census_free(struct census *c);

/*
 * Counts one more for the host of A (base/host.h); *PLACE is where, for the functions below. Returns 0,
 * or -EUSERS when all MAX places are taken.
 */
int census_enter(struct census *c, const struct address *a, uint32_t *place);

/* Counts one less where census_enter() counted one more. The lists must be empty when it is the
 * last. */
void census_leave(struct census *c, uint32_t place);

struct host census_host(const struct census *c, uint32_t place);
struct holder *census_holder(struct census *c, uint32_t place);

/* The address that has the most connections, of several any; NULL: there is none. */
struct holder *census_heaviest(struct census *c);

#endif
