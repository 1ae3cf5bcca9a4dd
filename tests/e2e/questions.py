"""A zone with some of everything, and questions about it that are drawn from a seed."""
import random

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype

ORIGIN = "difference.example"
TTLS = [1, 120, 300, 3600, 86400]

# Of each owner in this zone: what the question generator may choose from.
FIXED = r"""
$ORIGIN difference.example.
$TTL 3600
@ SOA ns hostmaster 1 3600 600 86400 900
@ NS ns
@ NS ns2
@ MX 10 mail
@ TXT "v=spf1 -all"
@ CAA 0 issue "ca.example"
ns A 192.0.2.53
ns2 AAAA 2001:db8::53
mail A 192.0.2.25
*.wild A 192.0.2.42
*.wild TXT "wild"
not.wild AAAA 2001:db8::42
a.b.c.empty A 192.0.2.1
alias CNAME mail
alias2 CNAME alias
alias3 CNAME alias2
outward CNAME www.elsewhere.example.
dangling CNAME nothing
loop CNAME loop2
loop2 CNAME loop
*.alias CNAME mail
tree DNAME wild
_dns.resolver SVCB 1 ns alpn=dot port=853
www HTTPS 1 . alpn=h2 ipv4hint=192.0.2.80
www A 192.0.2.80
www AAAA 2001:db8::80
_sip._udp SRV 10 20 5060 mail
naptr NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.!" .
_25._tcp.mail TLSA 3 1 1 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
host SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
host HINFO "PDP-11" "UNIX"
host LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
host TYPE65280 \# 4 0A000001
odd\.label A 192.0.2.2
odd\000\255\032label A 192.0.2.3
zero 0 A 192.0.2.4
zero 0 TXT "for one transaction"
"""

TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "CNAME", "DNAME", "PTR", "SRV", "NAPTR", "CAA",
         "SVCB", "HTTPS", "TLSA", "SSHFP", "HINFO", "LOC", "DS", "DNSKEY", "NSEC", "RRSIG",
         "TYPE65280", "TYPE999"]
# Some are no data, and some are not to be asked for at all.
RARE = ["ANY", "AXFR", "IXFR", "OPT", "TSIG", "MAILB", "TYPE0", "TYPE65535"]
USUAL = ["A", "AAAA", "TXT", "HTTPS", "MX"]
SIZES = [0, 511, 512, 513, 700, 1000, 1231, 1232, 1233, 1400, 4096, 65535]

