/* spelling: every way to write an upstream, and every way to get it wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "conf/spelling.h"

#define PIN_A "sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_B "sha256/AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

/* TEXT is read, and written back as CANONICAL, which is read and written back as itself.
 */
static void check_reads(const char *text, const char *canonical)
{
	struct upstream_conf u = {0}, again = {0};
	char error[SPELLING_ERROR_MAX] = "";
	char out[UPSTREAM_TEXT_MAX];
	size_t column = 0;

	if (spelling_read(&u, text, error, &column) != 0)
		fail_msg("'%s': %s", text, error);
	assert_string_equal(upstream_text(&u, true, out), canonical);
	assert_int_equal(spelling_read(&again, out, error, &column), 0);
	assert_int_equal(u.address_count, again.address_count);
	if (u.address_count)
		assert_true(address_equal(&u.addresses[0], &again.addresses[0]));
	assert_int_equal(u.auth, again.auth);
	assert_string_equal(u.name, again.name);
	assert_string_equal(u.ca_file, again.ca_file);
	assert_string_equal(u.ca_dir, again.ca_dir);
	assert_int_equal(u.tls13_only, again.tls13_only);
	assert_int_equal(u.pin_count, again.pin_count);
	assert_memory_equal(u.pins, again.pins, sizeof u.pins);
	assert_string_equal(upstream_text(&again, true, out), canonical);
}

/* TEXT is refused at COLUMN, with SAYS in the error, and the result is untouched. */
static void check_refuses(const char *text, size_t column, const char *says)
{
	struct upstream_conf u, before;
	char error[SPELLING_ERROR_MAX] = "";
	size_t at = SIZE_MAX;

	memset(&u, 0x5a, sizeof u);
	memcpy(&before, &u, sizeof u);
	if (spelling_read(&u, text, error, &at) == 0)
		fail_msg("'%s' was read", text);
	if (!strstr(error, says))
		fail_msg("'%s': '%s' does not say '%s'", text, error, says);
	if (at != column)
		fail_msg("'%s': '%s' at column %zu, not %zu", text, error, at, column);
	assert_memory_equal(&u, &before, sizeof u);
}

static void test_notations(void **state)
{
	(void)state;
	check_reads("tls://1.1.1.1:853#name.test", "tls://1.1.1.1#name.test");
	check_reads("tls://1.1.1.1", "tls://1.1.1.1");
	check_reads("TLS://1.1.1.1#x", "tls://1.1.1.1#x");
	check_reads("1.1.1.1", "tls://1.1.1.1");
	check_reads("1.1.1.1#name", "tls://1.1.1.1#name");
	check_reads("1.1.1.1@853#name", "tls://1.1.1.1#name");
	check_reads("1.1.1.1@8853#name", "tls://1.1.1.1:8853#name");
	check_reads("1.1.1.1:8853#name", "tls://1.1.1.1:8853#name");
	check_reads("tls://1.1.1.1%name:853", "tls://1.1.1.1#name");
	check_reads("tls://1.1.1.1%name", "tls://1.1.1.1#name");
	check_reads("tcp-tls:1.1.1.1:853#name", "tls://1.1.1.1#name");
	check_reads("dot://1.1.1.1:1#name", "tls://1.1.1.1:1#name");
	check_reads("tls://1.1.1.1:53#name", "tls://1.1.1.1:53#name");
	check_reads("tls://1.1.1.1:65535", "tls://1.1.1.1:65535");
	check_reads("  1.1.1.1#name \t", "tls://1.1.1.1#name");
}

