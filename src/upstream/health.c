/* health: back-off, smoothed round-trip time, patience. */
#include "upstream/health.h"

/* The first try after a failure: soon, since most failures are restarts or lost packets.
 */
#define BACKOFF_MIN_US 50000
/* The longest back-off: with it a dead upstream costs one dial per 5 s, and its return is
 * noticed within that time. */
#define BACKOFF_MAX_US 5000000

/* The same while clients ask for it, which they have if they did so of late: a lost route or cable
 * gives no sign when it is back, and they wait. */
#define BACKOFF_WANTED_US 1000000
#define WANTED_US 3000000

/* Silence that is suspicious when nothing is known of the upstream, and at least: a
 * resolver may need most of a second for a name that it does not have cached. */
#define PATIENCE_MIN_US 1000000
#define PATIENCE_MAX_US 3000000

/* Silence of an upstream whose round-trip time is known is suspicious after about twice that; not
 * sooner, since clients and networks hiccup for so long. */
#define SUSPICION_MIN_US 50000

/* Hedges sooner than this after the query would be for nothing: so much is the machine's own. */
#define LATE_MIN_US 10000
/* Answers before it is known what is usual. */
#define LATE_ANSWERS 32

/* A silence may have been the network's: after this time records are shared again. */
#define CAREFUL_US 600000000

/* Answers by which errors are judged: the last eight or so count. */
#define ERRORS_SHIFT 3
#define ERRORS_ALL 1024u

/* Whoever refused an OPT record and answers without one so soon after does not know EDNS. */
#define OPT_REFUSED_US 10000000
/* Servers are replaced: after this EDNS is tried again. */
#define NO_EDNS_US 600000000

/* An answer may be lost if it takes this many times as long as all but a twentieth. */
#define LOST_FACTOR 3
#define OVERDUE_MIN_US 1000000

/* Returns true if it was DOWN. */
static bool recover(struct health *h)
{
	bool was_down = h->down;

	h->down = false;
	h->failures = 0;
	h->retry_us = 0;
	h->reason = REASON_NONE;
	return was_down;
}

bool health_connected(struct health *h)
{
	/* reasons of the dial and of TLS come first */
	return h->down && h->reason <= REASON_TLS_ALERT && recover(h);
}

/* Moves Q towards the value that UP of 20 samples are below: in steps of a 32nd, up for one
 * above it, down for one below, so that they balance there. */
static void track(uint64_t *q, uint64_t sample_us, unsigned up)
{
	uint64_t step = *q / 32 + 20;

	if (sample_us > *q)
		*q += step * up / 20;
	else
		*q -= *q > step ? step * (20 - up) / 20 : 0;
}

static void track_quantiles(struct health *h, uint64_t rtt_us)
{
	if (!h->answers)
		h->p50_us = rtt_us + 1, h->p95_us = 2 * rtt_us + 1;
	if (h->answers < LATE_ANSWERS)
		h->answers++;
	track(&h->p50_us, rtt_us, 10);
	track(&h->p95_us, rtt_us, 19);
}

bool health_answered(struct health *h, uint64_t rtt_us)
{
	track_quantiles(h, rtt_us);
	/* RFC 6298 2.2, 2.3 */
	if (!h->rtt_us) {
		h->rtt_us = rtt_us;
		h->rtt_var_us = rtt_us / 2;
	} else {
		uint64_t off =
		    rtt_us > h->rtt_us ? rtt_us - h->rtt_us : h->rtt_us - rtt_us;

		h->rtt_var_us = (3 * h->rtt_var_us + off) / 4;
		h->rtt_us = (7 * h->rtt_us + rtt_us) / 8;
	}
	return recover(h);
}

/* Clients ask for it, and a try may help them. */
static bool is_wanted(const struct health *h, uint64_t now_us)
{
	return h->wanted_us && now_us < h->wanted_us + WANTED_US &&
	       !reason_is_authentication(h->reason);
}

void health_wanted(struct health *h, uint64_t now_us)
{
	h->wanted_us = now_us;
	if (h->down && is_wanted(h, now_us) && h->retry_us > now_us + BACKOFF_WANTED_US)
		h->retry_us = now_us + BACKOFF_WANTED_US;
}

/* Half as long again as it has been down already: a restart is noticed soon after it, a
 * long outage costs little. Spread evenly over [1/2, 1] of that, so that many forwarders
 * do not come back in step. */
