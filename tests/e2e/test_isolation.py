"""Seen from outside: no packet goes anywhere but to the configured upstreams, whatever fails,
and none to port 53."""
import os
import socket
import ssl
import threading

import pytest

import client
import dotgate
import netns
import wire
from test_tls import no_query_left


def make_network(kind):
    if os.geteuid() != 0 or dotgate.need("ip"):
        pytest.skip("network namespaces need root and the command ip")
    try:
        return kind()
    except (OSError, netns.subprocess.CalledProcessError) as e:
        pytest.skip(f"no network namespaces here: {e}")


@pytest.fixture
def network():
    made = make_network(netns.Network)
    yield made
    made.close()


class Plain53:
    """Port 53 of the world, UDP and TCP: would take what fell back to plain DNS."""

    def __init__(self):
        self.got = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("0.0.0.0", 53))
        self.tcp = socket.create_server(("0.0.0.0", 53))
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        try:
            while True:
                self.got.append(self.udp.recv(65535))
        except OSError:
            pass

    def close(self):
        self.udp.close()
        self.tcp.close()


def healthy(start):
    return [start(address=netns.OUTER), start(address=netns.OUTER)]


def refused(start):
    up = start(address=netns.OUTER)
    up.close()
    return [up]


def bad_certificate(start):
    return [start("wrong_name", address=netns.OUTER)]


def mute(start):
    return [start(address=netns.OUTER, on_query=lambda conn, q: None)]


def no_handshake(start):
    return [start(address=netns.OUTER, on_accept=lambda conn: conn.hold())]


def old_tls(start):
    v = ssl.TLSVersion.TLSv1_1
    return [start(address=netns.OUTER, least=v, most=v, weak=True)]


def resets(start):
    return [start(address=netns.OUTER, on_accept=lambda conn: conn.reset())]


def lies(start):
    """Its answers name other servers, which nobody shall ask."""
    def on_query(conn, q):
        ns = wire.record(b"\xc0\x0c", wire.NS, wire.encode_name("ns.evil.test"))
        glue = wire.record(wire.encode_name("ns.evil.test"), wire.A, bytes([10, 77, 0, 66]))
        conn.send(wire.message(q.id, wire.ANSWER | wire.TC, q.question, authority=[ns],
                               additional=[glue]))

    return [start(address=netns.OUTER, on_query=on_query)]


def unreachable(start):
    return ["tls://10.77.0.99#upstream.test"]


def no_route(start):
    return ["tls://192.0.2.1#upstream.test"]


@pytest.mark.parametrize("world", [healthy, refused, bad_certificate, mute, no_handshake,
                                   old_tls, resets, lies, unreachable, no_route])
def test_only_upstreams_are_contacted(network, start_upstream, start_dotgate, world):
    with network.inside(network.outer):
        upstreams = world(start_upstream)
        plain = Plain53()
    with network.inside(network.inner):
        gate = start_dotgate(*upstreams)
        names = [f"secret{i}.example.test" for i in range(20)]
        answers = gate.burst(names)
        assert len(answers) == len(names)
        good = [client.is_good(answers[n], n) for n in names]
        gate.tcp(client.query("secret.example.test"))
    assert all(good) == (world is healthy)

    allowed = {("10.77.0.99", 853), ("192.0.2.1", 853)}
    if not isinstance(upstreams[0], str):
        allowed = {(up.address, up.port) for up in upstreams}
    packets = network.cable.packets()
    strangers = [p for p in packets if p.destination not in allowed]
    assert not strangers, strangers
    assert packets or world in (unreachable, no_route), "the witness is blind"
    local = {("127.0.0.1", gate.port)}
    strangers = [p for p in network.loopback.packets()
                 if not {p.source, p.destination} & local]
    assert not strangers, strangers
    assert not plain.got
    plain.close()
    if world in (bad_certificate, old_tls):
        assert no_query_left(upstreams[0])


def test_the_witness_sees(network):
    """The test above can fail: what it looks for would be seen."""
    with network.inside(network.inner):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"hello", ("192.0.2.53", 53))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"hello", ("127.0.0.53", 53))
    assert ("192.0.2.53", 53) in [p.destination for p in network.cable.packets()]
    assert ("127.0.0.53", 53) in [p.destination for p in network.loopback.packets()]
