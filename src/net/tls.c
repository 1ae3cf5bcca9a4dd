/* tls: one TLS connection as a client. */
#include "net/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_peer.h"

int tls_conn_new(struct tls_conn **out, struct tls_peer *p, int fd)
{
	struct tls_conn *t = calloc(1, sizeof *t);
	SSL_SESSION *session;

	ERR_clear_error();
	if (t)
		t->ssl = tls_peer_ssl(p);
	if (!t || !t->ssl || SSL_set_fd(t->ssl, fd) != 1) {
		tls_conn_free(t);
		return -ENOMEM;
	}
	t->peer = p;
	t->pin = -1;
	SSL_set_app_data(t->ssl, t);
	SSL_set_connect_state(t->ssl);
	session = tls_peer_take_session(p, fd);
	if (session)
		(void)SSL_set_session(t->ssl, session);
	SSL_SESSION_free(session);
	*out = t;
	return 0;
}

void tls_conn_free(struct tls_conn *t)
{
	if (!t)
		return;
	/* OpenSSL would spoil the sessions of a connection that ends without close_notify
	 */
	if (t->ssl)
		SSL_set_shutdown(t->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(t->ssl);
	ERR_clear_error();
	free(t);
}

/* ---- what went wrong ---- */

/* The first failure stays: what fails afterwards follows from it. */
static void fail(struct tls_conn *t, enum reason why, const char *detail)
{
	if (t->failure != REASON_NONE)
		return;
	t->failure = why;
	snprintf(t->detail, sizeof t->detail, "%s", detail);
}

static void system_failure(struct tls_conn *t, int error)
{
	switch (error) {
	case 0:
		fail(t, REASON_CLOSED_BUSY, "the upstream closed the connection");
		return;
	case ETIMEDOUT:
		fail(t, REASON_READ_TIMEOUT, "what was sent was not acknowledged");
		return;
	default:
		fail(t, REASON_RESET, strerror(error));
		return;
	}
}

/* An alert that came before anything was agreed on is about what we offered. */
static enum reason alert_reason(const SSL *ssl, int alert)
{
	bool about_offer =
	    alert == SSL_AD_PROTOCOL_VERSION || alert == SSL_AD_HANDSHAKE_FAILURE;

	return about_offer && !SSL_get_pending_cipher(ssl) && !SSL_get_current_cipher(ssl)
		   ? REASON_TLS_PROTOCOL
		   : REASON_TLS_ALERT;
}

static void alert_failure(struct tls_conn *t, int alert)
{
	const char *name = SSL_alert_desc_string_long(alert);
	char text[TLS_DETAIL_MAX];

	/* OpenSSL 3.0 has no names for those of RFC 8446 */
	if (alert == SSL_AD_CERTIFICATE_REQUIRED)
		name = "certificate required";
	else if (alert == SSL_AD_MISSING_EXTENSION)
		name = "missing extension";
	snprintf(text, sizeof text, "alert %s", name);
	fail(t, alert_reason(t->ssl, alert), text);
}

static void library_failure(struct tls_conn *t)
{
	unsigned long code = ERR_peek_error();
	int reason = ERR_GET_REASON(code);
	const char *text = ERR_reason_error_string(code);

	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		fail(t, REASON_CLOSED_BUSY, "the upstream closed the connection");
	else if (ERR_GET_LIB(code) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET)
		alert_failure(t, reason - SSL_AD_REASON_OFFSET);
	else
		fail(t, REASON_TLS_PROTOCOL, text ? text : "not TLS");
}

/* What the failed call means; ERROR is its errno. */
static enum tls_status status_of(struct tls_conn *t, int result, int error)
{
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return TLS_WANT_READ;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANT_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		if (t->ready)
			return TLS_EOF;
		fail(t, REASON_CLOSED_BUSY, "the upstream ended the handshake");
		return TLS_ERROR;
	case SSL_ERROR_SYSCALL:
		system_failure(t, error);
		return TLS_ERROR;
	default:
		library_failure(t);
		return TLS_ERROR;
	}
}

