/* config: what is configured, in the forms in which others want it. */
#include "conf/config.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"

/* RFC 7858 section 3.1. */
#define DOT_PORT 853
#define DNS_PORT 53

/* A pin in base64, and the end. */
#define PIN_TEXT_MAX ((TLS_PIN_LEN + 2) / 3 * 4 + 1)

/* What a canonical text is made of, each part at its longest. */
static_assert(
    sizeof "tls://#" + ADDRESS_TEXT_MAX + CONF_NAME_MAX +
	    TLS_PINS_MAX * (sizeof " pin=sha256/" + PIN_TEXT_MAX) +
	    sizeof " auth=none ca-file= ca-dir= cert= key= tfo=on 0rtt=on tls-min=1.3 "
		   "weight=1000" +
	    4 * CONF_PATH_MAX + CONF_ADDRESSES_MAX * (6 + ADDRESS_TEXT_MAX) <=
	UPSTREAM_TEXT_MAX,
    "every upstream has a text");

__attribute__((format(printf, 2, 3))) static void append(char *out, const char *format,
							 ...)
{
	size_t n = strlen(out);
	va_list args;

	va_start(args, format);
	vsnprintf(out + n, UPSTREAM_TEXT_MAX - n, format, args);
	va_end(args);
}

static void append_parameters(char *out, const struct upstream_conf *u)
{
	char pin[PIN_TEXT_MAX], ip[ADDRESS_TEXT_MAX];

	for (unsigned i = 1; i < u->address_count; i++)
		append(out, " addr=%s", address_ip_text(&u->addresses[i], ip));

	for (unsigned i = 0; i < u->pin_count; i++) {
		base64_encode(pin, u->pins[i], TLS_PIN_LEN);
		append(out, " pin=sha256/%s", pin);
	}
	if (u->auth != TLS_AUTH_NAME)
		append(out, " auth=%s", u->auth == TLS_AUTH_PIN ? "pin" : "none");
	if (u->ca_file[0])
		append(out, " ca-file=%s", u->ca_file);
	if (u->ca_dir[0])
		append(out, " ca-dir=%s", u->ca_dir);
	if (u->cert_file[0])
		append(out, " cert=%s", u->cert_file);
	if (u->key_file[0])
		append(out, " key=%s", u->key_file);
	if (u->fast_open)
		append(out, " tfo=on");
	if (u->early_data)
		append(out, " 0rtt=on");
	if (u->tls13_only)
		append(out, " tls-min=1.3");
	if (u->weight != 1)
		append(out, " weight=%u", u->weight);
}

const char *upstream_text(const struct upstream_conf *u, bool with_parameters,
			  char out[UPSTREAM_TEXT_MAX])
{
	const struct address *a = &u->addresses[0];
	bool v6 = a->any.sa_family == AF_INET6;
	char ip[ADDRESS_TEXT_MAX];

	if (u->discover)
		snprintf(out, UPSTREAM_TEXT_MAX, v6 ? "discover://[%s]" : "discover://%s",
			 address_ip_text(a, ip));
	else if (u->address_count)
		snprintf(out, UPSTREAM_TEXT_MAX, v6 ? "%s://[%s]" : "%s://%s",
			 u->plain ? "plain" : "tls", address_ip_text(a, ip));
	else
		snprintf(out, UPSTREAM_TEXT_MAX, "%s://%s", u->plain ? "plain" : "tls",
			 u->name);
	if (u->port != (u->plain || u->discover ? DNS_PORT : DOT_PORT))
		append(out, ":%u", u->port);
	if (u->address_count && u->name[0])
		append(out, "#%s", u->name);
	if (with_parameters)
		append_parameters(out, u);
	return out;
}

bool config_has_root(const struct config *c)
{
	for (unsigned i = 0; i < c->route_count; i++)
		if (c->route[i].domain_len == 1)
			return true;
	return false;
}

unsigned config_upstreams(const struct config *c)
{
	bool replaced =
	    config_has_root(c) || (c->upstream_is_default && c->discover_count);

	return replaced ? 0 : c->upstream_count;
}

void config_trust(const struct config *c, const struct upstream_conf *u,
		  struct tls_trust *out)
{
	bool own_ca = u->ca_file[0] || u->ca_dir[0];
	const char *ca_file = own_ca ? u->ca_file : c->ca_file;
	const char *ca_dir = own_ca ? u->ca_dir : c->ca_dir;

	*out = (struct tls_trust){
	    .auth = u->auth,
	    .name = u->name[0] ? u->name : NULL,
	    .address = &u->addresses[0],
	    .ca_file = ca_file[0] ? ca_file : NULL,
	    .ca_dir = ca_dir[0] ? ca_dir : NULL,
	    .cert_file = u->cert_file[0] ? u->cert_file : NULL,
	    .key_file = u->key_file[0] ? u->key_file : NULL,
	    .tls13_only = u->tls13_only || c->tls13_only,
	    .pin_count = u->pin_count,
	};
	memcpy(out->pins, u->pins, sizeof out->pins);
}
