/* comment: a comment that was meant to be the name of an upstream. */
#include "conf/comment.h"

#include <string.h>

#include "conf/hostname.h"
#include "conf/route.h"

/* The upstream that was appended to O's list last; NULL: O has none. */
static const struct upstream_conf *newest(const struct config *c, const struct option *o)
{
	if (o->kind == &value_upstream)
		return &c->upstream[c->upstream_count - 1];
	if (o->kind == &value_bootstrap)
		return &c->bootstrap[c->bootstrap_count - 1];
	if (o->kind == &value_route)
		return &c->route[c->route_count - 1].upstream;
	return NULL;
}

/* A name at once, and behind it nothing but parameters: more words are prose. */
static bool is_name(const char *comment, struct span *name)
{
	struct fault ignored = {.base = comment};
	struct span rest = span_of(comment);
	char host[CONF_NAME_MAX];

	*name = span_word(&rest);
	if (name->at != comment || hostname_read(host, *name, &ignored) != 0)
		return false;
	for (struct span word = span_word(&rest); word.at; word = span_word(&rest))
		if (!memchr(word.at, '=', word.len))
			return false;
	return true;
}

void comment_warn(struct config *c, const struct option *o, const struct directive *d)
{
	const struct upstream_conf *u = newest(c, o);
	struct place place = d->place;
	char where[PLACE_TEXT_MAX];
	struct span name;

	if (!u || !d->comment || u->plain || u->auth != TLS_AUTH_NAME || u->name[0] ||
	    !is_name(d->comment, &name))
		return;
	place.column = d->comment_column;
	warnings_add(
	    &c->warnings,
	    "%s: '#%.*s' is a comment, as a blank is in front: write the "
	    "certificate's name without one (ADDRESS#NAME), or a comment with one "
	    "behind the #",
	    place_text(&place, where), span_shown(name), name.at);
}
