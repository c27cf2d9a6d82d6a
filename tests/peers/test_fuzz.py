"""100,000 malformed or odd packets: the server goes on answering, with nothing unexpected in its
log and no answer larger than the protocol allows."""

from __future__ import annotations

import random
import re
import socket
import struct
from collections.abc import Callable, Iterator

import dns.edns
import dns.message
import dns.tsig
import dns.tsigkeyring
import pytest

from tests.patience import PATIENCE
from tests.peers._peers.asking import ask
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.project import TSIG_NAME, Project, keyring

UDP_PACKETS = 100_000
TCP_CONNECTIONS = 400
SEED = 20260101
UDP_PAYLOAD_SIZE = 1232
"""Octets of a UDP answer at most, as the fixtures' server is set up."""

NAMES = [
    *("example.com", "www.example.com", "www2.example.com", "web.old.example.com", "example.org"),
    *("hashed.det.example.org", "mx.det.example.org", "a.echo.det.example.org", "port.example.org"),
    *("nothing.example.org", "example.net", "www.sub.example.net", "x.wild.example.net", "ent"),
    *(
        "77.2.0.192.in-addr.arpa",
        "version.bind",
        "x.deep.down.example.net",
        "1-2-3-4.fwd.example.org",
    ),
]
TYPES = [1, 2, 5, 6, 12, 15, 16, 28, 33, 35, 39, 41, 43, 46, 47, 48, 249, 250, 251, 252, 255, 65402]

Random = random.Random


def wire_name(text: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in text.split(".")) + b"\0"


def header(rng: Random, flags: int = 0, counts: tuple[int, int, int, int] = (1, 0, 0, 0)) -> bytes:
    return struct.pack("!6H", rng.getrandbits(16), flags, *counts)


def question(rng: Random) -> bytes:
    rrtype = rng.choice(TYPES) if rng.random() < 0.9 else rng.getrandbits(16)
    rrclass = 1 if rng.random() < 0.9 else rng.choice((0, 3, 4, 254, 255, rng.getrandbits(16)))
    return wire_name(rng.choice(NAMES)) + struct.pack("!HH", rrtype, rrclass)


def opt(payload: int, version: int, flags: int, options: bytes) -> bytes:
    return b"\0" + struct.pack("!HHBBHH", 41, payload, 0, version, flags, len(options)) + options


def option(code: int, data: bytes) -> bytes:
    return struct.pack("!HH", code, len(data)) + data


def valid(rng: Random) -> bytes:
    """An ordinary query, with and without EDNS."""
    if rng.random() < 0.4:
        return header(rng) + question(rng)
    flags = rng.choice((0, 0x8000))
    return header(rng, counts=(1, 0, 0, 1)) + question(rng) + opt(1232, 0, flags, b"")


def noise(rng: Random) -> bytes:
    """Random octets of any length."""
    return rng.randbytes(rng.randrange(0, 600))


def noise_after_header(rng: Random) -> bytes:
    """A query's header, then random octets."""
    return header(rng) + rng.randbytes(rng.randrange(0, 80))


def mutated(rng: Random) -> bytes:
    """A valid query with octets changed, cut off, repeated or put in."""
    message = bytearray(valid(rng))
    for _ in range(rng.randrange(1, 5)):
        at = rng.randrange(len(message)) if message else 0
        match rng.randrange(4):
            case 0 if message:
                message[at] = rng.getrandbits(8)
            case 1:
                del message[at:]
            case 2:
                message[at:at] = message[at : at + 12]
            case _:
                message[at:at] = rng.randbytes(rng.randrange(1, 9))
    return bytes(message)


def any_header(rng: Random) -> bytes:
    """Every opcode, flag and count."""
    counts = tuple(rng.choice((0, 0, 1, 2, 65535)) for _ in range(4))
    return struct.pack("!6H", rng.getrandbits(16), rng.getrandbits(16), *counts) + question(rng)


def any_opcode(rng: Random) -> bytes:
    """A well-formed question under each of the sixteen opcodes."""
    return header(rng, flags=rng.randrange(16) << 11) + question(rng)


def compressed(rng: Random) -> bytes:
    """Names with pointers: to themselves, to each other, forward, out of the message."""
    target = rng.choice((0, 2, 11, 12, 13, 14, 16, 20, 100, 0x3FFF))
    name = rng.choice((b"", b"\3www", b"\3www\7example")) + struct.pack("!H", 0xC000 | target)
    more = struct.pack("!H", 0xC000 | 12) * rng.randrange(3)
    return header(rng, counts=(rng.randrange(3), 0, 0, 0)) + name + b"\0\1\0\1" + more


