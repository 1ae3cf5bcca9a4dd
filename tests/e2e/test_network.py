"""Networks that lose, delay, go away and come back, made of namespaces."""
import subprocess
import time

import pytest

import client
import netns
from test_isolation import network  # noqa: F401 (a fixture)

RETURN_SECONDS = 2.0  # so soon after the way is back there is an answer


def tc(network, *words):  # noqa: F811
    """Rules for what leaves the world for dotgate."""
    done = subprocess.run(["ip", "netns", "exec", network.outer, "tc", "qdisc", *words],
                          capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no tc netem here: {done.stderr.strip()}")


@pytest.fixture
def far(network, start_upstream, start_dotgate):  # noqa: F811
    """far(options) -> (upstream, dotgate), with the cable between them; ask(name) asks there."""

    def start(*options, upstreams=1):
        with network.inside(network.outer):
            ups = [start_upstream(address=netns.OUTER) for _ in range(upstreams)]
        with network.inside(network.inner):
            gate = start_dotgate(*ups, options=options, http=True)
        gate.network = network
        return ups[0], gate

    return start


def ask(gate, name, timeout=8):
    with gate.network.inside(gate.network.inner):
        return gate.udp(client.query(name), timeout)


def is_good(gate, name, timeout=8):
    return client.is_good(ask(gate, name, timeout), name)


def until_answered(gate, prefix):
    """Asks again and again, as a client would. Returns how long it took."""
    start, i = time.monotonic(), 0
    while True:
        i += 1
        r = ask(gate, f"{prefix}{i}.example.test", 1)
        if r is not None and client.rcode(r) == "NOERROR":
            return time.monotonic() - start
        assert time.monotonic() - start < 15
        time.sleep(0.05)


def lose_every_answer(network):  # noqa: F811
    """Nobody is told: what the upstream sends just does not arrive."""
    route = ("blackhole", f"{netns.INNER}/32")
    netns.ip("-n", network.outer, "route", "add", *route)
    return lambda: netns.ip("-n", network.outer, "route", "del", *route)


def pull_the_cable(network):  # noqa: F811
    netns.ip("-n", network.outer, "link", "set", "out", "down")

    def back():
        netns.ip("-n", network.outer, "link", "set", "out", "up")

    return back


def lose_the_route(network):  # noqa: F811
    netns.ip("-n", network.inner, "route", "del", f"{netns.OUTER[:-1]}0/24")
    netns.ip("-n", network.inner, "route", "add", "unreachable", f"{netns.OUTER[:-1]}0/24")

    def back():
        netns.ip("-n", network.inner, "route", "del", "unreachable", f"{netns.OUTER[:-1]}0/24")
        netns.ip("-n", network.inner, "route", "add", f"{netns.OUTER[:-1]}0/24", "dev", "in")

    return back


def outage(far, cut, seconds):
    _, gate = far()
    assert is_good(gate, "before.example.test")
    back = cut(gate.network)
    end = time.monotonic() + seconds
    i = 0
    while time.monotonic() < end:
        i += 1
        ask(gate, f"during{i}.example.test", 0.5)
    back()
    took = until_answered(gate, "after")
    assert took < RETURN_SECONDS, took


@pytest.mark.parametrize("cut", [lose_every_answer, pull_the_cable, lose_the_route])
def test_an_outage_ends_when_it_ends(far, cut):
    outage(far, cut, 8)


@pytest.mark.slow
@pytest.mark.parametrize("cut", [lose_every_answer, pull_the_cable])
def test_a_long_outage_ends_as_soon(far, cut):
    outage(far, cut, 60)


def test_a_new_address_is_taken_up(far):
    """The address that connections are bound to goes away: they are replaced before anybody asks."""
    up, gate = far()
    assert is_good(gate, "before.example.test")
    net = gate.network
    netns.ip("-n", net.inner, "address", "del", f"{netns.INNER}/24", "dev", "in")
    netns.ip("-n", net.inner, "address", "add", "10.77.0.3/24", "dev", "in")
    netns.ip("-n", net.inner, "route", "replace", "default", "via", netns.OUTER)
    end = time.monotonic() + 5
    while len([c for c in up.connections if c.ready]) < 2:
        assert time.monotonic() < end, gate.log()
        time.sleep(0.05)
    start = time.monotonic()
    assert is_good(gate, "after.example.test")
    assert time.monotonic() - start < 0.5


def test_loss_and_delay_lose_nothing(far):
    """20 ms, and one packet of twenty lost, each way a segment may come late."""
    _, gate = far()
    tc(gate.network, "add", "dev", "out", "root", "netem", "delay", "20ms", "loss", "5%")
    for i in range(60):
        assert is_good(gate, f"l{i}.example.test"), i


def test_a_dead_connection_costs_little(served):
    """An established connection is dead for good, as when a NAT has forgotten it."""
    dead = []

    def on_query(conn, q):
        if conn in dead:
            conn.hold()
        conn.answer_later(0.01, q)

    up, gate = served(on_query=on_query)
    for i in range(40):
        assert client.is_good(gate.ask(f"w{i}.example.test"), f"w{i}.example.test")
    dead += up.connections
    assert client.is_good(gate.ask("after.example.test"), "after.example.test")
    assert gate.seconds < 0.8
