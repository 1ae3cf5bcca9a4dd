/* dial: one attempt after another; the first that is connected ends the others. */
#include "upstream/dial.h"

#include <errno.h>

#include "net/socket.h"

/* Unacknowledged data or a dead path ends the connection after this. */
#define USER_TIMEOUT_MS 5000

static void try_next(void *arg);

static void end_attempt(struct dial *d, struct attempt *a)
{
	if (a->fd < 0)
		return;
	loop_forget(d->loop, a->watch);
	a->watch = 0;
	socket_close(a->fd);
	a->fd = -1;
	d->pending--;
}

void dial_stop(struct dial *d)
{
	if (!d->count)
		return;
	timer_stop(d->loop, &d->step);
	for (unsigned i = 0; i < d->next; i++)
		end_attempt(d, &d->attempts[i]);
	d->count = d->next = 0;
}

static void win(struct dial *d, struct attempt *a)
{
	struct address address = d->all[(unsigned)(a - d->attempts) % d->count];
	int fd = a->fd;

	loop_forget(d->loop, a->watch);
	a->fd = -1;
	d->pending--;
	dial_stop(d);
	d->done(d->arg, fd, &address);
}

static void lose_all(struct dial *d)
{
	int error = d->error;
	struct address last = d->all[0];

	dial_stop(d);
	d->done(d->arg, error, &last);
}

/* Not all addresses have been tried in this turn. */
static bool in_turn(const struct dial *d)
{
	return d->next % d->count != 0;
}

static void on_writable(void *arg, unsigned ready)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	int error = socket_connect_result(a->fd);

	(void)ready;
	if (error == 0) {
		win(d, a);
		return;
	}
	d->error = error;
	end_attempt(d, a);
	if (in_turn(d))
		try_next(d);
	else if (!d->pending)
		lose_all(d);
}

/* Starts the next attempt. Returns 0 or -errno. */
static int attempt(struct dial *d)
{
	struct attempt *a = &d->attempts[d->next];
	const struct address *to = &d->all[d->next++ % d->count];
	int r;

	a->dial = d;
	a->fd = socket_connect(to, USER_TIMEOUT_MS, d->fast_open);
	if (loop_relieve(d->loop, a->fd))
		a->fd = socket_connect(to, USER_TIMEOUT_MS, d->fast_open);
	if (a->fd < 0)
		return a->fd;
	r = loop_watch_fd(d->loop, a->fd, LOOP_WRITE, LOOP_UPSTREAM, on_writable, a,
			  &a->watch);
	if (r < 0) {
		socket_close(a->fd);
		a->fd = -1;
		return r;
	}
	d->pending++;
	return 0;
}

/* Starts attempts until one does not fail at once; each address at most once. */
static void try_some(struct dial *d)
{
	int r;

	while (d->next < 2 * d->count) {
		r = attempt(d);
		if (r == 0)
			break;
		d->error = r;
		if (!in_turn(d))
			break;
	}
	if (d->pending && d->next < 2 * d->count)
		(void)timer_set(d->loop, &d->step,
				loop_now(d->loop) +
				    (in_turn(d) ? DIAL_STEP_US : DIAL_AGAIN_US),
				try_next, d);
}

static void try_next(void *arg)
{
	struct dial *d = arg;

	timer_stop(d->loop, &d->step);
	try_some(d);
	if (!d->pending)
		lose_all(d);
}

int dial_start(struct dial *d, struct addresses *from)
{
	int error;

	d->count = addresses_get(from, d->all);
	d->next = d->pending = 0;
	d->error = -EADDRNOTAVAIL;
	if (d->count)
		try_some(d);
	if (d->pending)
		return 0;
	error = d->error;
	dial_stop(d);
	return error;
}
