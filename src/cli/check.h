/* check: is the configuration good? */
#ifndef DOTGATE_CLI_CHECK_H
#define DOTGATE_CLI_CHECK_H

#include "conf/config.h"

/*
 * Tries what the daemon would do with C short of serving: reads the CA files of each
 * upstream, looks for libraries, folders and memory, and whether its ports are free or a
 * running dotgate's. Says on stderr what is wrong, or what is allowed but not safe. On stdout
 * a line that all is well or, with PRINT, the effective configuration. Returns the exit
 * code: 0 or 2.
 */
int cli_check(const struct config *c, bool print);

#endif
