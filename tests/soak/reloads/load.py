"""Ask over UDP at a rate, and over TCP beside it, in a process of its own: which questions stay
without an answer?

A line of standard input is a `Task` as JSON, a line of standard output the `Seen` that came of it.
A task ends after its seconds, or with the next line, which may be empty.
"""

from __future__ import annotations

import contextlib
import gc
import json
import select
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Final

from lzc.serve.ipc.process import enlarge
from lzc.serve.transport.datagrams import Datagrams

CLIENTS: Final = 32
"""Ports that questions over UDP come from: enough for each worker to get its share."""
_AT_ONCE: Final = 16
"""Questions that a client sends with one call."""
_TURNS: Final = 4
"""Clients that send between two looks for answers."""
_LONGEST_LOOK: Final = 0.001
_HOST: Final = "127.0.0.1"
_BUFFER: Final = 2**20
_HEAD: Final = 8
"""Octets of an answer that are looked at."""


@dataclass(frozen=True, slots=True)
class Question:
    """``wire`` is a query in hexadecimal digits, whose first two octets, the ID, are put in; its
    answer has this RCODE, and a record at least where ``answered``."""

    wire: str
    rcode: int
    answered: bool


@dataclass(frozen=True, slots=True)
class Task:
    """``rate`` and ``tcp_rate`` are questions a second, for ``seconds``, 0 for as long as nothing
    is said; ``most`` may be without an answer at a time, 0 for any number: others wait for these
    then. ``patience`` are the seconds that the last answers have."""

    port: int
    questions: list[Question]
    rate: float
    seconds: float = 0.0
    most: int = 0
    patience: float = 1.0
    tcp_rate: float = 0.0

    @classmethod
    def of(cls, line: str) -> Task:
        """From JSON."""
        given = json.loads(line)
        given["questions"] = [Question(**one) for one in given["questions"]]
        return cls(**given)


@dataclass(slots=True)
class Seen:
    """What came of a task, whose questions took ``seconds`` to ask. ``answered`` and ``in_time``
    (before all were asked) count answers, ``wrong`` those that are not as they have to be, ``held``
    questions that others had to wait for. Times in milliseconds: from when a question was to be
    asked, be it late, to its answer."""

    asked: int = 0
    answered: int = 0
    in_time: int = 0
    wrong: int = 0
    held: int = 0
    seconds: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    longest: float = 0.0
    tcp_asked: int = 0
    tcp_lost: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """Questions over UDP that have no answer."""
        return self.asked - self.answered


class Client:
    """A UDP socket, which sends and takes many datagrams at once."""

    def __init__(self, port: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        enlarge(self.sock, socket.SO_RCVBUF, _BUFFER)
        self.sock.setblocking(False)
        self.sock.bind((_HOST, 0))
        self._datagrams = made = Datagrams(self.sock)
        address = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port)
        address += socket.inet_aton(_HOST)
        for _, (_, _, host, _) in made.places:
            made.clients[host.stop - len(address) : host.stop] = address
        self._starts = [at for _, (at, _, _, _) in made.places]

    def send(self, queries: Sequence[bytes]) -> None:
        """Send them, as far as the kernel has room."""
        made = self._datagrams
        for slot, query in enumerate(queries):
            at = self._starts[slot]
            made.answers[at : at + len(query)] = query
            made.answer_lengths[slot] = len(query)
        made.send(0, len(queries))

    def receive(self) -> list[bytes]:
        """The beginnings of answers that have come."""
        made = self._datagrams
        return [made.received[at : at + _HEAD] for at in self._starts[: made.receive()]]


