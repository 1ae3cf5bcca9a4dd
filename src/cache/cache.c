/* cache: lines of tags over chains of blocks; the least asked gives way. */
#include "cache/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache/blocks.h"
#include "cache/line.h"

/* Ways for each block: a line is then seldom full before the blocks are used up. */
#define WAYS_PER_BLOCK 2

/* Lines that one eviction looks at for something cold; then the coldest of the next goes. */
#define EVICT_LOOKS 64

/* In front of key and body in a chain. */
struct head {
	struct cache_meta meta;
	uint16_t key_len;
};

_Static_assert(sizeof(struct head) <= 20, "a small answer fits one block");

#define RECORD_MAX (sizeof(struct head) + CACHE_KEY_MAX + CACHE_BODY_MAX)

struct cache {
	uint32_t line_count;
	struct line *lines;
	struct blocks *blocks;
	uint64_t size;
	/* written by each put and eviction, but by no look-up */
	_Alignas(64) atomic_uint_least64_t entries;
	atomic_uint_least64_t evictions;
	atomic_uint_least64_t hand; /* the line at which the next eviction starts */
};

/* ---- finding ---- */

static struct line *line_of(const struct cache *c, uint64_t hash)
{
	return &c->lines[(hash & UINT32_MAX) * c->line_count >> 32];
}

static uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

static bool holds(const struct cache *c, uint32_t block, const struct cache_key *key,
		  struct head *h, struct place *p)
{
	*p = blocks_start(c->blocks, block);
	return blocks_read(p, h, sizeof *h) && h->key_len == key->len &&
	       blocks_equal(p, key->data, key->len);
}

/* The way of a locked line that holds the key, with the place of its body; -1: none. */
static int find(const struct cache *c, const struct line *l, const struct cache_key *key,
		struct head *h, struct place *p)
{
	uint16_t tag = tag_of(key->hash);

	for (int i = 0; i < WAYS; i++)
		if (l->tag[i] == tag && l->block[i] && holds(c, l->block[i], key, h, p))
			return i;
	return -1;
}

bool cache_get(struct cache *c, const struct cache_key *key, struct cache_meta *m,
	       uint8_t *body, unsigned *heat)
{
	struct line *l = line_of(c, key->hash);
	struct place p;
	struct head h;
	bool found;
	int way;

	line_lock(l);
	way = find(c, l, key, &h, &p);
	found = way >= 0 && blocks_read(&p, body, h.meta.body_len);
	if (found) {
		*heat = l->heat[way];
		if (*heat < HEAT_MAX)
			l->heat[way]++;
	}
	line_unlock(l);
	if (found)
		*m = h.meta;
	return found;
}

void cache_prefetch(const struct cache *c, uint64_t hash)
{
	__builtin_prefetch(line_of(c, hash), 1);
}

bool cache_change(struct cache *c, const struct cache_key *key, cache_change_fn *fn,
		  const void *arg)
{
	struct line *l = line_of(c, key->hash);
	bool result = false;
	struct place p;
	struct head h;
	int way;

	line_lock(l);
	way = find(c, l, key, &h, &p);
	if (way >= 0) {
		result = fn(arg, &h.meta);
		p = blocks_start(c->blocks, l->block[way]);
		(void)blocks_write(&p, &h, sizeof h);
	}
	line_unlock(l);
	return result;
}

/* ---- making room ---- */

static void count_gone(struct cache *c, unsigned count)
{
	atomic_fetch_sub_explicit(&c->entries, count, memory_order_relaxed);
	atomic_fetch_add_explicit(&c->evictions, count, memory_order_relaxed);
}

/*
 * Takes away what has not been asked for since the hand last came by, and cools the rest (the
 * clock algorithm): a flood of names that are asked once evicts itself. FORCE: the coldest
 * goes in any case. Returns how many went.
 */
static unsigned sweep_line(struct cache *c, struct line *l, bool force)
{
	uint32_t gone[WAYS];
	unsigned count = 0, coldest;

	line_lock(l);
	for (unsigned i = 0; i < WAYS; i++) {
		if (!l->block[i])
			continue;
		if (l->heat[i])
			l->heat[i]--;
		else
			gone[count++] = line_clear(l, i);
	}
	coldest = line_coldest(l);
	if (force && !count && l->block[coldest])
		gone[count++] = line_clear(l, coldest);
	line_unlock(l);
	for (unsigned i = 0; i < count; i++)
		blocks_give(c->blocks, gone[i]);
	if (count)
		count_gone(c, count);
	return count;
}

static void evict(struct cache *c)
{
	for (uint64_t i = 1; i <= EVICT_LOOKS + c->line_count; i++) {
		uint64_t n = atomic_fetch_add_explicit(&c->hand, 1, memory_order_relaxed);

		if (sweep_line(c, &c->lines[n % c->line_count], i > EVICT_LOOKS))
			return;
	}
}

/* A chain for LEN octets, at the cost of others. 0: even so there is none, since what is
 * missing is being written by others. */
static uint32_t take(struct cache *c, size_t len)
{
	uint32_t block = blocks_take(c->blocks, len);

	for (unsigned i = 0; !block && i <= RECORD_MAX / BLOCK_DATA; i++) {
		evict(c);
		block = blocks_take(c->blocks, len);
	}
	return block;
}

/* ---- putting ---- */

