"""Before an upgrade, `lzc check --against` names each record that the newer PowerDNS answers
otherwise, and nothing else.

A project of public records is checked, and real servers of both versions are asked about each of
its records: by several clients, for names that its wildcards stand for, often enough to see all
that chance gives, before any health check, when all targets are down, and when all are up.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.patience import PATIENCE
from tests.peers._peers.process import free_port, running, wait_for_zone, wait_until
from tests.peers._peers.project import LZC
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.mass_asking import Essence, Mode, Question, ask_all
from tests.peers.test_lua_differential import (
    DATABASES,
    write_config,
    write_geo_database,
    write_network_database,
)
from tests.peers.up_everywhere import Taken, listening, take_addresses
from tests.peers.upgrade_records import ZONES, Record, questions_of, records, zones
from tests.unit.clinic import self_signed

pytestmark = pytest.mark.usefixtures("nowhere_to_go")

PAIRS: Final = (
    (POWERDNS[0], POWERDNS[-1]),
    *pairwise(POWERDNS),
)
"""From which version to which is upgraded."""

TOML: Final = """\
[build]
sources = ["zones/*.zone"]
dialect = "powerdns"
[lua]
enable = true
powerdns = "{version}"
"""
SETTINGS: Final = "loglevel=0\ndistributor-threads=1\n"
"""One question after the other: 5.1 fails the first about targets of which nothing is known, if it
is asked to, but not two that come at the same time."""

DOWN: Final = "nothing checked yet, or all down"
UP: Final = "all up"

TWICE: Final = 2
ROUNDS: Final = (10, 20, 90)
"""How often a question is asked: where nothing is drawn by chance; and, where something may be, in
the first round and in those that follow as long as it may help. The rarest of the project is drawn
three times in twenty: not once in ten million times a server does not draw it."""

CANARIES: Final = "canaries.test"
CANARY_PORT: Final = 25
LOOKS: Final = 3
"""Connections to a server's canary after which it has looked at all targets since they are up: one
of a round that had begun before, and two of rounds that follow; each ends before the next."""

Answer = tuple[int, frozenset[tuple[int, bytes]]]
"""RCODE, and types with RDATA."""


class Asked(NamedTuple):
    """A question in a state of health."""

    state: str
    question: Question

    def __str__(self) -> str:
        name, kind, options = self.question
        client = f" from {options[8:].hex()}/{options[6]}" if options else ""
        return f"{wire_name.to_text(name)} {rrtype.to_text(kind)}{client}, {self.state}"


Answers = dict[Asked, dict[Release, set[Answer]]]


class Server(NamedTuple):
    release: Release
    port: int
    number: int

    @property
    def canary(self) -> str:
        """An address that this server alone has to check."""
        return f"203.0.113.{250 + self.number}"


@contextlib.contextmanager
def serving(folder: Path, release: Release, number: int) -> Iterator[Server]:
    """A PowerDNS with the zones of the project while the block runs."""
    folder.mkdir()
    server = Server(release, free_port(), number)
    write_geo_database(folder / DATABASES[0])
    write_network_database(folder / DATABASES[1])
    canary = f"canary IN LUA A \"ifportup({CANARY_PORT}, {{'{server.canary}'}})\"\n"
    (folder / f"{CANARIES}.zone").write_text("@ 0 IN SOA a. b. 1 2 3 4 5\n@ 0 IN NS a.\n" + canary)
    files = {zone: ZONES / f"{zone}.zone" for zone in zones()}
    files[CANARIES] = folder / f"{CANARIES}.zone"
    (folder / "named.conf").write_text(
        "".join(
            f'zone "{zone}" {{ type master; file "{file}"; }};\n' for zone, file in files.items()
        )
    )
    write_config(folder, server.port, 1, release, SETTINGS)
    arguments = [f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
    with running([*release.command("pdns_server"), *arguments], folder, "pdns") as process:
        wait_for_zone(process, server.port, CANARIES)
        yield server


def has_looked(taken: Taken, server: Server) -> bool:
    return taken[server.canary] >= LOOKS


def ask(servers: Sequence[Server], state: str, about: Sequence[Record], found: Answers) -> None:
    """Ask all servers about the same until chance has shown them all that they may say."""
    fixed = [Asked(state, q) for one in about if not one.chance for q in questions_of(one)]
    drawn = [Asked(state, q) for one in about if one.chance for q in questions_of(one)]
    ask_so_often(servers, [*fixed * TWICE, *drawn * ROUNDS[0]], found)
    unclear = [one for one in drawn if len(set.union(*found[one].values())) > 1]
    ask_so_often(servers, unclear * ROUNDS[1], found)
    unclear = [one for one in unclear if may_still_agree([*found[one].values()])]
    ask_so_often(servers, unclear * ROUNDS[2], found)


def ask_so_often(servers: Sequence[Server], asked: Sequence[Asked], found: Answers) -> None:
    questions = [one.question for one in asked]
    known: dict[bytes, Essence] = {}
    with ThreadPoolExecutor(len(servers)) as pool:
        given = pool.map(
            lambda server: ask_all(server.port, questions, Mode(edns=True), known), servers
        )
        for server, essences in zip(servers, given, strict=True):
            for one, essence in zip(asked, essences, strict=True):
                answer = frozenset((kind, rdata) for _, kind, _, rdata in essence.answer)
                by_release = found.setdefault(one, {})
                by_release.setdefault(server.release, set()).add((essence.rcode, answer))


def may_still_agree(answers: Sequence[set[Answer]]) -> bool:
    """Whether servers that have not drawn the same may, if they draw more often."""
    return any(one != answers[0] for one in answers) and any(len(one) > 1 for one in answers)


@pytest.fixture(scope="module")
def answers(nowhere_to_go: None, tmp_path_factory: pytest.TempPathFactory) -> dict[Record, Answers]:
    """What all versions that are there answer about each record."""
    folder = tmp_path_factory.mktemp("upgrade")
    everything = list(records())
    take_addresses()
    found: Answers = {}
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(serving(folder / str(release), release, number))
            for number, release in enumerate(POWERDNS)
            if release.present()
        ]
        ask(servers, DOWN, everything, found)
        canary = Question(wire_name.from_text(f"canary.{CANARIES}."), rrtype.A)
        for server in servers:
            ask_all(server.port, [canary], Mode())
        tls = self_signed(folder)
        with listening((25, 80, 8080), (443,), tls) as taken:
            for server in servers:
                looked = partial(has_looked, taken, server)
                wait_until(looked, f"{server.release} has looked at all targets")
            ask(servers, UP, [one for one in everything if one.checks], found)
    by_question: dict[Question, Answers] = {}
    for one, said in found.items():
        by_question.setdefault(one.question, {})[one] = said
    return {
        record: {one: said for q in questions_of(record) for one, said in by_question[q].items()}
        for record in everything
    }


def told(folder: Path, here: Release, there: Release) -> Mapping[Record, str]:
    """What lzc says of each record of a project of a version, before an upgrade to another."""
    shutil.copytree(ZONES, folder / "zones")
    (folder / "lzc.toml").write_text(TOML.format(version=here.version))
    command = [str(LZC), "check", "-c", str(folder / "lzc.toml"), "--against", str(there)]
    done = subprocess.run(
        [*command, "--format", "json"], capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stdout + done.stderr
    by_line = {(f"{record.zone}.zone", record.line): record for record in records()}
    return {
        by_line[Path(fault["file"]).name, fault["line"]]: fault["message"]
        for fault in json.loads(done.stdout)["faults"]
    }


def differing(said: Answers, here: Release, there: Release) -> str:
    """The first question about a record that two versions answer otherwise; empty for none."""
    for one, by_release in said.items():
        if by_release[here] != by_release[there]:
            return f"{one}: {by_release[here]}, {by_release[there]}"
    return ""


def test_the_project_is_as_large_as_promised() -> None:
    found = list(records())
    assert len(found) >= 200
    assert len({(record.owner, record.covered) for record in found}) == len(found)


@pytest.mark.parametrize(("here", "there"), PAIRS, ids=str)
def test_each_change_is_told_and_nothing_else(
    request: pytest.FixtureRequest, tmp_path: Path, here: Release, there: Release
) -> None:
    here.require()
    there.require()
    answers: dict[Record, Answers] = request.getfixturevalue("answers")
    messages = told(tmp_path, here, there)
    real = {record: differing(said, here, there) for record, said in answers.items()}
    wrong = [
        f"told, but not seen: {record}: {message}"
        for record, message in messages.items()
        if not real[record]
    ]
    wrong += [
        f"seen, but not told: {record}: {difference}"
        for record, difference in real.items()
        if difference and record not in messages
    ]
    print(f"{len(messages)} told, {sum(map(bool, real.values()))} seen, of {len(real)}")
    assert not wrong, "\n".join(wrong)
