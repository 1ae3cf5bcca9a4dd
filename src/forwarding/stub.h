/* stub: one question to one server, for a thread that may wait. */
#ifndef DOTGATE_FORWARDING_STUB_H
#define DOTGATE_FORWARDING_STUB_H

#include "base/random.h"
#include "dns/response.h"
#include "net/tls.h"

#define LOOKUP_MESSAGE_MAX 16384
#define LOOKUP_ERROR_MAX (TLS_DETAIL_MAX + 64)

/* Of several addresses the next is asked when one does not answer, and that first from then on. */
struct lookup_server {
	const struct address *addresses; /* not owned */
	unsigned count, first;
	struct tls_peer
	    *peer; /* NULL: it is asked in the clear, over UDP, and TCP where truncated */
	bool is_silent; /* it could not be asked, or did not answer, the last time */
};

struct lookup {
	int stop; /* a descriptor: when it is readable all waiting ends */
	struct random random;
	uint8_t message[LOOKUP_MESSAGE_MAX];
	char error[LOOKUP_ERROR_MAX];
};

/* Asks Q of S. Returns true, and R in L->message; or false, and L->error says why. It takes a few
 * seconds at most for each address. */
bool lookup_ask(struct lookup *l, struct lookup_server *s, const struct question *q,
		struct response *r);

#endif
