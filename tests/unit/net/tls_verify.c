/* tls_verify: whose certificates a client accepts, and what it says of all others. */
#include "tls_world.h"

/* ---- whose certificate ---- */

static void try_san(const char *name, const char *san, enum reason why, const char *part)
{
	struct tls_trust trust = usual();
	struct pki_spec leaf = {.cn = NAME, .san = san};

	trust.name = name;
	try_leaf(&trust, &w.root, &leaf, why, part);
}

static void test_name(void **state)
{
	(void)state;
	try_san(NAME, "DNS:" NAME, REASON_NONE, "");
	try_san(NAME, "DNS:a.test,IP:192.0.2.1,DNS:" NAME, REASON_NONE, "");
	try_san(NAME, "DNS:UpStream.TEST", REASON_NONE, "");
	try_san(NAME, "DNS:a.example,DNS:b.example", REASON_TLS_CERT_NAME,
		"certificate is for a.example, b.example");
	try_san(NAME, "DNS:a,DNS:b,DNS:c,DNS:d,DNS:e", REASON_TLS_CERT_NAME,
		"certificate is for a, b, c, d");
	/* a part of the name, before it or behind it */
	try_san(NAME, "DNS:test", REASON_TLS_CERT_NAME, "for test");
	try_san(NAME, "DNS:x." NAME, REASON_TLS_CERT_NAME, "for x." NAME);
	try_san(NAME, "DNS:" NAME ".example", REASON_TLS_CERT_NAME,
		"for " NAME ".example");
}

/* The CN of all of them is the right name: it never counts (RFC 9525). */
static void test_common_name(void **state)
{
	(void)state;
	try_san(NAME, NULL, REASON_TLS_CERT_NAME, "certificate has no SubjectAltName");
	try_san(NAME, "IP:192.0.2.1", REASON_TLS_CERT_NAME,
		"certificate has no SubjectAltName that fits");
	try_san(NAME, "email:a@" NAME, REASON_TLS_CERT_NAME, "that fits");
}

static void test_wildcard(void **state)
{
	(void)state;
	try_san("a.upstream.test", "DNS:*.upstream.test", REASON_NONE, "");
	try_san("a.b.upstream.test", "DNS:*.upstream.test", REASON_TLS_CERT_NAME,
		"for *.upstream.test");
	try_san("upstream.test", "DNS:*.upstream.test", REASON_TLS_CERT_NAME, "for *.");
	try_san("upstream.test", "DNS:*.test", REASON_TLS_CERT_NAME, "for *.test");
	try_san("upstream.test", "DNS:*", REASON_TLS_CERT_NAME, "for *");
	try_san("a.upstream.test", "DNS:a*.upstream.test", REASON_TLS_CERT_NAME,
		"for a*.");
	try_san("a.upstream.test", "DNS:a.*.test", REASON_TLS_CERT_NAME, "for a.*.test");
}

/* What cannot be printed does not reach a log; what does not fit is cut. */
static void test_names_of_the_remote(void **state)
{
	char many[] =
	    "DNS:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example,"
	    "DNS:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.example,"
	    "DNS:ccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.example";

	(void)state;
	try_san(NAME, "DNS:a\x01\x1b[2J\x7f\xc3.test", REASON_TLS_CERT_NAME,
		"certificate is for a??[2J??.test");
	try_san(NAME, many, REASON_TLS_CERT_NAME, "bbb.example, ccc");
}

static void try_address(const char *ip, const char *san, enum reason why)
{
	struct tls_trust trust = usual();
	struct pki_spec leaf = {.cn = ip, .san = san};
	struct address a;

	assert_int_equal(address_parse_ip(&a, ip, strlen(ip), 853), 0);
	trust.name = NULL;
	trust.address = &a;
	try_leaf(&trust, &w.root, &leaf, why, why == REASON_NONE ? "" : "certificate ");
}

static void test_address(void **state)
{
	(void)state;
	try_address("192.0.2.1", "DNS:a.test,IP:192.0.2.1", REASON_NONE);
	try_address("192.0.2.1", "IP:192.0.2.2", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", "DNS:192.0.2.1", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", "IP:::ffff:192.0.2.1", REASON_TLS_CERT_NAME);
	try_address("192.0.2.1", NULL, REASON_TLS_CERT_NAME);
	try_address("2001:db8::1", "IP:2001:db8::1", REASON_NONE);
	try_address("2001:db8::1", "IP:2001:db8::2,DNS:2001:db8::1",
		    REASON_TLS_CERT_NAME);
}

/* ---- when, by whom and what for ---- */

static void test_dates(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec old = {.cn = NAME, .san = "DNS:" NAME, .from = -20, .until = -10};
	struct pki_spec early = {.cn = NAME, .san = "DNS:" NAME, .from = 10, .until = 20};
	struct identity id[] = {pki_make(&w.root, &old), pki_make(&w.root, &early)};
	struct server_spec spec[] = {{.leaf = &id[0]}, {.leaf = &id[1]}};
	char day[16], text[64];

	(void)state;
	pki_day(X509_get0_notAfter(id[0].cert), day);
	snprintf(text, sizeof text, "certificate expired %s", day);
	try(&trust, &spec[0], REASON_TLS_CERT_EXPIRED, text);
	pki_day(X509_get0_notBefore(id[1].cert), day);
	snprintf(text, sizeof text, "certificate is not valid before %s", day);
	try(&trust, &spec[1], REASON_TLS_CERT_NOT_YET_VALID, text);
	pki_free(&id[0]);
	pki_free(&id[1]);
}

