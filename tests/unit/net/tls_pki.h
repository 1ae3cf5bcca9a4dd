/* tls_pki: certificates made in memory, for the tests of TLS. */
#ifndef DOTGATE_TESTS_UNIT_NET_TLS_PKI_H
#define DOTGATE_TESTS_UNIT_NET_TLS_PKI_H

#include <stdio.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "net/tls.h"

#define PKI_DAY 86400

struct identity {
	X509 *cert;
	EVP_PKEY *key;
};

/* What is NULL or 0 is left out of the certificate, or is usual. */
struct pki_spec {
	const char *cn, *san, *eku;
	bool ca;
	int from, until;      /* days from now; both 0: yesterday until in 30 days */
	unsigned rsa_bits;    /* 0: an EC key */
	const EVP_MD *digest; /* NULL: SHA-256 */
};

static inline void pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *e;

	if (!value)
		return;
	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	assert_non_null(e);
	assert_int_equal(X509_add_ext(cert, e, -1), 1);
	X509_EXTENSION_free(e);
}

static inline void pki_name(X509 *cert, const char *cn)
{
	X509_NAME *name = X509_get_subject_name(cert);

	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
						    (const uint8_t *)cn, -1, -1, 0),
			 1);
}

/* Signed by ISSUER, whatever that is; NULL: by itself. */
static inline struct identity pki_make(const struct identity *issuer,
				       const struct pki_spec *spec)
{
	static long serial = 1000;
	struct identity id = {.cert = X509_new()};
	const struct identity *by = issuer ? issuer : &id;
	int until = spec->from || spec->until ? spec->until : 30;
	int from = spec->from || spec->until ? spec->from : -1;

	id.key = spec->rsa_bits ? EVP_RSA_gen(spec->rsa_bits) : EVP_EC_gen("P-256");
	assert_non_null(id.key);
	X509_set_version(id.cert, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), (long)from * PKI_DAY);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), (long)until * PKI_DAY);
	pki_name(id.cert, spec->cn);
	X509_set_issuer_name(id.cert, X509_get_subject_name(by->cert));
	X509_set_pubkey(id.cert, id.key);
	pki_extend(id.cert, by->cert, NID_basic_constraints,
		   spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
	pki_extend(id.cert, by->cert, NID_subject_alt_name, spec->san);
	pki_extend(id.cert, by->cert, NID_ext_key_usage, spec->eku);
	assert_true(
	    X509_sign(id.cert, by->key, spec->digest ? spec->digest : EVP_sha256()) > 0);
	return id;
}

static inline void pki_free(struct identity *id)
{
	X509_free(id->cert);
	EVP_PKEY_free(id->key);
	*id = (struct identity){0};
}

/* The pin of an identity, as RFC 7469 computes it. */
static inline void pki_pin(const struct identity *id, uint8_t pin[TLS_PIN_LEN])
{
	uint8_t *der = NULL;
	int n = i2d_PUBKEY(id->key, &der);

	assert_true(n > 0);
	assert_int_equal(EVP_Digest(der, (size_t)n, pin, NULL, EVP_sha256(), NULL), 1);
	OPENSSL_free(der);
}

static inline void pki_save(const struct identity *id, const char *path)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, id->cert), 1);
	assert_int_equal(fclose(f), 0);
}

/* The day of T, as "2026-11-01". */
static inline void pki_day(const ASN1_TIME *t, char out[16])
{
	struct tm tm;

	assert_int_equal(ASN1_TIME_to_tm(t, &tm), 1);
	assert_true(strftime(out, 16, "%Y-%m-%d", &tm) > 0);
}

#endif
