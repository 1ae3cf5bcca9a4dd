/* blocks: one mapping, a free list behind a short lock, chains. */
#include "cache/blocks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct block {
	uint32_t next; /* in its chain, or in the free list; 0: the last */
	uint8_t data[BLOCK_DATA];
};

_Static_assert(sizeof(struct block) == BLOCK_SIZE, "blocks are two cache lines");

struct blocks {
	pthread_mutex_t lock; /* of all that follows, but for blocks in chains */
	uint32_t count, used;
	uint32_t free;	     /* the last one given back: it is still warm */
	uint32_t fresh;	     /* blocks above were never used */
	struct block *block; /* block N is block[N - 1] */
};

static size_t mapping_size(uint32_t count)
{
	return (size_t)count * sizeof(struct block);
}

struct blocks *blocks_new(uint32_t count)
{
	struct blocks *b = calloc(1, sizeof *b);
	void *memory;

	if (!b)
		return NULL;
	memory = mmap(NULL, mapping_size(count), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED) {
		free(b);
		return NULL;
	}
	pthread_mutex_init(&b->lock, NULL);
	b->block = memory;
	b->count = count;
	return b;
}

void blocks_free(struct blocks *b)
{
	if (!b)
		return;
	munmap(b->block, mapping_size(b->count));
	pthread_mutex_destroy(&b->lock);
	free(b);
}

static struct block *get(const struct blocks *b, uint32_t n)
{
	return &b->block[n - 1];
}

static uint32_t take_one(struct blocks *b)
{
	uint32_t n = b->free;

	if (n)
		b->free = get(b, n)->next;
	else
		n = ++b->fresh;
	return n;
}

uint32_t blocks_take(struct blocks *b, size_t len)
{
	size_t need = (len + BLOCK_DATA - 1) / BLOCK_DATA;
	uint32_t first = 0;

	pthread_mutex_lock(&b->lock);
	if (need <= b->count - b->used) {
		b->used += (uint32_t)need;
		while (need--) {
			uint32_t n = take_one(b);

			get(b, n)->next = first;
			first = n;
		}
	}
	pthread_mutex_unlock(&b->lock);
	return first;
}

void blocks_give(struct blocks *b, uint32_t first)
{
	uint32_t last = first, n = 1;

	while (get(b, last)->next) {
		last = get(b, last)->next;
		n++;
	}
	pthread_mutex_lock(&b->lock);
	get(b, last)->next = b->free;
	b->free = first;
	b->used -= n;
	pthread_mutex_unlock(&b->lock);
}

uint32_t blocks_used(struct blocks *b)
{
	uint32_t used;

	pthread_mutex_lock(&b->lock);
	used = b->used;
	pthread_mutex_unlock(&b->lock);
	return used;
}

/* The next octets of the chain that lie together: their number, at most LEN. */
static size_t run(const struct place *p, size_t len, uint8_t **data)
{
	size_t left = BLOCK_DATA - p->at;

	*data = get(p->blocks, p->block)->data + p->at;
	return left < len ? left : len;
}

static void advance(struct place *p, size_t n)
{
	p->at += n;
	if (p->at < BLOCK_DATA)
		return;
	p->block = get(p->blocks, p->block)->next;
	p->at = 0;
}

bool blocks_read(struct place *p, void *out, size_t len)
{
	uint8_t *to = out, *data;

	while (len && p->block) {
		size_t n = run(p, len, &data);

		memcpy(to, data, n);
		to += n;
		len -= n;
		advance(p, n);
	}
	return len == 0;
}

bool blocks_write(struct place *p, const void *data, size_t len)
{
	const uint8_t *from = data;
	uint8_t *to;

	while (len && p->block) {
		size_t n = run(p, len, &to);

		memcpy(to, from, n);
		from += n;
		len -= n;
		advance(p, n);
	}
	return len == 0;
}

bool blocks_equal(struct place *p, const void *data, size_t len)
{
	const uint8_t *with = data;
	uint8_t *have;

	while (len && p->block) {
		size_t n = run(p, len, &have);

		if (memcmp(have, with, n) != 0)
			return false;
		with += n;
		len -= n;
		advance(p, n);
	}
	return len == 0;
}

void blocks_prefetch(const struct blocks *b, uint32_t first)
{
	const char *block = (const char *)get(b, first);

	__builtin_prefetch(block);
	__builtin_prefetch(block + 64);
}
