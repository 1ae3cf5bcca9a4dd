/* scheme: what stands in front of an upstream: tls://, tcp-tls:, sdns://, plain://, or what is
 * refused. */
#ifndef DOTGATE_CONF_SCHEME_H
#define DOTGATE_CONF_SCHEME_H

#include "conf/fault.h"

enum scheme { SCHEME_NONE, SCHEME_TLS, SCHEME_STAMP, SCHEME_PLAIN };

/* Takes the scheme, if there is one, off TEXT. Those of other protocols fail, each with
 * its own words. */
int scheme_read(enum scheme *out, struct span *text, struct fault *f);

#endif
