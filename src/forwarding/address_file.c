/* address_file: lines of words. */
#include "forwarding/address_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/state_file.h"
#include "conf/endpoint.h"

/* A file of all upstreams at their longest. */
#define LINE_MAX_LEN (UPSTREAM_TEXT_MAX + ADDRESSES_MAX * (ADDRESS_TEXT_MAX + 1))

static bool is_found(const struct upstreams *u, unsigned i)
{
	return u->conf[i]->discover || !u->conf[i]->address_count;
}

static void write_line(FILE *f, struct upstreams *u, unsigned i)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = addresses_get(&u->addresses[i], all);
	char text[ADDRESS_TEXT_MAX];

	if (!n || !is_found(u, i))
		return;
	fputs(u->labels[i], f);
	for (unsigned k = 0; k < n; k++)
		fprintf(f, " %s", address_text(&all[k], text));
	fputc('\n', f);
}

static int64_t write_lines(void *arg, FILE *f)
{
	struct upstreams *u = arg;

	for (unsigned i = 0; i < u->count; i++)
		write_line(f, u, i);
	return 0;
}

static void complain(const char *path, const char *what, int64_t error)
{
	log_line(LOG_WARNING, "addresses-file %s: %s: %s", path, what,
		 error == -EPERM ? "it is no plain file of ours that only we may write"
				 : strerror((int)-error));
}

void addresses_file_write(const char *path, struct upstreams *u)
{
	int64_t r = state_file_write(path, write_lines, u);

	if (r < 0)
		complain(path, "not written", r);
}

static bool read_address(struct address *a, const char *word)
{
	struct fault f = {.base = word};
	struct endpoint e;

	return endpoint_split(&e, span_of(word), &f) == 0 && endpoint_is_ip(&e) &&
	       endpoint_address(a, &e, 853, &f) == 0;
}

static void read_line(char *line, struct upstreams *u)
{
	char *rest, *label = strtok_r(line, " \t\n", &rest);
	struct address all[ADDRESSES_MAX];
	unsigned n = 0, i = 0;

	while (label && i < u->count &&
	       (strcmp(u->labels[i], label) != 0 || !is_found(u, i)))
		i++;
	if (!label || i == u->count)
		return;
	for (char *word; n < ADDRESSES_MAX && (word = strtok_r(NULL, " \t\n", &rest));)
		n += read_address(&all[n], word);
	if (n)
		(void)addresses_set(&u->addresses[i], all, n);
}

void addresses_file_read(const char *path, struct upstreams *u)
{
	char line[LINE_MAX_LEN];
	uint64_t size;
	int fd = state_file_open(path, &size);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0 && fd != -ENOENT)
		complain(path, "not read", fd);
	for (unsigned i = 0; f && i < UPSTREAMS_MAX && fgets(line, sizeof line, f); i++)
		read_line(line, u);
	if (f)
		(void)fclose(f);
	else if (fd >= 0)
		close(fd);
}
