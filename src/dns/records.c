/* records: step over the owner, read the rest. */
#include "dns/records.h"

struct records records_of(const struct response *r)
{
	struct records it = {.c = cursor_make(r->wire, r->len), .left = r->answers};

	cursor_skip(&it.c, r->question_end);
	return it;
}

bool records_next(struct records *it, struct record *out)
{
	if (!it->left)
		return false;
	it->left--;
	name_skip(&it->c);
	out->type = cursor_u16(&it->c);
	out->class = cursor_u16(&it->c);
	out->ttl = cursor_u32(&it->c);
	out->len = cursor_u16(&it->c);
	out->data = cursor_bytes(&it->c, out->len);
	return !it->c.bad;
}
