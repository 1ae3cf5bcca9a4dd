/* conflict: words that are right each by itself, but not together. */
#include "conf/conflict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "conf/table.h"

__attribute__((format(printf, 4, 5))) static bool
found(struct conflict *out, const char *word, unsigned entry, const char *format, ...)
{
	va_list args;

	out->word = word;
	out->entry = entry;
	va_start(args, format);
	vsnprintf(out->text, sizeof out->text, format, args);
	va_end(args);
	return true;
}

/* True if a socket bound to A leaves no room for one bound to B, or the other way round. */
static bool overlap(const struct address *a, const struct address *b)
{
	if (a->any.sa_family != b->any.sa_family || address_port(a) != address_port(b))
		return false;
	return address_is_wildcard(a) || address_is_wildcard(b) || address_same_ip(a, b);
}

static bool listeners_overlap(const struct config *c, struct conflict *out)
{
	char all[ADDRESS_TEXT_MAX], part[ADDRESS_TEXT_MAX];

	for (unsigned j = 1; j < c->listen_count; j++)
		for (unsigned i = 0; i < j; i++) {
			const struct address *a = &c->listen[i], *b = &c->listen[j];

			if (!overlap(a, b))
				continue;
			address_text(address_is_wildcard(a) ? a : b, all);
			address_text(address_is_wildcard(a) ? b : a, part);
			return found(out, "listen", j,
				     "listen %s is part of listen %s: leave out one of "
				     "them",
				     part, all);
		}
	return false;
}

static bool http_overlaps(const struct config *c, struct conflict *out)
{
	char http[ADDRESS_TEXT_MAX], listen[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; c->http_set && i < c->listen_count; i++)
		if (overlap(&c->http, &c->listen[i]))
			return found(out, "http", 0,
				     "http %s and listen %s want the same port: give "
				     "http another one",
				     address_text(&c->http, http),
				     address_text(&c->listen[i], listen));
	return false;
}

static const char *value_of(const struct config *c, const char *word,
			    char out[VALUE_TEXT_MAX])
{
	const struct option *o = option_find(span_of(word));

	out[0] = 0;
	(void)o->kind->text(c, o, 0, out);
	return out;
}

static bool ttls_cross(const struct config *c, struct conflict *out)
{
	char min[VALUE_TEXT_MAX], max[VALUE_TEXT_MAX];

	return c->ttl_min_us > c->ttl_max_us &&
	       found(out, "ttl-min", 0, "ttl-min %.64s is above ttl-max %.64s",
		     value_of(c, "ttl-min", min), value_of(c, "ttl-max", max));
}

/* Each of these files would be overwritten by the other. */
static bool files_are_one(const struct config *c, struct conflict *out)
{
	static const char *const words[] = {"cache-file", "addresses-file", "control"};
	const char *control = strcmp(c->control, "off") == 0 ? "" : c->control;
	const char *const paths[] = {c->cache_file, c->addresses_file, control};

	for (unsigned j = 1; j < sizeof paths / sizeof paths[0]; j++)
		for (unsigned i = 0; i < j; i++)
			if (paths[j][0] && strcmp(paths[i], paths[j]) == 0)
				return found(out, words[j], 0,
					     "%s and %s are the same file: %s", words[i],
					     words[j], paths[j]);
	return false;
}

bool conflict_find(const struct config *c, struct conflict *out)
{
	return listeners_overlap(c, out) || http_overlaps(c, out) || ttls_cross(c, out) ||
	       files_are_one(c, out);
}
