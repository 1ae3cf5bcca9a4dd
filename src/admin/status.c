/* status: the workers' counters and the upstreams' notes, put together. */
#include "admin/status.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "telemetry/totals.h"

#define TIME_MAX 32

/* Of one upstream. */
struct view {
	const char *label;
	const struct upstream_metrics *m;
	bool insecure;
	struct notes_text notes;
};

static const char *time_text(int64_t t, char out[TIME_MAX])
{
	time_t when = (time_t)t;
	struct tm tm;

	out[0] = 0;
	if (t && gmtime_r(&when, &tm))
		strftime(out, TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

/* ---- text ---- */

static void put_word(FILE *out, const char *word)
{
	fprintf(out, "  %-12s ", word);
}

static double ms(uint64_t us)
{
	return (double)us / 1000;
}

/* "closed_idle 3, reset 1"; nothing but a dash where all are 0. */
static void put_reasons(FILE *out, const char *word, const uint64_t counts[REASON_N],
			unsigned first)
{
	const char *comma = "";

	put_word(out, word);
	for (unsigned r = first; r < REASON_N; r++) {
		if (!counts[r])
			continue;
		fprintf(out, "%s%s %" PRIu64, comma, reason_word((enum reason)r),
			counts[r]);
		comma = ", ";
	}
	fputs(*comma ? "\n" : "-\n", out);
}

static void put_learnt(FILE *out, const struct upstream_metrics *m)
{
	put_word(out, "habits");
	if (m->learnt_idle)
		fprintf(out, "closes after %.1f s without a query",
			ms(m->learnt_idle) / 1000);
	if (m->learnt_limit)
		fprintf(out, "%scloses after %" PRIu64 " queries",
			m->learnt_idle ? ", " : "", m->learnt_limit);
	fputs(m->learnt_idle || m->learnt_limit ? "\n" : "none learnt\n", out);
}

static void put_connection(FILE *out, const struct view *v)
{
	char when[TIME_MAX];

	if (v->notes.connected) {
		put_word(out, "address");
		fprintf(out, "%s\n", v->notes.address);
		put_word(out, "tls");
		fprintf(out, "%s%s, since %s\n", v->notes.tls,
			v->notes.resumed ? ", resumed" : "",
			time_text(v->notes.connected, when));
	}
	if (v->m->cert_not_after) {
		put_word(out, "certificate");
		fprintf(out, "ends %s\n", time_text((int64_t)v->m->cert_not_after, when));
	}
	put_word(out, "connections");
	fprintf(out,
		"%" PRIu64 " ready, %" PRIu64 " on the way, opened %" PRIu64
		" in full and %" PRIu64 " resumed\n",
		v->m->connections, v->m->connecting, v->m->opened[0], v->m->opened[1]);
}

static void put_text(FILE *out, const struct view *v)
{
	const struct upstream_metrics *m = v->m;
	char when[TIME_MAX];

	fprintf(out, "%s\n", v->label);
	put_word(out, "state");
	fprintf(out, "%s since %s%s\n", m->up ? "up" : "DOWN",
		time_text(v->notes.state_since, when),
		v->insecure ? ", NOT AUTHENTICATED" : "");
	put_connection(out, v);
	put_reasons(out, "closed", m->closed, 1);
	put_learnt(out, m);
	put_word(out, "round trip");
	if (m->rtt_p50)
		fprintf(out, "p50 %.1f ms, p95 %.1f ms\n", ms(m->rtt_p50),
			ms(m->rtt_p95));
	else
		fputs("not known\n", out);
	put_word(out, "queries");
	fprintf(out, "%" PRIu64 " in flight, %" PRIu64 " answered\n", m->inflight,
		m->requests[REASON_NONE]);
	put_reasons(out, "failed", m->requests, 1);
	put_word(out, "hedges");
	fprintf(out, "%" PRIu64 " won, %" PRIu64 " lost\n", m->hedges[1], m->hedges[0]);
	put_word(out, "last error");
	if (v->notes.failed)
		fprintf(out, "%s %s\n", time_text(v->notes.failed, when),
			v->notes.failure);
	else
		fputs("none\n", out);
}

/* ---- JSON (RFC 8259) ---- */

static void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c > 0x7e) /* what is not ASCII may not be UTF-8 */
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void json_key(FILE *out, const char *key)
{
	fprintf(out, ", \"%s\": ", key);
}

static void json_number(FILE *out, const char *key, uint64_t n)
{
	json_key(out, key);
	fprintf(out, "%" PRIu64, n);
}

static void json_ms(FILE *out, const char *key, uint64_t us)
{
	json_key(out, key);
	if (us)
		fprintf(out, "%.3f", ms(us));
	else
		fputs("null", out);
}

static void json_text(FILE *out, const char *key, const char *text)
{
	json_key(out, key);
	if (*text)
		json_string(out, text);
	else
		fputs("null", out);
}

static void json_time(FILE *out, const char *key, int64_t t)
{
	char when[TIME_MAX];

	json_text(out, key, time_text(t, when));
}

static void json_bool(FILE *out, const char *key, bool b)
{
	json_key(out, key);
	fputs(b ? "true" : "false", out);
}

static void json_reasons(FILE *out, const char *key, const uint64_t counts[REASON_N])
{
	const char *comma = "";

	json_key(out, key);
	fputc('{', out);
	for (unsigned r = 1; r < REASON_N; r++) {
		if (!counts[r])
			continue;
		fprintf(out, "%s\"%s\": %" PRIu64, comma, reason_word((enum reason)r),
			counts[r]);
		comma = ", ";
	}
	fputc('}', out);
}

static void put_json(FILE *out, const struct view *v)
{
	const struct upstream_metrics *m = v->m;

	fputs("{\"upstream\": ", out);
	json_string(out, v->label);
	json_text(out, "state", m->up ? "up" : "down");
	json_time(out, "since", v->notes.state_since);
	json_bool(out, "authenticated", !v->insecure);
	json_text(out, "address", v->notes.address);
	json_text(out, "tls", v->notes.tls);
	json_bool(out, "resumed", v->notes.resumed);
	json_time(out, "connected", v->notes.connected);
	json_time(out, "certificate_ends", (int64_t)m->cert_not_after);
	json_ms(out, "idle_time_ms", m->learnt_idle);
	json_number(out, "queries_per_connection", m->learnt_limit);
	json_ms(out, "rtt_p50_ms", m->rtt_p50);
	json_ms(out, "rtt_p95_ms", m->rtt_p95);
	json_number(out, "in_flight", m->inflight);
	json_number(out, "answered", m->requests[REASON_NONE]);
	json_reasons(out, "failed", m->requests);
	json_number(out, "connections", m->connections);
	json_number(out, "connecting", m->connecting);
	json_number(out, "opened_in_full", m->opened[0]);
	json_number(out, "opened_resumed", m->opened[1]);
	json_reasons(out, "closed", m->closed);
	json_number(out, "hedges_won", m->hedges[1]);
	json_number(out, "hedges_lost", m->hedges[0]);
	json_text(out, "last_error", v->notes.failure);
	json_time(out, "last_error_at", v->notes.failed);
	fputc('}', out);
}

void status_print(FILE *out, struct forwarding *f, const struct sources *sources,
		  bool json)
{
	struct metrics *totals = malloc(sizeof *totals);

	if (!totals)
		return;
	totals_make(totals, sources);
	if (json)
		fputs("{\"upstreams\": [", out);
	for (unsigned i = 0; i < f->count; i++) {
		struct view v = {.label = f->labels[i],
				 .m = &totals->upstream[i],
				 .insecure = f->unauthenticated[i]};

		notes_read(&f->notes[i], &v.notes);
		fputs(i == 0 ? "" : json ? ",\n " : "\n", out);
		(json ? put_json : put_text)(out, &v);
	}
	if (json)
		fputs("]}\n", out);
	free(totals);
}
