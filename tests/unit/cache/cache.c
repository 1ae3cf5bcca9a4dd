/* cache: keys, places that are taken, popularity, bounds, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "cache/cache.h"

static const struct hash_key hash = {7, 9};

struct named {
	char text[32];
	struct cache_key key;
};

static const struct cache_key *name(struct named *n, unsigned number)
{
	int len = snprintf(n->text, sizeof n->text, "name-%u", number);

	n->key = (struct cache_key){.hash = hash_bytes(&hash, n->text, (size_t)len),
				    .data = (const uint8_t *)n->text,
				    .len = (size_t)len};
	return &n->key;
}

static bool put(struct cache *c, unsigned number, size_t len, uint8_t fill)
{
	static _Thread_local uint8_t body[CACHE_BODY_MAX + 1];
	struct cache_meta m = {.stored = number, .ttl = 60, .body_len = (uint16_t)len};
	struct named n;

	memset(body, fill, len);
	return cache_put(c, name(&n, number), &m, body, NULL, NULL);
}

/* The octet that the record is full of; -1: there is none; -2: it is mixed. */
static int get(struct cache *c, unsigned number)
{
	static _Thread_local uint8_t body[CACHE_BODY_MAX];
	struct cache_meta m;
	unsigned heat;
	struct named n;

	if (!cache_get(c, name(&n, number), &m, body, &heat))
		return -1;
	for (size_t i = 0; i < m.body_len; i++)
		if (body[i] != body[0])
			return -2;
	return m.body_len ? body[0] : 0;
}

static struct cache *make(size_t size)
{
	struct cache *c;

	assert_int_equal(cache_new(&c, size), 0);
	return c;
}

static void test_sizes(void **state)
{
	struct cache *c;

	(void)state;
	assert_true(cache_new(&c, CACHE_SIZE_MIN - 1) < 0);
	c = make(CACHE_SIZE_MIN);
	assert_true(cache_stats(c).size <= CACHE_SIZE_MIN);
	cache_free(c);
	cache_free(NULL);
}

static void test_put_and_get(void **state)
{
	struct cache *c = make(1 << 20);

	(void)state;
	assert_int_equal(get(c, 1), -1);
	for (unsigned i = 0; i < 200; i++)
		assert_true(put(c, i, i * 7, (uint8_t)i));
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(get(c, i), (int)i);
	assert_true(put(c, 5, 9, 77));
	assert_int_equal(get(c, 5), 77);
	assert_int_equal(cache_stats(c).entries, 200);
	assert_int_equal(cache_stats(c).evictions, 0);
	cache_free(c);
}

static void test_too_long(void **state)
{
	struct cache *c = make(1 << 20);
	struct cache_meta m = {.body_len = 1};
	uint8_t octets[CACHE_KEY_MAX + 1] = {0};
	struct cache_key key = {.data = octets, .len = sizeof octets};

	(void)state;
	assert_true(put(c, 1, CACHE_BODY_MAX, 1));
	assert_int_equal(get(c, 1), 1);
	assert_false(put(c, 2, CACHE_BODY_MAX + 1, 1));
	assert_false(cache_put(c, &key, &m, octets, NULL, NULL));
	key.len--;
	assert_true(cache_put(c, &key, &m, octets, NULL, NULL));
	cache_free(c);
}

static bool only_newer(const void *arg, const struct cache_meta *old,
		       const struct cache_meta *new)
{
	assert_string_equal(arg, "argument");
	return new->stored > old->stored;
}

static void test_replace_only_if_allowed(void **state)
{
	struct cache *c = make(1 << 20);
	struct cache_meta m = {.stored = 10, .body_len = 1};
	struct named n;

	(void)state;
	name(&n, 1);
	assert_true(
	    cache_put(c, &n.key, &m, (const uint8_t *)"a", only_newer, "argument"));
	m.stored = 9;
	assert_false(
	    cache_put(c, &n.key, &m, (const uint8_t *)"b", only_newer, "argument"));
	assert_int_equal(get(c, 1), 'a');
	m.stored = 11;
	assert_true(
	    cache_put(c, &n.key, &m, (const uint8_t *)"c", only_newer, "argument"));
	assert_int_equal(get(c, 1), 'c');
	assert_int_equal(cache_stats(c).entries, 1);
	cache_free(c);
}

static bool once(const void *arg, struct cache_meta *m)
{
	bool first = !m->renewing;

	(void)arg;
	m->renewing = true;
	return first;
}

static void test_change(void **state)
{
	struct cache *c = make(1 << 20);
	struct named n;

	(void)state;
	assert_false(cache_change(c, name(&n, 1), once, NULL));
	put(c, 1, 300, 5);
	assert_true(cache_change(c, name(&n, 1), once, NULL));
	assert_false(cache_change(c, name(&n, 1), once, NULL));
	assert_int_equal(get(c, 1), 5);
	cache_free(c);
}