static void test_ipv6(void **state)
{
	(void)state;
	check_reads("tls://[2606:4700::1111]:853#name", "tls://[2606:4700::1111]#name");
	check_reads("[2606:4700:0::1111]:8853", "tls://[2606:4700::1111]:8853");
	check_reads("2606:4700::1111", "tls://[2606:4700::1111]");
	check_reads("2606:4700::1111@99#name", "tls://[2606:4700::1111]:99#name");
	check_reads("tls://[2606:4700::1111]%name:99", "tls://[2606:4700::1111]:99#name");
	check_reads("tcp-tls:[2606:4700::1111]:99#name",
		    "tls://[2606:4700::1111]:99#name");
	check_reads("::1", "tls://[::1]");
	check_reads("fe80::1%lo", "tls://[fe80::1%lo]");
	check_reads("fe80::1%lo@99#name", "tls://[fe80::1%lo]:99#name");
	check_reads("[fe80::1%lo]:99#name", "tls://[fe80::1%lo]:99#name");
	check_reads("[fe80::1]%lo", "tls://[fe80::1%lo]");
	check_reads("[fe80::1]:853%lo#name", "tls://[fe80::1%lo]#name");
}

static void test_names(void **state)
{
	(void)state;
	check_reads("tls://dns.google addr=8.8.8.8", "tls://8.8.8.8#dns.google");
	check_reads("dns.google:99 addr=8.8.8.8", "tls://8.8.8.8:99#dns.google");
	check_reads("tls://dns.google#dns.google addr=2001:db8::1",
		    "tls://[2001:db8::1]#dns.google");
	check_reads("1.1.1.1#Dns_1.Example.COM.", "tls://1.1.1.1#dns_1.example.com");
	/* by address: the upstream's own address is no name */
	check_reads("tls://10.0.0.1#10.0.0.1", "tls://10.0.0.1");
	check_reads("tls://[2001:db8::1]#2001:db8:0::1", "tls://[2001:db8::1]");
}

static void test_parameters(void **state)
{
	(void)state;
	check_reads("1.1.1.1 pin=" PIN_A, "tls://1.1.1.1 pin=" PIN_A);
	check_reads("1.1.1.1#n auth=pin  pin=" PIN_A "\tpin=" PIN_B,
		    "tls://1.1.1.1#n pin=" PIN_A " pin=" PIN_B " auth=pin");
	check_reads("1.1.1.1#n auth=name pin=" PIN_A, "tls://1.1.1.1#n pin=" PIN_A);
	check_reads("1.1.1.1 auth=none", "tls://1.1.1.1 auth=none");
	check_reads("1.1.1.1 ca=/etc/x.pem ca-dir=/etc/y",
		    "tls://1.1.1.1 ca-file=/etc/x.pem ca-dir=/etc/y");
	check_reads("1.1.1.1 ca-file=a?b&c#d", "tls://1.1.1.1 ca-file=a?b&c#d");
	check_reads("1.1.1.1 tls-min=1.3", "tls://1.1.1.1 tls-min=1.3");
	check_reads("1.1.1.1 tls-min=1.2", "tls://1.1.1.1");
	check_reads("tls://1.1.1.1:99?auth=none&tls-min=1.3#name",
		    "tls://1.1.1.1:99#name auth=none tls-min=1.3");
	check_reads("tls://1.1.1.1#name?pin=" PIN_A "&auth=pin tls-min=1.3",
		    "tls://1.1.1.1#name pin=" PIN_A " auth=pin tls-min=1.3");
}

static void test_pins_add_to_the_name(void **state)
{
	struct upstream_conf u;
	char error[SPELLING_ERROR_MAX];
	size_t column;

	(void)state;
	assert_int_equal(spelling_read(&u, "1.1.1.1#n pin=" PIN_B, error, &column), 0);
	assert_int_equal(u.auth, TLS_AUTH_NAME);
	assert_int_equal(u.pin_count, 1);
	assert_int_equal(u.pins[0][0], 1);
	assert_int_equal(u.pins[0][31], 0);
}

