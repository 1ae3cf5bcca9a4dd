/* conn: one DNS-over-TLS connection to an upstream (RFC 7858), shared by many queries. */
#ifndef DOTGATE_UPSTREAM_CONN_H
#define DOTGATE_UPSTREAM_CONN_H

#include "base/buf.h"
#include "base/list.h"
#include "base/metric.h"
#include "dns/query.h"
#include "dns/response.h"
#include "net/loop.h"
#include "net/timer.h"
#include "net/tls.h"
#include "upstream/ask.h"
#include "upstream/dial.h"
#include "upstream/health.h"
#include "upstream/ids.h"

/*
 *               connected             authenticated           retired
 *   CONNECTING ------------> HANDSHAKING ------------> READY ------------> DRAINING
 *        |                        |                      |                     |
 *        +------------------------+-----------+----------+---------------------+
 *                                             v  conn_drop(), from every state
 *                                          CLOSED
 *
 * Only a READY connection takes queries: no octet of one exists in TLS, or in a buffer of
 * ours, before the peer has been authenticated. With 0rtt=on a HANDSHAKING one takes some, in its
 * first round, if it has a ticket of a peer that was: they go as early data, and again after the
 * handshake where that was refused. A DRAINING one still delivers answers.
 */
enum conn_state {
	CONN_CONNECTING,
	CONN_HANDSHAKING,
	CONN_READY,
	CONN_DRAINING,
	CONN_CLOSED
};

struct conn;

/* What a connection tells its owner. None of these may free the connection. */
struct conn_events {
	/* It has a ticket, and takes queries in this round as early data. */
	void (*early)(struct conn *c);
	/* Authenticated. */
	void (*ready)(struct conn *c);
	/* There are frames to be flushed at the end of this round. */
	void (*dirty)(struct conn *c);
	/* A response to S came, RTT_US after it was sent. S is given up if not IS_AWAITED.
	 * R has a question of length 0 if it is an error without one. Returns false when
	 * nobody waited for it any more. */
	bool (*answer)(struct conn *c, const struct sent *s, const struct response *r,
		       uint64_t rtt_us, bool is_awaited);
	/* It takes longer than DIAL_PATIENCE_US to become ready; told again if it becomes stuck. */
	void (*slow)(struct conn *c);
	/* S takes longer than nearly all others (health_late() where the context says that it
	 * hedges, else health_lost()). Told once of each; again a little later if this returns
	 * false. */
	bool (*late)(struct conn *c, struct sent *s);
	/* S has been out for health_overdue(). Told once of each; again a little later if this
	 * returns false. */
	bool (*overdue)(struct conn *c, struct sent *s);
	/* It has been silent for health_suspicion() with queries out: perhaps it is dead. */
	void (*doubt)(struct conn *c);
	/* It has been silent for health_patience() with queries out. */
	void (*silent)(struct conn *c);
	/* The upstream asks for it to be closed soon (RFC 7828 3.3.1). */
	void (*dismissed)(struct conn *c);
	/* Nothing is out. Returns when it is to be looked at again; the past: now it ends. */
	uint64_t (*idle)(struct conn *c);
	/* It was given its limit of queries, has answered them, and is still open. */
	void (*passed)(struct conn *c);
	/* It is CLOSED for this reason, and FAILED says whether that speaks against the
	 * upstream. Its queries are then reported lost. */
	void (*closed)(struct conn *c, enum reason why, bool failed, const char *detail);
	/* S (flight 0: a probe) will not be answered on this connection. */
	void (*lost)(struct conn *c, const struct sent *s, enum reason why);
};

/* What is the same for all connections to one upstream of one worker. */
struct conn_context {
	struct loop *loop;
	struct random *random;
	const struct hash_key *hash_key;
	const struct conn_events *events;
	void *owner;
	struct addresses *addresses;
	struct tls_peer *peer;
	struct health *health;
	struct upstream_metrics *metrics;
	bool hedges;	     /* `late` is told soon: another upstream may be asked */
	bool fast_open;	     /* TCP Fast Open is tried */
	bool early_data;     /* queries may be sent before the handshake (0rtt=on) */
	uint64_t timeout_us; /* a query is not awaited for longer */
};

