/* prometheus: which metrics there are, and which of their rows are shown. */
#include "telemetry/prometheus.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/version.h"
#include "dns/message.h"
#include "dns/qtype.h"
#include "net/tls.h"
#include "telemetry/prometheus_text.h"
#include "telemetry/prometheus_upstreams.h"
#include "telemetry/totals.h"

/*
 * A row of a counter is shown once it has counted. Those that dashboards and alerts are
 * made of are shown from the start, at 0, so that rate() sees their first step.
 */

static const char *const protos[METRIC_PROTO_N] = {"udp", "tcp"};
static const char *const source_words[SOURCE_N] = {"cache", "stale", "upstream", "local",
						   "error"};

struct page {
	FILE *out;
	const struct metrics *totals;
};

static void one(const struct page *p, const char *name, const char *type,
		const char *help, uint64_t value)
{
	prometheus_text_metric(p->out, name, type, help);
	prometheus_text_row(p->out, name, "", NULL, value);
}

/* ---- clients ---- */

static bool request_is_shown(const struct page *p, unsigned proto, unsigned slot)
{
	return p->totals->requests[proto][slot] || slot == qtype_slot(TYPE_A) ||
	       slot == qtype_slot(TYPE_AAAA);
}

static void put_requests(const struct page *p)
{
	const char *name = "dotgate_dns_requests_total";

	prometheus_text_metric(p->out, name, "counter",
			       "Messages from clients, by protocol and type.");
	for (unsigned proto = 0; proto < METRIC_PROTO_N; proto++) {
		for (unsigned slot = 0; slot < METRIC_TYPES; slot++) {
			const struct prometheus_label labels[] = {
			    {"proto", protos[proto]},
			    {"type", qtype_slot_word(slot)},
			    {NULL, NULL}};

			if (request_is_shown(p, proto, slot))
				prometheus_text_row(p->out, name, "", labels,
						    p->totals->requests[proto][slot]);
		}
	}
}

static bool response_is_shown(const struct page *p, unsigned rcode, unsigned source)
{
	bool usual = rcode == RCODE_NOERROR || rcode == RCODE_NXDOMAIN;

	if (p->totals->responses[rcode][source])
		return true;
	switch ((enum metric_source)source) {
	case SOURCE_CACHE:
	case SOURCE_STALE:
		return usual;
	case SOURCE_UPSTREAM:
		return usual || rcode == RCODE_SERVFAIL || rcode == RCODE_REFUSED;
	case SOURCE_ERROR:
		return rcode == RCODE_SERVFAIL;
	case SOURCE_LOCAL:
	case SOURCE_N:
		break;
	}
	return false;
}

static void put_responses(const struct page *p)
{
	const char *name = "dotgate_dns_responses_total";

	prometheus_text_metric(p->out, name, "counter",
			       "Responses sent to clients, by rcode and source.");
	for (unsigned rcode = 0; rcode < METRIC_RCODES; rcode++) {
		for (unsigned source = 0; source < SOURCE_N; source++) {
			const struct prometheus_label labels[] = {
			    {"rcode", rcode_slot_word(rcode)},
			    {"source", source_words[source]},
			    {NULL, NULL}};

			if (response_is_shown(p, rcode, source))
				prometheus_text_row(p->out, name, "", labels,
						    p->totals->responses[rcode][source]);
		}
	}
}

static void put_durations(const struct page *p)
{
	const char *name = "dotgate_dns_request_duration_seconds";

	prometheus_text_metric(p->out, name, "histogram",
			       "From a client's query to its response.");
	for (unsigned source = 0; source < SOURCE_N; source++) {
		const struct prometheus_label labels[] = {
		    {"source", source_words[source]}, {NULL, NULL}};

		prometheus_text_histogram(p->out, name, labels,
					  &p->totals->request_duration[source]);
	}
}

/* What can happen to a client is shown from the start. */
static void put_reasons(const struct page *p, const char *name,
			const uint64_t count[REASON_N])
{
	for (unsigned r = 0; r < REASON_N; r++) {
		const struct prometheus_label labels[] = {
		    {"reason", reason_word((enum reason)r)}, {NULL, NULL}};

		if (count[r] || r >= REASON_SHORT_MESSAGE)
			prometheus_text_row(p->out, name, "", labels, count[r]);
	}
}

static void put_dropped(const struct page *p)
{
	const char *name = "dotgate_dropped_total";

	prometheus_text_metric(p->out, name, "counter",
			       "Queries of clients that got no response, by reason.");
	put_reasons(p, name, p->totals->dropped);
}