static void test_other_protocols(void **state)
{
	(void)state;
	check_refuses("udp://1.1.1.1", 0, "'udp' is plain DNS");
	check_refuses("tcp://1.1.1.1", 0, "'tcp' is plain DNS");
	check_refuses("tcp+udp:1.1.1.1", 0, "'tcp+udp' is plain DNS");
	check_refuses("plain://1.1.1.1#dns.example", 8, "plain:// knows no name");
	check_refuses("plain://1.1.1.1 auth=none", 16,
		      "auth= says nothing with plain://");
	check_refuses("plain://1.1.1.1 tls-min=1.3", 16, "tls-min= says nothing with");
	check_refuses("plain://dns.example", 8, "plain:// knows no name");
	check_refuses("8.8.8.8:53", 0, "53 is the port of plain DNS");
	check_refuses("8.8.8.8@53#dns.google", 0, "53 is the port of plain DNS");
	check_refuses("dns://1.1.1.1", 0, "plain DNS, which is sent only");
	check_refuses("https://1.1.1.1/dns-query", 0, "DNS over HTTPS");
	check_refuses("h3://1.1.1.1", 0, "DNS over HTTPS");
	check_refuses("quic://1.1.1.1", 0, "DNS over QUIC");
	check_refuses("ftp://1.1.1.1", 0,
		      "unknown scheme 'ftp': write tls://ADDRESS#NAME");
}

static void test_bad_addresses(void **state)
{
	(void)state;
	check_refuses("", 0, "an upstream is missing");
	check_refuses(" \t", 0, "an upstream is missing");
	check_refuses("tls://", 6, "the address is missing");
	check_refuses("tls://#name", 6, "the address is missing");
	check_refuses("tls://:853", 6, "the address is missing");
	check_refuses("tls://1.1.1", 10, "neither an IP address nor a name");
	check_refuses("tls://1.1.1.256", 12, "neither an IP address nor a name");
	check_refuses("tls://[::1", 6, "'[' without ']'");
	check_refuses("tls://[::1]853", 11, "behind ']'");
	check_refuses("tls://[::g]", 7, "bad IPv6 address '::g'");
	check_refuses("1:2:3:4:5:6:7:8:9", 0, "bad IPv6 address");
	check_refuses("tls://0.0.0.0", 0, "the unspecified address");
	check_refuses("tls://[::]", 0, "the unspecified address");
	check_refuses("tls://224.0.0.1", 0, "a multicast address");
	check_refuses("tls://239.255.255.255", 0, "a multicast address");
	check_refuses("tls://255.255.255.255", 0, "the broadcast address");
	check_refuses("tls://[ff02::1]", 0, "a multicast address");
	check_refuses("tls://[::ffff:1.1.1.1]", 0, "write it as IPv4");
	check_refuses("x.test addr=0.0.0.0", 7, "the unspecified address");
	check_refuses("x.test addr=fe80::1", 7, "needs its interface");
	check_refuses("fe80::1", 0, "needs its interface");
	check_refuses("fe80::1%nosuchif0", 8, "no interface 'nosuchif0'");
	check_refuses("[fe80::1%lo]:853%lo", 17, "a second interface");
	check_refuses("[fe80::1%lo]%lo", 13, "a second '%'");
	check_refuses("1.1.1.1:853%lo", 11, "only link-local addresses");
	check_refuses("1.1.1.1\x01", 7, "control character 0x01");
	check_refuses("1.1.1.1\x7f", 7, "control character 0x7f");
}

static void test_bad_ports(void **state)
{
	(void)state;
	check_refuses("tls://1.1.1.1:0", 14, "bad port '0'");
	check_refuses("tls://1.1.1.1:65536", 14, "bad port '65536'");
	check_refuses("tls://1.1.1.1:000853", 14, "bad port '000853'");
	check_refuses("tls://1.1.1.1:", 14, "bad port ''");
	check_refuses("tls://1.1.1.1:8a", 14, "bad port '8a'");
	check_refuses("tls://1.1.1.1:853/x", 14, "bad port '853/x'");
	check_refuses("tls://[::1]:-1", 12, "bad port '-1'");
	check_refuses("1.1.1.1@853@853", 8, "bad port");
}

