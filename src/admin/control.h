/* control: the socket by which commands on this machine reach the running daemon. */
#ifndef DOTGATE_ADMIN_CONTROL_H
#define DOTGATE_ADMIN_CONTROL_H

#include <stdbool.h>
#include <stdio.h>

/*
 * A UNIX stream socket that root and the daemon's own user may use (mode 0600, and SO_PEERCRED).
 * A request is one line of words, with one blank between two of them; the response is "ok" or "error"
 * and a line end, then text, then the end of the stream. One thread serves up to eight clients, each
 * for a bounded time; a silent one keeps neither the others nor control_stop() waiting.
 */
struct control;

/* Words of a request, and octets of its line. */
#define CONTROL_WORDS_MAX 8
#define CONTROL_LINE_MAX 1024

/* Answers a request on OUT. Returns true for ok. Runs on the control's thread. */
typedef bool control_fn(void *arg, unsigned count, char *const *words, FILE *out);

struct control_options {
	const char *path;
	control_fn *fn;
	void *arg;
};

/* Returns 0, -EADDRINUSE (another daemon serves PATH) or -errno. A socket file is replaced if it
 * refuses a connection, which says that nobody serves it; any other file stays. */
int control_start(struct control **out, const struct control_options *o);

/* Ends it, and removes the file if it is still the one that control_start() made. */
void control_stop(struct control *c);

/*
 * The other end: sends the words, and copies the response to OUT if it is ok, else to ERR.
 * Returns 1 for ok, 0 for error, or -errno when nothing could be had, or not all.
 */
int control_ask(const char *path, unsigned count, const char *const *words, FILE *out,
		FILE *err);

/* As control_ask(), but returns -ETIMEDOUT where the daemon lets it wait longer than TIMEOUT_MS for any
 * part of the response. */
int control_ask_within(const char *path, unsigned timeout_ms, unsigned count,
		       const char *const *words, FILE *out, FILE *err);

#endif