/* An error that another connection of this thread has left must not be taken for ours. */
static void prepare(void)
{
	ERR_clear_error();
	errno = 0;
}

/* ---- the connection ---- */

enum tls_status tls_handshake(struct tls_conn *t)
{
	int r;

	prepare();
	r = SSL_connect(t->ssl);
	if (r != 1)
		return status_of(t, r, errno);
	t->ready = true;
	return TLS_OK;
}

/* OpenSSL ends a connection whose early data does not fit what its session was made for. */
static bool is_same_server(const SSL *ssl, const SSL_SESSION *s)
{
	const char *then = SSL_SESSION_get0_hostname(s);
	const char *now = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	/* who does not care for names has none written down */
	return !then || (now && strcmp(then, now) == 0);
}

size_t tls_early_room(const struct tls_conn *t)
{
	const SSL_SESSION *s = SSL_get0_session(t->ssl);

	if (!s || !is_same_server(t->ssl, s))
		return 0;
	return SSL_SESSION_get_max_early_data(s);
}

enum tls_status tls_write_early(struct tls_conn *t, const uint8_t *data, size_t len)
{
	size_t n;
	int r;

	prepare();
	r = SSL_write_early_data(t->ssl, data, len, &n);
	return r == 1 ? TLS_OK : status_of(t, r, errno);
}

bool tls_early_accepted(const struct tls_conn *t)
{
	return SSL_get_early_data_status(t->ssl) == SSL_EARLY_DATA_ACCEPTED;
}

enum tls_status tls_read(struct tls_conn *t, uint8_t *out, size_t cap, size_t *n)
{
	int r;

	prepare();
	r = SSL_read_ex(t->ssl, out, cap, n);
	return r == 1 ? TLS_OK : status_of(t, r, errno);
}

bool tls_pending(const struct tls_conn *t)
{
	return SSL_has_pending(t->ssl);
}

enum tls_status tls_write(struct tls_conn *t, const uint8_t *data, size_t len, size_t *n)
{
	int r;

	if (!t->ready) {
		fail(t, REASON_TLS_PROTOCOL, "not authenticated yet");
		return TLS_ERROR;
	}
	prepare();
	r = SSL_write_ex(t->ssl, data, len, n);
	return r == 1 ? TLS_OK : status_of(t, r, errno);
}

void tls_close(struct tls_conn *t)
{
	prepare();
	if (t->ready)
		(void)SSL_shutdown(t->ssl);
	ERR_clear_error();
}

enum reason tls_conn_failure(const struct tls_conn *t, char detail[TLS_DETAIL_MAX])
{
	snprintf(detail, TLS_DETAIL_MAX, "%s", t->detail);
	return t->failure;
}

bool tls_conn_resumed(const struct tls_conn *t)
{
	return SSL_session_reused(t->ssl);
}

const char *tls_conn_version(const struct tls_conn *t)
{
	return SSL_get_version(t->ssl);
}

const char *tls_conn_suite(const struct tls_conn *t)
{
	return SSL_get_cipher_name(t->ssl);
}

static int64_t cert_time(const struct tls_conn *t, const ASN1_TIME *get(const X509 *))
{
	X509 *cert = SSL_get0_peer_certificate(t->ssl);
	struct tm tm;

	if (!cert || !ASN1_TIME_to_tm(get(cert), &tm))
		return 0;
	return timegm(&tm);
}

int64_t tls_conn_cert_not_after(const struct tls_conn *t)
{
	return cert_time(t, X509_get0_notAfter);
}

int64_t tls_conn_cert_not_before(const struct tls_conn *t)
{
	return cert_time(t, X509_get0_notBefore);
}

int tls_conn_pin(const struct tls_conn *t)
{
	return t->pin;
}

const char *tls_library_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}
