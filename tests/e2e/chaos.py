"""A dotgate in a world where everything fails at some time, in an order that a seed decides.

The world: two network namespaces and a cable that can fail (netns.Path), dotgate in the inner one,
three upstreams in the outer one, the cache file on a tiny file system that only dotgate sees.
FAULTS are functions that break something, yield how long that lasts, and mend it. Clients that do
nothing wrong ask meanwhile; what they may expect is in test_chaos.py.
"""
import contextlib
import os
import random
import resource
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import dotgate
import faults
import netns
import wire
from upstream import Connection, Upstream

UPSTREAMS = 3
CACHE_DISK = "2m"       # octets of the file system of the cache file
AT_ONCE = 3             # so many faults at a time
FLOOD_QPS = 1500
SAMPLE_SECONDS = 0.05
DAY, YEAR = 86400, 365 * 86400
STALL = 0.1             # a sample that is late by more: this machine did not run us
POLITE = "10.77.1."     # the clients' addresses, on the loopback of the inner namespace


# ---- upstreams

def usual(conn, q):
    """An answer that is out of date after two seconds, so that stale ones are had, too. Some
    upstreams never answer more than so many queries on a connection."""
    limit = getattr(conn.upstream, "limit", None)
    if limit and len(conn.queries) > limit:
        return
    rdata = wire.rdata_for(q)
    records = [wire.record(b"\xc0\x0c", q.type, rdata, ttl=2)] if rdata else []
    conn.answer(q, answers=records)
    if len(conn.queries) == limit:
        conn.close()


def garbage(conn, q):
    conn.write(wire.frame(random.randbytes(random.randrange(60))))


def wrong_id(conn, q):
    conn.send(wire.answer(q, id=q.id ^ 0x1234), wire.answer(q))


def twice(conn, q):
    conn.send(wire.answer(q), wire.answer(q))


def closes(conn, q):
    conn.close(notify=random.random() < 0.5)


def resets(conn, q):
    conn.reset()


def half_a_frame(conn, q):
    conn.write(wire.frame(wire.answer(q))[:11])
    conn.close()


def every_second_mute(conn, q):
    """Of the connections: so another one is opened, does better, and the first retires."""
    if conn.upstream.connections.index(conn) % 2:
        usual(conn, q)


def uneven(conn, q):
    conn.later(random.uniform(0, 0.5), usual, conn, q)


BEHAVIOURS = {
    "every second mute": every_second_mute, "uneven": uneven,
    "mute": lambda conn, q: None, "slow": faults.Slow(0.7), "very slow": faults.Slow(3),
    "lossy": faults.lossy(0.2, 0.02), "narrow": faults.Queue(20), "one each": faults.only(1, 0.005),
    "five each": faults.only(5, 0.005), "without EDNS": faults.without_edns(), "garbage": garbage,
    "wrong id": wrong_id, "twice": twice, "closes": closes, "resets": resets,
    "half a frame": half_a_frame,
    **{rcode: faults.refuses(rcode) for rcode in faults.RCODES},
    **{f"{rcode}, empty": faults.refuses(rcode, question=False) for rcode in faults.RCODES},
}


# ---- the world

