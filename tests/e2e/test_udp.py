"""UDP as clients on a link see it: groups that are asked, answers that cannot be sent."""
import socket
import time

import netns
from test_isolation import make_network

import pytest

# Answered here: FORMERR, as there is no question.
NO_QUESTION = b"\x12\x34" + bytes(10)
SETTLE_SECONDS = 10


@pytest.fixture
def network():
    made = make_network(netns.Network)
    yield made
    made.close()


def link_local_socket(link):
    """Bound to LINK's own link-local address, which the kernel tries out before it can be used."""
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.settimeout(8)
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        try:
            sock.sendto(b"", ("ff02::1", 9, 0, socket.if_nametoindex(link)))
            return sock
        except OSError:
            assert time.monotonic() < end, "no link-local address"
            time.sleep(0.1)


def test_a_group_is_answered_by_one_of_its_members(network, start_dotgate):
    """The address of a group cannot be answered from."""
    with network.inside(network.inner):
        gate = start_dotgate("tls://192.0.2.1#upstream.test", address="::")
        link_local_socket("in").close()
    with network.inside(network.outer):
        sock = link_local_socket("out")
        group = ("ff02::1", gate.port, 0, socket.if_nametoindex("out"))
        sock.sendto(NO_QUESTION, group)
        data, source = sock.recvfrom(512)
    assert data[:2] == NO_QUESTION[:2] and data[3] & 15 == 1
    assert source[0].startswith("fe80::")
    sock.close()
