/* file: writing and reading the cache's file. */
#include "cache/file.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/state_file.h"
#include "dns/message.h"
#include "dns/octets.h"

#define MAGIC "dotgateC"
#define VERSION 1
#define ORDER 0x01020304u

/* Answers older than this (30 days) are of no use to anybody. */
#define AGE_MAX (30u * 86400)

struct file_head {
	char magic[8];
	uint32_t version, order;
	int64_t wall;
	uint64_t count;
};

struct entry_head {
	uint32_t age;
	uint16_t key_len, body_len;
};

/* All bits behind a question in a key. */
#define KEY_BITS 3u

#define SUM_LEN sizeof(uint64_t)
#define FILE_MIN (sizeof(struct file_head) + SUM_LEN)

/* The key of the checksum is no secret: it finds damage, not malice. */
static const struct hash_key sum_key = {UINT64_C(0x646f746761746520),
					UINT64_C(0x6361636865206631)};

static uint64_t sum_add(uint64_t sum, const void *data, size_t len)
{
	return (sum << 1 | sum >> 63) ^ hash_bytes(&sum_key, data, len);
}

/* Octets that are summed at a time: so it does not matter how they were written. */
#define SUM_PART 4096

uint64_t cache_file_sum(FILE *in, uint64_t len)
{
	uint8_t part[SUM_PART];
	uint64_t sum = 0;

	rewind(in);
	while (len > 0) {
		size_t n = len < sizeof part ? (size_t)len : sizeof part;

		if (fread(part, 1, n, in) != n)
			return ~sum;
		sum = sum_add(sum, part, n);
		len -= n;
	}
	return sum;
}

/* ---- saving ---- */

struct saving {
	FILE *out;
	uint32_t now;
	uint64_t count;
};

static bool save_entry(void *arg, const uint8_t *key, size_t key_len,
		       const struct cache_meta *m, const uint8_t *body)
{
	struct saving *s = arg;
	struct entry_head h = {.age = s->now > m->stored ? s->now - m->stored : 0,
			       .key_len = (uint16_t)key_len,
			       .body_len = m->body_len};

	if (m->kind == ANSWER_FAILURE)
		return true;
	s->count++;
	return fwrite(&h, sizeof h, 1, s->out) == 1 &&
	       fwrite(key, key_len, 1, s->out) == 1 &&
	       fwrite(body, m->body_len, 1, s->out) == 1;
}

struct save {
	struct cache *cache;
	const struct cache_clock *clock;
};

/* Returns the number of answers, or -errno. */
static int64_t write_all(void *arg, FILE *out)
{
	const struct save *save = arg;
	struct saving s = {.out = out, .now = save->clock->now};
	struct file_head h = {.magic = MAGIC,
			      .version = VERSION,
			      .order = ORDER,
			      .wall = save->clock->wall};
	uint64_t sum;
	long len;

	(void)fwrite(&h, sizeof h, 1, out);
	cache_each(save->cache, save_entry, &s);
	len = ftell(out);
	h.count = s.count;
	rewind(out);
	(void)fwrite(&h, sizeof h, 1, out);
	if (len < 0 || fflush(out) != 0 || ferror(out))
		return -EIO;
	sum = cache_file_sum(out, (uint64_t)len);
	(void)fseek(out, len, SEEK_SET);
	return fwrite(&sum, sizeof sum, 1, out) == 1 ? (int64_t)s.count : -EIO;
}

int64_t cache_save(struct cache *c, const char *path, const struct cache_clock *clock)
{
	struct save save = {c, clock};

	return state_file_write(path, write_all, &save);
}

/* ---- loading ---- */

/* Room for one answer, packed and as a message; a worker's stack would be too small. */
struct loading {
	const struct cache_load *options;
	uint32_t elapsed; /* since the file was written */
	bool expired;	  /* how long is not known */
	uint8_t key[CACHE_KEY_MAX];
	uint8_t room[ANSWER_HEADROOM + CACHE_BODY_MAX];
	uint8_t packed[ANSWER_MAX]; /* anew */
	uint8_t message[DNS_HEADER_LEN + QUESTION_KEY_MAX + CACHE_BODY_MAX];
};

static bool never(const void *arg, const struct cache_meta *old,
		  const struct cache_meta *new)
{
	(void)arg;
	(void)old;
	(void)new;
	return false;
}

/* The question of a key: a valid name in lower case, type, class, bits. */
static bool read_key(const uint8_t *key, size_t len, struct question *q)
{
	struct cursor c = cursor_make(key, len);
	uint8_t lower[NAME_MAX_LEN];

	*q = question_read(&c);
	if (c.bad || cursor_left(&c) != 1)
		return false;
	name_lower(lower, q->name, q->name_len);
	return memcmp(lower, q->name, q->name_len) == 0;
}

/* Makes the unpacked answer R to the question of KEY a message, and reads that. */
static bool read_again(struct loading *l, const struct response *r,
		       const struct question *q, struct response *again)
{
	struct writer w = writer_make(l->message, sizeof l->message);

	writer_u16(&w, 0);
	writer_u16(&w, (uint16_t)((r->flags & ~0x780fu) | DNS_QR | (r->rcode & 15)));
	writer_u16(&w, 1);
	writer_u16(&w, r->answers);
	writer_u16(&w, r->authorities);
	writer_u16(&w, r->additionals);
	writer_bytes(&w, q->name, q->name_len + 4);
	writer_bytes(&w, r->wire + r->question_end, r->body_end - r->question_end);
	if (w.full || response_read(again, l->message, w.pos) < 0)
		return false;
	if (again->len != w.pos || again->edns.present)
		return false;
	again->edns.ede_count = r->edns.ede_count;
	memcpy(again->edns.ede, r->edns.ede, sizeof again->edns.ede);
	for (unsigned i = 0; i < r->edns.ede_count; i++)
		if (r->edns.ede[i].text_len > EDE_TEXT_MAX)
			return false;
	return true;
}

