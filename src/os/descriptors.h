/* descriptors: how many files this process may open, shared out before anything is. */
#ifndef DOTGATE_OS_DESCRIPTORS_H
#define DOTGATE_OS_DESCRIPTORS_H

#include "conf/config.h"

/* Raises the soft limit to the hard one and, if that is still too low for the configured
 * number of TCP clients, lowers that number so that listeners and upstream connections
 * always find a descriptor; says so in the log. */
void descriptors_fit(struct config *c, unsigned workers);

#endif
