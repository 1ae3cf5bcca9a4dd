/* forwarding: each once, however many routes lead to it. */
#include "forwarding/forwarding.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Behind the label of an upstream's copy. */
#define GRACE " (time-grace)"

_Static_assert(ROUTES_CONF_MAX + TIME_GRACE_MAX <= ROUTES_MAX, "all routes have room");
_Static_assert(ROUTES_MAX < POOL_GROUPS_MAX,
	       "each route has a group, and the rest one more");

static int fail(char *error, int code, const char *label, const char *text)
{
	snprintf(error, UPSTREAMS_ERROR_MAX, "upstream %s: %s", label, text);
	return code;
}

static void warn(const struct upstream_conf *conf, const char *label, bool is_default)
{
	if (conf->plain)
		log_line(
		    is_default ? LOG_WARNING : LOG_NOTICE,
		    "upstream %s is NOT ENCRYPTED (plain://): anyone on the way can read "
		    "and change what is asked there",
		    label);
	else if (conf->auth == TLS_AUTH_NONE)
		log_line(
		    LOG_WARNING,
		    "upstream %s is NOT AUTHENTICATED (auth=none): anyone on the way can "
		    "read and change its answers",
		    label);
}

/* Appends one. Returns its number, or what upstreams_make() does. */
static int add(struct upstreams *u, const struct config *c,
	       const struct upstream_conf *conf, bool is_default, char *error)
{
	unsigned i = u->count;
	char text[UPSTREAM_TEXT_MAX], detail[TLS_ERROR_MAX];

	upstream_text(conf, false, text);
	if (i == UPSTREAMS_MAX)
		return fail(error, -EINVAL, text, "there are too many, routes included");
	u->labels[i] = strdup(text);
	if (!u->labels[i])
		return fail(error, -ENOMEM, text, "out of memory");
	u->count++;
	u->conf[i] = conf;
	u->unauthenticated[i] = conf->plain || conf->auth == TLS_AUTH_NONE;
	u->pool[i] = (struct pool_upstream){.label = u->labels[i],
					    .addresses = &u->addresses[i],
					    .weight = conf->weight,
					    .fast_open = conf->fast_open,
					    .early_data = conf->early_data,
					    .notes = &u->notes[i]};
	notes_init(&u->notes[i]);
	addresses_init(&u->addresses[i]);
	if (!conf->discover)
		addresses_set(&u->addresses[i], conf->addresses, conf->address_count);
	config_trust(c, conf, &u->trust[i]);
	if (!conf->plain && tls_peer_new(&u->pool[i].peer, &u->trust[i], detail) < 0)
		return fail(error, -EINVAL, text, detail);
	warn(conf, text, is_default);
	return (int)i;
}

/* The number of the one that is written as CONF is, but for its parameters; -1: there is none. */
static int find(const struct upstreams *u, const struct upstream_conf *conf)
{
	char text[UPSTREAM_TEXT_MAX];

	upstream_text(conf, false, text);
	for (unsigned i = 0; i < u->count; i++)
		if (strcmp(text, u->labels[i]) == 0)
			return (int)i;
	return -1;
}

/* A name in log and metrics stands for one set of parameters. */
static bool is_same(const struct upstream_conf *a, const struct upstream_conf *b)
{
	char x[UPSTREAM_TEXT_MAX], y[UPSTREAM_TEXT_MAX];

	return strcmp(upstream_text(a, true, x), upstream_text(b, true, y)) == 0;
}

/* route . says who serves all other names; then the option upstream does not. */
static bool is_root(const struct route_conf *conf)
{
	return conf->domain_len == 1;
}

/* The group of the route to this domain, made if need be. */
static struct pool_group *group_of(struct upstreams *u, const struct route_conf *conf)
{
	struct routes *r = &u->routes;
	struct route *x = &r->all[r->count];

	if (is_root(conf))
		return &u->groups[0];
	for (unsigned i = 0; i < r->count; i++)
		if (r->all[i].len == conf->domain_len &&
		    memcmp(r->all[i].domain, conf->domain, conf->domain_len) == 0)
			return &u->groups[r->all[i].group];
	memcpy(x->domain, conf->domain, conf->domain_len);
	x->len = conf->domain_len;
	x->group = u->group_count++;
	r->count++;
	return &u->groups[x->group];
}

