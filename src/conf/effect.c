/* effect: words that are right, but change nothing as the others stand. */
#include "conf/effect.h"

#include <stdio.h>
#include <string.h>

#include "conf/table.h"

/* Octets of the default upstreams' text, which is in the table. */
#define DEFAULTS_TEXT_MAX 256

/* ---- upstreams ---- */

/* True if IS is true of any upstream that is asked. */
static bool any_upstream(const struct config *c,
			 bool (*is)(const struct upstream_conf *u))
{
	unsigned discovered = config_has_root(c) ? 0 : c->discover_count;
	bool found = false;

	for (unsigned i = 0; i < config_upstreams(c); i++)
		found |= is(&c->upstream[i]);
	for (unsigned i = 0; i < discovered; i++)
		found |= is(&c->discover[i]);
	for (unsigned i = 0; i < c->route_count; i++)
		found |= is(&c->route[i].upstream);
	return found;
}

static bool is_to_be_found(const struct upstream_conf *u)
{
	return u->discover || u->address_count == 0;
}

static bool is_encrypted(const struct upstream_conf *u)
{
	return !u->plain;
}

static bool wants_a_ca(const struct upstream_conf *u)
{
	return !u->plain && u->auth == TLS_AUTH_NAME && !u->ca_file[0] && !u->ca_dir[0];
}

static bool has_weight(const struct upstream_conf *u)
{
	return u->weight != 1;
}

/* True if there is a choice between upstreams for any name. */
static bool has_choice(const struct config *c)
{
	unsigned general =
	    config_upstreams(c) + (config_has_root(c) ? 0 : c->discover_count);

	for (unsigned j = 1; j < c->route_count; j++)
		for (unsigned i = 0; i < j; i++)
			if (c->route[i].domain_len == c->route[j].domain_len &&
			    memcmp(c->route[i].domain, c->route[j].domain,
				   c->route[i].domain_len) == 0)
				return true;
	return general > 1;
}

/* ---- words ---- */

/* True if WORD has a value, and not the default one. */
static bool is_set(const struct config *c, const char *word)
{
	const struct option *o = option_find(span_of(word));
	char text[VALUE_TEXT_MAX];

	return o->kind->text(c, o, 0, text) &&
	       (!o->standard || strcmp(text, o->standard) != 0);
}

/* Warns of WORD, if it is set and IDLE is true. */
static void check(struct config *c, const char *word, bool idle, const char *why)
{
	if (idle && is_set(c, word))
		warnings_add(&c->warnings, "%s has no effect: %s", word, why);
}

static void check_cache(struct config *c)
{
	static const char *const words[] = {
	    "cache-file",  "ttl-min",	  "ttl-max",	"negative-ttl-max",
	    "failure-ttl", "serve-stale", "stale-after"};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		check(c, words[i], c->cache_size == 0, "the cache is off (cache-size)");
	check(c, "stale-after", c->cache_size && !c->serve_stale_us,
	      "serve-stale is off");
}

static void check_upstreams(struct config *c)
{
	bool root = config_has_root(c);
	bool found = any_upstream(c, is_to_be_found);
	bool ca = any_upstream(c, wants_a_ca);

	check(c, "upstream", root && !c->upstream_is_default, "route . takes its place");
	check(c, "discover", root, "route . takes its place");
	check(c, "bootstrap", !found, "every upstream is written with an address");
	check(c, "addresses-file", !found, "every upstream is written with an address");
	check(c, "ca-file", !ca && !c->bootstrap_count,
	      "no upstream is authenticated by a CA of it");
	check(c, "ca-dir", !ca && !c->bootstrap_count,
	      "no upstream is authenticated by a CA of it");
	check(c, "tls-min", !any_upstream(c, is_encrypted) && !c->bootstrap_count,
	      "no upstream is asked over TLS");
	check(c, "policy", !has_choice(c), "no name has more than one upstream");
	if (c->policy != POLICY_WEIGHTED && any_upstream(c, has_weight))
		warnings_add(&c->warnings, "weight= has no effect: policy is not "
					   "weighted");
}

/* Loud, because names leave for somebody whom nobody has written down. */
static void check_default(struct config *c)
{
	char all[DEFAULTS_TEXT_MAX] = "", text[UPSTREAM_TEXT_MAX];
	size_t len = 0;

	if (!c->route_count || !c->upstream_is_default)
		return;
	for (unsigned i = 0; i < config_upstreams(c) && len < sizeof all; i++)
		len +=
		    (size_t)snprintf(all + len, sizeof all - len, "%s%s", i ? ", " : "",
				     upstream_text(&c->upstream[i], false, text));
	if (len)
		warnings_add(&c->warnings,
			     "only routes are written: ALL OTHER NAMES GO TO THE DEFAULT "
			     "UPSTREAMS (%s): write upstream, or route . for all names",
			     all);
}

void effect_warn(struct config *c)
{
	check_default(c);
	check_upstreams(c);
	check_cache(c);
	check(c, "tcp-clients-per-address", c->tcp_clients_per_address > c->tcp_clients,
	      "it is above tcp-clients");
}
