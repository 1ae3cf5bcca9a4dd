/* flight: the questions that are out, and the clients that wait for each. Bounded tables. */
#ifndef DOTGATE_PROXY_FLIGHT_H
#define DOTGATE_PROXY_FLIGHT_H

#include "base/hash.h"
#include "base/list.h"
#include "base/reason.h"
#include "dns/query.h"
#include "front/client.h"
#include "proxy/share.h"

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
	uint32_t next;	 /* number + 1; 0: the last */
	uint32_t holder; /* whose share it is of (proxy/share.h) */
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
	struct list owned;  /* by its owner, in the order they began */
	uint32_t owner;	    /* the holder that began it; 0: nobody, it renews an answer */
	unsigned out;	    /* copies that can be counted on */
	unsigned silent;    /* copies whose connection fell silent: they may still be
			      answered */
	unsigned silences;  /* how often it happened to the last of those counted on */
	unsigned copies;    /* sent so far */
	uint32_t tried;	    /* upstreams (bits, by number) that answered with an error */
	uint32_t silent_at; /* upstreams whose connection fell silent under it */
	uint16_t error;	    /* the rcode of the last; 0: none did */
	int error_ede;	    /* the EDE that came with it; -1: none */
	bool is_heavy;	    /* its owner held more than its share when it began */
	bool without_edns;  /* an upstream has refused it for its OPT record */
	unsigned group;	    /* of the upstreams that are asked */
	uint64_t domain;    /* hash of the registrable domain; 0: not wanted */
	enum reason why;    /* what the last copy came to */
	bool has_stale;	    /* the cache has an answer that is no longer fresh */
	bool served_stale;  /* waiters got it: those that come now need not wait */
	uint64_t began_us;
	uint16_t flags; /* RD, CD */
	uint16_t type, class;
	bool do_bit;
	uint8_t name_len;
	uint8_t name[NAME_MAX_LEN]; /* in the case it was asked first */
};

/* SHARE_PERCENT of the places are one client's share. NULL: out of memory. */
struct flights *flights_new(unsigned share_percent);
void flights_free(struct flights *t);

/* What makes two queries one: name without case, type, class, and the bits DO, CD, RD. */
uint64_t flights_key(const struct query *q, uint64_t question);

/* The flight that asks the same as Q, or NULL. */
struct flight *flights_find(struct flights *t, const struct query *q, uint64_t key);

/* A new flight without waiters; NULL at FLIGHTS_MAX. */
struct flight *flights_begin(struct flights *t, const struct query *q, uint64_t key,
			     uint64_t question, uint64_t now_us);

/* Adds C, which is counted as HOST and asked Q, to F's waiters; F is its flight if nobody owns it and
 * nobody waits for it yet. Returns 0, or -ENOSPC at either cap. */
int flights_wait(struct flights *t, struct flight *f, const struct client *c,
		 const struct host *host, const struct query *q, uint64_t now_us);

/* True if places are scarce: three quarters or more are taken. */
bool flights_are_scarce(const struct flights *t);

/* True if HOST may not have one more place: they are scarce, and it holds its share. */
bool flights_share_is_used(struct flights *t, const struct host *host);

/* True if HOST has more than its share of what is in flight just now, be it scarce or not. */
bool flights_is_heavy(struct flights *t, const struct host *host);

/* The client that has most of the flights, and how many percent of them; 0: nobody has any. */
unsigned flights_heaviest(const struct flights *t, struct host *host);

/* The flight that gives way to one of HOST: the newest one of the client that has most, if that
 * has at least two more than HOST, and nobody else waits for it. NULL: none gives way. */
struct flight *flights_give_way(struct flights *t, const struct host *host);

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