def odd_labels(rng: Random) -> bytes:
    """Labels of reserved types, names of more than 255 octets, names without an end."""
    match rng.randrange(4):
        case 0:
            name = bytes((rng.randrange(64, 192),)) + rng.randbytes(20) + b"\0"
        case 1:
            name = (b"\x3f" + rng.randbytes(63)) * rng.randrange(4, 9) + b"\0"
        case 2:
            name = b"\1a" * rng.randrange(120, 250) + b"\0"
        case _:
            name = b"\7example" * rng.randrange(1, 9)
    tail = wire_name("example.org")[:-1] if rng.random() < 0.3 else b""
    return header(rng) + tail + name + b"\0\1\0\1"


def odd_edns(rng: Random) -> bytes:
    """OPT records with other versions, sizes, flags, counts, owners and broken options."""
    options = b"".join(
        option(rng.choice((1, 3, 5, 8, 9, 10, 11, 12, 15, 65001)), rng.randbytes(rng.randrange(40)))
        for _ in range(rng.randrange(4))
    )
    if rng.random() < 0.3:
        options += rng.randbytes(rng.randrange(1, 6))
    record = opt(
        rng.choice((0, 1, 511, 512, 1232, 4096, 65535)),
        rng.choice((0, 0, 0, 1, 255)),
        rng.choice((0, 0x8000, rng.getrandbits(16))),
        options,
    )
    if rng.random() < 0.1:
        record = b"\1x" + record
    times = rng.choice((1, 1, 1, 2, 3))
    section = rng.choice(((0, 0, times), (0, 0, times), (times, 0, 0), (0, times, 0)))
    return header(rng, counts=(1, *section)) + question(rng) + record * times


def odd_subnet(rng: Random) -> bytes:
    """Client subnets of any family, prefix, scope and length (RFC 7871 §7.1.2)."""
    data = struct.pack(
        "!HBB",
        rng.choice((0, 1, 1, 2, 2, 3, 65535)),
        rng.choice((0, 1, 8, 23, 24, 32, 33, 48, 56, 64, 128, 129, 255)),
        rng.choice((0, 0, 0, 24, 255)),
    ) + rng.randbytes(rng.randrange(0, 18))
    record = opt(1232, 0, 0, option(8, data))
    return header(rng, counts=(1, 0, 0, 1)) + question(rng) + record


def odd_tsig(rng: Random) -> bytes:
    """TSIG records with unknown keys, false MACs, wrong times, wrong places, broken RDATA."""
    algorithm = wire_name(rng.choice(("hmac-sha256", "hmac-md5.sig-alg.reg.int", "none", "a.b")))
    mac = rng.randbytes(rng.choice((0, 8, 16, 32, 64)))
    rdata = (
        algorithm
        + struct.pack("!HIH", 0, rng.choice((0, 1, 2**31, 1767225600)), rng.choice((0, 300, 65535)))
        + struct.pack("!H", len(mac) if rng.random() < 0.8 else rng.getrandbits(16))
        + mac
        + struct.pack("!HHH", rng.getrandbits(16), rng.choice((0, 16, 18)), rng.choice((0, 6, 99)))
    )
    if rng.random() < 0.2:
        rdata = rdata[: rng.randrange(len(rdata))]
    owner = wire_name(rng.choice((TSIG_NAME.rstrip("."), "unknown.example", "x")))
    rrclass = rng.choice((255, 255, 255, 1))
    record = owner + struct.pack("!HHIH", 250, rrclass, 0, len(rdata)) + rdata
    trailing = opt(1232, 0, 0, b"") if rng.random() < 0.2 else b""
    counts = (1, 0, 0, 2 if trailing else 1)
    return header(rng, counts=counts) + question(rng) + record + trailing


def truly_signed(rng: Random) -> bytes:
    """A query signed with the right key, intact or with one bit turned."""
    query = dns.message.make_query(rng.choice(NAMES), rng.choice(("SOA", "A", "AXFR", "TXT")))
    query.use_tsig(keyring())
    message = bytearray(query.to_wire())
    if rng.random() < 0.7:
        message[rng.randrange(2, len(message))] ^= 1 << rng.randrange(8)
    return bytes(message)


def with_trailing(rng: Random) -> bytes:
    """A valid query with octets after its end."""
    return valid(rng) + rng.randbytes(rng.randrange(1, 40))


def full_sections(rng: Random) -> bytes:
    """Records in the sections that a query leaves empty."""
    record = wire_name("example.org") + struct.pack("!HHIH", rng.choice(TYPES), 1, 0, 4) + b"abcd"
    times = rng.randrange(1, 6)
    counts = [0, 0, 0]
    counts[rng.randrange(3)] = times
    opcode = rng.choice((0, 4, 5)) << 11
    return (
        header(rng, opcode, (1, counts[0], counts[1], counts[2])) + question(rng) + record * times
    )


MAKERS: list[tuple[Callable[[Random], bytes], int]] = [
    (valid, 10),
    (noise, 8),
    (noise_after_header, 8),
    (mutated, 24),
    (any_header, 8),
    (any_opcode, 6),
    (compressed, 8),
    (odd_labels, 6),
    (odd_edns, 10),
    (odd_subnet, 8),
    (odd_tsig, 6),
    (truly_signed, 1),
    (with_trailing, 4),
    (full_sections, 6),
]


