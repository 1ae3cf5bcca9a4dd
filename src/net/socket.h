/* socket: descriptors with the options dotgate wants. All are non-blocking and
 * close-on-exec. */
#ifndef DOTGATE_NET_SOCKET_H
#define DOTGATE_NET_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"

/* A bound UDP socket: SO_REUSEPORT, larger buffers where allowed, IP_PKTINFO or
 * IPV6_RECVPKTINFO when A is a wildcard, IPV6_V6ONLY, no path MTU discovery that
 * fragments (IP_PMTUDISC_OMIT). Returns the descriptor or -errno. */
int socket_listen_udp(const struct address *a);

/* A listening TCP socket: SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY, TCP_NODELAY
 * (inherited). Returns the descriptor or -errno. */
int socket_listen_tcp(const struct address *a);

/* A TCP socket on its way to A: TCP_NODELAY, TCP_USER_TIMEOUT of USER_TIMEOUT_MS. FAST_OPEN: what
 * is written first goes with the SYN if the server has given a cookie before (RFC 7413); where the
 * kernel cannot, as without. Returns the descriptor or -errno (also for an error that connect()
 * reports at once). */
int socket_connect(const struct address *a, unsigned user_timeout_ms, bool fast_open);

/* A UDP socket of a random port, which takes only what comes from A. Returns the descriptor or
 * -errno. */
int socket_connect_udp(const struct address *a);

/* How the connection attempt ended: 0 connected, or -errno. */
int socket_connect_result(int fd);

/* True if there is a way to A, as far as this machine knows. */
bool socket_has_way(const struct address *a);

/* True if a new connection to A, to which FD is one, would have another local address than FD has,
 * or there is no way to A any more. */
bool socket_path_changed(int fd, const struct address *a);

/* Closes a descriptor that one of these gave. */
void socket_close(int fd);

/* The address a socket is bound to. Returns 0 or -errno. */
int socket_local_address(int fd, struct address *out);

#endif
