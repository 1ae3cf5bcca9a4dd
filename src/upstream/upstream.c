/* upstream: the connections of one upstream, and what is said of it. */
#include "upstream/upstream.h"

#include <stdio.h>
#include <time.h>

#include "base/log.h"
#include "dns/message.h"

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

unsigned upstream_count(const struct upstream *u, enum conn_state from,
			enum conn_state to)
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
	return upstream_count(u, CONN_CONNECTING, CONN_HANDSHAKING) > 0;
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
	       upstream_count(u, CONN_CONNECTING, CONN_DRAINING) < UPSTREAM_CONNS_MAX &&
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
	while (upstream_count(u, CONN_DRAINING, CONN_DRAINING) >= UPSTREAM_DRAINING_MAX)
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
