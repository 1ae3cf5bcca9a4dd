/* suggest: the known word that a mistyped one was meant to be. */
#ifndef DOTGATE_CONF_SUGGEST_H
#define DOTGATE_CONF_SUGGEST_H

#include "conf/fault.h"

/* Octets of suggest_text()'s result. */
#define SUGGEST_TEXT_MAX 96

/* The one of N words that is nearest to WORD, or NULL if none is near: letters left out,
 * put in, changed or swapped with a neighbour count, their case does not. */
const char *suggest_nearest(struct span word, const char *const *known, size_t n);

/* ": did you mean 'listen'?", or "" if no word is near. Returns OUT. */
const char *suggest_text(struct span word, const char *const *known, size_t n,
			 char out[SUGGEST_TEXT_MAX]);

#endif