static void put_tcp_dropped(const struct page *p)
{
	const char *name = "dotgate_tcp_dropped_total";

	prometheus_text_metric(p->out, name, "counter",
			       "TCP clients that were refused or cut off, by reason.");
	put_reasons(p, name, p->totals->tcp_dropped);
}

static void put_clients(const struct page *p)
{
	const struct metrics *t = p->totals;

	put_requests(p);
	put_responses(p);
	put_durations(p);
	put_dropped(p);
	one(p, "dotgate_waiting", "gauge",
	    "Queries from clients without a response yet: requests less responses and "
	    "dropped.",
	    t->waiting);
	one(p, "dotgate_waiting_max", "gauge", "How many there is room for.",
	    t->waiting_max);
	one(p, "dotgate_udp_kernel_drops_total", "counter",
	    "Datagrams that the kernel dropped before dotgate could read them.",
	    t->udp_kernel_drops);
	one(p, "dotgate_overload_total", "counter",
	    "Responses that said overload, as too much was under way.", t->overloads);
	put_tcp_dropped(p);
	one(p, "dotgate_tcp_clients", "gauge", "TCP clients connected.", t->tcp_clients);
	one(p, "dotgate_tcp_clients_max", "gauge", "How many there are places for.",
	    t->tcp_clients_max);
	one(p, "dotgate_tcp_accepted_total", "counter", "TCP connections accepted.",
	    t->tcp_accepted);
	one(p, "dotgate_inflight", "gauge",
	    "Questions that wait for an upstream's answer.", t->flights);
	one(p, "dotgate_inflight_max", "gauge", "How many there is room for.",
	    t->flights_max);
	one(p, "dotgate_joined_total", "counter",
	    "Queries that joined an identical one in flight.", t->joined);
	one(p, "dotgate_replays_total", "counter",
	    "Queries sent again because their connection ended or fell silent.",
	    t->replays);
}

/* ---- cache ---- */

static uint64_t stale_answers(const struct metrics *t)
{
	uint64_t sum = 0;

	for (unsigned rcode = 0; rcode < METRIC_RCODES; rcode++)
		sum += t->responses[rcode][SOURCE_STALE];
	return sum;
}

static void put_cache(const struct page *p, const struct sources *s)
{
	const struct metrics *t = p->totals;
	struct cache_numbers n;

	if (!s->cache_numbers)
		return;
	s->cache_numbers(s->cache_arg, &n);
	one(p, "dotgate_cache_entries", "gauge", "Answers in the cache, fresh or not.",
	    n.entries);
	one(p, "dotgate_cache_bytes", "gauge", "Octets that they use, all told.",
	    n.bytes);
	one(p, "dotgate_cache_size_bytes", "gauge", "Octets that they may use.", n.size);
	one(p, "dotgate_cache_hits_total", "counter",
	    "Queries answered from the cache with a fresh answer.", t->cache_hits);
	one(p, "dotgate_cache_misses_total", "counter",
	    "Queries for which it had no fresh answer.", t->cache_misses);
	one(p, "dotgate_cache_evictions_total", "counter",
	    "Answers that gave way to others.", n.evictions);
	one(p, "dotgate_cache_prefetches_total", "counter",
	    "Popular answers renewed before their end.", t->prefetches);
	one(p, "dotgate_cache_stale_total", "counter",
	    "Queries answered with an answer that was no longer fresh.",
	    stale_answers(t));
}

/* ---- the page ---- */

static void put_process(const struct page *p, const struct sources *s)
{
	const char *name = "dotgate_build_info";
	const struct prometheus_label labels[] = {
	    {"version", DOTGATE_VERSION}, {"tls", tls_library_version()}, {NULL, NULL}};

	one(p, "process_start_time_seconds", "gauge",
	    "When the process began, UNIX time.", started_unix(s->started, moment_now()));
	one(p, "dotgate_log_dropped_total", "counter",
	    "Log lines dropped because they came faster than they could be written.",
	    log_dropped());
	prometheus_text_metric(p->out, name, "gauge",
			       "Always 1; the labels tell what runs.");
	prometheus_text_row(p->out, name, "", labels, 1);
}

char *prometheus_make(const struct sources *s, size_t *len)
{
	struct metrics *totals = malloc(sizeof *totals);
	char *text = NULL;
	size_t size = 0;
	FILE *out = totals ? open_memstream(&text, &size) : NULL;
	bool failed = true;

	if (out) {
		const struct page page = {out, totals};

		totals_make(totals, s);
		put_clients(&page);
		put_cache(&page, s);
		prometheus_upstreams_put(out, s, totals);
		put_process(&page, s);
		failed = ferror(out) != 0;
		failed |= fclose(out) != 0;
	}
	free(totals);
	if (failed) {
		free(text);
		return NULL;
	}
	*len = size;
	return text;
}
