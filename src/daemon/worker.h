/* worker: one thread that owns one of everything: loop, sockets, connections, flights. */
#ifndef DOTGATE_DAEMON_WORKER_H
#define DOTGATE_DAEMON_WORKER_H

#include "cache/cache.h"
#include "conf/config.h"
#include "forwarding/forwarding.h"
#include "proxy/domain.h"

struct worker;

struct worker_options {
	const struct config *config;
	unsigned share; /* one of so many workers: it takes that part of the caps */
	const struct hash_key *hash_key;
	const struct forwarding *forwarding;
	const struct domains *domains; /* for POLICY_SHARD; else NULL */
	struct cache *cache;	       /* all workers'; NULL: none */
};

/* Makes a worker; its thread does not run yet. Returns 0 or -errno. */
int worker_new(struct worker **out, const struct worker_options *o);

/* Serves these bound sockets, which the worker then owns. Before worker_start(). */
int worker_listen(struct worker *w, int udp_fd, int tcp_fd, bool wildcard);

/* Starts the thread. */
int worker_start(struct worker *w);

/* From another thread: accept nothing more, answer what is in flight within
 * config->drain_us, then end. A second call ends it at once. */
void worker_drain(struct worker *w);

/* True when the thread has done its work. */
bool worker_has_ended(const struct worker *w);

/* Waits for the thread to end. */
void worker_join(struct worker *w);
void worker_free(struct worker *w);

struct metrics *worker_metrics(struct worker *w);

/* A number that the thread raises at least once a second. */
uint64_t *worker_heartbeat(struct worker *w);

#endif
