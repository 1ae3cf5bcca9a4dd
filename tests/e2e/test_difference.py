"""dotgate beside unbound, both as forwarders to one DNS-over-TLS server: what clients hear of the
two is equal, but for what is listed here, each with its reason."""
import collections
import os
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import pytest

import client
import questions
import real
import wire

EDE = dns.edns.OptionType.EDE

SHOWN = 20
PEER_TRIES, PEER_TIMEOUT = 4, 3
# Questions and seed: others find more, these are the same each time.
DEFAULTS = 6000, 7858
COUNT = int(os.environ.get("DIFFERENCE_COUNT", DEFAULTS[0]))
SEED = int(os.environ.get("DIFFERENCE_SEED", DEFAULTS[1]))

# Both unbounds, so that a message does not depend on what was asked before it.
QUIET = """
  minimal-responses: yes
  rrset-roundrobin: no
  qname-minimisation: no
  hide-version: yes
  hide-identity: yes
  edns-buffer-size: 1232
  max-udp-size: 1232
  edns-tcp-keepalive: yes
"""


# ---- what a client hears

def records(section):
    """In their order: owner, type and the data of each set. What a server may choose is left out:
    the case of owners, and the order inside a set."""
    return [(str(s.name).lower(), dns.rdatatype.to_text(s.rdtype),
             sorted(r.to_digestable() for r in s)) for s in section]


class Heard:
    """A response AGE seconds after the first question, in parts that are compared. Of one to a
    malformed message the header alone: what a server repeats of such a message is its own affair."""

    def __init__(self, question, data, age):
        self.age = age
        self.parts = {
            "id": data[:2] == question.wire[:2],
            "opcode": data[2] >> 3 & 15,
            "rcode": dns.rcode.to_text(data[3] & 15),
            "flags": dns.flags.to_text(int.from_bytes(data[2:4], "big")) + " Z" * bool(data[3] & 0x40),
        }
        if not question.is_spoilt:
            self.parts.update(self._message(question, data))

    @staticmethod
    def _message(question, data):
        m = dns.message.from_wire(data)
        end = 12 + len(m.question[0].name.to_wire()) + 4 if m.question else 12
        return {
            "rcode": dns.rcode.to_text(m.rcode()),
            "question": data[12:end] == question.wire[12:end] if m.question else None,
            "answer": records(m.answer),
            "authority": records(m.authority),
            "additional": records(m.additional),
            "TTL": [s.ttl for s in m.answer + m.authority],
            "edns": (m.edns, m.ednsflags & 0xffff, m.payload) if m.edns >= 0 else None,
            "options": sorted(o.otype for o in m.options),
        }

    def __getitem__(self, part):
        return self.parts[part]


def near(ttls, peer, wanted=None):
    """True if these TTLs are those of the peer, or WANTED, but for the time that has passed: the one
    may have had a record in its cache that the other has just fetched. Both round."""
    wanted = peer["TTL"] if wanted is None else wanted
    return (len(ttls) == len(wanted)
            and all(abs(a - b) <= peer.age + 2 for a, b in zip(ttls, wanted)))


# ---- what may differ

LISTED = {}


def listed(*parts):
    """The function says if a difference in one of PARTS is the one of its name and reason."""
    def register(function):
        LISTED[function.__name__] = (parts, function)
        return function
    return register


@listed("answer", "authority", "additional", "TTL")
def truncated(question, gate, peer):
    """With TC nothing in the sections may be used (RFC 2181 9). dotgate leaves them empty, so that
    an answer over UDP is small; unbound sends what fits."""
    return "TC" in gate["flags"] and "TC" in peer["flags"] and not gate["answer"]


@listed("TTL")
def negative(question, gate, peer):
    """A negative answer is kept as one, by the SOA: no record in it, a CNAME that led there, has a
    TTL that is longer. unbound keeps each record apart."""
    return ("SOA" in [rtype for _, rtype, _ in gate["authority"]]
            and near(gate["TTL"], peer, [min(peer["TTL"], default=0)] * len(peer["TTL"])))


@listed("opcode", "flags")
def other_operation(question, gate, peer):
    """Which flags mean something beside another operation code is not known: unbound repeats AD, a
    newer one nothing, not even the code."""
    return gate["opcode"] != 0 and gate["rcode"] == peer["rcode"] == "NOTIMP"


