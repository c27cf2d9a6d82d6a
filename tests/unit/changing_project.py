"""A project to which anything may happen between two builds, and that is built in two ways."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from lzc import config
from lzc.bundle import current, manifest, verification
from lzc.compiler.incremental import memory
from lzc.compiler.pipeline import BuildResult, build
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.faults import InputError
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
DENIALS = [
    'denial = "nsec"',
    'denial = "nsec3"',
    'denial = "nsec3"; nsec3-salt = "aabb"',
    'denial = "nsec3"; nsec3-opt-out = true',
    'denial = "nsec3-narrow"',
    'denial = "compact"',
]
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
            "[dnssec]",
            *self.settings.get("denial", 'denial = "nsec"').split("; "),
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

    def live(self, turns: int) -> int:
        """So many times one to three things happen, and both are built: how often they could be."""
        assert self.build_both()
        built = 0
        for _ in range(turns):
            for _ in range(self.random.choice([1, 1, 2, 3])):
                self.random.choice(EVENTS)(self)
            if self.build_both():
                built += 1
            else:
                self.repair()
        return built

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
                ("denial", DENIALS),
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
