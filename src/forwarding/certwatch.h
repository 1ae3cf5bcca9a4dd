/* certwatch: certificates and keys are read again, when their files change and when we are told to. */
#ifndef DOTGATE_FORWARDING_CERTWATCH_H
#define DOTGATE_FORWARDING_CERTWATCH_H

#include "base/metric.h"
#include "conf/config.h"
#include "net/tls.h"

/* All upstreams and all bootstraps. */
#define CERTWATCH_MAX (UPSTREAMS_MAX + BOOTSTRAP_MAX)

/* One thread that looks at the files every few seconds: by size, time and number, which sees what
 * editors, renames and exchanged links do alike. */
struct certwatch;

/* Returns NULL if there is no memory; all others accept that. */
struct certwatch *certwatch_new(void);

/* PEER, which trusts and offers what TRUST says, is read again from now on; both must live until
 * certwatch_end(). WHAT and LABEL name it in the log. Passed over if nothing of it comes from files: no
 * peer, or a pin. Before certwatch_start(). */
void certwatch_add(struct certwatch *w, const char *what, const char *label,
		   struct tls_peer *peer, const struct tls_trust *trust);

/* Starts the thread, if there are files to look at; certwatch_read() starts it else. */
void certwatch_start(struct certwatch *w);

/* Reads all at once, changed or not, and the system's CAs too, which are not looked at otherwise. */
void certwatch_read(struct certwatch *w);
void certwatch_end(struct certwatch *w);

#endif
