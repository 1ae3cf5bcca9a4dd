/* comment: a comment that was meant to be the name of an upstream. */
#ifndef DOTGATE_CONF_COMMENT_H
#define DOTGATE_CONF_COMMENT_H

#include "conf/file.h"
#include "conf/table.h"

/* Call when D has been read into the list of option O. Adds a warning to C's if the new entry is
 * an upstream without a name, and D's comment looks like one: "tls://192.0.2.1 #dns.example",
 * where the blank makes the name a comment. */
void comment_warn(struct config *c, const struct option *o, const struct directive *d);

#endif