static bool put_entry(struct cache *c, struct loading *l, const struct question *q,
		      size_t key_len, const struct answer_life *life, uint32_t age,
		      size_t len)
{
	struct cache_meta m = {
	    .ttl = life->ttl, .kind = (uint8_t)life->kind, .body_len = (uint16_t)len};
	const struct cache_key key = {
	    .hash = cache_hash(hash_bytes(l->options->key, l->key, q->name_len + 4),
			       l->key[key_len - 1]),
	    .data = l->key,
	    .len = key_len};

	if (l->expired && age < life->ttl)
		age = life->ttl;
	m.stored = l->options->clock.now - age;
	return cache_put(c, &key, &m, l->packed, never, NULL);
}

/* One answer. 1: put; 0: of no use; -EBADMSG. */
static int load_entry(struct cache *c, struct loading *l, FILE *in)
{
	struct answer_life life;
	struct response r, again;
	struct entry_head h;
	struct question q;
	size_t len;
	uint64_t age;

	if (fread(&h, sizeof h, 1, in) != 1 || h.key_len > sizeof l->key ||
	    h.body_len > CACHE_BODY_MAX || !h.key_len || !h.body_len)
		return -EBADMSG;
	if (fread(l->key, h.key_len, 1, in) != 1 ||
	    fread(l->room + ANSWER_HEADROOM, h.body_len, 1, in) != 1)
		return -EBADMSG;
	if (!read_key(l->key, h.key_len, &q) || l->key[h.key_len - 1] > KEY_BITS ||
	    answer_unpack(&r, l->room + ANSWER_HEADROOM, h.body_len, &q, 0, false) < 0 ||
	    !read_again(l, &r, &q, &again))
		return -EBADMSG;
	age = (uint64_t)h.age + l->elapsed;
	if (age > AGE_MAX)
		return 0;
	len = answer_pack(l->packed, &again, &l->options->limits, &life);
	return len > 0 && life.keep && life.kind != ANSWER_FAILURE &&
	       put_entry(c, l, &q, h.key_len, &life, (uint32_t)age, len);
}

static int check_head(const struct file_head *h)
{
	if (memcmp(h->magic, MAGIC, sizeof h->magic) != 0 || h->order != ORDER)
		return -EBADMSG;
	return h->version == VERSION ? 0 : -EPROTO;
}

static void set_elapsed(struct loading *l, int64_t then)
{
	int64_t elapsed = l->options->clock.wall - then;

	l->expired = elapsed < 0;
	if (elapsed > 0)
		l->elapsed = elapsed < AGE_MAX ? (uint32_t)elapsed : AGE_MAX + 1;
}

int64_t cache_load_stream(struct cache *c, FILE *in, uint64_t size,
			  const struct cache_load *o)
{
	struct loading *l;
	struct file_head h;
	int64_t loaded = 0;
	uint64_t sum;
	int r;

	if (size > cache_stats(c).size)
		return -EFBIG;
	if (size < FILE_MIN || fread(&h, sizeof h, 1, in) != 1)
		return -EBADMSG;
	r = check_head(&h);
	if (r < 0)
		return r;
	sum = cache_file_sum(in, size - SUM_LEN);
	if (fread(&h.count, sizeof h.count, 1, in) != 1 || h.count != sum)
		return -EBADMSG;
	l = calloc(1, sizeof *l);
	if (!l)
		return -ENOMEM;
	l->options = o;
	rewind(in);
	if (fread(&h, sizeof h, 1, in) != 1)
		h.count = 0;
	set_elapsed(l, h.wall);
	for (uint64_t i = 0; i < h.count && r >= 0; i++) {
		r = load_entry(c, l, in);
		loaded += r > 0;
	}
	free(l);
	return r < 0 ? r : loaded;
}

static void set_aside(const char *path)
{
	char bad[PATH_MAX];

	if (snprintf(bad, sizeof bad, "%s.bad", path) < (int)sizeof bad)
		(void)rename(path, bad);
}

int64_t cache_load(struct cache *c, const char *path, const struct cache_load *o)
{
	uint64_t size;
	int fd = state_file_open(path, &size);
	int64_t r;
	FILE *in;

	if (fd < 0)
		return fd;
	in = fdopen(fd, "r");
	if (!in) {
		close(fd);
		return -ENOMEM;
	}
	r = cache_load_stream(c, in, size, o);
	(void)fclose(in);
	if (r == -EBADMSG || r == -EPROTO || r == -EFBIG)
		set_aside(path);
	return r;
}

const char *cache_file_error(int64_t error)
{
	switch (error) {
	case -EBADMSG:
		return "damaged, or not a cache file; set aside as .bad";
	case -EPROTO:
		return "of another version; set aside as .bad";
	case -EFBIG:
		return "larger than cache-size; set aside as .bad";
	case -EPERM:
		return "not used: it is no plain file of ours that only we may write";
	default:
		return strerror((int)-error);
	}
}