struct conn {
	const struct conn_context *context;
	struct list node; /* in its owner's list */
	enum conn_state state;
	bool is_dirty;
	bool is_slow;	   /* `slow` was reported */
	bool is_stuck;	   /* its handshake is slow, and there are other addresses */
	bool is_suspect;   /* `doubt` was reported, and nothing has come since */
	bool is_silent;	   /* what is out on it is not counted on any more */
	bool is_careful;   /* one query per record: since `out` was last empty, see
			    health_is_careful() */
	bool wants_write;  /* the socket or TLS is waited for, to write on */
	bool failed_write; /* nothing more can be written; what is in the socket is still
			      read */
	struct dial dial;
	struct address address; /* that it is connected to */
	int fd;
	struct tls_conn *tls;
	loop_watch watch;
	struct timer timer; /* what comes next: slow, given up, silent, idle */
	struct timer more;  /* reading goes on in the next round */
	struct ids *ids;
	struct buf in, out;
	size_t
	    early_room; /* octets of `out` that may go as early data; 0: none any more */
	size_t
	    early_len; /* that went, and stay in `out` until it is known if they count */
	unsigned unsent;      /* queries in `out` since the last write */
	unsigned bad_answers; /* since the last good one */
	unsigned limit;	      /* queries that it is to be given; 0: any number */
	unsigned queries;     /* that it has been given */
	bool asked; /* a query was encoded (the first carries the keepalive option) */
	uint64_t answers;
	uint64_t dialled_us, connected_us;
	uint64_t heard_us; /* the silence began */
	uint64_t idle_since_us;
	uint64_t idle_us;     /* the upstream's own value, if it gave one (RFC 7828) */
	uint64_t answered_us; /* the latest query that was answered had been sent then */
	uint64_t late_again_us; /* not before then is the next looked at for being late */
	uint64_t overdue_again_us; /* nor for being overdue */
	uint64_t linger_us;	   /* DRAINING: it is watched until then */
};

/* A connection, CONNECTING, not dialled yet. NULL: out of memory. */
struct conn *conn_new(const struct conn_context *k);

/* Starts the attempt; the connection may be CLOSED when this returns. */
void conn_dial(struct conn *c);

/* Ends what is left of it and frees it; reports nothing. */
void conn_free(struct conn *c);

/* True if it takes one more query. */
bool conn_has_room(const struct conn *c);

/* True if it is CONNECTING or HANDSHAKING. */
static inline bool conn_is_dialling(const struct conn *c)
{
	return c->state < CONN_READY;
}

/* True if it was given as many queries as it may be, or has lost the answers to very many. */
bool conn_is_used_up(const struct conn *c);

/* True if C takes one more query and is not suspected of being dead. */
bool conn_is_good(const struct conn *c);

/* True if Q may be sent on it now: who has copied early data can have it asked again, which does no
 * harm for types of data (RFC 6895 3.1), and is not tried with others. */
bool conn_takes(const struct conn *c, const struct query *q);

/* Queues the query of A. Returns what was queued, good until the next call of this room; NULL: C
 * does not take it, or memory is short. */
struct sent *conn_send(struct conn *c, const struct ask *a);

/* Writes what is queued, in one TLS record where it fits. Call at the end of a round. */
void conn_flush(struct conn *c);

/* No more queries; closed when what is out has been answered or given up, and LINGER_US more
 * have passed. */
void conn_retire(struct conn *c, uint64_t linger_us);

/* True if the kernel would now take another way to the upstream than this connection does. */
bool conn_path_changed(const struct conn *c);

/* Has `idle` asked again in the next round, if nothing is out. */
void conn_look_soon(struct conn *c);

/* True if what it leaves unanswered looks like the fault of health_is_careful(): it has
 * answered a part of what was written last, and says nothing of the rest. */
bool conn_looks_forgetful(const struct conn *c);

/* The one end, right from every state: CLOSED, the owner told, its queries lost. */
void conn_drop(struct conn *c, enum reason why, const char *detail);

/* What an answer is matched by besides its id: name without case, type, class. */
uint64_t conn_question_hash(const struct hash_key *key, const struct question *q);

/* What -ERRNO of a dial, or of a socket in the clear, says. */
enum reason conn_dial_reason(int error);

/* The word of a state, for logs. */
const char *conn_state_word(enum conn_state s);

#endif
