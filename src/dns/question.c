/* question: the one question of a message, and its key. */
#include "dns/question.h"

#include "dns/octets.h"

struct question question_read(struct cursor *c)
{
	struct question q = {.name = c->data + c->pos};
	const uint8_t *rest;

	q.name_len = name_read_plain(c);
	rest = cursor_bytes(c, 4);
	if (!rest)
		return (struct question){0};
	q.type = load16(rest);
	q.class = load16(rest + 2);
	return q;
}

size_t question_key(const struct question *q, uint8_t key[QUESTION_KEY_MAX])
{
	name_lower(key, q->name, q->name_len);
	store16(key + q->name_len, q->type);
	store16(key + q->name_len + 2, q->class);
	return q->name_len + 4;
}
