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

static bool is_found(const struct forwarding *f, unsigned i)
{
	return f->conf[i]->discover || !f->conf[i]->address_count;
}

static void write_line(FILE *out, struct forwarding *f, unsigned i)
{
	struct address all[ADDRESSES_MAX];
	unsigned n = addresses_get(&f->addresses[i], all);
	char text[ADDRESS_TEXT_MAX];

	if (!n || !is_found(f, i))
		return;
	fputs(f->labels[i], out);
	for (unsigned k = 0; k < n; k++)
		fprintf(out, " %s", address_text(&all[k], text));
	fputc('\n', out);
}

static int64_t write_lines(void *arg, FILE *out)
{
	struct forwarding *f = arg;

	for (unsigned i = 0; i < f->count; i++)
		write_line(out, f, i);
	return 0;
}

static void complain(const char *path, const char *what, int64_t error)
{
	log_line(LOG_WARNING, "addresses-file %s: %s: %s", path, what,
		 error == -EPERM ? "it is no plain file of ours that only we may write"
				 : strerror((int)-error));
}

void address_file_write(const char *path, struct forwarding *f)
{
	int64_t r = state_file_write(path, write_lines, f);

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

static void read_line(char *line, struct forwarding *f)
{
	char *rest, *label = strtok_r(line, " \t\n", &rest);
	struct address all[ADDRESSES_MAX];
	unsigned n = 0, i = 0;

	while (label && i < f->count &&
	       (strcmp(f->labels[i], label) != 0 || !is_found(f, i)))
		i++;
	if (!label || i == f->count)
		return;
	for (char *word; n < ADDRESSES_MAX && (word = strtok_r(NULL, " \t\n", &rest));)
		n += read_address(&all[n], word);
	if (n)
		(void)addresses_set(&f->addresses[i], all, n);
}

void address_file_read(const char *path, struct forwarding *f)
{
	char line[LINE_MAX_LEN];
	uint64_t size;
	int fd = state_file_open(path, &size);
	FILE *in = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd < 0 && fd != -ENOENT)
		complain(path, "not read", fd);
	for (unsigned i = 0; in && i < UPSTREAMS_MAX && fgets(line, sizeof line, in); i++)
		read_line(line, f);
	if (in)
		(void)fclose(in);
	else if (fd >= 0)
		close(fd);
}
