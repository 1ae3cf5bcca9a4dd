/* control_path: where the socket is by which commands reach the daemon. */
#ifndef DOTGATE_OS_CONTROL_PATH_H
#define DOTGATE_OS_CONTROL_PATH_H

#include "conf/config.h"

/*
 * The path that C says, else the usual one: /run/dotgate/control for root,
 * $XDG_RUNTIME_DIR/dotgate-control for others. MAKE: the folder /run/dotgate is made. False:
 * there is to be none, or there is no place for one.
 */
bool control_path(const struct config *c, bool make, char out[CONF_PATH_MAX]);

#endif
