"""Messages that clients should not send: dropped, or answered here; none goes up."""
import struct

import dns.flags
import dns.message
import dns.opcode
import pytest

import client
import wire
from client import query

QUESTION = wire.encode_name("c.example.test") + struct.pack("!2H", wire.A, wire.IN)
DROPPED = None


def header(flags=wire.RD, counts=(1, 0, 0, 0), id=0x4242):
    return struct.pack("!6H", id, flags, *counts)


def raw_opt(owner=b"\0", size=1232, ttl=0, length=None, data=b""):
    return owner + struct.pack("!HHIH", wire.OPT, size, ttl,
                               len(data) if length is None else length) + data


def one_question(rtype, klass=wire.IN):
    return header() + wire.encode_name("c.example.test") + struct.pack("!2H", rtype, klass)


OPT1 = header(counts=(1, 0, 0, 1)) + QUESTION

# name: (message, rcode or DROPPED)
CASES = {
    "empty": (b"", DROPPED),
    "one octet": (b"\0", DROPPED),
    "eleven octets": (header()[:11], DROPPED),
    "an answer": (header(flags=wire.QR | wire.RD) + QUESTION, DROPPED),
    "header alone": (header(counts=(0, 0, 0, 0)), "FORMERR"),
    "question missing": (header(), "FORMERR"),
    "question cut": (header() + QUESTION[:-1], "FORMERR"),
    "two questions": (header(counts=(2, 0, 0, 0)) + 2 * QUESTION, "FORMERR"),
    "65535 questions": (header(counts=(65535, 0, 0, 0)) + QUESTION, "FORMERR"),
    "an answer record": (header(counts=(1, 1, 0, 0)) + QUESTION
                         + wire.record(b"\xc0\x0c", wire.A, b"\1\2\3\4"), "FORMERR"),
    "pointer in question": (header() + b"\xc0\x0c" + struct.pack("!2H", 1, 1), "FORMERR"),
    "pointer behind label": (header() + b"\1a\xc0\x0c" + struct.pack("!2H", 1, 1), "FORMERR"),
    "label of 64": (header() + b"\x40" + 64 * b"a" + b"\0\0\1\0\1", "FORMERR"),
    "label type 10": (header() + b"\x80a\0\0\1\0\1", "FORMERR"),
    "name of 256": (header() + 4 * (b"\x3f" + 63 * b"a") + b"\0\0\1\0\1", "FORMERR"),
    "name without end": (header() + 20 * b"\x01a", "FORMERR"),
    "two OPTs": (header(counts=(1, 0, 0, 2)) + QUESTION + raw_opt() * 2, "FORMERR"),
    "OPT with owner": (OPT1 + raw_opt(owner=b"\1a\0"), "FORMERR"),
    "OPT cut": (OPT1 + raw_opt()[:-1], "FORMERR"),
    "OPT length overruns": (OPT1 + raw_opt(length=0xFFFF), "FORMERR"),
    "OPT length overruns by one": (OPT1 + raw_opt(length=5, data=b"\0\3\0\0"), "FORMERR"),
    "option overruns OPT": (OPT1 + raw_opt(data=b"\0\3\0\x40" + b"abcd"), "FORMERR"),
    "option header cut": (OPT1 + raw_opt(data=b"\0\3\0"), "FORMERR"),
    "count without record": (OPT1, "FORMERR"),
    "EDNS version 1": (OPT1 + raw_opt(ttl=1 << 16), "BADVERS"),
    "EDNS version 255": (OPT1 + raw_opt(ttl=255 << 16), "BADVERS"),
    "class 0": (one_question(wire.A, 0), "FORMERR"),
    "type OPT": (one_question(41), "FORMERR"),
    "type 0": (one_question(0), "FORMERR"),
    "AXFR": (one_question(252), "REFUSED"),
    "IXFR": (one_question(251), "REFUSED"),
    "MAILB": (one_question(253), "NOTIMP"),
    "opcode STATUS": (header(flags=2 << 11) + QUESTION, "NOTIMP"),
    "opcode NOTIFY": (header(flags=4 << 11) + QUESTION, "NOTIMP"),
    "opcode UPDATE": (header(flags=5 << 11) + QUESTION, "NOTIMP"),
    "opcode DSO": (header(flags=6 << 11, counts=(0, 0, 0, 0)) + bytes(4), "NOTIMP"),
    "opcode UPDATE, CD": (header(flags=5 << 11 | 0x10) + QUESTION, "NOTIMP"),
    "opcode 15": (header(flags=15 << 11) + QUESTION, "NOTIMP"),
}


