/* address_file: the last good addresses of upstreams that are written by name. */
#ifndef DOTGATE_FORWARDING_ADDRESS_FILE_H
#define DOTGATE_FORWARDING_ADDRESS_FILE_H

#include "forwarding/forwarding.h"

/* A line for each upstream: its label, then addresses with ports. Written by state_file_write(); a
 * failure is logged. */
void address_file_write(const char *path, struct forwarding *f);

/* Sets the addresses of upstreams that have none yet. What does not read as an address is passed
 * over; so is a file that is not there, and with a line in the log one that is not ours. */
void address_file_read(const char *path, struct forwarding *f);

#endif
