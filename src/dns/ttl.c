/* ttl: one walk over the records of a response that has been validated. */
#include "dns/ttl.h"

#include "dns/message.h"
#include "dns/octets.h"

struct record {
	bool plain; /* an address of the question's name */
	uint16_t type;
	size_t ttl_at; /* in the message */
	uint32_t ttl;
	size_t data_end;
};

static struct record record_next(struct cursor *c)
{
	struct record r;

	r.plain = cursor_left(c) >= 2 && load16(c->data + c->pos) == POINTER_TO_QUESTION;
	name_skip(c);
	r.type = cursor_u16(c);
	r.plain &= r.type == TYPE_A || r.type == TYPE_AAAA;
	cursor_skip(c, 2);
	r.ttl_at = c->pos;
	r.ttl = ttl_read(cursor_u32(c));
	cursor_skip(c, cursor_u16(c));
	r.data_end = c->pos;
	return r;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* MINIMUM is the last number of a SOA's data, which response_read() has found whole. */
static uint32_t soa_ttl(const struct cursor *c, const struct record *soa)
{
	struct cursor minimum = cursor_make(c->data, soa->data_end);

	cursor_skip(&minimum, soa->data_end - 4);
	return least(soa->ttl, ttl_read(cursor_u32(&minimum)));
}

void ttl_scan(const struct response *r, struct ttls *out)
{
	struct cursor c = cursor_make(r->wire, r->body_end);
	unsigned authority = r->answers;
	unsigned additional = authority + r->authorities;
	unsigned count = additional + r->additionals;

	out->too_many = count > TTLS_MAX;
	out->plain = true;
	out->answered = false;
	out->least = out->negative = TTL_NONE;
	out->count = 0;
	cursor_skip(&c, r->question_end);
	for (unsigned i = 0; i < count && !out->too_many; i++) {
		struct record record = record_next(&c);

		if (c.bad)
			break;
		out->at[out->count++] = (uint16_t)(record.ttl_at - r->question_end);
		out->plain &= record.plain;
		out->least = least(out->least, record.ttl);
		if (i < authority)
			out->answered |= record.type == r->question.type ||
					 r->question.type == TYPE_ANY;
		else if (i < additional && record.type == TYPE_SOA)
			out->negative = least(out->negative, soa_ttl(&c, &record));
	}
}
