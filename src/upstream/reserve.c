/* reserve: how many connections are kept ready, for how long, and what their ends teach. */
#include "upstream/reserve.h"

/* A server that closes a connection after so many queries does it at once. */
#define LINGER_MIN_US 100000

/* An idle connection is closed at least so long, and a round trip, before the upstream would. */
#define MARGIN_MIN_US 50000

/* An idle connection whose time is over and that has no successor is looked at so often. */
#define LOOK_US 1000000

/* An upstream that takes no second connection is not asked for one again before this. */
#define FULL_US 60000000

/* With so many queries within this time a second connection is kept ready. */
#define BUSY_QUERIES 50
#define BUSY_US 1000000

/* An upstream that is known to close idle connections sooner than this, or has done so very often in a
 * row, is not kept warm. A few times may be restarts. */
#define WARM_IDLE_MIN_US 5000000
#define SOON_CLOSES 5

/* From dial to READY, when it is not known yet: three round trips of a usual distance. */
#define OPENING_US 100000

/* More queries than this are not prepared for. */
#define EXPECTED_MAX 1024

/* A server that closes what nobody has used yet is not dialled more often than this. */
#define WARM_GAP_US 1000000

/* An upstream that ends a connection with early data instead of refusing that is sent none for so
 * long. */
#define NO_EARLY_US 600000000

static uint64_t now(const struct upstream *u)
{
	return loop_now(u->context.loop);
}

/* ---- the queries that a connection has had ---- */

/* A connection that has had its queries is watched for so long: the upstream's close follows its
 * last answer. */
static uint64_t linger(const struct upstream *u)
{
	return habits_doubt_limit(&u->habits, now(u)) ? LINGER_MIN_US + u->health.rtt_us
						      : 0;
}

static bool is_lingering(const struct conn *c)
{
	return c->state == CONN_DRAINING && !ids_awaited_count(c->ids);
}

/* C has had its queries. Those that drain are not dropped for it: it then waits for its turn. */
static void use_up(struct upstream *u, struct conn *c)
{
	struct conn *lingering = upstream_find(u, is_lingering);

	if (upstream_count(u, CONN_DRAINING, CONN_DRAINING) >= UPSTREAM_DRAINING_MAX) {
		if (!lingering)
			return;
		conn_drop(lingering, REASON_CLOSED_BY_US, "retired");
	}
	conn_retire(c, linger(u));
}

/* Queries a second, of late. */
static unsigned rate(const struct upstream *u)
{
	if (now(u) >= u->recent_us + 2 * BUSY_US)
		return 0;
	if (now(u) >= u->recent_us + BUSY_US)
		return u->recent;
	return u->recent > u->recent_before ? u->recent : u->recent_before;
}

static unsigned root_of(unsigned x)
{
	unsigned r = 0;

	while ((r + 1) * (r + 1) <= x)
		r++;
	return r;
}

/* Queries that will come while a connection is being made and its first query answered: as many as
 * the rate says, and what chance may add (three standard deviations of their number). */
static unsigned expected(const struct upstream *u)
{
	uint64_t opening = u->opening_us ? u->opening_us : OPENING_US;
	uint64_t n = rate(u) * (opening + u->health.rtt_us) / 1000000 + 1;

	n = n < EXPECTED_MAX ? n : EXPECTED_MAX;
	return (unsigned)n + 3 * root_of((unsigned)n);
}

/* Queries that C still takes, or will. */
static unsigned room(const struct conn *c)
{
	return c->state <= CONN_READY && !conn_is_used_up(c) && !c->is_suspect
		   ? c->limit - c->queries
		   : 0;
}

/* Queries that the connections but for WITHOUT still take; all of them have a limit. */
static unsigned room_left(const struct upstream *u, const struct conn *without)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		if (c != without && c->state <= CONN_READY && !c->limit)
			return UINT32_MAX;
		n += c == without ? 0 : room(c);
	}
	return n;
}

