/* microhttpd: finds the library and its functions. */
#include "admin/microhttpd.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* The interface that the header describes; then whatever a developer's package points to.
 */
static const char *const names[] = {"libmicrohttpd.so.12", "libmicrohttpd.so"};

static bool find(void *library, const char *name, void *function)
{
	void *found = dlsym(library, name);

	/* POSIX: a function's address fits a void pointer, though C has no cast for it */
	memcpy(function, &found, sizeof found);
	return found != NULL;
}

int microhttpd_open(struct microhttpd *m)
{
	struct microhttpd opened;
	bool complete = true;
	void *library = NULL;

	for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++)
		library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return -ELIBACC;
#define X(name) complete &= find(library, #name, &opened.name);
	MICROHTTPD_FUNCTIONS(X)
#undef X
	if (!complete) {
		dlclose(library);
		return -ELIBACC;
	}
	*m = opened;
	return 0;
}
