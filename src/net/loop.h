/* loop: one thread's epoll loop: descriptors, deadlines, and the end of each round. */
#ifndef DOTGATE_NET_LOOP_H
#define DOTGATE_NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct heap;

/* What a descriptor is ready for; a bit set. An error or hang-up shows as both. */
#define LOOP_READ 1u
#define LOOP_WRITE 2u

/* Clients are served before upstreams in a round, so that what they asked goes out with
 * it. */
enum loop_class { LOOP_CLIENT, LOOP_UPSTREAM };

/* Names a watched descriptor; 0 is none. It is not used again for another descriptor, so
 * an event that was fetched before loop_forget() is never delivered to a later one. */
typedef uint64_t loop_watch;

typedef void loop_event_fn(void *arg, unsigned ready);
typedef void loop_round_fn(void *arg);

/* Watches that a loop can hold: all descriptors of one worker. */
int loop_new(struct loop **out, unsigned watches_max);
void loop_free(struct loop *l);

/* Calls FN(ARG, ready) whenever FD is ready for EVENTS (level-triggered). The descriptor
 * stays the caller's. Returns 0, -ENOSPC (watches_max) or -errno; *OUT names the watch.
 */
int loop_watch_fd(struct loop *l, int fd, unsigned events, enum loop_class class,
		  loop_event_fn *fn, void *arg, loop_watch *out);

/* Changes what is waited for; 0 pauses it. */
void loop_change(struct loop *l, loop_watch w, unsigned events);

/* Ends the watch; right also for 0. Call it before closing the descriptor. */
void loop_forget(struct loop *l, loop_watch w);

/* The same, cheaper, for a descriptor that the caller closes at once and of which there is no
 * duplicate: the kernel then forgets it by itself. */
void loop_forget_closing(struct loop *l, loop_watch w);

/* Calls FN(ARG) at the end of each round, in the order of registration; at most 4. */
void loop_at_round_end(struct loop *l, loop_round_fn *fn, void *arg);

/* When a descriptor is needed and there is none, FN(ARG) is asked to close one. It returns false
 * if it cannot. */
void loop_at_shortage(struct loop *l, bool (*fn)(void *arg), void *arg);

/* ERROR is what making a descriptor came to. True: there was none (-EMFILE, -ENFILE), and one has
 * been closed: try again, once. */
bool loop_relieve(struct loop *l, int error);

/* Microseconds of CLOCK_BOOTTIME (it goes on while the machine sleeps, so that what is too
 * old on waking is known to be), read once per round. */
uint64_t loop_now(const struct loop *l);

/* The loop's deadlines, for timer.c: an item is due when loop_now() is. */
struct heap *loop_heap(struct loop *l);

/* Runs rounds until loop_stop(): wait, clients, upstreams, due timers, round ends. */
void loop_run(struct loop *l);

/* Ends loop_run() after this round; call from the loop's own thread. */
void loop_stop(struct loop *l);

#endif
