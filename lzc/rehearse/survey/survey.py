"""All zones of a bundle, or of a server, verified from their DS on."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeAlias

import dns.name

from lzc.bundle.reader import Bundle
from lzc.config import Config
from lzc.contained import patience
from lzc.dnssec.validation.signature_check import SignatureCheck
from lzc.rehearse.staging import stage
from lzc.rehearse.survey.anchors import Anchors
from lzc.rehearse.survey.asking import BundleAsker, ServerAsker
from lzc.rehearse.survey.inspection import Asker, Findings, Inspection, TrustedZones
from lzc.rehearse.survey.processes import Limits, Look, Part, look_at, parts_of
from lzc.rehearse.survey.questions import KnownName

Progress: TypeAlias = Callable[[str, int, int], None]
"""Is called with ``names``, how many are done, and about how many there are."""


@dataclass(slots=True)
class SurveyedZone:
    """A zone and its names; ``names`` gives them anew each time, ``count`` is about how many there
    are. ``sampled`` tells that these are not all."""

    apex: bytes
    count: int
    names: Callable[[], Iterable[KnownName]]
    sampled: bool = False
    findings: Findings = field(default_factory=Findings)


class MakeAsker(Protocol):
    """Makes who is asked, in the process that asks."""

    def __call__(self) -> Asker:
        """Anew each time."""


def bundle_asker(config: Config, folder: Path, now: float, *, clock_set: bool) -> Asker:
    """Asks the bundle in a folder, on the path of a server. Zones whose keys cannot be used are
    SERVFAIL there, which says why."""
    staging = stage(config, Bundle.open(folder), tell=lambda _fault: None)
    return BundleAsker(staging, now, clock_set=clock_set)


def server_asker(address: str, port: int) -> Asker:
    """Asks a server."""
    return ServerAsker(address, port)


def sample(names: Iterable[KnownName], most: int, seed: int) -> list[KnownName]:
    """So many of the names at most, in their order: the first one, which is the apex, and others by
    chance, which ``seed`` brings again."""
    chance = random.Random(seed)
    kept: list[tuple[int, KnownName]] = []
    for number, name in enumerate(names):
        if len(kept) < most:
            kept.append((number, name))
        elif (at := chance.randrange(number)) < most - 1:
            kept[at + 1] = (number, name)
    return [name for _, name in sorted(kept, key=lambda pair: pair[0])]


def survey(
    zones: Sequence[SurveyedZone],
    make_asker: MakeAsker,
    anchors: Anchors,
    unsigned: frozenset[dns.name.Name],
    now: float,
    config: Config | None,
    progress: Progress | None = None,
    *,
    for_any: bool = True,
) -> None:
    """Look at each zone, and fill in its findings. Names of zones in ``unsigned`` count as
    insecure, those of others that have no DS in ``anchors`` as unknown. ``for_any``: see
    `lzc.rehearse.survey.questions.questions`."""
    by_apex = {zone.apex: zone for zone in zones}
    total, done = sum(zone.count for zone in zones), 0
    make = partial(_look, make_asker, anchors, unsigned, now, for_any=for_any)
    for part, found in look_at(_parts(zones), make, _limits(config)):
        by_apex[part.apex].findings.add(found)
        done += len(part.names)
        if progress is not None:
            progress("names", done, max(done, total))


def _parts(zones: Sequence[SurveyedZone]) -> Iterator[Part]:
    for zone in zones:
        yield from parts_of(zone.apex, iter(zone.names()))


def _limits(config: Config | None) -> Limits:
    if config is None:
        return Limits(patience(0.0), 0)
    # A name is asked about some twenty times, and each may run code.
    return Limits(20 * patience(config.lua.time_limit), 2 * config.lua.memory_limit)


def _look(
    make_asker: MakeAsker,
    anchors: Anchors,
    unsigned: frozenset[dns.name.Name],
    now: float,
    *,
    for_any: bool,
) -> Look:
    asker, check = make_asker(), SignatureCheck(now)
    trusted = TrustedZones(anchors, unsigned, asker, check)
    known: dict[bytes, Inspection] = {}

    def look(part: Part, begin: Callable[[int], None]) -> Findings:
        if part.apex not in known:
            known.clear()
            known[part.apex] = Inspection(part.apex, trusted, asker, check, for_any=for_any)
        return known[part.apex].look(part.names, begin)

    return look