class Asker:
    """Carries out one task over UDP."""

    def __init__(self, task: Task, clients: Sequence[Client]) -> None:
        self._task = task
        self._clients = clients
        self._by_number = {one.sock.fileno(): number for number, one in enumerate(clients)}
        self._wires = [bytes.fromhex(one.wire)[2:] for one in task.questions]
        self._right = [(one.rcode, one.answered) for one in task.questions]
        # By client and ID: when it was due, and which of the questions.
        self._waiting: dict[int, tuple[float, int]] = {}
        self._sent = [0] * CLIENTS
        self._took: list[float] = []
        self.seen = Seen()

    def run(self, told: int) -> None:
        """Until the time is over, or file descriptor ``told`` can be read."""
        task, seen = self._task, self.seen
        with select.epoll() as poll:
            for one in self._clients:
                poll.register(one.sock, select.EPOLLIN)
            poll.register(told, select.EPOLLIN)
            begun = time.monotonic()
            turn = 0
            while not task.seconds or time.monotonic() < begun + task.seconds:
                due = int((time.monotonic() - begun) * task.rate) - seen.asked
                if task.most and len(self._waiting) + due > task.most:
                    due = max(task.most - len(self._waiting), 0)
                    seen.held += 1
                for _ in range(_TURNS):
                    if due > 0:
                        self._ask(turn % CLIENTS, min(due, _AT_ONCE), begun)
                        due -= _AT_ONCE
                        turn += 1
                if self._take(poll, told, 0.0 if due > 0 else min(_LONGEST_LOOK, 1 / task.rate)):
                    break
            seen.seconds = time.monotonic() - begun
            seen.in_time = seen.answered
            poll.unregister(told)
            end = time.monotonic() + task.patience
            while self._waiting and time.monotonic() < end:
                before = seen.answered
                self._take(poll, told, 0.1)
                if seen.answered != before:
                    end = time.monotonic() + task.patience
        took = sorted(self._took) or [0.0]
        seen.p50, seen.p99 = (1000 * took[int(len(took) * part)] for part in (0.5, 0.99))
        seen.longest = 1000 * took[-1]

    def _ask(self, client: int, count: int, begun: float) -> None:
        asked, rate, wires = self.seen.asked, self._task.rate, self._wires
        queries = []
        for number in range(asked, asked + count):
            which = number % len(wires)
            ident = self._sent[client] & 0xFFFF
            self._sent[client] += 1
            # One that still waits under this ID, 65,536 later, is among the lost.
            self._waiting[client << 16 | ident] = begun + number / rate, which
            queries.append(ident.to_bytes(2, "big") + wires[which])
        self._clients[client].send(queries)
        self.seen.asked += count

    def _take(self, poll: select.epoll, told: int, seconds: float) -> bool:
        """Take the answers that there are; whether something was said meanwhile."""
        stop = False
        for number, _ in poll.poll(seconds):
            if number == told:
                stop = True
                continue
            client = self._by_number[number]
            for answer in self._clients[client].receive():
                self._judge(client, answer)
        return stop

    def _judge(self, client: int, answer: bytes) -> None:
        found = self._waiting.pop(client << 16 | int.from_bytes(answer[:2], "big"), None)
        if found is None:
            # An answer that came twice.
            return
        due, which = found
        self._took.append(time.monotonic() - due)
        rcode, answered = self._right[which]
        self.seen.answered += 1
        # The lower octet of ANCOUNT: there are a few records at most.
        self.seen.wrong += answer[3] & 15 != rcode or (answer[7] > 0) != answered


class TcpAsker(threading.Thread):
    """Asks over TCP meanwhile, each question on a connection of its own."""

    def __init__(self, task: Task, seen: Seen) -> None:
        super().__init__()
        self._task = task
        self._seen = seen
        self.stopped = threading.Event()

    def run(self) -> None:
        while self._task.tcp_rate and not self.stopped.wait(1 / self._task.tcp_rate):
            question = self._task.questions[self._seen.tcp_asked % len(self._task.questions)]
            self._seen.tcp_asked += 1
            try:
                self._ask(bytes.fromhex(question.wire), question)
            except Exception as error:  # whatever it is, this one was lost
                self._seen.tcp_lost.append(repr(error))

    def _ask(self, wire: bytes, question: Question) -> None:
        patience = max(self._task.patience, 1.0)
        with socket.create_connection((_HOST, self._task.port), timeout=patience) as sock:
            sock.sendall(struct.pack(">H", len(wire)) + wire)
            said = b""
            while len(said) < 14 or len(said) < 2 + int.from_bytes(said[:2], "big"):
                more = sock.recv(65535)
                if not more:
                    raise ConnectionError(f"closed after {len(said)} octets")
                said += more
        if (said[5] & 15, said[8:10] != b"\0\0") != (question.rcode, question.answered):
            self._seen.wrong += 1


def carried_out(task: Task, told: int) -> Seen:
    """Ask, and give what came of it; ``told`` is a file descriptor that can be read to end it."""
    clients = [Client(task.port) for _ in range(CLIENTS)]
    with contextlib.ExitStack() as stack:
        for one in clients:
            stack.enter_context(one.sock)
        asker = Asker(task, clients)
        tcp = TcpAsker(task, asker.seen)
        tcp.start()
        asker.run(told)
        tcp.stopped.set()
        tcp.join()
    return asker.seen


def main() -> None:
    """Carry out tasks until standard input is closed."""
    # Whoever collects garbage asks nothing meanwhile.
    gc.disable()
    # Not buffered: whether there is a line is asked of the kernel.
    with open(0, "rb", buffering=0, closefd=False) as lines:
        while line := lines.readline():
            if not line.strip():
                continue
            seen = carried_out(Task.of(line.decode()), 0)
            sys.stdout.write(json.dumps(asdict(seen)) + "\n")
            sys.stdout.flush()
