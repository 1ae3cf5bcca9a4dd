/* file: configuration files, one directive per line, and those that they include. */
#ifndef DOTGATE_CONF_FILE_H
#define DOTGATE_CONF_FILE_H

#include "conf/fault.h"
#include "conf/options.h"
#include "conf/place.h"

/* One line: "WORD VALUE". Both are without blanks around them; VALUE may be empty. */
struct directive {
	struct place place; /* of the word; its file name lives as long as the files */
	const char *word, *value;
	size_t value_column;   /* from 1 */
	const char *comment;   /* what stands behind #; NULL: there is none */
	size_t comment_column; /* of the #, from 1 */
};

/* Called for each directive. Returns 0, or -EINVAL with the error set, which ends it all.
 */
typedef int file_directive_fn(void *arg, const struct directive *d);

/* The names of the files that were read: places point to them. */
struct files;

/*
 * Reads PATH, and what it includes ("include GLOB", relative to the including file), each
 * at its place. Returns 0, -ENOENT if there is no file PATH, or -EINVAL, both with ERROR
 * set. *OUT is then to be freed in any case.
 */
int file_read(struct files **out, const char *path, file_directive_fn *on_directive,
	      void *arg, char error[CONF_ERROR_MAX]);

void file_free(struct files *f);

#endif
