/* message: the numbers of the DNS message format (RFC 1035, 6891, 8914). */
#ifndef DOTGATE_DNS_MESSAGE_H
#define DOTGATE_DNS_MESSAGE_H

#include <stdbool.h>

#define DNS_HEADER_LEN 12
#define DNS_MESSAGE_MAX 65535

/* A compressed name that is the question's: the owner of most records. */
#define POINTER_TO_QUESTION (0xc000u | DNS_HEADER_LEN)

/* Header flags, the two octets behind the id as one number. */
#define DNS_QR 0x8000u
#define DNS_OPCODE(flags) (((flags) >> 11) & 15u)
#define DNS_AA 0x0400u
#define DNS_TC 0x0200u
#define DNS_RD 0x0100u
#define DNS_RA 0x0080u
#define DNS_AD 0x0020u
#define DNS_CD 0x0010u
#define DNS_RCODE(flags) ((flags)&15u)

enum dns_rcode {
	RCODE_NOERROR = 0,
	RCODE_FORMERR = 1,
	RCODE_SERVFAIL = 2,
	RCODE_NXDOMAIN = 3,
	RCODE_NOTIMP = 4,
	RCODE_REFUSED = 5,
	RCODE_YXDOMAIN = 6,
	RCODE_BADVERS = 16
};

/* True if a response of this rcode says nothing of the name: another upstream may know better. The
 * name exists, does not, or would become too long by a DNAME (RFC 6672): these are answers. */
static inline bool rcode_is_error(unsigned rcode)
{
	return rcode != RCODE_NOERROR && rcode != RCODE_NXDOMAIN &&
	       rcode != RCODE_YXDOMAIN;
}

enum dns_type {
	TYPE_A = 1,
	TYPE_NS = 2,
	TYPE_MD = 3,
	TYPE_MF = 4,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_MB = 7,
	TYPE_MG = 8,
	TYPE_MR = 9,
	TYPE_PTR = 12,
	TYPE_MINFO = 14,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_RP = 17,
	TYPE_AFSDB = 18,
	TYPE_RT = 21,
	TYPE_AAAA = 28,
	TYPE_SRV = 33,
	TYPE_NAPTR = 35,
	TYPE_DNAME = 39,
	TYPE_OPT = 41,
	TYPE_DS = 43,
	TYPE_RRSIG = 46,
	TYPE_NSEC = 47,
	TYPE_DNSKEY = 48,
	TYPE_TLSA = 52,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_NXNAME = 128,
	TYPE_TKEY = 249,
	TYPE_TSIG = 250,
	TYPE_IXFR = 251,
	TYPE_AXFR = 252,
	TYPE_MAILB = 253,
	TYPE_MAILA = 254,
	TYPE_ANY = 255,
	TYPE_CAA = 257
};

enum dns_class { CLASS_IN = 1, CLASS_NONE = 254, CLASS_ANY = 255 };

enum edns_option {
	OPTION_KEEPALIVE = 11, /* RFC 7828 */
	OPTION_PADDING = 12,   /* RFC 7830 */
	OPTION_EDE = 15	       /* RFC 8914 */
};

/* Type, class, TTL and data length of a record: what stands behind its owner name. */
#define RECORD_FIXED 10

/* An OPT record without options: root, type, size, extended rcode, version, flags,
 * length. */
#define OPT_LEN 11

/* The size that an OPT of ours offers (RFC 9715): to clients, whose queries are far
 * shorter, and to upstreams, which over TLS need none but may hand the query on over UDP.
 */
#define OPT_SIZE 1232

/* The code and the length of an option. */
#define OPTION_HEAD 4

/* UDP answers above this are truncated, whatever the client offers (RFC 9715). */
#define UDP_ANSWER_MAX 1232
/* What a client without EDNS takes (RFC 1035 2.3.4). */
#define UDP_ANSWER_PLAIN 512

#endif
