"""The look-up of upstreams' addresses: odd answers, servers that fail, who is asked, and when again."""
import socket
import struct
import time

import pytest

import wire
from certs import NAME
from test_identity import faketime
from test_names import A, AAAA, addresses, by_name, record, resolver, wait_for  # noqa: F401
from test_routes import plain  # noqa: F401 (a fixture)

import client

CNAME = 5


def labels(name):
    return b"".join(bytes([len(x)]) + x.encode() for x in name.split(".")) + b"\0"


def owned(name, kind, data, ttl=300):
    return labels(name) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def ip(text):
    return socket.inet_aton(text)


def answers(conn, q, *records):
    conn.send(wire.message(q.id, wire.ANSWER, q.question, answers=records))


def through(boot):
    return ["--bootstrap", boot.spelling()]


def is_served(gate, name="a.example.test", seconds=5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if client.is_good(gate.ask(name), name):
            return True
        time.sleep(0.1)
    return False


# ---- what answers may look like

def test_one_kind_that_is_not_answered_does_not_hide_the_other(start_upstream, start_dotgate):
    up = start_upstream()
    boot = start_upstream(
        on_query=lambda conn, q: q.type == A and conn.send(addresses(q, "127.0.0.1")))
    gate = start_dotgate(by_name(up), options=through(boot))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert is_served(gate)


def test_many_of_one_kind_do_not_push_out_the_other(start_upstream, start_dotgate, resolver):  # noqa: F811
    up = start_upstream()
    boot = resolver([f"127.0.1.{i}" for i in range(1, 13)] + ["::1"])
    gate = start_dotgate(by_name(up), options=through(boot))
    wait_for(gate, f"is at [::1]:{up.port}")
    wait_for(gate, "is at 127.0.1.7")
    assert "127.0.1.8" not in gate.log()  # eight in all


def test_a_chain_of_cnames_is_followed_in_any_order(start_upstream, start_dotgate):
    up = start_upstream()

    def on_query(conn, q):
        chain = [owned("b.test", CNAME, labels("c.test")), record(CNAME, labels("b.test"))]
        if q.type == A:
            chain.insert(0, owned("c.test", A, ip("127.0.0.1")))
        answers(conn, q, *chain)

    gate = start_dotgate(by_name(up), options=through(start_upstream(on_query=on_query)))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert is_served(gate)


def test_addresses_of_other_names_are_not_used(start_upstream, start_dotgate):
    up = start_upstream()

    def on_query(conn, q):
        if q.type == A:
            answers(conn, q, owned("other.test", A, ip("127.0.0.7")), record(A, ip("127.0.0.1")))
        else:
            answers(conn, q)

    gate = start_dotgate(by_name(up), options=through(start_upstream(on_query=on_query)))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert "127.0.0.7" not in gate.log()


def test_cnames_in_a_circle_are_no_address(start_upstream, start_dotgate):
    up = start_upstream()

    def on_query(conn, q):
        answers(conn, q, record(CNAME, labels("b.test")), owned("b.test", CNAME, b"\xc0\x0c"))

    gate = start_dotgate(by_name(up), options=through(start_upstream(on_query=on_query)))
    wait_for(gate, "no address found: it has no address")


def test_what_the_server_says_is_told(start_upstream, start_dotgate):
    up = start_upstream()
    boot = start_upstream(
        on_query=lambda conn, q: conn.send(wire.message(q.id, wire.ANSWER | 3, q.question)))
    gate = start_dotgate(by_name(up), options=through(boot))
    wait_for(gate, "no address found: NXDOMAIN")


# ---- servers that fail, and who is asked

def test_the_next_address_of_a_bootstrap_is_asked(start_upstream, start_dotgate, resolver):  # noqa: F811
    up, boot = start_upstream(), resolver(["127.0.0.1"])
    spelling = f"tls://{NAME}:{boot.port} addr=127.0.0.9 addr=127.0.0.1"
    gate = start_dotgate(by_name(up), options=["--bootstrap", spelling])
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert is_served(gate)


def test_a_silent_bootstrap_is_waited_for_once(start_upstream, start_dotgate, resolver):  # noqa: F811
    """Not once for each upstream."""
    ups = [start_upstream() for _ in range(3)]
    mute, boot = start_upstream(on_query=lambda conn, q: None), resolver(["127.0.0.1"])
    gate = start_dotgate(*map(by_name, ups), options=[*through(mute), *through(boot)])
    for up in ups:
        wait_for(gate, f"is at 127.0.0.1:{up.port}", 30)
    assert mute.names() == [NAME]


def test_a_name_is_asked_where_its_route_leads(start_upstream, start_dotgate, resolver):  # noqa: F811
    up, corp, public = start_upstream(), resolver(["127.0.0.1"]), resolver(["127.0.0.9"])
    gate = start_dotgate(public, options=["--route", f"upstream.test {corp.spelling()}",
                                          "--route", f"far.test {by_name(up)}"])
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert NAME in corp.names() and NAME not in public.names()


def test_names_are_found_while_the_clock_is_wrong(start_upstream, start_dotgate, resolver):  # noqa: F811
    """time-grace would be of no use to an upstream whose address cannot be had."""
    env = {"LD_PRELOAD": faketime(), "FAKETIME": "1990-02-03 00:00:00", "DONT_FAKE_MONOTONIC": "1"}
    for options in ("bootstrap", "upstream"):
        up, boot = start_upstream(), resolver(["127.0.0.1"])
        more = through(boot) if options == "bootstrap" else ["--upstream", boot.spelling()]
        gate = start_dotgate(by_name(up), env=env,
                             options=[*more, "--time-grace", "ntp.example"])
        wait_for(gate, f"is at 127.0.0.1:{up.port}")
        if options == "bootstrap":
            assert is_served(gate, "ntp.example")
