/* capacity: how many queries an upstream may have unanswered, judged by what it answers. */
#ifndef DOTGATE_UPSTREAM_CAPACITY_H
#define DOTGATE_UPSTREAM_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Pure: time is an argument.
 *
 * An upstream that is asked more than it can answer keeps a queue. Once the queue is longer than
 * our clients wait, every answer comes too late and nobody is served, although the upstream works
 * as fast as ever. So what is in flight is bounded: the answers per second of the last 4 s, times
 * the delay that is still of use (3 s).
 *
 * This binds only when answers take long, all of them: a busy upstream that answers soon, or one
 * that leaves some names unanswered, is not full. One that has merely become slower answers as
 * many as it is asked, and the bound is above what is in flight to it. Where queries were held
 * back for a while the delay is brought down further, so that all is well soon after the rush.
 */

#define CAPACITY_SLOTS 8
#define CAPACITY_RECENT 16

struct capacity {
	uint64_t slot_us;  /* when the newest slot began; 0: no answer yet */
	uint64_t first_us; /* the first answer of those that are counted */
	uint64_t
	    usual_us;	  /* the shortest time of an answer while nothing was held back */
	uint64_t held_us; /* since then queries have been held back, with short pauses */
	uint64_t last_held_us; /* the last one was then; 0: never */
	uint64_t over_us;      /* when more was in flight than is allowed; 0: never */
	uint64_t recent[CAPACITY_RECENT]; /* times of the last answers; 0: none yet */
	unsigned next_recent, newest;
	struct capacity_slot {
		unsigned sent, answers;
		uint64_t shortest_us; /* time of an answer; 0: there was none */
	} slots[CAPACITY_SLOTS];
};

/* A query was sent. */
void capacity_sent(struct capacity *k, uint64_t now_us);

/* An answer came RTT_US after its query. */
void capacity_answered(struct capacity *k, uint64_t rtt_us, uint64_t now_us);

/* True if one more query may be sent beside IN_FLIGHT unanswered ones. For a query that others
 * take precedence of (a copy, or one of a client that holds more than its share), three quarters
 * of the bound count. */
bool capacity_allows(struct capacity *k, unsigned in_flight, bool gives_way,
		     uint64_t now_us);

/* A query that gives way to none was not sent since capacity_allows() said no. */
void capacity_held(struct capacity *k, uint64_t now_us);

#endif
