"""Zone files as PowerDNS reads them, in its bind backend and with ``pdnsutil load-zone``, and as
lzc does with ``dialect = "powerdns"``: record by record, in transfers of every version."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import pytest

from lzc.faults import Fault, Severity
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import PLACE, Zone
from tests.patience import PATIENCE
from tests.peers._peers.pdns import SCHEMA
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.powerdns_zone_texts import ALIKE, CODES, REFUSED, TAKEN
from tests.unit.lua_running import Runner
from tests.unit.zone_text import read_zone_text

HEAD = b"@ 3600 IN SOA a.e. b.e. 1 2 3 4 5\n@ 3600 IN NS a.e.\n"
CONFIGURATION = """\
module-dir={modules}
{backend}
enable-lua-records=yes
local-address=127.0.0.1
local-port={port}
socket-dir={folder}
disable-syslog=yes
cache-ttl=0
query-cache-ttl=0
zone-cache-refresh-interval=0
security-poll-suffix=
"""
INHERITED = b"a 9 A 1.1.1.1\nb A 1.1.1.2\n"
TWICE = b"a 5 HTTPS 1 . ipv4hint=auto\na 5 A 1.1.1.1\na 6 A 1.1.1.1\n"
TEXTS = [
    *ALIKE,
    *REFUSED,
    *TAKEN,
    INHERITED,
    TWICE,
    *(f"a 5 LUA TXT {code}\n".encode() for code in CODES),
]
NAMES = {text: f"c{at}.test." for at, text in enumerate(dict.fromkeys(TEXTS))}

Records = frozenset[tuple[str, int, int, bytes]]


def content(text: bytes) -> bytes:
    """The file of a text's zone."""
    zone = NAMES[text].encode()
    whole = text[1:] if text.startswith(b"!") else HEAD + text
    return whole.replace(b"{Z}", zone).replace(b"{z}", zone[:-1])


@dataclass(frozen=True)
class Readings:
    """What a version makes of all texts: in its bind backend (None: the zone, or what it would
    send, is refused), loaded with pdnsutil (None: refused), and its answers to TXT."""

    release: Release
    bind: dict[bytes, Records | None]
    loaded: dict[bytes, Records | None]
    answers: dict[bytes, str]


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def readings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Readings:
    release: Release = request.param
    release.require()
    folder = tmp_path_factory.mktemp(str(release))
    files = {text: folder / f"{name}zone" for text, name in NAMES.items()}
    (folder / "ok.test.zone").write_bytes(HEAD)
    for text, file in files.items():
        file.write_bytes(content(text))
    zones = [*((NAMES[text], file) for text, file in files.items())]
    zones.append(("ok.test.", folder / "ok.test.zone"))
    (folder / "named.conf").write_text(
        "".join(f'zone "{name}" {{ type master; file "{file}"; }};\n' for name, file in zones)
    )
    with _server(release, folder, f"launch=bind\nbind-config={folder}/named.conf") as port:
        bind = {text: transfer(port, name) for text, name in NAMES.items()}
        answers = {text: answer(port, f"a.{name}") for text, name in NAMES.items()}
    stored = folder / "stored"
    stored.mkdir()
    with contextlib.closing(sqlite3.connect(stored / "db")) as database:
        database.executescript(release.origin.data(SCHEMA).read_text())
    with _server(release, stored, f"launch=gsqlite3\ngsqlite3-database={stored}/db", zones) as port:
        loaded = {text: transfer(port, name) for text, name in NAMES.items()}
    return Readings(release, bind, loaded, answers)


@contextlib.contextmanager
def _server(
    release: Release, folder: Path, backend: str, load: Sequence[tuple[str, Path]] = ()
) -> Iterator[int]:
    port = free_port()
    modules = release.origin.library() / "pdns"
    (folder / "pdns.conf").write_text(
        CONFIGURATION.format(modules=modules, backend=backend, port=port, folder=folder)
    )
    program = [*release.command("pdnsutil"), f"--config-dir={folder}", "load-zone"]
    for name, file in load:
        subprocess.run(
            [*program, name[:-1], str(file)], capture_output=True, timeout=PATIENCE, check=False
        )
    arguments = [f"--config-dir={folder}", "--guardian=no", "--daemon=no"]
    with running([*release.command("pdns_server"), *arguments], folder, "pdns_server") as process:
        wait_for_zone(process, port, "ok.test.")
        yield port


