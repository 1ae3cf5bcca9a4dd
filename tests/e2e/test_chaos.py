"""Everything fails, in random order, and clients that do nothing wrong are still served.

CHAOS_SECONDS: for how long (110). CHAOS_SEED: which order (1); a failure names it.
"""
import os
import threading
import time

import pytest

import chaos
import client
import wire
from crowd import Crowd, outcomes
from dotgate import need
from test_network import path  # noqa: F401 (a fixture)
from upstream import server_context

SECONDS = float(os.environ.get("CHAOS_SECONDS", "110"))
SEED = int(os.environ.get("CHAOS_SEED", "1"))

ANSWER_SECONDS = 5.5   # query-timeout, and what a timer and a busy loop may be late
RECOVER_SECONDS = 8    # until all is well after all is mended: back-off is 5 s at most
CALM_SECONDS = 4
FILES = 400            # two workers: listeners, connections of three upstreams, and some TCP clients
FILES_AT_REST = 48     # without the clients
RESIDENT_KIB = 64 * 1024
SANITIZER_FACTOR = 8   # what a sanitizer keeps aside

# What a client may hear of: the upstreams' own errors when all of them say so.
ALLOWED = {"NOERROR", "SERVFAIL", "FORMERR", "REFUSED", "NOTIMP", "NOTAUTH"}


@pytest.fixture
def world(path, certificates, tmp_path):  # noqa: F811
    missing = need("gcc", "nsenter", "unshare")
    if missing:
        pytest.skip(f"not installed: {missing}")
    made = chaos.World(tmp_path, path, certificates, SEED)
    made.stranger = server_context(certificates.get("unknown_ca"))
    yield made
    made.close()


class Streams(threading.Thread):
    """A polite TCP client: some queries at once on a connection, reads all answers, then another."""

    def __init__(self, world, number):
        super().__init__(daemon=True)
        self.world, self.number, self.ending = world, number, threading.Event()
        self.asked = self.answered = 0
        self.broken = []  # (from, until, why)

    def run(self):
        with self.world.inner():
            while not self.ending.wait(0.2):
                start = time.monotonic()
                try:
                    self._talk(start)
                except OSError as e:
                    self.broken.append((start, time.monotonic(), str(e)))

    def _talk(self, start):
        names = {i: f"t{self.number}-{self.asked + i}.example.test" for i in range(5)}
        self.asked += len(names)
        with client.Stream(self.world.gate.address, self.world.port, 8) as stream:
            stream.sock.sendall(b"".join(wire.frame(chaos.a_query(name, i))
                                         for i, name in names.items()))
            while names:
                data = stream.receive_raw()
                if data is None:
                    raise ConnectionError(f"closed before {len(names)} answers")
                name = names.pop(int.from_bytes(data[:2], "big"), None)
                question = name and wire.encode_name(name) + b"\0\1\0\1"
                if not name or data[12:12 + len(question)] != question:
                    self.world.trouble.append(f"TCP: not what was asked: {data.hex()}")
                    return
                self.answered += 1
                self._judge(name, start)

    def _judge(self, name, start):
        now = time.monotonic()
        if now - start > ANSWER_SECONDS + self.world.stalled(start, now):
            self.world.trouble.append(f"TCP: {name} took {now - start:.2f} s")


def overlaps(spans, start, end):
    return any(a < end and start < b for a, b in spans)


def judge_udp(world, crowd):
    """Each query has one answer, in time, but those that nobody could take."""
    world.trouble += crowd.trouble
    lost = []
    for a in crowd.asked:
        end = a.sent + (a.took if a.took is not None else 0)
        if a.took is None:
            if not overlaps(world.away, a.sent, a.sent):
                lost.append(f"{a.name} at {a.sent - world.start_time:.2f}")
        elif a.rcode not in ALLOWED:
            world.trouble.append(f"{a} at {a.sent - world.start_time:.2f}")
        elif a.took > ANSWER_SECONDS + world.stalled(a.sent, end) \
                and not overlaps(world.away, a.sent, end):
            world.trouble.append(f"late: {a} at {a.sent - world.start_time:.2f}")
    if len(lost) > world.kernel_drops:
        world.trouble.append(f"{len(lost)} without an answer ({world.kernel_drops} datagrams were "
                             f"dropped by the kernel): {lost[:20]}")


