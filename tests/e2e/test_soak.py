"""Under load for long, with an upstream that ends connections at random."""
import os
import threading
import time

import pytest

import client
from upstream import random_closer

SECONDS = float(os.environ.get("DOTGATE_SOAK_SECONDS", "60"))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_every_query_is_answered(served, workers):
    up, gate = served(on_query=random_closer(100), workers=workers, http=True)
    end = time.monotonic() + SECONDS
    totals, trouble = [0] * 3, []

    def load(k):
        i = 0
        while time.monotonic() < end and not trouble:
            names = [f"s{k}-{i}-{j}.example.test" for j in range(30)]
            answers = gate.burst(names)
            for name in names:
                if name not in answers:
                    trouble.append(f"{name} was not answered")
                elif not client.is_good(answers[name], name):
                    trouble.append(f"{name}: {client.ede(answers[name])}")
            totals[k] += len(names)
            i += 1

    threads = [threading.Thread(target=load, args=(k,)) for k in range(len(totals))]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not trouble, trouble[:5]
    assert sum(totals) > 20 * SECONDS
    assert len(up.connections) > 10, "it has not closed often enough"
    assert gate.metric("dotgate_upstream_inflight") == 0
    assert gate.metric("dotgate_inflight") == 0
