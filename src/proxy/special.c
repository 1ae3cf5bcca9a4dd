/* special: a table of zones, and the three answers that they give. */
#include "proxy/special.h"

#include <string.h>

#include "dns/message.h"
#include "dns/wire.h"

/* How long an answer may be kept, as RFC 6303 3 proposes. */
#define TTL 10800

#define LABELS_MAX 128

#define EDE_SYNTHESIZED 29
#define EDE_WORDS "special name: answered here, not forwarded"

enum kind {
	NOWHERE,  /* the name and all below it: NXDOMAIN */
	ZONE,	  /* the name is there, and has nothing; below it: NXDOMAIN */
	HERE,	  /* it and all below are this machine */
	HERE_BACK /* the reverse of that */
};

struct zone {
	const char *text;
	enum kind kind;
};

static const struct zone tops[] = {
    {"localhost", HERE}, {"invalid", NOWHERE}, {"test", NOWHERE},
    {"onion", NOWHERE},	 {"local", NOWHERE},   {"alt", NOWHERE},
};

#define NIBBLES_4 "0.0.0.0."
#define NIBBLES_31                                                                       \
	NIBBLES_4 NIBBLES_4 NIBBLES_4 NIBBLES_4 NIBBLES_4 NIBBLES_4 NIBBLES_4 "0.0.0."

/* Those under arpa, without that word. A zone stands behind those that are parts of it. */
static const struct zone arpas[] = {
    {"home", ZONE},
    {"_dns.resolver", ZONE},
    {"resolver", ZONE},
    {"0.in-addr", ZONE},
    {"10.in-addr", ZONE},
    {"1.0.0.127.in-addr", HERE_BACK},
    {"127.in-addr", ZONE},
    {"254.169.in-addr", ZONE},
    {"2.0.192.in-addr", ZONE},
    {"168.192.in-addr", ZONE},
    {"100.51.198.in-addr", ZONE},
    {"113.0.203.in-addr", ZONE},
    {"255.255.255.255.in-addr", ZONE},
    {"0." NIBBLES_31 "ip6", ZONE},
    {"1." NIBBLES_31 "ip6", HERE_BACK},
    {"d.f.ip6", ZONE},
    {"8.e.f.ip6", ZONE},
    {"9.e.f.ip6", ZONE},
    {"a.e.f.ip6", ZONE},
    {"b.e.f.ip6", ZONE},
    {"8.b.d.0.1.0.0.2.ip6", ZONE},
};

/* The labels of a name, from its end: where each starts. */
struct labels {
	const uint8_t *name;
	unsigned count;
	uint8_t at[LABELS_MAX];
};

static void split(struct labels *l, const uint8_t *name)
{
	size_t at = 0;

	l->name = name;
	l->count = 0;
	for (; name[at] != 0; at += name[at] + 1u)
		l->at[l->count++] = (uint8_t)at;
}

/* The Nth label from the end, from 0. */
static const uint8_t *label(const struct labels *l, unsigned n)
{
	return l->name + l->at[l->count - 1 - n];
}

static bool label_is(const uint8_t *label, const char *text, size_t len)
{
	return label[0] == len && memcmp(label + 1, text, len) == 0;
}

/* True if the name ends with TEXT in front of its last SKIP labels. *COUNT: those of it all. */
static bool ends_with(const struct labels *l, const char *text, unsigned skip,
		      unsigned *count)
{
	size_t end = strlen(text);

	for (*count = skip; *count < l->count; ++*count) {
		size_t start = end;

		while (start > 0 && text[start - 1] != '.')
			start--;
		if (!label_is(label(l, *count), text + start, end - start))
			return false;
		if (start == 0) {
			++*count;
			return true;
		}
		end = start - 1;
	}
	return false;
}

static const struct zone *find(const struct labels *l, const struct zone *zones, size_t n,
			       unsigned skip, unsigned *count)
{
	for (size_t i = 0; i < n; i++)
		if (ends_with(l, zones[i].text, skip, count))
			return &zones[i];
	return NULL;
}

/* 16 to 31.172.in-addr.arpa (RFC 1918), 64 to 127.100.in-addr.arpa (RFC 7793): the ranges that end
 * within an octet. */
