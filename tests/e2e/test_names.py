"""Upstreams by name: who is asked for their addresses, when, and what if nobody answers."""
import ipaddress
import socket
import struct
import time

import pytest

import client
import dotgate
import wire
from test_routes import PlainServer, plain  # noqa: F401 (a fixture)
from certs import NAME

A, AAAA, SVCB = 1, 28, 64


def wait_for(gate, words, seconds=15):
    end = time.monotonic() + seconds
    while words not in gate.log():
        assert time.monotonic() < end, (words, gate.log())
        time.sleep(0.1)


def record(kind, data, ttl=300):
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def addresses(q, *ips, ttl=300):
    kind = {A: 4, AAAA: 6}.get(q.type)
    found = [record(q.type, ipaddress.ip_address(ip).packed, ttl) for ip in ips
             if ipaddress.ip_address(ip).version == kind]
    return wire.message(q.id, wire.ANSWER, q.question, answers=found)


def by_name(up):
    return f"tls://{NAME}:{up.port}"


@pytest.fixture
def resolver(start_upstream):
    """resolver(["127.0.0.1"]) -> a DoT server that knows the address of the good upstream; the list
    may be changed."""

    def start(ips, ttl=300):
        return start_upstream(on_query=lambda conn, q: conn.send(addresses(q, *ips, ttl=ttl)))

    return start


def test_through_a_bootstrap(start_upstream, start_dotgate, resolver):
    up, boot = start_upstream(), resolver(["127.0.0.1"])
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling()])
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert sorted((q.name, q.type) for q in boot.queries) == [(NAME, A), (NAME, AAAA)]
    assert all(q.padded for q in boot.queries) if hasattr(boot.queries[0], "padded") else True
    assert "a.example.test" not in boot.names()


def test_through_another_upstream(start_upstream, start_dotgate, resolver):
    up, other = start_upstream(), resolver(["127.0.0.1"])
    gate = start_dotgate(by_name(up), other, options=["--policy", "ordered"])
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    time.sleep(0.3)
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_through_a_plain_bootstrap(start_upstream, start_dotgate, plain):  # noqa: F811
    up = start_upstream()
    boot = plain(on_query=lambda server, q, tcp: addresses(q, "127.0.0.1"))
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling()])
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert set(boot.names()) == {NAME}


def test_addresses_with_hints_need_nobody(start_upstream, start_dotgate):
    up = start_upstream()
    gate = start_dotgate(f"{by_name(up)} addr=127.0.0.1 addr=192.0.2.1")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_nobody_to_ask_is_an_error(certificates):
    port = dotgate.free_port()
    done = dotgate.command("--listen", f"127.0.0.1:{port}", "-u", f"tls://{NAME}",
                           "--ca-file", certificates.ca_file)
    assert done.returncode == 2
    assert "nobody is asked for the address" in done.stderr and "bootstrap" in done.stderr


def test_the_certificate_decides_not_the_bootstrap(start_upstream, start_dotgate, resolver):
    """A lying bootstrap leads to a stranger, who gets no query."""
    stranger, boot = start_upstream("wrong_name"), resolver(["127.0.0.1"])
    gate = start_dotgate(by_name(stranger), options=["--bootstrap", boot.spelling()])
    wait_for(gate, f"is at 127.0.0.1:{stranger.port}")
    r = gate.ask("secret.example.test")
    assert client.rcode(r) == "SERVFAIL" and client.ede(r)[1].startswith("tls_cert_name")
    assert not stranger.names()


def test_a_bootstrap_that_comes_later(start_upstream, start_dotgate):
    """The start is not held up; as soon as there is an answer there is service."""
    up, answers = start_upstream(), []

    def on_query(conn, q):
        conn.send(addresses(q, *answers) if answers else wire.message(q.id, wire.ANSWER | 2, q.question))

    boot = start_upstream(on_query=on_query)
    start = time.monotonic()
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling()])
    assert time.monotonic() - start < 3
    wait_for(gate, "no address found")
    assert client.ede(gate.ask("a.example.test"))[1].startswith("no_address")
    answers.append("127.0.0.1")
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    end = time.monotonic() + 5
    while not client.is_good(gate.ask("b.example.test"), "b.example.test"):
        assert time.monotonic() < end


