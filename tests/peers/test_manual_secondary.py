"""What README and the manual have an operator type on a PowerDNS secondary makes one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.peers._peers import presence
from tests.peers._peers.asking import Client, ask, essence
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone
from tests.unit.manual.places import ROOT
from tests.unit.manual.shown import Typed, Written, fences, sources
from tests.unit.manual.typing_along import Shell, prepare

STAND_INS = """\
set -eu
chown() {{ :; }}
systemctl() {{ :; }}
pdnsutil() {{ command pdnsutil --config-dir={folder} "$@"; }}
sqlite3() {{ {python} -c '
import sqlite3, sys
sqlite3.connect(sys.argv[1]).executescript(sys.stdin.read())' "$1"; }}
"""
"""What only root of a whole machine can do is left out, or done in a folder."""

HERE = """\
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
include-dir={folder}/pdns.d
security-poll-suffix=
loglevel=5
"""


def code(name: str, language: str) -> str:
    """All code of a chapter in one language that is in no file of ours."""
    return "".join(
        text for kind, file, text in fences(sources()[name]) if (kind, file) == (language, "")
    )


@pytest.mark.parametrize("name", ["README", "secondaries"])
def test_a_secondary_made_as_the_manual_says_gives_the_same_signed_answers(
    name: str, tmp_path: Path
) -> None:
    presence.require("pdns_server", "pdnsutil")
    pdns = tmp_path / "pdns"
    (pdns / "pdns.d").mkdir(parents=True)
    port = free_port()
    shell = Shell(tmp_path)
    try:
        prepare(shell, {"shop"})
        shell.follow(Written("lzc.toml", secondary(name, port), append=True))
        export = "lzc keys export shop.example --format powerdns -o exported"
        shell.follow(Typed(export, 0, ()))
        (key,) = (shell.folder / "exported").glob("*.private")
        shell.follow(Typed("lzc serve", 0, ()))
        (pdns / "pdns.conf").write_text(HERE.format(folder=pdns, port=port))
        places = {
            "/etc/powerdns": str(pdns),
            "/var/lib/powerdns": str(pdns),
            "/var/lib/GeoIP/GeoLite2-City.mmdb": str(ROOT / "fixtures/geo/example.mmdb"),
            "192.0.2.1:5300": f"{LOOPBACK}:{shell.port}",
            "transfer.tsig": str(shell.folder / "keys/transfer.tsig"),
            "exported/Kshop.example.+013+56427.private": str(key),
        }
        (pdns / "pdns.d/lzc.conf").write_text(moved(code(name, "ini"), places))
        script = STAND_INS.format(folder=pdns, python=sys.executable)
        script += moved(code(name, "sh"), places)
        if "import-zone-key" not in script:
            # The chapter has lzc print it.
            script += f"pdnsutil import-zone-key shop.example {key} ksk active\n"
        typed = subprocess.run(
            ["bash", "-c", script], capture_output=True, text=True, timeout=PATIENCE
        )
        assert typed.returncode == 0, typed.stdout + typed.stderr
        program = presence.find("pdns_server")
        assert program is not None
        arguments = [program, f"--config-dir={pdns}", "--guardian=no", "--daemon=no"]
        with running(arguments, pdns, "pdns_server") as process:
            wait_for_zone(process, port, "shop.example")
            for client in (Client("127.1.2.3"), Client(subnet="192.0.2.0/24")):
                for asked, kind in (("cdn.shop.example", "A"), ("whoami.shop.example", "TXT")):
                    ours = ask(int(shell.port), asked, kind, client, True)
                    theirs = ask(port, asked, kind, client, True)
                    assert essence(ours) == essence(theirs)
                    assert {rrset.rdtype.name for rrset in theirs.answer} == {kind, "RRSIG"}
    finally:
        shell.close()


def moved(text: str, places: Mapping[str, str]) -> str:
    """What is shown, with other files and addresses."""
    for shown, here in places.items():
        text = text.replace(shown, here)
    return text


def secondary(name: str, port: int) -> str:
    """The table of the secondary as it is shown, at an address of this machine."""
    tables = [text for _, file, text in fences(sources()[name]) if file == "+lzc.toml"]
    (shown,) = [text for text in tables if "powerdns" in text]
    return re.sub(r"(?m)^address = .*$", f'address = "{LOOPBACK}:{port}"', shown)
