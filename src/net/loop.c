/* loop: one thread's epoll loop. */
#include "net/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "net/heap.h"

/* Events fetched per round: more would only make the clients of a busy round wait. */
#define EVENTS_MAX 256

/* One each for: datagrams, clients' connections, upstreams' connections, the worker. */
#define ROUND_ENDS_MAX 4

/* Watches of a worker without clients. The table doubles from here. */
#define WATCHES_MIN 64

#define NO_SLOT UINT_MAX

/* What the alarm's event carries: no watch has this name. */
#define ALARM_NAME UINT64_MAX

/* What is due later than this (some 290,000 years) is never due. */
#define DUE_MAX_US (UINT64_MAX / 2)

/* A slot of the table: a watch, or free. */
struct watch {
	loop_event_fn *fn; /* NULL: free */
	void *arg;
	unsigned generation; /* counts the watches that had this slot; never 0 */
	unsigned next_free;
	int fd;
	uint8_t events;
	uint8_t class;
};

struct round_end {
	loop_round_fn *fn;
	void *arg;
};

struct loop {
	int epoll;
	int alarm;	   /* timerfd: readable when `alarm_us` has come */
	uint64_t alarm_us; /* 0: not set */
	bool stopping;
	unsigned round_end_count;
	uint64_t now;
	struct watch *watches;
	unsigned watch_count, watch_size,
	    watches_max; /* slots used so far, allocated, allowed */
	unsigned first_free;
	struct heap timers;
	struct round_end round_ends[ROUND_ENDS_MAX];
	bool (*shortage)(void *arg); /* NULL: nobody can help */
	void *shortage_arg;
	struct epoll_event events[EVENTS_MAX];
};

static loop_watch watch_name(unsigned slot, unsigned generation)
{
	return (uint64_t)generation << 32 | slot;
}

/* The watch W, or NULL if it was forgotten. */
static struct watch *find(struct loop *l, loop_watch w)
{
	unsigned slot = (unsigned)(w & UINT32_MAX);

	if (slot >= l->watch_count)
		return NULL;

	struct watch *found = &l->watches[slot];

	return found->fn && found->generation == w >> 32 ? found : NULL;
}

static void read_clock(struct loop *l)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	l->now = (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static int open_descriptors(struct loop *l)
{
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = ALARM_NAME};

	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->alarm = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (l->epoll < 0 || l->alarm < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->alarm, &e) < 0)
		return -errno;
	return 0;
}

int loop_new(struct loop **out, unsigned watches_max)
{
	struct loop *l = calloc(1, sizeof *l);
	int error;

	if (!l)
		return -ENOMEM;
	l->epoll = l->alarm = -1;
	error = open_descriptors(l);
	if (error < 0) {
		loop_free(l);
		return error;
	}
	l->watches_max = watches_max;
	l->first_free = NO_SLOT;
	read_clock(l);
	*out = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->alarm >= 0)
		close(l->alarm);
	heap_free(&l->timers);
	free(l->watches);
	free(l);
}

struct heap *loop_heap(struct loop *l)
{
	return &l->timers;
}

/* ---- watches ---- */

static int grow(struct loop *l)
{
	unsigned size = l->watch_size > 0 ? l->watch_size * 2 : WATCHES_MIN;

	if (size > l->watches_max)
		size = l->watches_max;

	struct watch *watches = reallocarray(l->watches, size, sizeof *watches);

	if (!watches)
		return -ENOMEM;
	l->watches = watches;
	l->watch_size = size;
	return 0;
}

/* Takes a slot off the free list, else the next unused one. */
static int take_slot(struct loop *l, unsigned *slot)
{
	int error;

	if (l->first_free != NO_SLOT) {
		*slot = l->first_free;
		l->first_free = l->watches[*slot].next_free;
		return 0;
	}
	if (l->watch_count >= l->watches_max)
		return -ENOSPC;
	if (l->watch_count == l->watch_size && (error = grow(l)) < 0)
		return error;
	*slot = l->watch_count++;
	l->watches[*slot] = (struct watch){.generation = 1};
	return 0;
}

static void release_slot(struct loop *l, unsigned slot)
{
	struct watch *w = &l->watches[slot];

	w->fn = NULL;
	if (++w->generation == 0)
		w->generation = 1;
	w->next_free = l->first_free;
	l->first_free = slot;
}

/* A watch that waits for nothing still hears of errors and hang-ups, again and again:
 * EPOLLONESHOT makes that once. */
static int control(struct loop *l, int operation, const struct watch *w, unsigned slot)
{
	struct epoll_event e = {.data.u64 = watch_name(slot, w->generation)};

	if (w->events & LOOP_READ)
		e.events |= EPOLLIN;
	if (w->events & LOOP_WRITE)
		e.events |= EPOLLOUT;
	if (w->events == 0)
		e.events = EPOLLONESHOT;
	return epoll_ctl(l->epoll, operation, w->fd, &e) < 0 ? -errno : 0;
}

