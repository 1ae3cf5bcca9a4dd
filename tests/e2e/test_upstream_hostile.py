"""What an upstream can say that it should not: nobody gets a wrong answer, and the others on
the same connection get theirs."""
import struct
import time

import dns.flags
import pytest

import client
import wire
from upstream import random_closer

NEIGHBOURS = [f"n{i}.example.test" for i in range(20)]


def is_victim(q):
    return q.name.lower().startswith("victim")


def only_victim(do):
    """An on_query that does DO to the victim's queries, and answers all others."""

    def on_query(conn, q):
        if is_victim(q):
            do(conn, q)
        else:
            conn.answer(q)

    return on_query


def check_neighbours(gate, up, victim=None, seconds=4):
    """Asks for the victim among others: each of these is answered in time. Returns the
    victim's answer, once it is there."""
    names = [*NEIGHBOURS[:10], "victim.example.test", *NEIGHBOURS[10:]]
    b = client.Burst(gate.address, gate.port, names)
    answers = b.collect()
    for name in NEIGHBOURS:
        assert name in answers, f"{name} was lost"
        assert client.is_good(answers[name], name), answers[name]
        assert b.times[name] < seconds
    victim = answers.get("victim.example.test")
    assert victim is not None, "the victim was not answered at all"
    return victim, b.times["victim.example.test"]


def other_name(q, name):
    return wire.encode_name(name) + struct.pack("!2H", q.type, q.klass)


def question(q, rtype=None, klass=None):
    return q.qname + struct.pack("!2H", rtype or q.type, klass or q.klass)


def spoof(q, **how):
    """An answer that would be taken if nobody looked closely."""
    return wire.answer(q, answers=[wire.record(b"\xc0\x0c", wire.A, b"\x06\x06\x06\x06")], **how)


