"""What the live bundle was made from, so that the next build need not make it all again.

One file beside the bundles. It counts for nothing unless it was written by this very program, for
this project, and for the bundle that is live; without it a build makes everything.
"""

from __future__ import annotations

import hashlib
import marshal
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

import lzc
from lzc.compiler.inputs.reading import limits_of, reach_of
from lzc.config import Config
from lzc.source.inputs import Plain
from lzc.source.limits import NOTHING, Counts

FILE: Final = ".inputs"

_MAGIC: Final = b"lzc inputs 1\n"
_HEAD: Final = len(_MAGIC) + 2 * 32
_WITHOUT_REFERENCES: Final = 2
"""The version of marshal that does not look up each object."""
_LIBRARIES: Final = ("dns", "lupa", "lmdb", "cryptography")
"""Those whose version may change what is found or written."""

Settings = tuple[Any, ...]
"""Whatever decides, with the files that are read, what becomes of a zone; plain data. The fields of
`lzc.compiler.inputs.sources.ZoneSource` after the apex come first."""
PATH: Final = 0
SHOWN_AS: Final = 1
SIGNED: Final = 2
POLICY: Final = 4
DENIAL: Final = 9
PRESIGNED: Final = 10
OF_SOURCE: Final = 11
"""Indices among them: the path, as faults show it, whether the zone is signed, the policy for its
serials, how it denies, whether its file has the signatures, and the first behind the source's."""
CATALOG: Final = "catalog"
"""What the settings of a catalog end with, which has no source."""


ApexRecords = tuple[tuple[int, tuple[bytes, ...]], ...]
"""RR types, and RDATA."""
DatedPlainKeys = tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]
"""Of each key the fields of its `lzc.bundle.zone_info.ZoneKey` and of its
`lzc.dnssec.life.timing.Timing`."""
Keys = tuple[()] | tuple[tuple[Plain, ...], DatedPlainKeys, DatedPlainKeys, ApexRecords]
"""The files of a zone's keys, the keys themselves, those of other operators, and the CDS and
CDNSKEY records of these."""


class BuiltZone(NamedTuple):
    """A zone that was built. ``inputs`` have the fields of `lzc.zone.model.Input`, the zone file
    first; ``digest`` and ``records`` are those of `lzc.bundle.zone_info.ZoneInfo`, ``warnings`` the
    fields of a fault's place and then its own, ``checks`` JSON texts, ``constants`` that of
    `lzc.lua.health.constants.Constants`, ``plans`` keys. A zone that
    is not ``steady`` is to be built again in any case, one that is at any time but between its
    ``times``: from the first on, up to the second, in seconds since the epoch. ``keys`` are all
    that are in the keystore, published or not. ``used`` is what it took of the limits, ``needs``
    are settings that PowerDNS secondaries need for it, ``lua_records`` are counted whether or not
    they run."""

    settings: Settings
    inputs: Sequence[Plain]
    digest: bytes
    records: int
    warnings: tuple[tuple[Any, ...], ...] = ()
    checks: tuple[str, ...] = ()
    constants: str = ""
    plans: tuple[bytes, ...] = ()
    steady: bool = True
    keys: Keys = ()
    used: Counts = NOTHING
    needs: tuple[str, ...] = ()
    times: tuple[float, float] = (float("-inf"), float("inf"))
    lua_records: int = 0

    @property
    def is_presigned(self) -> bool:
        """Whether its source has the signatures, as far as its settings say so."""
        return len(self.settings) > PRESIGNED and bool(self.settings[PRESIGNED])

    def is_steady(self, now: float) -> bool:
        """Whether it is what it was, where nothing that it is made from changed."""
        return self.steady and self.times[0] <= now < self.times[1]


@dataclass(slots=True)
class Memory:
    """The bundle's id, what its zones were found by (`lzc.compiler.inputs.sources.fingerprint`),
    they themselves by their apex, in its order, and the mark of the keystore."""

    bundle: str = ""
    found_by: bytes = b""
    zones: dict[bytes, BuiltZone] = field(default_factory=dict)
    keystore: tuple[int, ...] = ()

    @property
    def checks(self) -> frozenset[str]:
        """The health checks of all zones, as JSON texts."""
        return frozenset().union(*(one.checks for one in self.zones.values() if one.checks))

    @property
    def constants(self) -> dict[bytes, str]:
        """What checks are made of that only queries ask for, as JSON texts, of zones with such."""
        return {apex: one.constants for apex, one in self.zones.items() if one.constants}

    def save(self, output: Path, surroundings: bytes) -> None:
        """Replace what is remembered. Raises `OSError`."""
        plain = dict(zip(self.zones, map(tuple, self.zones.values()), strict=True))
        payload = marshal.dumps(
            (self.bundle, self.found_by, plain, self.keystore), _WITHOUT_REFERENCES
        )
        fresh = output / f"{FILE}.new"
        with fresh.open("wb") as out:
            out.writelines((_MAGIC, surroundings, hashlib.sha256(payload).digest(), payload))
        fresh.replace(output / FILE)


def load(output: Path, surroundings: bytes) -> Memory:
    """What is remembered; nothing where the file is missing, damaged, or of something else."""
    try:
        data = (output / FILE).read_bytes()
    except OSError:
        return Memory()
    payload = memoryview(data)[_HEAD:]
    wanted = b"".join((_MAGIC, surroundings, hashlib.sha256(payload).digest()))
    if data[:_HEAD] != wanted:
        return Memory()
    bundle, found_by, plain, keystore = marshal.loads(payload)  # noqa: S302 - as its hash says, ours
    zones = map(BuiltZone._make, plain.values())
    return Memory(bundle, found_by, dict(zip(plain, zones, strict=True)), keystore)


def surroundings(config: Config) -> bytes:
    """A hash of all that decides about every zone: the program, its libraries and Python, the
    project's folder, what may be read, and the settings of LUA records and health checks."""
    parts = [
        lzc.__version__,
        sys.version,
        sys.implementation.cache_tag,
        str(config.folder),
        repr(config.lua),
        repr(config.health),
        _readable(config),
        [_library(name) for name in _LIBRARIES],
        sorted(_program(str(Path(lzc.__file__).parent))),
    ]
    return hashlib.sha256(repr(parts).encode()).digest()


def _readable(config: Config) -> object:
    """What may be read, but for the identities of what may not: those change with each build."""
    reach = reach_of(config)
    guarded = [(one.path, one.is_folder) for one in reach.guarded]
    return reach.root, reach.folders, guarded, limits_of(config)


def _library(name: str) -> object:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        return None
    status = Path(spec.origin).stat()
    return spec.origin, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _program(folder: str) -> list[tuple[str, int, int, int]]:
    found = []
    for entry in os.scandir(folder):
        if entry.is_file():
            status = entry.stat()
            found.append((entry.path, status.st_size, status.st_mtime_ns, status.st_ctime_ns))
        elif entry.is_dir() and entry.name != "__pycache__":
            found += _program(entry.path)
    return found
