/* netwatch: an rtnetlink socket, of whose messages only the types are looked at. */
#include "os/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUPS                                                                           \
	(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |     \
	 RTMGRP_IPV6_ROUTE)

/* Datagrams read in one go: a busy host's are many, and one that matters is enough. */
#define READS_MAX 64

int netwatch_open(void)
{
	const struct sockaddr_nl a = {.nl_family = AF_NETLINK, .nl_groups = GROUPS};
	int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&a, sizeof a) < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	return fd;
}

static bool is_of_interest(unsigned type)
{
	switch (type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return true;
	default:
		return false;
	}
}

bool netwatch_matters(const void *data, size_t len)
{
	const unsigned char *at = data;
	struct nlmsghdr h;

	while (len >= sizeof h) {
		size_t step;

		memcpy(&h, at, sizeof h);
		if (is_of_interest(h.nlmsg_type))
			return true;
		if (h.nlmsg_len < sizeof h || h.nlmsg_len >= len)
			return false;
		step = NLMSG_ALIGN(h.nlmsg_len);
		if (step >= len)
			return false;
		at += step;
		len -= step;
	}
	return false;
}

bool netwatch_read(int fd)
{
	unsigned char data[8192];
	bool matters = false;

	for (unsigned i = 0; i < READS_MAX; i++) {
		ssize_t n = recv(fd, data, sizeof data, MSG_DONTWAIT);

		if (n < 0 && errno == ENOBUFS)
			matters = true;
		else if (n < 0)
			break;
		else
			matters |= netwatch_matters(data, (size_t)n);
	}
	return matters;
}
