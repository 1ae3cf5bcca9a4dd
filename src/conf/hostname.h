/* hostname: the name that an upstream's certificate must carry. */
#ifndef DOTGATE_CONF_HOSTNAME_H
#define DOTGATE_CONF_HOSTNAME_H

#include "conf/config.h"
#include "conf/fault.h"

/* Reads a host name as certificates and SNI have it: letters, digits, hyphens and
 * underscores, at most 253 characters. OUT gets it in lower case, without a dot at the
 * end, and all of its octets are written. */
int hostname_read(char out[CONF_NAME_MAX], struct span text, struct fault *f);

#endif
