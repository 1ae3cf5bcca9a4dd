/* parameter: the KEY=VALUE words behind an upstream. */
#include "conf/parameter.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "conf/suggest.h"

#define PIN_PREFIX "sha256/"

/* All weights of all upstreams together fit 32 bits. */
#define WEIGHT_MAX 1000

#define PIN_COMMAND                                                                      \
	"openssl s_client -connect IP:853 </dev/null | openssl x509 -pubkey -noout | "   \
	"openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64"

enum key {
	KEY_PIN,
	KEY_AUTH,
	KEY_CA_FILE,
	KEY_CA,
	KEY_CA_DIR,
	KEY_TLS_MIN,
	KEY_ADDR,
	KEY_WEIGHT,
	KEY_CERT,
	KEY_KEY,
	KEY_TFO,
	KEY_0RTT,
	KEY_N
};

static const char *const keys[KEY_N] = {"pin",	  "auth",    "ca-file", "ca",
					"ca-dir", "tls-min", "addr",	"weight",
					"cert",	  "key",     "tfo",	"0rtt"};

static int read_pin(struct upstream_conf *u, struct span value, struct fault *f)
{
	const size_t prefix = strlen(PIN_PREFIX);
	uint8_t pin[TLS_PIN_LEN];
	int n = -EINVAL;

	if (value.len > prefix && memcmp(value.at, PIN_PREFIX, prefix) == 0)
		n = base64_decode(pin, sizeof pin, value.at + prefix, value.len - prefix);
	if (n != TLS_PIN_LEN)
		return fault_set(
		    f, value.at,
		    "a pin is sha256/ and 44 base64 characters: " PIN_COMMAND);
	if (u->pin_count == TLS_PINS_MAX)
		return fault_set(f, value.at, "more than %d pins", TLS_PINS_MAX);
	for (unsigned i = 0; i < u->pin_count; i++)
		if (memcmp(u->pins[i], pin, sizeof pin) == 0)
			return fault_set(f, value.at, "the same pin twice");
	memcpy(u->pins[u->pin_count++], pin, sizeof pin);
	return 0;
}

static int read_auth(struct upstream_conf *u, struct span value, struct fault *f)
{
	if (span_is(value, "name"))
		u->auth = TLS_AUTH_NAME;
	else if (span_is(value, "pin"))
		u->auth = TLS_AUTH_PIN;
	else if (span_is(value, "none"))
		u->auth = TLS_AUTH_NONE;
	else
		return fault_set(f, value.at, "auth is name, pin or none, not '%.*s'",
				 span_shown(value), value.at);
	return 0;
}

int parameter_read_path(char out[CONF_PATH_MAX], struct span text, struct fault *f)
{
	if (text.len == 0)
		return fault_set(f, text.at, "the path is missing");
	if (text.len >= CONF_PATH_MAX)
		return fault_set(f, text.at, "a path of more than %d characters",
				 CONF_PATH_MAX - 1);
	/* the file could not hold it: a value ends there */
	if (*text.at == '#' || memchr(text.at, ' ', text.len) ||
	    memchr(text.at, '\t', text.len))
		return fault_set(f, text.at, "a path with a blank, or with # in front");
	memset(out, 0, CONF_PATH_MAX);
	memcpy(out, text.at, text.len);
	return 0;
}

int parameter_read_tls_min(bool *tls13_only, struct span text, struct fault *f)
{
	if (!span_is(text, "1.2") && !span_is(text, "1.3"))
		return fault_set(f, text.at, "tls-min is 1.2 or 1.3, not '%.*s'",
				 span_shown(text), text.at);
	*tls13_only = span_is(text, "1.3");
	return 0;
}

static int read_addr(struct parameters *given, struct span value, struct fault *f)
{
	struct address *a = &given->addresses[given->address_count];

	if (given->address_count == CONF_ADDRESSES_MAX - 1)
		return fault_set(f, value.at, "more than %d addresses",
				 CONF_ADDRESSES_MAX - 1);
	if (address_parse_ip(a, value.at, value.len, 0) != 0)
		return fault_set(f, value.at,
				 "addr is an IP address without a port, not '%.*s'",
				 span_shown(value), value.at);
	given->address_count++;
	return 0;
}

static int read_weight(struct upstream_conf *u, struct span value, struct fault *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < value.len && n <= WEIGHT_MAX; i++)
		n = value.at[i] >= '0' && value.at[i] <= '9'
			? n * 10 + (unsigned)(value.at[i] - '0')
			: WEIGHT_MAX + 1;
	if (n < 1 || n > WEIGHT_MAX)
		return fault_set(f, value.at,
				 "weight is a number from 1 to %d, not '%.*s'",
				 WEIGHT_MAX, span_shown(value), value.at);
	u->weight = n;
	return 0;
}

