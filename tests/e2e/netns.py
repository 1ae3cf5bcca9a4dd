"""Two network namespaces joined by a cable, with a witness of every packet on it.

`inner` is where dotgate runs: its only way out, the default route, is the cable. `outer` plays
the rest of the world: whatever dotgate sends anywhere arrives there and is written down.
A Path is the same without a witness, but its cable can lose, delay, reset and forget.
"""
import contextlib
import ctypes
import fcntl
import heapq
import itertools
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

CLONE_NEWNET = 0x40000000
ETH_P_ALL = 3
PACKET_OUTGOING = 4
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
INNER, OUTER = "10.77.0.1", "10.77.0.2"
INNER_NEXT = "10.77.0.3"  # where INNER may move to

libc = ctypes.CDLL(None, use_errno=True)


def ip(*args):
    subprocess.run(["ip", *args], check=True, capture_output=True, text=True)


class Packet:
    """Of a TCP or UDP packet: proto, (source, port), (destination, port)."""

    def __init__(self, data):
        self.kind = struct.unpack("!H", data[12:14])[0]
        self.proto = self.source = self.destination = None
        if self.kind == 0x0800:
            start, self.proto = 14 + (data[14] & 15) * 4, data[23]
            source, destination = data[26:30], data[30:34]
        elif self.kind == 0x86DD:
            start, self.proto = 54, data[20]
            source, destination = data[22:38], data[38:54]
        else:
            return
        if self.proto not in (socket.IPPROTO_TCP, socket.IPPROTO_UDP):
            return
        family = socket.AF_INET if len(source) == 4 else socket.AF_INET6
        ports = struct.unpack("!2H", data[start:start + 4])
        self.source = (socket.inet_ntop(family, source), ports[0])
        self.destination = (socket.inet_ntop(family, destination), ports[1])

    def __repr__(self):
        return f"{self.source} > {self.destination} ({self.proto})"


