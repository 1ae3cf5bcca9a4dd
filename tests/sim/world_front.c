/* world_front: the front of the proxy: clients that ask, and what they are told. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/message.h"
#include "world_state.h"

/* Clients of one world. */
#define CLIENTS_MAX 200000

/* ---- front ---- */

uint8_t *client_room(struct front *f, const struct client *c, size_t n)
{
	(void)f;
	(void)c;
	assert(n <= sizeof world->scratch);
	return world->scratch;
}

static void read_ede(struct told *t)
{
	struct response r;

	t->ede = -1;
	if (response_read(&r, t->message, t->len) < 0 || !r.edns.ede_count)
		return;
	t->ede = r.edns.ede[0].code;
	snprintf(t->text, sizeof t->text, "%.*s", (int)r.edns.ede[0].text_len,
		 (const char *)r.edns.ede[0].text);
}

static unsigned number_of_client(const struct client *c)
{
	return client_is_tcp(c) ? c->tcp.slot : c->udp.listener;
}

static struct told *told_to(const struct client *c)
{
	return world->clients[number_of_client(c)];
}

void client_send(struct front *f, const struct client *c, size_t len, uint64_t *sent)
{
	struct told *t = told_to(c);

	(void)f;
	assert(len >= DNS_HEADER_LEN);
	metric_inc(sent);
	t->answers++;
	t->at_us = world->loop.now;
	t->rcode = world->scratch[3] & 15u;
	t->truncated = world->scratch[2] & 2u;
	t->len = len;
	free(t->message);
	t->message = world_claim(len);
	memcpy(t->message, world->scratch, len);
	read_ede(t);
	if (world->on_told)
		world->on_told(number_of_client(c), sent);
}

void world_on_told(world_told_fn *fn)
{
	world->on_told = fn;
}

void client_drop(struct front *f, const struct client *c)
{
	(void)f;
	told_to(c)->drops++;
}

struct host client_host(const struct front *f, const struct client *c)
{
	(void)f;
	return (struct host){.interface = told_to(c)->address};
}

uint16_t client_keepalive(const struct front *f, const struct client *c)
{
	(void)f;
	(void)c;
	return 0;
}

/* ---- clients ---- */

void world_ask_from(unsigned address)
{
	world->address = address;
}

static unsigned ask(const struct client *c, const uint8_t *message, size_t len)
{
	struct told *t = world_claim(sizeof *t);

	assert(world->client_count < CLIENTS_MAX);
	world_grow(&world->clients, world->client_count, &world->client_room,
		   sizeof *world->clients);
	t->ede = -1;
	t->address = world->address;
	t->asked_us = world->loop.now;
	world->clients[world->client_count++] = t;
	query_begin(world->proxy, c, message, len);
	return world->client_count - 1;
}

unsigned world_ask_raw(const uint8_t *message, size_t len)
{
	return ask(
	    &(struct client){.kind = CLIENT_TCP, .tcp = {.slot = world->client_count}},
	    message, len);
}

unsigned world_ask_udp(const uint8_t *message, size_t len)
{
	return ask(&(struct client){.kind = CLIENT_UDP,
				    .udp = {.listener = world->client_count}},
		   message, len);
}

unsigned world_ask_as(const char *name, uint16_t type, uint16_t flags, bool do_bit)
{
	uint8_t m[400] = {0};
	struct writer w = writer_make(m, sizeof m);

	writer_u16(&w, (uint16_t)world->client_count);
	writer_u16(&w, (uint16_t)(DNS_RD ^ flags));
	writer_u16(&w, 1);
	writer_u32(&w, 0);
	writer_u16(&w, 1);
	while (*name) {
		size_t n = strcspn(name, ".");

		writer_u8(&w, (uint8_t)n);
		writer_bytes(&w, name, n);
		name += n + (name[n] == '.');
	}
	writer_u8(&w, 0);
	writer_u16(&w, type);
	writer_u16(&w, 1);
	writer_u8(&w, 0);
	writer_u16(&w, TYPE_OPT);
	writer_u16(&w, UDP_ANSWER_MAX);
	writer_u32(&w, do_bit ? 0x8000 : 0);
	writer_u16(&w, 0);
	assert(!w.full);
	return world_ask_raw(m, w.pos);
}

unsigned world_ask(const char *name)
{
	return world_ask_as(name, TYPE_A, 0, false);
}

const struct told *world_told(unsigned client)
{
	assert(client < world->client_count);
	return world->clients[client];
}

unsigned world_ask_count(void)
{
	return world->client_count;
}
