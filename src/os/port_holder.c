/* port_holder: the process that has a port which could not be had. */
#include "os/port_holder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* /proc/net: states of sockets. */
#define STATE_LISTEN 0x0a
#define STATE_UNCONNECTED 0x07

/* "/proc/4194304/fd/1048576" and the like. */
#define PROC_PATH_MAX 64

/* ---- the kernel's tables ---- */

/* TEXT is an address as these tables have it: words of 32 bits in hexadecimal, each as it lies in
 * memory. */
static bool read_address(struct address *a, const char *text, unsigned port)
{
	size_t digits = strlen(text), words = digits / 8;
	uint32_t word[4] = {0};

	if (digits != 8 && digits != 32)
		return false;
	for (size_t i = 0; i < words; i++)
		if (sscanf(text + 8 * i, "%8x", &word[i]) != 1)
			return false;
	*a = (struct address){0};
	if (words == 1) {
		a->v4.sin_family = AF_INET;
		a->v4.sin_port = htons((uint16_t)port);
		memcpy(&a->v4.sin_addr, word, 4);
		return true;
	}
	a->v6.sin6_family = AF_INET6;
	a->v6.sin6_port = htons((uint16_t)port);
	memcpy(&a->v6.sin6_addr, word, 16);
	return true;
}

/* A socket of all IPv6 addresses may have all IPv4 ones, too. */
static bool is_in_the_way(const struct address *held, const struct address *a)
{
	bool same_family = held->any.sa_family == a->any.sa_family;

	if (address_port(held) != address_port(a))
		return false;
	if (address_is_wildcard(held))
		return same_family || held->any.sa_family == AF_INET6;
	return same_family && (address_is_wildcard(a) || address_same_ip(held, a));
}

bool port_holder_reads(const char *line, const struct address *a, int type,
		       unsigned long *inode)
{
	char text[33];
	unsigned port, state;
	struct address held;

	if (sscanf(line, "%*u: %32[0-9A-F]:%x %*[0-9A-F]:%*x %x %*s %*s %*s %*u %*u %lu",
		   text, &port, &state, inode) != 4)
		return false;
	return state == (type == SOCK_STREAM ? STATE_LISTEN : STATE_UNCONNECTED) &&
	       read_address(&held, text, port) && is_in_the_way(&held, a);
}

static bool find_inode(const char *table, const struct address *a, int type,
		       unsigned long *inode)
{
	char line[512];
	FILE *f = fopen(table, "re");
	bool found = false;

	while (f && !found && fgets(line, sizeof line, f))
		found = port_holder_reads(line, a, type, inode);
	if (f)
		(void)fclose(f);
	return found;
}

/* ---- processes ---- */

static bool has_socket(const char *pid, unsigned long inode)
{
	char path[PROC_PATH_MAX], want[32], link[32];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(want, sizeof want, "socket:[%lu]", inode);
	snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
	d = opendir(path);
	while (d && !found && (e = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);

		link[n > 0 ? n : 0] = 0;
		found = strcmp(link, want) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

static void read_name(const char *pid, char out[PORT_HOLDER_NAME_MAX])
{
	char path[PROC_PATH_MAX];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%.16s/comm", pid);
	f = fopen(path, "re");
	if (!f || !fgets(out, PORT_HOLDER_NAME_MAX, f))
		strcpy(out, "?");
	if (f)
		(void)fclose(f);
	out[strcspn(out, "\n")] = 0;
	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

static bool find_process(unsigned long inode, struct port_holder *out)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	bool found = false;

	while (d && !found && (e = readdir(d))) {
		found = e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
			has_socket(e->d_name, inode);
		if (found) {
			out->pid = atoi(e->d_name);
			read_name(e->d_name, out->name);
		}
	}
	if (d)
		closedir(d);
	return found;
}

enum port_state port_holder_find(const struct address *a, int type,
				 struct port_holder *out)
{
	bool tcp = type == SOCK_STREAM;
	unsigned long inode;

	if (!find_inode(tcp ? "/proc/net/tcp" : "/proc/net/udp", a, type, &inode) &&
	    !find_inode(tcp ? "/proc/net/tcp6" : "/proc/net/udp6", a, type, &inode))
		return PORT_FREE;
	return find_process(inode, out) ? PORT_HELD_BY : PORT_HELD;
}