static bool ends_in_7(const void *arg, const uint8_t *key, size_t len)
{
	(void)arg;
	return key[len - 1] == '7';
}

static bool count(void *arg, const uint8_t *key, size_t len, const struct cache_meta *m,
		  const uint8_t *body)
{
	unsigned *left = arg;

	assert_memory_equal(key, "name-", 5);
	assert_true(len > 5 && m->body_len == 200 && body[199] == body[0]);
	return --*left > 0;
}

static void test_remove_and_each(void **state)
{
	struct cache *c = make(1 << 20);
	unsigned left = 1000;
	uint64_t bytes;

	(void)state;
	bytes = cache_stats(c).bytes;
	for (unsigned i = 0; i < 100; i++)
		put(c, i, 200, (uint8_t)i);
	assert_int_equal(cache_remove(c, ends_in_7, NULL), 10);
	assert_int_equal(get(c, 17), -1);
	assert_int_equal(get(c, 18), 18);
	cache_each(c, count, &left);
	assert_int_equal(left, 910);
	left = 5;
	cache_each(c, count, &left);
	assert_int_equal(left, 0);
	for (unsigned i = 0; i < 100; i++)
		put(c, i, 200, 1);
	cache_free(c);
	c = make(1 << 20);
	assert_int_equal(cache_stats(c).bytes, bytes);
	cache_free(c);
}

static bool all(const void *arg, const uint8_t *key, size_t len)
{
	(void)arg;
	return key && len;
}

/* All blocks come back: a thousand fillings later as much fits as at first. */
static void test_no_block_is_lost(void **state)
{
	struct cache *c = make(CACHE_SIZE_MIN);
	uint64_t bytes = cache_stats(c).bytes;
	struct cache_stats s;

	(void)state;
	for (unsigned i = 0; i < 200000; i++)
		put(c, i, i % 500, (uint8_t)i);
	s = cache_stats(c);
	assert_true(s.bytes <= s.size && s.evictions > 190000);
	assert_true(s.entries > 300);
	for (unsigned i = 0; i < 30; i++)
		assert_true(put(c, i, CACHE_BODY_MAX, 3));
	s = cache_stats(c);
	assert_true(s.bytes <= s.size);
	(void)cache_remove(c, all, NULL);
	assert_int_equal(cache_stats(c).entries, 0);
	assert_int_equal(cache_stats(c).bytes, bytes);
	cache_free(c);
}

/* A thousand popular names, and twenty times what fits of names that are asked once. */
static void test_a_scan_does_not_empty_it(void **state)
{
	struct cache *c = make(1 << 20); /* some 7,000 blocks */
	unsigned kept = 0, scanned = 1000000;

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		put(c, i, 60, 1);
	for (unsigned round = 0; round < 40; round++) {
		for (unsigned i = 0; i < 1000; i++)
			(void)get(c, i);
		for (unsigned i = 0; i < 3500; i++)
			put(c, scanned++, 60, 2);
	}
	for (unsigned i = 0; i < 1000; i++)
		kept += get(c, i) == 1;
	assert_true(kept >= 950);
	cache_free(c);
}

/* ---- threads ---- */

#define NAMES 64
#define TURNS 30000

struct hammer {
	struct cache *cache;
	unsigned seed;
	bool broken;
};

static bool any(const void *arg, const uint8_t *key, size_t len)
{
	(void)arg;
	(void)len;
	return key[5] & 1;
}

static void *strike(void *arg)
{
	struct hammer *h = arg;
	uint32_t r = h->seed;
	struct named n;

	for (unsigned i = 0; i < TURNS; i++) {
		unsigned number;

		r = r * 1664525 + 1013904223;
		number = (r >> 8) % NAMES;
		if (r >> 30 == 0)
			put(h->cache, number, (r >> 14) % 600, (uint8_t)(r >> 20));
		else if (r >> 26 == 63)
			put(h->cache, 1000 + i, 3000, 1); /* drives others out */
		else if (r >> 24 == 254)
			cache_remove(h->cache, any, NULL);
		else if (r >> 26 == 62)
			cache_change(h->cache, name(&n, number), once, NULL);
		else
			h->broken |= get(h->cache, number) == -2;
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	struct cache *c = make(CACHE_SIZE_MIN);
	struct hammer h[2] = {{c, 1, false}, {c, 2, false}};
	pthread_t other;

	(void)state;
	assert_int_equal(pthread_create(&other, NULL, strike, &h[1]), 0);
	strike(&h[0]);
	pthread_join(other, NULL);
	assert_false(h[0].broken || h[1].broken);
	assert_true(cache_stats(c).bytes <= cache_stats(c).size);
	cache_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_put_and_get),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_replace_only_if_allowed),
	    cmocka_unit_test(test_change),
	    cmocka_unit_test(test_remove_and_each),
	    cmocka_unit_test(test_no_block_is_lost),
	    cmocka_unit_test(test_a_scan_does_not_empty_it),
	    cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
