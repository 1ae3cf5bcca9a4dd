/* upstream: the connections of one upstream, and what is said of it. */
#include "upstream/upstream.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "dns/message.h"

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

/* An upstream that closes idle connections sooner than this, and has done so twice in a row, is not
 * kept warm. Once may be its restart. */
#define WARM_IDLE_MIN_US 5000000
#define SOON_CLOSES 2

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

void upstream_init(struct upstream *u, const struct upstream_options *o)
{
	*u = (struct upstream){.owner = o->owner,
			       .number = o->number,
			       .label = o->label,
			       .notes = o->notes,
			       .weight = o->weight,
			       .identity = o->identity,
			       .idle_us = o->idle_us,
			       .keep_warm_us = o->keep_warm_us,
			       .plain = o->plain,
			       .early_data = o->context.early_data,
			       .context = o->context};
	u->context.owner = u;
	u->context.health = &u->health;
	u->used_us = u->heard_us = loop_now(o->context.loop);
	u->addresses_version = atomic_load(&o->context.addresses->version);
	list_init(&u->conns);
	metric_set(&u->context.metrics->up, 1);
}

/* ---- connections ---- */

static unsigned count(const struct upstream *u, enum conn_state from, enum conn_state to)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += c->state >= from && c->state <= to;
	}
	return n;
}

struct conn *upstream_find(struct upstream *u, bool (*fits)(const struct conn *c))
{
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		struct conn *c = list_entry(l, struct conn, node);

		if (fits(c))
			return c;
	}
	return NULL;
}

void upstream_each(struct upstream *u, void (*fn)(struct conn *c))
{
	struct conn *all[UPSTREAM_CONNS_MAX];
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns && n < UPSTREAM_CONNS_MAX;
	     l = l->next)
		all[n++] = list_entry(l, struct conn, node);
	for (unsigned i = 0; i < n; i++)
		if (all[i]->state != CONN_CLOSED)
			fn(all[i]);
}

bool upstream_is_dialling(const struct upstream *u)
{
	return count(u, CONN_CONNECTING, CONN_HANDSHAKING) > 0;
}

unsigned upstream_inflight(const struct upstream *u)
{
	unsigned n = u->plain ? plain_inflight(u->plain) : 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += ids_sole_count(c->ids);
	}
	return n;
}

bool upstream_has_capacity(struct upstream *u, bool gives_way)
{
	return capacity_allows(&u->capacity, upstream_inflight(u), gives_way, now(u));
}

void upstream_held(struct upstream *u)
{
	capacity_held(&u->capacity, now(u));
}

static bool is_promising(const struct conn *c)
{
	return conn_is_dialling(c) && !c->is_slow;
}

static bool is_stuck(const struct conn *c)
{
	return conn_is_dialling(c) && c->is_stuck;
}

/* Dials that are a reason not to begin another: beside handshakes that are stuck other addresses
 * are tried, until there is one for each address. */
static unsigned count_dialling(struct upstream *u)
{
	unsigned n = 0, stuck = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += conn_is_dialling(c);
		stuck += is_stuck(c);
	}
	return stuck && stuck < addresses_count(u->context.addresses) ? n - stuck : n;
}

static bool is_draining(const struct conn *c)
{
	return c->state == CONN_DRAINING;
}

/* Connections that take queries, or will; not those that are full. */
static unsigned count_active(const struct upstream *u)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += c->state <= CONN_READY && !conn_is_used_up(c) && !c->is_stuck &&
		     ids_taken_count(c->ids) < IDS_MAX;
	}
	return n;
}

unsigned upstream_suspects(const struct upstream *u)
{
	unsigned n = 0;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		n += c->state == CONN_READY && c->is_suspect;
	}
	return n;
}

/* Few connections; more where each lasts for few queries, and one more when all may be dead. */
static unsigned active_max(const struct upstream *u, bool limited)
{
	unsigned most = limited ? UPSTREAM_LIMITED_MAX : UPSTREAM_ACTIVE_MAX;

	return upstream_suspects(u) >= most ? most + 1 : most;
}

/* One dial at a time; more only where each connection lasts for few queries. */
static bool may_open(struct upstream *u)
{
	bool limited = u->habits.limit && !u->health.down;

	return count_dialling(u) < (limited ? UPSTREAM_DIALS_MAX : 1) &&
	       count_active(u) < active_max(u, limited) &&
	       count(u, CONN_CONNECTING, CONN_DRAINING) < UPSTREAM_CONNS_MAX &&
	       health_may_dial(&u->health, now(u));
}

struct conn *upstream_open(struct upstream *u)
{
	struct conn *c;

	if (u->plain || !may_open(u)) {
		c = upstream_find(u, is_promising);
		return c ? c : upstream_find(u, conn_is_dialling);
	}
	u->context.early_data = u->early_data && now(u) >= u->no_early_until_us;
	c = conn_new(&u->context);
	if (!c)
		return NULL;
	c->limit = u->habits.limit;
	list_append(&u->conns, &c->node);
	conn_dial(c);
	return c->state == CONN_CLOSED ? NULL : c;
}

