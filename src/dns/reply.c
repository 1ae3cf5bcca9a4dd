/* reply: what a client is sent. */
#include "dns/reply.h"

#include <assert.h>

#include "dns/octets.h"

/* What an EDE has before its text. */
#define EDE_HEAD (OPTION_HEAD + 2)
#define KEEPALIVE_LEN (OPTION_HEAD + 2)

/* Opcode as the client sent it: an error reply may be to any. */
#define OPCODE_BITS 0x7800u

/* What a reply to Q has of Q's flags, and those of every reply. RA and CD are words about a
 * QUERY: to another opcode they would claim what nobody knows (RFC 1035 4.1.1, 4035 3.2.2). */
static unsigned flags_of(const struct query *q)
{
	unsigned common = DNS_QR | (q->flags & (OPCODE_BITS | DNS_RD));

	return DNS_OPCODE(q->flags) == 0 ? common | DNS_RA | (q->flags & DNS_CD) : common;
}

/* Rcodes above need the upper bits in an OPT. */
#define RCODE_HEADER_MAX 15

struct counts {
	uint16_t answers, authorities, additionals;
};

/* Header and question. FLAGS are those beyond what every reply has. */
static void head_write(struct writer *w, const struct query *q, unsigned rcode,
		       unsigned flags, struct counts n)
{
	uint8_t *p = writer_room(w, DNS_HEADER_LEN);

	if (!p)
		return;
	if (rcode > RCODE_HEADER_MAX && !q->edns.present)
		rcode = RCODE_SERVFAIL;
	flags |= flags_of(q);
	store16(p, q->id);
	store16(p + 2, flags | (rcode & RCODE_HEADER_MAX));
	store16(p + 4, q->question.name_len != 0);
	store16(p + 6, n.answers);
	store16(p + 8, n.authorities);
	store16(p + 10, n.additionals + (unsigned)q->edns.present);
	if (q->question.name_len == 0)
		return;
	writer_bytes(w, q->question.name, q->question.name_len);
	writer_u16(w, q->question.type);
	writer_u16(w, q->question.class);
}

/* Writes the EDEs that fit before LIMIT, and returns their octets. */
static size_t edes_write(struct writer *w, size_t limit, const struct ede *ede, size_t n)
{
	size_t start = w->pos;

	for (size_t i = 0; i < n; i++) {
		if (w->pos + EDE_HEAD + ede[i].text_len > limit)
			continue;
		writer_u16(w, OPTION_EDE);
		writer_u16(w, (uint16_t)(ede[i].text_len + 2));
		writer_u16(w, ede[i].code);
		writer_bytes(w, ede[i].text, ede[i].text_len);
	}
	return w->pos - start;
}

/* The octets of an OPT without EDEs in a reply to Q. */
static size_t opt_len(const struct query *q, uint16_t keepalive_100ms)
{
	if (!q->edns.present)
		return 0;
	return keepalive_100ms ? OPT_LEN + KEEPALIVE_LEN : OPT_LEN;
}

static void opt_write(struct writer *w, const struct query *q, unsigned rcode,
		      uint16_t keepalive_100ms, const struct ede *ede, size_t edes)
{
	uint8_t *p = writer_room(w, OPT_LEN);
	size_t options = 0;

	if (!p)
		return;
	memset(p, 0, OPT_LEN);
	p[2] = TYPE_OPT;
	store16(p + 3, OPT_SIZE);
	p[5] = (uint8_t)(rcode >> 4);
	p[7] = q->edns.do_bit ? 0x80 : 0;
	if (keepalive_100ms) {
		writer_u16(w, OPTION_KEEPALIVE);
		writer_u16(w, 2);
		writer_u16(w, keepalive_100ms);
		options = KEEPALIVE_LEN;
	}
	options += edes_write(w, q->limit, ede, edes);
	store16(p + 9, (unsigned)options);
}

size_t reply_from_response(uint8_t *out, size_t cap, const struct query *q,
			   const struct response *r, uint16_t keepalive_100ms)
{
	struct writer w = writer_make(out, cap);
	struct counts n = {r->answers, r->authorities, r->additionals};
	size_t body = r->body_end - r->question_end;
	unsigned flags = r->flags & DNS_TC;

	/* else the pointers in the body would not lead to where they did */
	assert(q->question.name_len == r->question.name_len);
	if (r->question_end + body + opt_len(q, keepalive_100ms) > q->limit) {
		n = (struct counts){0};
		body = 0;
		flags = DNS_TC;
	}
	if (q->flags & DNS_AD || q->edns.do_bit)
		flags |= r->flags & DNS_AD;
	head_write(&w, q, r->rcode, flags, n);
	writer_bytes(&w, r->wire + r->question_end, body);
	if (q->edns.present)
		opt_write(&w, q, r->rcode, keepalive_100ms, r->edns.ede,
			  r->edns.ede_count);
	return w.full ? 0 : w.pos;
}

size_t reply_error(uint8_t *out, const struct query *q, unsigned rcode, int ede_code,
		   const char *text, uint16_t keepalive_100ms)
{
	struct writer w = writer_make(out, REPLY_ERROR_MAX);
	struct ede ede = {.code = (uint16_t)ede_code};
	size_t max;

	head_write(&w, q, rcode, 0, (struct counts){0});
	if (!q->edns.present)
		return w.pos;
	if (ede_code >= 0 && text) {
		max = w.pos + opt_len(q, keepalive_100ms) + EDE_HEAD;
		max = q->limit > max ? q->limit - max : 0;
		max = max < EDE_TEXT_MAX ? max : EDE_TEXT_MAX;
		ede.text = (const uint8_t *)text;
		ede.text_len = (uint16_t)utf8_cut(ede.text, strlen(text), max);
	}
	opt_write(&w, q, rcode, keepalive_100ms, &ede, ede_code >= 0);
	return w.pos;
}
