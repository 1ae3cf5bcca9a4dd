/* scheme: what stands in front of an upstream. */
#include "conf/scheme.h"

#include <errno.h>
#include <string.h>

static const struct accepted {
	const char *word;
	enum scheme scheme;
} accepted[] = {
    {"tls", SCHEME_TLS},    {"tcp-tls", SCHEME_TLS}, {"dot", SCHEME_TLS},
    {"sdns", SCHEME_STAMP}, {"plain", SCHEME_PLAIN},
};

#define PLAIN "plain DNS, which is sent only where plain:// is written"
#define DOH "DNS over HTTPS, which dotgate does not speak"
#define DOQ "DNS over QUIC, which dotgate does not speak"

static const struct refused {
	const char *word, *what;
} refused[] = {
    {"udp", PLAIN},	{"tcp", PLAIN},
    {"tcp+udp", PLAIN}, {"dns", PLAIN},
    {"https", DOH},	{"http", DOH},
    {"h3", DOH},	{"quic", DOQ},
    {"doq", DOQ},	{"dnscrypt", "DNSCrypt, which dotgate does not speak"},
};

static bool skip_slashes(struct span *s)
{
	if (s->len < 2 || memcmp(s->at, "//", 2) != 0)
		return false;
	s->at += 2;
	s->len -= 2;
	return true;
}

int scheme_read(enum scheme *out, struct span *text, struct fault *f)
{
	struct span word = *text;
	struct span rest = {0};
	bool slashes;

	*out = SCHEME_NONE;
	if (!span_cut(&word, ':', &rest))
		return 0;
	slashes = skip_slashes(&rest);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (span_is_nocase(word, refused[i].word))
			return fault_set(f, word.at,
					 "'%s' is %s: write tls://ADDRESS#NAME",
					 refused[i].word, refused[i].what);
	for (size_t i = 0; i < sizeof accepted / sizeof accepted[0]; i++)
		if (span_is_nocase(word, accepted[i].word)) {
			*out = accepted[i].scheme;
			*text = rest;
			return 0;
		}
	/* without the slashes it is an address with its port, or an IPv6 address */
	if (!slashes)
		return 0;
	return fault_set(f, word.at, "unknown scheme '%.*s': write tls://ADDRESS#NAME",
			 span_shown(word), word.at);
}