void upstream_retire(struct upstream *u, struct conn *c, uint64_t linger_us)
{
	while (count(u, CONN_DRAINING, CONN_DRAINING) >= UPSTREAM_DRAINING_MAX)
		conn_drop(upstream_find(u, is_draining), REASON_CLOSED_BY_US,
			  "silent for too long");
	conn_retire(c, linger_us);
}

/* ---- probes ---- */

static const uint8_t root[] = {0};

static const struct query root_query = {
    .flags = DNS_RD,
    .question = {.name = root, .name_len = 1, .type = TYPE_NS, .class = CLASS_IN},
};

struct ask upstream_neutral_ask(const struct upstream *u)
{
	return (struct ask){
	    .query = &root_query,
	    .question = conn_question_hash(u->context.hash_key, &root_query.question)};
}

/* A question on C that it should have answered by now, other than that of FIRST (NULL: any). */
static const struct sent *find_unanswered(const struct conn *c, const struct sent *first)
{
	uint64_t since =
	    loop_now(c->context->loop) - health_suspicion(c->context->health);
	const struct sent *s = ids_marked(c->ids, MARK_FRESH);

	while (s && s->sent_us <= since && first && s->question == first->question)
		s = ids_next(c->ids, s);
	return s && s->sent_us <= since ? s : NULL;
}

bool upstream_is_mute(const struct upstream *u)
{
	const struct sent *first = NULL;

	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		const struct conn *c = list_entry(l, struct conn, node);

		if (c->state != CONN_READY && c->state != CONN_DRAINING)
			continue;
		if (!first)
			first = find_unanswered(c, NULL);
		if (first && find_unanswered(c, first))
			return true;
	}
	return false;
}

struct conn *upstream_spare(struct upstream *u, const struct conn *c)
{
	for (struct list *l = u->conns.next; l != &u->conns; l = l->next) {
		struct conn *other = list_entry(l, struct conn, node);

		if (other != c && conn_is_good(other))
			return other;
	}
	return NULL;
}

bool upstream_has_other(struct upstream *u, const struct conn *c)
{
	return upstream_spare(u, c) || upstream_find(u, is_promising);
}

/* ---- habits ---- */

/* A connection that has had its queries is watched for so long: the upstream's close follows its
 * last answer. */
static uint64_t linger(const struct upstream *u)
{
	return habits_doubt_limit(&u->habits, now(u)) ? LINGER_MIN_US + u->health.rtt_us
						      : 0;
}

static bool is_lingering(const struct conn *c)
{
	return is_draining(c) && !ids_awaited_count(c->ids);
}

