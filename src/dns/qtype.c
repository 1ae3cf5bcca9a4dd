/* qtype: the types and rcodes that have a label of their own. */
#include "dns/qtype.h"

#include "base/metric.h"
#include "dns/message.h"

#define OTHER (METRIC_TYPES - 1)

/* X(type): one slot each, in this order; "other" is behind them. */
#define TYPES(X)                                                                         \
	X(A)                                                                             \
	X(AAAA)                                                                          \
	X(HTTPS)                                                                         \
	X(PTR)                                                                           \
	X(SRV)                                                                           \
	X(CNAME)                                                                         \
	X(MX)                                                                            \
	X(TXT)                                                                           \
	X(NS)                                                                            \
	X(SOA)                                                                           \
	X(DS)                                                                            \
	X(DNSKEY)                                                                        \
	X(RRSIG)                                                                         \
	X(NAPTR)                                                                         \
	X(TLSA)                                                                          \
	X(SVCB)                                                                          \
	X(CAA)                                                                           \
	X(ANY)

enum slot {
#define X(type) SLOT_##type,
	TYPES(X)
#undef X
	    SLOT_N
};

_Static_assert(SLOT_N == OTHER, "metric.h has one slot for each type and one for others");

/* Types up to here are looked up directly. */
#define TABLE_MAX TYPE_CAA

/* By type: the slot and 1, so that types without one read 0. */
static const uint8_t slots[TABLE_MAX + 1] = {
#define X(type) [TYPE_##type] = SLOT_##type + 1,
    TYPES(X)
#undef X
};

static const char *const type_words[METRIC_TYPES] = {
#define X(type) #type,
    TYPES(X)
#undef X
	"other",
};

static const char *const rcode_words[METRIC_RCODES] = {
    "NOERROR",	"FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP",  "REFUSED",
    "YXDOMAIN", "YXRRSET", "NXRRSET",  "NOTAUTH",  "NOTZONE", "other",
};

unsigned qtype_slot(uint16_t type)
{
	if (type > TABLE_MAX || slots[type] == 0)
		return OTHER;
	return slots[type] - 1u;
}

const char *qtype_slot_word(unsigned slot)
{
	return type_words[slot < METRIC_TYPES ? slot : OTHER];
}

const char *rcode_slot_word(unsigned slot)
{
	return rcode_words[slot < METRIC_RCODES ? slot : METRIC_RCODES - 1];
}
