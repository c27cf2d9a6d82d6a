"""LUA code means the same on PowerDNS secondaries, after its zone transfer, as in plain Lua.

A corpus of nasty records is built and served by lzc, and taken by a real secondary over AXFR with
TSIG; each is asked on both, and run as the operator wrote it in a Lua 5.1 of its own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import NamedTuple

import dns.query
import dns.rcode
import dns.rdatatype
import dns.xfr
import dns.zone
import lupa.lua51
import pytest

from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord
from tests.peers._peers.asking import ask
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, free_port
from tests.peers._peers.project import Project, keyring
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.lua_corpus import Entry, corpus, four_kilobytes

ZONE = "corpus.test"
HEAD = """\
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 60
  NS ns
ns A 192.0.2.53
"""
# Of the default 1,000 instructions, what makes long results fit into a TXT record takes too many.
LIMIT = 1_000_000
LUA = dns.rdatatype.RdataType.make(rr.LUA)
PRINTABLE = re.compile(rb"(?! +\Z)[ !#-\[\]-~]+")
"""What survives: printable ASCII without double quotes and backslashes, and not only blanks."""


class Servers(NamedTuple):
    lzc: int
    powerdns: int
    entries: list[Entry]


def prepare(project: Project, entries: list[Entry]) -> None:
    """A project of the corpus alone."""
    zones = project.folder / "zones"
    shutil.rmtree(zones)
    (zones / "lua").mkdir(parents=True)
    lines = [entry.line for entry in entries]
    project.zone_file(ZONE).write_bytes((HEAD + "\n".join(lines) + "\n").encode())
    for entry in entries:
        if entry.file is not None:
            (zones / "lua" / f"{entry.label[1:]}.lua").write_bytes(entry.file)
    settings = project.config.read_text()
    for zone in ("example.org", "example.net", "2.0.192.in-addr.arpa"):
        settings = settings.replace(f'[zone."{zone}"]\ndnssec = true\n', "")
    settings = settings.replace("exec-limit = 1000", f"exec-limit = {LIMIT}")
    # So that strings can be cut anywhere in the zone file.
    settings = settings.replace("[lua]\n", "[lua]\ninsert-whitespace = false\n")
    project.config.write_text(settings)


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Servers]:
    release: Release = request.param
    release.require()
    folder = tmp_path_factory.mktemp("corpus")
    port = free_port()
    project = Project(folder / "lzc", [("ns2", port, str(release))])
    entries = corpus()
    prepare(project, entries)
    project.build()
    secondary = PowerDns(
        folder / "pdns",
        port,
        project.port,
        project.folder / "geo" / "example.mmdb",
        release,
        settings=[f"lua-records-exec-limit={LIMIT}"],
    )
    secondary.add_zone(ZONE)
    with project.serve(zone=ZONE), secondary.run([ZONE]):
        yield Servers(project.port, port, entries)


def plain_lua(code: bytes) -> bytes:
    """What the code gives where nothing was done to it."""
    source = code[1:] if code.startswith(b";") else b"return " + code
    runtime = lupa.lua51.LuaRuntime(encoding=None)
    load = runtime.eval(b"function(s) return assert(loadstring(s)) end")
    result = load(source)()
    return result if isinstance(result, bytes) else str(result).encode()


def answer(port: int, label: str) -> bytes | str:
    """The strings of the TXT record, put together; the RCODE where there is none."""
    reply = ask(port, f"{label}.{ZONE}", "TXT")
    if not reply.answer:
        return dns.rcode.to_text(reply.rcode())
    (rdata,) = reply.answer[0]
    return b"".join(rdata.strings)


def test_the_corpus_is_as_nasty_as_promised() -> None:
    entries = corpus()
    assert len(entries) >= 200
    assert len({entry.label for entry in entries}) == len(entries)
    assert sum(entry.file is not None for entry in entries) >= 50
    assert len(four_kilobytes()) >= 4096
    assert any(b"\r\n" in (entry.file or b"") for entry in entries)
    whole = b"".join(entry.code for entry in entries)
    assert set(range(1, 256)) <= set(whole)


def test_each_record_means_the_same_on_both_servers_as_in_plain_lua(servers: Servers) -> None:
    found = []
    for entry in servers.entries:
        expected = plain_lua(entry.code)
        answers = [answer(port, entry.label) for port in (servers.lzc, servers.powerdns)]
        if answers != [expected, expected]:
            found.append(f"{entry.line}\n  plain Lua {expected!r}\n  lzc, PowerDNS {answers}")
    assert not found, f"{len(found)} of {len(servers.entries)}:\n" + "\n".join(found)


def test_a_long_record_in_a_file_of_its_own(servers: Servers) -> None:
    label = next(
        entry.label
        for entry in servers.entries
        if entry.code == four_kilobytes() and entry.file is not None
    )
    expected = plain_lua(four_kilobytes())
    assert answer(servers.lzc, label) == answer(servers.powerdns, label) == expected
    assert b"-c3-a9" in expected  # é


def test_what_is_transferred_means_the_same_however_its_strings_are_joined(
    servers: Servers,
) -> None:
    codes = {entry.label: entry.code for entry in servers.entries}
    zone = dns.zone.Zone(ZONE, relativize=True)
    query, _ = dns.xfr.make_query(zone, keyring=keyring())
    dns.query.inbound_xfr(LOOPBACK, zone, query, port=servers.lzc)
    seen = set()
    for name, _, rdata in zone.iterate_rdatas(LUA):
        record = LuaRecord.from_rdata(rdata.to_wire() or b"")
        expected = plain_lua(codes[name.to_text()])
        seen.add(name.to_text())
        for string in record.strings:
            assert PRINTABLE.fullmatch(string), record
        for insert_whitespace in (True, False):
            assert plain_lua(record.join(insert_whitespace)) == expected, record
    assert seen == set(codes)
