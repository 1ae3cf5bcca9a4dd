/* state_file: opened without following links; written beside, then renamed. */
#include "base/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_ours(const struct stat *s)
{
	return S_ISREG(s->st_mode) && (s->st_uid == geteuid() || s->st_uid == 0) &&
	       !(s->st_mode & (S_IWGRP | S_IWOTH));
}

int state_file_open(const char *path, uint64_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat s;

	if (fd < 0)
		return errno == ELOOP ? -EPERM : -errno;
	if (fstat(fd, &s) < 0 || !is_ours(&s)) {
		close(fd);
		return -EPERM;
	}
	*size = (uint64_t)s.st_size;
	return fd;
}

/* Whether a file may take the place of what is at PATH. Returns 0 or -errno. */
static int look_at(const char *path)
{
	uint64_t size;
	int fd = state_file_open(path, &size);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || fd == -ENOENT ? 0 : fd;
}

/* Makes a file that was not there before, so it cannot be a link. Returns 0 or -errno. */
static int make(const char *path, FILE **out)
{
	int fd, error;

	(void)unlink(path); /* what an earlier end has left */
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	*out = fdopen(fd, "w+");
	if (*out)
		return 0;
	error = -errno;
	close(fd);
	return error;
}

/* Sees that all is on the disk, and closes. Returns R, or -errno. */
static int64_t finish(FILE *out, int64_t r)
{
	if (r >= 0 && (fflush(out) != 0 || fsync(fileno(out)) < 0))
		r = -errno;
	if (r >= 0 && ferror(out))
		r = -EIO;
	if (fclose(out) != 0 && r >= 0)
		r = -errno;
	return r;
}

int64_t state_file_write(const char *path, state_file_fn *fn, void *arg)
{
	char beside[PATH_MAX];
	FILE *out;
	int64_t r;

	if (snprintf(beside, sizeof beside, "%s.new", path) >= (int)sizeof beside)
		return -ENAMETOOLONG;
	r = look_at(path);
	if (r == 0)
		r = make(beside, &out);
	if (r < 0)
		return r;
	r = finish(out, fn(arg, out));
	if (r >= 0 && rename(beside, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(beside);
	return r;
}
