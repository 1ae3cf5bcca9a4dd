/* netwatch: tells when links, addresses or routes of this machine change (rtnetlink(7)). */
#ifndef DOTGATE_OS_NETWATCH_H
#define DOTGATE_OS_NETWATCH_H

#include <stdbool.h>
#include <stddef.h>

/* A descriptor that becomes readable on a change; or -errno, where netlink is not to be had (a
 * sandbox): one does without. No privilege is needed. */
int netwatch_open(void);

/* Reads all that has come. True if any of it, as far as it can be read, may matter; also when some
 * was lost because it came too fast. */
bool netwatch_read(int fd);

/* True if a datagram of netlink tells of a link, an address or a route. */
bool netwatch_matters(const void *data, size_t len);

#endif
