/* world_socket: connections and their descriptors, and what has come on them. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "world_state.h"

/* Connections of one world. */
#define CONNECTIONS_MAX 200000

struct connection *world_connection(unsigned number)
{
	assert(number >= 1 && number <= world->connection_count);
	return world->connections[number - 1];
}

unsigned world_number(int fd)
{
	return (unsigned)(fd - WORLD_FD_BASE);
}

/* The server and its place are in the address: 192.0.2.PLACE, and its number as the port. */
struct connection *world_connect(const struct address *a, int wire)
{
	struct connection *c = world_claim(sizeof *c);

	assert(world->connection_count < CONNECTIONS_MAX);
	world_grow(&world->connections, world->connection_count, &world->connection_room,
		   sizeof *world->connections);
	world_grow(&world->open, world->open_count, &world->open_room,
		   sizeof *world->open);
	c->open = true;
	c->wire = (unsigned)wire;
	c->server = (unsigned)address_port(a) - 1;
	c->place = (ntohl(a->v4.sin_addr.s_addr) & 255) - 1;
	c->up_us = world->loop.now + world->servers[c->server].dial_us;
	world->connections[world->connection_count++] = c;
	c->number = world->connection_count;
	world->open[world->open_count++] = c->number;
	return c;
}

enum dial_mode world_dial_mode(const struct connection *c)
{
	const struct server *s = &world->servers[c->server];
	enum dial_mode own = s->places[c->place].dial;

	return own > s->dial ? own : s->dial;
}

int socket_connect(const struct address *a, unsigned user_timeout_ms, bool fast_open)
{
	struct connection *c;
	struct server *s;

	assert(user_timeout_ms > 0 && !fast_open);
	if (!a->any.sa_family)
		return -EAFNOSUPPORT;
	if (world->short_of_descriptors)
		return -EMFILE;
	s = &world->servers[address_port(a) - 1];
	if (!s->dials++)
		s->first_dial_us = world->loop.now;
	s->last_dial_us = world->loop.now;
	c = world_connect(a, s->plain ? WIRE_TCP : WIRE_TLS);
	if (world_dial_mode(c) != DIAL_UNREACHABLE)
		return WORLD_FD_BASE + (int)c->number;
	socket_close(WORLD_FD_BASE + (int)c->number);
	return -ENETUNREACH;
}

int socket_connect_result(int fd)
{
	return world_dial_mode(world_connection(world_number(fd))) == DIAL_REFUSES
		   ? -ECONNREFUSED
		   : 0;
}

bool socket_has_way(const struct address *a)
{
	(void)a;
	return !world->no_way;
}

bool socket_path_changed(int fd, const struct address *a)
{
	(void)fd;
	(void)a;
	return world->path_changed;
}

unsigned world_place(unsigned number)
{
	unsigned low = 0, high = world->open_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (world->open[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void socket_close(int fd)
{
	struct connection *c = world_connection(world_number(fd));
	unsigned at = world_place(c->number);

	assert(c->open && world->open[at] == c->number);
	c->open = false;
	world->open_count--;
	memmove(&world->open[at], &world->open[at + 1],
		(world->open_count - at) * sizeof *world->open);
	while (c->record_count > 0)
		free(c->records[--c->record_count].data);
	free(c->records);
	c->records = NULL;
	c->record_room = 0;
}

size_t world_take(struct connection *c, uint8_t *out, size_t cap)
{
	struct record *r = c->records;
	size_t n;

	if (!c->record_count || r->due > world->loop.now)
		return 0;
	n = r->len - r->taken < cap ? r->len - r->taken : cap;
	memcpy(out, r->data + r->taken, n);
	r->taken += n;
	if (r->taken == r->len || c->wire == WIRE_UDP) {
		free(r->data);
		memmove(r, r + 1, --c->record_count * sizeof *r);
	}
	return n;
}

/* ---- what tests ask ---- */

bool world_is_open(unsigned c)
{
	return world_connection(c)->open;
}

bool world_is_authenticated(unsigned c)
{
	return world_connection(c)->open && world_connection(c)->authenticated;
}

bool world_is_datagram(unsigned c)
{
	return world_connection(c)->wire == WIRE_UDP;
}

unsigned world_server_of(unsigned c)
{
	return world_connection(c)->server;
}

unsigned world_connections(void)
{
	return world->connection_count;
}

unsigned world_open(unsigned n)
{
	return n < world->open_count ? world->open[n] : 0;
}

unsigned world_open_count(void)
{
	return world->open_count;
}

void world_set_way(bool has_way)
{
	world->no_way = !has_way;
}

void world_short(bool is_short)
{
	world->short_of_descriptors = is_short;
}