class Disk:
    """A file system of few octets at FOLDER, which only those see whom it is given to: `prefix`
    puts a command before it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir()
        script = f"mount -t tmpfs -o size={CACHE_DISK} tmpfs {self.folder} && echo && exec sleep inf"
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c", script],
                                       stdout=subprocess.PIPE)
        assert self.holder.stdout.readline(), "no mount namespaces here"
        # its root, too: ours may be that of a chroot
        self.prefix = ["nsenter", "--target", str(self.holder.pid), "--mount", "--root"]
        self.seen_from_here = Path(f"/proc/{self.holder.pid}/root{self.folder}")

    def fill(self):
        with contextlib.suppress(OSError), open(self.seen_from_here / "filler", "wb", 0) as f:
            while True:
                f.write(bytes(4096))

    def empty(self):
        (self.seen_from_here / "filler").unlink(missing_ok=True)

    def close(self):
        self.holder.kill()
        self.holder.wait()
        self.holder.stdout.close()


class Clock:
    """The time of day of a process that runs with `env` can be changed while it runs."""

    def __init__(self, folder):
        self.file, shim = folder / "clock", folder / "clock_shim.so"
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", shim,
                        Path(__file__).with_name("clock_shim.c")], check=True)
        self.file.write_bytes(bytes(8))
        self.env = {"LD_PRELOAD": str(shim), "CLOCK_AHEAD": str(self.file)}

    def set(self, seconds):
        with open(self.file, "r+b") as f:
            f.write(struct.pack("=q", seconds))


class World:
    """`gate`, `upstreams`, `crowd`; `history` has what was done, `trouble` what must not be."""

    def __init__(self, folder, network, certificates, seed):
        self.folder, self.network, self.certificates = Path(folder), network, certificates
        self.dice, self.clock = random.Random(seed), Clock(self.folder)
        random.seed(seed)
        self.start_time, self.history, self.trouble = time.monotonic(), [], []
        self.away, self.stalls, self.scarce = [], [], []  # [(from, until)]
        self.most_files = self.most_kib = self.kernel_drops = self.drops_of_ended = 0
        self.ending, self.gate_lock = threading.Event(), threading.Lock()
        self.disk = Disk(self.folder / "disk")
        for i in range(1, 30):
            netns.ip("-n", network.inner, "address", "add", f"{POLITE}{i}/32", "dev", "lo")
        self.upstreams = [self.start_upstream() for _ in range(UPSTREAMS)]
        self.port, self.gate = None, None
        self.start_gate()
        self.watcher = threading.Thread(target=self._watch, daemon=True)
        self.watcher.start()

    def say(self, text):
        self.history.append(f"{time.monotonic() - self.start_time:7.2f} {text}")

    def inner(self):
        return self.network.inside(self.network.inner)

    def start_upstream(self, port=0):
        with self.network.inside(self.network.outer):
            up = Upstream(self.certificates.get("valid"), address=netns.OUTER, port=port,
                          on_query=usual)
        up.limit = self.dice.choice([None, None, 5, 40])
        return up

    def start_gate(self):
        upstreams = [a for up in self.upstreams for a in ("--upstream", up.spelling())]
        policy = self.dice.choice(["fastest", "ordered", "race 2", "round-robin"])
        with self.inner():
            self.gate = dotgate.Dotgate(
                self.folder, "--ca-file", self.certificates.ca_file, *upstreams, "--cache-size", "4M",
                "--cache-file", self.disk.folder / "cache", "--tcp-idle-timeout", "5s",
                "--drain-timeout", "2s", "--policy", policy, "--hedge", self.dice.choice(["auto", "on"]),
                port=self.port, workers=self.dice.choice([1, 2]), http=True, env=self.clock.env,
                prefix=self.disk.prefix)
        self.port = self.gate.port
        self.say(f"dotgate started: {policy}")

    @property
    def pid(self):
        return self.gate.process.pid

    # ---- looking

    def _watch(self):
        last = time.monotonic()
        while not self.ending.wait(SAMPLE_SECONDS):
            now = time.monotonic()
            if now - last > SAMPLE_SECONDS + STALL:
                self.stalls.append((last, now))
            last = now
            with self.gate_lock, contextlib.suppress(OSError, TypeError):
                self._sample()

    def _sample(self):
        self.most_files = max(self.most_files, self.files())
        self.most_kib = max(self.most_kib, self.gate.rss_kib())
        self.kernel_drops = self.drops_of_ended + self.kernel_drops_now()

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def kernel_drops_now(self):
        """Datagrams to dotgate's sockets that the kernel had no room for."""
        rows = Path(f"/proc/{self.pid}/net/udp").read_text().splitlines()[1:]
        return sum(int(row.split()[-1]) for row in rows
                   if row.split()[1].endswith(f":{self.port:04X}"))

    def stalled(self, start, end):
        """For how many seconds of these this machine did not run."""
        return sum(max(0, min(end, b) - max(start, a)) for a, b in self.stalls)

    # ---- ending

    def restart(self, meanwhile=lambda: None):
        """TERM, and again with the cache file. It must end well; who asks meanwhile asks in vain."""
        since = time.monotonic() - 0.25  # what it may not have read yet
        with self.gate_lock:
            self.drops_of_ended += self.kernel_drops_now()
            self.gate.stop()
            meanwhile()
            self.start_gate()
        self.away.append((since, time.monotonic()))

    def close(self):
        self.ending.set()
        self.watcher.join()
        self.gate.kill()
        for up in self.upstreams:
            up.close()
        self.disk.close()


# ---- what goes wrong: breaks something, yields for how long, mends it

def seconds(world, least=0.3, most=4.0):
    return world.dice.uniform(least, most)


def behave(world):
    """One or more upstreams do something that they should not."""
    some = world.dice.sample(world.upstreams, world.dice.randint(1, UPSTREAMS))
    for up in some:
        word = world.dice.choice(list(BEHAVIOURS))
        world.say(f"upstream {world.upstreams.index(up)}: {word}")
        up.on_query = BEHAVIOURS[word]
    yield seconds(world)
    for up in some:
        up.on_query = usual


