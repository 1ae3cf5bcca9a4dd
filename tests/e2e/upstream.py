"""A fake DNS-over-TLS upstream that does what a test tells it to, and remembers what came.

    with Upstream(certificate, on_query=lambda conn, q: conn.answer(q)) as up: ...

`on_accept(conn)` is called before the handshake, `on_ready(conn)` after it, `on_query(conn, q)`
for each query; each runs on the connection's own thread. TLS is done over memory, so every
octet that arrives and leaves is seen, and can be cut where the test wants.
"""
import heapq
import itertools
import random
import select
import socket
import ssl
import struct
import threading
import time

import wire
from ports import free_port


class Gone(Exception):
    """The connection has ended; its thread ends too."""


def server_context(certificate, *, least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_3,
                   tickets=2, alpn="dot", weak=False):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if weak:  # before the certificate: RSA-1024 is refused otherwise
        context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(certificate.chain, certificate.key)
    context.minimum_version, context.maximum_version = least, most
    context.num_tickets = tickets
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    if alpn:
        context.set_alpn_protocols([alpn])
    return context


class Connection:
    def __init__(self, upstream, sock):
        self.upstream, self.sock = upstream, sock
        self.raw = bytearray()        # everything that the client sent, as it was on the wire
        self.queries = []
        self.ready = False            # the handshake has ended
        self.doomed = None            # how it is ended as soon as it is ready
        self.ended = False            # the client has closed, or we have
        self.clean_end = False        # ... with close_notify
        self.opened_at = time.monotonic()
        self.ready_at = None
        self.ended_at = None
        self.record_size = None       # octets of one TLS record; None: as much as it takes
        self.lock = threading.RLock()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = upstream.context.wrap_bio(self._in, self._out, server_side=True)
        self._stream = bytearray()    # decrypted, not yet a whole frame
        self._batch = None            # answers of this round

    # ---- what is known of it

    @property
    def version(self):
        return self._tls.version()

    @property
    def alpn(self):
        return self._tls.selected_alpn_protocol()

    @property
    def resumed(self):
        return self._tls.session_reused

    def hello(self):
        return ClientHello(bytes(self.raw))

    def application_bytes(self):
        """Octets of TLS records that can hold data. In TLS 1.3 an alert that goes with a
        refused certificate looks the same, but is no longer than ALERT_MAX."""
        return [n for kind, n in tls_records(bytes(self.raw)) if kind == 23]

    # ---- sending

    def write(self, data):
        """DATA, already framed, in TLS records; in one write to the socket."""
        with self.lock:
            size = self.record_size or len(data)
            for at in range(0, len(data), size):
                self._tls.write(data[at:at + size])
            self.flush()

    def send(self, *messages):
        """Messages, framed; those of one round share a record."""
        data = b"".join(map(wire.frame, messages))
        with self.lock:
            if self._batch is not None:
                self._batch += data
            else:
                self.write(data)

    def answer(self, q, **how):
        self.send(wire.answer(q, **how))

    def later(self, seconds, call, *args):
        """CALL(*ARGS) after SECONDS, from the clock's thread."""
        self.upstream.clock.at(seconds, call, *args)

    def answer_later(self, seconds, q, **how):
        self.later(seconds, lambda: self.answer(q, **how))

    def flush(self):
        data = self._out.read()
        try:
            self.sock.setblocking(True)
            self.sock.sendall(data)
        except OSError:
            raise Gone from None

    # ---- ending

    def close(self, notify=True):
        """FIN, after close_notify unless not wanted."""
        with self.lock:
            if self._batch:
                data, self._batch = bytes(self._batch), bytearray()
                self.write(data)
            if notify and self.ready:
                try:
                    self._tls.unwrap()
                except ssl.SSLError:
                    pass
                try:
                    self.flush()
                except Gone:
                    pass
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            self._end()
        raise Gone

    def reset(self):
        """RST at once."""
        with self.lock:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._end()
        raise Gone

    def hold(self):
        """Does nothing more until the client or the test ends it."""
        while not self.upstream.stopping.wait(0.05):
            readable, _, _ = select.select([self.sock], [], [], 0)
            if readable and not self._receive():
                break
        raise Gone

    def _end(self):
        if not self.ended:
            self.ended, self.ended_at = True, time.monotonic()
        try:
            # sends nothing, but wakes the thread that reads: only then close() ends it
            self.sock.shutdown(socket.SHUT_RD)
        except OSError:
            pass
        self.sock.close()

    # ---- its thread

    def run(self):
        try:
            self.upstream.on_accept(self)
            self._handshake()
            with self.lock:
                self.ready, self.ready_at = True, time.monotonic()
                if self.doomed:
                    self.doomed(self)
            self.upstream.on_ready(self)
            while self._read():
                self._take_queries()
        except (Gone, OSError, ssl.SSLError):
            pass
        finally:
            self._end()

    def _receive(self):
        """More of what the client sends into memory; false at its end."""
        self.sock.setblocking(True)
        data = self.sock.recv(65536)
        self.raw += data
        with self.lock:
            if data:
                self._in.write(data)
            else:
                self._in.write_eof()
        return bool(data)

    def _handshake(self):
        while True:
            try:
                self._tls.do_handshake()
                self.flush()
                return
            except ssl.SSLWantReadError:
                self.flush()
                if not self._receive():
                    raise Gone from None
            except ssl.SSLError as e:
                self.upstream.failures.append(e)
                try:
                    self.flush()
                except Gone:
                    pass
                while self._receive():  # whatever the client still says
                    pass
                raise

    def _read(self):
        """Decrypts what there is, waiting for some. False: the client has ended."""
        while True:
            with self.lock:
                if self.ended:
                    return False
                got = self._decrypt()
            if got:
                return True
            if self.clean_end or not self._receive():
                return False

    def _decrypt(self):
        before = len(self._stream)
        try:
            while True:
                data = self._tls.read(65536)
                if not data:
                    self.clean_end = True
                    break
                self._stream += data
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError) as e:
            self.clean_end = isinstance(e, ssl.SSLZeroReturnError)
        return len(self._stream) > before

    def _take_queries(self):
        with self.lock:
            self._batch = bytearray()
        at, stream = 0, bytes(self._stream)
        while len(stream) - at >= 2:
            n = int.from_bytes(stream[at:at + 2], "big")
            if len(stream) - at - 2 < n:
                break
            q = wire.Query(stream[at + 2:at + 2 + n], time.monotonic())
            at += 2 + n
            self.queries.append(q)
            self.upstream.received(q)
            self.upstream.on_query(self, q)
        del self._stream[:at]
        with self.lock:
            data, self._batch = bytes(self._batch), None
            if data:
                self.write(data)


