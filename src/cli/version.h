/* version: what this program is, and what it is made of. */
#ifndef DOTGATE_CLI_VERSION_H
#define DOTGATE_CLI_VERSION_H

#include <stdio.h>

/* "dotgate 0.1.0" on a line of its own, then libraries and licence. Returns the exit
 * code. */
int cli_version(FILE *out);

#endif
