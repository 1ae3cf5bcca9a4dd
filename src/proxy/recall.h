/* recall: what the cache says of a query, and what it is told of answers. */
#ifndef DOTGATE_PROXY_RECALL_H
#define DOTGATE_PROXY_RECALL_H

#include "base/reason.h"
#include "cache/answer.h"
#include "cache/cache.h"
#include "dns/query.h"

/* Of one worker; the cache is shared. */
struct recall;

struct recall_options {
	struct cache *cache; /* NULL: nothing is remembered */
	struct answer_limits limits;
	uint32_t
	    serve_stale; /* seconds after its end that an answer is still of use; 0: none */
};

int recall_new(struct recall **out, const struct recall_options *o);
void recall_free(struct recall *m);

/* The question of a query in the form by which caches, flights and upstreams know it. */
struct asked {
	uint8_t key[QUESTION_KEY_MAX + 1]; /* question_key(), and behind it `bits` */
	size_t question_len;		   /* octets of the key without `bits` */
	uint64_t question;		   /* its keyed hash, without `bits` */
	uint8_t bits;			   /* DO, CD: they may change the answer */
	unsigned group;			   /* of the upstreams that serve the name */
};

/* The key of Q; `question`, a keyed hash of it, is left to the caller. */
void asked_make(struct asked *a, const struct query *q);

/* Seconds as the cache counts them, from microseconds of CLOCK_BOOTTIME: an offset leaves room
 * for what is older than the machine's start. */
static inline uint32_t recall_seconds(uint64_t us)
{
	return (uint32_t)(us / 1000000) + (1u << 30);
}

enum recalled {
	RECALL_NOTHING,
	RECALL_FRESH,
	RECALL_DUE,   /* fresh, and the caller is to renew it */
	RECALL_STALE, /* there is a stale answer, if no better one can be had in time */
	RECALL_STALE_NOW, /* there is, and it could not be renewed just now: R is it */
};

/* recall_find() will follow soon: what it touches first is fetched meanwhile. */
void recall_expect(const struct recall *m, const struct asked *a);

/* Looks Q up. R is set on FRESH, DUE and STALE_NOW; it is good until the next call of this room. */
enum recalled recall_find(struct recall *m, const struct asked *a,
			  const struct question *q, uint32_t now, struct response *r);

/* The stale answer, with WHY it is stale; false: there is none (any more). */
bool recall_stale(struct recall *m, const struct asked *a, const struct question *q,
		  uint32_t now, enum reason why, struct response *r);

/* Tells that a stale answer could not be renewed: for some seconds nobody is to try. */
void recall_tried(struct recall *m, const struct asked *a, uint32_t now);

/*
 * Keeps R, the upstream's answer to Q, as long as it may be kept; nothing that was asked
 * without RD, whose answer may be no answer. Returns R as a later client will see it (TTLs
 * within their limits), or R itself if it is too long to be kept.
 */
const struct response *recall_store(struct recall *m, const struct asked *a,
				    const struct query *q, const struct response *r,
				    uint32_t now, struct response *kept);

/* Keeps that no answer could be had: SERVFAIL, WHY, TEXT (RFC 9520). */
void recall_failure(struct recall *m, const struct asked *a, uint32_t now,
		    enum reason why, const char *text);

#endif
