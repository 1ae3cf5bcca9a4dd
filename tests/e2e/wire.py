"""DNS messages as bytes, for the fake upstream: quick, and able to write wrong ones."""
import hashlib
import struct

A, NS, CNAME, SOA, TXT, AAAA, OPT = 1, 2, 5, 6, 16, 28, 41
IN = 1
QR, TC, RD, RA, AD = 0x8000, 0x0200, 0x0100, 0x0080, 0x0020
ANSWER = QR | RD | RA


def name_end(wire, at):
    """The place behind the uncompressed name at AT."""
    while wire[at]:
        at += 1 + wire[at]
    return at + 1


def encode_name(text):
    labels = [label.encode() for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def digest(name):
    """Sixteen octets that belong to the name NAME, in any case: the answers are made of
    them, so that an answer for another name is noticed."""
    return hashlib.md5(name.rstrip(".").lower().encode()).digest()


def address_of(name):
    return ".".join(str(octet) for octet in digest(name)[:4])


class Query:
    """A query as the fake upstream received it."""

    def __init__(self, wire, time):
        self.wire, self.time = wire, time
        self.id, self.flags, qd, _, _, self.additional = struct.unpack("!6H", wire[:12])
        end = name_end(wire, 12)
        self.qname = wire[12:end]
        self.type, self.klass = struct.unpack("!2H", wire[end:end + 4])
        self.question = wire[12:end + 4]
        self.rest = wire[end + 4:]

    @property
    def name(self):
        """As text, in the case that was sent, without the final dot."""
        labels, at = [], 0
        while self.qname[at]:
            labels.append(self.qname[at + 1:at + 1 + self.qname[at]].decode("latin1"))
            at += 1 + self.qname[at]
        return ".".join(labels)

    @property
    def padded(self):
        return len(self.wire)

    def opt(self):
        """(udp size, ttl, {code: data}) of the OPT record, or None."""
        if not self.additional or self.rest[:3] != b"\0\0\x29":
            return None
        size, ttl, length = struct.unpack("!HIH", self.rest[3:11])
        options, at, end = {}, 11, 11 + length
        while at < end:
            code, n = struct.unpack("!2H", self.rest[at:at + 4])
            options[code] = self.rest[at + 4:at + 4 + n]
            at += 4 + n
        return size, ttl, options


def record(owner, rtype, rdata, ttl=300, klass=IN):
    return owner + struct.pack("!HHIH", rtype, klass, ttl, len(rdata)) + rdata


def message(id, flags, question=b"", answers=(), authority=(), additional=(), counts=None):
    counts = counts or (1 if question else 0, len(answers), len(authority), len(additional))
    return (struct.pack("!6H", id, flags, *counts) + question + b"".join(answers)
            + b"".join(authority) + b"".join(additional))


def opt(size=1232, ttl=0, options=()):
    data = b"".join(struct.pack("!2H", code, len(d)) + d for code, d in options)
    return b"\0" + struct.pack("!HHIH", OPT, size, ttl, len(data)) + data


def rdata_for(q):
    d = digest(q.name)
    return {A: d[:4], AAAA: d, TXT: bytes([32]) + d.hex().encode()}.get(q.type)


def answer(q, *, id=None, flags=ANSWER, question=None, answers=None, rcode=0, options=(),
           additional=()):
    """A good answer to Q, but for what is given otherwise."""
    question = q.question if question is None else question
    if answers is None:
        rdata = rdata_for(q)
        answers = [record(b"\xc0\x0c", q.type, rdata)] if rdata and not rcode else []
    extra = [opt(options=options)] if q.opt() else []
    return message(q.id if id is None else id, flags | rcode, question, answers,
                   additional=[*additional, *extra])


def frame(wire):
    return struct.pack("!H", len(wire)) + wire
