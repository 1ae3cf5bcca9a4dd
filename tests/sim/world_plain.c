/* world_plain: sockets in the clear, over UDP and TCP, as upstream/plain.c uses them. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "world_state.h"

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags);
ssize_t __wrap_recv(int fd, void *out, size_t cap, int flags);

int socket_connect_udp(const struct address *a)
{
	struct connection *c;

	if (!a->any.sa_family)
		return -EAFNOSUPPORT;
	if (world->short_of_descriptors)
		return -EMFILE;
	c = world_connect(a, WIRE_UDP);
	assert(world->servers[c->server].plain); /* nothing else goes in the clear */
	if (world_dial_mode(c) != DIAL_UNREACHABLE)
		return WORLD_FD_BASE + (int)c->number;
	socket_close(WORLD_FD_BASE + (int)c->number);
	return -ENETUNREACH;
}

static struct connection *connection_of(int fd)
{
	struct connection *c = world_connection(world_number(fd));

	assert(c->open && c->wire != WIRE_TLS);
	return c;
}

/* Datagrams to a port where nobody listens come back as an error of the next call. */
static bool is_refused(struct connection *c)
{
	bool refused = c->reset;

	c->reset = c->reset && c->wire == WIRE_TCP;
	if (refused)
		errno = c->wire == WIRE_TCP ? ECONNRESET : ECONNREFUSED;
	return refused;
}

ssize_t __wrap_send(int fd, const void *data, size_t len, int flags)
{
	struct connection *c = connection_of(fd);

	(void)flags;
	if (is_refused(c))
		return -1;
	if (c->blocked) {
		errno = EAGAIN;
		return -1;
	}
	if (c->wire == WIRE_TCP)
		world_receive_frames(c->number, data, len);
	else if (world_dial_mode(c) == DIAL_ACCEPTS)
		world_receive(c->number, data, len);
	else
		c->reset = world_dial_mode(c) == DIAL_REFUSES;
	return (ssize_t)len;
}

ssize_t __wrap_recv(int fd, void *out, size_t cap, int flags)
{
	struct connection *c = connection_of(fd);
	size_t n = world_take(c, out, cap);

	(void)flags;
	if (n)
		return (ssize_t)n;
	if (is_refused(c))
		return -1;
	if (c->ended && !c->record_count && c->wire == WIRE_TCP)
		return 0;
	errno = EAGAIN;
	return -1;
}
