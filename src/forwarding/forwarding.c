/* forwarding: each upstream once, however many routes lead to it. */
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
	snprintf(error, FORWARDING_ERROR_MAX, "upstream %s: %s", label, text);
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

/* Appends one. Returns its number, or what forwarding_make() does. */
static int add(struct forwarding *f, const struct config *c,
	       const struct upstream_conf *conf, bool is_default, char *error)
{
	unsigned i = f->count;
	char text[UPSTREAM_TEXT_MAX], detail[TLS_ERROR_MAX];

	upstream_text(conf, false, text);
	if (i == UPSTREAMS_MAX)
		return fail(error, -EINVAL, text, "there are too many, routes included");
	f->labels[i] = strdup(text);
	if (!f->labels[i])
		return fail(error, -ENOMEM, text, "out of memory");
	f->count++;
	f->conf[i] = conf;
	f->unauthenticated[i] = conf->plain || conf->auth == TLS_AUTH_NONE;
	f->pool[i] = (struct pool_upstream){.label = f->labels[i],
					    .addresses = &f->addresses[i],
					    .weight = conf->weight,
					    .fast_open = conf->fast_open,
					    .early_data = conf->early_data,
					    .notes = &f->notes[i]};
	notes_init(&f->notes[i]);
	addresses_init(&f->addresses[i]);
	if (!conf->discover)
		addresses_set(&f->addresses[i], conf->addresses, conf->address_count);
	config_trust(c, conf, &f->trust[i]);
	if (!conf->plain && tls_peer_new(&f->pool[i].peer, &f->trust[i], detail) < 0)
		return fail(error, -EINVAL, text, detail);
	warn(conf, text, is_default);
	return (int)i;
}

/* The number of the one that is written as CONF is, but for its parameters; -1: there is none. */
static int find(const struct forwarding *f, const struct upstream_conf *conf)
{
	char text[UPSTREAM_TEXT_MAX];

	upstream_text(conf, false, text);
	for (unsigned i = 0; i < f->count; i++)
		if (strcmp(text, f->labels[i]) == 0)
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
static struct pool_group *group_of(struct forwarding *f, const struct route_conf *conf)
{
	struct routes *r = &f->routes;
	struct route *x = &r->all[r->count];

	if (is_root(conf))
		return &f->groups[0];
	for (unsigned i = 0; i < r->count; i++)
		if (r->all[i].len == conf->domain_len &&
		    memcmp(r->all[i].domain, conf->domain, conf->domain_len) == 0)
			return &f->groups[r->all[i].group];
	memcpy(x->domain, conf->domain, conf->domain_len);
	x->len = conf->domain_len;
	x->group = f->group_count++;
	r->count++;
	return &f->groups[x->group];
}

static int add_route(struct forwarding *f, const struct config *c,
		     const struct route_conf *conf, char *error)
{
	struct pool_group *g = group_of(f, conf);
	int i = find(f, &conf->upstream);

	if (i >= 0 && !is_same(f->conf[i], &conf->upstream))
		return fail(
		    error, -EINVAL, f->labels[i],
		    "written twice, with other parameters: write the same behind both");
	if (i < 0)
		i = add(f, c, &conf->upstream, is_root(conf), error);
	if (i < 0)
		return i;
	g->upstream[g->count++] = (uint8_t)i;
	return 0;
}

/* A copy of upstream I for names that are needed to set the clock: its certificate's dates do not
 * matter while that is wrong. Connections of its own carry these names and no others. */
static int add_grace(struct forwarding *f, unsigned i, char *error)
{
	unsigned n = f->count;
	char text[UPSTREAM_TEXT_MAX + sizeof GRACE], detail[TLS_ERROR_MAX];

	if (n == UPSTREAMS_MAX)
		return fail(error, -EINVAL, f->labels[i], "too many, with time-grace");
	snprintf(text, sizeof text, "%s" GRACE, f->labels[i]);
	f->labels[n] = strdup(text);
	if (!f->labels[n])
		return fail(error, -ENOMEM, text, "out of memory");
	f->count++;
	f->conf[n] = f->conf[i];
	f->pool[n] = f->pool[i];
	f->pool[n].peer = NULL;
	f->pool[n].label = f->labels[n];
	f->pool[n].notes = &f->notes[n];
	notes_init(&f->notes[n]);
	addresses_init(&f->addresses[n]); /* those of the original are used */
	f->trust[n] = f->trust[i];
	f->trust[n].time_grace = true;
	return tls_peer_new(&f->pool[n].peer, &f->trust[n], detail) < 0
		   ? fail(error, -EINVAL, text, detail)
		   : (int)n;
}

/* What a certificate by name or pin can be had of, of the default group. */
static int add_grace_group(struct forwarding *f, const struct config *c, char *error)
{
	const struct pool_group *all = &f->groups[0];
	struct pool_group *g = &f->groups[f->group_count];

	for (unsigned k = 0; k < all->count; k++) {
		unsigned i = all->upstream[k];
		int n = (int)i;

		if (!f->conf[i]->plain && f->conf[i]->auth == TLS_AUTH_NAME)
			n = add_grace(f, i, error);
		if (n < 0)
			return n;
		g->upstream[g->count++] = (uint8_t)n;
	}
	for (unsigned i = 0; i < c->time_grace_count; i++) {
		struct route *r = &f->routes.all[f->routes.count++];

		memcpy(r->domain, c->time_grace[i].domain, c->time_grace[i].domain_len);
		r->len = c->time_grace[i].domain_len;
		r->group = f->group_count;
	}
	f->group_count++;
	return 0;
}

/* What is written as upstream, and as discover; that alone, if upstream says nothing. */
static int add_default(struct forwarding *f, const struct config *c, char *error)
{
	unsigned named = config_upstreams(c);
	struct pool_group *g = &f->groups[0];

	for (unsigned i = 0; i < named + c->discover_count; i++) {
		int r = add(f, c, i < named ? &c->upstream[i] : &c->discover[i - named],
			    true, error);

		if (r < 0)
			return r;
		g->upstream[g->count++] = (uint8_t)r;
	}
	return 0;
}

int forwarding_make(struct forwarding *f, const struct config *c,
		    char error[FORWARDING_ERROR_MAX])
{
	int r = 0;

	memset(f, 0, sizeof *f);
	f->group_count = 1;
	if (!config_has_root(c))
		r = add_default(f, c, error);
	for (unsigned i = 0; i < c->route_count && r >= 0; i++)
		r = add_route(f, c, &c->route[i], error);
	if (r >= 0 && c->time_grace_count > 0)
		r = add_grace_group(f, c, error);
	return r < 0 ? r : 0;
}

bool forwarding_is_copy(const struct forwarding *f, unsigned i)
{
	return f->pool[i].addresses != &f->addresses[i];
}

void forwarding_free(struct forwarding *f)
{
	for (unsigned i = 0; i < f->count; i++) {
		tls_peer_free(f->pool[i].peer);
		notes_destroy(&f->notes[i]);
		addresses_destroy(&f->addresses[i]);
		free((void *)(uintptr_t)f->labels[i]);
	}
}

unsigned forwarding_plain(const struct forwarding *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->count; i++)
		n += f->conf[i]->plain;
	return n;
}
