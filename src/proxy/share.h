/* share: how many flights and places to wait each client's address holds. Bounded. */
#ifndef DOTGATE_PROXY_SHARE_H
#define DOTGATE_PROXY_SHARE_H

#include <stdbool.h>

#include "base/host.h"
#include "base/list.h"

/* One client (base/host.h) that holds something is called a holder. */
struct shares;

/* For at most MAX places to wait at a time, and FLIGHTS flights. NULL: out of memory. */
struct shares *shares_new(unsigned max, unsigned flights);
void shares_free(struct shares *s);

/* H holds one more place to wait. Returns the holder's number, for the calls below; 0: all MAX are
 * taken. */
uint32_t shares_enter(struct shares *s, const struct host *h);

/* HOLDER holds one place less. Its number is not to be used any more when it holds nothing. */
void shares_leave(struct shares *s, uint32_t holder);

/* HOLDER, which has entered, has begun a flight, whose NODE is kept in the order of beginning until
 * shares_disown(). */
void shares_own(struct shares *s, uint32_t holder, struct list *node);
void shares_disown(struct shares *s, uint32_t holder, struct list *node);

/* What H holds now. */
struct holding {
	unsigned flights, places;
};
struct holding shares_of(struct shares *s, const struct host *h);

/* The most flights that any holder has. */
unsigned shares_heaviest(const struct shares *s);

/* The list of the flights of that holder, the newest last; NULL: nobody has any. */
struct list *shares_heaviest_flights(struct shares *s);

/* That holder, or one of those; there must be one with a flight. */
struct host shares_heaviest_host(const struct shares *s);

#endif
