/* client: what the clients of a random world ask, and whether what they hear is right. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/message.h"
#include "dns/octets.h"
#include "dns/response.h"
#include "proxy/flight.h"
#include "random.h"

/* A query is answered within query-timeout; the fake clock adds nothing to that. */
#define TIMEOUT_US (5 * WORLD_S)
#define SLACK_US (1 * WORLD_MS)

#define CLIENTS_MAX 200000
#define MESSAGE_ROOM 300

/* What a client asked. */
struct asked {
	uint64_t at_us;
	unsigned crowd; /* flights there were already */
	bool bad, judged;
	uint16_t len;
	uint8_t message[MESSAGE_ROOM];
};

static struct {
	struct asked *asked[CLIENTS_MAX];
	unsigned count, first_open; /* all before it are judged */
	unsigned serial, waiting;
	uint64_t answers, drops;
} clients;

void client_forget(void)
{
	while (clients.count > 0)
		free(clients.asked[--clients.count]);
	memset(&clients, 0, sizeof clients);
}

unsigned client_waiting(void)
{
	return clients.waiting;
}

uint64_t client_answers(void)
{
	return clients.answers;
}

uint64_t client_requests(void)
{
	return clients.count;
}

uint64_t client_asked_us(unsigned client)
{
	return clients.asked[client]->at_us;
}

/* ---- asking ---- */