# What is sent instead of, or before, the right answer: none of it may be taken.
WRONG = {
    "wrong id": lambda q: spoof(q, id=q.id ^ 0x5555),
    "wrong name": lambda q: spoof(q, question=other_name(q, "evil.example.test")),
    "name one longer": lambda q: spoof(q, question=other_name(q, "a." + q.name)),
    "same letters, other labels": lambda q: spoof(
        q, question=other_name(q, q.name.replace(".example", "-example"))),
    "wrong type": lambda q: spoof(q, question=question(q, rtype=wire.AAAA)),
    "wrong class": lambda q: spoof(q, question=question(q, klass=3)),
    "QR=0": lambda q: spoof(q, flags=wire.RD),
    "its own query": lambda q: q.wire,
    "opcode 4": lambda q: spoof(q, flags=wire.ANSWER | 4 << 11),
    "no question": lambda q: spoof(q, question=b""),
    "two questions": lambda q: wire.message(q.id, wire.ANSWER, q.question * 2,
                                            counts=(2, 0, 0, 0)),
    "header alone": lambda q: wire.message(q.id, wire.ANSWER),
    "question cut": lambda q: wire.message(q.id, wire.ANSWER, q.question[:-3]),
    "answer cut": lambda q: spoof(q)[:len(q.question) + 12 + 9],
    "more answers than there are": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, counts=(1, 65535, 0, 0)),
    "pointer to itself": lambda q: wire.message(
        q.id, wire.ANSWER, q.question,
        [wire.record(struct.pack("!H", 0xC000 + 12 + len(q.question)), 1, b"\6\6\6\6")]),
    "two pointers in a ring": lambda q: ring(q),
    "pointer past the end": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, [wire.record(b"\xff\xff", 1, b"\6\6\6\6")]),
    "pointer forwards": lambda q: wire.message(
        q.id, wire.ANSWER, q.question,
        [wire.record(struct.pack("!H", 0xC000 + 12 + len(q.question) + 16), 1, b"\6\6\6\6"),
         wire.record(b"\0", 1, b"\6\6\6\6")]),
    "pointer in the question": lambda q: wire.message(
        q.id, wire.ANSWER, b"\xc0\x0c" + q.question[-4:]),
    "label type 01": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, [wire.record(b"\x41abc\0", 1, b"\6\6\6\6")]),
    "rdata past the end": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, [b"\xc0\x0c\0\1\0\1\0\0\0\1\xff\xff\6\6\6\6"]),
    "two OPTs": lambda q: wire.message(q.id, wire.ANSWER, q.question,
                                       additional=[wire.opt(), wire.opt()]),
    "OPT length overruns": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, additional=[b"\0\0\x29\4\xd0\0\0\0\0\xff\xff"]),
    "option overruns OPT": lambda q: wire.message(
        q.id, wire.ANSWER, q.question, additional=[b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0f\0\x40"]),
    "garbage": lambda q: struct.pack("!H", q.id) + bytes(range(200, 256)) * 3,
    "zeros": lambda q: struct.pack("!H", q.id) + bytes(100),
}


def ring(q):
    at = 12 + len(q.question)  # two owners that point at one another
    first = struct.pack("!H", 0xC000 + at + 16)
    second = struct.pack("!H", 0xC000 + at)
    return wire.message(q.id, wire.ANSWER, q.question,
                        [wire.record(first, 1, b"\6\6\6\6"), wire.record(second, 1, b"\6\6\6\6")])


@pytest.mark.parametrize("case", WRONG)
def test_wrong_answer_before_the_right_one(served, case):
    """It is dropped, and the right one that follows is used; the connection stays."""
    wrong = WRONG[case]

    def do(conn, q):
        conn.send(wrong(q), wire.answer(q))

    up, gate = served(on_query=only_victim(do), http=True)
    victim, seconds = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test"), victim
    assert seconds < 4
    assert up.count == len(NEIGHBOURS) + 1, "asked more often than needed"
    assert gate.metric("dotgate_upstream_answers_dropped_total") == 1


# Those that could be passed off as harmless; the rest differ only in what is malformed.
ALONE = ["wrong id", "wrong name", "wrong type", "QR=0", "no question", "garbage",
         "two pointers in a ring", "answer cut"]


@pytest.mark.parametrize("case", ALONE)
def test_wrong_answer_alone(served, case):
    """Nothing right ever comes: SERVFAIL in bounded time, and nobody else suffers."""
    up, gate = served(on_query=only_victim(lambda conn, q: conn.send(WRONG[case](q))))
    victim, seconds = check_neighbours(gate, up)
    assert client.rcode(victim) == "SERVFAIL"
    assert client.ede(victim)[1].startswith("query_timeout")
    assert seconds < 8
    assert sum(is_victim(q) for q in up.queries) <= 5


def test_swapped_ids(served):
    """The answers to two queries go out under each other's id."""
    held = []

    def on_query(conn, q):
        if not is_victim(q):
            conn.answer(q)
            return
        held.append(q)
        if len(held) == 2:
            a, b = held
            conn.send(spoof(a, id=b.id), spoof(b, id=a.id))
            conn.send(wire.answer(a), wire.answer(b))

    up, gate = served(on_query=on_query)
    names = ["victim1.example.test", "victim2.example.test", *NEIGHBOURS]
    answers = gate.burst(names)
    assert all(client.is_good(answers[name], name) for name in names)


def test_right_rdata_for_two_types_of_one_name(served):
    """Same name, two types, answers swapped: each is matched by its type."""
    held = []

    def on_query(conn, q):
        held.append(q)
        if len(held) == 2:
            conn.send(*[wire.answer(q) for q in reversed(held)])

    _, gate = served(on_query=on_query)
    with gate.stream() as s:
        a, aaaa = client.query("both.example.test"), client.query("both.example.test", "AAAA")
        s.send(a, aaaa)
        got = {r.id: r for r in (s.receive(), s.receive())}
    assert got[a.id].answer[0].rdtype == wire.A
    assert got[aaaa.id].answer[0].rdtype == wire.AAAA


def test_duplicates(served):
    _, gate = served(on_query=lambda conn, q: conn.send(*[wire.answer(q)] * 3))
    answers = gate.burst(NEIGHBOURS)  # a second answer to a client fails in there
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)


def test_late_duplicate_is_not_taken_for_another(served):
    """A copy of an old answer with the id of a new query."""
    old = []

    def on_query(conn, q):
        if old:
            conn.send(wire.answer(old[0], id=q.id))
        old.append(q)
        conn.answer(q)

    _, gate = served(on_query=on_query)
    for name in NEIGHBOURS:
        assert client.is_good(gate.ask(name), name)


def test_unsolicited_answers(served):
    def storm(conn):
        for i in range(40):
            q = wire.Query(wire.message(i, wire.RD, wire.encode_name("u.test") + b"\0\1\0\1"), 0)
            conn.send(spoof(q))

    up, gate = served(on_ready=storm)
    victim, _ = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test")


