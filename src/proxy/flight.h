/* flight: the questions that are out, and the clients that wait for each. Bounded tables. */
#ifndef DOTGATE_PROXY_FLIGHT_H
#define DOTGATE_PROXY_FLIGHT_H

#include "base/hash.h"
#include "base/list.h"
#include "base/reason.h"
#include "dns/query.h"
#include "front/client.h"

/* Questions in flight per worker: 5 s of a dead upstream at 1,600 different ones a
 * second. */
#define FLIGHTS_MAX 8192

/* Clients waiting per worker: two for each question. */
#define WAITERS_MAX (2 * FLIGHTS_MAX)

/* Clients that one question can hold back: what is let go at once must not be a weapon
 * (DNSBomb). */
#define WAITERS_PER_FLIGHT 512

struct flights;

/* A client that waits, and all of its query that is needed to answer it. */
struct waiter {
	struct client client;
	uint16_t id, flags, limit;
	bool edns, do_bit, keepalive;
	uint8_t name_len;
	uint32_t next; /* number + 1; 0: the last */
	uint64_t asked_us;
	uint8_t name[NAME_MAX_LEN]; /* in the case it was asked */
};

/* A question that is out. Others name it by `id`, which never comes again. */
struct flight {
	uint64_t id;	      /* slot + 1, generation; 0: free */
	uint64_t key;	      /* hash of what queries must share to be joined */
	uint64_t question;    /* hash of the question alone, for the upstream */
	struct list age;      /* in order of the deadline */
	struct list waiting;  /* for an upstream; a list of its own when not */
	struct list overdue;  /* for the time at which a stale answer will do; as above */
	uint32_t chain;	      /* next with the same hash bucket, slot + 1 */
	uint32_t first, last; /* waiters, number + 1 */
	unsigned waiter_count;
	unsigned out;	   /* copies that can be counted on */
	unsigned silences; /* copies whose connection fell silent: they may still be
			      answered */
	unsigned copies;   /* sent so far */
	unsigned group;	   /* of the upstreams that are asked */
	uint64_t domain;   /* hash of the registrable domain; 0: not wanted */
	enum reason why;   /* what the last copy came to */
	bool has_stale;	   /* the cache has an answer that is no longer fresh */
	bool served_stale; /* waiters got it: those that come now need not wait */
	uint64_t began_us;
	uint16_t flags; /* RD, CD */
	uint16_t type, class;
	bool do_bit;
	uint8_t name_len;
	uint8_t name[NAME_MAX_LEN]; /* in the case it was asked first */
};

struct flights *flights_new(void);
void flights_free(struct flights *t);

/* What makes two queries one: name without case, type, class, and the bits DO, CD, RD. */
uint64_t flights_key(const struct query *q, uint64_t question);

/* The flight that asks the same as Q, or NULL. */
struct flight *flights_find(struct flights *t, const struct query *q, uint64_t key);

/* A new flight without waiters; NULL at FLIGHTS_MAX. */
struct flight *flights_begin(struct flights *t, const struct query *q, uint64_t key,
			     uint64_t question, uint64_t now_us);

/* Adds C, which asked Q, to F's waiters. Returns 0, or -ENOSPC at either cap. */
int flights_wait(struct flights *t, struct flight *f, const struct client *c,
		 const struct query *q, uint64_t now_us);

/* By its id; NULL when it has ended. */
struct flight *flights_get(struct flights *t, uint64_t id);

/* The one with the earliest deadline, or NULL. */
struct flight *flights_oldest(struct flights *t);

/* F's waiters have been answered; F goes on without any. */
void flights_release(struct flights *t, struct flight *f);

/* Ends F: its waiters and its place are free again. */
void flights_end(struct flights *t, struct flight *f);

/* The waiters of F: the first, and the one after W; NULL at the end. */
const struct waiter *flights_first(const struct flights *t, const struct flight *f);
const struct waiter *flights_next(const struct flights *t, const struct waiter *w);

/* What F asks the upstreams; its name points into F. */
struct query flights_asked(const struct flight *f);

/* The query of W again, for a reply; its name points into W. */
struct query flights_query(const struct flight *f, const struct waiter *w);

unsigned flights_count(const struct flights *t);

/* Clients that wait, for all flights. */
unsigned flights_waiting(const struct flights *t);

#endif
