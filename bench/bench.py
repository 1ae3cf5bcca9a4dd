#!/usr/bin/python3
"""bench: measures dotgate beside other DNS-over-TLS forwarders, on loopback.

All servers are measured in turn, round by round, in one run; each figure is the median of the
rounds. The server has CPU 0 to itself, load and upstream share CPU 1. What counts is the CPU time
that a server uses for a query; "floor" is an echo that does nothing else.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from plot import plot  # noqa: E402
from rig import Rig, make_certificates  # noqa: E402
from servers import SERVERS, is_there  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
WINDOW = 200
RTT_MS = 20


def hit(rig, seconds, seed):
    rig.load("fixed", 1000, 1, window=50)
    return rig.measured("fixed", 1000, seconds, window=WINDOW)


def miss(rig, seconds, seed):
    return rig.measured("unique", 0, seconds, window=WINDOW, seed=seed)


def mixed(rig, seconds, seed):
    rig.load("zipf", 1000000, 2, window=WINDOW, seed=seed + 1000)
    return rig.measured("zipf", 1000000, seconds, window=WINDOW, seed=seed)


def rtt(rig, seconds, seed):
    rig.load("unique", 0, 1, qps=200, seed=seed + 1000)
    return rig.measured("unique", 0, seconds, qps=2000, seed=seed)


def churn(rig, seconds, seed):
    return rig.measured("unique", 0, seconds, qps=1000, seed=seed)


def memory(rig, seconds, seed):
    idle = rig.rss_kib()
    rig.load("fixed", 100000, 6, qps=20000)
    rss = rig.rss_kib()
    return {"idle_kib": idle, "rss_kib": rss, "bytes_per_name": (rss - idle) * 1024 / 100000}


# Name: what is done, how the upstream behaves, and what it is.
SCENARIOS = {
    "hit": (hit, {}, "1,000 names, all in the cache"),
    "miss": (miss, {}, "each name new, the upstream answers at once"),
    "mixed": (mixed, {"ttl": 0}, "Zipf over 1 M names, 5 % NXDOMAIN, A, AAAA and HTTPS, "
                                 "TTLs from 1 s to 1 h"),
    "rtt": (rtt, {"delay_ms": RTT_MS}, f"2,000 new names a second, {RTT_MS} ms to the upstream"),
    "churn": (churn, {"delay_ms": RTT_MS, "close_after": 100},
              "the upstream closes after 100 answers; 1,000 names a second"),
    "memory": (memory, {}, "100,000 names"),
}
COLUMNS = {
    "cpu_us": "CPU µs/query", "floors": "× floor", "qps": "queries/s",
    "cpu_percent": "CPU %", "answered_percent": "answered %", "failed": "SERVFAIL",
    "p50": "p50 ms", "p99": "p99 ms", "idle_kib": "idle KiB", "rss_kib": "with names KiB",
    "bytes_per_name": "bytes/name",
}


def build(folder):
    for tool, libraries in (("upstream", ["-lssl", "-lcrypto"]), ("flood", []), ("floor", [])):
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-o", os.path.join(folder, tool),
                        os.path.join(HERE, tool + ".c"), *libraries], check=True)


def one(scenario, server, seconds, seed, files, dotgate):
    """The figures of one run, or None where it makes no sense or does not work."""
    if server == "floor" and scenario not in ("hit", "miss", "mixed"):
        return None
    run, upstream, _ = SCENARIOS[scenario]
    with Rig(server, files, files, dotgate, **upstream) as rig:
        if not rig.wait_ready():
            print(f"{server}: no answer, skipped", file=sys.stderr)
            return None
        result = run(rig, seconds, seed)
    if "sent" in result:
        result["answered_percent"] = 100 * result["answered"] / max(result["sent"], 1)
    return result


def measure(servers, scenarios, runs, seconds, dotgate):
    """{scenario: {server: {figure: median}}}"""
    results = {}
    with tempfile.TemporaryDirectory(prefix="dotgate-bench-") as files:
        build(files)
        make_certificates(files)
        for scenario in scenarios:
            rounds = {server: [] for server in servers}
            for seed in range(1, runs + 1):
                for server in servers:
                    figures = one(scenario, server, seconds, seed, files, dotgate)
                    if figures:
                        rounds[server].append(figures)
            results[scenario] = {server: medians(rounds[server]) for server in servers
                                 if rounds[server]}
            add_floors(results[scenario])
            print(table(scenario, results[scenario]), flush=True)
    return results


def medians(rounds):
    return {key: statistics.median(r[key] for r in rounds) for key in rounds[0]}


def add_floors(rows):
    if "floor" in rows:
        for row in rows.values():
            row["floors"] = row["cpu_us"] / rows["floor"]["cpu_us"]


def shown(key, value):
    if key in ("cpu_us", "floors", "p50", "p99", "answered_percent"):
        return f"{value:,.2f}"
    return f"{value:,.0f}"


def table(scenario, rows):
    columns = [c for c in COLUMNS if any(c in row for row in rows.values())]
    lines = [f"### {scenario}: {SCENARIOS[scenario][2]}", "",
             "| server | " + " | ".join(COLUMNS[c] for c in columns) + " |",
             "|---" * (len(columns) + 1) + "|"]
    for server, row in rows.items():
        cells = [shown(c, row[c]) if c in row else "–" for c in columns]
        lines.append(f"| {server} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def arguments():
    p = argparse.ArgumentParser(description=__doc__,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dotgate", default=os.path.join(HERE, "..", "build", "dotgate"))
    p.add_argument("--servers", default=",".join(SERVERS), help="of " + ", ".join(SERVERS))
    p.add_argument("--scenarios", default=",".join(SCENARIOS))
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--seconds", type=int, default=3, help="of each run")
    p.add_argument("--out", default=os.path.join(HERE, "results"), help="folder")
    return p.parse_args()


def main():
    a = arguments()
    servers = [s for s in a.servers.split(",") if s in SERVERS and is_there(s)]
    for missing in set(a.servers.split(",")) - set(servers):
        print(f"{missing}: not installed, or not known: skipped", file=sys.stderr)
    results = measure(servers, a.scenarios.split(","), a.runs, a.seconds,
                      os.path.abspath(a.dotgate))
    os.makedirs(a.out, exist_ok=True)
    for name, text in (("results.json", json.dumps(results, indent=1) + "\n"),
                       ("results.md", "\n".join(table(s, r) for s, r in results.items())),
                       ("results.svg", plot(results))):
        with open(os.path.join(a.out, name), "w", encoding="utf-8") as f:
            f.write(text)
    print("written:", a.out)


if __name__ == "__main__":
    main()
