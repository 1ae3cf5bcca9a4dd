/* response: an upstream's response, validated as a whole. */
#include "dns/response.h"

#include <errno.h>

#include "dns/message.h"
#include "dns/octets.h"

/*
 * The data of a type: octets of fixed length, character strings, names, octets of fixed
 * length; then the end, or anything. Types without names are not looked into (RFC 3597).
 */
struct layout {
	uint8_t before, strings, names, behind;
	bool open; /* anything may follow */
};

static const struct layout layouts[] = {
    [TYPE_NS] = {.names = 1},
    [TYPE_MD] = {.names = 1},
    [TYPE_MF] = {.names = 1},
    [TYPE_CNAME] = {.names = 1},
    [TYPE_SOA] = {.names = 2, .behind = 20},
    [TYPE_MB] = {.names = 1},
    [TYPE_MG] = {.names = 1},
    [TYPE_MR] = {.names = 1},
    [TYPE_PTR] = {.names = 1},
    [TYPE_MINFO] = {.names = 2},
    [TYPE_MX] = {.before = 2, .names = 1},
    [TYPE_RP] = {.names = 2},
    [TYPE_AFSDB] = {.before = 2, .names = 1},
    [TYPE_RT] = {.before = 2, .names = 1},
    [TYPE_SRV] = {.before = 6, .names = 1},
    [TYPE_NAPTR] = {.before = 4, .strings = 3, .names = 1},
    [TYPE_DNAME] = {.names = 1},
    [TYPE_RRSIG] = {.before = 18, .names = 1, .open = true},
    [TYPE_NSEC] = {.names = 1, .open = true},
};

#define LAYOUTS (sizeof layouts / sizeof layouts[0])

/* Steps over a name; most often it is a pointer to the question's, known to be good. */
static inline void owner_skip(struct cursor *c)
{
	if (cursor_left(c) >= 2 && load16(c->data + c->pos) == POINTER_TO_QUESTION)
		c->pos += 2;
	else
		name_skip(c);
}

/* The data of a type with a layout, from START to END of the message. */
static bool layout_fits(const struct layout *l, const uint8_t *message, size_t start,
			size_t end)
{
	struct cursor c = {.data = message, .len = end, .pos = start};

	cursor_skip(&c, l->before);
	for (unsigned i = 0; i < l->strings; i++)
		cursor_skip(&c, cursor_u8(&c));
	for (unsigned i = 0; i < l->names; i++)
		owner_skip(&c);
	cursor_skip(&c, l->behind);
	return !c.bad && (l->open || cursor_left(&c) == 0);
}

static inline bool data_fits(const uint8_t *message, size_t start, size_t end,
			     uint16_t type, uint16_t class)
{
	if (type == TYPE_A)
		return end - start == 4 || class != CLASS_IN;
	if (type == TYPE_AAAA)
		return end - start == 16 || class != CLASS_IN;
	if (type >= LAYOUTS || layouts[type].names == 0)
		return true;
	return layout_fits(&layouts[type], message, start, end);
}

/* Reads one record that is not an OPT. Returns false, with the cursor behind the owner
 * name, when it is one. */
static inline bool record_read(struct cursor *c)
{
	const uint8_t *fixed;
	size_t data, len;
	uint16_t type;

	owner_skip(c);
	if (c->bad || cursor_left(c) < RECORD_FIXED) {
		c->bad = true;
		return true;
	}
	data = c->pos + RECORD_FIXED;
	fixed = c->data + c->pos;
	type = load16(fixed);
	if (type == TYPE_OPT)
		return false;
	len = load16(fixed + 8);
	if (len > c->len - data ||
	    !data_fits(c->data, data, data + len, type, load16(fixed + 2)))
		c->bad = true;
	else
		c->pos = data + len;
	return true;
}

static void section_read(struct cursor *c, unsigned records)
{
	while (records-- > 0 && !c->bad)
		if (!record_read(c))
			c->bad = true;
}

static void additionals_read(struct cursor *c, struct response *r, unsigned records)
{
	r->body_end = 0;
	for (unsigned i = 0; i < records && !c->bad; i++) {
		size_t owner = c->pos;

		if (record_read(c))
			continue;
		if (r->edns.present || c->pos - owner != 1) {
			c->bad = true;
			return;
		}
		r->body_end = owner;
		r->additionals = (uint16_t)i;
		cursor_skip(c, 2);
		edns_read(c, &r->edns);
	}
	if (!r->edns.present) {
		r->body_end = c->pos;
		r->additionals = (uint16_t)records;
	}
}

/* Reads the header, and sets *QUESTIONS and *ADDITIONALS to the counts that R does not keep. */
static int header_read(struct cursor *c, struct response *r, unsigned *questions,
		       unsigned *additionals)
{
	const uint8_t *header = cursor_bytes(c, DNS_HEADER_LEN);

	if (!header)
		return -EBADMSG;
	r->wire = c->data;
	r->id = load16(header);
	r->flags = load16(header + 2);
	*questions = load16(header + 4);
	r->answers = load16(header + 6);
	r->authorities = load16(header + 8);
	*additionals = load16(header + 10);
	r->edns = (struct edns){0};
	return r->flags & DNS_QR && DNS_OPCODE(r->flags) == 0 ? 0 : -EBADMSG;
}

static void finish(struct response *r, const struct cursor *c)
{
	r->len = c->pos;
	r->rcode =
	    (uint16_t)(DNS_RCODE(r->flags) | (unsigned)r->edns.extended_rcode << 4);
}

int response_read(struct response *r, const uint8_t *message, size_t len)
{
	struct cursor c = cursor_make(message, len);
	unsigned questions, additionals;

	if (header_read(&c, r, &questions, &additionals) < 0 || questions != 1)
		return -EBADMSG;
	r->question = question_read(&c);
	r->question_end = c.pos;
	if (c.bad)
		return -EBADMSG;
	section_read(&c, r->answers);
	section_read(&c, r->authorities);
	additionals_read(&c, r, additionals);
	if (c.bad)
		return -EBADMSG;
	finish(r, &c);
	return 0;
}

int response_read_error(struct response *r, const uint8_t *message, size_t len)
{
	struct cursor c = cursor_make(message, len);
	unsigned questions, additionals;

	if (header_read(&c, r, &questions, &additionals) < 0 || questions || r->answers ||
	    r->authorities)
		return -EBADMSG;
	r->question = (struct question){0};
	r->question_end = c.pos;
	additionals_read(&c, r, additionals);
	if (c.bad || r->additionals)
		return -EBADMSG;
	finish(r, &c);
	return rcode_is_error(r->rcode) ? 0 : -EBADMSG;
}