static void test_bad_names(void **state)
{
	char text[400] = "1.1.1.1#";

	(void)state;
	check_refuses("1.1.1.1#", 8, "the name is missing");
	check_refuses("1.1.1.1%:853", 8, "the name is missing");
	check_refuses("1.1.1.1#a..b", 10, "an empty label");
	check_refuses("1.1.1.1#.", 8, "an empty label");
	check_refuses("1.1.1.1#*.x", 8, "a wildcard");
	check_refuses("1.1.1.1#a.-b", 10, "a hyphen");
	check_refuses("1.1.1.1#b\xc3\xbc", 8, "xn--");
	check_refuses("1.1.1.1#a/b", 8, "a character that no host name has");
	check_refuses("1.1.1.1#a#b", 8, "a character that no host name has");
	check_refuses("1.1.1.1#a.12", 10, "a number at its end");
	check_refuses("1.1.1.1#1.1.1.2", 8, "not that of the upstream");
	check_refuses("1.1.1.1%a#b", 10, "two names: 'a' and 'b'");
	check_refuses("a.x#b.x addr=1.1.1.1", 4, "two names: 'a.x' and 'b.x'");
	check_refuses("a.x#1.1.1.1 addr=1.1.1.1", 4, "both a name and an address");
	memset(text + 8, 'a', 64);
	check_refuses(text, 8, "more than 63");
	for (unsigned i = 8; i < 8 + 255; i++)
		text[i] = i % 2 ? '.' : 'a';
	check_refuses(text, 8, "more than 253");
}

static void test_longest_name(void **state)
{
	char text[400] = "1.1.1.1#";
	char canonical[sizeof text + 6];

	(void)state;
	for (unsigned i = 8; i < 8 + 253; i++)
		text[i] = i % 2 ? '.' : 'a';
	snprintf(canonical, sizeof canonical, "tls://%s", text);
	check_reads(text, canonical);
	strcat(text, ".");
	check_reads(text, canonical);
}

static void test_names_and_addresses(void **state)
{
	(void)state;
	check_reads("tls://dns.google", "tls://dns.google");
	check_reads("dns.google@8853", "tls://dns.google:8853");
	check_reads("tls://a.x addr=192.0.2.1", "tls://192.0.2.1#a.x");
	check_reads("tls://a.x:99 addr=192.0.2.1 addr=2001:db8::1",
		    "tls://192.0.2.1:99#a.x addr=2001:db8::1");
	check_reads("tls://192.0.2.1#a.x addr=2001:db8::1",
		    "tls://192.0.2.1#a.x addr=2001:db8::1");
	check_refuses("1.1.1.1 addr=1.1.1.1", 8, "write the name that they share");
	check_refuses("a.x addr=1.1.1.1:853", 9, "an IP address without a port");
	check_refuses("a.x%b addr=1.1.1.1", 4, "'%' behind a name");
	check_refuses(
	    "a.x addr=1.1.1.1 addr=1.1.1.2 addr=1.1.1.3 addr=1.1.1.4 addr=1.1.1.5 "
	    "addr=1.1.1.6 addr=1.1.1.7 addr=1.1.1.8",
	    100, "more than 7 addresses");
}

