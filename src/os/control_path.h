/* control_path: where the socket is by which commands reach the daemon. */
#ifndef DOTGATE_OS_CONTROL_PATH_H
#define DOTGATE_OS_CONTROL_PATH_H

#include "conf/config.h"

/*
 * The path that C says, else the usual one: $XDG_RUNTIME_DIR/dotgate-control where a user has that folder,
 * /run/dotgate/control for root and all others. MAKE: root makes the folder /run/dotgate; others need it
 * to be there, as the container image and systemd's RuntimeDirectory have it. False: there is to be none.
 */
bool control_path(const struct config *c, bool make, char out[CONF_PATH_MAX]);

#endif
