/* flight: tables of flights and waiters with free lists, and a hash index by key. */
#include "proxy/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"

#define BUCKETS (2 * FLIGHTS_MAX)

/* With fewer in flight nobody is heavy: one page of a browser asks as much. */
#define HEAVY_MIN 64

/* Flights of the heaviest client that are looked at for one which nobody else waits for. */
#define GIVE_WAY_LOOKS 8

_Static_assert((BUCKETS & (BUCKETS - 1)) == 0, "the index is masked");

struct flights {
	struct list age;	 /* oldest first */
	unsigned count, waiting; /* flights; clients that wait for them */
	unsigned share_percent;
	struct shares *shares;
	uint32_t free_flight,
	    fresh_flight; /* slot + 1 of the last freed; first never used */
	uint32_t free_waiter, fresh_waiter;
	uint32_t bucket[BUCKETS]; /* slot + 1 of the first of the chain */
	struct flight flight[FLIGHTS_MAX];
	struct waiter waiter[WAITERS_MAX];
};

struct flights *flights_new(unsigned share_percent)
{
	/* calloc: pages are only touched as queries use them */
	struct flights *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	list_init(&t->age);
	t->share_percent = share_percent;
	t->shares = shares_new(WAITERS_MAX + FLIGHTS_MAX, FLIGHTS_MAX);
	if (!t->shares) {
		free(t);
		return NULL;
	}
	return t;
}

void flights_free(struct flights *t)
{
	if (!t)
		return;
	shares_free(t->shares);
	free(t);
}

/* ---- what is joined ---- */

static uint16_t joined_flags(const struct query *q)
{
	return (uint16_t)((q->flags & (DNS_RD | DNS_CD)) | (q->edns.do_bit ? 1u : 0u));
}

uint64_t flights_key(const struct query *q, uint64_t question)
{
	/* the question's hash is keyed; a multiplication spreads the few bits over it */
	return question ^ (joined_flags(q) + 1u) * UINT64_C(0x9e3779b97f4a7c15);
}

static uint32_t *bucket_of(struct flights *t, uint64_t key)
{
	return &t->bucket[key & (BUCKETS - 1)];
}

static bool same(const struct flight *f, const struct query *q)
{
	return f->type == q->question.type && f->class == q->question.class &&
	       f->name_len == q->question.name_len &&
	       name_equal(f->name, q->question.name, f->name_len);
}

struct flight *flights_find(struct flights *t, const struct query *q, uint64_t key)
{
	for (uint32_t n = *bucket_of(t, key); n; n = t->flight[n - 1].chain) {
		struct flight *f = &t->flight[n - 1];

		if (f->key == key && same(f, q))
			return f;
	}
	return NULL;
}

/* ---- flights ---- */

static uint32_t slot_of(uint64_t id)
{
	return (uint32_t)id; /* slot + 1 */
}

struct flight *flights_begin(struct flights *t, const struct query *q, uint64_t key,
			     uint64_t question, uint64_t now_us)
{
	uint32_t *bucket = bucket_of(t, key);
	uint32_t n = t->free_flight;
	struct flight *f;
	uint64_t generation;

	if (n)
		t->free_flight = t->flight[n - 1].chain;
	else if (t->fresh_flight < FLIGHTS_MAX)
		n = ++t->fresh_flight;
	else
		return NULL;
	f = &t->flight[n - 1];
	generation = (f->key >> 32) + 1; /* of a free flight: where the old one is kept */
	*f = (struct flight){
	    .id = generation << 32 | n,
	    .key = key,
	    .question = question,
	    .chain = *bucket,
	    .began_us = now_us,
	    .flags = q->flags & (DNS_RD | DNS_CD),
	    .type = q->question.type,
	    .class = q->question.class,
	    .do_bit = q->edns.do_bit,
	    .name_len = (uint8_t)q->question.name_len,
	};
	memcpy(f->name, q->question.name, q->question.name_len);
	*bucket = n;
	list_append(&t->age, &f->age);
	list_init(&f->waiting);
	list_init(&f->overdue);
	list_init(&f->owned);
	f->error_ede = -1;
	t->count++;
	return f;
}

static void unchain(struct flights *t, struct flight *f)
{
	uint32_t *link = bucket_of(t, f->key);

	while (*link != slot_of(f->id))
		link = &t->flight[*link - 1].chain;
	*link = f->chain;
}

void flights_release(struct flights *t, struct flight *f)
{
	if (!f->first)
		return;
	for (uint32_t n = f->first; n; n = t->waiter[n - 1].next)
		shares_leave(t->shares, t->waiter[n - 1].holder);
	t->waiter[f->last - 1].next = t->free_waiter;
	t->free_waiter = f->first;
	t->waiting -= f->waiter_count;
	f->first = f->last = 0;
	f->waiter_count = 0;
}

void flights_end(struct flights *t, struct flight *f)
{
	uint32_t n = slot_of(f->id);

	unchain(t, f);
	if (f->owner)
		shares_disown(t->shares, f->owner, &f->owned);
	flights_release(t, f);
	list_remove(&f->age);
	list_remove(&f->waiting);
	list_remove(&f->overdue);
	f->key = f->id; /* keeps the generation */
	f->id = 0;
	f->chain = t->free_flight;
	t->free_flight = n;
	t->count--;
}

