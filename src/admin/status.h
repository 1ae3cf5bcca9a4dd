/* status: the state of each upstream, as a text or as JSON. */
#ifndef DOTGATE_ADMIN_STATUS_H
#define DOTGATE_ADMIN_STATUS_H

#include <stdbool.h>
#include <stdio.h>

#include "forwarding/forwarding.h"
#include "telemetry/sources.h"

/* Any thread may call it. */
void status_print(FILE *out, struct forwarding *f, const struct sources *sources,
		  bool json);

#endif