@listed("flags", "question", "edns", "options")
def refused_here(question, gate, peer):
    """To a question that it answers with an error itself unbound repeats the client's own OPT and
    flags, a newer one nothing. dotgate sends the question and its own OPT."""
    return gate["rcode"] == peer["rcode"] and gate["rcode"] in ("FORMERR", "REFUSED", "BADVERS")


@listed("rcode", "flags", "edns", "options")
def class_none(question, gate, peer):
    """Class NONE is for updates (RFC 2136), no class that can be asked for: to dotgate the message
    is malformed, to unbound refused."""
    return (question.question.rdclass == dns.rdataclass.NONE
            and (gate["rcode"], peer["rcode"]) == ("FORMERR", "REFUSED"))


@listed("rcode", "flags", "question", "answer", "authority", "TTL", "edns", "options")
def query_with_tc(question, gate, peer):
    """TC means nothing in a query, and dotgate does not look at it; to unbound it is malformed."""
    return question.flags & dns.flags.TC and peer["rcode"] == "FORMERR"


NOT_RECURSIVE = ("rcode", "flags", "answer", "authority", "additional", "TTL", "options")


@listed(*NOT_RECURSIVE)
def no_recursion_desired(question, gate, peer):
    """dotgate answers such a query from its cache, and asks the upstream as it is; to unbound it
    is somebody who looks into its cache, and is refused."""
    return not question.flags & dns.flags.RD and peer["rcode"] == "REFUSED"


@listed("rcode", "flags", "authority", "TTL", "edns", "options")
def type_that_is_no_data(question, gate, peer):
    """Types that nobody can have data of, 0, OPT, MAILB and MAILA: dotgate answers at once, with
    FORMERR or NOTIMP. unbound asks the upstream for type 0."""
    return (question.question.rdtype in (0, 41, 253, 254)
            and gate["rcode"] in ("FORMERR", "NOTIMP"))


@listed("rcode", "flags", "question", "edns", "options")
def version_first(question, gate, peer):
    """dotgate looks at the version of EDNS before the question, as it could mean another one. A newer
    unbound sends no OPT, so that only the lower bits of BADVERS arrive."""
    return gate["rcode"] == "BADVERS" and (peer["rcode"] in ("FORMERR", "REFUSED")
                                           or (peer["rcode"], peer["edns"]) == ("NOERROR", None))


@listed("rcode", "flags", "answer", "authority", "TTL", "options")
def top_of_a_special_domain(question, gate, peer):
    """RFC 6761: invalid and test do not exist. To unbound they do, with nothing in them but an SOA."""
    return (len(question.question.name) == 2 and gate["rcode"] == "NXDOMAIN"
            and peer["rcode"] == "NOERROR")


@listed("answer", "authority", "TTL")
def failed_with_records(question, gate, peer):
    """unbound, here also the upstream, sends the CNAMEs that led to a failure, or leaves them out.
    Beside SERVFAIL they are no answer; dotgate keeps them no longer than the failure."""
    return gate["rcode"] == peer["rcode"] == "SERVFAIL"


@listed("flags", "authority", "TTL", "options")
def special_name(question, gate, peer):
    """dotgate answers names of RFC 6761 and the like with an SOA that tells who, and an EDE that
    tells why, but without AA: it is no authority. unbound has another SOA, and AA."""
    return question.is_special() and gate["rcode"] == peer["rcode"]


@listed("answer", "authority", "additional", "TTL")
def special_zone(question, gate, peer):
    """To dotgate a special name is no zone, so it has neither SOA nor NS records."""
    return (question.is_special() and question.question.rdtype in (dns.rdatatype.NS, dns.rdatatype.SOA)
            and gate["rcode"] == peer["rcode"] == "NOERROR" and not gate["answer"])


@listed("rcode", "flags", "authority", "TTL", "options")
def special_delegation(question, gate, peer):
    """DS is data of the zone above: unbound asks there even for localhost."""
    return (question.is_special() and question.question.rdtype == dns.rdatatype.DS
            and gate["rcode"] in ("NOERROR", "NXDOMAIN") and peer["rcode"] == "SERVFAIL")