static uint64_t backoff(const struct health *h, uint64_t now_us, struct random *r)
{
	uint64_t full = (now_us - h->down_us) / 2;
	uint64_t most = is_wanted(h, now_us) ? BACKOFF_WANTED_US : BACKOFF_MAX_US;

	if (full < BACKOFF_MIN_US)
		full = BACKOFF_MIN_US;
	if (full > most)
		full = most;
	return full / 2 + random_below(r, (uint32_t)(full / 2) + 1);
}

static bool fail(struct health *h, enum reason why, uint64_t now_us)
{
	bool was_up = !h->down;

	if (was_up)
		h->down_us = now_us;
	h->down = true;
	h->reason = why;
	h->failures++;
	return was_up;
}

bool health_failed(struct health *h, enum reason why, uint64_t now_us, struct random *r)
{
	bool was_up = fail(h, why, now_us);

	h->retry_us = now_us + backoff(h, now_us, r);
	return was_up;
}

bool health_silent(struct health *h, uint64_t now_us, struct random *r)
{
	bool was_up = fail(h, REASON_READ_TIMEOUT, now_us);

	health_be_careful(h, now_us);
	h->retry_us = was_up ? now_us : now_us + backoff(h, now_us, r);
	return was_up;
}

void health_be_careful(struct health *h, uint64_t now_us)
{
	h->careful_us = now_us + CAREFUL_US;
}

bool health_is_careful(const struct health *h, uint64_t now_us)
{
	return now_us < h->careful_us;
}

bool health_may_dial(const struct health *h, uint64_t now_us)
{
	return !h->down || now_us >= h->retry_us;
}

uint64_t health_patience(const struct health *h)
{
	uint64_t patience = 2 * h->rtt_us + 4 * h->rtt_var_us;

	if (patience < PATIENCE_MIN_US)
		patience = PATIENCE_MIN_US;
	/* who has been silent before is given more time: it may be slow, not mute */
	for (unsigned i = 0; i < h->failures && patience < PATIENCE_MAX_US; i++)
		patience *= 2;
	return patience < PATIENCE_MAX_US ? patience : PATIENCE_MAX_US;
}

uint64_t health_suspicion(const struct health *h)
{
	uint64_t patience = health_patience(h);
	uint64_t suspicion = 2 * h->rtt_us + 4 * h->rtt_var_us;

	if (!h->rtt_us)
		return patience;
	if (suspicion < SUSPICION_MIN_US)
		suspicion = SUSPICION_MIN_US;
	return suspicion < patience ? suspicion : patience;
}

uint64_t health_late(const struct health *h)
{
	if (h->answers < LATE_ANSWERS)
		return HEALTH_NEVER;
	return h->p95_us > LATE_MIN_US ? h->p95_us : LATE_MIN_US;
}

uint64_t health_lost(const struct health *h)
{
	uint64_t late = health_late(h);

	if (late == HEALTH_NEVER)
		return HEALTH_NEVER;
	late *= LOST_FACTOR;
	return late > SUSPICION_MIN_US ? late : SUSPICION_MIN_US;
}

uint64_t health_overdue(const struct health *h)
{
	uint64_t lost = health_lost(h);

	return lost == HEALTH_NEVER || lost < OVERDUE_MIN_US ? OVERDUE_MIN_US : lost;
}

void health_judge(struct health *h, bool is_error)
{
	h->errors -= h->errors >> ERRORS_SHIFT;
	if (is_error)
		h->errors += ERRORS_ALL >> ERRORS_SHIFT;
}

bool health_is_erring(const struct health *h)
{
	return h->errors > ERRORS_ALL / 2;
}

void health_refused_opt(struct health *h, uint64_t now_us)
{
	h->opt_refused_us = now_us;
}

void health_took_no_opt(struct health *h, uint64_t now_us)
{
	if (h->opt_refused_us && now_us < h->opt_refused_us + OPT_REFUSED_US) {
		h->no_edns_us = now_us + NO_EDNS_US;
		h->opt_refused_us = 0;
	}
}

bool health_lacks_edns(const struct health *h, uint64_t now_us)
{
	return now_us < h->no_edns_us;
}

void health_forget_backoff(struct health *h, uint64_t now_us)
{
	if (!h->down)
		return;
	h->down_us = now_us;
	h->retry_us = now_us;
}
