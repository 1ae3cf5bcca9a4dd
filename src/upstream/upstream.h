/* upstream: one upstream of one worker: its connections, its health, its line in the log. */
#ifndef DOTGATE_UPSTREAM_UPSTREAM_H
#define DOTGATE_UPSTREAM_UPSTREAM_H

#include <stdatomic.h>

#include "upstream/conn.h"
#include "upstream/habits.h"

/* Connections that take queries or will: the second is for when the first is full; more
 * would only divide the batches. */
#define UPSTREAM_ACTIVE_MAX 2
/* Silent ones that are still listened to. Each can hold a query for its whole time. */
#define UPSTREAM_DRAINING_MAX 4
#define UPSTREAM_CONNS_MAX (UPSTREAM_ACTIVE_MAX + UPSTREAM_DRAINING_MAX)

/* "word: label: detail: remedy", as EDE text and in logs. */
#define UPSTREAM_FAILURE_MAX 384

/* Owner, label, logged and context are set by the owner before upstream_init(). */
struct upstream {
	void *owner;
	const char *label; /* canonical spelling */
	atomic_int
	    *logged; /* the failure (enum reason) that the log knows of; all workers' */
	struct conn_context context;
	struct health health;
	struct habits habits;
	struct list conns;		    /* in the order they were opened */
	char failure[UPSTREAM_FAILURE_MAX]; /* the last one */
};

void upstream_init(struct upstream *u);

/* The upstream of a connection. */
static inline struct upstream *upstream_of(const struct conn *c)
{
	return c->context->owner;
}

/* The first connection that FITS; NULL: there is none. */
struct conn *upstream_find(struct upstream *u, bool (*fits)(const struct conn *c));

/* Sees to it that a connection is being made, if one may be. Returns it; NULL: none is.
 */
struct conn *upstream_open(struct upstream *u);

/* C takes no more queries; if too many such are kept, the oldest is dropped. */
void upstream_retire(struct upstream *u, struct conn *c);

/* A query was given to C. Retires C if it is to get no more, and sees to it that another is ready
 * if the upstream is known to hang up. */
void upstream_used(struct upstream *u, struct conn *c);

/* What has happened, for its health and the log. The first two return true if that ended
 * DOWN, the others if it was UP before. */
bool upstream_connected(struct upstream *u, const struct conn *c);
bool upstream_answered(struct upstream *u, uint64_t rtt_us);
bool upstream_failed(struct upstream *u, enum reason why, const char *detail);
bool upstream_silent(struct upstream *u);

#endif