def judge_tcp(world, streams):
    """A connection may break while dotgate is away, stopped or short of descriptors, only then."""
    for s in streams:
        world.trouble += [f"TCP: {why} at {start - world.start_time:.2f}"
                          for start, end, why in s.broken
                          if not overlaps(world.away + world.scarce, start, end)]


def judge_resources(world):
    factor = SANITIZER_FACTOR if is_sanitized(world) else 1
    if world.most_kib > RESIDENT_KIB * factor:
        world.trouble.append(f"{world.most_kib} KiB resident")
    if world.most_files > FILES:
        world.trouble.append(f"{world.most_files} descriptors")
    end = time.monotonic() + 15
    while world.files() > FILES_AT_REST and time.monotonic() < end:
        time.sleep(0.2)
    if world.files() > FILES_AT_REST:
        world.trouble.append(f"{world.files()} descriptors at the end")


def is_sanitized(world):
    with open(f"/proc/{world.pid}/exe", "rb") as f:
        return b"__asan_init" in f.read()


def judge_counters(world):
    """What came is what was answered and what was dropped; nothing is under way."""
    with world.inner():
        gate = world.gate
        end = time.monotonic() + 8
        while gate.metric("dotgate_inflight") and time.monotonic() < end:
            time.sleep(0.2)
        rows = gate.metrics()

    def total(name):
        return sum(v for row, v in rows.items() if row.split("{")[0] == name)

    requests, responses = total("dotgate_dns_requests_total"), total("dotgate_dns_responses_total")
    dropped = total("dotgate_dropped_total")
    if requests != responses + dropped:
        world.trouble.append(f"{requests:.0f} requests, {responses:.0f} responses and "
                             f"{dropped:.0f} drops")
    for name in ("dotgate_inflight", "dotgate_upstream_inflight", "dotgate_tcp_clients"):
        if total(name):
            world.trouble.append(f"{name} is {total(name):.0f} at the end")


def calm(world, crowd):
    """All is mended: soon all are answered well."""
    time.sleep(RECOVER_SECONDS)
    start = time.monotonic()
    time.sleep(CALM_SECONDS)
    end = time.monotonic()
    time.sleep(1)
    bad = [a for a in crowd.asked if start < a.sent < end and not a.good]
    if bad:
        world.trouble.append(f"not well after all was mended: {outcomes(bad)}")


def polite(crowd):
    """Some ask what is popular, some what nobody has asked before."""
    for i in range(1, 7):
        pattern = f"popular{i % 3}.example.test" if i % 2 else f"u{i}-%d.example.test"
        crowd.join(f"{chaos.POLITE}{i}", pattern, 15)


def told(world):
    return "\n".join(world.history[-200:])


@pytest.mark.slow
def test_chaos(world):
    streams = [Streams(world, i) for i in range(3)]
    with world.inner():
        crowd = Crowd(world.gate)
        polite(crowd)
    with crowd:
        for s in streams:
            s.start()
        try:
            chaos.run(world, time.monotonic() + SECONDS)
            calm(world, crowd)
        except (RuntimeError, AssertionError) as e:  # it ended, or not well
            pytest.fail(f"CHAOS_SEED={SEED}: {e}\n{told(world)}", pytrace=False)
        finally:
            for s in streams:
                s.ending.set()
                s.join()
    judge_udp(world, crowd)
    judge_tcp(world, streams)
    judge_resources(world)
    judge_counters(world)
    world.gate.stop()
    print(f"seed {SEED}: {len(crowd.asked)} asked over UDP: {outcomes(crowd.asked)}; over TCP "
          f"{sum(s.answered for s in streams)}; {world.most_kib} KiB, {world.most_files} descriptors, "
          f"{world.kernel_drops} dropped by the kernel, {len(world.history)} events")
    assert not world.trouble, f"CHAOS_SEED={SEED}: {len(world.trouble)} troubles\n" \
        + "\n".join(world.trouble[:30]) + f"\n\n{told(world)}"
    assert len(crowd.asked) > 50 * SECONDS and sum(s.answered for s in streams)
