/* stamp: DNS stamps for DNS over TLS (draft-denis-dns-stamps). */
#include "conf/stamp.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "dns/wire.h"

#define PROTOCOL_DOT 0x03
#define PROPERTIES_LEN 8
/* Set on the length of every member of a list but the last. */
#define MORE 0x80u

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case 0x00:
		return "plain DNS";
	case 0x01:
		return "DNSCrypt";
	case 0x02:
		return "DNS over HTTPS";
	case 0x04:
		return "DNS over QUIC";
	case 0x05:
	case 0x85:
		return "Oblivious DoH";
	case 0x81:
		return "a DNSCrypt relay";
	default:
		return "a protocol that is not known here";
	}
}

static struct span read_text(struct cursor *c)
{
	size_t len = cursor_u8(c);
	const uint8_t *p = cursor_bytes(c, len);

	return p ? (struct span){(const char *)p, len} : (struct span){"", 0};
}

/* The octets of all members of a list. A list that is cut off makes C bad. */
static size_t read_list(struct cursor *c)
{
	size_t total = 0;
	uint8_t len;

	do {
		len = cursor_u8(c);
		cursor_skip(c, len % MORE);
		total += len % MORE;
	} while ((len & MORE) && !c->bad);
	return total;
}

/* Blanks and control characters have no business there, and would forge error messages.
 */
static bool is_printable(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] <= 0x20 || s.at[i] >= 0x7f)
			return false;
	return true;
}

static int read_fields(struct stamp *s, struct cursor *c, struct span text,
		       struct fault *f)
{
	size_t hashes;

	cursor_skip(c, PROPERTIES_LEN);
	s->address = read_text(c);
	hashes = read_list(c);
	s->host = read_text(c);
	if (cursor_left(c) > 0)
		read_list(c); /* resolvers to find the host with */
	if (c->bad || cursor_left(c) > 0 || !is_printable(s->address) ||
	    !is_printable(s->host))
		return fault_set(f, text.at, "a DNS stamp that is cut off or damaged");
	if (hashes > 0)
		return fault_set(
		    f, text.at,
		    "this stamp has hashes of certificates, which dotgate cannot "
		    "check: write tls://%.*s#%.*s, with pin= for a key",
		    span_shown(s->address), s->address.at, span_shown(s->host),
		    s->host.at);
	return 0;
}

int stamp_read(struct stamp *out, struct span text, struct fault *f)
{
	int n = base64_decode(out->octets, sizeof out->octets, text.at, text.len);
	struct cursor c = cursor_make(out->octets, n > 0 ? (size_t)n : 0);
	uint8_t protocol = cursor_u8(&c);

	if (n == -ENOSPC)
		return fault_set(f, text.at, "a DNS stamp that is too long");
	if (c.bad)
		return fault_set(f, text.at, "a DNS stamp must be base64");
	if (protocol != PROTOCOL_DOT)
		return fault_set(
		    f, text.at,
		    "this stamp is for %s; dotgate sends DNS over TLS only: write "
		    "tls://ADDRESS#NAME",
		    protocol_name(protocol));
	return read_fields(out, &c, text, f);
}
