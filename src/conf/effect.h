/* effect: words that are right, but change nothing as the others stand. */
#ifndef DOTGATE_CONF_EFFECT_H
#define DOTGATE_CONF_EFFECT_H

#include "conf/config.h"

/* Adds to C's warnings one for each word that has another value than the default, but no effect,
 * and one if names go to the default upstreams though only routes are written. */
void effect_warn(struct config *c);

#endif
