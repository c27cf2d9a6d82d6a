"""Asks all the time, from a fresh port each, and holds every answer against the ledger."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

import dns.dnssec
import dns.edns
import dns.exception
import dns.message
import dns.name
import dns.node
import dns.query
import dns.rdataset
import dns.rdatatype
import dns.rrset

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK
from tests.soak.chaos.model import Ledger
from tests.soak.chaos.zones import (
    CLIENT,
    ChaosZone,
    Question,
    ServerFailure,
    WrongAnswerError,
    judge,
    questions,
    serial,
)

TRIES: Final = 3
"""Datagrams that a question is, one after the other: what a killed worker had taken out of its
socket is gone, as a datagram may be at any time."""
WAIT: Final = 5.0
"""Seconds for each. What waits in the socket of a worker that hangs is answered by its successor:
the watchdog takes three."""
LATE: Final = 2.0
SETTLED: Final = 30.0
"""Seconds after which no answer holds a target that is down, if another is up."""

Keys = Mapping[str, dns.rrset.RRset]
"""The DNSKEY RRset of each signed zone."""


def make(question: Question, ident: int, want_dnssec: bool) -> dns.message.Message:
    """The query."""
    options: list[dns.edns.Option] = []
    if question.subnet:
        address, _, prefix = question.subnet.partition("/")
        options.append(dns.edns.ECSOption(address, int(prefix)))
    query = dns.message.make_query(
        question.name, question.rrtype, use_edns=0, want_dnssec=want_dnssec, options=options
    )
    query.id = ident
    return query


def verify(response: dns.message.Message, zone: ChaosZone, keys: Keys) -> None:
    """Every RRset of the answer has a signature by the zone's key. Raises `WrongAnswerError`."""
    apex = dns.name.from_text(zone.name)
    known: dict[dns.name.Name, dns.node.Node | dns.rdataset.Rdataset] = {apex: keys[zone.name]}
    for section in (response.answer, response.authority):
        for rrset in section:
            if rrset.rdtype == dns.rdatatype.RRSIG:
                continue
            signature = response.get_rrset(
                section, rrset.name, rrset.rdclass, dns.rdatatype.RRSIG, rrset.rdtype
            )
            if signature is None:
                raise WrongAnswerError(f"{rrset.name} {rrset.rdtype.name}: no signature")
            try:
                dns.dnssec.validate(rrset, signature, known)
            except dns.exception.DNSException as error:
                raise WrongAnswerError(f"{rrset.name} {rrset.rdtype.name}: {error}") from error


@dataclass(slots=True)
class _Asked:
    """A datagram on its way."""

    question: Question
    ident: int
    sock: socket.socket
    attempt: int
    first_sent: float
    sent: float
    floor: int
    want_dnssec: bool
    excused: bool
    was_down: bool = False


class Judge:
    """Says of answers of one server whether they are right. ``primary``: what was acknowledged is
    the least that it may answer."""

    def __init__(self, who: str, ledger: Ledger, keys: Keys, *, primary: bool) -> None:
        self._who = who
        self._ledger = ledger
        self._keys = keys
        self.primary = primary
        self.counts: Counter[str] = Counter()
        self.lost: list[str] = []

    def lose(self, question: Question) -> None:
        """None of its tries was answered."""
        self.counts["lost"] += 1
        what = f"{self._who}: no answer to {question.name} {question.rrtype}"
        if self.primary:
            self.lost.append(what)
            print(f"  LOST ({self._ledger.fault}): {what}", flush=True)

    def take(
        self, question: Question, wire: bytes, floor: int, want_dnssec: bool, excused: bool
    ) -> None:
        """Count an answer, and note a finding for a wrong one. ``floor`` is the generation that was
        acknowledged when it was sent, ``excused`` whether it could fail then."""
        ledger, zone = self._ledger, question.zone.name
        self.counts["answers"] += 1
        try:
            response = dns.message.from_wire(wire)
            generation = judge(question, response)
            if self.primary and question.label == "up":
                self._look_at_targets(question, response)
            if generation is not None:
                least = min(floor, ledger.floor[zone]) if self.primary else 0
                if not least <= generation <= ledger.ceiling[zone]:
                    span = f"{least} to {ledger.ceiling[zone]}"
                    raise WrongAnswerError(f"{question.name}: generation {generation}, not {span}")
                found = serial(response)
                if found is not None and (problem := ledger.seen(zone, found, generation)):
                    raise WrongAnswerError(problem)
            if want_dnssec and question.zone.algorithm:
                self.counts["validated"] += 1
                verify(response, question.zone, self._keys)
        except ServerFailure as failure:
            if excused or ledger.is_excused(zone):
                self.counts["excused"] += 1
            elif not self.primary:
                self.counts["failures"] += 1
            else:
                self.counts["wrong"] += 1
                ledger.find(str(failure))
        except (WrongAnswerError, dns.exception.DNSException) as error:
            self.counts["wrong"] += 1
            ledger.find(f"{self._who}: {error}")

    def _look_at_targets(self, question: Question, response: dns.message.Message) -> None:
        now = time.monotonic()
        gone = {
            one for one in question.zone.targets if now - self._ledger.gone.get(one, now) > SETTLED
        }
        given = {str(rdata) for rrset in response.answer for rdata in rrset}
        if gone and given & gone and gone < set(question.zone.targets):
            raise WrongAnswerError(f"{question.name}: {given & gone} is down for long")