def no_handshake(world):
    """One accepts connections and says nothing."""
    up = world.dice.choice(world.upstreams)
    up.on_accept = Connection.hold
    up.end_connections(Connection.reset)
    yield seconds(world)
    up.on_accept = lambda conn: None


def end_connections(world):
    for up in world.upstreams:
        up.end_connections(world.dice.choice([Connection.close, Connection.reset]))
    yield 0


def upstream_away(world):
    """One does not listen for a while; then there is another in its place."""
    number = world.dice.randrange(UPSTREAMS)
    up = world.upstreams[number]
    up.close()
    yield seconds(world)
    world.upstreams[number] = world.start_upstream(up.port)


def other_certificate(world):
    """One is somebody else for a while."""
    number = world.dice.randrange(UPSTREAMS)
    up = world.upstreams[number]
    right, up.context = up.context, world.stranger
    up.end_connections()
    yield seconds(world)
    up.context = right
    up.end_connections()


def network_change(world):
    """The way to the upstreams is lost in some way, or the address changes; then it is back."""
    from test_network import lose_every_answer, lose_the_route, pull_the_cable

    cut = world.dice.choice([lose_every_answer, lose_the_route, pull_the_cable, new_address])
    world.say(cut.__name__)
    back = cut(world.network)
    yield seconds(world)
    back()


def bad_path(world):
    """Packets are lost, late or out of order."""
    path = world.network
    path.loss, path.delay = world.dice.choice([(0.02, (0, 0.01)), (0.3, (0.005, 0.005)),
                                               (0, (0.001, 0.05)), (0, (0.3, 0.3)), (1, (0, 0))])
    world.say(f"{path.loss:.0%} lost, {path.delay[0]} to {path.delay[1]} s late")
    yield seconds(world)
    path.loss, path.delay = 0, (0, 0)


def middlebox(world):
    """It resets the connections, or forgets them."""
    what = world.dice.choice([world.network.reset, world.network.forget])
    world.say(what.__name__)
    what()
    yield 0


def new_address(network):
    move(network, netns.INNER, "10.77.0.3")
    return lambda: move(network, "10.77.0.3", netns.INNER)


def move(network, old, new):
    netns.ip("-n", network.inner, "address", "del", f"{old}/24", "dev", "in")
    netns.ip("-n", network.inner, "address", "add", f"{new}/24", "dev", "in")
    netns.ip("-n", network.inner, "route", "replace", "default", "via", netns.OUTER)


def no_descriptors(world):
    """EMFILE: no more, or hardly more, than there are open."""
    start = time.monotonic()
    soft, hard = resource.prlimit(world.pid, resource.RLIMIT_NOFILE)
    pid = world.pid
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (world.files() + world.dice.randrange(4), hard))
    yield seconds(world)
    if pid == world.pid:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    world.scarce.append((start, time.monotonic()))


def full_disk(world):
    world.disk.fill()
    yield seconds(world, 2, 10)
    world.disk.empty()


def restart(world):
    world.restart()
    yield 0


def damaged_cache(world):
    """A restart in which octets of the cache file have changed."""
    def damage():
        path = world.disk.seen_from_here / "cache"
        if path.exists():
            data = bytearray(path.read_bytes())
            for _ in range(20):
                data[world.dice.randrange(len(data))] ^= 1 << world.dice.randrange(8)
            with contextlib.suppress(OSError):
                path.write_bytes(data)

    world.restart(damage)
    yield 0


def clock_jump(world):
    """The time of day; beyond a certificate's, too."""
    ahead = world.dice.choice([-20 * YEAR, -DAY, -3600, -30, 30, 3600, DAY, 40 * YEAR])
    world.say(f"by {ahead} s")
    world.clock.set(ahead)
    yield seconds(world)
    world.clock.set(0)


def stop_and_go(world):
    """As a virtual machine that is paused."""
    pid, start = world.pid, time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    time.sleep(world.dice.uniform(0.05, 0.6))
    os.kill(pid, signal.SIGCONT)
    world.stalls.append((start, time.monotonic()))
    yield 0


def signals(world):
    world.gate.signal(world.dice.choice([signal.SIGHUP, signal.SIGUSR1]))
    yield 0


# ---- clients that do what they should not

def in_thread(world, call):
    """CALL(world, stop) on a thread in dotgate's namespace. Returns what ends it."""
    stop = threading.Event()

    def run():
        with world.inner(), contextlib.suppress(OSError):
            call(world, stop)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def end():
        stop.set()
        thread.join()

    return end


