"""Upstreams that answer few queries on a connection, down to one, and resume no session."""
import pytest

from crowd import outcomes, percentile
from faults import far, only
from figures import steadily

RTT = 0.02
LEARNING = 3  # seconds until it is known how many they answer


@pytest.mark.slow
@pytest.mark.parametrize("qps", [30, 100])
@pytest.mark.parametrize("count", [1, 5])
def test_connections_are_there_before_they_are_needed(served, count, qps):
    """A new connection costs two round trips more than a query. While clients are active they are
    opened ahead, so that the usual query takes one; and all are answered."""
    _, gate = served(on_query=only(count, RTT), on_accept=far(RTT), tickets=0)
    crowd = steadily(gate, qps, LEARNING + 10)
    asked = crowd.asked
    assert outcomes(asked) == {"NOERROR": len(asked)}
    assert not crowd.trouble
    usual = percentile([a.took for a in asked[LEARNING * qps:]], 0.5)
    assert usual < 1.8 * RTT, usual / RTT
