/* place: where somebody wrote a word, and errors that say so. */
#ifndef DOTGATE_CONF_PLACE_H
#define DOTGATE_CONF_PLACE_H

#include "conf/fault.h"
#include "conf/options.h"

/* In the order in which they are read: each goes over those before it. */
enum place_kind {
	PLACE_NONE,
	PLACE_DEFAULT,
	PLACE_FILE,
	PLACE_ENVIRONMENT,
	PLACE_COMMAND_LINE
};

struct place {
	enum place_kind kind;
	const char *name; /* of the file or option; or NAME=VALUE; not owned */
	unsigned line;	  /* in a file, from 1 */
	size_t column;	  /* in a file, from 1 */
};

/* Octets of a place's text: the longest path that the kernel takes, line and column. */
#define PLACE_TEXT_MAX (4096 + 64)

/* "dotgate.conf:3:8", "DOTGATE_LISTEN" or "--listen". Returns OUT. */
const char *place_text(const struct place *p, char out[PLACE_TEXT_MAX]);

/* Writes "PLACE: ..." into ERROR. Returns -EINVAL. P may be NULL. */
int place_error(char error[CONF_ERROR_MAX], const struct place *p, const char *format,
		...) __attribute__((format(printf, 3, 4)));

#endif
