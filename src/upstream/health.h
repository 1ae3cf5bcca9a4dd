/* health: whether an upstream is usable, when to try it again, and how patient to be. */
#ifndef DOTGATE_UPSTREAM_HEALTH_H
#define DOTGATE_UPSTREAM_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/random.h"
#include "base/reason.h"

/*
 * Pure: time and randomness are arguments.
 *
 *            answered, connected          failed, silent
 *   UP  <-----------------------  DOWN  <-----------------  UP
 *
 * UP: usable, as far as is known. DOWN: the last thing that happened was a failure. What
 * ends that is the success of what failed: a handshake where none could be had, else an
 * answer, since a server that shakes hands may still be mute. A DOWN upstream may be
 * dialled again when its back-off is over.
 */
struct health {
	bool down;
	enum reason reason; /* of the last failure */
	unsigned failures;  /* since the last answer */
	uint64_t down_us;   /* DOWN: since then */
	uint64_t retry_us;  /* DOWN: not before this time */
	uint64_t wanted_us; /* a query was for it while it was DOWN */
	uint64_t rtt_us; /* smoothed time from query to answer; 0: none yet (RFC 6298) */
	uint64_t rtt_var_us; /* its mean deviation */
	uint64_t p50_us,
	    p95_us;	  /* half of the answers, and 95 %, take no longer; 0: as above */
	unsigned answers; /* that these are made of, up to LATE_ANSWERS */
	uint64_t careful_us; /* one query per TLS record until this time */
	unsigned errors;     /* of the last answers those that were errors, in 1024ths */
	uint64_t opt_refused_us; /* when it last refused a query for its OPT record */
	uint64_t no_edns_us;	 /* it is asked without EDNS until this time */
};

/* An answer came RTT_US after its query. Returns true if the upstream was DOWN. */
bool health_answered(struct health *h, uint64_t rtt_us);

/* A handshake has succeeded. Returns true if that ended DOWN. */
bool health_connected(struct health *h);

/* A connection could not be made, or ended before it answered anything. Returns true if
 * the upstream was UP. */
bool health_failed(struct health *h, enum reason why, uint64_t now_us, struct random *r);

/* It has been silent with queries out: as a failure, but the first time another
 * connection may be tried at once. Returns true if the upstream was UP. */
bool health_silent(struct health *h, uint64_t now_us, struct random *r);

/*
 * True when the upstream has been silent of late. Some servers forget the queries that
 * share a TLS record with the one that they are answering, until more comes: what they
 * hold inside TLS does not show as readiness of their socket. So each query gets a record
 * of its own for a while.
 */
bool health_is_careful(const struct health *h, uint64_t now_us);

/* A query is for it though it is DOWN: it is tried again sooner. */
void health_wanted(struct health *h, uint64_t now_us);

/* True when a connection may be made now. */
bool health_may_dial(const struct health *h, uint64_t now_us);

/* Only what looks like that fault is to be taken for it. */
void health_be_careful(struct health *h, uint64_t now_us);

/* For how long a connection with queries out may say nothing before another is opened beside
 * it: about twice the round-trip time; health_patience() if that is not known. */
uint64_t health_suspicion(const struct health *h);

/* The same before the upstream is taken for DOWN. */
uint64_t health_patience(const struct health *h);

/* An answer was an error (rcode_is_error()), or was none. */
void health_judge(struct health *h, bool is_error);

/* True when more than half of its last answers were errors: others are preferred to it. */
bool health_is_erring(const struct health *h);

/* It has refused a query as one without EDNS would (RFC 6891 7): FORMERR or NOTIMP without an OPT
 * record. */
void health_refused_opt(struct health *h, uint64_t now_us);

/* It has answered a query that had no OPT record. If it has just refused one for its OPT, it is
 * asked without EDNS for some minutes. */
void health_took_no_opt(struct health *h, uint64_t now_us);

/* True while it is to be asked without EDNS. */
bool health_lacks_edns(const struct health *h, uint64_t now_us);

/* A time that does not come. */
#define HEALTH_NEVER (UINT64_MAX / 2)

/* An answer that takes longer is late: one in twenty does. HEALTH_NEVER: not known yet. */
uint64_t health_late(const struct health *h);

/* An answer that takes longer has most likely been lost: three times health_late(). */
uint64_t health_lost(const struct health *h);

/* After so long a query is sent once more in any case: a second, or health_lost() if that is longer. */
uint64_t health_overdue(const struct health *h);

/* The network has changed, or the machine has slept: what failed before may not fail now. */
void health_forget_backoff(struct health *h, uint64_t now_us);

#endif
