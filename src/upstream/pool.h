/* pool: one worker's upstreams: which connection takes a query, when to open and retire
 * one. */
#ifndef DOTGATE_UPSTREAM_POOL_H
#define DOTGATE_UPSTREAM_POOL_H

#include <stdatomic.h>

#include "base/hash.h"
#include "base/metric.h"
#include "dns/query.h"
#include "dns/response.h"
#include "net/loop.h"
#include "net/tls.h"

struct pool;

/* What the pool tells the proxy. Set once, at start. */
struct pool_events {
	/* R answers FLIGHT. Returns false when nobody waits for that any more. */
	bool (*answer)(void *arg, uint64_t flight, const struct response *r);
	/* A connection ended: the copy of FLIGHT that it carried will not be answered. */
	void (*lost)(void *arg, uint64_t flight, enum reason why);
	/* The connection that carries FLIGHT has fallen silent. It is still listened to,
	 * but that copy is not to be counted on: lost() will not be told of it. */
	void (*silent)(void *arg, uint64_t flight);
	/* Something changed: what was told POOL_WAIT should be sent again. */
	void (*change)(void *arg);
};

/* One configured upstream. The strings and objects must outlive the pool. */
struct pool_upstream {
	const char *label; /* canonical spelling, for logs */
	const struct address *address;
	struct tls_peer *peer;
	/* The failure (enum reason) that the log knows of. Shared by all workers, so that
	 * each change is logged once. */
	atomic_int *logged;
};

struct pool_options {
	struct loop *loop;
	struct random *random;
	const struct hash_key *hash_key;
	struct metrics *metrics;
	unsigned upstream_count; /* 1 to UPSTREAMS_MAX, in order of preference */
	struct pool_upstream upstreams[UPSTREAMS_MAX];
	uint64_t
	    idle_us; /* an upstream connection without queries is closed after this */
	uint64_t timeout_us; /* no answer is awaited for longer */
	const struct pool_events *events;
	void *arg; /* of events */
};

int pool_new(struct pool **out, const struct pool_options *o);

/* Opens a connection to the first upstream, so that the first query finds one. */
void pool_warm(struct pool *p);

/* Closes all connections; reports nothing. */
void pool_free(struct pool *p);

enum pool_verdict {
	POOL_SENT,  /* it leaves at the end of this round; answer() or lost() will tell */
	POOL_WAIT,  /* a connection is being made, or will be soon: change() will tell */
	POOL_FAILED /* no upstream can be had in time: *why and *text say why */
};

/*
 * Sends Q for FLIGHT (not 0) on the best connection there is. It is willing to wait for
 * an upstream that is backing off until UNTIL_US. QUESTION is pool_question_hash(). *TEXT
 * starts with the reason's word, and is good until the next call.
 */
enum pool_verdict pool_send(struct pool *p, const struct query *q, uint64_t flight,
			    uint64_t question, uint64_t until_us, enum reason *why,
			    const char **text);

/* The hash by which answers are matched, of a question's key (question_key()). */
uint64_t pool_question_hash(const struct pool *p, const uint8_t *key, size_t len);

/* False when every upstream is DOWN. */
bool pool_is_usable(const struct pool *p);

/* Tells of changes, and writes what this round has queued: one record for each
 * connection. Call at the end of each round. */
void pool_flush(struct pool *p);

#endif
