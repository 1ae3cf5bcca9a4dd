/* pool_watch: upstreams that are DOWN, have other addresses, or are reached by another way. */
#include "net/socket.h"
#include "upstream/pool_state.h"

/* A DOWN upstream that may be dialled but could not be, its connections being full, is looked
 * at again after this. */
#define RETRY_MIN_US 20000

/* What comes of that is told, and sets the next time. */
static bool is_being_tried(struct upstream *u)
{
	const struct conn *c;

	if (u->plain)
		return plain_is_probing(u->plain);
	c = upstream_find(u, conn_has_room);
	return upstream_is_dialling(u) || (c && ids_awaited_count(c->ids));
}

void pool_watch_down(struct pool *p)
{
	struct upstream *u = NULL;
	uint64_t due = pool_now(p) + RETRY_MIN_US;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *other = &p->upstreams[i];

		if (other->health.down && !is_being_tried(other) &&
		    (!u || other->health.retry_us < u->health.retry_us))
			u = other;
	}
	if (u && u->health.retry_us > due)
		due = u->health.retry_us;
	if (u && (!timer_running(&p->retry) || p->retry.due > due))
		(void)timer_set(p->options.loop, &p->retry, due, pool_retry_due, p);
}

static void try_again(struct upstream *u)
{
	const struct ask neutral = upstream_neutral_ask(u);
	struct conn *c = u->plain ? NULL : upstream_find(u, conn_has_room);

	if (is_being_tried(u))
		return;
	if (u->plain)
		(void)pool_send_plain(u, &neutral);
	else if (c)
		(void)conn_send(c, &neutral); /* it is connected, but has not answered */
	else
		(void)upstream_open(u);
}

void pool_retry_due(void *arg)
{
	struct pool *p = arg;

	p->changed = true;
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		if (u->health.down && health_may_dial(&u->health, pool_now(p)))
			try_again(u);
	}
	pool_watch_down(p);
}

static void distrust(struct conn *c)
{
	struct upstream *u = upstream_of(c);

	if (c->state < CONN_READY) {
		conn_drop(c, REASON_CLOSED_BY_US, "the network has changed");
		return;
	}
	if (c->state != CONN_READY || c->is_suspect)
		return;
	c->is_suspect = true;
	u->has_suspect = true;
	if (ids_awaited_count(c->ids))
		pool_doubt(c);
	else
		conn_look_soon(c);
}

static void look_at_path(struct conn *c)
{
	if (conn_path_changed(c))
		distrust(c);
}

static bool has_way(const struct upstream *u)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = addresses_get(u->context.addresses, all), i = 0;

	while (i < n && !socket_has_way(&all[i]))
		i++;
	return i < n;
}

/* Its tickets are not for the next network: they would tell that it is the same client. Where only
 * the local address has changed the TLS room sees to that. */
static void leave_network(const struct upstream *u, bool slept)
{
	if (!u->plain && (slept || !has_way(u)))
		tls_peer_forget_sessions(u->context.peer);
}

bool pool_look_for_addresses(struct pool *p)
{
	bool lacks = false, news = false;

	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];
		unsigned version = atomic_load(&u->context.addresses->version);

		lacks |= version == 0;
		if (version == u->addresses_version)
			continue;
		u->addresses_version = version;
		health_forget_backoff(&u->health, pool_now(p));
		if (!u->health.down && list_empty(&u->conns))
			(void)upstream_open(u);
		news = true;
	}
	if (news && p->down_count)
		pool_retry_due(p);
	return lacks;
}

void pool_network_changed(struct pool *p, bool slept)
{
	for (unsigned i = 0; i < p->options.upstream_count; i++) {
		struct upstream *u = &p->upstreams[i];

		health_forget_backoff(&u->health, pool_now(p));
		leave_network(u, slept);
		upstream_each(u, slept ? distrust : look_at_path);
	}
	if (p->down_count)
		pool_retry_due(p);
	p->changed = true;
}
