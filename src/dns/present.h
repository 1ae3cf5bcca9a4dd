/* present: the data of records in presentation format, as a zone file has it. */
#ifndef DOTGATE_DNS_PRESENT_H
#define DOTGATE_DNS_PRESENT_H

#include "dns/wire.h"

/* "MX"; or "TYPE65280" (RFC 3597) for a type that has no format here. */
void present_type(struct writer *w, uint16_t type);

/*
 * Writes the LEN octets of data of a record of TYPE and CLASS, on which the cursor C over the whole
 * message stands, and leaves C behind them. Data of an unknown type or class, that does not read as its
 * type says or that has no room in W is written as RFC 3597 5 has it, octet by octet (names in it as they
 * are compressed); w->full: there is not even room for that.
 */
void present_data(struct writer *w, struct cursor *c, size_t len, uint16_t type,
		  uint16_t class);

/* The parameters of an SVCB or HTTPS record (RFC 9460 2.1), each behind a blank, to the end of C. They are
 * malformed: c->bad. */
void present_svcb(struct writer *w, struct cursor *c);

#endif