def udp_from(world, number):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((f"{POLITE}{number}", 0))
    sock.connect((world.gate.address, world.port))
    sock.setblocking(False)
    return sock


def tcp_from(world, number):
    return socket.create_connection((world.gate.address, world.port), 2,
                                    source_address=(f"{POLITE}{number}", 0))


def a_query(name, number=1):
    return wire.message(number & 0xFFFF, wire.RD, wire.encode_name(name) + b"\0\1\0\1",
                        additional=[wire.opt()])


def flood_with(make, qps):
    """MAKE(i) is the datagram; nobody reads what is answered."""
    def run(world, stop):
        with udp_from(world, 20) as sock:
            for i in range(1 << 30):
                if i % (qps // 50) == 0 and stop.wait(0.02):
                    return
                with contextlib.suppress(OSError):
                    sock.send(make(i))

    return run


def flood(world):
    """Unique names, or the same one."""
    start = f"{time.monotonic():.0f}"
    make = world.dice.choice([lambda i: a_query(f"f{i}-{start}.example.test", i),
                              lambda i: a_query("popular0.example.test", i)])
    end = in_thread(world, flood_with(make, FLOOD_QPS))
    yield seconds(world)
    end()


def mutate(data):
    """Some octets changed, cut off or added."""
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        data[random.randrange(len(data))] = random.randrange(256)
    if random.random() < 0.3:
        data = data[:random.randrange(len(data))]
    if random.random() < 0.2:
        data += random.randbytes(random.randrange(600))
    return bytes(data)


def malformed(world):
    end = in_thread(world, flood_with(lambda i: mutate(a_query(f"m{i % 9}.example.test", i)), 300))
    yield seconds(world)
    end()


def malformed_streams(world):
    def run(world, stop):
        while not stop.wait(0.05):
            with contextlib.suppress(OSError), tcp_from(world, 21) as sock:
                for i in range(random.randint(1, 10)):
                    sock.sendall(mutate(wire.frame(a_query(f"t{i}.example.test", i))))
                time.sleep(0.02)

    end = in_thread(world, run)
    yield seconds(world)
    end()


def resetting(world):
    """Ask, and are gone with a RST before, while or after they are answered."""
    def run(world, stop):
        while not stop.wait(0.02):
            with contextlib.suppress(OSError), tcp_from(world, 22) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                name = f"r{random.randrange(1 << 20)}"
                sock.sendall(b"".join(wire.frame(a_query(f"{name}-{i}.example.test", i))
                                      for i in range(20)))
                time.sleep(random.uniform(0, 0.02))

    end = in_thread(world, run)
    yield seconds(world)
    end()


def slow_streams(world):
    """Many that send half a message, or do not read what they asked for."""
    def run(world, stop):
        with contextlib.ExitStack() as open_ones:
            for i in range(100):
                with contextlib.suppress(OSError):
                    sock = open_ones.enter_context(tcp_from(world, 23))
                    sock.setblocking(False)
                    sock.sendall(wire.frame(a_query("half.example.test"))[:9] if i % 2 else
                                 200 * wire.frame(a_query("popular0.example.test", i)))
                if stop.wait(0.005):
                    return
            stop.wait()

    end = in_thread(world, run)
    yield seconds(world, 1, 7)
    end()


FAULTS = [behave, behave, behave, behave, no_handshake, end_connections, upstream_away,
          other_certificate, network_change, bad_path, middlebox, no_descriptors, full_disk, restart,
          damaged_cache, clock_jump, stop_and_go, signals, flood, flood, malformed, malformed_streams,
          resetting, slow_streams]


def run(world, until):
    """Breaks one thing after the other, some at a time, until then; all is mended at the end."""
    open_ones = {}  # {fault: (when it ends, itself)}
    while time.monotonic() < until or open_ones:
        now = time.monotonic()
        for fault, (end, itself) in list(open_ones.items()):
            if now >= end or now >= until:
                del open_ones[fault]
                next(itself, None)
                world.say(f"{fault.__name__} is over")
        fault = world.dice.choice(FAULTS)
        if now < until and fault not in open_ones and len(open_ones) < AT_ONCE:
            world.say(fault.__name__)
            itself = fault(world)
            open_ones[fault] = time.monotonic() + next(itself), itself
        if world.gate.process.poll() is not None:
            raise RuntimeError(f"dotgate ended ({world.gate.process.returncode}): {world.gate.log()}")
        time.sleep(world.dice.uniform(0, 0.5))
