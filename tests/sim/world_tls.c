/* world_tls: TLS connections without any TLS, whose handshakes go as their server says. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "world_state.h"

/* A handshake that goes on only when it is told to. */
#define HUNG UINT64_MAX

static enum shake_mode shake_mode(const struct connection *c)
{
	const struct server *s = &world->servers[c->server];
	enum shake_mode own = s->places[c->place].shake;

	return own > s->shake ? own : s->shake;
}

int tls_conn_new(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *t;

	(void)p;
	if (world->short_of_descriptors)
		return -ENOMEM;
	t = world_claim(sizeof *t);
	t->number = world_number(fd);
	world->tls_count++;
	*out = t;
	return 0;
}

void tls_conn_free(struct tls_conn *t)
{
	world->tls_count -= t != NULL;
	free(t);
}

void tls_peer_forget_sessions(struct tls_peer *p)
{
	assert(p);
	world->forgotten++;
}

/* The server has ended the connection before the handshake was done. */
static enum tls_status broken_off(struct tls_conn *t, const struct connection *c)
{
	t->failure = c->reset ? REASON_RESET : REASON_CLOSED_BUSY;
	return TLS_ERROR;
}

enum tls_status tls_handshake(struct tls_conn *t)
{
	struct connection *c = world_connection(t->number);
	struct server *s = &world->servers[c->server];

	if (c->goes_on && c->shaken_us == HUNG)
		c->shaken_us = world->loop.now;
	c->goes_on = false;
	if (c->ended || c->reset)
		return broken_off(t, c);
	if (!c->shaken_us)
		c->shaken_us = world->loop.now + s->shake_us;
	if (world->loop.now < c->shaken_us)
		return TLS_WANT_READ;
	switch (shake_mode(c)) {
	case SHAKE_HANGS:
		c->shaken_us = HUNG;
		return TLS_WANT_READ;
	case SHAKE_FAILS:
		t->failure = s->shake_failure;
		return TLS_ERROR;
	case SHAKE_OK:
		break;
	}
	t->ready = c->authenticated = true;
	s->shaken++;
	return TLS_OK;
}

size_t tls_early_room(const struct tls_conn *t)
{
	const struct server *s = &world->servers[world_connection(t->number)->server];

	return s->tickets && !s->shaken ? 0 : s->early;
}

bool tls_early_accepted(const struct tls_conn *t)
{
	assert(t->ready);
	return t->early;
}

enum tls_status tls_read(struct tls_conn *t, uint8_t *out, size_t cap, size_t *n)
{
	struct connection *c = world_connection(t->number);

	assert(t->ready);
	*n = world_take(c, out, cap);
	if (*n)
		return TLS_OK;
	if (!c->record_count && c->reset) {
		t->failure = REASON_RESET;
		return TLS_ERROR;
	}
	return !c->record_count && c->ended ? TLS_EOF : TLS_WANT_READ;
}

bool tls_pending(const struct tls_conn *t)
{
	const struct connection *c = world_connection(t->number);

	return c->record_count && c->records[0].due <= world->loop.now;
}

enum tls_status tls_write_early(struct tls_conn *t, const uint8_t *data, size_t len)
{
	struct connection *c = world_connection(t->number);
	struct server *s = &world->servers[c->server];

	assert(!t->ready && !t->early && len <= tls_early_room(t));
	s->early_writes++;
	t->early = !s->refuses_early && shake_mode(c) != SHAKE_FAILS;
	if (t->early)
		world_receive_frames(t->number, data, len);
	return TLS_OK;
}

enum tls_status tls_write(struct tls_conn *t, const uint8_t *data, size_t len, size_t *n)
{
	struct connection *c = world_connection(t->number);

	assert(t->ready); /* not one octet before the peer is authenticated */
	if (c->reset) {
		t->failure = REASON_RESET;
		return TLS_ERROR;
	}
	if (c->blocked)
		return TLS_WANT_WRITE;
	world_receive_frames(t->number, data, len);
	world->servers[c->server].writes++;
	*n = len;
	return TLS_OK;
}

void tls_close(struct tls_conn *t)
{
	assert(t->ready);
}

enum reason tls_conn_failure(const struct tls_conn *t, char detail[TLS_DETAIL_MAX])
{
	snprintf(detail, TLS_DETAIL_MAX, "as the test has it");
	return t->failure;
}

bool tls_conn_resumed(const struct tls_conn *t)
{
	(void)t;
	return false;
}

const char *tls_conn_version(const struct tls_conn *t)
{
	(void)t;
	return "TLSv1.3";
}

const char *tls_conn_suite(const struct tls_conn *t)
{
	(void)t;
	return "none";
}

int64_t tls_conn_cert_not_before(const struct tls_conn *t)
{
	(void)t;
	return 0;
}

int tls_conn_pin(const struct tls_conn *t)
{
	(void)t;
	return -1;
}

int64_t tls_conn_cert_not_after(const struct tls_conn *t)
{
	(void)t;
	return 0;
}

void world_shake_again(unsigned c)
{
	world_connection(c)->goes_on = true;
}

unsigned world_forgotten(void)
{
	return world->forgotten;
}

unsigned world_tls_count(void)
{
	return world->tls_count;
}
