/* port_holder: the process that has a port which could not be had. */
#ifndef DOTGATE_OS_PORT_HOLDER_H
#define DOTGATE_OS_PORT_HOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* The kernel's TASK_COMM_LEN. */
#define PORT_HOLDER_NAME_MAX 16

enum port_state {
	PORT_FREE,    /* no socket is in the way (any more) */
	PORT_HELD,    /* by a process that we may not see */
	PORT_HELD_BY, /* by the process that is told */
};

struct port_holder {
	int pid;
	char name[PORT_HOLDER_NAME_MAX]; /* of its program, without control characters */
};

/*
 * Looks who has a socket that keeps others from binding A: one bound to its port and to its
 * address or to all. TYPE is SOCK_DGRAM, or SOCK_STREAM for those that listen. OUT is set for
 * PORT_HELD_BY only.
 */
enum port_state port_holder_find(const struct address *a, int type,
				 struct port_holder *out);

/* Reads a line of /proc/net/{udp,tcp,udp6,tcp6}. Returns true with its inode if its socket is in
 * the way of A. */
bool port_holder_reads(const char *line, const struct address *a, int type,
		       unsigned long *inode);

#endif