def test_endless_noise_is_cut_off(served):
    """Who sends nothing but rubbish loses the connection. While that goes on others may be
    refused, but they hear so in time; as soon as it is over all is well."""
    noisy = [True]

    def on_query(conn, q):
        if is_victim(q) and noisy:
            for i in range(2000):
                conn.send(spoof(q, id=(q.id + 1 + i) & 0xFFFF))
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    client.Burst(gate.address, gate.port, ["victim.example.test"]).sock.close()
    answers = gate.burst(NEIGHBOURS, timeout=8)
    assert set(answers) == set(NEIGHBOURS)
    assert sum(is_victim(q) for q in up.queries) <= 32
    noisy.clear()
    end = time.monotonic() + 15
    while not client.is_good(gate.ask("after.example.test"), "after.example.test"):
        assert time.monotonic() < end


# ---- how it is cut and ordered

def test_out_of_order(served):
    held = []

    def on_query(conn, q):
        held.append(q)
        if len(held) == len(NEIGHBOURS):
            conn.send(*[wire.answer(q) for q in reversed(held)])

    up, gate = served(on_query=on_query)
    answers = gate.burst(NEIGHBOURS)
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)
    assert len([c for c in up.connections if c.queries]) == 1


def test_slow_one_does_not_hold_up_others(served):
    up, gate = served(on_query=only_victim(lambda conn, q: conn.answer_later(2, q)))
    victim, seconds = check_neighbours(gate, up, seconds=1.9)
    assert client.is_good(victim, "victim.example.test")
    assert 1.9 < seconds < 5


def test_many_answers_in_one_record(served):
    """All in one TLS record: once it is read, the socket is no longer readable."""
    held = []

    def on_query(conn, q):
        held.append(q)
        if len(held) == len(NEIGHBOURS):
            conn.write(b"".join(wire.frame(wire.answer(q)) for q in held))

    _, gate = served(on_query=on_query)
    b = client.Burst(gate.address, gate.port, NEIGHBOURS)
    answers = b.collect()
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)
    assert max(b.times.values()) < 0.9, "some waited for a time-out"


def test_many_records_in_one_segment(served):
    """Records of their own, in one write: what TLS has read ahead does not show either."""
    held = []

    def on_query(conn, q):
        held.append(q)
        if len(held) == len(NEIGHBOURS):
            answers = b"".join(wire.frame(wire.answer(q)) for q in held)
            conn.record_size = 40
            conn.write(answers)

    _, gate = served(on_query=on_query)
    b = client.Burst(gate.address, gate.port, NEIGHBOURS)
    answers = b.collect()
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)
    assert max(b.times.values()) < 0.9


def test_records_of_one_octet(served):
    def tiny(conn):
        conn.record_size = 1

    _, gate = served(on_ready=tiny)
    answers = gate.burst(NEIGHBOURS)
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)


def test_answer_in_drips(served):
    """One octet at a time, each in a segment of its own, over a second."""
    def drip(conn, q):
        data = wire.frame(wire.answer(q))
        for i in range(len(data)):
            conn.later(0.02 * i, conn.write, data[i:i + 1])

    _, gate = served(on_query=drip)
    assert client.is_good(gate.ask("drip.example.test"), "drip.example.test")


# ---- sizes

def big_answer(q, size):
    """An answer of just SIZE octets: A records, and one unknown record to fill up."""
    opt = wire.opt() if q.opt() else b""
    room = size - 12 - len(q.question) - len(opt)
    records = []
    while room >= 16 + 12 + 1:
        records.append(wire.record(b"\xc0\x0c", wire.A, wire.digest(q.name)[:4]))
        room -= 16
    records.append(wire.record(b"\xc0\x0c", 65280, bytes(room - 12)))
    return wire.message(q.id, wire.ANSWER, q.question, records,
                        additional=[opt] if opt else [])


@pytest.mark.parametrize("size", [1232, 1233, 16384, 16385, 65534, 65535])
def test_large_answers(served, size):
    up, gate = served(on_query=only_victim(lambda conn, q: conn.send(big_answer(q, size))))
    with gate.stream() as s:
        for name in ("victim.example.test", "x.example.test"):
            s.send(client.query(name))
        got = [s.receive_raw(), s.receive_raw()]
    big = max(got, key=len)
    assert len(big) >= size - 11 and client.parse(big).answer  # our OPT may be shorter
    assert client.is_good(client.parse(min(got, key=len)), "x.example.test")


def test_largest_answer_over_udp(served):
    _, gate = served(on_query=lambda conn, q: conn.send(big_answer(q, 65535)))
    r = gate.ask("victim.example.test")
    assert r.flags & dns.flags.TC and not r.answer


