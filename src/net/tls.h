/* tls: the client side of TLS for one connection; the only file that knows OpenSSL. */
#ifndef DOTGATE_NET_TLS_H
#define DOTGATE_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/reason.h"

#define TLS_PINS_MAX 8
#define TLS_PIN_LEN 32 /* SHA-256 of the SubjectPublicKeyInfo */

/* Octets of a failure's text. */
#define TLS_DETAIL_MAX 160

/* The longest path that the kernel takes, with the end. */
#define TLS_PATH_MAX 4096

/* Octets of what is wrong with a file: its whole path, and the reason. */
#define TLS_ERROR_MAX (TLS_PATH_MAX + 160)

enum tls_auth {
	TLS_AUTH_NAME, /* chain to a trusted CA, and `name` (or the address) in
			  SubjectAltName */
	TLS_AUTH_PIN,  /* a pin matches the end certificate's key; nothing else is looked
			  at */
	TLS_AUTH_NONE  /* whoever answers; only by the explicit word auth=none */
};

/* Whom to trust as one upstream. Strings are not owned and must outlive the tls_peer. */
struct tls_trust {
	enum tls_auth auth;
	const char *name; /* SNI and SubjectAltName; NULL: authenticate `address` */
	const struct address *address;
	const char *ca_file, *ca_dir; /* both NULL: the OS's trust directory */
	const char *cert_file,
	    *key_file; /* our own certificate; NULL: none; the key may be in
					     cert_file, then key_file is NULL */
	bool tls13_only;
	/* The certificate's dates do not matter while this machine's clock is before the day of
	 * this version's release. */
	bool time_grace;
	unsigned pin_count;
	uint8_t pins[TLS_PINS_MAX][TLS_PIN_LEN];
};

/*
 * One upstream's TLS context and its session tickets, shared by all workers (thread
 * safe). Sessions belong to exactly this trust: they are never used for another tls_peer.
 */
struct tls_peer;

/* Makes the context. Returns 0, or -EINVAL with a text in ERROR: what is wrong with which
 * file and what to do. CA files are read here; a CA file without certificates is an
 * error. */
int tls_peer_new(struct tls_peer **out, const struct tls_trust *trust,
		 char error[TLS_ERROR_MAX]);
void tls_peer_free(struct tls_peer *p);

/*
 * Reads all files again. What is connected goes on; new connections trust what is read now, and the
 * sessions are forgotten. Returns as tls_peer_new(); on failure nothing changes.
 */
int tls_peer_reload(struct tls_peer *p, char error[TLS_ERROR_MAX]);

/* From now on NAME is sent as SNI; whom it is verified to be stays the same. "": none is sent. */
void tls_peer_set_sni(struct tls_peer *p, const char *name);

/* Sessions waiting to be resumed. */
unsigned tls_peer_sessions(struct tls_peer *p);

/* None of those is resumed: the network has changed, and in another one they would tell that it is
 * the same client. From another local address none is resumed anyway. */
void tls_peer_forget_sessions(struct tls_peer *p);

enum tls_status {
	TLS_OK,		/* done: the handshake, or *n octets */
	TLS_WANT_READ,	/* call again when the socket is readable */
	TLS_WANT_WRITE, /* call again when the socket is writable */
	TLS_EOF,	/* the peer ended the connection cleanly (close_notify or FIN) */
	TLS_ERROR	/* see tls_conn_failure(); the connection is of no use any more */
};

struct tls_conn;

/* A TLS client over the connected socket FD (which stays the caller's), with a stored
 * session of P if there is one (each TLS 1.3 ticket is used once). Returns 0 or -ENOMEM.
 */
int tls_conn_new(struct tls_conn **out, struct tls_peer *p, int fd);

/* Frees it; sends nothing. NULL is fine. */
void tls_conn_free(struct tls_conn *t);

/*
 * Goes on with the handshake. TLS_OK is returned only after the peer has been
 * authenticated as its tls_trust demands: until then no octet given to tls_write()
 * leaves.
 */
enum tls_status tls_handshake(struct tls_conn *t);

/*
 * Octets that may be sent before the handshake, as early data (RFC 8446 2.3): they are encrypted for
 * whom the resumed session was authenticated with, but who has copied them may send them again. 0:
 * none, as without a TLS 1.3 ticket that allows it.
 */
size_t tls_early_room(const struct tls_conn *t);

/* Sends LEN octets of that many, all at once, before the first tls_handshake(). After
 * TLS_WANT_WRITE, offer the same again. They are lost if the upstream does not want them:
 * tls_early_accepted() tells after the handshake. */
enum tls_status tls_write_early(struct tls_conn *t, const uint8_t *data, size_t len);
bool tls_early_accepted(const struct tls_conn *t);

/*
 * Decrypted octets into OUT, *N of them; one call is one record at most, so call until
 * TLS_WANT_READ, or until nothing is pending.
 */
enum tls_status tls_read(struct tls_conn *t, uint8_t *out, size_t cap, size_t *n);

/* True while tls_read() may have octets for which the socket will not become readable:
 * the library has read them already. False means that waiting for the socket misses
 * nothing. */
bool tls_pending(const struct tls_conn *t);

/* Sends up to LEN octets, in one record where 16 KiB allow; *N were taken. After WANT_*,
 * offer at least the same octets again (they may have moved). Refused before the
 * handshake. */
enum tls_status tls_write(struct tls_conn *t, const uint8_t *data, size_t len, size_t *n);

/* Sends close_notify if the socket takes it. */
void tls_close(struct tls_conn *t);

/* Why the last call failed: a reason, and in DETAIL a text of what was seen ("certificate
 * expired 2026-11-01", "alert handshake_failure", "connection reset"), without the
 * remedy. */
enum reason tls_conn_failure(const struct tls_conn *t, char detail[TLS_DETAIL_MAX]);

/* After the handshake. */
bool tls_conn_resumed(const struct tls_conn *t);
const char *tls_conn_version(const struct tls_conn *t); /* "TLSv1.3" */
const char *tls_conn_suite(const struct tls_conn *t);
int64_t tls_conn_cert_not_after(const struct tls_conn *t); /* UNIX time; 0 unknown */
int64_t tls_conn_cert_not_before(const struct tls_conn *t);
/* Which pin matched; -1: none was looked at, as when a session is resumed. */
int tls_conn_pin(const struct tls_conn *t);

/* "OpenSSL 3.0.17 1 Jul 2025", for --version. */
const char *tls_library_version(void);

#endif