class Witness:
    """Everything that passes one interface of the namespace it is made in."""

    def __init__(self, interface):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((interface, 0))
        self.sock.settimeout(0.1)
        self.seen, self.stopping = [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            try:
                data, address = self.sock.recvfrom(65535)
            except OSError:  # nothing yet, or the interface is down
                continue
            if address[2] != PACKET_OUTGOING or address[0] == "lo":
                self.seen.append(Packet(data))

    def packets(self):
        """TCP and UDP packets so far; the rest is the kernel's own talk (ARP, ICMPv6)."""
        time.sleep(0.3)
        return [p for p in self.seen if p.source]

    def close(self):
        self.stopping = True
        self.thread.join()
        self.sock.close()


class Network:
    def __init__(self):
        self.inner, self.outer = (f"dotgate-{os.getpid()}-{side}" for side in "io")
        self.made = []
        try:
            self._make()
            self._watch()
        except Exception:
            self.close()
            raise

    def _make(self):
        for name in (self.inner, self.outer):
            ip("netns", "add", name)
            self.made.append(name)
            ip("-n", name, "link", "set", "lo", "up")
        self._join()
        for name, link, address in ((self.inner, "in", INNER), (self.outer, "out", OUTER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", link)
            ip("-n", name, "link", "set", link, "up")
        ip("-n", self.inner, "route", "add", "default", "via", OUTER)

    def _join(self):
        ip("-n", self.inner, "link", "add", "in", "type", "veth", "peer", "name", "out",
           "netns", self.outer)

    def _watch(self):
        with self.inside(self.inner):
            self.loopback = Witness("lo")
        with self.inside(self.outer):
            self.cable = Witness("out")

    @contextlib.contextmanager
    def inside(self, name):
        """What the calling thread opens or starts meanwhile is in that namespace."""
        with open("/proc/thread-self/ns/net") as here, open(f"/run/netns/{name}") as there:
            self._enter(there)
            try:
                yield
            finally:
                self._enter(here)

    @staticmethod
    def _enter(file):
        if libc.setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")

    def close(self):
        for witness in (getattr(self, "loopback", None), getattr(self, "cable", None)):
            if witness:
                witness.close()
        for name in self.made:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


class Segment:
    """Of an IPv4 packet with TCP: whose it is, and the number of what comes after it."""

    def __init__(self, data):
        at, total = (data[0] & 15) * 4, int.from_bytes(data[2:4], "big")
        ports, flags = data[at:at + 4], data[at + 13]
        self.sender, self.receiver = data[12:16] + ports[:2], data[16:20] + ports[2:]
        self.flow = frozenset((self.sender, self.receiver))
        length = total - at - (data[at + 12] >> 4) * 4 + bool(flags & 2) + bool(flags & 1)
        self.next = int.from_bytes(data[at + 4:at + 8], "big") + length & 0xFFFFFFFF

    @staticmethod
    def is_one(data):
        return data[0] >> 4 == 4 and data[9] == socket.IPPROTO_TCP

    def reset(self):
        """The RST that its receiver would take for its sender's (RFC 5961: of that number)."""
        tcp = self.sender[4:] + self.receiver[4:] + struct.pack("!LLBBHHH", self.next, 0, 5 << 4, 4,
                                                               0, 0, 0)
        ends = self.sender[:4] + self.receiver[:4]
        tcp = tcp[:16] + checksum(ends + struct.pack("!HH", socket.IPPROTO_TCP, len(tcp)) + tcp) \
            + tcp[18:]
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, socket.IPPROTO_TCP, 0)
        return head[:10] + checksum(head + ends) + ends + tcp


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)


class Path(Network):
    """A network whose cable is a program. `delay`: the least and the most that each packet takes,
    in seconds, so that some overtake others; `loss`: of so many of one, each way."""

    def __init__(self):
        self.delay, self.loss, self.lost = (0, 0), 0, 0
        self.dice, self.count = random.Random(1), itertools.count()
        self.lock, self.dead, self.last = threading.Lock(), set(), {}
        self.ends, self.late, self.thread = [], [], None
        self.stop_read, self.stop_write = os.pipe()
        super().__init__()

    def _join(self):
        for name, device in ((self.inner, b"in"), (self.outer, b"out")):
            with self.inside(name):
                self.ends.append(os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK))
                fcntl.ioctl(self.ends[-1], TUNSETIFF,
                            struct.pack("16sH22x", device, IFF_TUN | IFF_NO_PI))

    def _watch(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            wait = max(0, self.late[0][0] - time.monotonic()) if self.late else None
            ready, _, _ = select.select([*self.ends, self.stop_read], [], [], wait)
            if self.stop_read in ready:
                return
            for end in ready:
                self._take(end)
            while self.late and self.late[0][0] <= time.monotonic():
                _, _, end, data = heapq.heappop(self.late)
                self._put(end, data)

    def _take(self, end):
        try:
            data = os.read(end, 65535)
        except OSError:  # it is down
            return
        to = self.ends[1 - self.ends.index(end)]
        with self.lock:
            if self.dice.random() < self.loss:
                self.lost += 1
                return
            if Segment.is_one(data):
                segment = Segment(data)
                if segment.flow in self.dead:
                    return
                self.last[segment.sender, segment.receiver] = to, segment
        heapq.heappush(self.late, (time.monotonic() + self.dice.uniform(*self.delay),
                                   next(self.count), to, data))

    @staticmethod
    def _put(end, data):
        try:
            os.write(end, data)
        except OSError:
            pass

    def forget(self):
        """What goes over the TCP connections of now is dropped, as by a NAT that was restarted."""
        with self.lock:
            self.dead |= {segment.flow for _, segment in self.last.values()}
            self.last.clear()

    def reset(self):
        """Both ends of the TCP connections of now get a RST, as from a firewall."""
        with self.lock:
            self.dead |= {segment.flow for _, segment in self.last.values()}
            for to, segment in self.last.values():
                self._put(to, segment.reset())
            self.last.clear()

    def close(self):
        os.write(self.stop_write, b"x")
        if self.thread:
            self.thread.join()
        for fd in (*self.ends, self.stop_read, self.stop_write):
            os.close(fd)
        super().close()
