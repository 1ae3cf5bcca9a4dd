/* share: a hash table of holders, and lists of them by the number of their flights. */
#include "proxy/share.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"

struct holder {
	struct host host;
	unsigned flights, places;
	uint32_t next;	    /* in its chain, or of the free ones; number */
	struct list weight; /* with those that have as many flights */
	struct list flight; /* the newest last */
};

struct shares {
	struct hash_key key;
	unsigned max, used; /* holders; ever used */
	uint32_t first_free;
	unsigned most; /* flights of the heaviest */
	size_t mask;
	uint32_t *heads;	 /* of the chains; number of a holder, 0: none */
	struct holder *holders;	 /* by number - 1 */
	struct list *by_flights; /* holders that have 0, 1, 2... */
};

struct shares *shares_new(unsigned max, unsigned flights)
{
	struct shares *s = calloc(1, sizeof *s);
	struct random random;
	size_t heads = 16;

	if (!s)
		return NULL;
	while (heads < max)
		heads *= 2;
	s->mask = heads - 1;
	s->max = max;
	/* not touched before they are used, so that only what is used takes memory */
	s->heads = calloc(heads, sizeof *s->heads);
	s->holders = calloc(max, sizeof *s->holders);
	s->by_flights = calloc(flights + 1, sizeof *s->by_flights);
	if (!s->heads || !s->holders || !s->by_flights) {
		shares_free(s);
		return NULL;
	}
	for (unsigned i = 0; i <= flights; i++)
		list_init(&s->by_flights[i]);
	random_init(&random);
	s->key = (struct hash_key){random_u64(&random), random_u64(&random)};
	return s;
}

void shares_free(struct shares *s)
{
	if (!s)
		return;
	free(s->heads);
	free(s->holders);
	free(s->by_flights);
	free(s);
}

static uint32_t *chain_of(struct shares *s, const struct host *h)
{
	return &s->heads[hash_bytes(&s->key, h, sizeof *h) & s->mask];
}

static struct holder *holder_of(struct shares *s, uint32_t number)
{
	return &s->holders[number - 1];
}

/* The number of the holder H; 0: there is none. */
static uint32_t find_holder(struct shares *s, const struct host *h)
{
	uint32_t n = *chain_of(s, h);

	while (n && memcmp(&holder_of(s, n)->host, h, sizeof *h) != 0)
		n = holder_of(s, n)->next;
	return n;
}

/* A new holder, which holds nothing; 0: there are too many. */
static uint32_t add_holder(struct shares *s, const struct host *h)
{
	uint32_t *head = chain_of(s, h), n = s->first_free;
	struct holder *o;

	if (n)
		s->first_free = holder_of(s, n)->next;
	else if (s->used < s->max)
		n = ++s->used;
	else
		return 0;
	o = holder_of(s, n);
	*o = (struct holder){.host = *h, .next = *head};
	*head = n;
	list_init(&o->flight);
	list_append(&s->by_flights[0], &o->weight);
	return n;
}

static void remove_holder(struct shares *s, uint32_t number)
{
	struct holder *o = holder_of(s, number);
	uint32_t *link = chain_of(s, &o->host);

	while (*link != number)
		link = &holder_of(s, *link)->next;
	*link = o->next;
	list_remove(&o->weight);
	o->next = s->first_free;
	s->first_free = number;
}

static void remove_if_empty(struct shares *s, uint32_t number)
{
	const struct holder *o = holder_of(s, number);

	if (!o->places && !o->flights)
		remove_holder(s, number);
}

uint32_t shares_enter(struct shares *s, const struct host *h)
{
	uint32_t n = find_holder(s, h);

	if (!n)
		n = add_holder(s, h);
	if (n)
		holder_of(s, n)->places++;
	return n;
}

void shares_leave(struct shares *s, uint32_t holder)
{
	holder_of(s, holder)->places--;
	remove_if_empty(s, holder);
}

static void weigh(struct shares *s, struct holder *o)
{
	list_remove(&o->weight);
	list_append(&s->by_flights[o->flights], &o->weight);
	if (o->flights > s->most)
		s->most = o->flights;
	while (s->most && list_empty(&s->by_flights[s->most]))
		s->most--;
}

void shares_own(struct shares *s, uint32_t holder, struct list *node)
{
	struct holder *o = holder_of(s, holder);

	list_append(&o->flight, node);
	o->flights++;
	weigh(s, o);
}

void shares_disown(struct shares *s, uint32_t holder, struct list *node)
{
	struct holder *o = holder_of(s, holder);

	list_remove(node);
	o->flights--;
	weigh(s, o);
	remove_if_empty(s, holder);
}

struct holding shares_of(struct shares *s, const struct host *h)
{
	uint32_t n = find_holder(s, h);

	if (!n)
		return (struct holding){0};
	return (struct holding){.flights = holder_of(s, n)->flights,
				.places = holder_of(s, n)->places};
}

unsigned shares_heaviest(const struct shares *s)
{
	return s->most;
}

struct list *shares_heaviest_flights(struct shares *s)
{
	if (!s->most)
		return NULL;
	return &list_entry(s->by_flights[s->most].next, struct holder, weight)->flight;
}

struct host shares_heaviest_host(const struct shares *s)
{
	return list_entry(s->by_flights[s->most].next, struct holder, weight)->host;
}
