"""Answers that never come, from an upstream that gives all the others in time."""
import pytest

from crowd import outcomes, percentile
from faults import lossy
from figures import steadily

AWAY = 0.02  # seconds until an answer
QPS, SECONDS = 200, 15
BUSY = 0.5   # what a busy machine may add


@pytest.mark.slow
@pytest.mark.parametrize("percent", [1, 5])
def test_what_is_lost_is_asked_again(served, percent):
    """All are answered, none much later than three times what is usual and a second; and the sole
    upstream is asked hardly more often for it."""
    up, gate = served(on_query=lossy(percent / 100, AWAY), options=["--hedge", "on"])
    crowd = steadily(gate, QPS, SECONDS)
    asked = crowd.asked
    assert outcomes(asked) == {"NOERROR": len(asked)}
    assert not crowd.trouble
    took = [a.took for a in asked]
    assert max(took) < 3 * percentile(took, 0.95 if percent < 5 else 0.9) + 1 + BUSY, max(took)
    assert up.count < len(asked) * (1.1 + percent / 100)
