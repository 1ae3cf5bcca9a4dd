/* table: the words that command line, environment and file share, and what they mean. */
#ifndef DOTGATE_CONF_TABLE_H
#define DOTGATE_CONF_TABLE_H

#include "conf/config.h"
#include "conf/fault.h"
#include "conf/value.h"

/* Where an option may be given. */
#define ON_COMMAND_LINE 1u
#define IN_ENVIRONMENT 2u
#define IN_FILE 4u
#define RARE 8u /* not on the screen of --help */
#define EVERYWHERE (ON_COMMAND_LINE | IN_ENVIRONMENT | IN_FILE)

struct option {
	const char *word;     /* "listen": --listen, DOTGATE_LISTEN, listen in the file */
	char letter;	      /* of the command line; 0: none */
	const char *argument; /* what stands behind it in the help; NULL: a switch */
	const char *help;
	const char
	    *standard; /* the default, ; between the values of a list; NULL: not set */
	const struct value_kind
	    *kind;	   /* NULL: means something to the command line only */
	size_t field;	   /* of struct config; of a list: that of its count */
	uint64_t min, max; /* of counts and times (microseconds) */
	unsigned where;
};

enum { OPTION_LISTEN, OPTION_UPSTREAM, OPTION_CONFIG }; /* the first rows */
#define OPTIONS 41
extern const struct option option_table[OPTIONS];

/* The option of this word, or NULL. */
const struct option *option_find(struct span word);

/* The option of this letter, or NULL. */
const struct option *option_find_letter(char letter);

/* True if O takes more than one value. */
static inline bool option_is_list(const struct option *o)
{
	return o->kind && o->kind->same;
}

static inline void *option_field(struct config *c, const struct option *o)
{
	return (char *)c + o->field;
}

static inline const void *option_field_const(const struct config *c,
					     const struct option *o)
{
	return (const char *)c + o->field;
}

/* The option that WORD, which is none, was meant to be, of those that may stand at WHERE;
 * or NULL if none is near. */
const struct option *option_nearest(struct span word, unsigned where);

#endif