@listed("rcode", "flags", "authority", "TTL", "options")
def newer_special_name(question, gate, peer):
    """local (RFC 6762), alt (RFC 9476), resolver.arpa (RFC 9462): not every unbound has them, or has
    anything below them."""
    return (str(question.question.name).lower().endswith((".local.", ".alt.", "resolver.arpa."))
            and gate["rcode"] in ("NOERROR", "NXDOMAIN")
            and peer["rcode"] in ("SERVFAIL", "NXDOMAIN"))


@listed("options")
def why_it_failed(question, gate, peer):
    """dotgate says so with an EDE (RFC 8914); unbound has it off."""
    return (gate["rcode"] == "SERVFAIL"
            and set(gate["options"]) - {EDE} == set(peer["options"]))


def explain(part, question, gate, peer):
    """The name of the listed difference that this is, or None."""
    return next((name for name, (parts, applies) in LISTED.items()
                 if part in parts and applies(question, gate, peer)), None)


def is_equal(part, gate, peer):
    if part == "TTL":
        return near(gate[part], peer)
    if part == "additional":  # a courtesy: what a server has at hand, or nothing
        return gate[part] == peer[part] or [] in (gate[part], peer[part])
    return gate[part] == peer[part]


# ---- the test

@pytest.fixture
def servers(certificates, tmp_path, start_dotgate):
    """Knot with the zone, unbound over TLS before it, and before that dotgate and unbound."""
    valid = certificates.get("valid")
    running = []

    def start(name, program, *how, **words):
        running.append(real.Server(tmp_path / name, program, *how, domain=questions.ORIGIN,
                                   zone=questions.zone(), **words))
        return running[-1]

    knot = start("knot", "knotd", real.KNOT, [])
    upstream = start("upstream", "unbound", real.UNBOUND, ["-d", "-p"], behind=knot.port,
                     key=valid.key, chain=valid.chain, more=QUIET)
    peer = start("peer", "unbound", real.FORWARDER, ["-d", "-p"], behind=upstream.port,
                 ca=certificates.ca_file, more=QUIET)
    yield start_dotgate(upstream.spelling(), env={"DOTGATE_SPECIAL_NAMES": "on"}), peer
    for server in reversed(running):
        server.stop()


def ask(port, question, timeout=client.PATIENCE):
    if question.tcp:
        with client.Stream("127.0.0.1", port, timeout) as stream:
            stream.sock.sendall(wire.frame(question.wire))
            return stream.receive_raw()
    return client.udp_raw("127.0.0.1", port, question.wire, timeout)


def ask_peer(port, question):
    """As clients of unbound do: where a busy machine keeps it waiting for 2 s it drops the query, or
    has no room for one more connection. dotgate has to answer at once."""
    data = None
    for _ in range(PEER_TRIES):
        try:
            data = ask(port, question, timeout=PEER_TIMEOUT)
        except OSError:
            continue
        if data and data[3] & 15 != dns.rcode.SERVFAIL:
            break
    return data


def differences(gate, peer):
    """Asks both COUNT questions. Yields (name of the listed difference or None, text) of each part
    that is not equal."""
    generator, start = questions.Generator(SEED), time.monotonic()
    for number in range(COUNT):
        question = generator.next()
        data = ask(gate.port, question), ask_peer(peer.port, question)
        if None in data:
            yield None, f"{number}: {question}\n  no answer of {'unbound' if data[0] else 'dotgate'}"
            continue
        g, p = (Heard(question, d, time.monotonic() - start) for d in data)
        for part in [part for part in g.parts if not is_equal(part, g, p)]:
            yield explain(part, question, g, p), (
                f"{number}: {question}\n  {part} of dotgate: {g[part]}\n  {part} of unbound: {p[part]}")


def test_answers_are_those_of_unbound(servers):
    found = collections.defaultdict(list)
    for name, text in differences(*servers):
        found[name].append(text)
    for name, texts in found.items():
        print(len(texts), name)
    unknown = found.pop(None, [])
    assert not unknown, f"seed {SEED}, {len(unknown)} of {COUNT}:\n" + "\n".join(unknown[:SHOWN])
    if (COUNT, SEED) == DEFAULTS:
        assert set(found) == set(LISTED), "a difference that is no more is to be taken off the list"
