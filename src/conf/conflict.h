/* conflict: words that are right each by itself, but not together. */
#ifndef DOTGATE_CONF_CONFLICT_H
#define DOTGATE_CONF_CONFLICT_H

#include "conf/config.h"
#include "conf/fault.h"

struct conflict {
	const char *word; /* the option whose place is told, such as "listen" */
	unsigned entry;	  /* of a list: its number */
	char text[FAULT_TEXT_MAX];
};

/*
 * Looks for two words of C that contradict each other: listeners that overlap, ttl-min
 * above ttl-max, two options that name the same file. Returns true with the first such
 * pair in OUT; false: there is none.
 */
bool conflict_find(const struct config *c, struct conflict *out);

#endif
