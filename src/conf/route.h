/* route: the values of the option route. */
#ifndef DOTGATE_CONF_ROUTE_H
#define DOTGATE_CONF_ROUTE_H

#include "conf/value.h"

/*
 * DOMAIN UPSTREAM [PARAMETERS]: names at and below DOMAIN are asked there. DOMAIN may be a prefix of
 * addresses (192.168.1.0/24, 2001:db8::/32), which means its reverse zone, or . for all names. The
 * same domain with other upstreams: each of them serves it.
 */
extern const struct value_kind value_route;

/* A domain: a name that may be looked up while the clock is wrong. */
extern const struct value_kind value_time_grace;

#endif