static bool is_in_range(const struct labels *l)
{
	const uint8_t *second, *first;
	unsigned n = 0;

	if (l->count < 4 || !label_is(label(l, 1), "in-addr", 7))
		return false;
	first = label(l, 2);
	second = label(l, 3);
	if (second[0] < 2 || second[0] > 3 || second[1] == '0')
		return false;
	for (unsigned i = 1; i <= second[0]; i++) {
		if (second[i] < '0' || second[i] > '9')
			return false;
		n = n * 10 + second[i] - '0';
	}
	if (label_is(first, "172", 3))
		return n >= 16 && n <= 31;
	return label_is(first, "100", 3) && n >= 64 && n <= 127;
}

/* The zone that the name is in, if any, and how many labels that has. */
static const struct zone *zone_of(const struct labels *l, unsigned *count)
{
	static const struct zone range = {"", ZONE};
	const struct zone *z;

	if (!label_is(label(l, 0), "arpa", 4))
		return find(l, tops, sizeof tops / sizeof tops[0], 0, count);
	z = find(l, arpas, sizeof arpas / sizeof arpas[0], 1, count);
	if (z || !is_in_range(l))
		return z;
	*count = 4;
	return &range;
}

/* ---- answers ---- */

/* A record whose owner stands in the question at AT; its data of LEN octets follow. */
static void put_record(struct writer *w, size_t at, unsigned type, size_t len)
{
	writer_u16(w, (uint16_t)(0xc000 | (DNS_HEADER_LEN + at)));
	writer_u16(w, (uint16_t)type);
	writer_u16(w, CLASS_IN);
	writer_u32(w, TTL);
	writer_u16(w, (uint16_t)len);
}

/* The SOA of RFC 6303 3: the zone itself as server, nobody.invalid, and numbers of no use but for
 * the last. */
static void put_soa(struct writer *w, size_t apex)
{
	static const uint8_t nobody[] = "\6nobody\7invalid";

	put_record(w, apex, TYPE_SOA, 2 + sizeof nobody + 20);
	writer_u16(w, (uint16_t)(0xc000 | (DNS_HEADER_LEN + apex)));
	writer_bytes(w, nobody, sizeof nobody);
	writer_u32(w, 1);
	writer_u32(w, 3600);
	writer_u32(w, 1200);
	writer_u32(w, 604800);
	writer_u32(w, TTL);
}

/* The address of this machine, or its name. False: it has no such record. */
static bool put_here(struct writer *w, enum kind kind, unsigned type)
{
	static const uint8_t v4[4] = {127, 0, 0, 1};
	static const uint8_t v6[16] = {[15] = 1};
	static const uint8_t name[] = "\11localhost";
	const uint8_t *data = NULL;
	size_t len = 0;

	if (kind == HERE && type == TYPE_A)
		data = v4, len = sizeof v4;
	else if (kind == HERE && type == TYPE_AAAA)
		data = v6, len = sizeof v6;
	else if (kind == HERE_BACK && type == TYPE_PTR)
		data = name, len = sizeof name;
	if (!data)
		return false;
	put_record(w, 0, type, len);
	writer_bytes(w, data, len);
	return true;
}

static bool exists(enum kind kind, bool is_apex)
{
	return kind == HERE || (kind != NOWHERE && is_apex);
}

bool special_answer(const struct question *q, const uint8_t *name,
		    uint8_t room[SPECIAL_ROOM], struct response *r)
{
	struct writer w = writer_make(room, SPECIAL_ROOM);
	const struct zone *z;
	struct labels l;
	unsigned count;
	bool is_apex;
	size_t apex;

	split(&l, name);
	z = l.count > 0 && q->class == CLASS_IN ? zone_of(&l, &count) : NULL;
	if (!z)
		return false;
	is_apex = count == l.count;
	if (is_apex && q->type == TYPE_DS && z->kind == ZONE)
		return false; /* its parent's, which says that nothing is signed here (RFC 8375) */
	apex = l.at[l.count - count];
	*r = (struct response){.question = *q,
			       .question_end = DNS_HEADER_LEN + q->name_len + 4,
			       .rcode = exists(z->kind, is_apex) ? RCODE_NOERROR
								 : RCODE_NXDOMAIN};
	if (r->rcode == RCODE_NOERROR && put_here(&w, z->kind, q->type))
		r->answers = 1;
	else
		r->authorities = 1, put_soa(&w, apex);
	r->wire = room - r->question_end;
	r->len = r->body_end = r->question_end + w.pos;
	r->edns.ede_count = 1;
	r->edns.ede[0] = (struct ede){.code = EDE_SYNTHESIZED,
				      .text = (const uint8_t *)EDE_WORDS,
				      .text_len = sizeof EDE_WORDS - 1};
	return true;
}