class Prober:
    """Asks one server over UDP at a rate, in a thread of its own. ``weights``: how often a zone is
    asked for, one beside the other; as often as any by default. ``tries`` and ``wait``: datagrams
    that a question is, and seconds for each."""

    def __init__(
        self,
        port: int,
        zones: Sequence[ChaosZone],
        rate: float,
        judge: Judge,
        ledger: Ledger,
        seed: int,
        *,
        dnssec: float = 0.2,
        weights: Sequence[float] | None = None,
        tries: int = TRIES,
        wait: float = WAIT,
    ) -> None:
        self._port = port
        self._zones = list(zones)
        self._weights = None if weights is None else list(accumulate(weights))
        self._questions = {zone.name: questions(zone) for zone in zones}
        self._tries = tries
        self._wait = wait
        self._rate = rate
        self.judge = judge
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._dnssec = dnssec
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.counts = judge.counts
        self.slowest = 0.0
        self.took = array("d")
        """Seconds of each answer that no restart of the server was in."""

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """When all that is under way is answered, or lost; for what went out while there was no
        server, nobody waits."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        waiting: dict[int, _Asked] = {}
        due = time.monotonic()
        with select.epoll() as epoll:
            while not self._end.is_set() or waiting:
                now = time.monotonic()
                if now - due > 1.0:
                    # We had no time ourselves; what was not asked is not asked later.
                    due = now
                while due <= now and not self._end.is_set():
                    due += 1 / self._rate
                    self._send(self._new(now), waiting, epoll)
                for fd, _ in epoll.poll(0.005):
                    self._read(fd, waiting, epoll)
                self._give_up(waiting, epoll)

    def _new(self, now: float) -> _Asked:
        (zone,) = self._chance.choices(self._zones, cum_weights=self._weights)
        question = self._chance.choice(self._questions[zone.name])
        self.counts["asked"] += 1
        want = bool(zone.algorithm) and self._chance.random() < self._dnssec
        return _Asked(
            question,
            self._chance.getrandbits(16),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            1,
            now,
            now,
            self._ledger.floor[question.zone.name],
            want,
            self._ledger.is_excused(question.zone.name),
        )

    def _send(self, asked: _Asked, waiting: dict[int, _Asked], epoll: select.epoll) -> None:
        sock = asked.sock
        sock.setblocking(False)
        query = make(asked.question, asked.ident, asked.want_dnssec)
        waiting[sock.fileno()] = asked
        epoll.register(sock, select.EPOLLIN)
        with contextlib.suppress(OSError):
            sock.bind((CLIENT, 0))
            sock.connect((LOOPBACK, self._port))
            sock.send(query.to_wire())

    def _read(self, fd: int, waiting: dict[int, _Asked], epoll: select.epoll) -> None:
        now = time.monotonic()
        asked = waiting[fd]
        try:
            wire = asked.sock.recv(65535)
        except OSError:
            # Nobody listens: the kernel says so at once, and somebody may soon.
            return
        if int.from_bytes(wire[:2], "big") != asked.ident:
            # For one who gave up and had this port before.
            return
        del waiting[fd]
        epoll.unregister(asked.sock)
        asked.sock.close()
        took = now - asked.first_sent
        if not asked.was_down and not self._ledger.was_down(asked.first_sent, now):
            self.slowest = max(self.slowest, took)
            self.took.append(took)
            self.counts["late"] += took > LATE
        self.judge.take(asked.question, wire, asked.floor, asked.want_dnssec, asked.excused)

    def _give_up(self, waiting: dict[int, _Asked], epoll: select.epoll) -> None:
        now, at_the_end = time.monotonic(), self._end.is_set()
        # In the order in which they were sent.
        for fd, asked in list(waiting.items()):
            early = now - asked.sent < self._wait
            if early and not at_the_end:
                break
            if early and not self._ledger.was_down(asked.sent, now):
                continue
            del waiting[fd]
            epoll.unregister(asked.sock)
            asked.sock.close()
            self._again(asked, waiting, epoll)

    def _again(self, asked: _Asked, waiting: dict[int, _Asked], epoll: select.epoll) -> None:
        now = time.monotonic()
        self.counts["unanswered datagrams"] += 1
        asked.was_down |= self._ledger.was_down(asked.sent, now)
        if asked.was_down:
            self.counts["while down"] += 1
            return
        if asked.attempt == self._tries:
            self.judge.lose(asked.question)
            return
        asked.attempt += 1
        asked.sent = now
        asked.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._send(asked, waiting, epoll)


class TcpProber:
    """Asks over TCP, one question a connection, one after the other, in a thread of its own."""

    def __init__(
        self,
        port: int,
        zones: Sequence[ChaosZone],
        rate: float,
        judge: Judge,
        ledger: Ledger,
        seed: int,
    ) -> None:
        self._port = port
        self._questions = [one for zone in zones for one in questions(zone)]
        self._rate = rate
        self.judge = judge
        self._ledger = ledger
        self._chance = random.Random(seed)
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.counts = judge.counts

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """After the question that is under way."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._end.wait(1 / self._rate):
            question = self._chance.choice(self._questions)
            want = bool(question.zone.algorithm) and self._chance.random() < 0.2
            self.counts["asked"] += 1
            self._ask(question, want)

    def _ask(self, question: Question, want_dnssec: bool) -> None:
        ledger = self._ledger
        query = make(question, self._chance.getrandbits(16), want_dnssec)
        for _ in range(TRIES):
            begin = time.monotonic()
            floor = ledger.floor[question.zone.name]
            excused = ledger.is_excused(question.zone.name)
            try:
                response = dns.query.tcp(
                    query, LOOPBACK, port=self._port, timeout=2 * WAIT, source=CLIENT
                )
            except (OSError, EOFError, dns.exception.DNSException):
                self.counts["broken connections"] += 1
                if ledger.was_down(begin, time.monotonic()):
                    self.counts["while down"] += 1
                    return
                continue
            self.judge.take(question, response.to_wire(), floor, want_dnssec, excused)
            return
        self.judge.lose(question)
