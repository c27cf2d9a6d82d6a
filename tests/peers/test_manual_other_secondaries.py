"""The settings that the manual shows for BIND, NSD and Knot DNS make a secondary of each."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers._peers.asking import ask, essence
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_until
from tests.peers._peers.releases import OLDEST
from tests.unit.manual.shown import Typed, Written, fences, sources
from tests.unit.manual.typing_along import Shell, prepare

ZONE = """\
@ 3600 IN SOA ns1 hostmaster 1 7200 900 1209600 300
@ 3600 IN NS ns1
ns1 600 IN A 192.0.2.53
www 600 IN A 192.0.2.80
"""
OWN_KEY = re.compile(r'key "\{tsig\}".*\n|key:\n.*(?:name|id): .*\{tsig\}.*\n(?: +\w.*\n)*')
"""What the tests' own settings say of the key, which is shown here."""


@pytest.mark.parametrize("software", ["bind", "nsd", "knot"])
def test_it_takes_the_zone_and_what_changes_in_it(software: str, tmp_path: Path) -> None:
    OLDEST[software].require()
    shell = Shell(tmp_path)
    port = free_port()
    try:
        prepare(shell, {"shop"})
        shell.follow(Written("zones/static.example.zone", ZONE, append=False))
        tables = [text for _, file, text in fences(sources()["secondaries"]) if file == "+lzc.toml"]
        (table,) = [text for text in tables if "static.example" in text]
        table = table.replace("127.0.0.1:5302", f"{LOOPBACK}:{port}")
        table = table.replace('"bind"', f'"{software}"')
        shell.follow(Written("lzc.toml", table, append=True))
        shell.follow(Typed("lzc build", 0, ()))
        shell.follow(Typed("lzc serve", 0, ()))
        (shown,) = [text for kind, _, text in fences(sources()["secondaries"]) if kind == software]
        shown = shown.replace("192.0.2.1", LOOPBACK).replace("5300", shell.port)
        shown = shown.replace("SECRET", (shell.folder / "keys/transfer.tsig").read_text().strip())
        kind = KINDS[software]
        head, count = OWN_KEY.subn("", kind.head)
        assert count == 1
        escaped = shown.replace("{", "{{").replace("}", "}}")
        server = replace(kind, head=head, primary=escaped, transferred="")
        zone = "static.example"
        with server.secondary(tmp_path / software, port, int(shell.port), [zone]):
            ours = ask(int(shell.port), f"www.{zone}", "A")
            assert essence(ask(port, f"www.{zone}", "A")) == essence(ours)
            shell.follow(Written("zones/static.example.zone", "new A 192.0.2.81\n", append=True))
            before = serial_at(port, zone)
            shell.follow(Typed("lzc build", 0, ()))
            wait_until(lambda: serial_at(port, zone) != before, "a transfer after NOTIFY")
            assert ask(port, f"new.{zone}", "A").answer
    finally:
        shell.close()
