/* tls_context: an OpenSSL context that trusts, offers and accepts what one upstream's words say. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "net/tls_peer.h"

/* Read ahead: a few records of answers by one system call. */
#define READ_BUFFER 32768

/* AES-128 first: half the work of AES-256 and none of its use here. Nothing without
 * forward secrecy or authenticated encryption (RFC 9325 4.2). */
#define SUITES_13                                                                        \
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384"
#define SUITES_12                                                                        \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                     \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"                     \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
#define GROUPS "X25519:P-256:P-384"
#define SIGNATURES                                                                       \
	"ECDSA+SHA256:ed25519:RSA-PSS+SHA256:RSA+SHA256:ECDSA+SHA384:RSA-PSS+SHA384:"    \
	"RSA+SHA384:ECDSA+SHA512:RSA-PSS+SHA512:RSA+SHA512"

static const unsigned char alpn[] = {3, 'd', 'o', 't'}; /* RFC 7858 8.3 */

/* ---- trust ---- */

static int complain(char error[TLS_ERROR_MAX], const char *what, const char *path,
		    const char *why)
{
	snprintf(error, TLS_ERROR_MAX, "%s %.*s: %s", what, TLS_PATH_MAX - 1, path, why);
	return -EINVAL;
}

/* A file of revocation lists alone loads just as well. */
static bool has_certificate(const SSL_CTX *c)
{
	STACK_OF(X509_OBJECT) *all = X509_STORE_get0_objects(SSL_CTX_get_cert_store(c));

	for (int i = 0; i < sk_X509_OBJECT_num(all); i++)
		if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_X509)
			return true;
	return false;
}

static int load_file(SSL_CTX *c, const char *path, char error[TLS_ERROR_MAX])
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return complain(error, "ca-file", path,
				errno == ENOENT
				    ? "No such file: name a PEM file of CA certificates"
				    : strerror(errno));
	if (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)) {
		close(fd);
		return complain(error, "ca-file", path, "is a folder: use ca-dir for it");
	}
	close(fd);
	if (SSL_CTX_load_verify_file(c, path) != 1 || !has_certificate(c))
		return complain(error, "ca-file", path,
				"has no CA certificate in PEM format");
	return 0;
}

