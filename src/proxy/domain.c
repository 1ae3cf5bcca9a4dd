/* domain: libpsl by dlopen(), so that who does not want it does not need it. */
#include "proxy/domain.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/name.h"

#define LIBRARY "libpsl.so.5"

struct domains {
	void *library;
	const void *list;
	/* psl_registrable_domain(): points into the text; NULL: there is none */
	const char *(*registrable)(const void *list, const char *domain);
};

/* The object behind a symbol as a function; ISO C has no cast for it. */
static void load(void *library, const char *symbol, void *function)
{
	void *object = dlsym(library, symbol);

	memcpy(function, &object, sizeof object);
}

int domains_new(struct domains **out)
{
	struct domains *d = calloc(1, sizeof *d);
	const void *(*builtin)(void) = NULL;

	if (!d)
		return -ENOMEM;
	d->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (d->library) {
		load(d->library, "psl_builtin", &builtin);
		load(d->library, "psl_registrable_domain", &d->registrable);
	}
	if (builtin)
		d->list = builtin();
	if (!d->list || !d->registrable) {
		domains_free(d);
		return -ELIBACC;
	}
	*out = d;
	return 0;
}

void domains_free(struct domains *d)
{
	if (!d)
		return;
	if (d->library)
		dlclose(d->library);
	free(d);
}

uint64_t domains_hash(const struct domains *d, const uint8_t *name, size_t len)
{
	static const struct hash_key fixed = {3, 4};
	char text[NAME_TEXT_MAX];
	const char *domain;
	size_t n;

	name_text(name, len, text);
	n = strlen(text);
	text[n - (n > 1)] = 0; /* the final dot */
	domain = d->registrable(d->list, text);
	if (!domain)
		domain = text;
	return hash_bytes(&fixed, domain, strlen(domain));
}
