/* records: step over the owner, read the rest. */
#include "dns/records.h"

#include <string.h>

#include "dns/message.h"

struct records records_of(const struct response *r)
{
	struct records it = {.c = cursor_make(r->wire, r->len), .left = r->answers};

	cursor_skip(&it.c, r->question_end);
	return it;
}

struct records records_additional(const struct response *r)
{
	struct records it = records_of(r);
	struct record x;

	it.left += r->authorities;
	while (records_next(&it, &x))
		continue;
	it.left = r->additionals;
	return it;
}

bool records_next(struct records *it, struct record *out)
{
	if (!it->left)
		return false;
	it->left--;
	out->owner = it->c.pos;
	name_skip(&it->c);
	out->type = cursor_u16(&it->c);
	out->class = cursor_u16(&it->c);
	out->ttl = cursor_u32(&it->c);
	out->len = cursor_u16(&it->c);
	out->data = cursor_bytes(&it->c, out->len);
	return !it->c.bad;
}

/* The name that starts at POS of the message. */
static size_t name_at(const struct cursor *message, size_t pos, uint8_t out[NAME_MAX_LEN])
{
	struct cursor c = cursor_make(message->data, message->len);

	cursor_skip(&c, pos);
	return name_expand(&c, out);
}

bool records_next_of(struct records *it, const uint8_t *name, size_t len, uint16_t type,
		     struct record *out)
{
	uint8_t owner[NAME_MAX_LEN];

	while (records_next(it, out))
		if (out->type == type && out->class == CLASS_IN &&
		    name_at(&it->c, out->owner, owner) == len &&
		    name_equal(owner, name, len))
			return true;
	return false;
}

size_t records_name(const struct response *r, uint8_t out[NAME_MAX_LEN], uint32_t *ttl)
{
	size_t len = r->question.name_len;

	memcpy(out, r->question.name, len);
	for (unsigned i = 0; i <= RECORDS_CNAMES_MAX; i++) {
		struct records it = records_of(r);
		struct record x;

		if (!records_next_of(&it, out, len, TYPE_CNAME, &x))
			return len;
		if (x.ttl < *ttl)
			*ttl = x.ttl;
		len = name_at(&it.c, (size_t)(x.data - r->wire), out);
		if (!len)
			return 0;
	}
	return 0;
}
