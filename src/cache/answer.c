/* answer: packing and unpacking. */
#include "cache/answer.h"

#include <errno.h>

#include "dns/message.h"
#include "dns/octets.h"
#include "dns/ttl.h"

/* In front of the list of TTLs, the EDEs and the records. */
struct head {
	uint16_t flags, rcode;
	uint16_t answers, authorities, additionals;
	uint16_t ttls;
	uint16_t edes_len;
	uint8_t edes;
};

_Static_assert(TTLS_MAX == 1490, "ANSWER_OVERHEAD_MAX counts them");
_Static_assert(sizeof(struct head) <= 16, "ANSWER_OVERHEAD_MAX counts it");

/* ---- what is kept, and how long ---- */

static uint32_t clamp(uint32_t ttl, uint32_t min, uint32_t max)
{
	if (ttl > max)
		ttl = max;
	return ttl < min ? min : ttl;
}

/* Meta-types stand for no data of their own; ANY is answered with some (RFC 8482). */
static bool is_meta(uint16_t type)
{
	return type == TYPE_OPT || (type >= TYPE_NXNAME && type < TYPE_ANY);
}

static bool is_failure(unsigned rcode)
{
	return rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED;
}

static struct answer_life judge(const struct response *r, const struct ttls *t,
				const struct answer_limits *l)
{
	struct answer_life life = {.kind = ANSWER_POSITIVE};
	bool failure = is_failure(r->rcode);

	if (failure || r->rcode == RCODE_NXDOMAIN || !t->answered)
		life.kind = failure ? ANSWER_FAILURE : ANSWER_NEGATIVE;
	if (r->flags & DNS_TC || r->question.class != CLASS_IN ||
	    is_meta(r->question.type))
		return life;
	if (failure) {
		life.ttl = l->failure_ttl;
	} else if (r->rcode != RCODE_NOERROR && r->rcode != RCODE_NXDOMAIN) {
		return life;
	} else if (life.kind == ANSWER_POSITIVE) {
		life.ttl = clamp(t->least, l->ttl_min, l->ttl_max);
		if (t->least == 0)
			life.ttl = 0;
	} else if (t->negative != TTL_NONE) {
		life.ttl = t->negative < t->least ? t->negative : t->least;
		life.ttl = clamp(life.ttl, 0, l->negative_ttl_max);
	}
	life.keep = life.ttl > 0;
	return life;
}

/* ---- packing ---- */

static uint32_t load32(const uint8_t *p)
{
	return (uint32_t)load16(p) << 16 | load16(p + 2);
}

static void store32(uint8_t *p, uint32_t v)
{
	store16(p, v >> 16);
	store16(p + 2, v & 0xffff);
}

/* A TTL of 0 stays 0: it says that the record is for one transaction only. */
static void limit_ttls(uint8_t *records, const struct ttls *t, uint32_t min, uint32_t max)
{
	for (unsigned i = 0; i < t->count; i++) {
		uint32_t ttl = ttl_read(load32(records + t->at[i]));

		store32(records + t->at[i], ttl ? clamp(ttl, min, max) : 0);
	}
}

static size_t edes_pack(uint8_t *out, const struct edns *e)
{
	struct writer w = writer_make(out, ANSWER_OVERHEAD_MAX);

	for (unsigned i = 0; i < e->ede_count; i++) {
		writer_u16(&w, e->ede[i].code);
		writer_u16(&w, e->ede[i].text_len);
		writer_bytes(&w, e->ede[i].text, e->ede[i].text_len);
	}
	return w.pos;
}

static size_t pack(uint8_t *out, const struct response *r, const struct ttls *t)
{
	size_t records = r->body_end - r->question_end;
	size_t ttls = t->count * sizeof t->at[0];
	uint8_t *p = out + sizeof(struct head);
	struct head h = {.flags = r->flags,
			 .rcode = r->rcode,
			 .answers = r->answers,
			 .authorities = r->authorities,
			 .additionals = r->additionals,
			 .ttls = (uint16_t)t->count,
			 .edes = r->edns.ede_count};

	memcpy(p, t->at, ttls);
	p += ttls;
	h.edes_len = (uint16_t)edes_pack(p, &r->edns);
	p += h.edes_len;
	if (records)
		memcpy(p, r->wire + r->question_end, records);
	memcpy(out, &h, sizeof h);
	return (size_t)(p - out) + records;
}