def test_the_second_address_serves_when_the_first_does_not(start_upstream, start_dotgate, resolver):
    up, boot = start_upstream(), resolver(["127.0.0.9", "127.0.0.1"])
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling()])
    wait_for(gate, f"is at 127.0.0.9:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_an_upstream_that_has_moved_is_found(start_upstream, start_dotgate, resolver):
    """None of its addresses is any good, though their TTL has long to go: they are asked for again,
    but not all the time."""
    up, ips = start_upstream(), ["127.0.0.9"]  # where nobody is
    boot = resolver(ips)
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling()])
    wait_for(gate, f"is at 127.0.0.9:{up.port}")
    assert client.rcode(gate.ask("a.example.test")) == "SERVFAIL"
    ips[:] = ["127.0.0.1"]
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    end = time.monotonic() + 5
    while not client.is_good(gate.ask("b.example.test"), "b.example.test"):
        assert time.monotonic() < end
    assert len(boot.names()) <= 8  # two questions each time


def test_addresses_are_kept_on_disk(start_upstream, start_dotgate, resolver, tmp_path):
    path = tmp_path / "addresses"
    up, boot = start_upstream(), resolver(["127.0.0.1"])
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling(),
                                               "--addresses-file", path])
    wait_for(gate, "is at 127.0.0.1")
    gate.stop()
    assert path.read_text() == f"{by_name(up)} 127.0.0.1:{up.port}\n"
    boot.close()
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling(),
                                               "--addresses-file", path])
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_a_damaged_file_is_no_harm(start_upstream, start_dotgate, resolver, tmp_path):
    path = tmp_path / "addresses"
    up, boot = start_upstream(), resolver(["127.0.0.1"])
    path.write_bytes(b"\0\xff nonsense\n" + by_name(up).encode() + b" x 1.2.3 :: [\n" + b"y" * 9999)
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling(),
                                               "--addresses-file", path])
    wait_for(gate, "is at 127.0.0.1")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


@pytest.mark.parametrize("where", ["addresses", "addresses.new"])
def test_links_are_not_followed(start_upstream, start_dotgate, resolver, tmp_path, where):
    """Neither in its place nor in that of the file that is written beside it."""
    path, precious = tmp_path / "addresses", tmp_path / "precious"
    precious.write_text("precious\n")
    (tmp_path / where).symlink_to(precious)
    up, boot = start_upstream(), resolver(["127.0.0.1"])
    gate = start_dotgate(by_name(up), options=["--bootstrap", boot.spelling(),
                                               "--addresses-file", path])
    wait_for(gate, "is at 127.0.0.1")
    gate.stop()
    assert precious.read_text() == "precious\n"
    if where == "addresses":
        assert path.is_symlink() and "no plain file of ours" in gate.log()
    else:
        assert path.read_text() == f"{by_name(up)} 127.0.0.1:{up.port}\n"


# ---- designated resolvers (RFC 9462)

def designates(port, alpn=b"\3dot", target="dot.resolver.test", hint="127.0.0.1", priority=1):
    labels = b"".join(bytes([len(x)]) + x.encode() for x in target.split(".")) + b"\0"
    value = struct.pack("!H", priority) + labels
    value += struct.pack("!HH", 1, len(alpn)) + alpn
    value += struct.pack("!HHH", 3, 2, port)
    if hint:
        value += struct.pack("!HH", 4, 4) + socket.inet_aton(hint)
    return value


def answer_svcb(*values, additional=()):
    def on_query(server, q, tcp):
        if q.type == SVCB and q.name.lower() == "_dns.resolver.arpa":
            return wire.message(q.id, wire.ANSWER, q.question,
                                answers=[record(SVCB, v) for v in values],
                                additional=additional)
        return addresses(q, "127.0.0.1")
    return on_query