static int read_switch(bool *out, const char *word, struct span value, struct fault *f)
{
	if (!span_is(value, "on") && !span_is(value, "off"))
		return fault_set(f, value.at, "%s is on or off, not '%.*s'", word,
				 span_shown(value), value.at);
	*out = span_is(value, "on");
	return 0;
}

static enum key key_of(struct span word)
{
	unsigned key = 0;

	while (key < KEY_N && !span_is(word, keys[key]))
		key++;
	return (enum key)key;
}

/* Where it is remembered that KEY was given. */
static struct span *given_field(struct parameters *given, enum key key)
{
	switch (key) {
	case KEY_AUTH:
		return &given->auth;
	case KEY_CA_FILE:
	case KEY_CA:
		return &given->ca_file;
	case KEY_CA_DIR:
		return &given->ca_dir;
	case KEY_TLS_MIN:
		return &given->tls_min;
	case KEY_ADDR:
		return &given->addr;
	case KEY_WEIGHT:
		return &given->weight;
	case KEY_CERT:
		return &given->cert;
	case KEY_KEY:
		return &given->key;
	case KEY_TFO:
		return &given->tfo;
	case KEY_0RTT:
		return &given->early;
	case KEY_PIN:
	case KEY_N:
		break;
	}
	return &given->pin;
}

static int read_value(struct upstream_conf *u, struct parameters *given, enum key key,
		      struct span value, struct fault *f)
{
	switch (key) {
	case KEY_PIN:
		return read_pin(u, value, f);
	case KEY_AUTH:
		return read_auth(u, value, f);
	case KEY_CA_FILE:
	case KEY_CA:
		return parameter_read_path(u->ca_file, value, f);
	case KEY_CA_DIR:
		return parameter_read_path(u->ca_dir, value, f);
	case KEY_TLS_MIN:
		return parameter_read_tls_min(&u->tls13_only, value, f);
	case KEY_ADDR:
		return read_addr(given, value, f);
	case KEY_WEIGHT:
		return read_weight(u, value, f);
	case KEY_CERT:
		return parameter_read_path(u->cert_file, value, f);
	case KEY_KEY:
		return parameter_read_path(u->key_file, value, f);
	case KEY_TFO:
		return read_switch(&u->fast_open, "tfo", value, f);
	case KEY_0RTT:
		return read_switch(&u->early_data, "0rtt", value, f);
	case KEY_N:
		break;
	}
	return -EINVAL;
}

int parameter_read(struct upstream_conf *u, struct parameters *given, struct span text,
		   struct fault *f)
{
	struct span word = text;
	struct span value = {0};
	bool has_value = span_cut(&word, '=', &value);
	enum key key = key_of(word);
	char nearest[SUGGEST_TEXT_MAX];
	struct span *field;

	if (word.len > 0 && word.at[0] == '#')
		return fault_set(f, word.at,
				 "'%.*s': write the name without a blank in front: "
				 "tls://ADDRESS#NAME",
				 span_shown(word), word.at);
	if (key == KEY_N)
		return fault_set(f, word.at, "unknown parameter '%.*s'%s",
				 span_shown(word), word.at,
				 suggest_text(word, keys, KEY_N, nearest));
	if (!has_value || value.len == 0)
		return fault_set(f, word.at, "%s= needs a value", keys[key]);
	field = given_field(given, key);
	if (field->at && key != KEY_PIN && key != KEY_ADDR)
		return fault_set(f, word.at, "%s= is given twice", keys[key]);
	if (read_value(u, given, key, value, f) != 0)
		return -EINVAL;
	*field = word;
	return 0;
}

int parameter_check(const struct upstream_conf *u, const struct parameters *given,
		    struct span text, struct fault *f)
{
	struct span ca = given->ca_file.at ? given->ca_file : given->ca_dir;
	struct span tls = given->pin.at	    ? given->pin
			  : given->auth.at  ? given->auth
			  : ca.at	    ? ca
			  : given->cert.at  ? given->cert
			  : given->key.at   ? given->key
			  : given->early.at ? given->early
					    : given->tls_min;

	if (u->plain && tls.at)
		return fault_set(f, tls.at, "%.*s= says nothing with plain://",
				 span_shown(tls), tls.at);
	if (given->key.at && !given->cert.at)
		return fault_set(
		    f, given->key.at,
		    "key= needs cert=, the certificate that it is the key of");
	if (u->auth == TLS_AUTH_PIN && u->pin_count == 0)
		return fault_set(f, given->auth.at ? given->auth.at : text.at,
				 "auth=pin needs a pin=sha256/...: " PIN_COMMAND);
	if (u->auth == TLS_AUTH_NONE && u->pin_count > 0)
		return fault_set(f, given->auth.at,
				 "auth=none looks at no pin: leave out one of the two");
	if (u->auth != TLS_AUTH_NAME && ca.at)
		return fault_set(f, ca.at, "%.*s= says nothing with auth=%s",
				 span_shown(ca), ca.at,
				 u->auth == TLS_AUTH_PIN ? "pin" : "none");
	return 0;
}
