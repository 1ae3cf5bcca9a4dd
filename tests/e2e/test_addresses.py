"""Upstreams with several addresses: a stranger, or nobody who speaks, at one of them."""
import time

import client
from certs import NAME
from ports import free_port

GOOD, BAD = "127.0.0.1", "127.0.0.2"


def two(start_upstream, start_dotgate, first, second, case="valid", **how):
    """(upstream at GOOD, the other at BAD, dotgate); the address FIRST is the first of the two."""
    port = free_port()
    good = start_upstream(address=GOOD, port=port)
    bad = start_upstream(case, address=BAD, port=port, **how)
    return good, bad, start_dotgate(f"tls://{NAME}:{port} addr={first} addr={second}")


def is_good(gate, name):
    return client.is_good(gate.ask(name), name)


def until_answered(gate, seconds=8):
    end, i = time.monotonic() + seconds, 0
    while not is_good(gate, f"after{i}.example.test"):
        i += 1
        assert time.monotonic() < end, gate.log()
        time.sleep(0.05)


def test_a_wrong_certificate_at_the_first(start_upstream, start_dotgate):
    _, stranger, gate = two(start_upstream, start_dotgate, BAD, GOOD, "wrong_name")
    for i in range(5):
        assert is_good(gate, f"n{i}.example.test")
    assert not stranger.names()
    assert "another address is tried than 127.0.0.2" in gate.log()
    assert "is down" not in gate.log()


def test_the_good_one_restarts(start_upstream, start_dotgate):
    good, stranger, gate = two(start_upstream, start_dotgate, GOOD, BAD, "wrong_name")
    assert is_good(gate, "before.example.test")
    good.close()
    gate.ask("away.example.test")
    gate.wait_log("upstream .* is down")
    start_upstream(address=GOOD, port=good.port)
    until_answered(gate)
    assert not stranger.names()


def test_one_that_takes_connections_and_says_nothing(start_upstream, start_dotgate):
    _, mute, gate = two(start_upstream, start_dotgate, BAD, GOOD,
                        on_accept=lambda conn: conn.hold())
    assert is_good(gate, "a.example.test")
    assert len(mute.connections) == 1
    end = time.monotonic() + 3
    while not mute.connections[0].ended:  # it is not waited for any longer
        assert time.monotonic() < end
        time.sleep(0.05)
    assert gate.seconds < 3  # of the 4 s that a handshake may take
    assert "is down" not in gate.log()


def test_strangers_at_both(start_upstream, start_dotgate):
    port = free_port()
    all_bad = [start_upstream("wrong_name", address=a, port=port) for a in (GOOD, BAD)]
    gate = start_dotgate(f"tls://{NAME}:{port} addr={GOOD} addr={BAD}")
    assert client.ede(gate.ask("secret.example.test"))[1].startswith("tls_cert_name")
    assert all(up.connections and not up.names() for up in all_bad)
