"""Clients: over UDP and TCP, with whole messages or with raw octets."""
import socket
import struct
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

import wire

# Longer than anything that dotgate may take (5 s), even on a busy machine.
PATIENCE = 12


def query(name, rtype="A", edns=True, **more):
    if edns:
        more.setdefault("use_edns", 0)
    return dns.message.make_query(name, rtype, **more)


def as_wire(q):
    return q if isinstance(q, bytes) else q.to_wire()


def parse(data):
    return dns.message.from_wire(data, ignore_trailing=False)


def ede(response):
    """(code, text) of the first extended error, or None."""
    for option in response.options:
        if option.otype == dns.edns.OptionType.EDE:
            return int(option.code), option.text or ""
    return None


def rcode(response):
    return dns.rcode.to_text(response.rcode())


def addresses(response):
    """The A records of an answer."""
    return [r.address for rrset in response.answer for r in rrset
            if rrset.rdtype == dns.rdatatype.A]


def is_good(response, name):
    """True if this is the fake upstream's answer for just this name."""
    return rcode(response) == "NOERROR" and addresses(response) == [wire.address_of(name)]


def connect_udp(address, port):
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET,
                         socket.SOCK_DGRAM)
    sock.connect((address, port))
    sock.settimeout(PATIENCE)
    return sock


def udp_raw(address, port, data, timeout=PATIENCE):
    """The answer's octets, or None after TIMEOUT."""
    with connect_udp(address, port) as sock:
        sock.settimeout(timeout)
        sock.send(data)
        try:
            return sock.recv(65535)
        except TimeoutError:
            return None


class Stream:
    """A TCP client."""

    def __init__(self, address, port, timeout=PATIENCE):
        self.sock = socket.create_connection((address, port), timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()

    def send(self, *queries):
        self.sock.sendall(b"".join(wire.frame(as_wire(q)) for q in queries))

    def receive_raw(self):
        """The next message; None at the end of the stream."""
        while True:
            if len(self.buffer) >= 2:
                n = struct.unpack("!H", self.buffer[:2])[0]
                if len(self.buffer) >= 2 + n:
                    data = bytes(self.buffer[2:2 + n])
                    del self.buffer[:2 + n]
                    return data
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            self.buffer += more

    def receive(self):
        data = self.receive_raw()
        return None if data is None else parse(data)

    def ask(self, q):
        self.send(q)
        return self.receive()

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Burst:
    """Many queries over one UDP socket at once: {name: answer}, and when each came."""

    def __init__(self, address, port, names, rtype="A"):
        self.sock = connect_udp(address, port)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.names = {i: name for i, name in enumerate(names)}
        self.start = time.monotonic()
        for i, name in self.names.items():
            q = query(name, rtype)
            q.id = i
            self.sock.send(q.to_wire())

    def collect(self, timeout=PATIENCE):
        answers, self.times = {}, {}
        end = time.monotonic() + timeout
        while len(answers) < len(self.names) and time.monotonic() < end:
            self.sock.settimeout(max(0.01, end - time.monotonic()))
            try:
                r = parse(self.sock.recv(65535))
            except TimeoutError:
                break
            name = self.names[r.id]
            assert name not in answers, f"two answers for {name}"
            answers[name] = r
            self.times[name] = time.monotonic() - self.start
        self.sock.close()
        return answers


def burst(address, port, names, timeout=PATIENCE):
    return Burst(address, port, names).collect(timeout)
