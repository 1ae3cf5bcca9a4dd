/* metric: the counters of one worker. Only their owner writes them; anyone may read them. */
#ifndef DOTGATE_BASE_METRIC_H
#define DOTGATE_BASE_METRIC_H

#include <stdint.h>

#include "base/reason.h"

/* Upstreams that can be configured. A bit mask of them fits a machine word. */
#define UPSTREAMS_MAX 32

/* Query types that have a label of their own, and one slot for all others (dns/qtype.h).
 */
#define METRIC_TYPES 19

/* Rcodes that have a label of their own (0 to 10), and one slot for all others. */
#define METRIC_RCODES 12

enum metric_proto { METRIC_UDP, METRIC_TCP, METRIC_PROTO_N };

/* Where an answer came from. */
enum metric_source {
	SOURCE_CACHE,
	SOURCE_STALE,
	SOURCE_UPSTREAM,
	SOURCE_LOCAL,
	SOURCE_ERROR,
	SOURCE_N
};

/* Durations in buckets of powers of two: bucket i counts what took up to 64 us << i, the
 * last one all the rest (over 8.4 s). */
#define HISTOGRAM_BUCKETS 19

struct histogram {
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t sum_us;
};

/* What one worker did with one upstream. */
struct upstream_metrics {
	uint64_t requests[REASON_N]; /* by how they ended; REASON_NONE is an answer */
	uint64_t opened[2];	     /* connections opened: in full, resumed */
	uint64_t closed[REASON_N];   /* connections ended, and failed dials, by reason */
	uint64_t dropped[REASON_N];  /* answers dropped: bad_answer, unmatched, late */
	uint64_t connections;	     /* gauge: connections that are ready */
	uint64_t connecting;	     /* gauge: connections on their way */
	uint64_t inflight;	     /* gauge: queries without an answer yet */
	uint64_t writes, written;    /* TLS writes, and the queries that were in them */
	uint64_t early[2];	     /* queries sent as early data: refused, accepted */
	uint64_t hedges[2]; /* copies sent here because another took long: lost, won */
	uint64_t up;	    /* gauge: 1 usable, 0 down */
	uint64_t cert_not_after;   /* gauge: UNIX time at which the certificate ends; 0
					unknown */
	uint64_t backup_pin;	   /* gauge: 1 if only a backup pin matches */
	uint64_t rtt_p50, rtt_p95; /* gauges: microseconds; 0 unknown */
	uint64_t learnt_idle;  /* gauge: it closes idle connections after so many us */
	uint64_t learnt_limit; /* gauge: and any connection after so many queries */
	struct histogram request_duration, connect_duration, handshake_duration[2];
};

struct metrics {
	/*
	 * Each message of a client is one of `requests`, and ends in one of two ways: as
	 * one of `responses` once the kernel (UDP) or its connection (TCP) has taken it,
	 * or in `dropped`. So requests = responses + dropped + waiting, exactly.
	 */
	uint64_t requests[METRIC_PROTO_N][METRIC_TYPES];
	uint64_t responses[METRIC_RCODES][SOURCE_N];
	uint64_t dropped[REASON_N];
	uint64_t waiting,
	    waiting_max; /* gauges: queries not answered yet; room for them */
	uint64_t
	    udp_kernel_drops; /* datagrams that the kernel had no room to keep for us */
	uint64_t overloads;   /* responses that say `overload` */
	uint64_t tcp_clients, tcp_clients_max; /* gauges: TCP clients connected; places */
	uint64_t tcp_accepted;
	uint64_t tcp_dropped
	    [REASON_N]; /* TCP clients refused, or ended by no wish of theirs */
	struct histogram request_duration[SOURCE_N];
	/* proxy */
	uint64_t flights, flights_max;	   /* gauges: queries in flight; room for them */
	uint64_t joined;		   /* queries that joined one in flight */
	uint64_t cache_hits, cache_misses; /* queries; stale answers are misses */
	uint64_t prefetches;		   /* answers renewed before their end */
	uint64_t replays; /* queries sent again because their connection ended or fell
			     silent */
	/* upstream */
	struct upstream_metrics upstream[UPSTREAMS_MAX];
};

static inline uint64_t metric_get(const uint64_t *m)
{
	return __atomic_load_n(m, __ATOMIC_RELAXED);
}

/* Only the owner of the counter may call these; so no locked instruction is needed. */
static inline void metric_set(uint64_t *m, uint64_t value)
{
	__atomic_store_n(m, value, __ATOMIC_RELAXED);
}

static inline void metric_add(uint64_t *m, uint64_t n)
{
	metric_set(m, metric_get(m) + n);
}

static inline void metric_inc(uint64_t *m)
{
	metric_add(m, 1);
}

static inline void metric_dec(uint64_t *m)
{
	metric_set(m, metric_get(m) - 1);
}

/* Counts one duration of US microseconds. */
static inline void histogram_add(struct histogram *h, uint64_t us)
{
	/* 0 to 64 us: bucket 0; then one bucket for each doubling */
	unsigned bits = us > 64 ? 64u - (unsigned)__builtin_clzll((us - 1) >> 6) : 0;

	metric_inc(&h->bucket[bits < HISTOGRAM_BUCKETS ? bits : HISTOGRAM_BUCKETS - 1]);
	metric_add(&h->sum_us, us);
}

#endif
