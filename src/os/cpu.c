/* cpu: how many CPUs this process may really use. */
#include "os/cpu.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own limit is 8192 CPUs; no mask is larger. */
#define CPUS_MAX 8192

/* A quota of more than this is none: the mask is smaller. */
#define QUOTA_CPUS_MAX (1U << 16)

static unsigned affinity_count(void)
{
	size_t size = CPU_ALLOC_SIZE(CPUS_MAX);
	cpu_set_t *set = CPU_ALLOC(CPUS_MAX);
	int n = 0;

	if (set && sched_getaffinity(0, size, set) == 0)
		n = CPU_COUNT_S(size, set);
	CPU_FREE(set);
	return n > 0 ? (unsigned)n : 1;
}

/* The first line of ROOT/FOLDER/NAME without its newline. False if there is no such file.
 */
static bool read_first_line(const char *root, const char *folder, const char *name,
			    char *out, int cap)
{
	char path[PATH_MAX];
	FILE *file;
	bool found;

	if (snprintf(path, sizeof path, "%s%s/%s", root, folder, name) >=
	    (int)sizeof path)
		return false;
	file = fopen(path, "re");
	if (!file)
		return false;
	found = fgets(out, cap, file) != NULL;
	fclose(file);
	if (found)
		out[strcspn(out, "\n")] = 0;
	return found;
}

/* QUOTA of each PERIOD, both microseconds, in CPUs; 0 if that is no limit. */
static unsigned quota_cpus(long long quota, long long period)
{
	if (quota <= 0 || period <= 0 || quota / period >= QUOTA_CPUS_MAX)
		return 0;
	return (unsigned)(quota / period + (quota % period != 0));
}

/* "200000 100000", or "max 100000". */
static unsigned quota_v2(const char *root, const char *folder)
{
	char line[64];
	char *end;
	long long quota;

	if (!read_first_line(root, folder, "cpu.max", line, sizeof line))
		return 0;
	quota = strtoll(line, &end, 10);
	return end == line ? 0 : quota_cpus(quota, strtoll(end, NULL, 10));
}

/* A quota of -1 is none. */
static unsigned quota_v1(const char *root, const char *folder)
{
	char quota[64], period[64];

	if (!read_first_line(root, folder, "cpu.cfs_quota_us", quota, sizeof quota) ||
	    !read_first_line(root, folder, "cpu.cfs_period_us", period, sizeof period))
		return 0;
	return quota_cpus(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/*
 * The smallest quota from MOUNT/CGROUP up to MOUNT. Inside a container the path may be
 * the host's, of which nothing is to be seen below the mount: what is missing says
 * nothing, and the mount itself is then the container's own cgroup.
 */
static unsigned walk_up(const char *root, const char *mount, const char *cgroup,
			unsigned (*quota)(const char *root, const char *folder))
{
	char folder[PATH_MAX];
	size_t top = strlen(mount);
	unsigned least = 0;
	char *slash;

	/* "/../x": the cgroup lies outside of what this namespace shows */
	if (strstr(cgroup, "/.."))
		cgroup = "";
	if (snprintf(folder, sizeof folder, "%s%s", mount, cgroup) >= (int)sizeof folder)
		return 0;
	for (;;) {
		least = smaller(least, quota(root, folder));
		slash = strrchr(folder + top, '/');
		if (!slash)
			return least;
		*slash = 0;
	}
}

/* True if the comma separated list in front of a colon has the controller cpu. */
static bool has_cpu(const char *controllers)
{
	size_t len = strcspn(controllers, ":");
	const char *p = controllers;

	while (p < controllers + len) {
		size_t n = strcspn(p, ",:");

		if (n == 3 && memcmp(p, "cpu", 3) == 0)
			return true;
		p += n + 1;
	}
	return false;
}

/* The quota that one line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH", leads to. */
static unsigned line_quota(const char *root, const char *line)
{
	const char *controllers = strchr(line, ':');
	const char *path = controllers ? strchr(controllers + 1, ':') : NULL;

	if (!path || path[1] != '/')
		return 0;
	if (path == controllers + 1)
		return walk_up(root, "/sys/fs/cgroup", path + 1, quota_v2);
	if (!has_cpu(controllers + 1))
		return 0;
	return walk_up(root, "/sys/fs/cgroup/cpu", path + 1, quota_v1);
}

unsigned cpu_quota(const char *root)
{
	char path[PATH_MAX], line[PATH_MAX];
	unsigned least = 0;
	FILE *file;

	if (snprintf(path, sizeof path, "%s/proc/self/cgroup", root) >= (int)sizeof path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = 0;
		least = smaller(least, line_quota(root, line));
	}
	fclose(file);
	return least;
}

unsigned cpu_count(const char *root)
{
	unsigned cpus = affinity_count();
	unsigned quota = cpu_quota(root);

	return quota > 0 && quota < cpus ? quota : cpus;
}
