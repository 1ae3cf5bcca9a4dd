/* prometheus_upstreams: the metrics that each upstream has of its own. */
#include "telemetry/prometheus_upstreams.h"

#include "telemetry/prometheus_text.h"

static const char *const resumed[2] = {"false", "true"};

struct page {
	FILE *out;
	const struct sources *sources;
	const struct metrics *totals;
};

/* Writes the rows of upstream number U for one metric. */
typedef void rows_fn(const struct page *p, const char *name, unsigned u);

/* A row of upstream number U, with up to one more label. */
static void upstream_row(const struct page *p, unsigned u, const char *name,
			 const char *suffix, struct prometheus_label more, uint64_t value)
{
	const struct prometheus_label labels[] = {
	    {"upstream", p->sources->upstreams[u]}, more, {NULL, NULL}};

	prometheus_text_row(p->out, name, suffix, labels, value);
}

static const struct prometheus_label no_more = {NULL, NULL};

static void rows_up(const struct page *p, const char *name, unsigned u)
{
	upstream_row(p, u, name, "", no_more, p->totals->upstream[u].up);
}

static void rows_inflight(const struct page *p, const char *name, unsigned u)
{
	upstream_row(p, u, name, "", no_more, p->totals->upstream[u].inflight);
}

/* Ways in which a dial, a handshake or a connection can fail: shown from the start, so that an
 * alert sees the first failure of its kind. */
static bool is_failure(unsigned r)
{
	return r >= REASON_DIAL_REFUSED && r <= REASON_BAD_ANSWER;
}

static void rows_requests(const struct page *p, const char *name, unsigned u)
{
	const uint64_t *requests = p->totals->upstream[u].requests;

	for (unsigned r = 0; r < REASON_N; r++) {
		const char *result =
		    r == REASON_NONE ? "answered" : reason_word((enum reason)r);

		if (requests[r] || is_failure(r) || r == REASON_NONE ||
		    r == REASON_QUERY_TIMEOUT)
			upstream_row(p, u, name, "",
				     (struct prometheus_label){"result", result},
				     requests[r]);
	}
}

static void rows_answers_dropped(const struct page *p, const char *name, unsigned u)
{
	const uint64_t *dropped = p->totals->upstream[u].dropped;

	for (unsigned r = 0; r < REASON_N; r++) {
		const char *reason = reason_word((enum reason)r);

		if (dropped[r] || r == REASON_BAD_ANSWER || r == REASON_UNMATCHED ||
		    r == REASON_LATE)
			upstream_row(p, u, name, "",
				     (struct prometheus_label){"reason", reason},
				     dropped[r]);
	}
}

static void rows_closed(const struct page *p, const char *name, unsigned u)
{
	const uint64_t *closed = p->totals->upstream[u].closed;

	for (unsigned r = 0; r < REASON_N; r++) {
		const char *reason = reason_word((enum reason)r);

		if (closed[r] || is_failure(r))
			upstream_row(p, u, name, "",
				     (struct prometheus_label){"reason", reason},
				     closed[r]);
	}
}

static void rows_connections(const struct page *p, const char *name, unsigned u)
{
	const struct upstream_metrics *m = &p->totals->upstream[u];

	upstream_row(p, u, name, "", (struct prometheus_label){"state", "ready"},
		     m->connections);
	upstream_row(p, u, name, "", (struct prometheus_label){"state", "connecting"},
		     m->connecting);
}

static void rows_opened(const struct page *p, const char *name, unsigned u)
{
	for (unsigned i = 0; i < 2; i++)
		upstream_row(p, u, name, "",
			     (struct prometheus_label){"resumed", resumed[i]},
			     p->totals->upstream[u].opened[i]);
}

static void upstream_histogram(const struct page *p, unsigned u, const char *name,
			       struct prometheus_label more, const struct histogram *h)
{
	const struct prometheus_label labels[] = {
	    {"upstream", p->sources->upstreams[u]}, more, {NULL, NULL}};

	prometheus_text_histogram(p->out, name, labels, h);
}

static void rows_request_duration(const struct page *p, const char *name, unsigned u)
{
	upstream_histogram(p, u, name, no_more, &p->totals->upstream[u].request_duration);
}

static void rows_connect_duration(const struct page *p, const char *name, unsigned u)
{
	upstream_histogram(p, u, name, no_more, &p->totals->upstream[u].connect_duration);
}

static void rows_handshake_duration(const struct page *p, const char *name, unsigned u)
{
	for (unsigned i = 0; i < 2; i++)
		upstream_histogram(p, u, name,
				   (struct prometheus_label){"resumed", resumed[i]},
				   &p->totals->upstream[u].handshake_duration[i]);
}

