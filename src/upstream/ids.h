/* ids: the queries that are out on one connection, by message id and in the order sent. */
#ifndef DOTGATE_UPSTREAM_IDS_H
#define DOTGATE_UPSTREAM_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/random.h"

/* Ids of one connection that can be taken at once: a sixteenth of all there are, so that
 * a random one is nearly always free and a guess nearly always wrong. */
#define IDS_MAX 4096

struct ids;

/* One query on the wire. */
struct sent {
	uint64_t flight;   /* who waits for the answer; 0: nobody (a probe) */
	uint64_t question; /* hash of the question, which the answer must repeat */
	uint64_t sent_us;
	uint16_t id;
	uint8_t group; /* of the upstreams that serve the name */
	uint8_t bits;  /* SENT_...: what its answer depends on besides the question */
	bool with_opt; /* it carried an OPT record */
	bool is_copy;  /* another copy of its flight is out, too (ids_note_copy()) */
	bool is_hedge; /* sent because another upstream took long */
	bool is_told;  /* its owner knows that it takes long, and has sent another copy */
	bool is_silent; /* its owner does not count on it any more */
};

/*
 * Places in the order of what is awaited. Each is at the first query that was not passed yet; it
 * moves on when that one is passed (ids_pass()) or awaited no more, so that a look at the next
 * one never walks over those before it.
 */
enum ids_mark {
	MARK_LATE,    /* not yet looked at for being late */
	MARK_MISSING, /* nor for being missing */
	MARK_OVERDUE, /* nor for being overdue */
	MARK_FRESH,   /* not sent before one that has been answered */
	MARKS
};

/* Returns NULL when memory is short. */
struct ids *ids_new(void);
void ids_free(struct ids *t);

/* Takes a random id that is not taken. Returns the id, or -ENOSPC at IDS_MAX. */
int ids_take(struct ids *t, struct random *r, uint64_t flight, uint64_t question,
	     uint64_t now_us);

/* The query with this id, awaited or not; NULL: the id is not taken. */
struct sent *ids_find(struct ids *t, uint16_t id);

/* Gives the id of S back. */
void ids_release(struct ids *t, struct sent *s);

/* The longest awaited query; NULL: none is awaited. */
struct sent *ids_oldest(struct ids *t);

/* The awaited one that was sent after S; NULL: S was the last. */
struct sent *ids_next(struct ids *t, const struct sent *s);

/* The query at mark M; NULL: all have been passed. */
struct sent *ids_marked(struct ids *t, enum ids_mark m);

/* Moves M on to the next. There must be one at it. */
void ids_pass(struct ids *t, enum ids_mark m);

/* S is no longer awaited; its id stays taken, since its answer may still come and must
 * not be taken for another's. */
void ids_abandon(struct ids *t, struct sent *s);

/* True while S is awaited. */
bool ids_awaited(const struct sent *s);

/* S, which is awaited, is a second copy: it is not among those of ids_sole_count(). */
void ids_note_copy(struct ids *t, struct sent *s);

unsigned ids_awaited_count(const struct ids *t);
unsigned ids_sole_count(const struct ids *t);  /* awaited, and no copies */
unsigned ids_taken_count(const struct ids *t); /* awaited or abandoned */

#endif