static size_t put_name(uint8_t *out, const char *name)
{
	size_t at = 0;

	while (*name) {
		size_t n = strcspn(name, ".");

		out[at++] = (uint8_t)n;
		memcpy(out + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	out[at++] = 0;
	return at;
}

static size_t put_opt(uint8_t *p, bool do_bit)
{
	static const uint16_t sizes[] = {0, 512, 1232, 4096, 65535};

	memset(p, 0, OPT_LEN);
	p[2] = TYPE_OPT;
	store16(p + 3, sizes[chance_below(5)]);
	p[7] = do_bit ? 0x80 : 0;
	return OPT_LEN;
}

/* How a question is asked. */
struct manner {
	uint16_t type, flags;
	bool edns, do_bit, mixed_case, udp;
};

static size_t put_query(uint8_t *out, const char *name, const struct manner *m)
{
	size_t n = DNS_HEADER_LEN;

	memset(out, 0, DNS_HEADER_LEN);
	store16(out, chance_below(65536));
	store16(out + 2, m->flags);
	out[5] = 1;
	n += put_name(out + n, name);
	for (size_t i = DNS_HEADER_LEN; m->mixed_case && i < n; i++)
		if (islower(out[i]) && chance_percent(50))
			out[i] = (uint8_t)toupper(out[i]);
	store16(out + n, m->type);
	store16(out + n + 2, CLASS_IN);
	n += 4;
	if (m->edns) {
		out[11] = 1;
		n += put_opt(out + n, m->do_bit);
	}
	return n;
}

static unsigned ask_message(const uint8_t *message, size_t len, bool udp, bool bad)
{
	struct asked *a = world_claim(sizeof *a);
	unsigned i;

	a->at_us = world_now();
	a->bad = bad;
	a->len = (uint16_t)len;
	memcpy(a->message, message, len);
	if (clients.count == CLIENTS_MAX)
		abort();
	a->crowd = world_inflight();
	clients.asked[clients.count++] = a;
	i = udp ? world_ask_udp(message, len) : world_ask_raw(message, len);
	if (strncmp(world_told(i)->text, "overload", 8) == 0)
		invariants_refused(i, world_told(i)->text);
	return i;
}

static struct manner pick_manner(void)
{
	static const uint16_t types[] = {TYPE_AAAA, TYPE_TXT, TYPE_HTTPS, TYPE_ANY,
					 TYPE_DS,   TYPE_MX,  65400};
	struct manner m = {.type = TYPE_A, .flags = DNS_RD, .edns = chance_percent(60)};

	m.udp = chance_percent(50);
	m.mixed_case = chance_percent(20);
	if (!chance_percent(temper.odd))
		return m;
	if (chance_percent(50))
		m.type = types[chance_below(7)];
	if (chance_percent(30))
		m.flags = 0;
	if (chance_percent(20))
		m.flags |= DNS_CD;
	if (chance_percent(20))
		m.flags |= DNS_AD;
	m.do_bit = m.edns && chance_percent(30);
	return m;
}

static unsigned ask_name(const char *name, const struct manner *m)
{
	uint8_t message[MESSAGE_ROOM];
	size_t n = put_query(message, name, m);

	trace("client %u asks %s type %u%s%s%s", clients.count, name, m->type,
	      m->flags & DNS_RD ? "" : " RD=0", m->do_bit ? " DO" : "",
	      m->udp ? " UDP" : "");
	return ask_message(message, n, m->udp, false);
}

unsigned client_ask(void)
{
	struct manner m = pick_manner();
	unsigned group =
	    temper.plan.group_count > 1 ? chance_below(temper.plan.group_count) : 0;
	char name[48], tail[16] = "example";

	if (group)
		snprintf(tail, sizeof tail, "g%u", group);
	if (chance_percent(50))
		snprintf(name, sizeof name, "x%u.%s", clients.serial++, tail);
	else
		snprintf(name, sizeof name, "r%u.%s", chance_below(temper.names), tail);
	world_ask_from((unsigned)chance_spread(5));
	return ask_name(name, &m);
}

void client_flood(unsigned count, unsigned address)
{
	char name[48];

	world_ask_from(address);
	while (count-- > 0) {
		snprintf(name, sizeof name, "x%u.example", clients.serial++);
		(void)client_ask_for(name);
	}
}

const uint8_t *client_query(unsigned client, size_t *len)
{
	*len = clients.asked[client]->len;
	return clients.asked[client]->message;
}

unsigned client_waiting_with(unsigned client)
{
	unsigned n = 0;

	for (unsigned i = clients.first_open; i < world_ask_count(); i++)
		n += !world_told(i)->answers && !world_told(i)->drops &&
		     world_told(i)->address == world_told(client)->address;
	return n;
}

static bool is_same(const struct asked *a, const struct asked *b)
{
	return a->len >= 20 && b->len >= 20 &&
	       strncasecmp((const char *)a->message + DNS_HEADER_LEN,
			   (const char *)b->message + DNS_HEADER_LEN, 8) == 0;
}

bool client_is_of_crowd(unsigned client)
{
	const struct asked *a = clients.asked[client];
	unsigned n = 0;

	for (unsigned i = clients.first_open; i < client; i++)
		n += is_same(a, clients.asked[i]) && !world_told(i)->answers;
	return n >= WAITERS_PER_FLIGHT;
}

unsigned client_crowd(unsigned client)
{
	return clients.asked[client]->crowd;
}

unsigned client_ask_for(const char *name)
{
	return ask_name(name, &(struct manner){.type = TYPE_A, .flags = DNS_RD});
}

void client_ask_badly(void)
{
	static const char *const names[] = {"bad.example", "x0.example"};
	uint8_t message[MESSAGE_ROOM];
	size_t n = put_query(message, names[chance_below(2)],
			     &(struct manner){.type = TYPE_A, .flags = DNS_RD});
	unsigned changes = 1 + chance_below(3);

	if (chance_percent(30))
		n = chance_below((unsigned)n);
	while (n && changes--)
		message[chance_below((unsigned)n)] = (uint8_t)chance_below(256);
	(void)ask_message(message, n, chance_percent(50), true);
}

/* ---- judging ---- */

static void judge_question(unsigned i, const struct asked *a, const struct told *t)
{
	size_t n = DNS_HEADER_LEN;

	if (memcmp(t->message, a->message, 2) != 0)
		fault("id", "client %u was answered under another id", i);
	if (!(t->message[2] & 0x80))
		fault("header", "client %u was sent a query", i);
	while (a->message[n])
		n += a->message[n] + 1u;
	n += 5;
	if (t->len < n || t->message[5] != 1 ||
	    memcmp(t->message + DNS_HEADER_LEN, a->message + DNS_HEADER_LEN,
		   n - DNS_HEADER_LEN) != 0)
		fault("question", "client %u was answered another question", i);
}

static bool is_stale(const struct told *t)
{
	return t->ede == 3 || t->ede == 19;
}

/* How old the answer is, and how old it says it is. Only with EDNS it can say that it is stale. */
static void judge_age(unsigned i, const struct told *t, const struct testimony *said,
		      uint32_t ttl)
{
	uint64_t age = t->at_us - said->made_us;
	uint64_t fresh = temper.plan.cached ? (said->ttl + 1) * WORLD_S : 0;

	if (age > fresh + TIMEOUT_US + step_longest_jump_us() && !is_stale(t))
		fault("age", "client %u was told as fresh what is %llu us old, TTL %u", i,
		      (unsigned long long)age, said->ttl);
	if (ttl > (is_stale(t) ? 30 : said->ttl))
		fault("ttl", "client %u was told of a TTL of %u s instead of %u", i, ttl,
		      said->ttl);
}

/* P is at the first record of the answer, a TXT record that testifies to what it answers. */
static void judge_record(unsigned i, const struct asked *a, const struct told *t,
			 const uint8_t *p)
{
	struct testimony said;
	bool do_bit, opt = server_has_opt(a->message, a->len, &do_bit);

	if (p + 13 + TESTIMONY_LEN > t->message + t->len || p[3] != TYPE_TXT) {
		fault("record", "client %u was sent a record that no server made", i);
		return;
	}
	testimony_read(p + 13, &said);
	if (said.proof != server_proof(a->message, a->len)) {
		fault("poison", "client %u was told what answers another question", i);
		return;
	}
	if (said.with_opt && said.do_bit != do_bit)
		fault("do", "client %u asked with DO %d, and heard what another got", i,
		      do_bit);
	if (a->message[2] & 1 && !said.recursive)
		fault("rd", "client %u asked with RD, and heard what another got without",
		      i);
	if (opt)
		judge_age(i, t, &said, (uint32_t)load16(p + 6) << 16 | load16(p + 8));
}

static void judge(unsigned i, const struct asked *a, const struct told *t)
{
	size_t end = DNS_HEADER_LEN;
	struct response r;

	if (a->bad)
		return;
	judge_question(i, a, t);
	if (response_read(&r, t->message, t->len) < 0) {
		fault("message", "client %u was sent no DNS message", i);
		return;
	}
	while (t->message[end])
		end += t->message[end] + 1u;
	end += 5;
	if (r.answers)
		judge_record(i, a, t, t->message + end);
}

static void finish(unsigned i, struct asked *a, const struct told *t)
{
	a->judged = true;
	if (t->answers + t->drops > 1)
		fault("twice", "client %u was answered %u times, dropped %u times", i,
		      t->answers, t->drops);
	if (t->drops && !a->bad)
		fault("dropped", "client %u asked well, and was dropped", i);
	clients.answers += t->answers;
	clients.drops += t->drops;
	if (!t->answers)
		return;
	trace("client %u is told rcode %u%s%s %s after %llu us", i, t->rcode,
	      is_stale(t) ? " stale" : "", t->truncated ? " TC" : "", t->text,
	      (unsigned long long)(t->at_us - a->at_us));
	if (t->at_us > a->at_us + TIMEOUT_US + SLACK_US && t->at_us != step_jumped_us())
		fault("slow", "client %u was answered after %llu us", i,
		      (unsigned long long)(t->at_us - a->at_us));
	judge(i, a, t);
}

void client_check(void)
{
	clients.waiting = 0;
	while (clients.first_open < clients.count &&
	       clients.asked[clients.first_open]->judged)
		clients.first_open++;
	for (unsigned i = clients.first_open; i < clients.count; i++) {
		struct asked *a = clients.asked[i];
		const struct told *t = world_told(i);

		if (!a->judged && (t->answers || t->drops)) {
			finish(i, a, t);
		} else if (a->judged && t->answers + t->drops > 1) {
			fault("twice", "client %u was answered again", i);
		} else if (!a->judged) {
			clients.waiting++;
			if (world_now() > a->at_us + TIMEOUT_US + SLACK_US)
				fault("unanswered", "client %u has waited for %llu us", i,
				      (unsigned long long)(world_now() - a->at_us));
		}
	}
}

void client_end(void)
{
	for (unsigned i = 0; i < clients.count; i++)
		if (world_told(i)->answers + world_told(i)->drops != 1)
			fault("twice",
			      "client %u was answered %u times, dropped %u times", i,
			      world_told(i)->answers, world_told(i)->drops);
}

bool client_is_good(unsigned client)
{
	const struct told *t = world_told(client);

	return t->answers == 1 && (t->rcode == 0 || t->rcode == RCODE_NXDOMAIN);
}
