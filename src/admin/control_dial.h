/* control_dial: the way to a control socket by its path. */
#ifndef DOTGATE_ADMIN_CONTROL_DIAL_H
#define DOTGATE_ADMIN_CONTROL_DIAL_H

#include <sys/un.h>

/* Makes the address of PATH. Returns 0 or -ENAMETOOLONG. */
int control_address(struct sockaddr_un *out, const char *path);

/* Connects to the socket at PATH; FLAGS as of socket(). With TIMEOUT_MS above 0 neither the connection
 * nor what is sent and read on it waits longer. Returns the descriptor, or -errno: -ENOENT and
 * -ECONNREFUSED if nobody serves it, -EAGAIN if whoever serves it has no time. */
int control_dial(const char *path, int flags, unsigned timeout_ms);

#endif