/* Opens connections ahead of the demand where each takes few queries. */
static void stock_up(struct upstream *u)
{
	for (unsigned n = 0; n < UPSTREAM_DIALS_MAX; n++) {
		unsigned before = upstream_count(u, CONN_CONNECTING, CONN_HANDSHAKING);

		if (!u->habits.limit || room_left(u, NULL) >= expected(u))
			return;
		(void)upstream_open(u);
		if (upstream_count(u, CONN_CONNECTING, CONN_HANDSHAKING) <= before)
			return;
	}
}

static void used_with_habits(struct upstream *u, struct conn *c)
{
	if (c->state == CONN_READY && conn_is_used_up(c))
		use_up(u, c);
	stock_up(u);
	if (!upstream_spare(u, c) && !upstream_find(u, conn_is_dialling))
		(void)upstream_open(u);
}

/* So many queries depend on a connection that its end would keep many waiting for a new one. */
static bool is_busy(const struct upstream *u)
{
	return rate(u) >= BUSY_QUERIES && now(u) < u->recent_us + BUSY_US;
}

static bool wants_spare(const struct upstream *u)
{
	return now(u) >= u->full_until_us &&
	       (is_busy(u) || habits_want_spare(&u->habits, now(u)));
}

void reserve_refused(struct upstream *u)
{
	u->full_until_us = now(u) + FULL_US;
}

/* Counts the queries of this second and the last. */
static void count_recent(struct upstream *u)
{
	if (u->used_us >= u->recent_us + BUSY_US) {
		u->recent_before =
		    u->used_us < u->recent_us + 2 * BUSY_US ? u->recent : 0;
		u->recent_us = u->used_us;
		u->recent = 0;
	}
	u->recent++;
}

void reserve_used(struct upstream *u, struct conn *c)
{
	u->used_us = now(u);
	count_recent(u);
	if (wants_spare(u))
		used_with_habits(u, c);
}

/* ---- connections on which nothing is out ---- */

/* Clients are active, as far as this upstream is concerned. */
static bool is_warm(const struct upstream *u)
{
	bool soon = u->habits.idle_us && u->habits.idle_us < WARM_IDLE_MIN_US;

	return !soon && u->soon_closes < SOON_CLOSES &&
	       now(u) < u->used_us + u->keep_warm_us;
}

/* When the upstream will close C, on which nothing is out; HEALTH_NEVER: not known. */
static uint64_t upstreams_end(struct upstream *u, const struct conn *c)
{
	uint64_t idle = c->idle_us ? c->idle_us : habits_idle(&u->habits, now(u));

	return idle ? c->idle_since_us + idle : HEALTH_NEVER;
}

/* So much before that we close it: a query that is on its way then must not meet the close. */
static uint64_t margin(const struct upstream *u, const struct conn *c, uint64_t end)
{
	uint64_t idle = end - c->idle_since_us, rtt = u->health.rtt_us + MARGIN_MIN_US;
	uint64_t m = rtt > idle / 8 ? rtt : idle / 8;

	return m < idle / 2 ? m : idle / 2;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static unsigned count_with_room(const struct upstream *u, const struct conn *without)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += c != without && conn_has_room(c);
	}
	return n;
}

/* Of several, one is kept ready; two if the upstream hangs up; where each takes few queries, as many
 * as are expected need. */
static bool is_needed(struct upstream *u, const struct conn *c)
{
	if (!is_warm(u) && now(u) >= u->used_us + BUSY_US)
		return false;
	if (u->habits.limit && room_left(u, c) < expected(u))
		return true;
	if (wants_spare(u))
		return count_with_room(u, c) < 2;
	return is_warm(u) && upstream_find(u, conn_has_room) == c;
}

/* When a connection is looked at again that is needed, and would be closed at OURS if it were not:
 * where many are kept ready, as many as the rate needs, soon. */
static uint64_t until_looked_at(const struct upstream *u, uint64_t ours)
{
	return later(ours,
		     u->habits.limit ? now(u) + LOOK_US : u->used_us + u->keep_warm_us);
}

