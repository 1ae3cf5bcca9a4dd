/* cpu: how many CPUs this process may really use. */
#ifndef DOTGATE_OS_CPU_H
#define DOTGATE_OS_CPU_H

/* CPUs in the affinity mask, capped by the cgroup's cpu.max (v2) or cfs quota (v1),
 * rounded up; at least 1. ROOT is "" but in tests: a folder that stands for "/". */
unsigned cpu_count(const char *root);

/* The cgroup's part of it: the smallest quota on the way from this process's cgroup up to
 * the root, in CPUs, rounded up; 0 if there is none. */
unsigned cpu_quota(const char *root);

#endif
