#!/usr/bin/python3
"""faults: what clients of one dotgate get while its upstream fails, as a table in Markdown.

    faults.py [BINARY ...]      (default: build/dotgate; `--only WORD` for a part)

Several binaries are measured one after the other, for each fault, so that old and new can be
compared. The upstream and the clients are those of tests/e2e, in this process.
"""
import argparse
import os
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests", "e2e"))

import certs  # noqa: E402
import dotgate  # noqa: E402
import faults  # noqa: E402
import figures  # noqa: E402
from crowd import outcomes, percentile  # noqa: E402
from upstream import Upstream  # noqa: E402

CAPACITY = 300
RTT = 0.02
FLOOD_QPS = 1640
LEARNING = 3  # seconds that are not in the figures


class Place:
    """Certificates, a folder, and whichever dotgate is measured now."""

    def __init__(self, folder):
        self.folder, self.binary = folder, None
        self.certificates = certs.Certificates(folder)

    def run(self, measure, *options, **upstream):
        """What MEASURE(gate, upstream) returns."""
        dotgate.BINARY = self.binary
        tls = {"tickets": upstream.pop("tickets", 2)}
        with Upstream(self.certificates.get("valid"), **upstream, **tls) as up:
            gate = dotgate.Dotgate(self.folder, "--ca-file", self.certificates.ca_file, "--upstream",
                                   up.spelling(), *options, http=True)
            try:
                return measure(gate, up)
            finally:
                gate.kill()


def percent(part, whole):
    return f"{100 * part / whole:.1f}" if whole else "-"


def ms(seconds):
    return f"{1000 * seconds:.0f}"


def is_good(asked):
    return sum(a.good for a in asked)


def overload(place, offered):
    got = place.run(lambda gate, up: figures.overload(gate, CAPACITY, offered),
                    on_query=faults.Queue(CAPACITY))
    after = got["after"]
    return {"of its capacity reached clients %": f"{100 * got['goodput']:.0f}",
            "answered 1 s after it %": percent(after.get("NOERROR", 0), sum(after.values())),
            "p95 1 s after it ms": ms(got["after_p95"])}


def slower(place):
    upstream = faults.Slow(0.01)
    crowd = place.run(lambda gate, up: figures.slower(gate, upstream, 400), on_query=upstream)
    return {"answered %": percent(is_good(crowd.asked), len(crowd.asked))}


def one_against_others(place):
    def measure(gate, up):
        others, crowd = figures.one_against_others(gate, FLOOD_QPS)
        return {"others answered %": percent(is_good(others), len(others)),
                "others' p99 ms": ms(percentile([a.took or 99 for a in others], 0.99)),
                "the upstream was sent, of what was asked %": percent(up.count, len(crowd.asked))}

    return place.run(measure, on_query=faults.mute_for(".mute."))


def losses(place, share, hedge):
    def measure(gate, up):
        asked = figures.steadily(gate, 200, 20).asked
        took = [a.took or 99 for a in asked]
        return {"answered %": percent(is_good(asked), len(asked)),
                "p50 ms": ms(percentile(took, 0.5)), "p99 ms": ms(percentile(took, 0.99)),
                "max ms": ms(max(took)), "copies %": percent(up.count - len(asked), len(asked)),
                "of them hedges %": percent(gate.metric("dotgate_hedges_total"), len(asked))}

    return place.run(measure, "--hedge", hedge, on_query=faults.lossy(share, RTT))


def few_queries(place, count, qps):
    def measure(gate, up):
        asked = figures.steadily(gate, qps, LEARNING + 15).asked
        took = [a.took or 99 for a in asked[LEARNING * qps:]]
        return {"answered %": percent(is_good(asked), len(asked)),
                "p50 RTT": f"{percentile(took, 0.5) / RTT:.1f}",
                "p99 RTT": f"{percentile(took, 0.99) / RTT:.1f}",
                "connections per query": f"{len(up.connections) / len(asked):.2f}"}

    return place.run(measure, on_query=faults.only(count, RTT), on_accept=faults.far(RTT), tickets=0)


# Heading: [(row, what measures it)]
TABLES = {
    f"overload: an upstream that can answer {CAPACITY} a second, in order": [
        (f"{offered} asked a second", lambda p, o=offered: overload(p, o)) for offered in (400, 1500)],
    "slow: each answer takes 1.5 s more from one moment to the next; 400 queries a second": [
        ("", slower)],
    f"others: one client asks {FLOOD_QPS} unanswerable names a second, ten others 20 each": [
        ("", one_against_others)],
    "losses: answers that never come; one upstream, 20 ms, 200 queries a second": [
        (f"{share:.0%} lost, hedge {hedge}", lambda p, s=share, h=hedge: losses(p, s, h))
        for share in (0.01, 0.05) for hedge in ("on", "off")],
    "few: an upstream that answers few queries on a connection, no tickets, 20 ms": [
        (f"{count} on each, {qps} queries a second", lambda p, c=count, q=qps: few_queries(p, c, q))
        for count in (1, 5) for qps in (30, 100)],
}


def measure(place, binaries, heading, rows):
    print(f"\n## {heading}\n")
    head = None
    for row, call in rows:
        for binary in binaries:
            place.binary = binary
            figures_of = {"": row, "dotgate": binary, **call(place)}
            if len(binaries) == 1:
                del figures_of["dotgate"]
            if not head:
                head = list(figures_of)
                print("| " + " | ".join(head) + " |\n|" + "---|" * len(head))
            print("| " + " | ".join(figures_of.values()) + " |", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("binaries", nargs="*", default=[dotgate.BINARY])
    options.add_argument("--only", help="the first word of a table")
    args = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="dotgate-faults-") as folder:
        place = Place(folder)
        for heading, rows in TABLES.items():
            if not args.only or heading.split(":")[0] == args.only:
                measure(place, args.binaries, heading, rows)


if __name__ == "__main__":
    main()
