"""What the manual has an operator type who comes from PowerDNS brings the zones and keys along."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.peers._peers import presence
from tests.unit.manual.shown import Written, fences, sources, steps
from tests.unit.manual.typing_along import Shell

SCHEMA = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

ZONE = """\
$ORIGIN shop.example.
@ 3600 IN SOA ns1 hostmaster 7 7200 900 1209600 300
@ 3600 IN NS ns1
ns1 600 IN A 192.0.2.53
www 60 IN LUA A "ifportup(443, {'192.0.2.1', '192.0.2.2'})"
who 60 IN LUA TXT "bestwho:toString()"
say 60 IN TXT "semicolon; \\"quote\\""
"""


def test_zones_and_keys_of_powerdns_are_those_of_lzc(tmp_path: Path) -> None:
    presence.require("pdnsutil")
    pdns = tmp_path / "pdns"
    pdns.mkdir()
    (pdns / "pdns.conf").write_text(
        f"launch=gsqlite3\ngsqlite3-database={pdns}/pdns.sqlite3\ngsqlite3-dnssec=yes\n"
    )
    with closing(sqlite3.connect(pdns / "pdns.sqlite3")) as database:
        database.executescript(Path(SCHEMA).read_text())
    (pdns / "zone").write_text(ZONE)
    pdnsutil = f'pdnsutil() {{ command pdnsutil --config-dir={pdns} "$@"; }}\n'
    shell = Shell(tmp_path / "moved")
    shell.folder.mkdir()

    def typed(script: str) -> str:
        code, output = shell.run(f"set -e\n{pdnsutil}{script}")
        assert code == 0, output
        return output

    typed(f"pdnsutil load-zone shop.example {pdns}/zone")
    typed("pdnsutil add-zone-key shop.example ksk active ecdsa256")
    theirs, ours, *_ = [text for kind, _, text in fences(sources()["moving"]) if kind == "sh"]
    typed(theirs)
    for step in steps(sources()["moving"]):
        if isinstance(step, Written):
            shell.follow(step)
    typed(ours)
    shown = typed("pdnsutil show-zone shop.example")
    ds = typed("lzc keys ds shop.example").split()[-4:]
    assert " ".join(ds).lower() in shown.lower()
    assert '\tTXT\t"semicolon; \\"quote\\""' in typed("lzc query say.shop.example TXT")
    assert '\tTXT\t"192.0.2.9"' in typed("lzc query who.shop.example TXT --from 192.0.2.9")
    assert "RRSIG" in typed("lzc query www.shop.example --dnssec")


def test_a_zone_that_bind_signed_is_signed_by_lzc_with_the_same_key(tmp_path: Path) -> None:
    presence.require("dnssec-keygen", "dnssec-signzone", "named-compilezone")
    shell = Shell(tmp_path)

    def typed(script: str) -> str:
        code, output = shell.run(f"set -e\numask 077\nPATH=$PATH:/usr/sbin\n{script}")
        assert code == 0, output
        return output

    plain = "\n".join(line for line in ZONE.splitlines() if " LUA " not in line)
    (tmp_path / "db.shop.plain").write_text(f"{plain}\nwww 60 IN A 192.0.2.1\n")
    typed("dnssec-keygen -q -a ECDSAP256SHA256 -f KSK shop.example")
    (key,) = tmp_path.glob("Kshop.example.*.private")
    typed("dnssec-signzone -S -z -o shop.example -O raw -f db.shop.raw db.shop.plain")
    (shown,) = re.findall(r"`(named-compilezone [^`]*)`", sources()["moving"])
    typed(" ".join(shown.split()))
    assert "RRSIG" in (tmp_path / "shop.example.zone").read_text()
    (table,) = [
        text for kind, file, text in fences(sources()["moving"]) if (kind, file) == ("toml", "")
    ]
    table = table.replace("/etc/bind/db.shop", "shop.example.zone")
    (tmp_path / "lzc.toml").write_text(table)
    typed(f"lzc keys import shop.example {key.name}")
    typed("lzc check")
    typed("lzc build")
    assert typed("lzc keys ds shop.example").split()[3] == key.stem.rpartition("+")[2].lstrip("0")
    assert "RRSIG" in typed("lzc query www.shop.example --dnssec")
