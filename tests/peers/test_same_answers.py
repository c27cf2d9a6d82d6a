"""lzc and BIND, NSD and Knot DNS of three generations serve the same zones, and give the same
answers: to every name of them, names beside and below, in upper case, and names made at random;
over UDP with and without EDNS, and over TCP; unsigned, and signed with the same keys.

Where the others do not agree with each other, `tests.peers.dissents` says who differs from lzc, in
what, and why lzc does as it does. lzc never stands alone.
"""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.peers import static_servers, static_zones
from tests.peers._peers import require
from tests.peers._peers.releases import BIND, KNOT, NSD, Release
from tests.peers.dissents import DISSENTS, Dissent
from tests.peers.mass_asking import Essence, Mode, Question, ask_all
from tests.unit.live_server import HEAD, LiveServer, Project
from tests.unit.zone_text import read_zone_text

TYPES: Final = tuple(
    rrtype.from_text(text)
    for text in (
        *("A", "AAAA", "NS", "CNAME", "SOA", "MX", "TXT", "SRV", "DS", "DNAME", "HTTPS", "CAA"),
        *("DNSKEY", "TYPE65280"),
    )
)
FEW: Final = (rrtype.A, rrtype.TXT, rrtype.DS)
OTHERS: Final = tuple(kind for kind in TYPES if kind not in FEW)
SEED: Final = 20261121
RANDOM_NAMES: Final = 500
UNSIGNED: Final = (Mode(), Mode(edns=True), Mode(tcp=True))
SIGNED: Final = (Mode(edns=True, dnssec=True), Mode(tcp=True, edns=True, dnssec=True))


GENERATIONS: Final = (
    (BIND[0], NSD[0], KNOT[0]),
    (BIND[1], NSD[1], KNOT[1]),
    (BIND[1], NSD[2], KNOT[2]),
)


class Running(NamedTuple):
    """All servers: their ports, what they serve, and how they are asked."""

    ports: Mapping[str, int]
    names: frozenset[bytes]
    apexes: frozenset[bytes]
    modes: tuple[Mode, ...]


WORLDS: Final = {
    "zones": (static_zones.ZONES, False),
    "root": (static_zones.ROOT_ZONE, False),
    "signed": (static_zones.ZONES, True),
}


@contextlib.contextmanager
def running(
    folder: Path, zones: Mapping[str, str], signed: bool, releases: Sequence[Release]
) -> Iterator[Running]:
    """Serve these zones with lzc and the others while the block runs."""
    folder.mkdir()
    project = Project(folder)
    project.build(zones, signed=zones if signed else ())
    whole = {apex: HEAD.format(serial=1) + text for apex, text in zones.items()}
    files = static_servers.write(folder, whole)
    if signed:
        files = static_servers.sign(folder, files, folder / "keys")
    with static_servers.peers(folder, files, releases) as ports, LiveServer(project) as server:
        yield Running(
            {"lzc": server.port, **{str(release): port for release, port in ports.items()}},
            frozenset(names_of(whole)),
            frozenset(wire_name.from_text(apex) for apex in zones),
            SIGNED if signed else UNSIGNED,
        )


def names_of(zones: Mapping[str, str]) -> Iterator[bytes]:
    """Every name that exists, empty non-terminals among them."""
    for apex, text in zones.items():
        top = wire_name.from_text(apex)
        zone, _ = read_zone_text(text.encode(), top, apex)
        for record in zone.records:
            owner = zone.owner(record)
            while owner != top:
                yield owner
                owner = wire_name.parent(owner)
        yield top


def made_of(names: Iterable[bytes]) -> Iterator[bytes]:
    """Names around those that exist; most are not there, or come from a wildcard."""
    for name in names:
        labels = wire_name.labels_of(name)
        yield name
        yield name.upper()
        for more in ([b"below"], [b"a", b"b"], [b"*"], [b"\0"]):
            yield wire_name.from_labels([*more, *labels])
        if labels:
            yield wire_name.from_labels([labels[0] + b"0", *labels[1:]])
            yield wire_name.from_labels([b"-", *labels[1:]])


def at_random(names: Iterable[bytes]) -> Iterator[bytes]:
    """Names put together from labels of the zones and from octets."""
    rng = random.Random(SEED)
    known = sorted(names)
    labels = sorted({label for name in known for label in wire_name.labels_of(name)})
    for _ in range(RANDOM_NAMES):
        new = rng.choices(labels, k=rng.randrange(1, 4))
        if rng.random() < 0.5:
            new[0] = rng.randbytes(rng.randrange(1, 9))
        yield wire_name.from_labels([*new, *wire_name.labels_of(rng.choice(known))])


def legal(names: Iterable[bytes]) -> list[bytes]:
    """The names that fit into the limits of RFC 1035 §2.3.4, each once."""
    return sorted(
        name
        for name in set(names)
        if len(name) <= wire_name.MAX_NAME
        and all(len(label) <= wire_name.MAX_LABEL for label in wire_name.labels_of(name))
    )


