"""One client against others: what many ask cannot be taken away from them by one."""
import time

import pytest

from crowd import Crowd, outcomes
from faults import mute_for
from figures import one_against_others
from wire import answer, rdata_for, record

FLOOD_QPS = 1640  # for 5 s each: as many as there can be questions in flight


@pytest.mark.slow
def test_one_client_that_asks_what_nobody_answers(served):
    """It asks as many unique names as it can, which the upstream never answers: ten others, each at
    its own address, get all of their answers."""
    _, gate = served(on_query=mute_for(".mute."))
    others, crowd = one_against_others(gate, FLOOD_QPS)
    heard = outcomes(others)
    assert set(heard) == {"NOERROR"}, heard
    assert not crowd.trouble


def test_everyone_gets_the_stale_answer(served):
    """More clients than can wait for one question ask for a name that is out of date while the
    upstream is mute: there is an old answer, so nobody is told of a failure."""
    mute = []

    def on_query(conn, q):
        if not mute:
            conn.send(answer(q, answers=[short_lived(q)]))

    _, gate = served(on_query=on_query)
    assert gate.ask("old.example.test").answer
    time.sleep(2.1)
    mute.append(True)
    with Crowd(gate) as crowd:
        members = [crowd.join(f"127.0.1.{1 + i}", "") for i in range(70)]
        for i in range(10):
            for member in members:
                member.ask("old.example.test")
    assert outcomes(crowd.asked) == {"NOERROR": 700}
    assert not crowd.trouble


def short_lived(q):
    return record(b"\xc0\x0c", q.type, rdata_for(q), ttl=1)
