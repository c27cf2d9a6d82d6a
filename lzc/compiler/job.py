"""What building one zone takes and gives, as values that go from process to process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lzc.bundle.serial_store import LastSerial
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneKey
from lzc.compiler.checks.secondaries import Takers
from lzc.compiler.inputs.sources import ZoneSource
from lzc.compiler.lua.stored import Asked, Elsewhere
from lzc.config import HealthSection, LuaSection
from lzc.faults import Fault
from lzc.health_check import Check
from lzc.lua.health.constants import Constants
from lzc.powerdns_versions import Version
from lzc.source.limits import NOTHING, Counts, Limits
from lzc.source.reach import Reach
from lzc.zone.model import Input

ALWAYS: Final = (float("-inf"), float("inf"))
"""From when until when most zones are what they are."""

ApexRecords = tuple[tuple[int, tuple[bytes, ...]], ...]
"""RR types, and RDATA."""


@dataclass(frozen=True, slots=True)
class ZoneJob:
    """What building one zone needs. ``reach`` and ``limits`` are those of its project, ``keys``
    are published at the apex, ``last`` is the last serial that the zone was given, ``lost`` is
    true where it may have had one that nobody knows any more, ``now`` is in seconds since the
    epoch, ``takers`` are the secondaries that get the zone, ``health`` is what checks may
    reach, ``in_halves`` lets a second process help with a large one, ``against`` is a version of
    PowerDNS whose answers are compared, ``any_serial`` takes a serial that could not go live, and
    only warns of it, ``elsewhere`` is what other zones have of what its code looks up. ``asked``
    are CDS and CDNSKEY records, which no transfer carries, ``foreign`` are records of other
    operators at the apex, which are as if they stood in the source, and ``key_ttl`` is the TTL of
    all these and of ``keys``, in seconds, if it is not the SOA's minimum. ``moving`` and ``stated``
    are as in `lzc.compiler.serials.choose`. ``right_before`` tells of a presigned zone which of its
    signatures were right before, by its apex, if that is remembered."""

    zone_id: int
    source: ZoneSource
    reach: Reach
    limits: Limits
    keys: tuple[ZoneKey, ...]
    last: LastSerial | None
    lua: LuaSection
    now: float
    takers: Takers = field(default_factory=Takers)
    health: HealthSection = field(default_factory=HealthSection)
    in_halves: bool = False
    lost: bool = False
    against: Version | None = None
    any_serial: bool = False
    elsewhere: Elsewhere = field(default_factory=dict)
    asked: ApexRecords = ()
    foreign: ApexRecords = ()
    key_ttl: int | None = None
    moving: bool = False
    stated: int | None = None
    right_before: Callable[[bytes], frozenset[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class ZoneResult:
    """``zone`` is ``None`` when an error is among ``faults``. ``lua_records`` are counted whether
    or not LUA is enabled. ``inputs`` are the files that were read; with the job they decide all
    else, unless ``steady`` is false: code was run that may look at the clock. ``constants`` are
    what checks are made of that only queries ask for, ``used`` is what was taken of the limits,
    ``needs`` are the settings that PowerDNS secondaries need for the zone, ``missed`` is what its
    code looks up and it does not have. Of a presigned zone ``times`` are from when until when it
    is steady, and ``right`` is by what its signatures are known that are right."""

    zone: CompiledZone | None
    faults: list[Fault]
    checks: frozenset[Check] = frozenset()
    lua_records: int = 0
    inputs: tuple[Input, ...] = ()
    steady: bool = True
    constants: Constants = field(default_factory=Constants)
    used: Counts = NOTHING
    needs: tuple[str, ...] = ()
    missed: frozenset[Asked] = frozenset()
    times: tuple[float, float] = ALWAYS
    right: tuple[bytes, ...] = ()
