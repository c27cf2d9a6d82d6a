"""One octet flipped in any file beside the bundles or in one, and a build over it."""

from __future__ import annotations

import calendar
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lzc import config
from lzc.bundle import current, verification
from lzc.bundle.manifest import ID
from lzc.compiler.pipeline import BuildResult, build
from lzc.zone.serial import greater
from tests.unit.compiling import HEAD, wire

NOW = float(calendar.timegm((2026, 11, 21, 12, 0, 0)))
CHANGING, STEADY = "changing.example", "steady.example"


class Damaged:
    """A small project, built a few times; each trial starts from that."""

    def __init__(self, folder: Path, policy: str = "increment") -> None:
        self.folder = folder
        self.output = folder / "build"
        self._intact = folder / "intact"
        (folder / "zones").mkdir(parents=True)
        (folder / "lzc.toml").write_text(
            f'[build]\nsources = ["zones/*.zone"]\nserial = "{policy}"\n'
        )
        self.write(STEADY, "www A 192.0.2.1\n")
        for number in range(4):
            self.write(CHANGING, f"www A 192.0.2.{number}\n")
            self.build()
        self.given = self.serials()

    def write(self, zone: str, text: str) -> None:
        (self.folder / "zones" / f"{zone}.zone").write_text(HEAD + text)

    def build(self, now: float = NOW) -> BuildResult:
        """Raises `InputError` where it fails."""
        path = self.folder / "lzc.toml"
        return build(config.load(path), config_path=path, now=now)

    def bundles(self) -> list[str]:
        """The ids of all bundles that are there."""
        return sorted(one.name for one in self.output.iterdir() if ID.fullmatch(one.name))

    def serials(self) -> dict[str, int]:
        """What a server that opens the live bundle has."""
        with current.open_live(self.output) as bundle:
            zones = {zone: bundle.zone(wire(zone)) for zone in (CHANGING, STEADY)}
            return {zone: view.info.serial for zone, view in zones.items() if view is not None}

    def keep(self) -> None:
        """What is now, is what each trial starts from."""
        shutil.rmtree(self._intact, ignore_errors=True)
        shutil.copytree(self.output, self._intact, symlinks=True)
        self.given = self.serials()

    def restore(self) -> None:
        shutil.rmtree(self.output)
        shutil.copytree(self._intact, self.output, symlinks=True)

    def places(self) -> Iterator[tuple[str, int]]:
        """Every file, as a path in the output folder, and how many octets may be flipped."""
        for path in sorted(self._intact.rglob("*")):
            name = str(path.relative_to(self._intact))
            if path.is_symlink():
                yield name, len(os.readlink(path))
            elif path.is_file() and path.stat().st_size:
                yield name, path.stat().st_size

    def flip(self, name: str, position: int) -> None:
        path = self.output / name
        bit = 1 << position % 7
        if path.is_symlink():
            target = bytearray(os.fsencode(os.readlink(path)))
            target[position] ^= bit
            if target[position] in b"/\0":
                target[position] = ord("x")
            path.unlink()
            path.symlink_to(os.fsdecode(bytes(target)))
            return
        content = bytearray(path.read_bytes())
        content[position] ^= bit
        path.write_bytes(content)

    def try_it(self, name: str, position: int) -> None:
        """Flip an octet, and build with one zone changed, and with none: serials rise, or stay with
        the content, and what is live then is whole."""
        for change in (True, False):
            self.restore()
            self.flip(name, position)
            self.write(CHANGING, f"www A 192.0.2.{4 if change else 3}\n")
            result = self.build()
            assert verification.verify(current.live(self.output))[1] == result.id
            after = self.serials()
            assert after[STEADY] == self.given[STEADY]
            if change:
                assert greater(after[CHANGING], self.given[CHANGING])
            else:
                assert after == self.given
            again = self.build()
            assert (again.id, again.warnings) == (result.id, [])
