/* spelling: the ways in which people write an upstream, and one canonical way back. */
#ifndef DOTGATE_CONF_SPELLING_H
#define DOTGATE_CONF_SPELLING_H

#include "conf/config.h"

#define SPELLING_ERROR_MAX 768

/*
 * Reads one upstream: an address in any of these spellings,
 *
 *   tls://1.1.1.1:853#name   tls://[2606:4700::1111]:853#name
 * tls://1.1.1.1   1.1.1.1#name 1.1.1.1@853#name                       (unbound, kdig)
 *   1.1.1.1:853#name  1.1.1.1:853%eth0#name  (systemd-resolved; %eth0: scope of fe80::)
 *   tls://1.1.1.1%name:853                 (CoreDNS)
 *   tcp-tls:1.1.1.1:853#name               (blocky)
 *   tls://name addr=1.1.1.1                (a name with its address)
 *   sdns://Aw...                           (DNS stamp for DoT; one with hashes is
 * refused: they are of certificates, not of keys)
 *
 * then parameters, separated by blanks (or behind ? and between & as in a URL):
 *   pin=sha256/BASE64 (may repeat)  auth=name|pin|none  ca-file=PATH (or ca=) ca-dir=PATH
 *   tls-min=1.2|1.3  addr=IP  weight=1 to 1000
 *   cert=PATH key=PATH (our own certificate)  tfo=on|off  0rtt=on|off
 *
 * Pins come on top of the name unless auth=pin says that they stand alone. A name that is
 * the upstream's own IP address is the same as none. The stricter of this tls-min and the
 * general one counts. Names come back in lower case and without a dot at their end.
 *
 * Returns 0, or -EINVAL with ERROR saying what is wrong and what to write instead, and
 * *COLUMN the place (from 0) in TEXT. Refused, each with its own words: plain DNS, DoH
 * and DoQ schemes, a name without an address, auth=pin without a pin, contradictions.
 */
int spelling_read(struct upstream_conf *u, const char *text,
		  char error[SPELLING_ERROR_MAX], size_t *column);

#endif