struct flight *flights_get(struct flights *t, uint64_t id)
{
	uint32_t n = slot_of(id);

	if (!n || n > t->fresh_flight || t->flight[n - 1].id != id)
		return NULL;
	return &t->flight[n - 1];
}

struct flight *flights_oldest(struct flights *t)
{
	return list_empty(&t->age) ? NULL : list_entry(t->age.next, struct flight, age);
}

unsigned flights_count(const struct flights *t)
{
	return t->count;
}

unsigned flights_waiting(const struct flights *t)
{
	return t->waiting;
}

/* ---- waiters ---- */

/* The number of a place to wait for HOST, + 1; 0: there is none. */
static uint32_t take_waiter(struct flights *t, const struct host *host)
{
	uint32_t n = t->free_waiter, holder;

	if (!n && t->fresh_waiter == WAITERS_MAX)
		return 0;
	holder = shares_enter(t->shares, host);
	if (!holder)
		return 0;
	if (n)
		t->free_waiter = t->waiter[n - 1].next;
	else
		n = ++t->fresh_waiter;
	t->waiter[n - 1].holder = holder;
	t->waiting++;
	return n;
}

static void append_waiter(struct flights *t, struct flight *f, uint32_t n)
{
	if (f->last)
		t->waiter[f->last - 1].next = n;
	else
		f->first = n;
	f->last = n;
	f->waiter_count++;
}

int flights_wait(struct flights *t, struct flight *f, const struct client *c,
		 const struct host *host, const struct query *q, uint64_t now_us)
{
	uint32_t n = f->waiter_count == WAITERS_PER_FLIGHT ? 0 : take_waiter(t, host);
	struct waiter *w;

	if (!n)
		return -ENOSPC;
	w = &t->waiter[n - 1];
	w->client = *c;
	w->id = q->id;
	w->flags = q->flags;
	w->limit = q->limit;
	w->edns = q->edns.present;
	w->do_bit = q->edns.do_bit;
	w->keepalive = q->edns.keepalive;
	w->asked_us = now_us;
	w->next = 0;
	w->name_len = (uint8_t)q->question.name_len;
	memcpy(w->name, q->question.name, q->question.name_len);
	append_waiter(t, f, n);
	if (!f->owner && f->began_us == now_us && f->waiter_count == 1) {
		f->owner = w->holder;
		shares_own(t->shares, f->owner, &f->owned);
	}
	return 0;
}

/* ---- shares ---- */

bool flights_are_scarce(const struct flights *t)
{
	return t->count >= FLIGHTS_MAX / 4 * 3 || t->waiting >= WAITERS_MAX / 4 * 3;
}

bool flights_share_is_used(struct flights *t, const struct host *host)
{
	struct holding h;

	if (!flights_are_scarce(t))
		return false;
	h = shares_of(t->shares, host);
	return h.flights >= FLIGHTS_MAX * t->share_percent / 100 ||
	       h.places >= WAITERS_MAX * t->share_percent / 100;
}

bool flights_is_heavy(struct flights *t, const struct host *host)
{
	return t->count >= HEAVY_MIN &&
	       shares_of(t->shares, host).flights * 100 > t->count * t->share_percent;
}

unsigned flights_heaviest(const struct flights *t, struct host *host)
{
	unsigned most = shares_heaviest(t->shares);

	if (!most)
		return 0;
	*host = shares_heaviest_host(t->shares);
	return most * 100 / t->count;
}

struct flight *flights_give_way(struct flights *t, const struct host *host)
{
	struct list *all = shares_heaviest_flights(t->shares), *l;

	if (!all || shares_heaviest(t->shares) <= shares_of(t->shares, host).flights + 1)
		return NULL;
	l = all->prev;
	for (unsigned i = 0; i < GIVE_WAY_LOOKS && l != all; i++, l = l->prev) {
		struct flight *f = list_entry(l, struct flight, owned);

		if (f->waiter_count <= 1)
			return f;
	}
	return NULL;
}

/* ---- what they ask ---- */

const struct waiter *flights_first(const struct flights *t, const struct flight *f)
{
	return f->first ? &t->waiter[f->first - 1] : NULL;
}

const struct waiter *flights_next(const struct flights *t, const struct waiter *w)
{
	return w->next ? &t->waiter[w->next - 1] : NULL;
}

struct query flights_asked(const struct flight *f)
{
	return (struct query){
	    .flags = f->flags,
	    .question = {.name = f->name,
			 .name_len = f->name_len,
			 .type = f->type,
			 .class = f->class},
	    .edns = {.present = f->do_bit, .do_bit = f->do_bit},
	};
}

struct query flights_query(const struct flight *f, const struct waiter *w)
{
	return (struct query){
	    .id = w->id,
	    .flags = w->flags,
	    .limit = w->limit,
	    .question = {.name = w->name,
			 .name_len = w->name_len,
			 .type = f->type,
			 .class = f->class},
	    .edns = {.present = w->edns, .do_bit = w->do_bit, .keepalive = w->keepalive},
	};
}
