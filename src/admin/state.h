/* state: what the daemon is doing, as log lines: the answer to SIGUSR1. */
#ifndef DOTGATE_ADMIN_STATE_H
#define DOTGATE_ADMIN_STATE_H

#include "telemetry/sources.h"

/* Logs one line for the whole and one for each upstream. */
void state_log(const struct sources *s);

#endif
