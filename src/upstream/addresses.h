/* addresses: where an upstream is to be found; written by one thread, read by all workers. */
#ifndef DOTGATE_UPSTREAM_ADDRESSES_H
#define DOTGATE_UPSTREAM_ADDRESSES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/address.h"

/* Of one upstream; more would not be tried within a query's time. */
#define ADDRESSES_MAX 8

struct addresses {
	pthread_mutex_t lock;
	atomic_uint version; /* grows with each change */
	unsigned count;	     /* 0: not known (yet) */
	struct address all[ADDRESSES_MAX];
	atomic_bool failed; /* said by addresses_all_failed() */
	int alarm;	    /* an eventfd of who looks them up; negative: nobody does */
};

void addresses_init(struct addresses *a);
void addresses_destroy(struct addresses *a);

/*
 * Sets them (COUNT up to ADDRESSES_MAX are taken), in the order in which they are to be tried: IPv6
 * and IPv4 by turns, IPv6 first, otherwise as given (RFC 8305 4). Returns true if that changes
 * anything but the order.
 */
bool addresses_set(struct addresses *a, const struct address *from, unsigned count);

/* A connection to ONE was authenticated: that address is tried first from now on. */
void addresses_prefer(struct addresses *a, const struct address *one);

/* ONE was connected to, but is not, or not soon, what it should be: that address is tried last from now
 * on. Returns true if another one is tried before it. */
bool addresses_distrust(struct addresses *a, const struct address *one);

/* The upstream can be had at none of them: who looks them up is told. */
void addresses_all_failed(struct addresses *a);

/* True if that was said since it was last asked here. */
bool addresses_have_failed(struct addresses *a);

/* When they have all failed the eventfd FD is raised; negative: none from now on. */
void addresses_watch(struct addresses *a, int fd);

unsigned addresses_count(struct addresses *a);

/* Copies them. Returns how many. */
unsigned addresses_get(struct addresses *a, struct address out[ADDRESSES_MAX]);

#endif
