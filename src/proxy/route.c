/* route: the longest match by whole labels. */
#include "proxy/route.h"

#include <string.h>

/* True if a label of NAME starts LEN octets before its end. */
static bool has_label_at(const uint8_t *name, size_t name_len, size_t len)
{
	size_t at = 0;

	while (name_len - at > len)
		at += name[at] + 1u;
	return name_len - at == len;
}

const struct route *routes_find(const struct routes *r, const uint8_t *name, size_t len)
{
	const struct route *best = NULL;

	for (unsigned i = 0; i < r->count; i++) {
		const struct route *x = &r->all[i];

		if (x->len <= len && (!best || x->len > best->len) &&
		    memcmp(name + len - x->len, x->domain, x->len) == 0 &&
		    has_label_at(name, len, x->len))
			best = x;
	}
	return best;
}