/* Somebody who means ill may let a name's pointer lead into a TTL: other TTLs, and it is no name any
 * more. OUT is only scratch. */
static bool stands_without_ttls(uint8_t *out, const struct response *r,
				const struct ttls *t)
{
	struct response again;

	memcpy(out, r->wire, r->body_end);
	store16(out + 10, r->additionals);
	for (unsigned i = 0; i < t->count; i++)
		store32(out + r->question_end + t->at[i], UINT32_MAX);
	return response_read(&again, out, r->body_end) == 0;
}

size_t answer_pack(uint8_t *out, const struct response *r, const struct answer_limits *l,
		   struct answer_life *life)
{
	size_t records = r->body_end - r->question_end;
	struct ttls t;
	size_t len;

	*life = (struct answer_life){0};
	ttl_scan(r, &t);
	if (t.too_many || records > ANSWER_MAX - ANSWER_OVERHEAD_MAX)
		return 0;
	if (!t.plain && !stands_without_ttls(out, r, &t))
		return 0;
	*life = judge(r, &t, l);
	len = pack(out, r, &t);
	if (life->kind == ANSWER_POSITIVE)
		limit_ttls(out + len - records, &t, l->ttl_min, l->ttl_max);
	else
		limit_ttls(out + len - records, &t, 0,
			   life->keep ? life->ttl : l->ttl_max);
	return len;
}

size_t answer_pack_failure(uint8_t *out, unsigned rcode, uint16_t ede, const char *text,
			   const struct answer_limits *l, struct answer_life *life)
{
	struct response r = {
	    .wire = out, .rcode = (uint16_t)rcode, .question = {.class = CLASS_IN}};

	answer_add_ede(&r, ede, text);
	return answer_pack(out, &r, l, life);
}

/* ---- unpacking ---- */

static void edes_unpack(struct cursor *c, const struct head *h, struct edns *e)
{
	for (unsigned i = 0; i < h->edes && i < EDE_KEPT_MAX; i++) {
		struct ede *ede = &e->ede[i];

		ede->code = cursor_u16(c);
		ede->text_len = cursor_u16(c);
		ede->text = cursor_bytes(c, ede->text_len);
	}
	e->ede_count = h->edes;
}

static int age_ttls(const uint8_t *at, unsigned count, uint8_t *records, size_t len,
		    uint32_t age, bool stale)
{
	for (unsigned i = 0; i < count; i++) {
		uint16_t n;
		uint32_t ttl;

		memcpy(&n, at + i * sizeof n, sizeof n);
		if (n + 4u > len)
			return -EBADMSG;
		ttl = load32(records + n);
		ttl = ttl > age ? ttl - age : 0;
		store32(records + n, stale ? ANSWER_STALE_TTL : ttl);
	}
	return 0;
}

int answer_unpack(struct response *r, uint8_t *packed, size_t len,
		  const struct question *q, uint32_t age, bool stale)
{
	struct cursor c = cursor_make(packed, len);
	const uint8_t *start = cursor_bytes(&c, sizeof(struct head));
	const uint8_t *ttls;
	struct head h;

	if (!start)
		return -EBADMSG;
	memcpy(&h, start, sizeof h);
	ttls = cursor_bytes(&c, h.ttls * sizeof(uint16_t));
	*r = (struct response){.flags = h.flags,
			       .rcode = h.rcode,
			       .question = *q,
			       .question_end = 12 + q->name_len + 4,
			       .answers = h.answers,
			       .authorities = h.authorities,
			       .additionals = h.additionals};
	edes_unpack(&c, &h, &r->edns);
	if (c.bad || h.edes > EDE_KEPT_MAX)
		return -EBADMSG;
	r->wire = packed + c.pos - r->question_end;
	r->len = r->body_end = r->question_end + cursor_left(&c);
	return age_ttls(ttls, h.ttls, packed + c.pos, cursor_left(&c), age, stale);
}

void answer_add_ede(struct response *r, uint16_t code, const char *text)
{
	size_t len = strlen(text);

	if (r->edns.ede_count == EDE_KEPT_MAX)
		return;
	r->edns.ede[r->edns.ede_count++] = (struct ede){
	    .code = code,
	    .text = (const uint8_t *)text,
	    .text_len = (uint16_t)utf8_cut((const uint8_t *)text, len, EDE_TEXT_MAX)};
}
