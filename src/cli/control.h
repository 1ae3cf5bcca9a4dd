/* control: commands to the running daemon. */
#ifndef DOTGATE_CLI_CONTROL_H
#define DOTGATE_CLI_CONTROL_H

#include "conf/options.h"

/* Has the daemon that C speaks of run COMMAND with the words of INV, and prints what it says.
 * Returns the exit code: 0, 1, or 2 if the words make no sense. */
int cli_control(const struct config *c, const char *command,
		const struct invocation *inv);

#endif
