/* name_servers: bootstraps, or else upstreams that have an address. */
#include "forwarding/name_servers.h"

#include <errno.h>
#include <stdio.h>

static void add_server(struct name_servers *s, const struct upstream_conf *conf,
		       struct tls_peer *peer, int upstream)
{
	s->upstreams_of[s->count] = upstream;
	s->all[s->count++] = (struct stub_server){
	    .addresses = conf->addresses, .count = conf->address_count, .peer = peer};
}

/* What is found is only believed of who has the upstream's certificate: so with time-grace the dates
 * of a bootstrap's do not matter while the clock is wrong. */
static int add_bootstrap(struct name_servers *s, const struct config *c, unsigned i,
			 char *error)
{
	const struct upstream_conf *conf = &c->bootstrap[i];
	char detail[TLS_ERROR_MAX], text[UPSTREAM_TEXT_MAX];

	config_trust(c, conf, &s->trust[i]);
	s->trust[i].time_grace = c->time_grace_count > 0;
	if (!conf->plain && tls_peer_new(&s->peers[i], &s->trust[i], detail) < 0) {
		snprintf(error, FORWARDING_ERROR_MAX, "bootstrap %s: %s",
			 upstream_text(conf, false, text), detail);
		return -EINVAL;
	}
	add_server(s, conf, s->peers[i], -1);
	return 0;
}

/* That of an upstream, or of its copy for time-grace. */
static struct tls_peer *peer_of(const struct forwarding *f, unsigned i)
{
	struct tls_peer *peer = f->pool[i].peer;

	for (unsigned k = i + 1; k < f->count; k++)
		if (f->pool[k].addresses == &f->addresses[i])
			peer = f->pool[k].peer;
	return peer;
}

int name_servers_make(struct name_servers *s, const struct forwarding *f,
		      const struct config *c, char error[FORWARDING_ERROR_MAX])
{
	int r = 0;

	for (unsigned i = 0; i < c->bootstrap_count && r == 0; i++)
		r = add_bootstrap(s, c, i, error);
	for (unsigned i = 0; i < f->count && !c->bootstrap_count; i++)
		if (!forwarding_is_copy(f, i) && f->conf[i]->address_count &&
		    !f->conf[i]->discover && !f->conf[i]->plain)
			add_server(s, f->conf[i], peer_of(f, i), (int)i);
	return r;
}

void name_servers_free(struct name_servers *s)
{
	for (unsigned i = 0; i < BOOTSTRAP_MAX; i++)
		tls_peer_free(s->peers[i]);
}

static bool is_of_group(const struct pool_group *g, int upstream)
{
	for (unsigned i = 0; i < g->count; i++)
		if (g->upstream[i] == upstream)
			return true;
	return false;
}

unsigned name_servers_choose(const struct name_servers *s, const struct forwarding *f,
			     const uint8_t *name, size_t len,
			     uint8_t out[NAME_SERVERS_MAX])
{
	uint8_t lower[NAME_MAX_LEN];
	const struct route *route;
	unsigned n = 0;

	name_lower(lower, name, len);
	route = routes_find(&f->routes, lower, len);
	for (unsigned i = 0; i < s->count; i++)
		if (is_of_group(&f->groups[route ? route->group : 0], s->upstreams_of[i]))
			out[n++] = (uint8_t)i;
	if (n)
		return n;
	for (; n < s->count; n++)
		out[n] = (uint8_t)n;
	return n;
}
