/* reason: every way in which a query or a connection can fail, by one word each. */
#ifndef DOTGATE_BASE_REASON_H
#define DOTGATE_BASE_REASON_H

#include <stdbool.h>
#include <stdint.h>

/*
 * X(enumerator, word, ede, remedy)
 *
 * The word is the log field, the metric label, the start of the EDE extra text and what
 * `dotgate check` prints. `ede` is the RFC 8914 info-code that a client is told. `remedy`
 * is what the operator can do about it; empty where nothing is wrong.
 */
#define REASONS(X)                                                                       \
	X(NONE, "none", 0, "")                                                           \
	/* the TCP connection to an upstream */                                          \
	X(DIAL_REFUSED, "dial_refused", 23,                                              \
	  "check that the upstream runs and listens on this port")                       \
	X(DIAL_TIMEOUT, "dial_timeout", 23,                                              \
	  "check the address, the route and any firewall on the way")                    \
	X(DIAL_UNREACHABLE, "dial_unreachable", 23,                                      \
	  "check this machine's network and its route to the upstream")                  \
	X(DIAL_ERROR, "dial_error", 23, "check this machine's limits and network")       \
	X(NO_ADDRESS, "no_address", 23,                                                  \
	  "check the upstreams that bootstrap names, and the name")                      \
	/* TLS */                                                                        \
	X(TLS_TIMEOUT, "tls_timeout", 23,                                                \
	  "check that the upstream speaks TLS on this port, and how loaded it is")       \
	X(TLS_PROTOCOL, "tls_protocol", 22,                                              \
	  "check that the upstream speaks TLS 1.2 or newer on this port")                \
	X(TLS_CERT_EXPIRED, "tls_cert_expired", 22,                                      \
	  "have it renewed, or check this machine's clock")                              \
	X(TLS_CERT_NOT_YET_VALID, "tls_cert_not_yet_valid", 22,                          \
	  "check this machine's clock")                                                  \
	X(TLS_CERT_NAME, "tls_cert_name", 22,                                            \
	  "check the name behind # in the upstream's spelling")                          \
	X(TLS_CERT_UNTRUSTED, "tls_cert_untrusted", 22,                                  \
	  "install the CA's certificate, or name it with ca-file")                       \
	X(TLS_CERT_REVOKED, "tls_cert_revoked", 22, "have it replaced")                  \
	X(TLS_CERT_PURPOSE, "tls_cert_purpose", 22,                                      \
	  "have a certificate issued for TLS servers")                                   \
	X(TLS_CERT_WEAK, "tls_cert_weak", 22,                                            \
	  "have a certificate issued with a stronger key and signature")                 \
	X(TLS_PIN, "tls_pin", 22, "check the pin= values against the upstream's key")    \
	X(TLS_ALERT, "tls_alert", 22, "look at the upstream's log")                      \
	/* an established connection to an upstream */                                   \
	X(CLOSED_IDLE, "closed_idle", 23, "")                                            \
	X(CLOSED_BUSY, "closed_busy", 23, "look at the upstream's log and limits")       \
	X(CLOSED_BY_US, "closed_by_us", 23, "")                                          \
	X(RESET, "reset", 23, "look at the upstream's log and any firewall on the way")  \
	X(READ_TIMEOUT, "read_timeout", 23, "check how loaded the upstream is")          \
	X(BAD_FRAME, "bad_frame", 23, "check what answers on this port")                 \
	X(BAD_ANSWER, "bad_answer", 23, "check what answers on this port")               \
	X(UNMATCHED, "unmatched", 23, "check what answers on this port")                 \
	X(LATE, "late", 23, "")                                                          \
	/* a query */                                                                    \
	X(QUERY_TIMEOUT, "query_timeout", 22, "check the upstream and the way to it")    \
	X(NO_UPSTREAM, "no_upstream", 22, "see the log for each upstream's failure")     \
	X(OVERLOAD, "overload", 23, "add workers, or find out who asks this much")       \
	X(SHUTDOWN, "shutdown", 14, "")                                                  \
	/* a message or a connection of a client */                                      \
	X(SHORT_MESSAGE, "short_message", 0, "")                                         \
	X(LONG_MESSAGE, "long_message", 0, "")                                           \
	X(NOT_A_QUERY, "not_a_query", 0, "")                                             \
	X(CLIENT_GONE, "client_gone", 0, "")                                             \
	X(CLIENT_LIMIT, "client_limit", 0, "")                                           \
	X(NO_DESCRIPTOR, "no_descriptor", 0, "raise LimitNOFILE or ulimit -n")           \
	X(SEND_FAILED, "send_failed", 0, "")                                             \
	X(SPOOFABLE, "spoofable", 0, "")

enum reason {
#define X(name, word, ede, remedy) REASON_##name,
	REASONS(X)
#undef X
	    REASON_N
};

/* The word of R: lower case, stable, fit for a metric label. */
const char *reason_word(enum reason r);

/* The RFC 8914 info-code that goes with R to a client. */
uint16_t reason_ede(enum reason r);

/* What the operator can do about R; "" where nothing needs doing. */
const char *reason_remedy(enum reason r);

/* Where a connection was when R ended it: "dial", "tls" or "exchange". */
const char *reason_stage(enum reason r);

/* True when the upstream could not be authenticated (or spoke no acceptable TLS): waiting
 * will not help, so a query that has no other upstream is failed at once. */
bool reason_is_authentication(enum reason r);

#endif
