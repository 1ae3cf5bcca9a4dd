/* server: how the servers of a random world answer: well, badly, late, or not at all. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "dns/message.h"
#include "dns/octets.h"
#include "random.h"

#define FRAME_ROOM 66000
#define QUESTION_AT DNS_HEADER_LEN

struct mood moods[UPSTREAMS];

/* Of one world, all servers. */
#define CONNECTIONS 200000

/* What a server knows of a connection. */
static struct {
	unsigned count;
	uint64_t free_us[UPSTREAMS]; /* it has answered all by then */
	unsigned answers[CONNECTIONS], queries[CONNECTIONS];
	bool mute[CONNECTIONS];
} known;

void server_forget(void)
{
	memset(known.answers, 0, known.count * sizeof *known.answers);
	memset(known.queries, 0, known.count * sizeof *known.queries);
	memset(known.free_us, 0, sizeof known.free_us);
	known.count = 0;
}

/* ---- messages ---- */

static size_t question_end(const uint8_t *message, size_t len)
{
	size_t at = QUESTION_AT;

	while (at < len && message[at])
		at += message[at] + 1u;
	return at + 5 <= len ? at + 5 : len;
}

/* The name that Q asks for, for the trace. */
static const char *name_of(const struct received *q)
{
	static char text[256];
	size_t at = QUESTION_AT, n = 0;

	while (at < q->len && q->message[at] && n < 250) {
		for (unsigned left = q->message[at++]; left > 0 && n < 250; left--)
			text[n++] = (char)tolower(q->message[at++]);
		text[n++] = '.';
	}
	text[n] = '\0';
	return text;
}

bool server_has_opt(const uint8_t *message, size_t len, bool *do_bit)
{
	size_t at = question_end(message, len);

	*do_bit = false;
	if (!message[11] || at + OPT_LEN > len)
		return false;
	*do_bit = message[at + 7] & 0x80;
	return true;
}

uint32_t server_proof(const uint8_t *message, size_t len)
{
	static const struct hash_key key = {3, 4};
	size_t end = question_end(message, len), n = end - QUESTION_AT;
	uint8_t text[300];

	for (size_t i = 0; i < n; i++)
		text[i] = (uint8_t)tolower(message[QUESTION_AT + i]);
	text[n] = message[3] & DNS_CD;
	return (uint32_t)hash_bytes(&key, text, n + 1);
}

void testimony_write(uint8_t *out, const struct testimony *t)
{
	memcpy(out, &t->proof, 4);
	memcpy(out + 4, &t->made_us, 8);
	memcpy(out + 12, &t->ttl, 4);
	out[16] = (uint8_t)(t->recursive | t->with_opt << 1 | t->do_bit << 2);
}

void testimony_read(const uint8_t *in, struct testimony *t)
{
	memcpy(&t->proof, in, 4);
	memcpy(&t->made_us, in + 4, 8);
	memcpy(&t->ttl, in + 12, 4);
	t->recursive = in[16] & 1;
	t->with_opt = in[16] & 2;
	t->do_bit = in[16] & 4;
}

/* A TXT record at P with T in it. Returns its length. */
static size_t put_record(uint8_t *p, const struct testimony *t)
{
	static const uint8_t head[] = {0xc0, QUESTION_AT, 0, TYPE_TXT, 0, CLASS_IN};

	memcpy(p, head, sizeof head);
	store16(p + 6, t->ttl >> 16);
	store16(p + 8, t->ttl);
	store16(p + 10, TESTIMONY_LEN + 1);
	p[12] = TESTIMONY_LEN;
	testimony_write(p + 13, t);
	return 13 + TESTIMONY_LEN;
}

static size_t put_soa(uint8_t *p, uint32_t ttl)
{
	uint8_t soa[33] = {0, 0, TYPE_SOA, 0, CLASS_IN, 0, 0, 0, 0, 0, 22};

	store16(soa + 7, ttl);
	store16(soa + 31, ttl);
	memcpy(p, soa, sizeof soa);
	return sizeof soa;
}

static size_t put_opt(uint8_t *p, const struct mood *m)
{
	static const uint16_t times[] = {0, 1, 5, 20, 100, 65535};
	bool keepalive = chance_percent(m->keepalive);

	memset(p, 0, OPT_LEN);
	p[2] = TYPE_OPT;
	store16(p + 3, OPT_SIZE);
	if (!keepalive)
		return OPT_LEN;
	p[10] = 6;
	store16(p + 11, OPTION_KEEPALIVE);
	store16(p + 13, 2);
	store16(p + 15, times[chance_below(6)]);
	return OPT_LEN + 6;
}

