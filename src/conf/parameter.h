/* parameter: the KEY=VALUE words behind an upstream. */
#ifndef DOTGATE_CONF_PARAMETER_H
#define DOTGATE_CONF_PARAMETER_H

#include "conf/config.h"
#include "conf/fault.h"

/* Which parameters an upstream has. */
struct parameters {
	struct span auth, ca_file, ca_dir, tls_min, addr, weight, pin, cert, key, tfo,
	    early; /* at NULL: not given */
	unsigned address_count;
	struct address addresses[CONF_ADDRESSES_MAX - 1]; /* those of addr=, port 0 */
};

/* Reads one KEY=VALUE into U, and that it was given into GIVEN. */
int parameter_read(struct upstream_conf *u, struct parameters *given, struct span text,
		   struct fault *f);

/* Fails for parameters that contradict each other. TEXT is the whole upstream. */
int parameter_check(const struct upstream_conf *u, const struct parameters *given,
		    struct span text, struct fault *f);

/* Reads the path of a file or folder: no blanks, no # in front. OUT is written in full.
 */
int parameter_read_path(char out[CONF_PATH_MAX], struct span text, struct fault *f);

/* Reads "1.2" or "1.3". */
int parameter_read_tls_min(bool *tls13_only, struct span text, struct fault *f);

#endif