# In TLS 1.3: level, description, record type and a tag of 16 octets.
ALERT_MAX = 2 + 1 + 16


def tls_records(raw):
    """[(type, length)] of the whole records in RAW."""
    out, at = [], 0
    while len(raw) - at >= 5:
        kind, _, n = struct.unpack("!BHH", raw[at:at + 5])
        out.append((kind, n))
        at += 5 + n
    return out


class ClientHello:
    """What a client offers: `extensions` by number, and some of them read."""

    def __init__(self, raw):
        body = raw[5:5 + int.from_bytes(raw[3:5], "big")]
        at = 4 + 2 + 32
        at += 1 + body[at]
        n = int.from_bytes(body[at:at + 2], "big")
        self.suites = struct.unpack(f"!{n // 2}H", body[at + 2:at + 2 + n])
        at += 2 + n
        at += 1 + body[at] + 2
        self.extensions = {}
        while at < len(body):
            kind, n = struct.unpack("!2H", body[at:at + 4])
            self.extensions[kind] = body[at + 4:at + 4 + n]
            at += 4 + n

    @property
    def sni(self):
        data = self.extensions.get(0)
        return data[5:].decode() if data else None

    @property
    def alpn(self):
        data, out = self.extensions.get(16, b"")[2:], []
        while data:
            out.append(data[1:1 + data[0]].decode())
            data = data[1 + data[0]:]
        return out

    @property
    def versions(self):
        data = self.extensions.get(43, b"\0")[1:]
        return [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2)]

    @property
    def early_data(self):
        return 42 in self.extensions