static int load_dir(SSL_CTX *c, const char *path, char error[TLS_ERROR_MAX])
{
	struct stat st;

	if (stat(path, &st) < 0)
		return complain(error, "ca-dir", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return complain(error, "ca-dir", path,
				"is no folder: use ca-file for it");
	if (SSL_CTX_load_verify_dir(c, path) != 1)
		return complain(error, "ca-dir", path, "cannot be used");
	return 0;
}

/* The hashed folder of the system is read as it is needed; its bundle would be read
 * whole. As other programs do, obey SSL_CERT_FILE and SSL_CERT_DIR. */
static int load_system(SSL_CTX *c, char error[TLS_ERROR_MAX])
{
	const char *file = getenv("SSL_CERT_FILE");

	if (file && *file)
		return load_file(c, file, error);
	if (SSL_CTX_set_default_verify_dir(c) != 1)
		return complain(error, "ca-dir", X509_get_default_cert_dir(),
				"cannot be used");
	return 0;
}

static int load_trust(SSL_CTX *c, const struct tls_trust *t, char error[TLS_ERROR_MAX])
{
	int r = 0;

	if (t->auth != TLS_AUTH_NAME)
		return 0;
	if (t->ca_file)
		r = load_file(c, t->ca_file, error);
	if (r == 0 && t->ca_dir)
		r = load_dir(c, t->ca_dir, error);
	if (!t->ca_file && !t->ca_dir)
		r = load_system(c, error);
	return r;
}

/* Whose certificate it must be: SubjectAltName alone (RFC 9525). */
static bool set_identity(SSL_CTX *c, const struct tls_trust *t)
{
	X509_VERIFY_PARAM *p = SSL_CTX_get0_param(c);
	const struct address *a = t->address;

	if (t->auth != TLS_AUTH_NAME)
		return true;
	X509_VERIFY_PARAM_set_hostflags(p, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
					       X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (t->name)
		return X509_VERIFY_PARAM_set1_host(p, t->name, 0) == 1;
	if (a->any.sa_family == AF_INET6)
		return X509_VERIFY_PARAM_set1_ip(p, a->v6.sin6_addr.s6_addr, 16) == 1;
	return X509_VERIFY_PARAM_set1_ip(p, (const uint8_t *)&a->v4.sin_addr, 4) == 1;
}

/* What SSL_CTX_set1_groups_list() and its like do, without their cast of a literal. */
static bool set_list(SSL_CTX *c, int command, const char *list)
{
	return SSL_CTX_ctrl(c, command, 0, (void *)(uintptr_t)list) == 1;
}

static bool set_protocol(SSL_CTX *c, const struct tls_trust *t)
{
	SSL_CTX_set_security_level(c, 2);
	SSL_CTX_set_options(c, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
				   SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(c, SSL_MODE_ENABLE_PARTIAL_WRITE |
				SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(c, 1);
	SSL_CTX_set_default_read_buffer_len(c, READ_BUFFER);
	return SSL_CTX_set_min_proto_version(c, t->tls13_only ? TLS1_3_VERSION
							      : TLS1_2_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(c, SUITES_13) == 1 &&
	       SSL_CTX_set_cipher_list(c, SUITES_12) == 1 &&
	       set_list(c, SSL_CTRL_SET_GROUPS_LIST, GROUPS) &&
	       set_list(c, SSL_CTRL_SET_SIGALGS_LIST, SIGNATURES) &&
	       SSL_CTX_set_alpn_protos(c, alpn, sizeof alpn) == 0;
}

/* ---- our own certificate ---- */

static int load_own(SSL_CTX *c, const struct tls_trust *t, char error[TLS_ERROR_MAX])
{
	const char *key = t->key_file ? t->key_file : t->cert_file;

	if (!t->cert_file)
		return 0;
	if (access(t->cert_file, R_OK) < 0)
		return complain(error, "cert", t->cert_file, strerror(errno));
	if (access(key, R_OK) < 0)
		return complain(error, "key", key, strerror(errno));
	if (SSL_CTX_use_certificate_chain_file(c, t->cert_file) != 1)
		return complain(error, "cert", t->cert_file,
				"has no certificate in PEM format");
	/* the passphrase of an encrypted key is asked of nobody */
	SSL_CTX_set_default_passwd_cb_userdata(c, (void *)(uintptr_t) "");
	if (SSL_CTX_use_PrivateKey_file(c, key, SSL_FILETYPE_PEM) != 1)
		return complain(
		    error, "key", key,
		    ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
			? "is not the key of the certificate in cert="
			: "has no private key in PEM format without a passphrase");
	return 0;
}

int tls_context_new(SSL_CTX **out, const struct tls_trust *t, char error[TLS_ERROR_MAX])
{
	SSL_CTX *c;
	int r;

	/* The system's openssl.cnf is not read: what is offered and accepted is said
	 * above, whole, and cannot be weakened elsewhere. */
	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	c = SSL_CTX_new(TLS_client_method());
	if (!c) {
		snprintf(error, TLS_ERROR_MAX, "out of memory");
		return -EINVAL;
	}
	if (!set_protocol(c, t) || !set_identity(c, t)) {
		snprintf(error, TLS_ERROR_MAX, "OpenSSL refuses the settings: %s",
			 ERR_reason_error_string(ERR_peek_error()));
		r = -EINVAL;
	} else {
		r = load_trust(c, t, error);
	}
	if (r == 0)
		r = load_own(c, t, error);
	ERR_clear_error();
	if (r < 0)
		SSL_CTX_free(c);
	else
		*out = c;
	return r;
}
