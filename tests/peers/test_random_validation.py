"""What lzc signs of zones at random is secure, in each way of denial: to unbound, every name and
many that are not there; and where unbound says otherwise, it says so of NSD with the file that
dnssec-signzone made, and delv and our verifier do not."""

from __future__ import annotations

import contextlib
import functools
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import dns.name
import pytest
from dns.rdtypes.ANY.DS import DS

from lzc.dnssec import ds
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.dnssec.validation.trust import ds_of_rdata
from lzc.dnssec.validation.verifier import State, Verifier
from lzc.rehearse.survey.asking import ServerAsker
from lzc.rehearse.survey.inspection import TrustedZones
from lzc.wire import message, rrtype
from lzc.wire import name as wire_name
from tests.patience import PATIENCE
from tests.peers import random_zones, static_servers
from tests.peers._peers import find, require
from tests.peers._peers import unbound as resolver
from tests.peers._peers.process import LOOPBACK
from tests.peers._peers.releases import OLDEST
from tests.peers.dissents import YXDOMAIN
from tests.peers.mass_asking import Essence, Mode, Question, ask_wires, essence_of
from tests.peers.test_same_answers import legal, made_of, names_of
from tests.unit.live_server import HEAD, UNHURRIED, LiveServer, Project

SEEDS: Final = range(100, 104)
DENIALS: Final = (
    Denial(),
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, opt_out=True),
    Denial(Way.NARROW),
    Denial(Way.COMPACT),
)
TYPES: Final = (
    *(rrtype.A, rrtype.TXT, rrtype.DS, rrtype.MX, rrtype.CNAME, rrtype.NS, rrtype.AAAA),
    *(rrtype.DNAME, rrtype.SOA),
)
FEW_TYPES: Final = (rrtype.A, rrtype.TXT, rrtype.DS)
ASKED: Final = Mode(tcp=True, edns=True, dnssec=True)
RANDOM_NAMES: Final = 20
SAMPLE: Final = 12
"""Questions of a kind that delv, a process each, is asked."""


def zones_of(*, lua: bool) -> dict[str, str]:
    return {f"z{seed}.example.": random_zones.text(seed, lua=lua) for seed in SEEDS}


class World:
    """What exists in some zones, and what is asked of them."""

    def __init__(self, zones: Mapping[str, str]) -> None:
        self.whole = {zone: HEAD.format(serial=1) + text for zone, text in zones.items()}
        self.apexes = frozenset(map(wire_name.from_text, zones))
        self.exists = frozenset(name.lower() for name in names_of(self.whole))
        self.owners = frozenset(
            wire_name.from_text(line.split()[0], apex).lower()
            for zone, text in zones.items()
            for apex in [wire_name.from_text(zone)]
            for line in text.splitlines()
        )

    def questions(self) -> list[Question]:
        """Each once. What is not there comes first: unbound then denies from the NSEC RRs that it
        has (RFC 8198), and one that covers too much hides names that exist."""
        rng = random.Random(1)
        names = sorted(self.exists)
        labels = sorted({label for name in names for label in wire_name.labels_of(name)})
        mixed = [
            wire_name.from_labels([*rng.choices(labels, k=rng.randrange(1, 4)), *labels_of])
            for _ in range(RANDOM_NAMES * len(self.apexes))
            for labels_of in [wire_name.labels_of(rng.choice(names))]
        ]
        mixed += [wire_name.from_labels([b"*", b"0", *wire_name.labels_of(name)]) for name in names]
        around = {name.lower() for name in legal([*made_of(names), *mixed])} - self.exists
        inside = [name for name in sorted(around) if self.apex_of(name) is not None]
        found = [Question(name, kind) for name in inside for kind in FEW_TYPES]
        found += [Question(name, kind) for name in names for kind in TYPES]
        # The DS of a zone is for the zone above to deny, which is not there.
        return [one for one in found if one.qtype != rrtype.DS or one.name not in self.apexes]

    def apex_of(self, name: bytes) -> bytes | None:
        while name not in self.apexes:
            if name == wire_name.ROOT:
                return None
            name = wire_name.parent(name)
        return name

    def encloser(self, name: bytes) -> bytes:
        """The name that exists and is nearest above, or the name itself."""
        while name not in self.exists:
            name = wire_name.parent(name)
        return name

    def has_empty_wildcard(self, name: bytes) -> bool:
        """Whether a name that is not there has for its source of synthesis (RFC 4592 §3.3.1) an
        empty non-terminal."""
        if name in self.exists:
            return False
        wildcard = b"\1*" + self.encloser(name)
        return wildcard in self.exists and wildcard not in self.owners

    def is_wildcard_of_another(self, name: bytes) -> bool:
        """Whether a name that is not there is a wildcard in form, and made from another one."""
        made = b"\1*" + self.encloser(name)
        return name[:2] == b"\1*" and name not in self.exists and made in self.owners


