"""Errors are not answers: the next upstream is asked, and the error is told if there is none."""
import pytest

import client
from faults import RCODES, error, refuses, without_edns
from test_routes import plain, route  # noqa: F401 (a fixture)
from wire import answer

BOTH = pytest.mark.parametrize("question", [True, False], ids=["question", "empty"])
EVERY = pytest.mark.parametrize("rcode", RCODES)
AT_ONCE = 2.0  # seconds: sooner than any time-out, also on a busy machine


def in_the_clear(rcode, question=True):
    """As refuses(), for a PlainServer."""
    return lambda server, q, tcp: error(q, rcode, question)


def sixty(gate):
    """The answers to 60 clients in three waves that are no good, and the longest time."""
    bad, longest = [], 0
    for wave in range(3):
        names = [f"e{wave}-{i}.example.test" for i in range(20)]
        b = client.Burst(gate.address, gate.port, names)
        answers = b.collect()
        bad += [client.rcode(answers[n]) if n in answers else "none" for n in names
                if n not in answers or not client.is_good(answers[n], n)]
        longest = max(longest, *b.times.values())
    return bad, longest


@pytest.mark.parametrize("policy", ["fastest", "ordered", "race 2"])
@EVERY
@BOTH
def test_beside_a_healthy_one(start_upstream, start_dotgate, policy, rcode, question):
    """All clients get the healthy one's answer, though the other is the first and the faster."""
    refuser = start_upstream(on_query=refuses(rcode, question))
    healthy = start_upstream(on_query=lambda conn, q: conn.answer_later(0.02, q))
    gate = start_dotgate(refuser, healthy, options=["--policy", policy])
    bad, longest = sixty(gate)
    assert not bad, bad
    assert longest < AT_ONCE


@EVERY
@BOTH
def test_of_a_sole_one(served, rcode, question):
    """There is nobody else to ask: the client hears what the upstream said, and at once."""
    up, gate = served(on_query=refuses(rcode, question))
    r = gate.ask("sole.example.test")
    assert client.rcode(r) == rcode, r
    assert gate.seconds < AT_ONCE
    assert up.count <= 3


@EVERY
@BOTH
def test_of_a_sole_one_in_the_clear(start_upstream, start_dotgate, plain, rcode, question):  # noqa: F811
    server = plain(on_query=in_the_clear(rcode, question))
    gate = start_dotgate(start_upstream(), options=route("example.test", server))
    r = gate.ask("sole.example.test")
    assert client.rcode(r) == rcode, r
    assert gate.seconds < AT_ONCE
    assert len(server.queries) <= 3


@EVERY
@BOTH
def test_beside_a_healthy_one_in_the_clear(start_upstream, start_dotgate, plain, rcode, question):  # noqa: F811
    refuser, healthy = plain(on_query=in_the_clear(rcode, question)), plain()
    gate = start_dotgate(start_upstream(), options=[*route("example.test", refuser),
                                                    *route("example.test", healthy)])
    bad, longest = sixty(gate)
    assert not bad, bad
    assert longest < AT_ONCE


def test_of_all_there_are(start_upstream, start_dotgate):
    """Each upstream has been asked before a client is told of an error."""
    ups = [start_upstream(on_query=refuses("REFUSED")) for _ in range(3)]
    gate = start_dotgate(*ups)
    r = gate.ask("all.example.test")
    assert client.rcode(r) == "REFUSED" and gate.seconds < AT_ONCE
    assert all(up.count for up in ups)


# ---- upstreams that are older than EDNS (RFC 6891, 7)

def gets_answers_without_opt(gate, sent):
    """The first query finds out, the second is sent right at once. SENT(): what the upstream got."""
    assert client.is_good(gate.ask("first.example.test"), "first.example.test")
    assert gate.seconds < AT_ONCE
    found_out = len(sent())
    assert found_out <= 3
    r = gate.ask("second.example.test")
    assert client.is_good(r, "second.example.test")
    assert r.edns == 0, "the client spoke EDNS, and so do we"
    assert [q.opt() for q in sent()[found_out:]] == [None]
    without = gate.udp(client.query("third.example.test", edns=False))
    assert client.is_good(without, "third.example.test") and without.edns == -1


@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
@BOTH
def test_an_upstream_without_edns(served, rcode, question):
    up, gate = served(on_query=without_edns(rcode, question))
    gets_answers_without_opt(gate, lambda: up.queries)


@pytest.mark.parametrize("rcode", ["FORMERR", "NOTIMP"])
@BOTH
def test_an_upstream_without_edns_in_the_clear(start_upstream, start_dotgate, plain, rcode, question):  # noqa: F811
    server = plain(on_query=lambda s, q, tcp: error(q, rcode, question) if q.opt() else answer(q))
    gate = start_dotgate(start_upstream(), options=route("example.test", server))
    gets_answers_without_opt(gate, lambda: [q for q, _, _ in server.queries])
