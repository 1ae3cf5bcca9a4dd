/* plain: queries in the clear, over UDP and where need be TCP, to an upstream that is written as
 * plain://. */
#ifndef DOTGATE_UPSTREAM_PLAIN_H
#define DOTGATE_UPSTREAM_PLAIN_H

#include "base/hash.h"
#include "base/metric.h"
#include "dns/query.h"
#include "dns/response.h"
#include "net/loop.h"
#include "upstream/addresses.h"
#include "upstream/ask.h"
#include "upstream/health.h"

/*
 * Each query has a UDP socket of its own, of a random port, and a random id: what comes must match
 * both and the question (RFC 5452). It is sent again after 1 s and 2 s more, to the upstream's next
 * address if it has several. A truncated answer has it asked again over TCP, on a connection of its
 * own.
 */
struct plain;

/* Queries under way to one upstream of one worker: as many sockets. */
#define PLAIN_QUERIES_MAX 256

/* A query under way. */
struct plain_query {
	uint64_t flight; /* 0: a probe */
	uint64_t question, sent_us;
	uint8_t group, bits; /* as in struct sent */
	bool with_opt;
	bool is_silent; /* silent() returned true for it */
};

struct plain_events {
	/* R answers Q; its question has length 0 if it is an error without one. Returns false when
	 * nobody waits for it any more. */
	bool (*answer)(void *arg, const struct plain_query *q, const struct response *r,
		       uint64_t rtt_us);
	/* There will be no answer to Q: REASON_QUERY_TIMEOUT, or what the network said. */
	void (*lost)(void *arg, const struct plain_query *q, enum reason why,
		     const char *detail);
	/* Q is unanswered after health_suspicion(). */
	void (*doubt)(void *arg, const struct plain_query *q);
	/* Q is unanswered after health_patience(). Returns true if it is not counted on any
	 * more; its answer is still listened for. */
	bool (*silent)(void *arg, const struct plain_query *q);
};

struct plain_options {
	struct loop *loop;
	struct random *random;
	const struct hash_key *hash_key;
	struct addresses *addresses;
	struct upstream_metrics *metrics;
	const struct health *health;
	uint64_t timeout_us; /* no answer is awaited for longer */
	const struct plain_events *events;
	void *arg; /* of events */
};

int plain_new(struct plain **out, const struct plain_options *o);

/* Ends what is under way; reports nothing. */
void plain_free(struct plain *p);

/* Sends the query of A. Returns 0, -ENOSPC (PLAIN_QUERIES_MAX) or -errno of the network; events come
 * later. */
int plain_send(struct plain *p, const struct ask *a);

/* True if a probe is under way that may still be answered. */
bool plain_is_probing(const struct plain *p);

/* True if one more query can be sent. */
bool plain_has_room(const struct plain *p);

/* True if two different questions that were sent since SINCE_US are out: what leaves both
 * unanswered is not the name. */
bool plain_is_mute(const struct plain *p, uint64_t since_us);

unsigned plain_inflight(const struct plain *p);

#endif