def packets(rng: Random, count: int) -> Iterator[bytes]:
    makers = [maker for maker, _ in MAKERS]
    weights = [weight for _, weight in MAKERS]
    for maker in rng.choices(makers, weights, k=count):
        yield maker(rng)


def advertised(packet: bytes) -> int:
    """The octets a UDP answer may have: what the OPT of the query says, at least 512 (RFC 6891
    §6.2.3), at most what the server is set to; 512 for what cannot be read."""
    try:
        query = dns.message.from_wire(packet, ignore_trailing=True, keyring=keyring())
    except Exception:  # dnspython raises many kinds, struct.error among them
        return UDP_PAYLOAD_SIZE if b"\x00\x00\x29" in packet else 512
    return min(max(query.payload if query.edns >= 0 else 512, 512), UDP_PAYLOAD_SIZE)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("fuzz"))
    made.generate_keys()
    big = " ".join(f'"{letter * 200}"' for letter in "abcdefgh")
    made.append("example.com", f"@ TXT {big}")
    made.build()
    return made


def unexpected(log: str) -> list[str]:
    """Lines of a log that speak of a bug."""
    return [line for line in log.splitlines() if re.search(r"Traceback|unexpected|Error\b", line)]


def check_answer(packet: bytes, answer: bytes, limit: int) -> None:
    assert len(answer) >= 12, packet.hex()
    assert len(answer) <= limit, f"{len(answer)} octets for {packet.hex()}"
    assert answer[2] & 0x80, f"not a response: {answer.hex()}"
    assert not packet[2] & 0x80, f"a response was answered: {packet.hex()}"


def test_udp(project: Project) -> None:
    """Every packet is sent; the ID tells which one an answer belongs to."""
    rng = random.Random(SEED)
    answers = 0
    sent: dict[int, bytes] = {}

    def receive(udp: socket.socket) -> int:
        count = 0
        try:
            while True:
                answer = udp.recv(65535)
                packet = sent.get(int.from_bytes(answer[:2], "big"))
                assert packet is not None, f"an answer to no query: {answer.hex()}"
                limit = 512 if len(answer) <= 512 else advertised(packet)
                check_answer(packet, answer, limit)
                count += 1
        except BlockingIOError:
            return count

    with (
        project.serve() as server,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
    ):
        udp.connect((LOOPBACK, project.port))
        for number, packet in enumerate(packets(rng, UDP_PACKETS)):
            # IDs in turn, so that an answer is never taken for that to another packet.
            numbered = ((number & 0xFFFF).to_bytes(2, "big") + packet[2:])[: len(packet)]
            sent[number & 0xFFFF] = numbered
            udp.setblocking(True)
            udp.send(numbered)
            udp.setblocking(False)
            if number % 50 == 49:
                # A beat of ordinary queries keeps the server's buffer from overflowing unseen.
                answers += receive(udp)
                ask(project.port, "www2.example.com", "A")
        answers += receive(udp)
        assert ask(project.port, "hashed.det.example.org", "A", dnssec=True).answer
        assert server.running()
        log = server.log_text()
    assert unexpected(log) == []
    assert answers > UDP_PACKETS / 3


def test_tcp(project: Project) -> None:
    """The same packets in TCP frames: whole, short, with a length that lies, several at once."""
    rng = random.Random(SEED + 1)
    with project.serve() as server:
        for _ in range(TCP_CONNECTIONS):
            with socket.create_connection((LOOPBACK, project.port), timeout=PATIENCE) as tcp:
                frames = b""
                for packet in packets(rng, rng.randrange(1, 6)):
                    length = len(packet) if rng.random() < 0.8 else rng.getrandbits(16)
                    frames += struct.pack("!H", length) + packet
                try:
                    tcp.sendall(frames)
                    tcp.shutdown(socket.SHUT_WR)
                    stream = tcp.makefile("rb")
                    while prefix := stream.read(2):
                        (length,) = struct.unpack("!H", prefix)
                        answer = stream.read(length)
                        assert len(answer) == length
                        assert length >= 12 and answer[2] & 0x80
                except ConnectionError:
                    pass  # the server may hang up on what cannot be a DNS message
        assert ask(project.port, "hashed.det.example.org", "A", tcp=True).answer
        assert server.running()
        log = server.log_text()
    assert unexpected(log) == []


def test_some_signed_packets_are_intact() -> None:
    """So the fuzz reaches what lies behind a valid signature."""
    rng = random.Random(SEED)
    intact = 0
    for _ in range(200):
        try:
            dns.message.from_wire(truly_signed(rng), keyring=keyring())
            intact += 1
        except Exception:
            continue
    assert intact > 20
