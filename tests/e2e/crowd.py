"""Many UDP clients at once, each with an address and a rate of its own: every answer is checked
and timed.

    with Crowd(gate) as crowd:
        member = crowd.join("127.0.0.2", "a%d.example.test", qps=20)
        time.sleep(5)
        member.qps = 0
    failures = [a for a in member.asked if not a.good]

At the end of the `with` nothing more is sent, and what is out is waited for.
"""
import selectors
import socket
import struct
import threading
import time

import wire

# Until a query is given up at the end: longer than dotgate may take (5 s).
PATIENCE = 7
TICK = 0.005
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
          9: "NOTAUTH"}
EDE = 15


class Asked:
    """One query: when it left, how long its answer took (None: none came) and what it said."""
    __slots__ = ("name", "question", "sent", "took", "rcode", "good", "why")

    def __init__(self, name, question):
        self.name, self.question = name, question
        self.sent, self.took, self.rcode, self.good, self.why = time.monotonic(), None, None, False, None

    def __repr__(self):
        took = "never" if self.took is None else f"{self.took:.3f} s"
        return f"<{self.name}: {self.rcode} {self.why or ''} {took}>"


def ede_text(data, end):
    """The text of the first extended error of a response whose question ends at END, whose
    sections but the last are empty and whose last is one OPT."""
    if data[6:10] != b"\0" * 4 or data[10:12] != b"\0\1" or data[end:end + 3] != b"\0\0\x29":
        return None
    at = end + 11
    while at + 4 <= len(data):
        code, n = struct.unpack("!2H", data[at:at + 4])
        if code == EDE:
            return data[at + 6:at + 4 + n].decode("utf-8", "replace")
        at += 4 + n
    return None


class Member:
    """A client: asks `qps` times a second for PATTERN % 0, 1, 2..."""

    def __init__(self, crowd, address, pattern, qps):
        self.crowd, self.pattern, self.qps = crowd, pattern, qps
        self.asked, self.open, self.owed = [], {}, 0.0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((address, 0))
        self.sock.connect(crowd.server)
        self.sock.setblocking(False)

    def ask(self, name):
        """Asks at once. The id is the number of the query."""
        number = len(self.asked) & 0xFFFF
        question = wire.encode_name(name) + b"\0\1\0\1"
        asked = Asked(name, question)
        self.asked.append(asked)
        self.open[number] = asked
        query = wire.message(number, wire.RD, question, additional=[wire.opt()])
        try:
            self.sock.send(query)
        except OSError:  # what ICMP said of an earlier one
            self.sock.send(query)
        return asked

    def pay(self, seconds):
        self.owed += self.qps * seconds
        while self.owed >= 1:
            self.owed -= 1
            self.ask(self.pattern % len(self.asked) if "%" in self.pattern else self.pattern)

    def receive(self):
        for _ in range(100):
            try:
                data = self.sock.recv(4096)
            except OSError:  # no more, or what ICMP says
                return
            self.take(data, time.monotonic())

    def take(self, data, now):
        number, flags = struct.unpack("!2H", data[:4])
        asked = self.open.pop(number, None)
        if asked is None or not flags & wire.QR:
            self.crowd.trouble.append(f"answered twice, or nobody asked: {data[:60].hex()}")
            return
        end = 12 + len(asked.question)
        if data[12:end] != asked.question:
            self.crowd.trouble.append(f"not what was asked ({asked.name}): {data[:60].hex()}")
            return
        asked.took = now - asked.sent
        asked.rcode = RCODES.get(flags & 15, str(flags & 15))
        if flags & 15:
            asked.why = ede_text(data, end)
        else:
            asked.good = data[end + 12:end + 16] == wire.digest(asked.name)[:4]
            if not asked.good:
                self.crowd.trouble.append(f"a wrong answer for {asked.name}: {data.hex()}")


class Crowd:
    """`trouble` has what must never happen, whatever the upstream does."""

    def __init__(self, gate):
        self.server = (gate.address, gate.port)
        self.members, self.trouble = [], []
        self.selector, self.lock = selectors.DefaultSelector(), threading.Lock()
        self.sending, self.running = True, True
        self.threads = [threading.Thread(target=t, daemon=True) for t in (self._send, self._receive)]

    def join(self, address, pattern, qps=0):
        member = Member(self, address, pattern, qps)
        with self.lock:
            self.members.append(member)
            self.selector.register(member.sock, selectors.EVENT_READ, member)
        return member

    @property
    def asked(self):
        return [a for m in self.members for a in m.asked]

    def _send(self):
        last = time.monotonic()
        while self.sending:
            time.sleep(TICK)
            now = time.monotonic()
            for member in list(self.members):
                member.pay(now - last)
            last = now

    def _receive(self):
        while self.running:
            for key, _ in self.selector.select(0.1):
                key.data.receive()

    def out(self):
        """How many queries have no answer yet."""
        return sum(len(m.open) for m in list(self.members))

    def wait(self, seconds=PATIENCE):
        """Until all that was asked is answered, or for SECONDS."""
        end = time.monotonic() + seconds
        while self.out() and time.monotonic() < end:
            time.sleep(0.02)

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *error):
        self.sending = False
        self.threads[0].join()
        if not any(error):
            self.wait()
        self.running = False
        self.threads[1].join()
        for member in self.members:
            member.sock.close()


def percentile(values, share):
    """The value that SHARE of VALUES do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def outcomes(asked):
    """{"NOERROR": 12, "SERVFAIL overload": 3, "no answer": 1}"""
    count = {}
    for a in asked:
        word = "no answer" if a.took is None else \
            f"{a.rcode} {a.why.split(':')[0].split(' ')[0]}" if a.why else a.rcode
        count[word] = count.get(word, 0) + 1
    return count
