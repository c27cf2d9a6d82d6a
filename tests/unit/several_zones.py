"""A project of some zones, of which single ones fail, go, and come, for tests."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lzc import config
from lzc.bundle import current, manifest
from lzc.bundle.node import lua_records
from lzc.bundle.reader import Bundle
from lzc.compiler.incremental import memory
from lzc.compiler.pipeline import BuildResult, build
from lzc.compiler.rollback import RolledBack, roll_back
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.lua.plan import plan_key
from lzc.powerdns_versions import LATEST
from tests.unit.compiling import HEAD, wire

BROKEN = "broken A 192.0.2.3.4\n"
CHECKED = "up LUA A \"ifportup(1, {'127.0.0.1', '127.0.0.2'})\"\n"
PLANNED = "any LUA A \"pickrandom({'192.0.2.1', '192.0.2.2'})\"\n"

ZONES = {
    "plain.example": "www A 192.0.2.1\n",
    "lua.example": CHECKED + PLANNED,
    "signed.example": "www A 192.0.2.2\n",
}
NOW = time.time()


class SeveralZones:
    """The project in a folder; ``keep`` is its ``keep-last-good``."""

    def __init__(
        self,
        folder: Path,
        zones: Mapping[str, str] | None = None,
        *,
        keep: bool = True,
        serial: str = "increment",
        more: str = "",
    ) -> None:
        self.folder = folder
        self.output = folder / "build"
        self.path = folder / "lzc.toml"
        (folder / "zones").mkdir(parents=True)
        self.path.write_text(
            f'[build]\nsources = ["zones/*"]\nserial = "{serial}"\n'
            f"keep-last-good = {str(keep).lower()}\n[lua]\nenable = true\n"
            f'[zone."signed.example"]\ndnssec = true\n{more}'
        )
        Keystore(folder / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], NOW)
        for name, text in (ZONES if zones is None else zones).items():
            self.write(name, text)

    def write(self, zone: str, text: str, head: str = HEAD) -> None:
        """Write a zone file."""
        self.file(zone).write_text(head + text)

    def file(self, zone: str) -> Path:
        """The file of a zone."""
        return self.folder / "zones" / f"{zone}.zone"

    def build(self, *words: str, keep: bool | None = None) -> BuildResult:
        """Build all, or the zones named. Raises `InputError`."""
        return build(config.load(self.path), config_path=self.path, words=words, now=NOW, keep=keep)

    def roll_back(self, wanted: str | None = None, *, as_is: bool = False) -> RolledBack:
        """Roll back. Raises `InputError`."""
        return roll_back(config.load(self.path), wanted, NOW, as_is=as_is)

    def forget(self) -> None:
        """Have the next build know nothing of the last one but its bundle."""
        (self.output / memory.FILE).unlink()

    def live(self) -> str:
        """The id of the live bundle."""
        return current.live(self.output).name

    def inputs(self) -> Mapping[str, Any]:
        """What the live bundle's manifest says that it was made from."""
        return manifest.read(current.live(self.output))[0].inputs

    def states(self, *, serials: bool = True) -> dict[str, object]:
        """All that the live bundle has of each zone, but for where it stands in it."""
        with current.open_live(self.output) as bundle:
            return {
                info.apex.decode(): _state(bundle, info.apex, serials=serials)
                for info in bundle.zones()
            }

    def state(self, zone: str) -> object:
        """The same of one zone; `None` where it is not there."""
        return self.states().get(wire(zone).decode())

    def serials(self) -> dict[str, int]:
        """The serials of the live bundle."""
        with current.open_live(self.output) as bundle:
            return {info.apex.decode(): info.serial for info in bundle.zones()}

    def serial(self, zone: str) -> int:
        """That of a zone."""
        return self.serials()[wire(zone).decode()]

    def checks(self) -> Sequence[str]:
        """The addresses that the live bundle has checked."""
        with current.open_live(self.output) as bundle:
            return sorted(check.address for check in bundle.checks)

    def plans(self, zone: str) -> int:
        """How many LUA records of the zone are answered by plans."""
        apex = wire(zone)
        with current.open_live(self.output) as bundle:
            view = bundle.zone(apex)
            assert view is not None
            records = [one for _, node in view.nodes() for one in _lua(node)]
            keys = [plan_key(code, covered, apex, LATEST, 0) for code, covered in records]
            return sum(bundle.plan(key) is not None for key in keys)

    def lose_the_live_bundle(self) -> None:
        """Remove the bundle that is live, but not the link to it."""
        shutil.rmtree(current.live(self.output))


def _lua(node: bytes) -> list[tuple[bytes, int]]:
    return [(one.join(insert_whitespace=False), one.covered) for one in lua_records(node)]


def _state(bundle: Bundle, apex: bytes, *, serials: bool) -> object:
    view = bundle.zone(apex)
    assert view is not None
    info = replace(view.info, zone_id=0, transfer_offset=0)
    if not serials:
        return info.digest, info.keys, [key for key, _ in view.nodes()]
    return info, bytes(bundle.transfer(view)), list(view.nodes())
