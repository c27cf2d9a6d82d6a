"""What the script for PowerDNS says of zones."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.dnssec.signing.denial import Denial, Way
from lzc.secondary import powerdns
from lzc.secondary.zones import ServedZone, Zones
from tests.unit.compiling import wire

NOW = 1_800_000_000.0
TOML = """\
[serve]
listen = ["192.0.2.1:53"]
tsig-required = false
[[secondary]]
name = "ns2"
address = "192.0.2.2:53"
software = "powerdns-4.9"
"""


def zone(name: str, **values: object) -> ServedZone:
    known: dict[str, object] = {
        **dict.fromkeys(("signed", "presigned", "lua", "catalog"), False),
        "needs": frozenset(),
        "denial": Denial(),
    }
    return ServedZone(apex=wire(name), name=name, **{**known, **values})  # type: ignore[arg-type]


def said(folder: Path, *zones: ServedZone, more: str = "") -> dict[str, list[str]]:
    """What the script says of each zone."""
    file = folder / "lzc.toml"
    file.write_text(TOML + more)
    settings = config.load(file)
    made = powerdns.provision(
        settings,
        settings.secondary[0],
        Zones(zones),
        Keystore.of(settings),
        NOW,
        secrets=False,
    )
    script = made.files[0].text.split("\nzone ", 1)[1]
    parts = script.partition('\nif [ -n "$incomplete"')[0].split("\nzone ")
    return {part.split()[0]: part.strip().splitlines()[1:-1] for part in parts}


def test_of_a_presigned_zone_it_changes_nothing_that_comes_with_the_transfer(
    tmp_path: Path,
) -> None:
    assert said(tmp_path, zone("a.example", presigned=True)) == {
        "a.example": ["meta AXFR-MASTER-TSIG", "meta ENABLE-LUA-RECORDS", "meta IXFR"]
    }


@pytest.mark.parametrize(
    ("denial", "line"),
    [
        (Denial(), "denial"),
        (Denial(Way.COMPACT), "denial"),
        (Denial(Way.NSEC3, 1, b"\xab", True), "denial '1 1 1 ab'"),
        (Denial(Way.NARROW), "denial '1 0 0 -' narrow"),
    ],
)
def test_a_signed_zone_is_denied_as_here(tmp_path: Path, denial: Denial, line: str) -> None:
    found = said(tmp_path, zone("a.example", signed=True, denial=denial))["a.example"]
    assert line in found


def test_keys_are_those_that_are_published_and_others_go(tmp_path: Path) -> None:
    keystore = Keystore(tmp_path / "keys")
    keystore.generate(wire("a.example"), 15, FLAGS["ksk-zsk"], NOW - 10)
    ksk, zsk = sorted(keystore.load(wire("a.example")), key=lambda key: -key.flags)
    keystore.generate(wire("b.example"), 15, FLAGS["csk"], NOW + 10)
    found = said(tmp_path, zone("a.example", signed=True), zone("b.example", signed=True))
    lines = [line.split()[0] + " " + " ".join(line.split()[-2:]) for line in found["a.example"]]
    assert "key ksk active" in lines and "key zsk active" in lines
    assert any(f"+{ksk.tag:05}.private" in line for line in found["a.example"])
    assert any(f"+{zsk.tag:05}.private" in line for line in found["a.example"])
    assert [line.split()[0] for line in found["b.example"]][-2:] == ["no_key", "keys"]


def test_cds_and_cdnskey_are_those_of_here(tmp_path: Path) -> None:
    more = '[dnssec]\npublish-cds = "2,4"\npublish-cdnskey = true\n'
    found = said(tmp_path, zone("a.example", signed=True), zone("b.example"), more=more)
    assert {"meta PUBLISH-CDS 2,4", "meta PUBLISH-CDNSKEY 1"} <= {*found["a.example"]}
    assert {"meta PUBLISH-CDS", "meta PUBLISH-CDNSKEY"} <= {*found["b.example"]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.example", "a.example"),
        (r"a\.b.example", r"a\.b.example"),
        (r"a\032\"\;\255.example", r'a\032";\255.example'),
        (r"a\\.example", r"a\\.example"),
        (".", "."),
    ],
)
def test_names_are_written_as_powerdns_does(name: str, text: str) -> None:
    assert powerdns.powerdns_text(wire(name)) == text
