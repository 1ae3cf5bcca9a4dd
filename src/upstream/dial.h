/* dial: a TCP connection to that one of an upstream's addresses which answers first (RFC 8305). */
#ifndef DOTGATE_UPSTREAM_DIAL_H
#define DOTGATE_UPSTREAM_DIAL_H

#include "net/loop.h"
#include "net/timer.h"
#include "upstream/addresses.h"

/* Then the next address is tried beside those that have not answered (RFC 8305 5). */
#define DIAL_STEP_US 250000

/* When all have been tried, each is tried once more after this: a lost SYN is sent again by the kernel
 * after 1 s, then 3 s, which is long for who waits for the way to come back. */
#define DIAL_AGAIN_US 1000000

/* Attempts in all. */
#define DIAL_ATTEMPTS_MAX (2 * ADDRESSES_MAX)

struct dial;

/* One attempt. */
struct attempt {
	struct dial *dial;
	int fd; /* negative: none */
	loop_watch watch;
};

/* Embedded in its owner; zero-filled, it is idle. */
struct dial {
	struct loop *loop;
	bool fast_open;
	/* FD is connected to ADDRESS, and the owner's; or negative, -errno of the last attempt. The
	 * owner may be freed by it only where dial_start() has returned before. */
	void (*done)(void *arg, int fd, const struct address *address);
	void *arg;
	unsigned count, next; /* addresses; attempts that were made */
	unsigned pending;     /* attempts under way */
	int error;
	struct timer step;
	struct address all[ADDRESSES_MAX];
	struct attempt attempts[DIAL_ATTEMPTS_MAX];
};

/*
 * Tries the addresses of FROM in their order, the next after DIAL_STEP_US or as soon as one has
 * failed. `loop`, `fast_open`, `done` and `arg` are set by the caller. Returns 0, and done() is
 * called later; or -errno when all have failed at once (-EADDRNOTAVAIL: there is none), and it is
 * not.
 */
int dial_start(struct dial *d, struct addresses *from);

/* Ends it; done() is not called. Right also for an idle one. */
void dial_stop(struct dial *d);

#endif
