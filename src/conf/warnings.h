/* warnings: what is allowed in a configuration, but hardly meant. */
#ifndef DOTGATE_CONF_WARNINGS_H
#define DOTGATE_CONF_WARNINGS_H

/* More are not kept: who has read so many mends some and looks again. */
#define WARNINGS_MAX 32

/* Octets of one: a place with the longest path that the kernel takes (PATH_MAX), and what is
 * said of it. */
#define WARNING_TEXT_MAX (4096 + 1024)

/* All zeros: none. */
struct warnings {
	unsigned count;
	unsigned left_out; /* for lack of room */
	char text[WARNINGS_MAX][WARNING_TEXT_MAX];
};

void warnings_add(struct warnings *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Calls SAY for each of them, in their order, and at the end for those that were left out. */
void warnings_each(const struct warnings *w, void (*say)(const char *text));

#endif
