/* world_server: servers: what they receive, hold, answer and close. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"
#include "world_state.h"

/* Records of one connection that wait to be read. */
#define RECORDS_MAX 20000

/* ---- queries ---- */

void world_receive(unsigned number, const uint8_t *message, size_t len)
{
	struct connection *c = world_connection(number);
	struct server *s = &world->servers[c->server];
	struct received *q = world_claim(sizeof *q);

	assert(len <= sizeof q->message && len >= DNS_HEADER_LEN);
	world_grow(&world->received, world->received_count, &world->received_room,
		   sizeof *world->received);
	q->connection = number;
	q->server = c->server;
	q->id = (uint16_t)(message[0] << 8 | message[1]);
	q->len = len;
	memcpy(q->message, message, len);
	world->received[world->received_count++] = q;
	s->queries++;
	if (world->on_query)
		world->on_query(q);
	else if (!s->mute)
		world_answer(q);
}

void world_receive_frames(unsigned number, const uint8_t *data, size_t len)
{
	struct connection *c = world_connection(number);
	size_t pos = 0;

	while (len - pos >= 2) {
		size_t m = (size_t)data[pos] << 8 | data[pos + 1];

		assert(len - pos - 2 >= m);
		if (!c->ended)
			world_receive(number, data + pos + 2, m);
		pos += 2 + m;
	}
	assert(pos == len);
}

struct received *world_received(unsigned i, unsigned n)
{
	for (unsigned k = 0; k < world->received_count; k++)
		if (world->received[k]->server == i && !n--)
			return world->received[k];
	return NULL;
}

unsigned world_received_count(unsigned i)
{
	unsigned n = 0;

	for (unsigned k = 0; k < world->received_count; k++)
		n += world->received[k]->server == i;
	return n;
}

struct received *world_held(unsigned n)
{
	return n < world->received_count ? world->received[n] : NULL;
}

void world_forget(struct received *q)
{
	for (unsigned i = 0; i < world->received_count; i++) {
		if (world->received[i] != q)
			continue;
		world->received_count--;
		memmove(&world->received[i], &world->received[i + 1],
			(world->received_count - i) * sizeof *world->received);
		free(q);
		return;
	}
	assert(0);
}

void world_on_query(world_query_fn *fn)
{
	world->on_query = fn;
}

/* ---- answers ---- */

void world_send_after(unsigned number, const void *data, size_t len, uint64_t delay)
{
	struct connection *c = world_connection(number);
	size_t skip = c->wire == WIRE_UDP ? 2 : 0;
	struct record r = {.due = world->loop.now + delay, .len = len - skip};
	unsigned at = c->record_count;

	if (!c->open || len == skip)
		return; /* it is lost */
	assert(c->record_count < RECORDS_MAX && len > skip);
	world_grow(&c->records, c->record_count, &c->record_room, sizeof *c->records);
	r.data = world_claim(r.len);
	memcpy(r.data, (const uint8_t *)data + skip, r.len);
	while (at > 0 && c->records[at - 1].due > r.due && !c->records[at - 1].taken)
		at--;
	memmove(&c->records[at + 1], &c->records[at],
		(c->record_count++ - at) * sizeof r);
	c->records[at] = r;
}

void world_send(unsigned c, const void *data, size_t len)
{
	world_send_after(c, data, len, 0);
}

size_t world_make_answer(const struct received *q, uint8_t *frame, size_t cap)
{
	static const uint8_t record[16] = {0xc0, 12, 0, 1, 0,	1, 0, 0,
					   1,	 44, 0, 4, 192, 0, 2, 1};
	size_t end = DNS_HEADER_LEN, n;

	while (q->message[end])
		end += q->message[end] + 1u;
	end += 5;
	n = end + sizeof record;
	assert(n + 2 <= cap);
	frame[0] = (uint8_t)(n >> 8);
	frame[1] = (uint8_t)n;
	memcpy(frame + 2, q->message, end);
	frame[2 + 2] = 0x81;
	frame[2 + 3] = 0x80;
	memcpy(frame + 2 + 4, "\0\1\0\1\0\0\0\0", 8);
	memcpy(frame + 2 + end, record, sizeof record);
	return n + 2;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

void world_answer_with(struct received *q, const struct reply_plan *plan)
{
	/* root SOA: both names the root, five numbers, the last is MINIMUM */
	uint8_t soa[33] = {0, 0, 6, 0, 1, 0, 0, 0, 0, 0, 22};
	uint8_t frame[700];
	size_t n = world_make_answer(q, frame, sizeof frame);
	bool negative = plan->negative || plan->rcode != 0;

	frame[2 + 2] |= (uint8_t)(plan->flags >> 8);
	frame[2 + 3] |= (uint8_t)(plan->flags | plan->rcode);
	put32(frame + n - 10, plan->ttl);
	if (negative) {
		n -= 16;
		memset(frame + 2 + 6, 0, 6);
		put32(soa + 5, plan->ttl);
		put32(soa + 29, plan->minimum);
		if (plan->ttl) {
			frame[2 + 9] = 1;
			memcpy(frame + n, soa, sizeof soa);
			n += sizeof soa;
		}
		frame[0] = (uint8_t)((n - 2) >> 8);
		frame[1] = (uint8_t)(n - 2);
	}
	world_send_after(q->connection, frame, n, world->servers[q->server].rtt_us);
	world_forget(q);
}

void world_answer(struct received *q)
{
	uint8_t frame[600];
	size_t n = world_make_answer(q, frame, sizeof frame);

	world_send_after(q->connection, frame, n, world->servers[q->server].rtt_us);
	world_forget(q);
}

/* ---- connections, from their end ---- */

static void end(unsigned number)
{
	world_connection(number)->ended = world_connection(number)->wire != WIRE_UDP;
	for (unsigned i = world->received_count; i-- > 0;)
		if (world->received[i]->connection == number)
			world_forget(world->received[i]);
}

void world_close(unsigned c)
{
	end(c);
}

void world_reset(unsigned c)
{
	end(c);
	world_connection(c)->reset = true;
}

void world_block(unsigned c, bool blocked)
{
	world_connection(c)->blocked = blocked;
}

void world_close_after(unsigned c, uint64_t delay)
{
	world_connection(c)->end_us = world->loop.now + delay;
}

struct server *world_server(unsigned i)
{
	return &world->servers[i];
}
