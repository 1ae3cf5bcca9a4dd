/* tls_verify: whether a certificate is the configured upstream's, and if not, why. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/version.h"
#include "net/tls_peer.h"

/* Names of a certificate that are listed when none of them is the right one. */
#define NAMES_SHOWN 4

static void date_text(const ASN1_TIME *t, char out[16])
{
	struct tm tm;

	if (!t || !ASN1_TIME_to_tm(t, &tm) || !strftime(out, 16, "%Y-%m-%d", &tm))
		snprintf(out, 16, "?");
}

/* The text is the remote's: only what cannot do harm in a log or an answer is kept. */
static void append(char *out, size_t cap, const char *text, size_t len)
{
	size_t n = strlen(out);

	for (size_t i = 0; i < len && n + 1 < cap; i++)
		out[n++] = text[i] >= ' ' && text[i] < 127 ? text[i] : '?';
	out[n] = '\0';
}

/* "certificate is for a.example, b.example" */
static void describe_names(X509 *cert, char *out, size_t cap)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	int count = names ? sk_GENERAL_NAME_num(names) : 0, shown = 0;

	snprintf(out, cap, "certificate is for ");
	for (int i = 0; i < count && shown < NAMES_SHOWN; i++) {
		const GENERAL_NAME *n = sk_GENERAL_NAME_value(names, i);

		if (n->type != GEN_DNS)
			continue;
		if (shown++)
			strncat(out, ", ", cap - strlen(out) - 1);
		append(out, cap, (const char *)ASN1_STRING_get0_data(n->d.dNSName),
		       (size_t)ASN1_STRING_length(n->d.dNSName));
	}
	if (!shown)
		snprintf(out, cap,
			 count ? "certificate has no SubjectAltName that fits"
			       : "certificate has no SubjectAltName");
	GENERAL_NAMES_free(names);
}

static void describe_issuer(X509 *cert, char *out, size_t cap)
{
	char name[64] = "";
	int n = X509_NAME_get_text_by_NID(X509_get_issuer_name(cert), NID_commonName,
					  name, sizeof name);

	snprintf(out, cap, "no trusted CA for the certificate's issuer ");
	append(out, cap, n > 0 ? name : "?", n > 0 ? (size_t)n : 1);
}

static enum reason reason_of(int error)
{
	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return REASON_TLS_CERT_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return REASON_TLS_CERT_NOT_YET_VALID;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return REASON_TLS_CERT_NAME;
	case X509_V_ERR_CERT_REVOKED:
		return REASON_TLS_CERT_REVOKED;
	case X509_V_ERR_INVALID_PURPOSE:
		return REASON_TLS_CERT_PURPOSE;
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return REASON_TLS_CERT_WEAK;
	default:
		return REASON_TLS_CERT_UNTRUSTED;
	}
}

/* Nobody can have this version before it was released: such a clock has not been set. */
static bool clock_is_wrong(void)
{
	return time(NULL) < DOTGATE_RELEASED;
}

static void describe_clock(char out[TLS_DETAIL_MAX])
{
	time_t now = time(NULL);
	size_t n = strlen(out);
	char date[16] = "?";
	struct tm tm;

	if (gmtime_r(&now, &tm))
		strftime(date, sizeof date, "%Y-%m-%d", &tm);
	snprintf(
	    out + n, TLS_DETAIL_MAX - n,
	    "; this machine's clock says %s, before this version was released: set it",
	    date);
}

static void describe(struct tls_conn *t, int error, X509 *cert)
{
	char *out = t->detail, date[16];

	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
		date_text(X509_get0_notAfter(cert), date);
		snprintf(out, TLS_DETAIL_MAX, "certificate expired %s", date);
		return;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		date_text(X509_get0_notBefore(cert), date);
		snprintf(out, TLS_DETAIL_MAX, "certificate is not valid before %s", date);
		if (clock_is_wrong())
			describe_clock(out);
		return;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		describe_names(cert, out, TLS_DETAIL_MAX);
		return;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
		describe_issuer(cert, out, TLS_DETAIL_MAX);
		return;
	default:
		snprintf(out, TLS_DETAIL_MAX, "%s", X509_verify_cert_error_string(error));
		return;
	}
}

/* The number of the pin that fits; -1: none does. */
static int pin_of(const struct tls_trust *trust, X509 *cert)
{
	uint8_t digest[TLS_PIN_LEN];
	uint8_t *key = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &key);
	int fits = -1;

	if (n > 0 && EVP_Digest(key, (size_t)n, digest, NULL, EVP_sha256(), NULL) == 1)
		for (unsigned i = 0; i < trust->pin_count && fits < 0; i++)
			if (memcmp(trust->pins[i], digest, sizeof digest) == 0)
				fits = (int)i;
	OPENSSL_free(key);
	return fits;
}

/* Any certificate of the verified chain may carry the pin (RFC 7858 4.2). */
static int pin_of_chain(const struct tls_trust *trust, X509_STORE_CTX *store)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(store);
	int best = -1;

	for (int i = 0; chain && i < sk_X509_num(chain); i++) {
		int pin = pin_of(trust, sk_X509_value(chain, i));

		if (pin >= 0 && (best < 0 || pin < best))
			best = pin;
	}
	return best;
}

static int refuse_pin(struct tls_conn *t, X509_STORE_CTX *store)
{
	t->failure = REASON_TLS_PIN;
	snprintf(t->detail, sizeof t->detail, "no pin matches the upstream's key");
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

int tls_verify(X509_STORE_CTX *store, void *peer)
{
	SSL *ssl =
	    X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls_trust *trust = tls_peer_trust(peer);
	struct tls_conn *t = SSL_get_app_data(ssl);
	X509 *cert;
	int error;

	switch (trust->auth) {
	case TLS_AUTH_NONE:
		return 1;
	case TLS_AUTH_PIN:
		t->pin = pin_of(trust, X509_STORE_CTX_get0_cert(store));
		return t->pin >= 0 ? 1 : refuse_pin(t, store);
	case TLS_AUTH_NAME:
		break;
	}
	if (trust->time_grace && clock_is_wrong())
		X509_STORE_CTX_set_flags(store, X509_V_FLAG_NO_CHECK_TIME);
	if (X509_verify_cert(store) > 0) {
		t->pin = pin_of_chain(trust, store);
		return !trust->pin_count || t->pin >= 0 ? 1 : refuse_pin(t, store);
	}
	error = X509_STORE_CTX_get_error(store);
	t->failure = reason_of(error);
	cert = X509_STORE_CTX_get_current_cert(store);
	describe(t, error, cert ? cert : X509_STORE_CTX_get0_cert(store));
	return 0;
}
