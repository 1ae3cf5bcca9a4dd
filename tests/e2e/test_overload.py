"""An upstream that is asked more than it can answer, and one that is only slow."""
import pytest

from crowd import outcomes
from faults import Queue, Slow
from figures import overload, slower

CAPACITY = 300


@pytest.mark.slow
@pytest.mark.parametrize("offered", [400, 1500])
def test_what_is_asked_too_much_gets_what_there_is(served, offered):
    """An upstream with a queue before it, without end: nobody waits in it who does not wait any
    more, and it is used to the full. As soon as less is asked all are answered, and soon."""
    _, gate = served(on_query=Queue(CAPACITY))
    got = overload(gate, CAPACITY, offered)
    wrong = [what for what, is_wrong in {
        "less than 90 % of what the upstream can reached clients": got["goodput"] < 0.9,
        "not all were answered a second after it": set(got["after"]) != {"NOERROR"},
        "the answers were late still a second after it": got["after_p95"] > 0.2,
        "a client heard what it had not asked": bool(got["trouble"]),
    }.items() if is_wrong]
    assert not wrong, (wrong, got)


@pytest.mark.slow
def test_who_became_slow_is_not_full(served):
    """Each answer takes 1.5 s longer from one moment to the next, but all are answered: no client
    is refused."""
    upstream = Slow(0.01)
    _, gate = served(on_query=upstream)
    crowd = slower(gate, upstream, 400)
    assert outcomes(crowd.asked) == {"NOERROR": len(crowd.asked)}
    assert not crowd.trouble
