"""Unbound as a validating resolver that knows nothing but our zones, and a fast way to ask it."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from tests.patience import PATIENCE
from tests.peers._peers.presence import find
from tests.peers._peers.process import LOOPBACK, Process, free_port, running, wait_until

# The outgoing address keeps it on this machine: what our zones delegate to others is not reached.
_CONFIGURATION = """\
server:
    directory: "{folder}"
    chroot: ""
    username: ""
    pidfile: ""
    use-syslog: no
    logfile: ""
    verbosity: 1
    val-log-level: 2
    log-servfail: yes
    num-threads: 1
    interface: {address}
    port: {port}
    do-daemonize: no
    do-ip6: no
    outgoing-interface: {address}
    do-not-query-localhost: no
    module-config: "validator iterator"
    unblock-lan-zones: yes
    trust-anchor-signaling: no
    root-key-sentinel: no
    aggressive-nsec: yes
    val-bogus-ttl: 0
    ede: yes
remote-control:
    control-enable: no
"""

_ZONE = """\
server:
    local-zone: "{zone}" nodefault
stub-zone:
    name: "{zone}"
    stub-addr: {address}@{port}
"""


class Question(NamedTuple):
    """Name and type, in presentation format."""

    name: str
    rrtype: str


class Verdict(NamedTuple):
    """What the resolver made of a question: its RCODE, and whether it says the data is authentic
    (RFC 4035 §3.2.3)."""

    rcode: int
    authentic: bool


class Unbound:
    """A running resolver."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self.port = port

    def failures(self) -> list[str]:
        """The lines of the log on answers that did not validate."""
        text = self._process.log_text()
        return [line for line in text.splitlines() if "validation failure" in line]

    def ask(self, questions: Sequence[Question], window: int = 32) -> dict[Question, Verdict]:
        """Ask many questions, ``window`` of them at a time, each again where it stays unanswered
        for 3 seconds. Raises `AssertionError` for one without an answer when patience is over."""
        verdicts: dict[Question, Verdict] = {}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((LOOPBACK, self.port))
            for at in range(0, len(questions), window):
                waiting = {
                    ident: (question, _query(question, ident))
                    for ident, question in enumerate(questions[at : at + window])
                }
                end = time.monotonic() + PATIENCE
                while waiting and time.monotonic() < end:
                    self._exchange(sock, waiting, verdicts)
                assert not waiting, f"no answer: {list(waiting.values())}"
        return verdicts

    def _exchange(
        self,
        sock: socket.socket,
        waiting: dict[int, tuple[Question, bytes]],
        verdicts: dict[Question, Verdict],
    ) -> None:
        for _, wire in waiting.values():
            sock.send(wire)
        deadline = time.monotonic() + 3
        while waiting and (left := deadline - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                break
            answer = sock.recv(65535)
            ident = int.from_bytes(answer[:2], "big")
            question, wire = waiting.get(ident, (None, b""))
            # An answer to an earlier window may come late: its question is another.
            if question is None or not answer[12:].startswith(wire[12:-11]):
                continue
            del waiting[ident]
            flags = int.from_bytes(answer[2:4], "big")
            verdicts[question] = Verdict(flags & 15, bool(flags & dns.flags.AD))


def _query(question: Question, ident: int) -> bytes:
    """A query with RD, and an OPT (11 octets) with DO."""
    return ident.to_bytes(2, "big") + _after_ident(question)


@functools.cache
def _after_ident(question: Question) -> bytes:
    """Many resolvers are asked the same."""
    message = dns.message.make_query(
        dns.name.from_text(question.name),
        dns.rdatatype.from_text(question.rrtype),
        want_dnssec=True,
        payload=4096,
    )
    return message.to_wire()[2:]


@contextlib.contextmanager
def unbound(folder: Path, port_of: Mapping[str, int], anchors: Iterable[str]) -> Iterator[Unbound]:
    """Run it while the block runs. ``port_of`` maps each zone to the port of its server on the
    loopback interface, ``anchors`` are DS records in presentation format."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    text = _CONFIGURATION.format(folder=folder, address=LOOPBACK, port=port)
    for zone, server in port_of.items():
        text += _ZONE.format(zone=zone, address=LOOPBACK, port=server)
    text += "server:\n" + "".join(f'    trust-anchor: "{anchor}"\n' for anchor in anchors)
    configuration = folder / "unbound.conf"
    configuration.write_text(text)
    program = find("unbound")
    assert program is not None
    with running([program, "-d", "-c", str(configuration)], folder, "unbound") as process:
        resolver = Unbound(process, port)

        def answers() -> bool:
            assert process.running(), f"unbound ended:\n{process.log_text()}"
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(0.2)
                sock.connect((LOOPBACK, port))
                with contextlib.suppress(OSError):
                    sock.send(_query(Question("id.server.", "A"), 1))
                    return bool(sock.recv(512))
            return False

        wait_until(answers, "unbound answers")
        yield resolver
