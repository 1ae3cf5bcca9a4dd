/* pool_state: what the parts of the pool share. Only src/upstream/pool*.c include it. */
#ifndef DOTGATE_UPSTREAM_POOL_STATE_H
#define DOTGATE_UPSTREAM_POOL_STATE_H

#include "upstream/group.h"
#include "upstream/pool.h"
#include "upstream/reserve.h"

/* Copies that are sent because an answer is late: at most so many of a hundred queries, and so
 * many at once after a quiet time. */
#define HEDGE_PERCENT 3
#define HEDGE_BURST 10

/* Copies of what was most likely lost: at most so many of a hundred queries, beside the hedges. Enough
 * for a way that loses one answer in twenty, and too few to double what an upstream has to do. */
#define AGAIN_PERCENT 10
#define AGAIN_BURST 20

/* Copies earned by queries, and spent. In hundredths of one. */
struct credit {
	unsigned left;
};

/* Why late() was told. */
enum lateness {
	NOT_LATE,
	LATE_ANSWER,	/* it takes longer than nearly all */
	LATE_LOST,	/* it has been lost, or may as well have been */
	LATE_CONNECTION /* the connection may be dead */
};

struct pool {
	struct pool_options options;
	bool changed;
	struct timer retry;  /* when a back-off ends that somebody waits for */
	struct list closed;  /* connections to be freed at the end of the round */
	unsigned down_count; /* upstreams that are DOWN */
	struct credit hedges, again;
	/* within late(): */
	enum lateness lateness;
	struct upstream *late;	/* which was sent the query that it is told of */
	struct conn *late_conn; /* on this; NULL: in the clear */
	unsigned dirty_count;
	struct conn *dirty[UPSTREAMS_MAX * UPSTREAM_CONNS_MAX];
	struct upstream upstreams[UPSTREAMS_MAX];
	struct group *groups;
};

static inline struct pool *pool_of(const struct conn *c)
{
	return upstream_of(c)->owner;
}

static inline uint64_t pool_now(const struct pool *p)
{
	return loop_now(p->options.loop);
}

/* What connections, and queries in the clear, tell the pool. */
extern const struct conn_events pool_conn_events;
extern const struct plain_events pool_plain_events;

/* Sends the query of A to U, in the clear. Returns true if it was sent; U is DOWN if the network has
 * refused it. */
bool pool_send_plain(struct upstream *u, const struct ask *a);

/* C, which has queries out, may be dead. */
void pool_doubt(struct conn *c);

/* A DOWN upstream is dialled again when its back-off is over, and asked where there is a connection,
 * whether or not a client asks:
 * so its return is known, and who does not get queries while it is not ready gets ready. */
void pool_watch_down(struct pool *p);

/* Dials those whose back-off is over; ARG is the pool. */
void pool_retry_due(void *arg);

#endif