def test_many_of_the_largest(served):
    _, gate = served(on_query=lambda conn, q: conn.send(big_answer(q, 65535)))
    with gate.stream() as s:
        queries = [client.query(f"b{i}.example.test") for i in range(40)]
        s.send(*queries)
        ids = {int.from_bytes(s.receive_raw()[:2], "big") for _ in queries}
    assert ids == {q.id for q in queries}
    assert gate.rss_kib() < 200 * 1024


def compressed(q, depth):
    """Names that are each a label and a pointer to the one before: all legal."""
    at, records, target = 12 + len(q.question), [], 12
    for _ in range(depth):
        owner = b"\1a" + struct.pack("!H", 0xC000 + target)
        record = wire.record(owner, wire.A, wire.digest(q.name)[:4])
        records.append(record)
        target, at = at, at + len(record)
    return wire.message(q.id, wire.ANSWER, q.question, records)


@pytest.mark.parametrize("depth", [14, 60])
def test_deep_compression(served, depth):
    """Passed on, or dropped with the plain answer behind it taken; at once in either case."""
    up, gate = served(on_query=lambda conn, q: conn.send(compressed(q, depth), wire.answer(q)))
    with gate.stream() as s:
        s.send(client.query("deep.example.test"))
        data = s.receive_raw()
    assert data[3] & 15 == 0 and int.from_bytes(data[6:8], "big") in (depth, 1)
    if depth == 14:  # what dnspython reads
        assert client.parse(data).answer


def test_compression_bomb_costs_little(served):
    """65,535 octets of records whose owners are chains of pointers."""
    def bomb(q):
        at, records, target = 12 + len(q.question), [], 12
        while at < 65000:
            owner = struct.pack("!H", 0xC000 + min(target, 0x3FFF))
            records.append(wire.record(owner, wire.A, b"\6\6\6\6"))
            target, at = at, at + 16
        return wire.message(q.id, wire.ANSWER, q.question, records)

    up, gate = served(on_query=only_victim(lambda conn, q: conn.send(bomb(q), wire.answer(q))))
    before = gate.cpu_seconds()
    victim, seconds = check_neighbours(gate, up)
    assert client.rcode(victim) == "NOERROR" and seconds < 4
    assert gate.cpu_seconds() - before < 1


def test_tc_over_tls_is_not_chased(served):
    """TC=1 over TLS means nothing: passed on or refused, but not asked for ever."""
    def truncated(conn, q):
        conn.answer(q, flags=wire.ANSWER | wire.TC, answers=[])

    up, gate = served(on_query=only_victim(truncated))
    victim, seconds = check_neighbours(gate, up)
    assert seconds < 8
    assert sum(is_victim(q) for q in up.queries) <= 3
    r = gate.tcp(client.query("victim2.example.test"))
    assert r is not None
    assert sum(is_victim(q) for q in up.queries) <= 6


# ---- framing

BAD_FRAMES = {
    "length 0": b"\0\0",
    "length 1": b"\0\1x",
    "length 11": b"\0\x0b" + bytes(11),
}


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_frame_too_short_for_dns(served, case):
    """The stream cannot be trusted any more: its queries move to a fresh connection."""
    done = []

    def on_query(conn, q):
        if is_victim(q) and not done:
            done.append(q)
            conn.write(BAD_FRAMES[case])
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query, http=True)
    victim, seconds = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test") and seconds < 4
    assert gate.metric("dotgate_upstream_connections_closed_total", reason="bad_frame") == 1


def test_frame_longer_than_the_message(served):
    """The length announces more than comes: what follows is swallowed, then it is silent."""
    done = []

    def on_query(conn, q):
        if is_victim(q) and not done:
            done.append(q)
            message = wire.answer(q)
            conn.write(struct.pack("!H", 60000) + message)
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    answers = gate.burst(["victim.example.test", *NEIGHBOURS])
    assert len(answers) == len(NEIGHBOURS) + 1
    # a second connection is tried after some silence
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")


def test_frame_shorter_than_the_message(served):
    """The tail of the message is read as the next length."""
    done = []

    def on_query(conn, q):
        if is_victim(q) and not done:
            done.append(q)
            message = wire.answer(q)
            conn.write(struct.pack("!H", len(message) - 4) + message)
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    answers = gate.burst(["victim.example.test", *NEIGHBOURS])
    assert len(answers) == len(NEIGHBOURS) + 1
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")