uint64_t reserve_idle(struct upstream *u, struct conn *c)
{
	uint64_t theirs = upstreams_end(u, c);
	uint64_t early = theirs - (theirs == HEALTH_NEVER ? 0 : margin(u, c, theirs));
	uint64_t ours = c->idle_since_us + u->idle_us;

	if (conn_is_used_up(c))
		return 0;
	if (!is_needed(u, c) || theirs < c->idle_since_us + WARM_IDLE_MIN_US)
		return c->is_suspect ? 0 : sooner(ours, early);
	if (!c->is_suspect && now(u) < early)
		return sooner(early, until_looked_at(u, ours));
	if (upstream_spare(u, c))
		return 0;
	(void)upstream_open(u); /* then asked again */
	return later(sooner(theirs, now(u) + LOOK_US), now(u) + MARGIN_MIN_US);
}

/* ---- the ends of connections ---- */

/* What the upstream's own end of C tells of its habits. */
static void learn(struct upstream *u, const struct conn *c, enum reason why)
{
	uint64_t idle = now(u) - c->idle_since_us;

	if (why == REASON_CLOSED_BUSY)
		habits_hung_up(&u->habits, (unsigned)c->answers, c->dialled_us, now(u));
	else if (why == REASON_CLOSED_IDLE && c->limit && c->queries >= c->limit)
		habits_limit_met(&u->habits, now(u));
	else if (why == REASON_CLOSED_IDLE && idle < LINGER_MIN_US)
		habits_hung_up(&u->habits, (unsigned)c->answers, c->dialled_us, now(u));
	else if (why == REASON_CLOSED_IDLE)
		habits_closed_idle(&u->habits, idle, now(u));
}

/* What was learnt holds for the connections that there are, too. One that has had more queries
 * already shows whether it is true. */
static void spread_limit(struct upstream *u)
{
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		struct conn *c = list_entry(l, struct conn, node);

		if (!u->habits.limit || c->queries < u->habits.limit)
			c->limit = u->habits.limit;
	}
}

void reserve_limit_passed(struct upstream *u)
{
	habits_limit_passed(&u->habits);
	spread_limit(u);
}

static void keep_warm(void *arg)
{
	struct upstream *u = arg;

	if (!is_warm(u) || u->health.down || upstream_find(u, conn_has_room))
		return;
	if (now(u) >= u->warmed_us + WARM_GAP_US) {
		u->warmed_us = now(u);
		(void)upstream_open(u);
	} else {
		(void)timer_set(u->context.loop, &u->warm, u->warmed_us + WARM_GAP_US,
				keep_warm, u);
	}
}

/* The upstream has closed C, on which nothing was out. It is not kept warm if that would take a
 * handshake every few seconds; one that closes after its last query has a limit, and is met by
 * stock_up(). */
static void went_idle(struct upstream *u, const struct conn *c)
{
	if (!c->limit || c->queries < c->limit)
		u->soon_closes =
		    now(u) < c->idle_since_us + WARM_IDLE_MIN_US ? u->soon_closes + 1 : 0;
	keep_warm(u);
}

/* Its end may be the answer to early data. */
static bool is_early_end(const struct conn *c, enum reason why)
{
	return c->early_len && !c->heard_us &&
	       (why == REASON_CLOSED_BUSY || why == REASON_RESET ||
		why == REASON_TLS_ALERT || why == REASON_TLS_PROTOCOL);
}

void reserve_ended(struct upstream *u, const struct conn *c, enum reason why)
{
	if (is_early_end(c, why))
		u->no_early_until_us = now(u) + NO_EARLY_US;
	learn(u, c, why);
	spread_limit(u);
	metric_set(&u->context.metrics->learnt_idle, u->habits.idle_us);
	metric_set(&u->context.metrics->learnt_limit, u->habits.limit);
	if (why != REASON_CLOSED_BY_US && why != REASON_CLOSED_IDLE)
		keep_warm(u);
	else if (why == REASON_CLOSED_IDLE)
		went_idle(u, c);
	else if (now(u) >= c->idle_since_us + WARM_IDLE_MIN_US)
		u->soon_closes = 0;
}
