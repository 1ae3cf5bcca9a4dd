/* capacity: a window of half seconds over the answers, and the bound that follows from it. */
#include "upstream/capacity.h"

/* Eight slots: the last 4 s. Long enough that a second or two without answers, while an upstream
 * becomes slower, leave the rate high enough. */
#define SLOT_US 500000

/* The rate of an upstream is not known before it has answered for so long. */
#define SPAN_MIN_US SLOT_US

/* Answers that all take less than this show no queue; nor do those of less than twice the usual. */
#define LONG_US 500000

/* A query that would wait longer than this may as well not be sent: its client gives up at 5 s,
 * and a copy elsewhere would come too late. */
#define HORIZON_US 3000000

/* Where queries have been held back for HELD_US, the queue is kept to this, or twice the usual
 * time of an answer. */
#define SHORT_HORIZON_US 600000
#define HELD_US 1000000
/* An upstream that stays slower is usual after some seconds: a sixteenth of the way each slot. */
#define USUAL_PART 16

/* An upstream falls behind when in so many slots, one after the other, more than a sixteenth of what it
 * was sent is not made up for by answers. */
#define BEHIND_SLOTS 6
#define BEHIND_PART 16

/* So many are always allowed: a burst after a quiet time must not be refused for want of answers
 * before it. */
#define FLOOR 64

static void clear(struct capacity *k, uint64_t now_us)
{
	for (unsigned i = 0; i < CAPACITY_SLOTS; i++)
		k->slots[i] = (struct capacity_slot){0};
	k->slot_us = now_us;
	k->first_us = 0;
}

static bool is_held(const struct capacity *k, uint64_t now_us)
{
	return k->last_held_us && now_us < k->last_held_us + HELD_US;
}

/* How long a query may wait. */
static uint64_t horizon(const struct capacity *k, uint64_t now_us)
{
	uint64_t h = 2 * k->usual_us;

	if (!is_held(k, now_us) || now_us < k->held_us + HELD_US)
		return HORIZON_US;
	if (h < SHORT_HORIZON_US)
		return SHORT_HORIZON_US;
	return h < HORIZON_US ? h : HORIZON_US;
}

/* For some seconds fewer queries were answered than were sent in each slot. While an upstream becomes
 * slower that is so for as long as its answers then take, and not longer. */
static bool falls_behind(const struct capacity *k)
{
	for (unsigned i = 1; i <= BEHIND_SLOTS; i++) {
		const struct capacity_slot *s =
		    &k->slots[(k->newest + CAPACITY_SLOTS - i) % CAPACITY_SLOTS];

		if (s->sent <= s->answers + s->answers / BEHIND_PART)
			return false;
	}
	return true;
}

/* What is usual follows what is seen, but for the queue of an upstream that is full. If answers take
 * long that were sent when no more was in flight than is allowed, there is no queue: the upstream
 * itself takes so long. */
static void learn_usual(struct capacity *k, uint64_t shortest_us, uint64_t now_us)
{
	bool is_settled = now_us >= k->held_us + HELD_US + HORIZON_US &&
			  now_us >= k->over_us + shortest_us;
	bool is_queue =
	    falls_behind(k) ||
	    (is_held(k, now_us) && (!is_settled || shortest_us < 2 * horizon(k, now_us)));

	if (shortest_us > k->usual_us && !is_queue)
		k->usual_us =
		    is_held(k, now_us)
			? shortest_us
			: k->usual_us + (shortest_us - k->usual_us) / USUAL_PART;
}

static void roll(struct capacity *k, uint64_t now_us)
{
	if (!k->slot_us || now_us >= k->slot_us + CAPACITY_SLOTS * SLOT_US) {
		clear(k, now_us);
		return;
	}
	while (now_us >= k->slot_us + SLOT_US) {
		learn_usual(k, k->slots[k->newest].shortest_us, now_us);
		k->slot_us += SLOT_US;
		k->newest = (k->newest + 1) % CAPACITY_SLOTS;
		k->slots[k->newest] = (struct capacity_slot){0};
	}
}

void capacity_sent(struct capacity *k, uint64_t now_us)
{
	roll(k, now_us);
	k->slots[k->newest].sent++;
}

void capacity_answered(struct capacity *k, uint64_t rtt_us, uint64_t now_us)
{
	struct capacity_slot *s;

	roll(k, now_us);
	s = &k->slots[k->newest];
	s->answers++;
	if (!s->shortest_us || rtt_us < s->shortest_us)
		s->shortest_us = rtt_us + 1;
	if (!k->first_us)
		k->first_us = now_us;
	k->recent[k->next_recent++ % CAPACITY_RECENT] = rtt_us + 1;
	if (!k->usual_us || rtt_us < k->usual_us)
		k->usual_us = rtt_us + 1;
}

/* The shortest time of the last answers: while there is a queue none comes soon, while an upstream
 * leaves some names unanswered others do. 0: there were too few. */
static uint64_t shortest(const struct capacity *k)
{
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < CAPACITY_RECENT; i++)
		least = k->recent[i] < least ? k->recent[i] : least;
	return least;
}

static uint64_t bound(const struct capacity *k, uint64_t now_us)
{
	uint64_t span = now_us - k->first_us, answers = 0, most;

	if (span > CAPACITY_SLOTS * SLOT_US)
		span = (CAPACITY_SLOTS - 1) * SLOT_US + (now_us - k->slot_us);
	for (unsigned i = 0; i < CAPACITY_SLOTS; i++)
		answers += k->slots[i].answers;
	most = answers * horizon(k, now_us) / span;
	return most > FLOOR ? most : FLOOR;
}

bool capacity_allows(struct capacity *k, unsigned in_flight, bool gives_way,
		     uint64_t now_us)
{
	uint64_t delay, most;

	if (in_flight < FLOOR / 4 * 3)
		return true;
	roll(k, now_us);
	delay = shortest(k);
	if (!k->first_us || delay < LONG_US || delay < 2 * k->usual_us ||
	    now_us < k->first_us + SPAN_MIN_US)
		return true;
	if (falls_behind(k)) {
		k->held_us = now_us - HELD_US;
		k->last_held_us = now_us;
	}
	most = bound(k, now_us);
	if (in_flight > most + most / 2)
		k->over_us = now_us;
	return in_flight < (gives_way ? most / 4 * 3 : most);
}

void capacity_held(struct capacity *k, uint64_t now_us)
{
	if (!is_held(k, now_us))
		k->held_us = now_us;
	k->last_held_us = now_us;
}
