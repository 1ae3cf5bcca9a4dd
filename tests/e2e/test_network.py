"""Networks that lose, delay, go away and come back, made of namespaces."""
import time

import pytest

import client
import netns
from test_isolation import make_network, network  # noqa: F401 (a fixture)

RETURN_SECONDS = 2.0  # so soon after the way is back there is an answer


def between(network, start_upstream, start_dotgate):  # noqa: F811
    """start(options) -> (upstream, dotgate), with the cable between them; ask(name) asks there."""

    def start(*options, upstreams=1, **how):
        with network.inside(network.outer):
            ups = [start_upstream(address=netns.OUTER, **how) for _ in range(upstreams)]
        with network.inside(network.inner):
            gate = start_dotgate(*ups, options=options, http=True)
        gate.network = network
        return ups[0], gate

    return start


@pytest.fixture
def far(network, start_upstream, start_dotgate):  # noqa: F811
    return between(network, start_upstream, start_dotgate)


@pytest.fixture
def path():
    made = make_network(netns.Path)
    yield made
    made.close()


@pytest.fixture
def along(path, start_upstream, start_dotgate):
    return between(path, start_upstream, start_dotgate)


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


def wait_ready(up, gate, fits):
    """Connections to UP that have shaken hands, and fit, as soon as there is one."""
    end = time.monotonic() + 5
    while not (there := [c for c in up.connections if c.ready and fits(c)]):
        assert time.monotonic() < end, gate.log()
        time.sleep(0.05)
    return there


def change_address(net):
    netns.ip("-n", net.inner, "address", "del", f"{netns.INNER}/24", "dev", "in")
    netns.ip("-n", net.inner, "address", "add", f"{netns.INNER_NEXT}/24", "dev", "in")
    netns.ip("-n", net.inner, "route", "replace", "default", "via", netns.OUTER)


def test_tickets_stay_in_their_network(far):
    """From another address none is used: it would tell that it is the same client."""
    peers = {}
    up, gate = far(on_accept=lambda conn: peers.update({conn: conn.sock.getpeername()[0]}))
    assert is_good(gate, "before.example.test")
    up.end_connections()
    wait_ready(up, gate, lambda conn: conn.resumed)
    assert is_good(gate, "still.example.test")
    change_address(gate.network)
    moved = wait_ready(up, gate, lambda conn: peers[conn] == netns.INNER_NEXT)
    assert not moved[0].resumed
    assert is_good(gate, "after.example.test")


def test_a_new_address_is_taken_up(far):
    """The address that connections are bound to goes away: they are replaced before anybody asks."""
    up, gate = far()
    assert is_good(gate, "before.example.test")
    change_address(gate.network)
    wait_ready(up, gate, lambda conn: conn is not up.connections[0])
    start = time.monotonic()
    assert is_good(gate, "after.example.test")
    assert time.monotonic() - start < 0.5


def test_loss_and_delay_lose_nothing(along):
    """10 ms each way and 3 % of all packets lost: what is lost comes late, or over another
    connection, but it comes."""
    _, gate = along()
    gate.network.delay, gate.network.loss = (0.01, 0.01), 0.03
    for i in range(100):
        assert is_good(gate, f"l{i}.example.test"), i
    assert gate.network.lost


def test_packets_that_overtake_each_other(along):
    _, gate = along()
    gate.network.delay = (0.001, 0.03)
    for i in range(60):
        assert is_good(gate, f"o{i}.example.test"), i


def test_a_third_of_all_packets_lost(along):
    """Who is asked a thing knows it or says SERVFAIL; and no time of that stays when it ends."""
    _, gate = along("--cache-size", "off")
    assert is_good(gate, "before.example.test")
    gate.network.delay, gate.network.loss = (0.005, 0.005), 0.33
    answers = [ask(gate, f"t{i}.example.test") for i in range(12)]
    assert all(client.rcode(r) in ("NOERROR", "SERVFAIL") for r in answers)
    gate.network.loss = 0
    assert until_answered(gate, "after") < RETURN_SECONDS


def answered_whatever_happens(gate, up, happen):
    """Asks 20 names; when all are out, HAPPEN(); all are answered well."""
    names = [f"out{i}.example.test" for i in range(20)]
    before = up.count
    with gate.network.inside(gate.network.inner):
        b = client.Burst(gate.address, gate.port, names)
    assert up.wait_queries(before + len(names))
    happen()
    answers = b.collect()
    assert all(client.is_good(answers[name], name) for name in names)


def test_resets_while_queries_are_out(along):
    """A firewall ends all connections at once: what was out is asked again on new ones."""
    up, gate = along(on_query=lambda conn, q: conn.answer_later(0.3, q))
    assert is_good(gate, "before.example.test")
    answered_whatever_happens(gate, up, gate.network.reset)
    assert len([c for c in up.connections if c.queries]) >= 2
    assert up.connections[0].ended


def test_a_nat_that_has_forgotten(along):
    """No RST, no ICMP, just nothing, for what is out and what is asked next."""
    up, gate = along(on_query=lambda conn, q: conn.answer_later(0.3, q))
    for i in range(3):
        assert is_good(gate, f"before{i}.example.test")
    answered_whatever_happens(gate, up, gate.network.forget)
    assert is_good(gate, "after.example.test")


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
