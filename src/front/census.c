/* census: a hash table of addresses in chains, and a list of them for each count. A place stays
 * where it is while it counts. */
#include "front/census.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/random.h"

struct place {
	struct host host;
	struct holder holder;
	uint32_t next;	    /* of the chain, or of the free places; number + 1 */
	struct list equals; /* those that count as many */
};

struct census {
	struct hash_key key;
	uint32_t used, max, first_free; /* places ever used; allowed; number + 1 */
	size_t mask;
	uint32_t *heads; /* of the chains, number + 1 */
	struct place *places;
	unsigned top;	       /* the highest count */
	struct list *by_count; /* the places that count 1, 2, ... MAX */
};

struct census *census_new(unsigned max)
{
	struct census *c = calloc(1, sizeof *c);
	struct random random;
	size_t heads = 16;

	if (!c)
		return NULL;
	while (heads < max)
		heads *= 2;
	c->heads = calloc(heads, sizeof *c->heads);
	/* these are not touched before they are used: only what is used takes memory */
	c->places = calloc(max, sizeof *c->places);
	c->by_count = calloc((size_t)max + 1, sizeof *c->by_count);
	if (!c->heads || !c->places || !c->by_count) {
		census_free(c);
		return NULL;
	}
	list_init(&c->by_count[0]);
	random_init(&random);
	c->key = (struct hash_key){random_u64(&random), random_u64(&random)};
	c->mask = heads - 1;
	c->max = max;
	return c;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	free(c->heads);
	free(c->places);
	free(c->by_count);
	free(c);
}

static uint32_t *chain_of(struct census *c, const struct host *h)
{
	return &c->heads[hash_bytes(&c->key, h, sizeof *h) & c->mask];
}

static struct place *find(struct census *c, uint32_t head, const struct host *h)
{
	for (uint32_t i = head; i; i = c->places[i - 1].next) {
		struct place *p = &c->places[i - 1];

		if (p->host.network == h->network && p->host.interface == h->interface)
			return p;
	}
	return NULL;
}

/* A place that counts nothing yet; NULL: all are taken. */
static struct place *take_place(struct census *c)
{
	struct place *p;

	if (!c->first_free)
		return c->used < c->max ? &c->places[c->used++] : NULL;
	p = &c->places[c->first_free - 1];
	c->first_free = p->next;
	return p;
}

/* P counts N from now on. */
static void recount(struct census *c, struct place *p, unsigned n)
{
	p->holder.count = n;
	list_remove(&p->equals);
	if (!c->by_count[n].next)
		list_init(&c->by_count[n]);
	if (n > 0)
		list_append(&c->by_count[n], &p->equals);
	if (n > c->top)
		c->top = n;
	else if (list_empty(&c->by_count[c->top]))
		c->top--;
}

int census_enter(struct census *c, const struct address *a, uint32_t *place)
{
	struct host h = host_of(a);
	uint32_t *head = chain_of(c, &h);
	struct place *p = find(c, *head, &h);

	if (!p) {
		p = take_place(c);
		if (!p)
			return -EUSERS;
		*p = (struct place){.host = h, .next = *head};
		*head = (uint32_t)(p - c->places) + 1;
		list_init(&p->holder.quiet);
		list_init(&p->holder.busy);
		list_init(&p->equals);
	}
	recount(c, p, p->holder.count + 1);
	*place = (uint32_t)(p - c->places);
	return 0;
}

void census_leave(struct census *c, uint32_t place)
{
	struct place *p = &c->places[place];
	uint32_t *link = chain_of(c, &p->host);

	recount(c, p, p->holder.count - 1);
	if (p->holder.count > 0)
		return;
	while (*link != place + 1)
		link = &c->places[*link - 1].next;
	*link = p->next;
	p->next = c->first_free;
	c->first_free = place + 1;
}

struct host census_host(const struct census *c, uint32_t place)
{
	return c->places[place].host;
}

struct holder *census_holder(struct census *c, uint32_t place)
{
	return &c->places[place].holder;
}

struct holder *census_heaviest(struct census *c)
{
	struct list *most = &c->by_count[c->top];

	return list_empty(most) ? NULL
				: &list_entry(most->next, struct place, equals)->holder;
}
