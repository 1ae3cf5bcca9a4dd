/* cache_dump: a line about the answer, then its records as a zone file has them. */
#include "admin/cache_dump.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cache/answer.h"
#include "dns/message.h"
#include "dns/octets.h"
#include "dns/present.h"

/* Characters of the data of one record: enough for all data in the cache as RFC 3597 has it, and so for all
 * that takes more room in its own format. */
#define DATA_TEXT_MAX (4 * ANSWER_MAX)

/* Bits behind the question in a key. */
#define KEY_DO 1u
#define KEY_CD 2u

static void print_type(FILE *out, uint16_t type)
{
	char text[16] = "";
	struct writer w = writer_make(text, sizeof text - 1);

	present_type(&w, type);
	fputs(text, out);
}

static void print_name(FILE *out, struct cursor *c)
{
	uint8_t name[NAME_MAX_LEN];
	char text[NAME_TEXT_MAX];
	size_t len = name_expand(c, name);

	fputs(len ? name_text(name, len, text) : "?", out);
}

/* A line of a zone file. ROOM has DATA_TEXT_MAX characters. */
static void print_record(FILE *out, struct cursor *c, char *room)
{
	struct writer w = writer_make(room, DATA_TEXT_MAX);
	uint16_t type, class;
	uint32_t ttl;

	fputs("  ", out);
	print_name(out, c);
	type = cursor_u16(c);
	class = cursor_u16(c);
	ttl = cursor_u32(c);
	present_data(&w, c, cursor_u16(c), type, class);
	fprintf(out, " %" PRIu32 " ", ttl);
	if (class == CLASS_IN)
		fputs("IN ", out);
	else
		fprintf(out, "CLASS%u ", class);
	print_type(out, type);
	fprintf(out, " %.*s\n", (int)w.pos, room);
}

static void print_head(FILE *out, const uint8_t *key, size_t key_len,
		       const struct cache_meta *m, uint32_t age, unsigned rcode)
{
	char text[NAME_TEXT_MAX];
	uint8_t bits = key[key_len - 1];

	fprintf(out, "%s ", name_text(key, key_len - 5, text));
	print_type(out, load16(key + key_len - 5));
	fprintf(out, "%s%s: rcode %u, ", bits & KEY_DO ? " DO" : "",
		bits & KEY_CD ? " CD" : "", rcode);
	if (age < m->ttl)
		fprintf(out, "fresh for %" PRIu32 " s\n", m->ttl - age);
	else
		fprintf(out, "stale for %" PRIu32 " s\n", age - m->ttl);
}

static void print_records(FILE *out, const struct response *r)
{
	char *room = malloc(DATA_TEXT_MAX);
	struct cursor c = cursor_make(r->wire, r->body_end);

	c.pos = r->question_end;
	for (int n = r->answers + r->authorities + r->additionals;
	     room && n > 0 && !c.bad; n--)
		print_record(out, &c, room);
	free(room);
}

void cache_dump_entry(FILE *out, const uint8_t *key, size_t key_len,
		      const struct cache_meta *m, const uint8_t *body, uint32_t now)
{
	const struct question q = {.name = key, .name_len = key_len - 5};
	uint32_t age = now > m->stored ? now - m->stored : 0;
	uint8_t *room = calloc(1, ANSWER_HEADROOM + CACHE_BODY_MAX);
	struct response r;

	if (!room)
		return;
	memcpy(room + ANSWER_HEADROOM, body, m->body_len);
	if (answer_unpack(&r, room + ANSWER_HEADROOM, m->body_len, &q, age, false) == 0) {
		/* the records' names lead to the question's, which is not kept; what is
		 * written over has been used */
		memcpy((uint8_t *)(uintptr_t)r.wire + DNS_HEADER_LEN, key, q.name_len);
		print_head(out, key, key_len, m, age, r.rcode);
		print_records(out, &r);
	}
	free(room);
}
