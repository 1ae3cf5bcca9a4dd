/* query: a client's query, as it arrived and as it goes up. */
#include "dns/query.h"

#include <errno.h>

#include "dns/message.h"
#include "dns/octets.h"

_Static_assert(QUERY_ENCODED_MAX % QUERY_PAD_BLOCK == 0 &&
		   DNS_HEADER_LEN + NAME_MAX_LEN + 4 + OPT_LEN + 2 * OPTION_HEAD <=
		       QUERY_ENCODED_MAX,
	       "any question and the options fit before the padding");

/* Reads one record of the additional section: the OPT, or one that is passed over. */
static void additional_read(struct cursor *c, struct edns *e)
{
	size_t owner = c->pos;
	const uint8_t *fixed;

	name_skip(c);
	if (c->bad || cursor_left(c) < RECORD_FIXED) {
		c->bad = true;
		return;
	}
	if (load16(c->data + c->pos) != TYPE_OPT) {
		fixed = cursor_bytes(c, RECORD_FIXED);
		cursor_skip(c, fixed ? load16(fixed + 8) : 0);
		return;
	}
	if (e->present || c->pos - owner != 1) {
		c->bad = true;
		return;
	}
	cursor_skip(c, 2);
	edns_read(c, e);
}

int query_read(struct query *q, const uint8_t *message, size_t len)
{
	struct cursor c = cursor_make(message, len);
	const uint8_t *header = cursor_bytes(&c, DNS_HEADER_LEN);
	unsigned additionals;

	*q = (struct query){0};
	if (!header)
		return -EBADMSG;
	q->id = load16(header);
	q->flags = load16(header + 2);
	if (load16(header + 4) != 1)
		return -EBADMSG;
	q->question = question_read(&c);
	if (load16(header + 6) != 0 || load16(header + 8) != 0)
		return -EBADMSG;
	additionals = load16(header + 10);
	for (unsigned i = 0; i < additionals && !c.bad; i++)
		additional_read(&c, &q->edns);
	return c.bad ? -EBADMSG : 0;
}

/* Header and question; ADDITIONALS is the number of records that follow. */
static void encode_head(struct writer *w, const struct query *q, uint16_t id,
			uint8_t additionals)
{
	writer_u16(w, id);
	writer_u16(w, (uint16_t)((q->flags & (DNS_RD | DNS_CD)) | DNS_AD));
	writer_bytes(w, (const uint8_t[]){0, 1, 0, 0, 0, 0, 0, additionals}, 8);
	writer_bytes(w, q->question.name, q->question.name_len);
	writer_u16(w, q->question.type);
	writer_u16(w, q->question.class);
}

static void encode_opt(struct writer *w, const struct query *q, size_t options_len)
{
	writer_bytes(w, (const uint8_t[]){0, 0, TYPE_OPT}, 3);
	writer_u16(w, OPT_SIZE);
	writer_u32(w, q->edns.do_bit ? 0x8000 : 0);
	writer_u16(w, (uint16_t)options_len);
}

size_t query_encode(uint8_t *out, const struct query *q, uint16_t id, bool keepalive)
{
	struct writer w = writer_make(out, QUERY_ENCODED_MAX);
	size_t keepalive_len = keepalive ? OPTION_HEAD : 0;
	size_t options, padding;
	uint8_t *room;

	encode_head(&w, q, id, 1);
	options = w.pos + OPT_LEN;
	padding = (0 - (options + keepalive_len + OPTION_HEAD)) % QUERY_PAD_BLOCK;
	encode_opt(&w, q, keepalive_len + OPTION_HEAD + padding);
	if (keepalive)
		writer_u32(&w, (uint32_t)OPTION_KEEPALIVE << 16);
	writer_u16(&w, OPTION_PADDING);
	writer_u16(&w, (uint16_t)padding);
	room = writer_room(&w, padding);
	if (room)
		memset(room, 0, padding);
	return w.pos;
}

size_t query_encode_plain(uint8_t *out, const struct query *q, uint16_t id)
{
	struct writer w = writer_make(out, QUERY_ENCODED_MAX);

	encode_head(&w, q, id, 1);
	encode_opt(&w, q, 0);
	return w.pos;
}

size_t query_encode_bare(uint8_t *out, const struct query *q, uint16_t id)
{
	struct writer w = writer_make(out, QUERY_ENCODED_MAX);

	encode_head(&w, q, id, 0);
	return w.pos;
}