class Running(NamedTuple):
    """A server of the zones at ``port``, and their DS."""

    port: int
    world: World
    anchors: Sequence[str]
    trusted: Mapping[dns.name.Name, list[DS]]


@contextlib.contextmanager
def serving(folder: Path, denial: Denial, *, lua: bool) -> Iterator[Running]:
    zones = zones_of(lua=lua)
    project = Project(folder, UNHURRIED)
    project.build(zones, signed=zones, denial=denial)
    anchors, trusted = [], {}
    for zone in zones:
        apex, shown = wire_name.from_text(zone), dns.name.from_text(zone)
        keys = Keystore(folder / "keys").load(apex)
        anchors += [ds.to_text(apex, ds.ds_rdata(apex, key.dnskey)) for key in keys]
        trusted[shown] = [ds_of_rdata(shown, key.dnskey) for key in keys]
    with LiveServer(project) as server:
        yield Running(server.port, World(zones), anchors, trusted)


def chain_of(question: Question, answer: Essence) -> list[bytes]:
    """The names of the aliases, from the question's to that at their end; none where they go round,
    or where a resolver has to go on to a server that is not here."""
    if not answer.authoritative or any(kind == rrtype.NS for _, kind, *_ in answer.authority):
        return []
    aliases = {owner: target for owner, kind, _, target in answer.answer if kind == rrtype.CNAME}
    if aliases and question.qtype in (rrtype.DS, rrtype.DNAME):
        return []
    chain = [question.name.lower()]
    while chain[-1] in aliases and len(chain) <= len(aliases) + 1:
        chain.append(aliases[chain[-1]].lower())
    return chain if len(chain) <= len(aliases) + 1 else []


def asked(question: Question) -> resolver.Question:
    return resolver.Question(wire_name.to_text(question.name), rrtype.to_text(question.qtype))


def is_right(answer: Essence, verdict: resolver.Verdict, denial: Denial) -> bool:
    """Whether it is secure, and of the same RCODE; which at the end of aliases is for a resolver to
    find. What an opt-out span proves is not secure (RFC 5155 §9.2)."""
    if answer.rcode == YXDOMAIN:
        return verdict.rcode == YXDOMAIN
    alias = any(kind == rrtype.CNAME for _, kind, *_ in answer.answer)
    same = verdict.rcode == answer.rcode or (alias and verdict.rcode != message.SERVFAIL)
    open_ended = denial.opt_out and any(kind == rrtype.NSEC3 for _, kind, *_ in answer.authority)
    return same and (verdict.authentic or open_ended)


def not_secure(
    folder: Path,
    port: int,
    running: Running,
    denial: Denial,
    questions: Sequence[Question],
    *,
    window: int = 32,
) -> dict[Question, tuple[Essence, resolver.Verdict, list[bytes]]]:
    """The questions that the server at ``port`` and unbound behind it answer otherwise, or that
    are not secure; with the names of the aliases. What it makes of one may depend on those before:
    with a ``window`` of 1 these are the same each time."""
    answers = [essence_of(wire) for wire in ask_wires(port, questions, ASKED)]
    ends = {
        question: (answer, chain)
        for question, answer in zip(questions, answers, strict=True)
        if (chain := chain_of(question, answer)) and running.world.apex_of(chain[-1]) is not None
    }
    assert len(ends) > len(questions) * 0.6
    ports = {wire_name.to_text(apex).rstrip("."): port for apex in running.world.apexes}
    with resolver.unbound(folder, ports, running.anchors) as unbound:
        verdicts = unbound.ask([asked(question) for question in ends], window)
    return {
        question: (answer, verdicts[asked(question)], chain)
        for question, (answer, chain) in ends.items()
        if not is_right(answer, verdicts[asked(question)], denial)
    }


