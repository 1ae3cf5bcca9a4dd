/* pool: one worker's upstreams: which connection takes a query, when to open and retire
 * one. */
#ifndef DOTGATE_UPSTREAM_POOL_H
#define DOTGATE_UPSTREAM_POOL_H

#include "base/hash.h"
#include "base/metric.h"
#include "base/policy.h"
#include "dns/query.h"
#include "dns/response.h"
#include "net/loop.h"
#include "net/tls.h"
#include "upstream/addresses.h"
#include "upstream/ask.h"
#include "upstream/ids.h"
#include "upstream/notes.h"

struct pool;

/* A response from an upstream. */
struct pool_answer {
	uint64_t flight;   /* of the query; 0: a probe */
	unsigned upstream; /* its number */
	unsigned group;	   /* of the upstreams that serve the name */
	uint8_t bits;	   /* SENT_..., of the query */
	bool
	    is_copy; /* it is one of the copies that are counted on, or were until silent() */
	bool was_silent;		 /* silent() was told of it */
	const struct response *response; /* question of length 0: an error without one */
};

/* What came of a copy that was wanted. */
enum pool_copy {
	COPY_SENT,
	COPY_NEEDLESS,	/* the flight has ended, or has copies enough */
	COPY_IMPOSSIBLE /* just now */
};

/*
 * What the pool tells the proxy. Set once, at start. None of these may call pool_send(), but late()
 * pool_send_copy(): what is to be sent again is sent in change(). So a connection can end, or send,
 * or retire, without another doing so under its hands.
 */
struct pool_events {
	/* Returns false when nobody waits for it any more. */
	bool (*answer)(void *arg, const struct pool_answer *a);
	/* A connection ended: the copy of FLIGHT that it carried will not be answered.
	 * WAS_SILENT: silent() was told of that copy. */
	void (*lost)(void *arg, uint64_t flight, enum reason why, bool was_silent);
	/* The connection to UPSTREAM that carries FLIGHT has fallen silent. It is still listened to,
	 * but that copy is not to be counted on. */
	void (*silent)(void *arg, uint64_t flight, unsigned upstream);
	/* An upstream has refused FLIGHT's query for its OPT record (RFC 6891 7). */
	void (*refused_opt)(void *arg, uint64_t flight, bool was_silent);
	/* FLIGHT takes long: pool_send_copy(), called from here, would help. */
	enum pool_copy (*late)(void *arg, uint64_t flight);
	/* Something changed: what was told POOL_WAIT, and what was lost, should be sent
	 * (again). */
	void (*change)(void *arg);
};

/* One configured upstream. The strings and objects must outlive the pool. */
struct pool_upstream {
	const char *label;	     /* canonical spelling, for logs */
	struct addresses *addresses; /* shared by all workers */
	struct tls_peer *peer;	     /* NULL: it is asked in the clear */
	unsigned weight;	     /* from 1; for POLICY_WEIGHTED */
	struct notes *notes;	     /* shared by all workers */
	bool fast_open;		     /* TCP Fast Open is tried */
	bool early_data;	     /* queries may be sent before the handshake */
};

/* Upstreams that serve the same names, in order of preference. */
struct pool_group {
	unsigned count; /* from 1 */
	uint8_t upstream[UPSTREAMS_MAX];
};

/* A group for each route, and one for all other names. */
#define POOL_GROUPS_MAX 80

struct pool_options {
	struct loop *loop;
	struct random *random;
	const struct hash_key *hash_key;
	struct metrics *metrics;
	unsigned upstream_count; /* 1 to UPSTREAMS_MAX */
	struct pool_upstream upstreams[UPSTREAMS_MAX];
	unsigned
	    group_count; /* 1 to POOL_GROUPS_MAX; the first is that of all other names */
	const struct pool_group *groups; /* only read by pool_new() */
	enum policy policy;
	unsigned race; /* POLICY_RACE: upstreams asked at once */
	enum hedge hedge;
	uint64_t
	    idle_us; /* an upstream connection is closed when it was not used for so long */
	uint64_t
	    keep_warm_us; /* unless clients have been active for as long as this; 0: never */
	uint64_t timeout_us; /* no answer is awaited for longer */
	const struct pool_events *events;
	void *arg; /* of events */
};

int pool_new(struct pool **out, const struct pool_options *o);

/* Opens connections to the first upstreams, so that the first query finds one. */
void pool_warm(struct pool *p);

/* To be called every second or so: upstreams that have other addresses now are tried at once.
 * True if one has none yet: sooner then. */
bool pool_look_for_addresses(struct pool *p);

/* The network has changed, or (SLEPT) the machine was asleep: what failed is tried again at once,
 * and connections that may be dead by it are replaced. */
void pool_network_changed(struct pool *p, bool slept);

/* Closes all connections; reports nothing. */
void pool_free(struct pool *p);

enum pool_verdict {
	POOL_SENT, /* it leaves at the end of this round; answer() or lost() will tell */
	POOL_WAIT, /* a connection is being made, or will be soon: change() will tell */
	POOL_FAILED /* no upstream can be had in time: *why and *text say why, unless all that
		       could be had have been tried */
};

/*
 * Sends A on the best connections there are; *COPIES is how many that were. It is willing to wait
 * for an upstream that is backing off until UNTIL_US. *TEXT starts with the reason's word, and is
 * good until the next call.
 */
enum pool_verdict pool_send(struct pool *p, const struct ask *a, uint64_t until_us,
			    unsigned *copies, enum reason *why, const char **text);

/* From within late(): sends one more copy of A, where the first is not. Returns false if there is
 * no connection for it. */
bool pool_send_copy(struct pool *p, const struct ask *a);

/* Has change() called at the end of this round. */
void pool_change_soon(struct pool *p);

/* True if an upstream of the group may give an answer where those of TRIED (bits, by number) gave
 * errors. */
bool pool_has_untried(const struct pool *p, unsigned group, uint32_t tried);

/* The hash by which answers are matched, of a question's key (question_key()). */
uint64_t pool_question_hash(const struct pool *p, const uint8_t *key, size_t len);

/* False when every upstream of the group is DOWN. */
bool pool_is_usable(const struct pool *p, unsigned group);

/* Tells of changes, and writes what this round has queued: one record for each
 * connection. Call at the end of each round. */
void pool_flush(struct pool *p);

#endif
