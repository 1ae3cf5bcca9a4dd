"""An upstream that keeps idle connections for less than a second is not kept warm."""
import pytest

from test_upstream_life import live_idle


@pytest.mark.slow
@pytest.mark.parametrize("idle", [0.6, 2.0])
def test_no_handshakes_for_nobody(served, idle):
    """One query, and then nobody asks for a time: it is learnt that connections end at once, and
    no more are opened to be closed. Then somebody asks again."""
    up, gate = served()
    live_idle(gate, up, idle, [0, 15])
    assert sum(c.ready for c in up.connections) <= 8, [c.ready_at for c in up.connections]