/* C has had its queries. Those that drain are not dropped for it: it then waits for its turn. */
static void use_up(struct upstream *u, struct conn *c)
{
	struct conn *lingering = upstream_find(u, is_lingering);

	if (count(u, CONN_DRAINING, CONN_DRAINING) >= UPSTREAM_DRAINING_MAX) {
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
		unsigned before = count(u, CONN_CONNECTING, CONN_HANDSHAKING);

		if (!u->habits.limit || room_left(u, NULL) >= expected(u))
			return;
		(void)upstream_open(u);
		if (count(u, CONN_CONNECTING, CONN_HANDSHAKING) <= before)
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

void upstream_full(struct upstream *u)
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

void upstream_used(struct upstream *u, struct conn *c)
{
	u->used_us = now(u);
	count_recent(u);
	if (wants_spare(u))
		used_with_habits(u, c);
}

/* Clients are active, as far as this upstream is concerned. */
static bool is_warm(const struct upstream *u)
{
	return u->soon_closes < SOON_CLOSES && now(u) < u->used_us + u->keep_warm_us;
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

uint64_t upstream_idle(struct upstream *u, struct conn *c)
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

void upstream_limit_passed(struct upstream *u)
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

void upstream_ended(struct upstream *u, const struct conn *c, enum reason why)
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

void upstream_free(struct upstream *u)
{
	timer_stop(u->context.loop, &u->warm);
	plain_free(u->plain);
	while (!list_empty(&u->conns))
		conn_free(list_entry(u->conns.next, struct conn, node));
}

/* ---- health ---- */

static void say_down(struct upstream *u, const char *detail)
{
	enum reason why = u->health.reason;
	const char *remedy = reason_remedy(why);

	metric_set(&u->context.metrics->up, 0);
	snprintf(u->failure, sizeof u->failure, "%s: %s: %s%s%s", reason_word(why),
		 u->label, detail, *remedy ? ": " : "", remedy);
	notes_failed(u->notes, u->failure);
	if (!notes_is_news(u->notes, why))
		return;
	log_line(LOG_WARNING, "upstream %s is down: stage=%s reason=%s: %s%s%s", u->label,
		 reason_stage(why), reason_word(why), detail, *remedy ? ": " : "",
		 remedy);
}

static void say_up(struct upstream *u)
{
	metric_set(&u->context.metrics->up, 1);
	if (notes_is_news(u->notes, REASON_NONE))
		log_line(LOG_NOTICE, "upstream %s is up again", u->label);
}

/* What the upstream's operator should know of its certificate. */
static void look_at_certificate(struct upstream *u, const struct conn *c)
{
	int64_t end = tls_conn_cert_not_after(c->tls);
	int pin = tls_conn_pin(c->tls);
	time_t when = (time_t)end;
	char date[16] = "?";
	struct tm tm;

	if (pin >= 0) {
		metric_set(&u->context.metrics->backup_pin, pin > 0);
		if (notes_pin_is_news(u->notes, pin > 0))
			log_line(
			    pin > 0 ? LOG_WARNING : LOG_NOTICE,
			    pin > 0
				? "upstream %s: only backup pin number %d matches its "
				  "key: it has changed keys; put that pin first, and a "
				  "new backup behind it"
				: "upstream %s: its first pin matches again (%d)",
			    u->label, pin + 1);
	}
	if (!notes_ends_soon(u->notes, tls_conn_cert_not_before(c->tls), end,
			     (int64_t)time(NULL)))
		return;
	if (gmtime_r(&when, &tm))
		strftime(date, sizeof date, "%Y-%m-%d", &tm);
	log_line(LOG_WARNING,
		 "upstream %s: its certificate ends on %s: have it renewed, or it will "
		 "be refused "
		 "from then on",
		 u->label, date);
}

static void say_address_failed(struct upstream *u, const struct conn *c, enum reason why,
			       const char *detail)
{
	char address[ADDRESS_TEXT_MAX];

	if (notes_address_is_news(u->notes, (int64_t)time(NULL)))
		log_line(LOG_WARNING,
			 "upstream %s: another address is tried than %s: reason=%s: %s",
			 u->label, address_text(&c->address, address), reason_word(why),
			 detail);
}

static void end_stuck(struct upstream *u)
{
	struct conn *c;

	while ((c = upstream_find(u, is_stuck))) {
		say_address_failed(u, c, REASON_TLS_TIMEOUT, "the handshake takes long");
		conn_drop(c, REASON_CLOSED_BY_US, "another address was faster");
	}
}

bool upstream_connected(struct upstream *u, const struct conn *c)
{
	bool is_back = health_connected(&u->health);

	u->opening_us = u->opening_us ? (3 * u->opening_us + now(u) - c->dialled_us) / 4
				      : now(u) - c->dialled_us;
	u->bad_addresses = 0;
	end_stuck(u);
	notes_connected(u->notes, tls_conn_version(c->tls), tls_conn_suite(c->tls),
			tls_conn_resumed(c->tls), &c->address);
	look_at_certificate(u, c);
	log_line(LOG_INFO, "connected to %s: %s %s%s, connect %llu us, handshake %llu us",
		 u->label, tls_conn_version(c->tls), tls_conn_suite(c->tls),
		 tls_conn_resumed(c->tls) ? ", resumed" : "",
		 (unsigned long long)(c->connected_us - c->dialled_us),
		 (unsigned long long)(now(u) - c->connected_us));
	if (is_back)
		say_up(u);
	return is_back;
}

bool upstream_answered(struct upstream *u, uint64_t rtt_us, bool is_error)
{
	struct upstream_metrics *m = u->context.metrics;
	bool is_back = health_answered(&u->health, rtt_us);

	u->heard_us = now(u);
	u->silences = 0;
	health_judge(&u->health, is_error);
	capacity_answered(&u->capacity, rtt_us, now(u));
	metric_set(&m->rtt_p50, u->health.p50_us);
	metric_set(&m->rtt_p95, u->health.p95_us);
	if (is_back)
		say_up(u);
	return is_back;
}

bool upstream_tries_other_address(struct upstream *u, const struct conn *c,
				  enum reason why, const char *detail)
{
	bool is_handshake = c->connected_us && !c->heard_us;

	if (!is_handshake || u->health.down ||
	    ++u->bad_addresses >= addresses_count(u->context.addresses))
		return false;
	say_address_failed(u, c, why, detail);
	(void)upstream_open(u);
	return true;
}

bool upstream_failed(struct upstream *u, enum reason why, const char *detail)
{
	bool was_up = health_failed(&u->health, why, now(u), u->context.random);

	habits_went_down(&u->habits, now(u));
	addresses_all_failed(u->context.addresses);
	say_down(u, detail);
	return was_up;
}

bool upstream_silent(struct upstream *u)
{
	bool was_up = health_silent(&u->health, now(u), u->context.random);

	addresses_all_failed(u->context.addresses);
	say_down(u, "no answer on an open connection");
	return was_up;
}