@pytest.fixture
def gate(pair):
    return pair[1]


def check_answer(data, message, rcode):
    assert data[:2] == message[:2] and data[2] & 0x80
    assert data[2] & 0x78 == message[2] & 0x78, "the opcode is repeated"
    if message[2] & 0x78:
        assert not data[3] & 0x90, "RA and CD are for queries"
    got = (data[3] & 15) | (0x10 if rcode == "BADVERS" else 0)
    assert dns.rcode.to_text(got) == rcode
    if rcode == "BADVERS":
        assert client.rcode(client.parse(data)) == "BADVERS"
        assert client.parse(data).edns == 0
    assert len(data) <= max(512, len(message))


@pytest.mark.parametrize("case", CASES)
def test_udp(pair, case):
    up, gate = pair
    message, rcode = CASES[case]
    data = client.udp_raw(gate.address, gate.port, message, 0.3 if rcode is DROPPED else 8)
    if rcode is DROPPED:
        assert data is None
    else:
        check_answer(data, message, rcode)
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")
    assert up.names() == ["after.example.test"]


@pytest.mark.parametrize("case", [c for c in CASES if CASES[c][1] is not DROPPED])
def test_tcp(pair, case):
    """The query behind the odd one on the same connection is answered too."""
    up, gate = pair
    message, rcode = CASES[case]
    with gate.stream() as s:
        s.send(message, query("after.example.test"))
        got = [s.receive_raw(), s.receive_raw()]
    got.sort(key=lambda data: data[:2] != message[:2])
    check_answer(got[0], message, rcode)
    assert client.is_good(client.parse(got[1]), "after.example.test")
    assert up.names() == ["after.example.test"]


@pytest.mark.parametrize("case", [c for c in CASES if CASES[c][1] is DROPPED])
def test_tcp_dropped(pair, case):
    """It is not answered; whether the connection lives on is dotgate's to say."""
    up, gate = pair
    with gate.stream() as s:
        s.send(CASES[case][0])
        try:
            s.send(query("after.example.test"))
        except OSError:
            pass
        r = s.receive()
        assert r is None or client.is_good(r, "after.example.test")
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")
    assert set(up.names()) == {"after.example.test"}


def test_trailing_octets_do_not_go_up(pair):
    up, gate = pair
    data = client.udp_raw(gate.address, gate.port, query("t.example.test").to_wire() + b"smuggled")
    assert data is not None
    assert not any(b"smuggled" in q.wire for q in up.queries)


def test_a_storm_of_noise(pair):
    """Random octets, seeded; the daemon must serve on."""
    import random
    dice = random.Random(7)
    _, gate = pair
    with client.connect_udp(gate.address, gate.port) as sock:
        for _ in range(3000):
            noise = dice.randbytes(dice.randrange(90))
            if dice.randrange(2) and len(noise) > 4:  # a plausible header
                noise = noise[:2] + b"\1\0\0\1\0\0\0\0\0\1" + noise[4:]
            sock.send(noise)
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")


def test_counted(served):
    _, gate = served(http=True)
    before = gate.metric("dotgate_dropped_total", reason="short_message")
    for _ in range(3):
        client.udp_raw(gate.address, gate.port, b"short", 0.1)
        client.udp_raw(gate.address, gate.port, header(flags=wire.QR) + QUESTION, 0.1)
    assert gate.metric("dotgate_dropped_total", reason="short_message") == before + 3
    assert gate.metric("dotgate_dropped_total", reason="not_a_query") == 3
