/* tcp: accepting, descriptors, and the end of the round for all TCP clients. */
#include "front/tcp.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/tcp_table.h"

/* Connections accepted before others have their turn. */
#define ACCEPTS_PER_TURN 64

/* Without any descriptor left the listeners rest for so long. */
#define PAUSE_US 100000

/* A shortage of descriptors is in the log once in this time. */
#define COMPLAINT_US 60000000

static uint64_t now(const struct tcp *t)
{
	return loop_now(t->options.loop);
}

/* ---- without descriptors ---- */

static void watch_all(struct tcp *t, unsigned events)
{
	for (unsigned i = 0; i < t->listener_count; i++)
		loop_change(t->options.loop, t->listeners[i].watch, events);
}

static void end_pause(void *arg)
{
	struct tcp *t = arg;

	(void)timer_set(t->options.loop, &t->pause, TCP_NEVER, end_pause, t);
	watch_all(t, LOOP_READ);
}

static void pause_accepting(struct tcp *t)
{
	watch_all(t, 0);
	(void)timer_set(t->options.loop, &t->pause, now(t) + PAUSE_US, end_pause, t);
}

static void complain(struct tcp *t)
{
	uint64_t more;

	if (log_allow(&t->complaints, now(t), COMPLAINT_US, &more))
		log_line(LOG_WARNING, "no descriptor for a TCP client: %s",
			 reason_remedy(REASON_NO_DESCRIPTOR));
}

static void open_spare(struct tcp *t)
{
	if (t->spare < 0)
		t->spare = eventfd(0, EFD_CLOEXEC);
}

/* Sends the next newcomer away by way of the spare descriptor, so that it need not wait
 * for what will not come. False: there is no spare one either. */
static bool turn_away(struct tcp *t, int listener)
{
	int fd, error;

	open_spare(t);
	if (t->spare < 0)
		return false;
	close(t->spare);
	t->spare = -1;
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	error = errno;
	if (fd >= 0) {
		close(fd);
		tcp_table_drop(t, REASON_NO_DESCRIPTOR);
	}
	open_spare(t);
	return fd >= 0 || (error != EMFILE && error != ENFILE);
}

