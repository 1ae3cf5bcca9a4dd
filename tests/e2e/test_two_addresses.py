"""One upstream with two addresses, of which the first is no good: one address is not the upstream."""
import pytest

import client
from ports import free_port
from test_upstream_life import until_good
from upstream import Connection, Upstream

AT_ONCE = 1.5   # seconds, also on a busy machine
BACK_OFF = 8    # until an upstream that failed is tried again: 5 s, and what a busy machine adds


def both(up):
    return f"tls://upstream.test:{up.port} addr=127.0.0.1 addr=127.0.0.2"


@pytest.fixture(params=["another certificate", "says nothing"])
def gate_and_good(request, start_upstream, start_dotgate):
    """A dotgate whose upstream's first address leads to somebody else; the upstream at the second."""
    good = start_upstream(address="127.0.0.2", port=free_port())
    if request.param == "says nothing":
        start_upstream(address="127.0.0.1", port=good.port, on_accept=Connection.hold)
    else:
        start_upstream("wrong_name", address="127.0.0.1", port=good.port)
    return start_dotgate(both(good)), good


def all_are_answered(gate, prefix):
    """The first may have to wait until the bad address is given up."""
    for i in range(5):
        name = f"{prefix}{i}.example.test"
        r = gate.ask(name)
        assert client.is_good(r, name), (name, client.ede(r), gate.log())
        assert i == 0 or gate.seconds < AT_ONCE


def test_the_second_address_answers(gate_and_good):
    gate, _ = gate_and_good
    all_are_answered(gate, "a")


def test_the_second_address_answers_after_its_restart(gate_and_good, certificates):
    """While it is away only the bad one can be reached; that is no reason to stay there."""
    gate, good = gate_and_good
    all_are_answered(gate, "before")
    good.end_connections(Connection.reset)
    good.close()
    assert client.rcode(gate.ask("meanwhile.example.test")) == "SERVFAIL"
    with Upstream(certificates.get("valid"), address="127.0.0.2", port=good.port):
        until_good(gate, "back.example.test", BACK_OFF)
        all_are_answered(gate, "after")
        gate.stop()
