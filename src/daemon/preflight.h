/* preflight: does this machine have what the configuration wants? */
#ifndef DOTGATE_DAEMON_PREFLIGHT_H
#define DOTGATE_DAEMON_PREFLIGHT_H

#include "conf/config.h"

typedef void preflight_say_fn(const char *text);

/* The libraries that are opened at run time. Calls SAY for each that C wants and that is missing.
 * Returns true if there is none. */
bool preflight_libraries(const struct config *c, preflight_say_fn *say);

/* The files that the daemon writes, cache-file and addresses-file. Calls SAY for each that could
 * not be written. Returns true if there is none. */
bool preflight_files(const struct config *c, preflight_say_fn *say);

/* The control socket, if C names one. Calls SAY if it could not be made. Returns true if it could,
 * or if a daemon has it. */
bool preflight_control(const struct config *c, preflight_say_fn *say);

#endif
