"""What secondaries are to get of a zone that a build would change, before it does."""

from __future__ import annotations

from typing import NamedTuple

from lzc.bundle.delta_file import in_blocks
from lzc.bundle.serial_store import LastSerial
from lzc.bundle.writer import CompiledZone
from lzc.compiler.deltas import Live, make_deltas
from lzc.config import BuildSection
from lzc.image.delta import rr_end

_LENGTH_AND_HEADER = 2 + 12
_TYPE_AND_CLASS = 4


class Foreseen(NamedTuple):
    """``whole``: octets of the zone; ``octets``: those of IXFR, or `None` where the zone is sent
    whole, and ``why`` that is. Both are those of TCP messages, without TSIG."""

    whole: int
    octets: int | None = None
    why: str = ""


def foresee(
    settings: BuildSection, zone: CompiledZone, given: LastSerial | None, live: Live
) -> Foreseen:
    """What who has the live zone gets of this one, as `lzc.compiler.deltas.make_deltas` would have
    it; ``given`` is the last serial of the zone. Raises `BundleError`, as ``live`` does."""
    info = zone.info
    whole = sum(map(len, zone.messages))
    if not settings.ixfr_builds:
        return Foreseen(whole, why="ixfr-builds is 0")
    before = live(info.apex)
    if given is None or not given.sure or before is None or before[0] != given.digest:
        return Foreseen(whole, why="what the last serial stood for is not known for sure")
    made = make_deltas(settings, [zone], {info.apex: given}, live).kept.deltas
    if not made:
        return Foreseen(whole, why="what changes is no shorter")
    question = _LENGTH_AND_HEADER + len(info.apex) + _TYPE_AND_CLASS
    soa = rr_end(memoryview(zone.messages[0])[question:], 0)
    blocks = sum(len(octets) for _, octets in in_blocks(made[0].blocks))
    return Foreseen(whole, question + 2 * soa + blocks)