int loop_watch_fd(struct loop *l, int fd, unsigned events, enum loop_class class,
		  loop_event_fn *fn, void *arg, loop_watch *out)
{
	unsigned slot = 0;
	int error = take_slot(l, &slot);

	if (error < 0)
		return error;

	struct watch *w = &l->watches[slot];

	w->fd = fd;
	w->fn = fn;
	w->arg = arg;
	w->events = events & (LOOP_READ | LOOP_WRITE);
	w->class = (uint8_t) class;
	error = control(l, EPOLL_CTL_ADD, w, slot);
	if (error < 0) {
		release_slot(l, slot);
		return error;
	}
	*out = watch_name(slot, w->generation);
	return 0;
}

void loop_change(struct loop *l, loop_watch w, unsigned events)
{
	struct watch *found = find(l, w);

	if (!found || found->events == events)
		return;
	found->events = events & (LOOP_READ | LOOP_WRITE);
	/* to modify what is there takes no memory: this fails only for a descriptor that
	 * was closed too early, and that is a fault of ours */
	if (control(l, EPOLL_CTL_MOD, found, (unsigned)(w & UINT32_MAX)) < 0)
		abort();
}

void loop_forget(struct loop *l, loop_watch w)
{
	struct watch *found = find(l, w);

	if (!found)
		return;
	(void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, found->fd, NULL);
	release_slot(l, (unsigned)(w & UINT32_MAX));
}

void loop_forget_closing(struct loop *l, loop_watch w)
{
	if (find(l, w))
		release_slot(l, (unsigned)(w & UINT32_MAX));
}

/* ---- rounds ---- */

void loop_at_round_end(struct loop *l, loop_round_fn *fn, void *arg)
{
	if (l->round_end_count == ROUND_ENDS_MAX)
		abort();
	l->round_ends[l->round_end_count++] = (struct round_end){fn, arg};
}

void loop_at_shortage(struct loop *l, bool (*fn)(void *arg), void *arg)
{
	l->shortage = fn;
	l->shortage_arg = arg;
}

bool loop_relieve(struct loop *l, int error)
{
	return (error == -EMFILE || error == -ENFILE) && l->shortage &&
	       l->shortage(l->shortage_arg);
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

void loop_stop(struct loop *l)
{
	l->stopping = true;
}

/* Has the alarm go off at DUE; this also makes it unreadable. */
static void set_alarm(struct loop *l, uint64_t due)
{
	const struct itimerspec t = {
	    .it_value = {.tv_sec = (time_t)(due / 1000000),
			 .tv_nsec = (long)(due % 1000000) * 1000}};

	if (timerfd_settime(l->alarm, TFD_TIMER_ABSTIME, &t, NULL) < 0)
		abort();
	l->alarm_us = due;
}

/*
 * What epoll_wait() is to wait: not at all if a timer is due, else for ever, since the alarm
 * wakes it. A time-out of its own would be set up and taken down in the kernel each round;
 * the alarm is set only when something is due earlier than it goes off.
 */
static int wait_time(struct loop *l)
{
	uint64_t due = heap_next(&l->timers);

	if (due <= l->now)
		return 0;
	if (due < DUE_MAX_US && (!l->alarm_us || due < l->alarm_us))
		set_alarm(l, due);
	return -1;
}

/* The alarm is not read: that it is set again, or not at all, makes it silent. */
static void answer_alarm(struct loop *l)
{
	if (l->alarm_us && l->alarm_us <= l->now)
		set_alarm(l, 0);
}

/* An event counts only for what its watch waits for by now: handlers that ran earlier in
 * the round may have changed, ended or replaced it. */
static void deliver(struct loop *l, int count, enum loop_class class)
{
	for (int i = 0; i < count; i++) {
		const struct epoll_event *e = &l->events[i];
		const struct watch *w = find(l, e->data.u64);
		unsigned ready = 0;

		if (!w || w->class != class)
			continue;
		if (e->events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			ready |= LOOP_READ;
		if (e->events & (EPOLLOUT | EPOLLERR | EPOLLHUP))
			ready |= LOOP_WRITE;
		ready &= w->events;
		if (ready)
			w->fn(w->arg, ready);
	}
}

static void run_round(struct loop *l)
{
	int count = epoll_wait(l->epoll, l->events, EVENTS_MAX, wait_time(l));

	if (count < 0 && errno != EINTR)
		abort();
	read_clock(l);
	answer_alarm(l);
	deliver(l, count, LOOP_CLIENT);
	deliver(l, count, LOOP_UPSTREAM);
	heap_run(&l->timers, l->now);
	for (unsigned i = 0; i < l->round_end_count; i++)
		l->round_ends[i].fn(l->round_ends[i].arg);
}

void loop_run(struct loop *l)
{
	do
		run_round(l);
	while (!l->stopping);
	l->stopping = false;
}