def test_garbage_stream(served):
    done = []

    def on_query(conn, q):
        if len(done) < 3:
            done.append(q)
            conn.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
            conn.close()
        conn.answer(q)

    up, gate = served(on_query=on_query)
    answers = gate.burst(NEIGHBOURS)
    assert all(client.is_good(answers[n], n) for n in NEIGHBOURS)


def test_not_tls_at_all(served):
    def http(conn):
        conn.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        conn.hold()

    up, gate = served(on_accept=http)
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("tls_")
    assert not up.queries


def test_plain_bytes_inside_tls(served):
    """Octets that are no TLS record, in the middle of a good connection."""
    done = []

    def on_query(conn, q):
        if is_victim(q) and not done:
            done.append(q)
            conn.sock.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    victim, seconds = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test") and seconds < 4


# ---- what is counted, and as what

DROPPED = {"wrong id": "unmatched", "wrong name": "unmatched", "wrong type": "unmatched",
           "wrong class": "unmatched", "QR=0": "bad_answer", "no question": "bad_answer",
           "answer cut": "bad_answer", "two pointers in a ring": "bad_answer",
           "two OPTs": "bad_answer", "garbage": "bad_answer"}


def test_dropped_answers_are_counted_by_reason(served):
    """All on one connection, each before the right answer to the same query."""
    cases = list(DROPPED)

    def on_query(conn, q):
        conn.send(WRONG[cases[int(q.name[1])]](q), wire.answer(q))

    up, gate = served(on_query=on_query, http=True)
    for i, case in enumerate(cases):
        before = gate.metrics()
        assert client.is_good(gate.ask(f"c{i}.example.test"), f"c{i}.example.test"), case
        after = gate.metrics()
        rose = {row: n - before.get(row, 0) for row, n in after.items()
                if row.startswith("dotgate_upstream_answers_dropped_total")
                and n != before.get(row, 0)}
        assert list(rose.values()) == [1] and f'reason="{DROPPED[case]}"' in list(rose)[0], case
    assert len(up.connections) == 1


def test_duplicates_and_unsolicited_are_counted(served):
    def early(conn):
        q = wire.Query(wire.message(7, wire.RD, wire.encode_name("u.test") + b"\0\1\0\1"), 0)
        conn.send(spoof(q), spoof(q))

    up, gate = served(on_query=lambda conn, q: conn.send(*[wire.answer(q)] * 3), on_ready=early,
                      http=True)
    for name in NEIGHBOURS[:5]:
        assert client.is_good(gate.ask(name), name)
    dropped = gate.metric("dotgate_upstream_answers_dropped_total", reason="unmatched")
    assert dropped == 2 + 5 * 2 and len(up.connections) == 1


def test_late_answer_is_counted_and_harms_nobody(served):
    up, gate = served(options=["--query-timeout", "1s"], http=True,
                      on_query=only_victim(lambda conn, q: conn.answer_later(1.6, q)))
    victim, seconds = check_neighbours(gate, up)
    assert client.ede(victim)[1].startswith("query_timeout") and 0.9 < seconds < 4
    time.sleep(1.5)
    for name in NEIGHBOURS:
        assert client.is_good(gate.ask("b-" + name), "b-" + name)
    # the silent connection may have ended, with nothing out on it any more
    assert (up.connections[0].ended
            or gate.metric("dotgate_upstream_answers_dropped_total", reason="late") >= 1)
    assert gate.metric("dotgate_upstream_answers_dropped_total", reason="bad_answer") == 0


# ---- EDNS of the upstream

def test_opt_with_an_owner_is_dropped(served):
    def wrong(q):
        opt = wire.encode_name("owner.test") + wire.opt()[1:]
        return wire.message(q.id, wire.ANSWER, q.question, additional=[opt])

    up, gate = served(on_query=only_victim(lambda c, q: c.send(wrong(q), wire.answer(q))),
                      http=True)
    victim, _ = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test")
    assert gate.metric("dotgate_upstream_answers_dropped_total", reason="bad_answer") == 1


@pytest.mark.parametrize("section", ["answers", "authority"])
def test_opt_in_another_section_is_dropped(served, section):
    def wrong(q):
        return wire.message(q.id, wire.ANSWER, q.question, **{section: [wire.opt()]})

    up, gate = served(on_query=only_victim(lambda c, q: c.send(wrong(q), wire.answer(q))),
                      http=True)
    victim, _ = check_neighbours(gate, up)
    assert client.is_good(victim, "victim.example.test")
    assert gate.metric("dotgate_upstream_answers_dropped_total", reason="bad_answer") == 1