static void test_bad_parameters(void **state)
{
	(void)state;
	check_refuses("1.1.1.1 pins=x", 8,
		      "unknown parameter 'pins': did you mean 'pin'?");
	check_refuses("1.1.1.1 wheight=2", 8, "unknown parameter 'wheight'");
	check_refuses("1.1.1.1 weight=0", 15, "weight is a number from 1 to 1000");
	check_refuses("1.1.1.1 weight=1001", 15, "weight is a number from 1 to 1000");
	check_refuses("1.1.1.1 weight=2x", 15, "weight is a number from 1 to 1000");
	check_refuses("1.1.1.1 auth", 8, "auth= needs a value");
	check_refuses("1.1.1.1 auth=", 8, "auth= needs a value");
	check_refuses("1.1.1.1 auth=tls", 13, "auth is name, pin or none, not 'tls'");
	check_refuses("1.1.1.1 auth=none auth=none", 18, "auth= is given twice");
	check_refuses("1.1.1.1 ca=/x ca-file=/x", 14, "ca-file= is given twice");
	check_refuses("1.1.1.1 tls-min=1.1", 16, "1.2 or 1.3");
	check_refuses("1.1.1.1 ca-file=#x", 16, "with # in front");
	check_refuses("1.1.1.1 auth=pin", 8, "openssl s_client");
	check_refuses("1.1.1.1 auth=none pin=" PIN_A, 8, "auth=none looks at no pin");
	check_refuses("1.1.1.1 ca-dir=/x auth=none", 8,
		      "ca-dir= says nothing with auth=none");
	check_refuses("1.1.1.1 ca=/x auth=pin pin=" PIN_A, 8,
		      "says nothing with auth=pin");
	check_refuses("tls://1.1.1.1?auth=none&x=1", 24, "unknown parameter 'x'");
}

static void test_bad_pins(void **state)
{
	char text[1024] = "1.1.1.1";

	(void)state;
	check_refuses("1.1.1.1 pin=sha256/AAAA", 12,
		      "openssl dgst -sha256 -binary | base64");
	check_refuses("1.1.1.1 pin=sha1/AAAA", 12, "a pin is sha256/");
	check_refuses("1.1.1.1 pin=sha256/", 12, "a pin is sha256/");
	check_refuses("1.1.1.1 pin=" PIN_A "AAAA", 12, "a pin is sha256/");
	check_refuses("1.1.1.1 pin=sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA*=",
		      12, "a pin is sha256/");
	check_refuses("1.1.1.1 pin=" PIN_A " pin=" PIN_A, 68, "the same pin twice");
	for (char c = 'A'; c <= 'I'; c++)
		sprintf(text + strlen(text),
			" pin=sha256/%cAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", c);
	check_refuses(text, 7 + 8 * 56 + 5, "more than 8 pins");
}

/* A stamp of these octets. */
static void make_stamp(char out[512], uint8_t protocol, const char *address,
		       const char *hashes, const char *host, const char *more)
{
	uint8_t data[300] = {protocol, 7};
	size_t n = 9;

	data[n++] = (uint8_t)strlen(address);
	memcpy(data + n, address, strlen(address));
	n += strlen(address);
	if (!hashes[0])
		data[n++] = 0;
	memcpy(data + n, hashes, strlen(hashes));
	n += strlen(hashes);
	data[n++] = (uint8_t)strlen(host);
	memcpy(data + n, host, strlen(host));
	n += strlen(host);
	memcpy(data + n, more, strlen(more));
	n += strlen(more);
	strcpy(out, "sdns://");
	base64_encode(out + 7, data, n);
}

static void test_stamps(void **state)
{
	char text[512];

	(void)state;
	/* written out by hand: 03, properties 7, "1.1.1.1", no hashes, "one.test" */
	check_reads("sdns://AwcAAAAAAAAABzEuMS4xLjEACG9uZS50ZXN0",
		    "tls://1.1.1.1#one.test");
	make_stamp(text, 3, "[2001:db8::1]:99", "", "one.test", "");
	check_reads(text, "tls://[2001:db8::1]:99#one.test");
	make_stamp(text, 3, "1.1.1.1", "", "one.test:99", "\x01x");
	check_reads(text, "tls://1.1.1.1:99#one.test");
	make_stamp(text, 3, "1.1.1.1", "", "", "");
	check_reads(text, "tls://1.1.1.1");
	make_stamp(text, 3, ":99", "", "one.test",
		   "\x87"
		   "9.9.9.9\x01x");
	strcat(text, " addr=1.1.1.1");
	check_reads(text, "tls://1.1.1.1:99#one.test");
}

