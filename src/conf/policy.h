/* policy: the values of the options policy and hedge. */
#ifndef DOTGATE_CONF_POLICY_H
#define DOTGATE_CONF_POLICY_H

#include "conf/value.h"

/* fastest, ordered, round-robin, random, weighted, race N (2 to UPSTREAMS_MAX; race alone is
 * race 2), shard */
extern const struct value_kind value_policy;
extern const struct value_kind value_hedge; /* auto, on, off */

#endif