def discover(server):
    return ["--discover", f"127.0.0.1:{server.port}"]


def test_discovery_upgrades_to_tls(start_upstream, start_dotgate, plain):  # noqa: F811
    up = start_upstream("ip")  # its certificate holds 127.0.0.1
    server = plain(on_query=answer_svcb(designates(up.port)))
    gate = start_dotgate(options=discover(server))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    assert server.names() == ["_dns.resolver.arpa"]
    assert up.connections[0].hello().sni == "dot.resolver.test"


def discovered(gate, server, up):
    """GATE uses UP, and has asked SERVER in the clear for nothing but whom it designates."""
    wait_for(gate, f"is at {up.address}:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")
    return set(server.names()) == {"_dns.resolver.arpa"}


def test_discovery_takes_the_addresses_that_come_along(start_upstream, start_dotgate, plain):  # noqa: F811
    """What stands in the additional section is newer than a hint."""
    up = start_upstream("ip", address="127.0.0.2")
    more = [wire.record(wire.encode_name("other.test"), A, socket.inet_aton("127.0.0.8")),
            wire.record(wire.encode_name("dot.resolver.test"), A, socket.inet_aton("127.0.0.2"))]
    server = plain(on_query=answer_svcb(designates(up.port, hint="127.0.0.9"), additional=more))
    gate = start_dotgate(options=discover(server))
    assert discovered(gate, server, up)
    assert "127.0.0.8" not in gate.log() and "127.0.0.9" not in gate.log()


def test_discovery_asks_a_bootstrap_for_the_target(start_upstream, start_dotgate, resolver, plain):  # noqa: F811
    up, boot = start_upstream("ip", address="127.0.0.2"), resolver(["127.0.0.2"])
    server = plain(on_query=answer_svcb(designates(up.port, hint=None)))
    gate = start_dotgate(options=[*discover(server), "--bootstrap", boot.spelling()])
    assert discovered(gate, server, up)
    assert set(boot.names()) == {"dot.resolver.test"}


def test_the_target_is_asked_for_by_nobody_in_the_clear(start_upstream, start_dotgate, plain):  # noqa: F811
    """Nobody else can be asked: it is looked for where the plain resolver is."""
    up = start_upstream("ip")
    server = plain(on_query=answer_svcb(designates(up.port, hint=None)))
    other = plain(on_query=answer_svcb())
    gate = start_dotgate(options=[*discover(server), "--bootstrap", other.spelling()])
    assert discovered(gate, server, up)
    assert not other.names()


def test_the_certificate_must_hold_the_original_address(start_upstream, start_dotgate, plain):  # noqa: F811
    up = start_upstream()  # for a name, not for 127.0.0.1
    server = plain(on_query=answer_svcb(designates(up.port)))
    gate = start_dotgate(options=discover(server))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert client.ede(gate.ask("secret.example.test"))[1].startswith("tls_cert_name")
    assert not up.names() and server.names() == ["_dns.resolver.arpa"]


def test_the_best_that_speaks_dot_is_taken(start_upstream, start_dotgate, plain):  # noqa: F811
    up = start_upstream("ip")
    server = plain(on_query=answer_svcb(designates(9, alpn=b"\2h2", priority=1),
                                        designates(9, priority=3),
                                        b"\0\2broken", designates(up.port, priority=2)))
    gate = start_dotgate(options=discover(server))
    wait_for(gate, f"is at 127.0.0.1:{up.port}")
    assert client.is_good(gate.ask("a.example.test"), "a.example.test")


def test_who_designates_nobody_is_not_asked_in_the_clear(start_dotgate, plain):  # noqa: F811
    server = plain()
    gate = start_dotgate(options=discover(server))
    wait_for(gate, "no address found: it designates no DNS-over-TLS resolver")
    assert client.rcode(gate.ask("secret.example.test")) == "SERVFAIL"
    assert set(server.names()) == {"_dns.resolver.arpa"}
