"""Identical questions share one upstream query; others do not."""
import time

import dns.flags

import client
import wire

SLOW = 0.5


def slow(conn, q):
    conn.answer_later(SLOW, q)


def test_a_hundred_clients_one_query(served):
    up, gate = served(on_query=slow, http=True)
    sockets = [client.connect_udp(gate.address, gate.port) for _ in range(100)]
    ids = []
    for i, sock in enumerate(sockets):
        q = client.query("Same.Example.Test" if i % 2 else "same.example.test")
        ids.append(q.id)
        sock.send(q.to_wire())
    for i, sock in enumerate(sockets):
        data = sock.recv(4096)
        r = client.parse(data)
        assert r.id == ids[i] and client.is_good(r, "same.example.test")
        assert data[13:14] == (b"S" if i % 2 else b"s")
        sock.close()
    assert up.names() == ["same.example.test"]
    assert gate.metric("dotgate_joined_total") == 99


def test_do_and_cd_are_questions_of_their_own(served):
    """DO and CD change the answer (CVE-2024-0874): they are asked for themselves."""
    up, gate = served(on_query=slow)
    rd = dns.flags.RD
    variants = [dict(), dict(want_dnssec=True), dict(flags=rd | dns.flags.CD),
                dict(want_dnssec=True, flags=rd | dns.flags.CD)]
    sockets = []
    for _ in range(10):
        for v in variants:
            sock = client.connect_udp(gate.address, gate.port)
            sock.send(client.query("v.example.test", **v).to_wire())
            sockets.append(sock)
    for sock in sockets:
        assert client.is_good(client.parse(sock.recv(4096)), "v.example.test")
        sock.close()
    assert up.count == 4


def test_type_and_class_are_part_of_the_question(served):
    up, gate = served(on_query=slow)
    with gate.stream() as s:
        s.send(client.query("t.example.test"), client.query("t.example.test", "AAAA"),
               client.query("t.example.test", "TXT", rdclass="CH"))
        assert all(s.receive() is not None for _ in range(3))
    assert up.count == 3


def test_edns_or_not_is_no_question_of_its_own(served):
    up, gate = served(on_query=slow)
    with gate.stream() as s:
        with_edns = client.query("e.example.test")
        without = client.query("e.example.test", edns=False)
        s.send(with_edns, without)
        got = {r.id: r for r in (s.receive(), s.receive())}
    assert got[with_edns.id].edns == 0 and got[without.id].edns == -1
    assert up.count == 1


def test_ad_goes_to_who_asked_for_it(served):
    """Who joins must not decide what others see (CoreDNS issue 6642)."""
    def on_query(conn, q):
        conn.answer_later(SLOW, q, flags=wire.ANSWER | wire.AD)

    up, gate = served(on_query=on_query)
    with gate.stream() as s:
        plain = client.query("ad.example.test", edns=False)
        asks = client.query("ad.example.test", flags=dns.flags.RD | dns.flags.AD)
        s.send(plain, asks)
        got = {r.id: r for r in (s.receive(), s.receive())}
    assert not got[plain.id].flags & dns.flags.AD
    assert got[asks.id].flags & dns.flags.AD
    assert up.count == 1


def test_sizes_are_each_clients_own(served):
    def big(conn, q):
        conn.answer_later(SLOW, q, answers=[
            wire.record(b"\xc0\x0c", wire.A, bytes([10, 0, 0, i])) for i in range(50)])

    up, gate = served(on_query=big)
    small = client.connect_udp(gate.address, gate.port)
    large = client.connect_udp(gate.address, gate.port)
    small.send(client.query("s.example.test", payload=512).to_wire())
    large.send(client.query("s.example.test", payload=1232).to_wire())
    with gate.stream() as s:
        assert len(s.ask(client.query("s.example.test")).answer[0]) == 50
    r = client.parse(small.recv(4096))
    assert r.flags & dns.flags.TC
    r = client.parse(large.recv(4096))
    assert not r.flags & dns.flags.TC and len(r.answer[0]) == 50
    small.close(), large.close()
    assert up.count == 1


def test_all_who_joined_hear_the_failure(served):
    up, gate = served(on_query=lambda conn, q: None, options=["--query-timeout", "1s"])
    sockets = [client.connect_udp(gate.address, gate.port) for _ in range(20)]
    for sock in sockets:
        sock.send(client.query("f.example.test").to_wire())
    for sock in sockets:
        assert client.rcode(client.parse(sock.recv(4096))) == "SERVFAIL"
        sock.close()


def test_the_deadline_is_that_of_the_first(served):
    """Duplicates must not keep a slow query alive (CVE-2026-42534)."""
    up, gate = served(on_query=lambda conn, q: None, options=["--query-timeout", "2s"])
    start = time.monotonic()
    with gate.stream() as s:
        q = client.query("d.example.test")
        for _ in range(6):
            s.send(q)
            time.sleep(0.25)
        for _ in range(6):
            assert client.rcode(s.receive()) == "SERVFAIL"
    assert time.monotonic() - start < 4


def test_waiters_of_one_question_are_capped(served):
    """What is let go in one burst must not be a weapon (DNSBomb)."""
    up, gate = served(on_query=lambda conn, q: conn.answer_later(0.8, q))
    streams, got = [gate.stream() for _ in range(10)], []
    for s in streams:
        s.send(*[client.query("cap.example.test") for _ in range(100)])
    for s in streams:
        got += [s.receive() for _ in range(100)]
        s.close()
    shed = [r for r in got if client.rcode(r) == "SERVFAIL"]
    assert 0 < len(shed) < len(got)
    assert client.ede(shed[0])[1].startswith("overload")
    assert all(client.is_good(r, "cap.example.test") for r in got if r not in shed)
    assert up.count == 1


def test_overload_is_in_the_log_without_addresses(served):
    _, gate = served(on_query=lambda conn, q: None)
    with client.connect_udp(gate.address, gate.port) as sock:
        for i in range(700):
            q = client.query("same.example.test")
            q.id = i
            sock.send(q.to_wire())
            if i % 50 == 49:
                time.sleep(0.01)
    line = gate.wait_log(r".*reason=overload: (\d+) queries.*")
    assert 0 < int(line[1]) <= 700 - 512
    assert not [x for x in gate.log().splitlines() if "overload" in x and "127.0.0.1" in x]