/* What an answer is to be. */
struct shape {
	bool negative, bare, badvers, truncated, wrong_question, wrong_id, wrong_proof;
	unsigned rcode, records;
};

static size_t put_records(uint8_t *p, const struct received *q, const struct shape *s)
{
	const struct mood *m = &moods[q->server];
	struct testimony t = {.proof = server_proof(q->message, q->len) ^ s->wrong_proof,
			      .made_us = world_now(),
			      .ttl = (uint32_t)chance_spread(m->ttl_max),
			      .recursive = q->message[2] & 1};
	size_t n = 0;

	t.with_opt = server_has_opt(q->message, q->len, &t.do_bit);
	if (s->truncated)
		return 0;
	if (s->negative)
		return put_soa(p, t.ttl & 0xffff);
	for (unsigned i = 0; i < s->records; i++)
		n += put_record(p + n, &t);
	return n;
}

/* Writes the answer to Q as a frame. Returns its length. */
static size_t put_answer(uint8_t *frame, const struct received *q, const struct shape *s)
{
	uint8_t *m = frame + 2;
	bool do_bit, opt = server_has_opt(q->message, q->len, &do_bit);
	size_t end = s->bare ? DNS_HEADER_LEN : question_end(q->message, q->len), n;

	memset(m, 0, DNS_HEADER_LEN);
	memcpy(m + DNS_HEADER_LEN, q->message + DNS_HEADER_LEN, end - DNS_HEADER_LEN);
	store16(m, q->id ^ (s->wrong_id ? 1u + chance_below(65535) : 0));
	m[2] = (uint8_t)(0x80 | (q->message[2] & 1) | (s->truncated ? 2 : 0));
	m[3] = (uint8_t)(0x80 | (q->message[3] & DNS_CD) | s->rcode);
	m[5] = !s->bare;
	if (s->wrong_question && m[DNS_HEADER_LEN] > 0)
		m[DNS_HEADER_LEN + 1] ^= 1;
	n = end;
	if (!s->rcode || s->rcode == RCODE_NXDOMAIN) {
		store16(m + 6, s->negative || s->truncated ? 0 : s->records);
		m[9] = s->negative && !s->truncated;
		n += put_records(m + n, q, s);
	}
	if (opt && !s->bare && (s->badvers || !moods[q->server].knows_no_edns)) {
		m[11] = 1;
		n += put_opt(m + n, &moods[q->server]);
	}
	if (s->badvers) {
		m[3] &= 0xf0;
		m[end + 5] = RCODE_BADVERS >> 4;
	}
	store16(frame, (unsigned)n);
	return n + 2;
}

/* ---- sending ---- */

static unsigned connection_of(unsigned number)
{
	if (number > known.count)
		known.count = number;
	return number - 1;
}

static void send_frame(const struct received *q, const uint8_t *frame, size_t n,
		       uint64_t delay)
{
	const struct mood *m = &moods[q->server];
	size_t part = chance_percent(m->fragment) && n > 4 ? 1 + chance_below(4) : 0;

	if (world_server(q->server)->plain || !part) {
		world_send_after(q->connection, frame, n, delay);
		return;
	}
	world_send_after(q->connection, frame, part, delay);
	world_send_after(q->connection, frame + part, n - part, delay);
}

/* Octets that are no DNS message, in a frame. */
static size_t put_junk(uint8_t *frame, bool is_frame)
{
	size_t n = is_frame ? 12 + chance_below(60) : chance_below(12);

	store16(frame, (unsigned)n);
	for (size_t i = 0; i < n; i++)
		frame[2 + i] = (uint8_t)chance_below(256);
	return n + 2;
}

static uint64_t delay_of(unsigned server)
{
	const struct mood *m = &moods[server];
	uint64_t *free_us = &known.free_us[server];
	uint64_t delay = m->fast_us + chance_spread(m->slow_us - m->fast_us);

	if (!m->each_us)
		return delay;
	if (*free_us < world_now())
		*free_us = world_now();
	*free_us += m->each_us;
	return *free_us - world_now() + delay;
}

/* It has given its answers: the connection is closed behind the last. */
static void count_answer(const struct received *q, uint64_t delay)
{
	const struct mood *m = &moods[q->server];
	unsigned n = ++known.answers[connection_of(q->connection)];

	if (m->limit && n == m->limit)
		world_close_after(q->connection, delay + 1 + m->close_us);
}

static void send_shape(const struct received *q, const struct shape *s, uint64_t delay)
{
	static uint8_t frame[FRAME_ROOM];
	size_t n = put_answer(frame, q, s);

	if (n > UDP_ANSWER_MAX && world_is_datagram(q->connection)) {
		struct shape cut = *s;

		cut.truncated = true;
		n = put_answer(frame, q, &cut);
	}
	send_frame(q, frame, n, delay);
}