# Names that have a meaning of their own, so that resolvers answer them (RFC 6761 and others).
SPECIAL = ["localhost", "localhost", "www.localhost", "invalid", "www.invalid", "test", "www.test",
           "onion", "www.onion", "home.arpa", "www.home.arpa", "www.alt", "printer.local",
           "resolver.arpa", "_dns.resolver.arpa", "1.0.0.127.in-addr.arpa", "127.in-addr.arpa",
           "1.0.0.10.in-addr.arpa", "168.192.in-addr.arpa", "9.254.169.in-addr.arpa",
           "1" + 31 * ".0" + ".ip6.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "."]

# One option of each kind that a client may send; their data is not always good.
OPTIONS = {
    "nsid": (3, b""),
    "subnet": (8, b"\0\1\x18\0\xc0\0\2"),
    "expire": (9, b""),
    "cookie": (10, b"12345678"),
    "keepalive": (11, b""),
    "padding": (12, bytes(37)),
    "chain": (13, b"\0"),
    "key tag": (14, b"\x4a\x5c"),
    "unknown": (65001, b"\1\2\3"),
}


def zone():
    """Its text: what is fixed, and RRsets of all sizes."""
    lines = [FIXED]
    for n in range(1, 41):
        ttl = TTLS[n % len(TTLS)]
        lines += [f"many{n} {ttl} A 198.51.100.{i}" for i in range(1, n + 1)]
        lines.append(f"text{n} {ttl} TXT " + " ".join([f'"{"x" * 50}{n:02}"'] * n))
    return "\n".join(lines) + "\n"


def owners():
    names = {line.split()[0] for line in FIXED.splitlines() if line and line[0] not in "$@*"}
    return sorted(names) + [f"{kind}{n}" for kind in ("many", "text") for n in range(1, 41)]


class Question:
    """One message of a client: its octets, over which transport, and how it is shown. One that is
    spoilt is no query, or is malformed."""

    def __init__(self, message, wire, tcp, shown, is_spoilt):
        self.question, self.flags = message.question[0], message.flags
        self.has_edns = message.edns >= 0
        self.wire, self.tcp, self.shown, self.is_spoilt = wire, tcp, shown, is_spoilt

    def is_special(self):
        """Below a top-level domain of a special name, or a reverse zone."""
        return self.question.name.labels[-2:-1] != (b"example",)

    def __str__(self):
        return self.shown + (" +tcp" if self.tcp else "")


class Generator:
    """Questions without end; the same for the same seed."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.owners = owners()

    def label(self, longest=63):
        r = self.random
        octets = r.choice([b"abcdefghijklmnopqrstuvwxyz-0123456789_", bytes(range(256))])
        return bytes(r.choice(octets) for _ in range(r.choice([1, 2, 7, 20, longest])))

    def below(self, suffix):
        """A name under SUFFIX, now and then as long as a name may be."""
        labels = list(suffix.labels)
        left = 255 - len(suffix.to_wire())
        for _ in range(self.random.choice([1, 1, 1, 2, 5, 127])):
            if left < 2:
                break
            labels.insert(0, self.label(min(63, left - 1))[:min(63, left - 1)])
            left -= 1 + len(labels[0])
        return dns.name.Name(labels)

    def name(self):
        origin = dns.name.from_text(ORIGIN)
        kind = self.random.choices(["owner", "below", "wild", "apex", "up", "outside", "special"],
                                   [58, 10, 16, 6, 4, 2, 4])[0]
        if kind == "owner":
            return dns.name.from_text(self.random.choice(self.owners), origin)
        if kind == "below":
            return self.below(dns.name.from_text(self.random.choice(self.owners), origin))
        if kind == "wild":
            return self.below(dns.name.from_text(self.random.choice(["wild", "tree", "alias", "@"]),
                                                 origin))
        if kind == "outside":
            return self.below(dns.name.from_text("elsewhere.example"))
        if kind == "special":
            return dns.name.from_text(self.random.choice(SPECIAL))
        if kind == "up":
            return dns.name.from_text(self.random.choice(["c.empty", "b.c.empty", "empty", "_udp"]),
                                      origin)
        return origin

    def cased(self, name):
        """As it is, or with each letter's case drawn (draft-vixie-dnsext-dns0x20)."""
        if self.random.random() < 0.6:
            return name
        return dns.name.Name([bytes(self.random.choice((c, c ^ 32)) if chr(c).isalpha() and c < 128
                                    else c for c in label) for label in name.labels])

    def flags(self):
        flags = dns.flags.RD * (self.random.random() < 0.97)
        for flag, share in ((dns.flags.CD, 0.1), (dns.flags.AD, 0.15), (dns.flags.RA, 0.03),
                            (dns.flags.AA, 0.03), (0x40, 0.03), (dns.flags.TC, 0.01)):
            flags |= flag * (self.random.random() < share)
        return flags

    def edns(self, message):
        """None, or OPT with a size, DO, a version and some options. Returns how it is shown."""
        r = self.random
        if r.random() < 0.25:
            return "+noedns"
        size, dnssec = r.choice(SIZES), r.random() < 0.3
        version = r.choice([1, 255]) if r.random() < 0.02 else 0
        chosen = [o for o in OPTIONS if r.random() < 0.1]
        options = [dns.edns.GenericOption(*OPTIONS[o]) for o in chosen]
        message.use_edns(version, dns.flags.DO * dnssec, size, options=options)
        return " ".join([f"+bufsize={size}"] + ["+dnssec"] * dnssec + [f"+ednsopt={o}" for o in chosen]
                        + [f"+edns={version}"] * bool(version))

    def spoil(self, wire):
        """Makes a message wrong in one way. Returns how that is shown."""
        r = self.random
        how = r.choice(["opcode", "opcode", "questions", "answers", "authority", "octets", "opt"])
        if how == "opcode":
            opcode = r.choice([1, 2, 3, 6, 15])
            wire[2] |= opcode << 3
            return f" +opcode={opcode}"
        if how == "octets":
            wire += bytes(r.choice([1, 11, 300]))
        elif how == "opt":
            wire += b"\0\0\x29\4\xd0" + bytes(6)
            wire[11] += 1
        else:
            place = {"questions": 5, "answers": 7, "authority": 9}[how]
            wire[place] ^= 1 if how != "questions" else r.choice([1, 3])
        return f" spoilt {how}"

    def next(self):
        r = self.random
        name = self.cased(self.name())
        types = r.choices([USUAL, TYPES, RARE], [50, 47, 3])[0]
        rtype = dns.rdatatype.from_text(r.choice(types))
        rclass = r.choice([3, 4, 254, 77]) if r.random() < 0.01 else 1
        message = dns.message.make_query(name, rtype, rclass)
        message.id, message.flags = r.randrange(65536), self.flags()
        edns = self.edns(message)
        shown = (f"{name} {dns.rdatatype.to_text(rtype)} {dns.rdataclass.to_text(rclass)} "
                 f"flags={int(message.flags):04x} {edns}")
        wire = bytearray(message.to_wire())
        is_spoilt = r.random() < 0.02
        if is_spoilt:
            shown += self.spoil(wire)
        return Question(message, bytes(wire), r.random() < 0.3, shown, is_spoilt)
