/* qtype: which query types have a name and a metric label of their own. */
#ifndef DOTGATE_DNS_QTYPE_H
#define DOTGATE_DNS_QTYPE_H

#include <stdint.h>

/* The slot of TYPE: 0 to METRIC_TYPES - 1; the last one is "other". */
unsigned qtype_slot(uint16_t type);

/* The label of a slot: "A", "AAAA", ... "other". */
const char *qtype_slot_word(unsigned slot);

/* The label of an rcode slot (0 to METRIC_RCODES - 1): "NOERROR", ... "other". */
const char *rcode_slot_word(unsigned slot);

#endif