static unsigned pick_rcode(const struct mood *m)
{
	static const unsigned rcodes[] = {RCODE_FORMERR, RCODE_SERVFAIL, RCODE_NOTIMP,
					  RCODE_REFUSED, 9};

	return m->rcode ? m->rcode : rcodes[chance_below(5)];
}

static struct shape pick_shape(const struct received *q)
{
	const struct mood *m = &moods[q->server];
	bool do_bit, opt = server_has_opt(q->message, q->len, &do_bit);
	struct shape s = {.records = 1};

	if (opt && m->knows_no_edns) {
		s.badvers = chance_percent(20);
		s.rcode = chance_percent(80) ? RCODE_FORMERR : RCODE_NOTIMP;
		s.bare = !s.badvers && chance_percent(m->bare);
	} else if (chance_percent(m->error)) {
		s.rcode = pick_rcode(m);
		s.bare = chance_percent(m->bare);
	} else if (chance_percent(m->negative)) {
		s.negative = true;
		s.rcode = chance_percent(50) ? RCODE_NXDOMAIN : 0;
	} else if (chance_percent(m->large)) {
		s.records = 1 + (unsigned)chance_spread(1200);
	}
	s.truncated = chance_percent(m->truncated);
	s.wrong_id = chance_percent(m->wrong_id);
	s.wrong_question = chance_percent(m->wrong_question);
	s.wrong_proof = s.wrong_id || s.wrong_question;
	return s;
}

/* An answer, and what else comes with it. */
static void answer(struct received *q)
{
	const struct mood *m = &moods[q->server];
	struct shape s = pick_shape(q);
	uint64_t delay = delay_of(q->server);
	uint8_t junk[80];

	if (chance_percent(m->junk))
		world_send_after(q->connection, junk, put_junk(junk, true), delay);
	send_shape(q, &s, delay);
	if (chance_percent(m->twice))
		send_shape(q, &s, delay + chance_spread(m->slow_us));
	trace("server %u answers %s id %u on connection %u: rcode %u%s%s%s after %llu us",
	      q->server, name_of(q), q->id, q->connection, s.rcode, s.bare ? " bare" : "",
	      s.wrong_proof ? " wrong" : "", s.truncated ? " truncated" : "",
	      (unsigned long long)delay);
	count_answer(q, delay);
	world_forget(q);
}

void server_release(struct received *q)
{
	answer(q);
}

/* It does something else than to answer. */
static bool misbehaves(struct received *q)
{
	const struct mood *m = &moods[q->server];
	unsigned c = q->connection;
	uint8_t junk[80];

	if (chance_percent(m->lost)) {
		trace("server %u loses id %u of connection %u", q->server, q->id, c);
		world_forget(q);
		return true;
	}
	if (known.mute[c - 1] || chance_percent(m->held))
		return true;
	if (chance_percent(m->hangs_up)) {
		world_close_after(c, 1 + delay_of(q->server));
		return true;
	}
	if (chance_percent(m->resets)) {
		trace("server %u resets connection %u", q->server, c);
		world_reset(c);
		return true;
	}
	if (chance_percent(m->bad_frame))
		world_send_after(c, junk, put_junk(junk, false), delay_of(q->server));
	return false;
}

void server_receive(struct received *q)
{
	const struct mood *m = &moods[q->server];

	if (!known.queries[connection_of(q->connection)]++)
		known.mute[q->connection - 1] = chance_percent(m->mute);
	invariants_received(q);
	trace("server %u gets %s id %u on connection %u", q->server, name_of(q), q->id,
	      q->connection);
	if (m->idle_us)
		world_close_after(q->connection, m->slow_us + m->idle_us);
	if (!misbehaves(q))
		answer(q);
}

void server_lose_nothing(void)
{
	for (unsigned i = 0; i < UPSTREAMS; i++) {
		struct mood *m = &moods[i];

		if (m->lost || m->wrong_id || m->wrong_question)
			m->held = 100;
		m->lost = m->wrong_id = m->wrong_question = 0;
		m->each_us = 0;
	}
}

void server_release_all(void)
{
	struct received *q;

	for (unsigned n = 0; (q = world_held(n));) {
		if (known.mute[connection_of(q->connection)])
			n++;
		else
			server_release(q);
	}
}

unsigned server_queries(unsigned c)
{
	return known.queries[connection_of(c)];
}

void server_blurt(unsigned c)
{
	uint8_t frame[80];
	size_t n = put_junk(frame, chance_percent(80));

	trace("server %u sends %zu octets of junk on connection %u", world_server_of(c),
	      n, c);
	world_send(c, frame, n);
}
