/* tls_context: versions and suites that are offered, and where trusted CAs are read from. */
#include "tls_world.h"

#include <errno.h>

/* ---- what is offered ---- */

static void test_versions(void **state)
{
	struct identity leaf = good_leaf();
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_1_VERSION};
	struct tls_trust trust = usual();

	(void)state;
	try(&trust, &spec, REASON_TLS_PROTOCOL, "protocol version");
	spec.version = TLS1_2_VERSION;
	try(&trust, &spec, REASON_NONE, "");
	trust.tls13_only = true;
	try(&trust, &spec, REASON_TLS_PROTOCOL, "protocol version");
	spec.version = TLS1_3_VERSION;
	try(&trust, &spec, REASON_NONE, "");
	pki_free(&leaf);
}

/* Suites without forward secrecy or authenticated encryption are not offered. */
static void test_old_suites(void **state)
{
	struct identity leaf = pki_make(
	    &w.root,
	    &(struct pki_spec){.cn = NAME, .san = "DNS:" NAME, .rsa_bits = 2048});
	struct server_spec spec = {.leaf = &leaf, .version = TLS1_2_VERSION};
	static const char *const old[] = {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"};
	struct tls_trust trust = usual();
	struct tls_peer *p = peer_of(&trust);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct server server;
		struct link l;

		server_open(&server, &spec);
		assert_int_equal(SSL_CTX_set_cipher_list(server.ctx, old[i]), 1);
		link_open(&l, p, &server);
		assert_int_equal(shake(&l), TLS_ERROR);
		expect_failure(&l, REASON_TLS_PROTOCOL, "handshake failure");
		link_shut(&l);
		server_shut(&server);
	}
	tls_peer_free(p);
	pki_free(&leaf);
}

/* ---- trust that cannot be read ---- */

static void expect_refused(const struct tls_trust *trust, const char *part)
{
	struct tls_peer *p = NULL;
	char error[TLS_ERROR_MAX] = "";

	assert_int_equal(tls_peer_new(&p, trust, error), -EINVAL);
	assert_null(p);
	if (!strstr(error, part))
		fail_msg("\"%s\" instead of \"%s\"", error, part);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void test_ca_file(void **state)
{
	struct tls_trust trust = usual();
	char path[128], text[256];

	(void)state;
	snprintf(path, sizeof path, "%s/x.pem", w.dir);
	trust.ca_file = path;
	snprintf(text, sizeof text, "ca-file %s: No such file", path);
	expect_refused(&trust, text);
	snprintf(text, sizeof text, "ca-file %s: has no CA certificate in PEM", path);
	put(path, "");
	expect_refused(&trust, text);
	put(path, "this is no certificate\n");
	expect_refused(&trust, text);
	put(path, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
	expect_refused(&trust, text);
	put(path, "-----BEGIN CERTIFICATE-----\n");
	expect_refused(&trust, text);
	assert_int_equal(unlink(path), 0);
	trust.ca_file = w.dir;
	expect_refused(&trust, ": is a folder: use ca-dir");
}

/* A list of revoked certificates is not one of CAs. */
static void test_ca_file_of_revocations(void **state)
{
	struct tls_trust trust = usual();
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *now = X509_gmtime_adj(NULL, 0);
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/crl.pem", w.dir);
	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(w.root.cert));
	X509_CRL_set1_lastUpdate(crl, now);
	X509_CRL_set1_nextUpdate(crl, now);
	assert_true(X509_CRL_sign(crl, w.root.key, EVP_sha256()) > 0);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509_CRL(f, crl), 1);
	assert_int_equal(fclose(f), 0);
	trust.ca_file = path;
	expect_refused(&trust, ": has no CA certificate in PEM");
	assert_int_equal(unlink(path), 0);
	ASN1_TIME_free(now);
	X509_CRL_free(crl);
}

/* The folder as `openssl rehash` leaves it. */
static void test_ca_dir(void **state)
{
	struct pki_spec leaf = {.cn = NAME, .san = "DNS:" NAME};
	struct tls_trust trust = {.auth = TLS_AUTH_NAME, .name = NAME, .ca_dir = w.dir};
	char path[128];

	(void)state;
	try_leaf(&trust, &w.root, &leaf, REASON_TLS_CERT_UNTRUSTED, "issuer Root CA");
	snprintf(path, sizeof path, "%s/%08lx.0", w.dir,
		 X509_NAME_hash_ex(X509_get_subject_name(w.root.cert), NULL, NULL, NULL));
	pki_save(&w.root, path);
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(unlink(path), 0);
	trust.ca_dir = w.ca;
	expect_refused(&trust, ": is no folder: use ca-file");
	trust.ca_dir = path;
	expect_refused(&trust, ": No such file");
	trust.ca_dir = w.dir; /* both count */
	trust.ca_file = w.ca;
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
}

static void test_system_trust(void **state)
{
	struct pki_spec leaf = {.cn = NAME, .san = "DNS:" NAME};
	struct tls_trust trust = {.auth = TLS_AUTH_NAME, .name = NAME};

	(void)state;
	try_leaf(&trust, &w.root, &leaf, REASON_TLS_CERT_UNTRUSTED, "issuer Root CA");
	assert_int_equal(setenv("SSL_CERT_FILE", w.ca, 1), 0);
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(setenv("SSL_CERT_FILE", w.dir, 1), 0);
	expect_refused(&trust, ": is a folder");
	/* without authentication the file is not read */
	trust.auth = TLS_AUTH_NONE;
	try_leaf(&trust, &w.root, &leaf, REASON_NONE, "");
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_old_suites),
	    cmocka_unit_test(test_ca_file),
	    cmocka_unit_test(test_ca_file_of_revocations),
	    cmocka_unit_test(test_ca_dir),
	    cmocka_unit_test(test_system_trust),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