def transfer(port: int, zone: str) -> Records | None:
    """The records of a zone but NS at its apex, each once; None where it is not transferred."""
    found: set[tuple[str, int, int, bytes]] = set()
    try:
        for message in dns.query.xfr(LOOPBACK, zone, port=port, relativize=False, timeout=PATIENCE):
            for rrset in message.answer:
                for rdata in rrset:
                    owner = rrset.name.to_text().lower()
                    if rrset.rdtype != rr.NS or owner != zone:
                        kind = int(rrset.rdtype)
                        octets = wire_rdata.canonical(kind, rdata.to_wire() or b"")
                        found.add((owner, rrset.ttl, kind, octets))
    except (OSError, EOFError, dns.exception.DNSException):
        # Refused, or some record of it is none.
        return None
    return frozenset(found) or None


def answer(port: int, name: str) -> str:
    """The TXT of a name, or what there is instead."""
    query = dns.message.make_query(name, "TXT")
    try:
        got = dns.query.tcp(query, LOOPBACK, port=port, timeout=PATIENCE)
    except EOFError:
        return ""
    return " ".join(rdata.to_text() for rrset in got.answer for rdata in rrset)


def lzc_reads(text: bytes, *, insert_whitespace: bool = False) -> tuple[Zone, list[Fault]]:
    apex = wire_name.from_text(NAMES[text])
    found, faults = read_zone_text(
        content(text), apex, "z", insert_whitespace=insert_whitespace, powerdns=True
    )
    return found, [fault for fault in faults if fault.severity is Severity.ERROR]


def lzc_records(text: bytes) -> Records:
    zone, faults = lzc_reads(text)
    assert [str(fault) for fault in faults] == []
    return frozenset(
        (
            wire_name.to_text(zone.owner(one)),
            one[3],
            one[1],
            wire_rdata.canonical(one[1], one[2]),
        )
        for one in zone.records
        if one[1] != rr.NS or wire_name.to_text(zone.owner(one)) != NAMES[text]
    )


def differing(readings: Readings, texts: Sequence[bytes]) -> list[tuple[bytes, object, object]]:
    """The texts that a version takes and that lzc reads otherwise."""
    return [
        (text, found, here)
        for text in texts
        for found in (readings.bind[text], readings.loaded[text])
        if found is not None and readings.loaded[text] is not None
        and found != (here := lzc_records(text))
    ]  # fmt: skip


def test_every_record_is_read_alike(readings: Readings) -> None:
    assert differing(readings, ALIKE) == []
    if readings.release is POWERDNS[-1]:
        assert [text for text in ALIKE if readings.loaded[text] is None] == []


@pytest.mark.difference("D-50")
def test_what_powerdns_takes_and_nobody_means_is_an_error(readings: Readings) -> None:
    assert [text for text in REFUSED if not lzc_reads(text)[1]] == []
    refused = [text for text in REFUSED if readings.loaded[text] is None]
    # Versions differ: 4.7 and 4.9 refuse text without quotes, 5.1 octets above 255.
    assert len(refused) <= 2


@pytest.mark.difference("D-51")
def test_what_powerdns_refuses_is_read_as_rfc_1035_says(readings: Readings) -> None:
    assert [text for text in TAKEN if readings.loaded[text] is not None] == []
    assert [text for text in TAKEN if lzc_reads(text)[1]] == []


@pytest.mark.difference("D-52")
def test_a_record_without_ttl_has_that_of_the_one_before(readings: Readings) -> None:
    here = lzc_records(INHERITED)
    assert readings.bind[INHERITED] == here
    assert (readings.loaded[INHERITED] == here) is not readings.release.at_least(5, 1)


@pytest.mark.difference("D-53")
def test_an_address_with_two_ttls_is_hinted_at_once(readings: Readings) -> None:
    here = {one for one in lzc_records(TWICE) if one[2] == rr.HTTPS}
    there = {one for one in readings.bind[TWICE] or () if one[2] == rr.HTTPS}
    assert {one[3] + b"\x01\x01\x01\x01" for one in here} == {
        one[3].replace(b"\x00\x08", b"\x00\x04") for one in there
    }


@pytest.mark.parametrize("code", CODES)
def test_lua_sees_what_it_sees_there(readings: Readings, code: str) -> None:
    text = f"a 5 LUA TXT {code}\n".encode()
    if not readings.answers[text]:
        assert readings.loaded[text] is None or '"' not in code
        return
    zone, faults = lzc_reads(text, insert_whitespace=not readings.release.at_least(5, 0))
    assert faults == []
    (record,) = [one for one in zone.records if one[1] == rr.LUA]
    (result,) = Runner()(zone.lua_sources[record[PLACE]].code.decode())
    here = wire_rdata.to_text(rr.TXT, wire_rdata.from_result(rr.TXT, result.encode()))
    assert here == readings.answers[text]