/* Without a descriptor accept4() fails even when there is nobody to accept. */
static bool someone_waits(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* There is no descriptor for a newcomer: an idle client gives way, else the newcomer
 * does, else nothing is accepted for a while, so that the loop does not spin. True: go
 * on. */
static bool relieve(struct tcp *t, int listener)
{
	if (!someone_waits(listener))
		return false;
	complain(t);
	if (tcp_table_free_descriptor(t) || turn_away(t, listener))
		return true;
	pause_accepting(t);
	return false;
}

/* ---- accepting ---- */

static void refuse(struct tcp *t, int fd)
{
	tcp_table_drop(t, REASON_CLIENT_LIMIT);
	close(fd);
}

/* The cap for one address that the operator has set. */
static bool is_over_cap(const struct tcp *t, uint32_t place)
{
	unsigned cap = t->options.clients_per_address;

	return cap && census_holder(t->census, place)->count > cap;
}

static void admit(struct tcp *t, int fd, const struct address *peer)
{
	uint32_t place;

	if (census_enter(t->census, peer, &place) < 0) {
		refuse(t, fd);
		return;
	}
	if (is_over_cap(t, place) || !tcp_table_make_room(t, place) ||
	    tcp_table_open(t, fd, place) < 0) {
		census_leave(t->census, place);
		refuse(t, fd);
	}
}

/* Accepting has failed with ERROR. False: no more of it in this round. */
static bool recover(struct tcp *t, int listener, int error)
{
	switch (error) {
	case EAGAIN:
		return false;
	case EMFILE:
	case ENFILE:
		return relieve(t, listener);
	case ENOBUFS:
	case ENOMEM:
		pause_accepting(t);
		return false;
	default:
		return true; /* of the one connection that could not be accepted */
	}
}

static void on_acceptable(void *arg, unsigned ready)
{
	const struct tcp_listener *l = arg;

	(void)ready;
	for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct address peer = {0};
		socklen_t len = sizeof peer;
		int fd = accept4(l->fd, &peer.any, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
			admit(l->tcp, fd, &peer);
		else if (!recover(l->tcp, l->fd, errno))
			return;
	}
}

/* ---- the end of the round ---- */

static void run_resume(void *arg)
{
	struct tcp *t = arg;
	struct list waiting;

	(void)timer_set(t->options.loop, &t->resuming, TCP_NEVER, run_resume, t);
	list_move(&t->resume, &waiting);
	while (!list_empty(&waiting))
		tcp_client_resume(list_entry(waiting.next, struct tcp_client, work));
}

/* In the next round, so that what is asked then leaves at its end. */
static void resume_soon(struct tcp_client *c)
{
	struct tcp *t = c->tcp;

	list_append(&t->resume, &c->work);
	(void)timer_set(t->options.loop, &t->resuming, 0, run_resume, t);
}

static void settle(struct tcp_client *c)
{
	tcp_client_write(c);
	list_remove(&c->work);
	if (tcp_client_is_done(c)) {
		tcp_table_close(c);
		return;
	}
	if (c->busy == tcp_client_is_quiet(c))
		tcp_client_touch(c);
	loop_change(c->tcp->options.loop, c->watch, tcp_client_events(c));
	if (tcp_client_can_resume(c))
		resume_soon(c);
}

void tcp_flush(struct tcp *t)
{
	while (!list_empty(&t->dirty))
		settle(list_entry(t->dirty.next, struct tcp_client, work));
	while (tcp_client_memory_is_short(t)) {
		tcp_table_drop(t, REASON_CLIENT_LIMIT);
		tcp_table_close(list_entry(t->holding.next, struct tcp_client, holding));
	}
}

/* ---- life ---- */

int tcp_new(struct tcp **out, const struct tcp_options *o)
{
	struct tcp *t = calloc(1, sizeof *t);
	int r;

	if (!t)
		return -ENOMEM;
	t->options = *o;
	t->options.idle_us += o->idle_us == 0; /* so that time passes */
	t->spare = -1;
	open_spare(t);
	r = tcp_table_init(t);
	if (r == 0)
		r = timer_set(o->loop, &t->pause, TCP_NEVER, end_pause, t);
	if (r == 0)
		r = timer_set(o->loop, &t->resuming, TCP_NEVER, run_resume, t);
	if (r < 0) {
		tcp_free(t);
		return r;
	}
	*out = t;
	return 0;
}

int tcp_add(struct tcp *t, int fd)
{
	struct tcp_listener *l = &t->listeners[t->listener_count];
	int r;

	if (t->listener_count == TCP_LISTENERS_MAX)
		return -ENOSPC;
	*l = (struct tcp_listener){.tcp = t, .fd = fd};
	r = loop_watch_fd(t->options.loop, fd, LOOP_READ, LOOP_CLIENT, on_acceptable, l,
			  &l->watch);
	if (r == 0)
		t->listener_count++;
	return r;
}

static void close_listeners(struct tcp *t)
{
	for (unsigned i = 0; i < t->listener_count; i++) {
		loop_forget(t->options.loop, t->listeners[i].watch);
		close(t->listeners[i].fd);
	}
	t->listener_count = 0;
}

void tcp_stop(struct tcp *t)
{
	/* whoever has connected, and what has arrived, is still served */
	for (unsigned i = 0; i < t->listener_count; i++)
		on_acceptable(&t->listeners[i], LOOP_READ);
	close_listeners(t);
	t->stopping = true;
	for (uint32_t i = 0; i < t->slots; i++) {
		struct tcp_client *c = &t->clients[i];

		if (c->fd < 0)
			continue;
		if (tcp_client_events(c) & LOOP_READ)
			tcp_client_read(c);
		c->eof = true;
		if (tcp_client_is_done(c))
			tcp_table_close(c);
		else
			tcp_client_mark(c);
	}
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	close_listeners(t);
	tcp_table_free(t);
	timer_stop(t->options.loop, &t->pause);
	timer_stop(t->options.loop, &t->resuming);
	if (t->spare >= 0)
		close(t->spare);
	free(t);
}

bool tcp_free_descriptor(void *tcp)
{
	return tcp_table_free_descriptor(tcp);
}

uint16_t tcp_keepalive(const struct tcp *t)
{
	uint64_t units = t->options.idle_us / 100000;

	return units < UINT16_MAX ? (uint16_t)units : UINT16_MAX;
}
