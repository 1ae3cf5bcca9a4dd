/* query: the whole story of a query, from the client's message to the client's answer. */
#ifndef DOTGATE_PROXY_QUERY_H
#define DOTGATE_PROXY_QUERY_H

#include "base/metric.h"
#include "front/client.h"
#include "net/loop.h"
#include "proxy/domain.h"
#include "proxy/recall.h"
#include "proxy/route.h"
#include "upstream/pool.h"

/* The proxy of one worker. */
struct proxy;

struct proxy_options {
	struct loop *loop;
	struct metrics *metrics;
	uint64_t timeout_us;	 /* from a query's arrival to its end */
	unsigned client_share;	 /* percent of the places that are one client's share */
	uint64_t stale_after_us; /* then a stale answer will do (RFC 8767 5) */
	const struct routes *routes;
	const struct domains *domains; /* for POLICY_SHARD; else NULL */
	bool special_names;	       /* are answered here (proxy/special.h) */
	bool log_clients;	       /* the log may have addresses of clients */
	bool ede_detail; /* clients are told which upstream failed, and how */
	struct recall_options recall;
};

int proxy_new(struct proxy **out, const struct proxy_options *o);

/* Sets its neighbours, once, before the first query. */
void proxy_connect(struct proxy *p, struct front *front, struct pool *pool);
void proxy_free(struct proxy *p);

/* The front's upward call: ARG is the proxy. */
front_query_fn query_begin;

/* The pool's upward calls: their argument is the proxy. */
extern const struct pool_events query_events;

/* Queries that are not answered yet. */
unsigned proxy_inflight(const struct proxy *p);

/* Fails all that is in flight: SERVFAIL, EDE 14, "shutdown". */
void proxy_abort(struct proxy *p);

#endif
