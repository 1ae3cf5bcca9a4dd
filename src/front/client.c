/* client: to UDP or to TCP. */
#include "front/client.h"

#include "front/tcp.h"
#include "front/udp.h"

uint8_t *client_room(struct front *f, const struct client *c, size_t n)
{
	switch (c->kind) {
	case CLIENT_UDP:
		return udp_room(f->udp, c, n);
	case CLIENT_TCP:
		return tcp_room(f->tcp, c, n);
	}
	return NULL;
}

void client_send(struct front *f, const struct client *c, size_t len, uint64_t *sent)
{
	switch (c->kind) {
	case CLIENT_UDP:
		udp_send(f->udp, c, len, sent);
		return;
	case CLIENT_TCP:
		tcp_send(f->tcp, c, len, sent);
		return;
	}
}

void client_drop(struct front *f, const struct client *c)
{
	/* a datagram that is not answered leaves nothing to be tidied up */
	if (c->kind == CLIENT_TCP)
		tcp_drop(f->tcp, c);
}

struct host client_host(const struct front *f, const struct client *c)
{
	switch (c->kind) {
	case CLIENT_UDP:
		return host_of(&c->udp.peer);
	case CLIENT_TCP:
		return tcp_host(f->tcp, c);
	}
	return (struct host){0};
}

uint16_t client_keepalive(const struct front *f, const struct client *c)
{
	return c->kind == CLIENT_TCP ? tcp_keepalive(f->tcp) : 0;
}
