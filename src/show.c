/* show: records in presentation format; data of types without a format here as RFC 3597 has it. */
#include "show.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/metric.h"
#include "cache/answer.h"
#include "dns/message.h"
#include "dns/octets.h"
#include "dns/qtype.h"

/* Bits behind the question in a key. */
#define KEY_DO 1u
#define KEY_CD 2u

static void put_type(FILE *out, uint16_t type)
{
	unsigned slot = qtype_slot(type);

	if (slot < METRIC_TYPES - 1)
		fputs(qtype_slot_word(slot), out);
	else
		fprintf(out, "TYPE%u", type);
}

static void put_name(FILE *out, struct cursor *c)
{
	uint8_t name[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX];
	size_t len = name_expand(c, name);

	fputs(len ? name_text(name, len, text) : "?", out);
}

static void put_unknown(FILE *out, const uint8_t *data, size_t len)
{
	fprintf(out, "\\# %zu", len);
	for (size_t i = 0; i < len; i++)
		fprintf(out, "%s%02x", i ? "" : " ", data[i]);
}

static void put_data(FILE *out, struct cursor *c, uint16_t type, size_t len)
{
	struct cursor data = *c;
	char text[INET6_ADDRSTRLEN];

	switch (type) {
	case TYPE_A:
		fputs(len == 4
			  ? inet_ntop(AF_INET, data.data + data.pos, text, sizeof text)
			  : "?",
		      out);
		break;
	case TYPE_AAAA:
		fputs(len == 16
			  ? inet_ntop(AF_INET6, data.data + data.pos, text, sizeof text)
			  : "?",
		      out);
		break;
	case TYPE_CNAME:
	case TYPE_NS:
	case TYPE_PTR:
	case TYPE_DNAME:
		put_name(out, &data);
		break;
	default:
		put_unknown(out, data.data + data.pos, len);
	}
}

static void put_record(FILE *out, struct cursor *c)
{
	uint16_t type, class, len;
	uint32_t ttl;

	fputs("  ", out);
	put_name(out, c);
	type = cursor_u16(c);
	class = cursor_u16(c);
	ttl = cursor_u32(c);
	len = cursor_u16(c);
	if (c->bad || len > cursor_left(c)) {
		c->bad = true;
		return;
	}
	fprintf(out, " %" PRIu32 " ", ttl);
	if (class == CLASS_IN)
		fputs("IN ", out);
	else
		fprintf(out, "CLASS%u ", class);
	put_type(out, type);
	fputc(' ', out);
	put_data(out, c, type, len);
	fputc('\n', out);
	cursor_skip(c, len);
}

static void put_head(FILE *out, const uint8_t *key, size_t key_len,
		     const struct cache_meta *m, uint32_t age, unsigned rcode)
{
	char text[NAME_TEXT_MAX];
	uint8_t bits = key[key_len - 1];

	fprintf(out, "%s ", name_text(key, key_len - 5, text));
	put_type(out, load16(key + key_len - 5));
	fprintf(out, "%s%s: rcode %u, ", bits & KEY_DO ? " DO" : "",
		bits & KEY_CD ? " CD" : "", rcode);
	if (age < m->ttl)
		fprintf(out, "fresh for %" PRIu32 " s\n", m->ttl - age);
	else
		fprintf(out, "stale for %" PRIu32 " s\n", age - m->ttl);
}

void show_entry(FILE *out, const uint8_t *key, size_t key_len, const struct cache_meta *m,
		const uint8_t *body, uint32_t now)
{
	const struct question q = {.name = key, .name_len = key_len - 5};
	uint32_t age = now > m->stored ? now - m->stored : 0;
	uint8_t *room = calloc(1, ANSWER_HEADROOM + CACHE_BODY_MAX);
	struct response r;
	struct cursor c;

	if (!room)
		return;
	memcpy(room + ANSWER_HEADROOM, body, m->body_len);
	if (answer_unpack(&r, room + ANSWER_HEADROOM, m->body_len, &q, age, false) == 0) {
		/* the records' names lead to the question's, which is not kept; what is
		 * written over has been used */
		memcpy((uint8_t *)(uintptr_t)r.wire + DNS_HEADER_LEN, key, q.name_len);
		put_head(out, key, key_len, m, age, r.rcode);
		c = cursor_make(r.wire, r.body_end);
		c.pos = r.question_end;
		for (int n = r.answers + r.authorities + r.additionals; n > 0 && !c.bad;
		     n--)
			put_record(out, &c);
	}
	free(room);
}
