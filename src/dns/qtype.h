/* qtype: which query types have a name and a metric label of their own, and which are no data. */
#ifndef DOTGATE_DNS_QTYPE_H
#define DOTGATE_DNS_QTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* True for the types that ask for more than data: ANY, transfers, and what is not assigned between
 * them (RFC 6895 3.1). */
static inline bool type_is_meta(uint16_t type)
{
	return type >= 128 && type <= 255;
}

/* The slot of TYPE: 0 to METRIC_TYPES - 1; the last one is "other". */
unsigned qtype_slot(uint16_t type);

/* The label of a slot: "A", "AAAA", ... "other". */
const char *qtype_slot_word(unsigned slot);

/* The label of an rcode slot (0 to METRIC_RCODES - 1): "NOERROR", ... "other". */
const char *rcode_slot_word(unsigned slot);

#endif