def questions_for(names: frozenset[bytes], mode: Mode) -> list[Question]:
    around = legal(made_of(names))
    if mode.edns:
        asked = [Question(name, kind) for name in around for kind in FEW]
        if not mode.tcp:
            asked += [Question(name, kind) for name in legal(names) for kind in OTHERS]
            # Of the other types each name around has its turn at two.
            turns = itertools.cycle(OTHERS)
            asked += [Question(name, next(turns)) for name in around for _ in range(2)]
    else:
        # Answers differ from those with EDNS where 512 octets are too few; over TCP nowhere.
        asked = [Question(name, kind) for name in legal(names) for kind in TYPES]
        if not mode.tcp:
            asked += [Question(name, kind) for name in around for kind in FEW]
    return asked + [Question(name, kind) for name in legal(at_random(names)) for kind in TYPES[:3]]


def differing(ours: Essence, theirs: Essence) -> frozenset[str]:
    """The fields in which two answers differ."""
    pairs = zip(Essence._fields, ours, theirs, strict=True)
    return frozenset(field for field, one, other in pairs if one != other)


def explained(
    question: Question, peer: str, ours: Essence, theirs: Essence, apexes: frozenset[bytes]
) -> Dissent | None:
    """The row of `DISSENTS` that says why a peer differs."""
    fields = differing(ours, theirs)
    for dissent in DISSENTS:
        if (
            dissent.is_by(peer)
            and fields <= dissent.fields
            and dissent.applies(question, ours, theirs, apexes)
        ):
            return dissent
    return None


def told(who: str, answer: Essence, ours: Essence) -> str:
    """An answer to read: what it has that lzc's has not (``+``), and the other way round."""
    lines = [f"{who}: rcode {answer.rcode} aa {answer.authoritative} tc {answer.truncated}"]
    lines += ["  disorderly"] * answer.disorderly
    for section, theirs, mine in zip(Essence._fields[4:], answer[4:], ours[4:], strict=True):
        for sign, found in (("+", theirs - mine), ("-", mine - theirs)):
            lines += [
                f"  {sign} {section}: {wire_name.to_text(owner)} {ttl} {rrtype.to_text(kind)} "
                f"{rdata[:60]!r}"
                for owner, kind, ttl, rdata in sorted(found)
            ]
    return "\n".join(lines)


class Comparison(NamedTuple):
    """By what is wrong, the questions concerned; and the reasons of `DISSENTS` that were given."""

    releases: Sequence[Release]
    questions: list[Question]
    wrong: dict[object, list[str]]
    reasons: set[str]


def compare(
    said: Mapping[str, Sequence[Essence]],
    questions: Sequence[Question],
    mode: Mode,
    apexes: frozenset[bytes],
    result: Comparison,
) -> None:
    """Note in ``result`` what is wrong with the answers of its releases and those of lzc."""
    result.questions.extend(questions)
    peers = [str(release) for release in result.releases]
    answers = (said["lzc"], *(said[peer] for peer in peers))
    for question, ours, *others in zip(questions, *answers, strict=True):
        theirs = dict(zip(peers, others, strict=True))
        unexplained = []
        for peer, answer in theirs.items():
            if answer == ours:
                continue
            dissent = explained(question, peer, ours, answer, apexes)
            if dissent is None:
                unexplained.append((peer, differing(ours, answer)))
            else:
                result.reasons.add(dissent.why)
        alone = not ours.truncated and all(differing(ours, x) - {"additional"} for x in others)
        if unexplained or alone:
            text = f"{wire_name.to_text(question.name)} {rrtype.to_text(question.qtype)} {mode}"
            each = [told(who, answer, ours) for who, answer in theirs.items()]
            kind = (tuple(unexplained), alone)
            result.wrong.setdefault(kind, []).append("\n".join([text, *each]))


@pytest.fixture(scope="module")
def comparisons(tmp_path_factory: pytest.TempPathFactory) -> dict[Sequence[Release], Comparison]:
    """One for each generation that is there. All serve at the same time, so that lzc, and who is of
    two generations, is asked once."""
    require("dnssec-signzone")
    folder = tmp_path_factory.mktemp("same")
    found: dict[Sequence[Release], Comparison] = {
        releases: Comparison(releases, [], {}, set())
        for releases in GENERATIONS
        if all(release.present() for release in releases)
    }
    everyone = list(dict.fromkeys(release for releases in found for release in releases))
    for name, (zones, signed) in WORLDS.items():
        # Those of one software say the same, and over TCP what they say over UDP.
        known: dict[bytes, Essence] = {}
        with running(folder / name, zones, signed, everyone) as world:
            for mode in world.modes:
                questions = questions_for(world.names, mode)
                said = {
                    who: ask_all(port, questions, mode, known) for who, port in world.ports.items()
                }
                for result in found.values():
                    compare(said, questions, mode, world.apexes, result)
    return found


@pytest.fixture(
    scope="module", params=GENERATIONS, ids=lambda releases: ",".join(map(str, releases))
)
def comparison(request: pytest.FixtureRequest) -> Comparison:
    releases: Sequence[Release] = request.param
    for release in releases:
        release.require()
    found: dict[Sequence[Release], Comparison] = request.getfixturevalue("comparisons")
    return found[releases]


def test_every_answer_is_that_of_the_others(comparison: Comparison) -> None:
    assert len(comparison.questions) > 40_000
    assert not comparison.wrong, "\n\n".join(
        f"{len(found)} answers: {kind}\n{found[0]}" for kind, found in comparison.wrong.items()
    )


def test_every_reason_to_differ_is_needed(comparison: Comparison) -> None:
    expected = {
        dissent.why
        for dissent in DISSENTS
        if any(dissent.is_by(str(release)) for release in comparison.releases)
    }
    assert expected == comparison.reasons
