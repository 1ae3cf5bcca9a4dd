/* endpoint: an address or host name with its port, in the notations people use. */
#ifndef DOTGATE_CONF_ENDPOINT_H
#define DOTGATE_CONF_ENDPOINT_H

#include "base/address.h"
#include "conf/fault.h"

/*
 * The parts of one of
 *   HOST   HOST:PORT   HOST@PORT   [IPV6]   [IPV6]:PORT   IPV6   IPV6@PORT   :PORT
 * with a %WORD behind HOST, or behind PORT.
 */
struct endpoint {
	struct span host;      /* without brackets; may be empty */
	struct span percent;   /* behind %, before the port: an interface or a name */
	struct span port;      /* at NULL: none was given */
	struct span interface; /* behind %, after the port */
};

int endpoint_split(struct endpoint *e, struct span text, struct fault *f);

/* Reads "1" to "65535". */
int endpoint_port(uint16_t *port, struct span text, struct fault *f);

/* True if the host is an IP address. */
bool endpoint_is_ip(const struct endpoint *e);

/* The address of an endpoint that is an IP address, with its scope; PORT if it names
 * none. A %WORD in front of the port is taken as interface only for a link-local address.
 */
int endpoint_address(struct address *a, const struct endpoint *e, uint16_t port,
		     struct fault *f);

/* True for fe80::/10, which means something only together with an interface. */
bool endpoint_is_link_local(const struct address *a);

#endif