static void rows_queries_per_write(const struct page *p, const char *name, unsigned u)
{
	upstream_row(p, u, name, "_sum", no_more, p->totals->upstream[u].written);
	upstream_row(p, u, name, "_count", no_more, p->totals->upstream[u].writes);
}

static void rows_early(const struct page *p, const char *name, unsigned u)
{
	static const char *const accepted[] = {"false", "true"};

	for (unsigned i = 0; i < 2; i++)
		upstream_row(p, u, name, "",
			     (struct prometheus_label){"accepted", accepted[i]},
			     p->totals->upstream[u].early[i]);
}

static void rows_hedges(const struct page *p, const char *name, unsigned u)
{
	static const char *const won[] = {"false", "true"};

	for (unsigned i = 0; i < 2; i++)
		upstream_row(p, u, name, "", (struct prometheus_label){"won", won[i]},
			     p->totals->upstream[u].hedges[i]);
}

static void rows_cert_expiry(const struct page *p, const char *name, unsigned u)
{
	uint64_t not_after = p->totals->upstream[u].cert_not_after;

	if (not_after)
		upstream_row(p, u, name, "", no_more, not_after);
}

static void rows_backup_pin(const struct page *p, const char *name, unsigned u)
{
	upstream_row(p, u, name, "", no_more, p->totals->upstream[u].backup_pin);
}

static void rows_unauthenticated(const struct page *p, const char *name, unsigned u)
{
	if (p->sources->unauthenticated[u])
		upstream_row(p, u, name, "", no_more, 1);
}

/* What is shown of each upstream. */
static const struct {
	const char *name, *type, *help;
	rows_fn *rows;
} upstream_metrics[] = {
    {"dotgate_upstream_up", "gauge",
     "1 while the upstream is usable, as far as is known.", rows_up},
    {"dotgate_upstream_inflight", "gauge",
     "Queries to the upstream without an answer yet.", rows_inflight},
    {"dotgate_upstream_requests_total", "counter",
     "Queries to the upstream, by how they ended.", rows_requests},
    {"dotgate_upstream_answers_dropped_total", "counter",
     "Answers of the upstream that were dropped, by reason.", rows_answers_dropped},
    {"dotgate_upstream_request_duration_seconds", "histogram",
     "From a query to the upstream to its answer.", rows_request_duration},
    {"dotgate_upstream_connections", "gauge", "Connections to the upstream, by state.",
     rows_connections},
    {"dotgate_upstream_connections_opened_total", "counter",
     "TLS connections to the upstream made, by whether a session was resumed.",
     rows_opened},
    {"dotgate_upstream_connections_closed_total", "counter",
     "Connections to the upstream ended, and failed attempts, by reason.", rows_closed},
    {"dotgate_upstream_connect_duration_seconds", "histogram",
     "TCP connection establishment.", rows_connect_duration},
    {"dotgate_upstream_handshake_duration_seconds", "histogram",
     "TLS handshakes, by whether a session was resumed.", rows_handshake_duration},
    {"dotgate_upstream_queries_per_write", "summary",
     "Queries that shared one write to the upstream.", rows_queries_per_write},
    {"dotgate_upstream_early_queries_total", "counter",
     "Queries sent before the handshake (0rtt=on), by whether the upstream accepted "
     "them.",
     rows_early},
    {"dotgate_hedges_total", "counter",
     "Copies sent here because another upstream took long, by whether they were first.",
     rows_hedges},
    {"dotgate_upstream_cert_expiry_timestamp_seconds", "gauge",
     "When the upstream's certificate ends, UNIX time; absent while unknown.",
     rows_cert_expiry},
    {"dotgate_upstream_backup_pin", "gauge",
     "1 while only a backup pin matches the upstream's key.", rows_backup_pin},
    {"dotgate_upstream_unauthenticated", "gauge",
     "1 for an upstream that is configured with auth=none or plain://.",
     rows_unauthenticated},
};

void prometheus_upstreams_put(FILE *out, const struct sources *s,
			      const struct metrics *totals)
{
	const struct page page = {out, s, totals};

	for (size_t i = 0; i < sizeof upstream_metrics / sizeof upstream_metrics[0];
	     i++) {
		const char *name = upstream_metrics[i].name;

		prometheus_text_metric(out, name, upstream_metrics[i].type,
				       upstream_metrics[i].help);
		for (unsigned u = 0; u < s->upstream_count; u++)
			upstream_metrics[i].rows(&page, name, u);
	}
}