static int add_route(struct upstreams *u, const struct config *c,
		     const struct route_conf *conf, char *error)
{
	struct pool_group *g = group_of(u, conf);
	int i = find(u, &conf->upstream);

	if (i >= 0 && !is_same(u->conf[i], &conf->upstream))
		return fail(
		    error, -EINVAL, u->labels[i],
		    "written twice, with other parameters: write the same behind both");
	if (i < 0)
		i = add(u, c, &conf->upstream, is_root(conf), error);
	if (i < 0)
		return i;
	g->upstream[g->count++] = (uint8_t)i;
	return 0;
}

/* A copy of upstream I for names that are needed to set the clock: its certificate's dates do not
 * matter while that is wrong. Connections of its own carry these names and no others. */
static int add_grace(struct upstreams *u, unsigned i, char *error)
{
	unsigned n = u->count;
	char text[UPSTREAM_TEXT_MAX + sizeof GRACE], detail[TLS_ERROR_MAX];

	if (n == UPSTREAMS_MAX)
		return fail(error, -EINVAL, u->labels[i], "too many, with time-grace");
	snprintf(text, sizeof text, "%s" GRACE, u->labels[i]);
	u->labels[n] = strdup(text);
	if (!u->labels[n])
		return fail(error, -ENOMEM, text, "out of memory");
	u->count++;
	u->conf[n] = u->conf[i];
	u->pool[n] = u->pool[i];
	u->pool[n].peer = NULL;
	u->pool[n].label = u->labels[n];
	u->pool[n].notes = &u->notes[n];
	notes_init(&u->notes[n]);
	addresses_init(&u->addresses[n]); /* those of the original are used */
	u->trust[n] = u->trust[i];
	u->trust[n].time_grace = true;
	return tls_peer_new(&u->pool[n].peer, &u->trust[n], detail) < 0
		   ? fail(error, -EINVAL, text, detail)
		   : (int)n;
}

/* What a certificate by name or pin can be had of, of the default group. */
static int add_grace_group(struct upstreams *u, const struct config *c, char *error)
{
	const struct pool_group *all = &u->groups[0];
	struct pool_group *g = &u->groups[u->group_count];

	for (unsigned k = 0; k < all->count; k++) {
		unsigned i = all->upstream[k];
		int n = (int)i;

		if (!u->conf[i]->plain && u->conf[i]->auth == TLS_AUTH_NAME)
			n = add_grace(u, i, error);
		if (n < 0)
			return n;
		g->upstream[g->count++] = (uint8_t)n;
	}
	for (unsigned i = 0; i < c->time_grace_count; i++) {
		struct route *r = &u->routes.all[u->routes.count++];

		memcpy(r->domain, c->time_grace[i].domain, c->time_grace[i].domain_len);
		r->len = c->time_grace[i].domain_len;
		r->group = u->group_count;
	}
	u->group_count++;
	return 0;
}

/* What is written as upstream, and as discover; that alone, if upstream says nothing. */
static int add_default(struct upstreams *u, const struct config *c, char *error)
{
	unsigned named = config_upstreams(c);
	struct pool_group *g = &u->groups[0];

	for (unsigned i = 0; i < named + c->discover_count; i++) {
		int r = add(u, c, i < named ? &c->upstream[i] : &c->discover[i - named],
			    true, error);

		if (r < 0)
			return r;
		g->upstream[g->count++] = (uint8_t)r;
	}
	return 0;
}

int upstreams_make(struct upstreams *u, const struct config *c,
		   char error[UPSTREAMS_ERROR_MAX])
{
	int r = 0;

	memset(u, 0, sizeof *u);
	u->group_count = 1;
	if (!config_has_root(c))
		r = add_default(u, c, error);
	for (unsigned i = 0; i < c->route_count && r >= 0; i++)
		r = add_route(u, c, &c->route[i], error);
	if (r >= 0 && c->time_grace_count > 0)
		r = add_grace_group(u, c, error);
	return r < 0 ? r : 0;
}

bool upstreams_is_copy(const struct upstreams *u, unsigned i)
{
	return u->pool[i].addresses != &u->addresses[i];
}

void upstreams_free(struct upstreams *u)
{
	for (unsigned i = 0; i < u->count; i++) {
		tls_peer_free(u->pool[i].peer);
		notes_destroy(&u->notes[i]);
		addresses_destroy(&u->addresses[i]);
		free((void *)(uintptr_t)u->labels[i]);
	}
}

unsigned upstreams_plain(const struct upstreams *u)
{
	unsigned n = 0;

	for (unsigned i = 0; i < u->count; i++)
		n += u->conf[i]->plain;
	return n;
}
