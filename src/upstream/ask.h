/* ask: what is asked of the upstreams, and by whom. */
#ifndef DOTGATE_UPSTREAM_ASK_H
#define DOTGATE_UPSTREAM_ASK_H

#include "dns/message.h"
#include "dns/query.h"

/* One question that is to be sent. It is only read during the call that it is passed to. */
struct ask {
	const struct query *query;
	uint64_t flight;   /* who waits for the answer; 0: nobody (a probe) */
	uint64_t question; /* pool_question_hash() */
	uint64_t domain;   /* for POLICY_SHARD: a hash of the registrable domain, the same
			      in each run */
	unsigned group;	   /* of the upstreams that serve the name */
	uint32_t
	    tried; /* upstreams (a bit each, by number) that answered with an error */
	uint32_t silent;   /* upstreams that left it unanswered: others first */
	bool is_copy;	   /* another copy of it may still be answered */
	bool without_edns; /* an upstream has refused it for its OPT record */
	bool is_heavy;	   /* asked by a client that holds more than its share */
};

/* What an answer depends on besides the question: RD, CD and DO of the query. */
#define SENT_RD 1u
#define SENT_CD 2u
#define SENT_DO 4u

static inline uint8_t sent_bits(const struct query *q)
{
	return (uint8_t)((q->flags & DNS_RD ? SENT_RD : 0) |
			 (q->flags & DNS_CD ? SENT_CD : 0) |
			 (q->edns.do_bit ? SENT_DO : 0));
}

#endif
