/* stub: one question to one server, for a thread that may wait. */
#ifndef DOTGATE_FORWARDING_STUB_H
#define DOTGATE_FORWARDING_STUB_H

#include "base/random.h"
#include "dns/response.h"
#include "net/tls.h"

#define STUB_MESSAGE_MAX 16384
#define STUB_ERROR_MAX (TLS_DETAIL_MAX + 64)

/* Of several addresses the next is asked when one does not answer, and that first from then on. */
struct stub_server {
	const struct address *addresses; /* not owned */
	unsigned count, first;
	struct tls_peer
	    *peer; /* NULL: it is asked in the clear, over UDP, and TCP where truncated */
	bool is_silent; /* it could not be asked, or did not answer, the last time */
};

struct stub {
	int stop; /* a descriptor: when it is readable all waiting ends */
	struct random random;
	uint8_t message[STUB_MESSAGE_MAX];
	char error[STUB_ERROR_MAX];
};

/* Asks Q of S. Returns true, and R in STUB->message; or false, and STUB->error says why. It takes a few
 * seconds at most for each address. */
bool stub_ask(struct stub *stub, struct stub_server *s, const struct question *q,
	      struct response *r);

/* Says in STUB->error why R has nothing of use: its response code, or TEXT if that is NOERROR. Returns
 * false. */
bool stub_explain(struct stub *stub, const struct response *r, const char *text);

#endif