class Clock:
    """Calls things later, on one thread."""

    def __init__(self):
        self.queue, self.count = [], itertools.count()
        self.condition, self.stopped = threading.Condition(), False
        threading.Thread(target=self._run, daemon=True).start()

    def at(self, seconds, call, *args):
        with self.condition:
            item = (time.monotonic() + seconds, next(self.count), call, args)
            heapq.heappush(self.queue, item)
            self.condition.notify()

    def stop(self):
        with self.condition:
            self.stopped = True
            self.condition.notify()

    def _run(self):
        while True:
            with self.condition:
                while not self.stopped and (not self.queue
                                            or self.queue[0][0] > time.monotonic()):
                    wait = self.queue[0][0] - time.monotonic() if self.queue else None
                    self.condition.wait(wait)
                if self.stopped:
                    return
                _, _, call, args = heapq.heappop(self.queue)
            try:
                call(*args)
            except (Gone, OSError, ssl.SSLError, ValueError):
                pass


def nothing(conn):
    pass


def good(conn, q):
    conn.answer(q)


class Upstream:
    """Listens until closed. What it does can be changed at any time: `up.on_query = ...`"""

    def __init__(self, certificate=None, *, on_query=good, on_accept=nothing, on_ready=nothing,
                 address="127.0.0.1", port=0, context=None, **tls):
        self.context = context or server_context(certificate, **tls)
        self.on_query, self.on_accept, self.on_ready = on_query, on_accept, on_ready
        self.connections, self.failures = [], []
        self.stopping, self.clock = threading.Event(), Clock()
        self._arrival = threading.Condition()
        self._arriving = threading.Lock()  # of a connection: its context is its list's
        self.count = 0
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port or free_port(address)))
        self.listener.listen(128)
        self.address, self.port = self.listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def spelling(self, name="upstream.test", *parameters):
        address = f"[{self.address}]" if ":" in self.address else self.address
        text = f"tls://{address}:{self.port}" + (f"#{name}" if name else "")
        return " ".join([text, *parameters])

    def _accept(self):
        while not self.stopping.is_set():
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._arriving:
                conn = Connection(self, sock)
                self.connections.append(conn)
            threading.Thread(target=conn.run, daemon=True).start()

    def received(self, q):
        with self._arrival:
            self.count += 1
            self._arrival.notify_all()

    def wait_queries(self, n, seconds=10):
        """True once N queries have come in all."""
        with self._arrival:
            return self._arrival.wait_for(lambda: self.count >= n, seconds)

    @property
    def queries(self):
        return [q for conn in list(self.connections) for q in list(conn.queries)]

    def names(self):
        return [q.name.lower() for q in self.queries]

    def end_connections(self, how=Connection.close):
        """Ends all there are as how: Connection.close or Connection.reset. One that shakes
        hands still is ended right after."""
        with self._arriving:
            there = list(self.connections)
        for conn in there:
            with conn.lock:
                if not conn.ready:
                    conn.doomed = how
                elif not conn.ended:
                    try:
                        how(conn)
                    except (Gone, OSError):
                        pass

    def close(self):
        self.stopping.set()
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.clock.stop()
        for conn in list(self.connections):
            if not conn.ended:
                try:
                    conn.reset()
                except (Gone, OSError):
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class BlackHole:
    """A listening port whose queue is full: it lets a client's SYN go unanswered."""

    def __init__(self, address="127.0.0.1"):
        self.listener = socket.socket()
        self.listener.bind((address, 0))
        self.listener.listen(0)
        self.address, self.port = self.listener.getsockname()
        self.filler = []
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((self.address, self.port))
            self.filler.append(sock)
        time.sleep(0.1)

    spelling = Upstream.spelling

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in [*self.filler, self.listener]:
            sock.close()


def random_closer(every, seed=1):
    """An on_query that answers, and in one of EVERY cases ends the connection in some way,
    before or after the answer."""
    dice = random.Random(seed)

    def on_query(conn, q):
        if dice.randrange(every):
            conn.answer(q)
            return
        fate = dice.randrange(5)
        if fate == 0:
            conn.reset()
        if fate == 1:
            conn.close(notify=False)
        if fate == 2:
            conn.write(wire.frame(wire.answer(q))[:9])
            conn.close(notify=False)
        conn.answer(q)
        if fate == 3:
            conn.close()
        conn.later(0.001, conn.close)

    return on_query