def is_known(world: World, denial: Denial, chain: Sequence[bytes]) -> bool:
    """Whether unbound is known to get it wrong. From NSEC RRs it denies a name whose wildcard is an
    empty non-terminal, as if that did not exist, and calls the answer that says so bogus. Of a name
    with an asterisk in front that another wildcard made it counts the labels without that, and
    looks for another proof."""
    if denial.way is Way.COMPACT:
        return False
    made = any(map(world.is_wildcard_of_another, chain))
    return made or (denial.way is Way.NSEC and world.has_empty_wildcard(chain[-1]))


@pytest.mark.parametrize("denial", DENIALS, ids=str)
def test_every_answer_is_secure(tmp_path: Path, denial: Denial) -> None:
    require("unbound")
    with serving(tmp_path, denial, lua=True) as running:
        questions = running.world.questions()
        judged = ours(running, questions)
        found = not_secure(tmp_path / "unbound", running.port, running, denial, questions)
    bogus = {asked(one): why for one, (state, why) in judged.items() if state is State.BOGUS}
    assert not bogus, "\n".join(map(str, bogus.items()))
    assert denial.opt_out or {state for state, _ in judged.values()} == {State.SECURE}
    wrong = {
        asked(one): (answer.rcode, verdict)
        for one, (answer, verdict, chain) in found.items()
        if not is_known(running.world, denial, chain)
    }
    assert not wrong, "\n".join(map(str, wrong.items()))


def ours(
    running: Running, questions: Sequence[Question]
) -> dict[Question, tuple[State, tuple[str, ...]]]:
    check = SignatureCheck(time.time())
    asker = ServerAsker(LOOPBACK, running.port)
    verifier = Verifier(TrustedZones(running.trusted, frozenset(), asker, check), check)
    found = {}
    for question, wire in zip(questions, ask_wires(running.port, questions, ASKED), strict=True):
        name = dns.name.from_wire(question.name, 0)[0]
        found[question] = verifier.judge(name, question.qtype, wire)[:2]
    return found


@pytest.mark.parametrize("denial", [Denial(), Denial(Way.NSEC3)], ids=str)
def test_what_unbound_alone_calls_bogus_it_calls_so_of_nsd_too(
    tmp_path: Path, denial: Denial
) -> None:
    """And delv finds it fully validated, of both."""
    require("unbound", "dnssec-signzone", "delv")
    release = OLDEST["nsd"]
    release.require()
    with serving(tmp_path, denial, lua=False) as running:
        world = running.world
        questions = [one for one in world.questions() if is_known(world, denial, [one.name])]
        files = static_servers.write(tmp_path / "files", world.whole)
        options = ["-3", "-", "-H", "0"] if denial.is_hashed else []
        signed = static_servers.sign(tmp_path / "files", files, tmp_path / "keys", options)
        with static_servers.peers(tmp_path, signed, [release]) as ports:
            here, there = (
                not_secure(
                    tmp_path / f"unbound{port}",
                    port,
                    running,
                    denial,
                    questions,
                    window=1,
                )
                for port in (running.port, ports[release])
            )
            assert here.keys() <= there.keys()
            assert len(here) > 3
            some = list(here)[:: len(here) // SAMPLE or 1]
            anchors = tmp_path / "anchors"
            anchors.write_text("".join(map(_anchor, running.anchors)))
            for port in (running.port, ports[release]):
                ask = functools.partial(delv, anchors, port, world)
                with ThreadPoolExecutor(2) as pool:
                    for question, said in zip(some, pool.map(ask, some), strict=True):
                        assert "fully validated" in said, f"{asked(question)} {port}: {said}"


def _anchor(record: str) -> str:
    words = record.split()
    return f'trust-anchors {{ "{words[0]}" static-ds {" ".join(words[3:6])} "{words[6]}"; }};\n'


def delv(anchors: Path, port: int, world: World, question: Question) -> str:
    program = find("delv")
    assert program is not None
    apex = world.apex_of(question.name)
    assert apex is not None
    name, kind = asked(question)
    root = f"+root={wire_name.to_text(apex)}"
    done = subprocess.run(
        [
            program,
            f"@{LOOPBACK}",
            "-p",
            str(port),
            "-a",
            str(anchors),
            root,
            "-q",
            name,
            "-t",
            kind,
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    return done.stdout + done.stderr
