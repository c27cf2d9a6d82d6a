"""Building again what changed gives the octets, the id and the faults of building everything."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

import pytest

import lzc
from lzc import config
from lzc.build import memory, workers
from lzc.build.job import ZoneJob
from lzc.build.pipeline import BuildResult, build
from lzc.bundle import current, manifest, verification
from lzc.bundle.reader import Bundle
from lzc.dnssec.keystore import FLAGS, Keystore
from lzc.source import inputs
from lzc.zone.place import InputError
from tests.unit.compiling import HEAD, wire

NOW = 1_800_000_000.0
DAY = 86400.0
ZONES = 34
"""Of two shards."""

LUA = (
    "l LUA A \"ifportup(443, {'192.0.2.1', '192.0.2.%d'})\"\n",
    "l LUA A \"pickrandom({'192.0.2.1', '192.0.2.%d'})\"\n",
    "l LUA A \";if x then return '192.0.2.%d' end return {}\"\n",
    "l LUA A \";if os.time() %% 2 == 0 then return '192.0.2.%d' end return {}\"\n",
    "l LUA A \";error('%d')\"\n",
    'l LUA A $FILE "../code.lua"\n',
)
PLAIN = ("a A 192.0.2.%d\n", "m MX 10 nowhere\nt TXT %d\n", "$INCLUDE ../common.inc\nb TXT %d\n")
BROKEN = "a A 192.0.2.%d.7\n"


class World:
    """A project that is built twice: again and again, and from nothing but the live bundle."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self.now = NOW
        self.numbers = list(range(ZONES))
        self.unused = count(ZONES)
        self.settings: dict[str, str] = {}
        self.signed: set[int] = set()
        self.broken: set[int] = set()
        (folder / "zones").mkdir(parents=True)
        self.write("common.inc", "c A 192.0.2.3\n")
        self.write("code.lua", "pickrandom({'192.0.2.4', '192.0.2.5'})\n")
        for number in self.numbers:
            self.write_zone(number)
        self.write_config()

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        path.write_text(text)

    def path(self, number: int) -> Path:
        return self.folder / "zones" / f"z{number}.example.zone"

    def write_zone(self, number: int) -> None:
        kinds = [*PLAIN, *PLAIN, *LUA]
        text = HEAD + self.random.choice(kinds).replace("%%", "%").replace(
            "%d", str(self.random.randrange(10))
        )
        self.write(f"zones/z{number}.example.zone", text)

    def write_config(self) -> None:
        lines = [
            "[build]",
            'sources = ["zones/*.zone"]',
            f'serial = "{self.settings.get("serial", "date")}"',
            "[lua]",
            f"enable = {self.settings.get('lua', 'true')}",
            f"insert-whitespace = {self.settings.get('join', 'true')}",
            f"exec-limit = {self.settings.get('limit', '1000')}",
            "[serve]",
            "tsig-required = false",
        ]
        for number in sorted(self.signed & {*self.numbers}):
            lines += [f'[zone."z{number}.example"]', "dnssec = true"]
        if "secondary" in self.settings:
            lines += [
                "[[secondary]]",
                'name = "ns2"',
                'address = "192.0.2.53:53"',
                f'software = "{self.settings["secondary"]}"',
            ]
        (self.folder / "lzc.toml").write_text("\n".join(lines) + "\n")

    def build(self, output: str) -> BuildResult | Sequence[str]:
        try:
            path = self.folder / "lzc.toml"
            return build(config.load(path), self.folder / output, config_path=path, now=self.now)
        except InputError as error:
            return [str(fault).replace(f"/{output}", "/OUTPUT") for fault in error.faults]

    def build_both(self) -> bool:
        again = self.build("again")
        (self.folder / "full" / memory.FILE).unlink(missing_ok=True)
        full = self.build("full")
        if not isinstance(full, BuildResult):
            assert again == full
            return False
        assert isinstance(again, BuildResult), again
        assert again.warnings == full.warnings
        assert (again.zones, again.records, again.checks) == (full.zones, full.records, full.checks)
        assert again.id == full.id
        assert current.live(self.folder / "again") == again.folder
        verification.verify(again.folder)
        for file in full.folder.iterdir():
            assert (again.folder / file.name).read_bytes() == file.read_bytes(), file.name
        return True

    def repair(self) -> None:
        """Have no errors from now on, whatever there were."""
        for number in self.broken & {*self.numbers}:
            self.write_zone(number)
        self.broken.clear()
        self.settings["serial"] = "increment"
        for file in self.key_files():
            file.chmod(0o600)
        for number in self.signed:
            self.add_a_key(number)
        self.write_config()

    def any(self) -> int:
        return self.random.choice(self.numbers)

    # What may happen between two builds.

    def change_a_zone(self) -> None:
        self.write_zone(self.any())

    def change_a_letter(self) -> None:
        path = self.path(self.any())
        status = path.stat()
        path.write_text(path.read_text().replace("ns1 A 192.0.2.1", "ns1 A 192.0.2.2"))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def touch(self) -> None:
        self.path(self.any()).touch()

    def say_more(self) -> None:
        path = self.path(self.any())
        path.write_text(f"; a comment\n{path.read_text()}")

    def add_a_zone(self) -> None:
        self.numbers.append(next(self.unused))
        self.write_zone(self.numbers[-1])

    def remove_a_zone(self) -> None:
        number = self.any()
        self.numbers.remove(number)
        self.path(number).unlink()
        self.write_config()

    def rename_a_zone(self) -> None:
        number = self.any()
        self.numbers.remove(number)
        self.numbers.append(next(self.unused))
        self.path(number).rename(self.path(self.numbers[-1]))
        self.write_config()

    def swap_two_zones(self) -> None:
        one, other = self.path(self.any()), self.path(self.any())
        spare = self.folder / "spare"
        one.rename(spare)
        if other.exists():
            other.rename(one)
            spare.rename(other)
        else:
            spare.rename(one)

    def change_the_include(self) -> None:
        self.write("common.inc", f"c A 192.0.2.{self.random.randrange(250)}\n")

    def change_the_code(self) -> None:
        self.write("code.lua", f"pickrandom({{'192.0.2.{self.random.randrange(250)}'}})\n")

    def link_a_zone(self) -> None:
        path = self.path(self.any())
        elsewhere = self.folder / "elsewhere" / f"{self.random.randrange(4)}.zone"
        elsewhere.parent.mkdir(exist_ok=True)
        if not elsewhere.exists():
            shutil.copy(path, elsewhere)
        path.unlink()
        path.symlink_to(elsewhere)

    def put_a_folder_there(self) -> None:
        """Where it stands, there is no zone any more."""
        number = self.any()
        self.numbers.remove(number)
        self.path(number).unlink()
        self.path(number).mkdir()
        self.write_config()

    def move_the_folder(self) -> None:
        """Another folder of hard links in its place, as deployments do it."""
        zones, old = self.folder / "zones", self.folder / f"deployed{self.random.random()}" / "z"
        shutil.copytree(zones, old, copy_function=os.link, symlinks=True)
        (old.parent / "common.inc").write_text("c TXT elsewhere\n")
        (old.parent / "code.lua").write_text("'192.0.2.77'\n")
        if zones.is_symlink():
            zones.unlink()
        else:
            shutil.rmtree(zones)
        zones.symlink_to(old)

    def break_a_zone(self) -> None:
        number = self.any()
        self.broken.add(number)
        self.write(f"zones/z{number}.example.zone", HEAD + BROKEN)

    def raise_a_serial(self) -> None:
        number = self.any()
        self.write_zone(number)
        path = self.path(number)
        serial = 2027013100 + self.random.randrange(50)
        path.write_text(path.read_text().replace("hostmaster 5 ", f"hostmaster {serial} "))

    def change_a_setting(self) -> None:
        name, values = self.random.choice(
            [
                ("serial", ["date", "increment", "unixtime", "keep"]),
                ("lua", ["true", "true", "false"]),
                ("join", ["true", "false"]),
                ("limit", ["1000", "20", "0"]),
                ("secondary", ["bind", "powerdns-4.7", "powerdns-5.0"]),
            ]
        )
        self.settings[name] = self.random.choice(values)
        self.write_config()

    def sign_a_zone(self) -> None:
        number = self.any()
        self.signed.add(number)
        self.add_a_key(number)
        self.write_config()

    def stop_signing(self) -> None:
        self.signed.clear()
        self.write_config()

    def roll_a_key(self) -> None:
        if self.signed:
            self.add_a_key(self.random.choice(sorted(self.signed)))

    def add_a_key(self, number: int) -> None:
        apex = wire(f"z{number}.example")
        Keystore(self.folder / "keys").generate(apex, 13, FLAGS["csk"], self.now + DAY)
        Keystore(self.folder / "keys").generate(apex, 13, FLAGS["csk"], self.now - 9 * DAY)

    def key_files(self) -> list[Path]:
        return sorted((self.folder / "keys").glob("*.private"))

    def delete_a_key(self) -> None:
        if files := self.key_files():
            self.random.choice(files).unlink()

    def retire_a_key(self) -> None:
        if files := self.key_files():
            with self.random.choice(files).open("a") as out:
                out.write("Inactive: 20200101000000\nDelete: 20200101000000\n")

    def expose_a_key(self) -> None:
        if files := self.key_files():
            self.random.choice(files).chmod(0o644)

    def link_the_keystore(self) -> None:
        keys = self.folder / "keys"
        if keys.exists() and not keys.is_symlink():
            keys.rename(self.folder / "keystore")
            keys.symlink_to("keystore")

    def wait(self) -> None:
        self.now += self.random.choice([1, DAY])

    def forget(self) -> None:
        (self.folder / "again" / memory.FILE).unlink(missing_ok=True)

    def damage_the_memory(self) -> None:
        path = self.folder / "again" / memory.FILE
        if not path.exists():
            return
        content = bytearray(path.read_bytes())
        content[self.random.randrange(len(content))] ^= 1 << self.random.randrange(8)
        path.write_bytes(content[: self.random.choice([len(content), len(content) // 2])])

    def go_back(self) -> None:
        """Make an older bundle live, as an operator may."""
        if not (self.folder / "full").exists():
            return
        kept = {path.name for path in (self.folder / "full").iterdir()}
        both = sorted(
            path.name
            for path in (self.folder / "again").iterdir()
            if manifest.ID.fullmatch(path.name) and path.name in kept
        )
        if both:
            for output in ("again", "full"):
                current.switch(self.folder / output, both[0])

    def start_over(self) -> None:
        for output in ("again", "full"):
            shutil.rmtree(self.folder / output, ignore_errors=True)


EVENTS: list[Callable[[World], None]] = [
    World.change_a_zone,
    World.change_a_letter,
    World.touch,
    World.say_more,
    World.add_a_zone,
    World.remove_a_zone,
    World.rename_a_zone,
    World.swap_two_zones,
    World.change_the_include,
    World.change_the_code,
    World.link_a_zone,
    World.put_a_folder_there,
    World.move_the_folder,
    World.break_a_zone,
    World.raise_a_serial,
    World.change_a_setting,
    World.sign_a_zone,
    World.stop_signing,
    World.roll_a_key,
    World.delete_a_key,
    World.retire_a_key,
    World.expose_a_key,
    World.link_the_keystore,
    World.wait,
    World.forget,
    World.damage_the_memory,
    World.go_back,
    World.start_over,
    lambda world: None,
]


@pytest.mark.parametrize("seed", range(4))
def test_any_sequence_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Files are known by their times in every other run, and by their content else.
    monkeypatch.setattr(inputs, "SETTLED", 0 if seed % 2 else inputs.SETTLED)
    world = World(tmp_path, seed)
    assert world.build_both()
    built = 0
    for _ in range(30):
        for _ in range(world.random.choice([1, 1, 2, 3])):
            world.random.choice(EVENTS)(world)
        if world.build_both():
            built += 1
        else:
            world.repair()
    assert built >= 10


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, 1)
    for number in made.numbers:
        made.write(f"zones/z{number}.example.zone", HEAD + "www A 192.0.2.1\n")
    made.build_both()
    return made


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the zones that are built from now on."""
    names: list[str] = []
    original = workers.build_zones

    def spy(jobs: Sequence[ZoneJob]) -> object:
        names.extend(job.source.name for job in jobs)
        return original(jobs)

    monkeypatch.setattr(workers, "build_zones", spy)
    return names


def test_only_what_changed_is_built_and_written(world: World, built: list[str]) -> None:
    before = current.live(world.folder / "again")
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    result = world.build("again")
    assert isinstance(result, BuildResult)
    assert built == ["z7.example."]
    same = [
        file.name
        for file in result.folder.iterdir()
        if file.samefile(before / file.name)  # one file with two names
    ]
    assert len(same) == 3
    assert manifest.CHECKS in same


def test_nothing_is_built_where_nothing_changed(world: World, built: list[str]) -> None:
    for path in (world.folder / "zones").iterdir():
        path.touch()
    world.now += 100 * DAY
    result = world.build("again")
    assert isinstance(result, BuildResult)
    assert result.id == current.live(world.folder / "full").name
    assert built == []


def test_another_version_builds_everything(
    world: World, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lzc, "__version__", "99")
    before = current.live(world.folder / "again").name
    world.build_both()
    assert current.live(world.folder / "again").name != before
    assert len(built) == 2 * ZONES


def test_code_that_may_look_at_the_clock_is_run_in_each_build(
    world: World, built: list[str]
) -> None:
    world.write("zones/z7.example.zone", HEAD + "l LUA A \";return {os.date('%Y')}\"\n")
    world.build("again")
    world.build("again")
    assert built == ["z7.example."] * 2


def test_keys_are_not_read_again(
    world: World, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SETTLED", 0)
    for number in (7, 8):
        world.signed.add(number)
        world.add_a_key(number)
    world.write_config()
    assert world.build_both()
    read: list[bytes] = []
    original = Keystore.load

    def load(self: Keystore, zone: bytes) -> object:
        read.append(zone)
        return original(self, zone)

    monkeypatch.setattr(Keystore, "load", load)
    built.clear()
    world.build("again")
    assert (built, read) == ([], [])
    world.now += 2 * DAY
    world.build("again")
    assert (built, read) == (["z7.example.", "z8.example."], [])
    world.key_files()[0].touch()
    world.build("again")
    assert read == [wire("z7.example")]


def test_a_shared_file_that_is_damaged_stops_the_build(world: World) -> None:
    folder = current.live(world.folder / "again")
    content = bytearray((folder / "zones-01.lmdb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "zones-01.lmdb").write_bytes(content)
    faults = world.build("again")
    assert not isinstance(faults, BuildResult)
    assert "zones-01.lmdb" in faults[0]
    assert "[live-bundle-damaged]" in faults[0]


def test_the_stamps_of_bundles_that_share_files_stay_valid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = world.folder / "again"
    for turn in range(5):
        world.write("zones/z7.example.zone", HEAD + f"www A 192.0.2.{turn}\n")
        assert isinstance(world.build("again"), BuildResult)
    monkeypatch.setattr(verification, "_sha256", lambda path: f"{path} was hashed")
    kept = [path for path in output.iterdir() if manifest.ID.fullmatch(path.name)]
    assert len(kept) == 3
    for folder in kept:
        verification.verify(folder, current.verified_dir(output))


def test_the_same_files_in_another_folder_may_include_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SETTLED", 0)
    world.write("zones/z7.example.zone", HEAD + "$INCLUDE ../common.inc\n")
    zones, old, new = (world.folder / name for name in ("zones", "old", "new"))
    old.mkdir()
    zones.rename(old / "zones")
    shutil.copytree(old / "zones", new / "zones", copy_function=os.link)
    for folder in (old, new):
        (folder / "common.inc").write_text(f"c TXT {folder.name}\n")
    zones.symlink_to(old / "zones")
    assert world.build_both()
    before = current.live(world.folder / "again")
    zones.unlink()
    zones.symlink_to(new / "zones")
    assert world.build_both()
    assert current.live(world.folder / "again") != before


def test_bundles_that_share_files_are_open_at_once(world: World) -> None:
    """As in a server that reloads."""
    apexes = [wire(f"z{number}.example") for number in world.numbers]

    def nodes(bundle: Bundle) -> list[bytes | None]:
        return [view.node(b"www") for apex in apexes if (view := bundle.zone(apex))]

    before = current.open_live(world.folder / "again")
    old = nodes(before)
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    world.build("again")
    with current.open_live(world.folder / "again") as after:
        new = nodes(after)
        assert nodes(before) == old
        before.close()
        assert nodes(after) == new
    assert len(new) == ZONES
    assert [apex for apex, *both in zip(apexes, old, new, strict=True) if both[0] != both[1]] == [
        wire("z7.example")
    ]


def test_a_file_system_without_hard_links(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    before = current.live(world.folder / "again")
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    world.build_both()
    after = current.live(world.folder / "again")
    assert not any(file.samefile(before / file.name) for file in after.iterdir())
