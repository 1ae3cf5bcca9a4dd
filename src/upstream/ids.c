/* ids: an index by id over a table of entries; the awaited ones are linked in order. */
#include "upstream/ids.h"

#include <errno.h>
#include <stdlib.h>

/* Slots of the index: twice the entries keeps probe runs short. */
#define INDEX_SIZE (2 * IDS_MAX)
#define NONE UINT16_MAX

_Static_assert((INDEX_SIZE & (INDEX_SIZE - 1)) == 0, "the index is masked");
_Static_assert(IDS_MAX < NONE, "entries are numbered in 16 bits");

struct entry {
	struct sent sent;
	uint16_t prev,
	    next; /* among the awaited; of a free entry, next is the next free */
	bool awaited;
};

struct ids {
	uint16_t oldest, newest; /* awaited */
	uint16_t mark[MARKS];
	uint16_t free;	/* released entries, the last one first: it is still warm */
	uint16_t fresh; /* entries from here on were never used */
	unsigned awaited, copies, taken; /* copies: of the awaited */
	uint16_t index[INDEX_SIZE];	 /* entry number + 1; 0: empty */
	struct entry entries[IDS_MAX];
};

struct ids *ids_new(void)
{
	/* calloc: pages are only touched as queries use them */
	struct ids *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->oldest = t->newest = t->free = NONE;
	for (unsigned m = 0; m < MARKS; m++)
		t->mark[m] = NONE;
	return t;
}

void ids_free(struct ids *t)
{
	free(t);
}

static size_t home(uint16_t id)
{
	return id & (INDEX_SIZE - 1);
}

/* The index slot that holds ID, or the empty one where it would go. */
static size_t probe(const struct ids *t, uint16_t id)
{
	size_t i = home(id);

	while (t->index[i] && t->entries[t->index[i] - 1].sent.id != id)
		i = (i + 1) & (INDEX_SIZE - 1);
	return i;
}

static uint16_t number(const struct ids *t, const struct entry *e)
{
	return (uint16_t)(e - t->entries);
}

/* SENT is the first member of its entry. */
static struct entry *entry_of(struct sent *s)
{
	return (struct entry *)(void *)s;
}

static uint16_t entry_take(struct ids *t)
{
	uint16_t n = t->free;

	if (n == NONE)
		return t->fresh++;
	t->free = t->entries[n].next;
	return n;
}

static void link_newest(struct ids *t, struct entry *e)
{
	uint16_t n = number(t, e);

	e->awaited = true;
	e->next = NONE;
	e->prev = t->newest;
	if (t->newest == NONE)
		t->oldest = n;
	else
		t->entries[t->newest].next = n;
	t->newest = n;
	for (unsigned m = 0; m < MARKS; m++)
		if (t->mark[m] == NONE)
			t->mark[m] = n;
	t->awaited++;
}

static void unlink_awaited(struct ids *t, struct entry *e)
{
	for (unsigned m = 0; m < MARKS; m++)
		if (t->mark[m] == number(t, e))
			t->mark[m] = e->next;
	if (e->prev == NONE)
		t->oldest = e->next;
	else
		t->entries[e->prev].next = e->next;
	if (e->next == NONE)
		t->newest = e->prev;
	else
		t->entries[e->next].prev = e->prev;
	e->awaited = false;
	t->awaited--;
	t->copies -= e->sent.is_copy;
}

int ids_take(struct ids *t, struct random *r, uint64_t flight, uint64_t question,
	     uint64_t now_us)
{
	uint16_t id;
	size_t slot;

	if (t->taken == IDS_MAX)
		return -ENOSPC;
	do {
		id = random_u16(r);
		slot = probe(t, id);
	} while (t->index[slot]);

	uint16_t n = entry_take(t);
	struct entry *e = &t->entries[n];

	e->sent = (struct sent){
	    .flight = flight, .question = question, .sent_us = now_us, .id = id};
	t->index[slot] = (uint16_t)(n + 1);
	t->taken++;
	link_newest(t, e);
	return id;
}

struct sent *ids_find(struct ids *t, uint16_t id)
{
	uint16_t n = t->index[probe(t, id)];

	return n ? &t->entries[n - 1].sent : NULL;
}

/* Closes the gap at HOLE, so that no probe run is cut (linear probing, backward shift).
 */
static void index_remove(struct ids *t, size_t hole)
{
	size_t i = hole;

	for (;;) {
		i = (i + 1) & (INDEX_SIZE - 1);
		if (!t->index[i])
			break;

		size_t want = home(t->entries[t->index[i] - 1].sent.id);

		/* stays if its home lies behind the hole on the way to i */
		if (((i - want) & (INDEX_SIZE - 1)) < ((i - hole) & (INDEX_SIZE - 1)))
			continue;
		t->index[hole] = t->index[i];
		hole = i;
	}
	t->index[hole] = 0;
}

void ids_release(struct ids *t, struct sent *s)
{
	struct entry *e = entry_of(s);

	if (e->awaited)
		unlink_awaited(t, e);
	index_remove(t, probe(t, s->id));
	e->next = t->free;
	t->free = number(t, e);
	t->taken--;
}

struct sent *ids_oldest(struct ids *t)
{
	return t->oldest == NONE ? NULL : &t->entries[t->oldest].sent;
}

struct sent *ids_next(struct ids *t, const struct sent *s)
{
	uint16_t n = ((const struct entry *)(const void *)s)->next;

	return n == NONE ? NULL : &t->entries[n].sent;
}

struct sent *ids_marked(struct ids *t, enum ids_mark m)
{
	return t->mark[m] == NONE ? NULL : &t->entries[t->mark[m]].sent;
}

void ids_pass(struct ids *t, enum ids_mark m)
{
	t->mark[m] = t->entries[t->mark[m]].next;
}

void ids_abandon(struct ids *t, struct sent *s)
{
	unlink_awaited(t, entry_of(s));
}

bool ids_awaited(const struct sent *s)
{
	return ((const struct entry *)(const void *)s)->awaited;
}

unsigned ids_awaited_count(const struct ids *t)
{
	return t->awaited;
}

void ids_note_copy(struct ids *t, struct sent *s)
{
	s->is_copy = true;
	t->copies++;
}

unsigned ids_sole_count(const struct ids *t)
{
	return t->awaited - t->copies;
}

unsigned ids_taken_count(const struct ids *t)
{
	return t->taken;
}
