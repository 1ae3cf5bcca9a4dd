/* upstream: one upstream of one worker: its connections, its health, its line in the log. */
#ifndef DOTGATE_UPSTREAM_UPSTREAM_H
#define DOTGATE_UPSTREAM_UPSTREAM_H

#include "upstream/capacity.h"
#include "upstream/conn.h"
#include "upstream/habits.h"
#include "upstream/notes.h"
#include "upstream/plain.h"

/* Connections that take queries or will: the second is for when the first is full or silent; more
 * would only divide the batches. When all may be dead there is one more. */
#define UPSTREAM_ACTIVE_MAX 2
/* Where each takes few queries, down to one, as many as the rate of queries needs: 100 a second,
 * each on a connection of its own that takes 100 ms to be made, use ten, and chance twice that. Of
 * them half may be on their way. */
#define UPSTREAM_LIMITED_MAX 24
#define UPSTREAM_DIALS_MAX 12
/* Those that have had their queries, or are silent, and are still listened to. Each can hold a
 * query for its whole time. */
#define UPSTREAM_DRAINING_MAX 8
#define UPSTREAM_CONNS_MAX (UPSTREAM_LIMITED_MAX + 1 + UPSTREAM_DRAINING_MAX)

/* What the owner sets before upstream_init(). */
struct upstream_options {
	void *owner;
	unsigned number;   /* among the owner's */
	const char *label; /* canonical spelling */
	struct notes *notes;
	unsigned weight;   /* from 1 */
	uint64_t identity; /* the same in each run */
	uint64_t idle_us;  /* a connection is closed after this long without a query */
	/* One is kept ready for this long after the last query; 0: not. */
	uint64_t keep_warm_us;
	struct plain *plain; /* it is asked in the clear; NULL: over TLS */
	struct conn_context context;
};

struct upstream {
	/* fixed */
	void *owner;
	unsigned number;
	const char *label;
	struct notes *notes;
	unsigned weight;
	uint64_t identity, idle_us, keep_warm_us;
	bool early_data;
	struct plain *plain;	    /* owned */
	unsigned addresses_version; /* those that were seen last */
	struct conn_context context;
	/* what changes */
	struct health health;
	struct habits habits;
	struct capacity capacity;
	struct list conns;	/* in the order they were opened */
	uint64_t probed_us;	/* when it was last asked a neutral question */
	unsigned silences;	/* connections that fell silent since it was last heard */
	bool has_suspect;	/* a connection is suspect, or was just now */
	uint64_t used_us;	/* the last query, or the start */
	unsigned bad_addresses; /* on which handshakes failed since one did not */
	uint64_t no_early_until_us;
	uint64_t full_until_us; /* no spare is tried until then */
	uint64_t recent_us;	/* since then `recent` queries were sent */
	unsigned recent;
	unsigned recent_before; /* in the second before that */
	uint64_t opening_us;	/* smoothed time from dial to READY; 0: not known */
	unsigned soon_closes;	/* idle connections in a row that it closed too soon to be
				   kept warm */
	uint64_t heard_us;	/* the last answer, or the start */
	uint64_t warmed_us;	/* when a connection was last opened to be kept ready */
	struct timer warm;	/* when the next one may be */
	char failure[NOTES_FAILURE_MAX]; /* the last one */
};

void upstream_init(struct upstream *u, const struct upstream_options *o);

/* Frees its connections; reports nothing. */
void upstream_free(struct upstream *u);

/* The upstream of a connection. */
static inline struct upstream *upstream_of(const struct conn *c)
{
	return c->context->owner;
}

/* Connections in the states FROM to TO. */
unsigned upstream_count(const struct upstream *u, enum conn_state from,
			enum conn_state to);

/* The first connection that FITS; NULL: there is none. */
struct conn *upstream_find(struct upstream *u, bool (*fits)(const struct conn *c));

/* Calls FN for each connection that there is now, unless it is CLOSED when its turn comes. FN may
 * send, and end or retire any of them: CLOSED ones are freed at the end of the round only. */
void upstream_each(struct upstream *u, void (*fn)(struct conn *c));

/* Connections that take queries, but may be dead. */
unsigned upstream_suspects(const struct upstream *u);

/* True if a connection is being made. */
bool upstream_is_dialling(const struct upstream *u);

/* Queries that wait for an answer of U, on all its connections. Copies do not
 * count: they may be left over from what has been answered. */
unsigned upstream_inflight(const struct upstream *u);

/* True if U may be sent one more query. GIVES_WAY: others take precedence of it (a copy, or a query
 * of a client that holds more than its share). */
bool upstream_has_capacity(struct upstream *u, bool gives_way);

/* A query was refused for want of capacity. */
void upstream_held(struct upstream *u);

/* A probe with a neutral question, the root's name servers, which any resolver answers at once. */
struct ask upstream_neutral_ask(const struct upstream *u);

/* True if two different questions are out that U should have answered by now. One alone may be of a
 * name that nobody can answer. */
bool upstream_is_mute(const struct upstream *u);

/* Sees to it that a connection is being made, if one may be. Returns it; NULL: none is.
 */
struct conn *upstream_open(struct upstream *u);

/* C takes no more queries; if too many such are kept, the oldest of them is dropped. */
void upstream_retire(struct upstream *u, struct conn *c, uint64_t linger_us);

/* A good connection other than C; NULL: there is none. */
struct conn *upstream_spare(struct upstream *u, const struct conn *c);

/* True if there is one, or one will be there soon. */
bool upstream_has_other(struct upstream *u, const struct conn *c);

/* C failed for this reason. If that was its handshake, and there are addresses that were not tried
 * since one was good, the next is tried at once. Returns false otherwise: the upstream has failed. */
bool upstream_tries_other_address(struct upstream *u, const struct conn *c,
				  enum reason why, const char *detail);

/* What has happened, for its health and the log. The first two return true if that ended
 * DOWN, the others if it was UP before. */
bool upstream_connected(struct upstream *u, const struct conn *c);
bool upstream_answered(struct upstream *u, uint64_t rtt_us, bool is_error);
bool upstream_failed(struct upstream *u, enum reason why, const char *detail);
bool upstream_silent(struct upstream *u);

#endif
