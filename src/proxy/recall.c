/* recall: keys, ages, and the room in which an answer is packed and unpacked. */
#include "proxy/recall.h"

#include <errno.h>
#include <stdlib.h>

#include "dns/message.h"

/* What is kept is unpacked once more with the question in front. */
#define ROOM (ANSWER_HEADROOM + CACHE_BODY_MAX)

_Static_assert(CACHE_BODY_MAX >= ANSWER_MAX, "any packed answer can be put");
_Static_assert(CACHE_KEY_MAX >= QUESTION_KEY_MAX + 1, "any key can be put");

/* The bits of a key. */
#define KEY_DO 1u
#define KEY_CD 2u

/* An answer is renewed in the last tenth of its time. */
#define RENEW_PART 10

enum { EDE_STALE = 3, EDE_CACHED_ERROR = 13, EDE_STALE_NXDOMAIN = 19 }; /* RFC 8914 */

struct recall {
	struct recall_options options;
	uint8_t room[ROOM];
};

int recall_new(struct recall **out, const struct recall_options *o)
{
	struct recall *m = malloc(sizeof *m);

	if (!m)
		return -ENOMEM;
	m->options = *o;
	*out = m;
	return 0;
}

void recall_free(struct recall *m)
{
	free(m);
}

void asked_make(struct asked *a, const struct query *q)
{
	a->bits =
	    (uint8_t)((q->edns.do_bit ? KEY_DO : 0) | (q->flags & DNS_CD ? KEY_CD : 0));
	a->question_len = question_key(&q->question, a->key);
	a->key[a->question_len] = a->bits;
}

static struct cache_key key_of(const struct asked *a)
{
	return (struct cache_key){.hash = cache_hash(a->question, a->bits),
				  .data = a->key,
				  .len = a->question_len + 1};
}

static uint8_t *packed(struct recall *m)
{
	return m->room + ANSWER_HEADROOM;
}

/* Another worker's clock may be one round ahead. */
static uint32_t since(uint32_t then, uint32_t now)
{
	return now > then ? now - then : 0;
}

/* ---- finding ---- */

static bool set_renewing(const void *arg, struct cache_meta *m)
{
	bool first = !m->renewing;

	(void)arg;
	m->renewing = true;
	return first;
}

/* Popular, near its end, and nobody else does it. */
static bool is_due(struct recall *m, const struct cache_key *key,
		   const struct cache_meta *meta, uint32_t age, unsigned heat)
{
	return heat > 0 && meta->ttl >= RENEW_PART &&
	       meta->ttl - age <= meta->ttl / RENEW_PART && !meta->renewing &&
	       meta->kind != ANSWER_FAILURE &&
	       cache_change(m->options.cache, key, set_renewing, NULL);
}

static bool is_of_use(const struct recall *m, const struct cache_meta *meta, uint32_t age)
{
	return meta->kind != ANSWER_FAILURE && age - meta->ttl < m->options.serve_stale;
}

static bool unpack_stale(struct recall *m, const struct cache_meta *meta,
			 const struct question *q, const char *why, struct response *r)
{
	if (answer_unpack(r, packed(m), meta->body_len, q, 0, true) < 0)
		return false;
	answer_add_ede(r, r->rcode == RCODE_NXDOMAIN ? EDE_STALE_NXDOMAIN : EDE_STALE,
		       why);
	return true;
}

void recall_expect(const struct recall *m, const struct asked *a)
{
	if (m->options.cache)
		cache_prefetch(m->options.cache, cache_hash(a->question, a->bits));
}

enum recalled recall_find(struct recall *m, const struct asked *a,
			  const struct question *q, uint32_t now, struct response *r)
{
	struct cache_key key = key_of(a);
	struct cache_meta meta;
	unsigned heat;
	uint32_t age;

	if (!m->options.cache ||
	    !cache_get(m->options.cache, &key, &meta, packed(m), &heat))
		return RECALL_NOTHING;
	age = since(meta.stored, now);
	if (age < meta.ttl) {
		if (answer_unpack(r, packed(m), meta.body_len, q, age, false) < 0)
			return RECALL_NOTHING;
		if (meta.kind == ANSWER_FAILURE)
			answer_add_ede(r, EDE_CACHED_ERROR, "");
		return is_due(m, &key, &meta, age, heat) ? RECALL_DUE : RECALL_FRESH;
	}
	if (!is_of_use(m, &meta, age))
		return RECALL_NOTHING;
	if (meta.tried && since(meta.tried, now) < m->options.limits.failure_ttl &&
	    unpack_stale(m, &meta, q, "could not be renewed", r))
		return RECALL_STALE_NOW;
	return RECALL_STALE;
}

bool recall_stale(struct recall *m, const struct asked *a, const struct question *q,
		  uint32_t now, enum reason why, struct response *r)
{
	struct cache_key key = key_of(a);
	struct cache_meta meta;
	unsigned heat;
	uint32_t age;

	if (!m->options.cache ||
	    !cache_get(m->options.cache, &key, &meta, packed(m), &heat))
		return false;
	age = since(meta.stored, now);
	if (age < meta.ttl) /* it has been renewed meanwhile */
		return meta.kind != ANSWER_FAILURE &&
		       answer_unpack(r, packed(m), meta.body_len, q, age, false) == 0;
	return is_of_use(m, &meta, age) &&
	       unpack_stale(m, &meta, q, why == REASON_NONE ? "" : reason_word(why), r);
}

static bool set_tried(const void *arg, struct cache_meta *m)
{
	m->tried = *(const uint32_t *)arg;
	return true;
}

void recall_tried(struct recall *m, const struct asked *a, uint32_t now)
{
	struct cache_key key = key_of(a);

	if (m->options.cache)
		(void)cache_change(m->options.cache, &key, set_tried, &now);
}

/* ---- keeping ---- */

/* A failure takes no good answer's place while that is of use. */
static bool may_replace(const void *arg, const struct cache_meta *old,
			const struct cache_meta *new)
{
	const struct recall *m = arg;
	uint32_t age = since(old->stored, new->stored);

	return new->kind != ANSWER_FAILURE || old->kind == ANSWER_FAILURE ||
	       (age >= old->ttl && !is_of_use(m, old, age));
}

static void put(struct recall *m, const struct asked *a, const struct answer_life *life,
		size_t len, uint32_t now)
{
	const struct cache_meta meta = {.stored = now,
					.ttl = life->ttl,
					.body_len = (uint16_t)len,
					.kind = (uint8_t)life->kind};
	struct cache_key key = key_of(a);

	(void)cache_put(m->options.cache, &key, &meta, packed(m), may_replace, m);
}

const struct response *recall_store(struct recall *m, const struct asked *a,
				    const struct query *q, const struct response *r,
				    uint32_t now, struct response *kept)
{
	struct answer_life life;
	size_t len;

	if (!m->options.cache)
		return r;
	len = answer_pack(packed(m), r, &m->options.limits, &life);
	if (len == 0)
		return r;
	if (life.keep && q->flags & DNS_RD)
		put(m, a, &life, len, now);
	return answer_unpack(kept, packed(m), len, &q->question, 0, false) == 0 ? kept
										: r;
}

void recall_failure(struct recall *m, const struct asked *a, uint32_t now,
		    enum reason why, const char *text)
{
	struct answer_life life;
	size_t len;

	if (!m->options.cache)
		return;
	len = answer_pack_failure(packed(m), RCODE_SERVFAIL, (uint16_t)reason_ede(why),
				  text, &m->options.limits, &life);
	if (len > 0 && life.keep)
		put(m, a, &life, len, now);
}