def test_opt_that_is_not_the_last(served):
    """Legal, if odd: the answer is used, the client sees one OPT, and it is ours."""
    def odd(conn, q):
        glue = wire.record(wire.encode_name("glue.test"), wire.A, b"\1\2\3\4")
        answer = wire.record(b"\xc0\x0c", wire.A, wire.rdata_for(q))
        conn.send(wire.message(q.id, wire.ANSWER, q.question, [answer],
                               additional=[wire.opt(size=4096), glue]))

    _, gate = served(on_query=odd)
    r = gate.ask("odd.example.test")
    assert client.is_good(r, "odd.example.test") and r.edns == 0 and r.payload == 1232
    r = gate.udp(client.query("odd.example.test", edns=False))
    assert client.is_good(r, "odd.example.test") and r.edns == -1


def test_extended_rcode(served):
    """BADCOOKIE has bits in the OPT: a client without EDNS is told SERVFAIL."""
    def badcookie(conn, q):
        conn.send(wire.message(q.id, wire.ANSWER | 23 & 15, q.question,
                               additional=[wire.opt(ttl=23 >> 4 << 24)]))

    _, gate = served(on_query=badcookie)
    assert gate.ask("x.example.test").rcode() == 23
    assert client.rcode(gate.udp(client.query("y.example.test", edns=False))) == "SERVFAIL"


def test_options_that_are_too_many_or_too_long(served):
    """EDE comes down in a bounded measure, nothing else does, and UDP's limit holds."""
    options = [(10, bytes(16)), (65001, bytes(3000))]
    options += [(15, struct.pack("!H", 15) + b"blocked " * 300) for _ in range(20)]
    up, gate = served(on_query=lambda conn, q: conn.answer(q, options=options))
    data = client.udp_raw(gate.address, gate.port, client.query("o.example.test").to_wire())
    r = client.parse(data)
    assert len(data) <= 1232 and client.is_good(r, "o.example.test")
    assert {int(o.otype) for o in r.options} <= {15} and len(r.options) <= 8
    assert not gate.udp(client.query("o.example.test", edns=False)).options


# ---- odd, and still right

def test_compression_of_100_levels_passes(served):
    """Legal: each name is a label and a pointer to the one before."""
    up, gate = served(on_query=lambda conn, q: conn.send(compressed(q, 100)), http=True)
    with gate.stream() as s:
        s.send(client.query("d.test"))
        data = s.receive_raw()
    assert data[3] & 15 == 0 and int.from_bytes(data[6:8], "big") == 100
    assert gate.metric("dotgate_upstream_answers_dropped_total") == 0


def test_answer_in_another_case(served):
    """Names are equal in any case (RFC 4343); the client's own comes back."""
    def upper(conn, q):
        conn.answer(q, question=q.qname.upper() + q.question[-4:])

    _, gate = served(on_query=upper)
    r = gate.ask("cAsE.example.test")
    assert client.is_good(r, "case.example.test")
    assert r.question[0].name.to_text() == "cAsE.example.test."


def test_octets_behind_the_message(served):
    """Inside the frame, behind the last record: they do not reach the client."""
    up, gate = served(on_query=lambda conn, q: conn.send(wire.answer(q) + b"trailer" * 9))
    for name in NEIGHBOURS[:5]:
        data = client.udp_raw(gate.address, gate.port, client.query(name).to_wire())
        assert b"trailer" not in data and client.is_good(client.parse(data), name)
    assert len(up.connections) == 1


def test_too_long_a_frame_costs_no_answer(served):
    """It claims 60,000 octets and goes on as if nothing were: whoever waits on that
    connection is answered over a second one, the victim too."""
    done = []

    def on_query(conn, q):
        if is_victim(q) and not done:
            done.append(q)
            conn.write(struct.pack("!H", 60000) + wire.answer(q))
        else:
            conn.answer(q)

    up, gate = served(on_query=on_query)
    victim, seconds = check_neighbours(gate, up, seconds=4.9)
    assert client.is_good(victim, "victim.example.test") and seconds < 4.9


# ---- all of it at once

def test_closing_at_random(served):
    """Two seconds of load; the long version is in test_soak.py."""
    up, gate = served(on_query=random_closer(10))
    for i in range(20):
        names = [f"r{i}-{j}.example.test" for j in range(25)]
        answers = gate.burst(names)
        assert set(answers) == set(names)
        bad = [n for n in names if not client.is_good(answers[n], n)]
        assert not bad, (bad, client.ede(answers[bad[0]]))
