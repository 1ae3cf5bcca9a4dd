/* addresses_file: lines of words. */
#include "addresses_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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

void addresses_file_write(const char *path, struct upstreams *u)
{
	char fresh[CONF_PATH_MAX + 8];
	bool good;
	FILE *f;

	snprintf(fresh, sizeof fresh, "%s.new", path);
	f = fopen(fresh, "we");
	for (unsigned i = 0; f && i < u->count; i++)
		write_line(f, u, i);
	good = f && fflush(f) == 0 && fsync(fileno(f)) == 0;
	if (f && fclose(f) != 0)
		good = false;
	if (!good || rename(fresh, path) < 0)
		log_line(LOG_WARNING, "addresses-file %s: not written: %s", path,
			 strerror(errno));
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
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_LEN];

	if (!f && errno != ENOENT)
		log_line(LOG_WARNING, "addresses-file %s: not read: %s", path,
			 strerror(errno));
	for (unsigned i = 0; f && i < UPSTREAMS_MAX && fgets(line, sizeof line, f); i++)
		read_line(line, u);
	if (f)
		fclose(f);
}