static void test_bad_stamps(void **state)
{
	const char *good = "sdns://AwcAAAAAAAAABzEuMS4xLjEACG9uZS50ZXN0";
	char text[512];

	(void)state;
	for (size_t n = 8; n < strlen(good); n++) { /* cut off anywhere */
		struct upstream_conf u;
		char error[SPELLING_ERROR_MAX];
		size_t column;

		memcpy(text, good, n);
		text[n] = 0;
		assert_int_equal(spelling_read(&u, text, error, &column), -EINVAL);
		assert_int_equal(column, 7);
	}
	check_refuses("sdns://", 7, "base64");
	check_refuses("sdns://!", 7, "base64");
	make_stamp(text, 3, "1.1.1.1",
		   "\x82"
		   "ab\x01"
		   "c",
		   "one.test", "");
	check_refuses(text, 7,
		      "hashes of certificates, which dotgate cannot check: write "
		      "tls://1.1.1.1#one.test");
	make_stamp(text, 3, "", "", "one.test", "");
	check_reads(text, "tls://one.test");
	make_stamp(text, 3, "", "", "", "");
	check_refuses(text, 0, "the address is missing");
	make_stamp(text, 3, "1.1.1.1", "", "one.test", "\x01xy");
	check_refuses(text, 7, "cut off or damaged");
	make_stamp(text, 3, "1.1.1.1", "", "one\x1b.test", "");
	check_refuses(text, 7, "cut off or damaged");
	make_stamp(text, 3, "1.1.1.1:1", "", "one.test:2", "");
	check_refuses(text, 7, "in this stamp: two ports: 1 and 2");
	make_stamp(text, 3, "1.1.1.1", "", "1.1.1.2", "");
	check_refuses(text, 7, "in this stamp: two addresses");
	make_stamp(text, 3, "1.1.1.1:x", "", "", "");
	check_refuses(text, 7, "in this stamp: bad port 'x'");
	make_stamp(text, 0, "1.1.1.1", "", "", "");
	check_refuses(text, 7, "this stamp is for plain DNS");
	make_stamp(text, 1, "1.1.1.1", "", "", "");
	check_refuses(text, 7, "this stamp is for DNSCrypt");
	make_stamp(text, 2, "1.1.1.1", "", "", "");
	check_refuses(text, 7, "this stamp is for DNS over HTTPS");
	make_stamp(text, 4, "1.1.1.1", "", "", "");
	check_refuses(text, 7, "this stamp is for DNS over QUIC");
	make_stamp(text, 9, "1.1.1.1", "", "", "");
	check_refuses(text, 7, "not known");
}

static void test_label(void **state)
{
	struct upstream_conf u;
	char error[SPELLING_ERROR_MAX];
	char out[UPSTREAM_TEXT_MAX];
	size_t column;

	(void)state;
	assert_int_equal(spelling_read(&u, "1.1.1.1:99#n auth=none", error, &column), 0);
	assert_string_equal(upstream_text(&u, false, out), "tls://1.1.1.1:99#n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_notations),
	    cmocka_unit_test(test_ipv6),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_parameters),
	    cmocka_unit_test(test_pins_add_to_the_name),
	    cmocka_unit_test(test_other_protocols),
	    cmocka_unit_test(test_bad_addresses),
	    cmocka_unit_test(test_bad_ports),
	    cmocka_unit_test(test_bad_names),
	    cmocka_unit_test(test_longest_name),
	    cmocka_unit_test(test_names_and_addresses),
	    cmocka_unit_test(test_bad_parameters),
	    cmocka_unit_test(test_bad_pins),
	    cmocka_unit_test(test_stamps),
	    cmocka_unit_test(test_bad_stamps),
	    cmocka_unit_test(test_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
