/* state_file: a file of our own that outlives a restart; never read or written through a link. */
#ifndef DOTGATE_BASE_STATE_FILE_H
#define DOTGATE_BASE_STATE_FILE_H

#include <stdint.h>
#include <stdio.h>

/* Opens PATH to read, if it is a plain file of ours or root's that nobody else may write. Returns its
 * descriptor, which is the caller's, and *SIZE; or -EPERM: it is something else; or -errno. */
int state_file_open(const char *path, uint64_t *size);

/* Writes all to OUT. Returns 0 or more, or -errno. */
typedef int64_t state_file_fn(void *arg, FILE *out);

/*
 * Writes what FN says beside PATH, mode 0600, and then takes its place: a file there is whole at any
 * moment. What state_file_open() would refuse is not replaced. Returns what FN does, or -errno; on
 * failure what was at PATH is as it was. OUT can be read back by FN.
 */
int64_t state_file_write(const char *path, state_file_fn *fn, void *arg);

#endif