static void test_issuer(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct pki_spec no_ca = {.cn = "No CA", .san = "DNS:no-ca.test"};
	struct identity leaf = pki_make(&w.inter, &spec);
	struct identity between = pki_make(&w.root, &no_ca);
	struct identity below = pki_make(&between, &spec);
	struct server_spec whole = {.leaf = &leaf, .chain = &w.inter};
	struct server_spec cut = {.leaf = &leaf};
	struct server_spec wrong = {.leaf = &below, .chain = &between};

	(void)state;
	try_leaf(&trust, NULL, &spec, REASON_TLS_CERT_UNTRUSTED, "self");
	try_leaf(&trust, &w.other, &spec, REASON_TLS_CERT_UNTRUSTED,
		 "no trusted CA for the certificate's issuer Other CA");
	try(&trust, &whole, REASON_NONE, "");
	try(&trust, &cut, REASON_TLS_CERT_UNTRUSTED,
	    "no trusted CA for the certificate's issuer Between CA");
	try(&trust, &wrong, REASON_TLS_CERT_UNTRUSTED, "CA certificate");
	pki_free(&leaf);
	pki_free(&between);
	pki_free(&below);
}

/* A CA of the right name with another key. */
static void test_forged_issuer(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec ca = {.cn = "Root CA", .ca = true};
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity forged = pki_make(NULL, &ca);
	struct identity leaf = pki_make(&forged, &spec);
	struct server_spec with = {.leaf = &leaf, .chain = &forged};

	(void)state;
	try_leaf(&trust, &forged, &spec, REASON_TLS_CERT_UNTRUSTED, "");
	try(&trust, &with, REASON_TLS_CERT_UNTRUSTED, "");
	pki_free(&leaf);
	pki_free(&forged);
}

static void test_purpose(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME, .eku = "clientAuth"};

	(void)state;
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_PURPOSE, "purpose");
	spec.eku = "serverAuth,clientAuth";
	try_leaf(&trust, &w.root, &spec, REASON_NONE, "");
}

static void test_weak(void **state)
{
	struct tls_trust trust = usual();
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME, .rsa_bits = 1024};

	(void)state;
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_WEAK, "key too weak");
	spec.rsa_bits = 2048;
	try_leaf(&trust, &w.root, &spec, REASON_NONE, "");
	spec.digest = EVP_sha1();
	try_leaf(&trust, &w.root, &spec, REASON_TLS_CERT_WEAK, "too weak");
}

/* ---- pins, and no authentication ---- */

static void add_pin(struct tls_trust *t, const struct identity *id)
{
	pki_pin(id, t->pins[t->pin_count++]);
}

/* With a name, pins come on top of it, and anyone in the chain may carry them. */
static void test_name_and_pin(void **state)
{
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity leaf = pki_make(&w.inter, &spec);
	struct server_spec server = {.leaf = &leaf, .chain = &w.inter};
	const struct identity *in_chain[] = {&leaf, &w.inter, &w.root};
	struct tls_trust trust;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		trust = usual();
		add_pin(&trust, &w.other);
		add_pin(&trust, in_chain[i]);
		try(&trust, &server, REASON_NONE, "");
	}
	trust.name = "other.test";
	try(&trust, &server, REASON_TLS_CERT_NAME, "for " NAME);
	trust = usual();
	add_pin(&trust, &w.other);
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

/* A chain that is sent but not verified proves nothing. */
static void test_pin_beside_the_chain(void **state)
{
	struct pki_spec spec = {.cn = NAME, .san = "DNS:" NAME};
	struct identity leaf = pki_make(&w.root, &spec);
	struct server_spec server = {.leaf = &leaf, .chain = &w.other};
	struct tls_trust trust = usual();

	(void)state;
	add_pin(&trust, &w.other);
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	trust.auth = TLS_AUTH_PIN;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

/* Nothing but the end certificate's key is looked at. */
static void test_pin_alone(void **state)
{
	struct pki_spec old = {.cn = "x", .san = "DNS:x.test", .from = -20, .until = -10};
	struct identity leaf = pki_make(&w.other, &old);
	struct server_spec server = {.leaf = &leaf, .chain = &w.other};
	struct tls_trust trust = {.auth = TLS_AUTH_PIN, .name = NAME};

	(void)state;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	add_pin(&trust, &w.other); /* its issuer's pin does not do */
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	while (trust.pin_count < TLS_PINS_MAX - 1)
		add_pin(&trust, &w.root);
	add_pin(&trust, &leaf);
	try(&trust, &server, REASON_NONE, "");
	trust.pins[TLS_PINS_MAX - 1][TLS_PIN_LEN - 1] ^= 1;
	try(&trust, &server, REASON_TLS_PIN, "no pin matches");
	pki_free(&leaf);
}

static void test_no_authentication(void **state)
{
	struct pki_spec old = {.cn = "x", .from = -20, .until = -10, .rsa_bits = 1024};
	struct tls_trust trust = {.auth = TLS_AUTH_NONE, .name = NAME};

	(void)state;
	try_leaf(&trust, NULL, &old, REASON_NONE, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_name),
	    cmocka_unit_test(test_common_name),
	    cmocka_unit_test(test_wildcard),
	    cmocka_unit_test(test_names_of_the_remote),
	    cmocka_unit_test(test_address),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_issuer),
	    cmocka_unit_test(test_forged_issuer),
	    cmocka_unit_test(test_purpose),
	    cmocka_unit_test(test_weak),
	    cmocka_unit_test(test_name_and_pin),
	    cmocka_unit_test(test_pin_beside_the_chain),
	    cmocka_unit_test(test_pin_alone),
	    cmocka_unit_test(test_no_authentication),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
