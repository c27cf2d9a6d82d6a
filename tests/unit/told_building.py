"""States of a project in which lzc names a command, without a server. Each function brings one
about and follows what the text says that a pattern finds."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from lzc.bundle import current, manifest
from tests.unit.command_line import HEAD
from tests.unit.following import CONFIG, ZONE, Operator, told
from tests.unit.told_commands import commands

Text = re.Pattern[str]


def flip(operator: Operator, path: Path) -> None:
    """Change an octet in the middle of a file."""
    octets = bytearray(path.read_bytes())
    octets[len(octets) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(octets)


def live(operator: Operator) -> Path:
    """The live bundle."""
    return current.live(operator.folder / "build")


def set_serial(operator: Operator, serial: int) -> None:
    """Set that of the SOA record."""
    path = f"zones/{ZONE}.zone"
    text = (operator.folder / path).read_text()
    operator.write(path, re.sub(r"hostmaster \d+ ", f"hostmaster {serial} ", text))


def damaged_serials(operator: Operator, text: Text) -> None:
    operator.project()
    flip(operator, operator.folder / "build/serials")
    operator.follow("lzc check", text)


def damaged_live_bundle(operator: Operator, text: Text) -> None:
    operator.project()
    flip(operator, live(operator) / "zones-00.lmdb")
    operator.follow("lzc check", text)


def damaged_bundle(operator: Operator, text: Text) -> None:
    operator.project()
    operator.write("tests.toml", f'[[test]]\nname = "www.{ZONE}"\nanswers = ["192.0.2.1"]\n')
    for command in ("lzc verify", "lzc diff", f"lzc query www.{ZONE}", "lzc test", "lzc serve"):
        flip(operator, live(operator) / "zones-00.lmdb")
        operator.follow(command, text)


def damaged_bundle_elsewhere(operator: Operator, text: Text) -> None:
    """In a folder that is not that of the configuration."""
    operator.project()
    operator.succeed("lzc build -o other")
    for command in (
        *("lzc verify other", "lzc diff other", f"lzc query www.{ZONE} --bundle other"),
        "lzc serve --bundle other",
    ):
        flip(operator, current.live(operator.folder / "other") / "zones-00.lmdb")
        operator.follow(command, text)


def damaged_copy(operator: Operator, text: Text) -> None:
    """What is given is one bundle: it is copied again."""
    operator.project()
    copy = operator.folder / "copy" / live(operator).name

    def bring(_: str) -> None:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(live(operator), copy)

    operator.hands["copy the bundle again"] = bring
    for command in (f"lzc verify copy/{copy.name}", f"lzc serve --bundle copy/{copy.name}"):
        bring("")
        flip(operator, copy / "zones-00.lmdb")
        operator.follow(command, text)


def no_bundle(operator: Operator, text: Text) -> None:
    operator.project()
    operator.write("tests.toml", f'[[test]]\nname = "www.{ZONE}"\nanswers = ["192.0.2.1"]\n')
    for command in ("lzc verify", f"lzc query www.{ZONE}", "lzc test", "lzc serve"):
        shutil.rmtree(operator.folder / "build")
        operator.follow(command, text)


def no_bundle_elsewhere(operator: Operator, text: Text) -> None:
    operator.project()
    for command in ("verify other", f"query www.{ZONE} --bundle other", "serve --bundle other"):
        shutil.rmtree(operator.folder / "other", ignore_errors=True)
        operator.follow(f"lzc {command}", text)


def no_bundle_of_that_configuration(operator: Operator, text: Text) -> None:
    """The project lies elsewhere than where the command is typed."""
    operator.succeed("lzc init deep")
    operator.follow("lzc verify -c deep/lzc.toml", text)


def other_format(operator: Operator, text: Text) -> None:
    operator.project()
    for command in ("lzc verify", "lzc serve", "lzc diff"):
        folder = live(operator)
        document = json.loads((folder / manifest.MANIFEST).read_bytes())
        document |= {"format": 2, "lzc": command}
        encoded = json.dumps(document).encode()
        made = folder.with_name(manifest.bundle_id(encoded))
        folder.rename(made)
        (made / manifest.MANIFEST).chmod(0o644)
        (made / manifest.MANIFEST).write_bytes(encoded)
        current.switch(made.parent, made.name)
        operator.follow(command, text)


def signatures_in_the_source(operator: Operator, text: Text) -> None:
    """Of a zone that is to be signed, of one that is not, and of one with LUA records."""

    def do_as_told(words: str) -> None:
        found = re.search(r'set (strip-dnssec = true) in (\[zone\."\S+"\])', words)
        assert found
        if found[2] not in (operator.folder / "lzc.toml").read_text():
            operator.change("lzc.toml", "[serve]", f"{found[2]}\n[serve]")
        operator.change("lzc.toml", found[2], f"{found[2]}\n{found[1]}")
        if "and dnssec = true" in words:
            operator.change("lzc.toml", found[2], f"{found[2]}\ndnssec = true")

    operator.project()
    operator.hands["strip-dnssec = true"] = do_as_told
    record = f"www 600 IN NSEC ns1.{ZONE}. A\n"
    operator.append(record)
    operator.follow("lzc build", text)
    for zone, more in (("unsigned.example", ""), ("lua.example", "l LUA A \"'192.0.2.1'\"\n")):
        operator.write(f"zones/{zone}.zone", HEAD + record + more)
        operator.follow("lzc build", text)


def lua_that_fails(operator: Operator, text: Text) -> None:
    operator.project()
    operator.append("l 60 IN LUA A \";error('no')\"\n")

    def correct(_: str) -> None:
        operator.change(f"zones/{ZONE}.zone", "error('no')", "return '192.0.2.1'")

    operator.hands["correct the code"] = correct
    operator.follow("lzc build", text)
    assert any(command.startswith("lzc query --explain") for command in operator.done)


def unknown_suppression(operator: Operator, text: Text) -> None:
    operator.project()
    operator.append("l 60 IN LUA A \";return 1 + '192.0.2.1'\" ; lzc: ignore quiet\n")

    def correct(_: str) -> None:
        assert "lua-fails (warning)" in operator.succeed("lzc check --rules")
        operator.change(f"zones/{ZONE}.zone", "quiet", "lua-fails")

    operator.hands["correct the rule's id"] = correct
    operator.follow("lzc build", text)


def serial_ahead(operator: Operator, text: Text) -> None:
    operator.project()
    set_serial(operator, 2_100_000_000)
    operator.succeed("lzc build")
    operator.change("lzc.toml", '"increment"', '"date"')
    operator.append("more A 192.0.2.2\n")

    operator.follow("lzc build", text)


def climb(operator: Operator, *serials: int) -> None:
    """Build with one of these after the other, each greater than the one before."""
    for serial in serials:
        set_serial(operator, serial)
        operator.succeed("lzc build")


def serial_at_its_end(operator: Operator, text: Text) -> None:
    operator.project()
    climb(operator, 2_000_000_000, 4_000_000_000, 4294967295)
    operator.append("more A 192.0.2.2\n")
    operator.follow("lzc build", text)


def serial_near_its_end(operator: Operator, text: Text) -> None:
    operator.project()
    climb(operator, 2_000_000_000, 4_000_000_000)
    set_serial(operator, 4294967200)
    operator.follow("lzc build", text)


def serial_on_its_way(operator: Operator, text: Text) -> None:
    operator.project()
    climb(operator, 2_000_000_000, 4_000_000_000)
    operator.follow(f"lzc serial plan {ZONE} --to 3000000000", text)


def serial_unknown(operator: Operator, text: Text) -> None:
    operator.project()
    shutil.rmtree(operator.folder / "build")
    operator.follow(f"lzc serial plan {ZONE} --to date", text)


def lost_serial(operator: Operator, text: Text) -> None:
    operator.project()
    for path in (operator.folder / "build").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"\xff" * 2000)

    def secondary_has(_: str) -> None:
        set_serial(operator, 3_000_000_001)

    operator.hands["dig @SECONDARY"] = secondary_has
    operator.follow("lzc build", text)
    assert "hostmaster" in operator.succeed(f"lzc query {ZONE} SOA")
    assert "3000000001" in operator.succeed(f"lzc query {ZONE} SOA")


def no_configuration(operator: Operator, text: Text) -> None:
    operator.follow("lzc check", text, way=1)
    operator.succeed("lzc build")


def no_configuration_there(operator: Operator, text: Text) -> None:
    operator.follow("lzc build -c some/where/lzc.toml", text, way=1)


def next_steps(operator: Operator, text: Text) -> None:
    """One after the other, as they are shown."""
    for folder, said in (
        (".", operator.succeed("lzc init")),
        ("there", operator.succeed("lzc init there --zone shop.example")),
    ):
        steps = commands(told(said, text))
        assert len(steps) == 5
        for command in steps:
            if command.startswith("lzc serve"):
                operator.change(f"{folder}/lzc.toml", "127.0.0.1:5300", "127.0.0.1:0")
            operator.succeed(command)


def failed_test(operator: Operator, _: Text) -> None:
    """A test that fails names the command that asks the same."""
    operator.project(config=CONFIG)
    operator.write("tests.toml", f'[[test]]\nname = "www.{ZONE}"\nanswers = ["192.0.2.9"]\n')
    said = operator.run("lzc test")
    assert said.code == 1
    (line,) = [line for line in said.text.splitlines() if "lzc query" in line]
    assert "192.0.2.1" in operator.succeed(line[line.index("lzc query") :])
