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

/*
 * Each query has a UDP socket of its own, of a random port, and a random id: what comes must match
 * both and the question (RFC 5452). It is sent again after 1 s and 2 s more. A truncated answer
 * has it asked again over TCP, on a connection of its own.
 */
struct plain;

/* Queries under way to one upstream of one worker: as many sockets. */
#define PLAIN_QUERIES_MAX 256

struct plain_events {
	/* R answers FLIGHT (0: a probe). Returns false when nobody waits for that any more. */
	bool (*answer)(void *arg, uint64_t flight, const struct response *r,
		       uint64_t rtt_us);
	/* There will be no answer for FLIGHT: REASON_QUERY_TIMEOUT, or what the network said. */
	void (*lost)(void *arg, uint64_t flight, enum reason why, const char *detail);
};

struct plain_options {
	struct loop *loop;
	struct random *random;
	const struct hash_key *hash_key;
	struct addresses *addresses; /* the first one is asked */
	struct upstream_metrics *metrics;
	uint64_t timeout_us; /* no answer is awaited for longer */
	const struct plain_events *events;
	void *arg; /* of events */
};

int plain_new(struct plain **out, const struct plain_options *o);

/* Ends what is under way; reports nothing. */
void plain_free(struct plain *p);

/* Sends Q for FLIGHT; QUESTION is conn_question_hash(). Returns 0, -ENOSPC (PLAIN_QUERIES_MAX) or
 * -errno of the network; events come later. */
int plain_send(struct plain *p, const struct query *q, uint64_t flight,
	       uint64_t question);

unsigned plain_inflight(const struct plain *p);

#endif