static uint32_t write_record(struct cache *c, const struct cache_key *key,
			     const struct cache_meta *m, const uint8_t *body)
{
	struct head h = {.meta = *m, .key_len = (uint16_t)key->len};
	uint32_t block = take(c, sizeof h + key->len + m->body_len);
	struct place p = blocks_start(c->blocks, block);

	if (!block)
		return 0;
	(void)blocks_write(&p, &h, sizeof h);
	(void)blocks_write(&p, key->data, key->len);
	(void)blocks_write(&p, body, m->body_len);
	return block;
}

/* Puts a chain into a locked line. Returns the one that gave way for it; 0: none. */
static uint32_t enter(struct cache *c, struct line *l, uint16_t tag, uint32_t block)
{
	unsigned way = line_coldest(l);
	uint32_t gone = line_clear(l, way);

	l->tag[way] = tag;
	l->block[way] = block;
	if (gone)
		atomic_fetch_add_explicit(&c->evictions, 1, memory_order_relaxed);
	else
		atomic_fetch_add_explicit(&c->entries, 1, memory_order_relaxed);
	return gone;
}

bool cache_put(struct cache *c, const struct cache_key *key, const struct cache_meta *m,
	       const uint8_t *body, cache_replace_fn *may, const void *arg)
{
	struct line *l = line_of(c, key->hash);
	uint32_t block, gone;
	struct place p;
	struct head old;
	int way;

	if (key->len > CACHE_KEY_MAX || m->body_len > CACHE_BODY_MAX)
		return false;
	block = write_record(c, key, m, body);
	if (!block)
		return false;
	line_lock(l);
	way = find(c, l, key, &old, &p);
	if (way < 0) {
		gone = enter(c, l, tag_of(key->hash), block);
	} else if (may && !may(arg, &old.meta, m)) {
		gone = block;
	} else {
		gone = l->block[way];
		l->block[way] = block;
	}
	line_unlock(l);
	if (gone)
		blocks_give(c->blocks, gone);
	return gone != block;
}

/* ---- all of them ---- */

static bool matches(const struct cache *c, uint32_t block, cache_match_fn *fn,
		    const void *arg)
{
	struct place p = blocks_start(c->blocks, block);
	uint8_t key[CACHE_KEY_MAX];
	struct head h;

	return block && blocks_read(&p, &h, sizeof h) &&
	       blocks_read(&p, key, h.key_len) && fn(arg, key, h.key_len);
}

static unsigned remove_from(struct cache *c, struct line *l, cache_match_fn *fn,
			    const void *arg)
{
	uint32_t gone[WAYS];
	unsigned count = 0;

	line_lock(l);
	for (unsigned i = 0; i < WAYS; i++)
		if (matches(c, l->block[i], fn, arg))
			gone[count++] = line_clear(l, i);
	line_unlock(l);
	for (unsigned i = 0; i < count; i++)
		blocks_give(c->blocks, gone[i]);
	return count;
}

uint64_t cache_remove(struct cache *c, cache_match_fn *fn, const void *arg)
{
	uint64_t count = 0;

	for (uint32_t i = 0; i < c->line_count; i++)
		count += remove_from(c, &c->lines[i], fn, arg);
	atomic_fetch_sub_explicit(&c->entries, count, memory_order_relaxed);
	return count;
}

struct copy {
	struct head head;
	uint8_t key[CACHE_KEY_MAX];
	uint8_t body[CACHE_BODY_MAX];
};

static bool copy_record(const struct cache *c, struct line *l, unsigned way,
			struct copy *out)
{
	struct place p;
	bool good;

	line_lock(l);
	p = blocks_start(c->blocks, l->block[way]);
	good = l->block[way] && blocks_read(&p, &out->head, sizeof out->head) &&
	       blocks_read(&p, out->key, out->head.key_len) &&
	       blocks_read(&p, out->body, out->head.meta.body_len);
	line_unlock(l);
	return good;
}

void cache_each(struct cache *c, cache_visit_fn *fn, void *arg)
{
	struct copy copy;

	for (uint32_t i = 0; i < c->line_count; i++)
		for (unsigned way = 0; way < WAYS; way++)
			if (copy_record(c, &c->lines[i], way, &copy) &&
			    !fn(arg, copy.key, copy.head.key_len, &copy.head.meta,
				copy.body))
				return;
}

struct cache_stats cache_stats(struct cache *c)
{
	return (struct cache_stats){
	    .entries = atomic_load_explicit(&c->entries, memory_order_relaxed),
	    .bytes = blocks_used(c->blocks) * (uint64_t)BLOCK_SIZE +
		     c->line_count * sizeof(struct line),
	    .size = c->size,
	    .evictions = atomic_load_explicit(&c->evictions, memory_order_relaxed)};
}

/* ---- life ---- */

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

int cache_new(struct cache **out, size_t size)
{
	size_t per_block = BLOCK_SIZE + WAYS_PER_BLOCK * sizeof(struct line) / WAYS;
	size_t blocks = size / per_block;
	struct cache *c;

	if (size < CACHE_SIZE_MIN || blocks > UINT32_MAX)
		return -EINVAL;
	c = aligned_alloc(64, sizeof *c);
	if (!c)
		return -ENOMEM;
	memset(c, 0, sizeof *c);
	c->line_count = (uint32_t)(blocks * WAYS_PER_BLOCK / WAYS);
	c->size = blocks * per_block;
	c->lines = map(c->line_count * sizeof(struct line));
	c->blocks = blocks_new((uint32_t)blocks);
	if (!c->lines || !c->blocks) {
		cache_free(c);
		return -ENOMEM;
	}
	*out = c;
	return 0;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	if (c->lines)
		munmap(c->lines, c->line_count * sizeof(struct line));
	blocks_free(c->blocks);
	free(c);
}
