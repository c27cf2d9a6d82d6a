# An attack is read best on one line.
# ruff: noqa: E501
"""What a record returns is one content of its type and nothing else, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar, cast

import dns.message
import dns.query
import dns.rcode
import pytest

from lzc.answer import lua_answer
from lzc.answer.lua_answer import lua_rrs, rdatas_of
from lzc.answer.zone import ServedZone
from lzc.dnssec.signing.cache import SignatureCache
from lzc.dnssec.signing.store import MAX_RRSET
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.powerdns_versions import LATEST, Version
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.wire.rdata.lua_result import address
from tests.patience import PATIENCE
from tests.unit.live_server import UNHURRIED, LiveServer, Project
from tests.unit.lua_running import Runner

T = TypeVar("T")

A, CNAME, TXT, MX = rrtype.A, rrtype.CNAME, rrtype.TXT, rrtype.MX

# As observed of PowerDNS 4.7.3.
INJECTED = {
    "a comment": (A, "'192.0.2.1 ; x'", None),
    "two lines": (A, "'192.0.2.1\\n192.0.2.2'", None),
    "a line end": (A, "'192.0.2.1\\n'", ["192.0.2.1"]),
    "two on a line": (A, "'192.0.2.1 192.0.2.2'", None),
    "parentheses": (A, "'( 192.0.2.1 )'", None),
    "a directive": (A, "'$INCLUDE /etc/passwd'", None),
    "a zero octet at the end": (A, "'192.0.2.1\\0'", None),
    "something behind a zero octet": (A, "'192.0.2.1\\0x'", None),
    "octal": (A, "'0300.0.2.1'", None),
    "short": (A, "'192.0.513'", None),
    "holes": (A, "{[1] = '192.0.2.1', [3] = '192.0.2.3'}", ["192.0.2.1", "192.0.2.3"]),
    "keys of text that are numbers": (A, "{['1'] = '192.0.2.1'}", ["192.0.2.1"]),
    "keys of other text": (A, "{'192.0.2.1', n = 1}", None),
    "broken keys": (A, "{[1.5] = '192.0.2.1'}", ["192.0.2.1"]),
    "lists in lists": (A, "{{'192.0.2.1'}}", None),
    "an object in a list": (A, "{newCA('192.0.2.1')}", None),
    "something that prints itself": (A, "{setmetatable({}, {__tostring = function() return '192.0.2.1' end})}", None),
    "a name and a comment": (CNAME, "'a.example. ; x'", None),
    "two names": (CNAME, "'a.example. b.example.'", None),
    "a name with a line end": (CNAME, "'a\\nb.example.'", None),
    "an origin": (CNAME, "'$ORIGIN.x.'", ["\\$ORIGIN.x."]),
    "a semicolon in a name": (CNAME, "'a;b.example.'", ["a\\;b.example."]),
    "a name that is too long": (CNAME, "('a.'):rep(128)", None),
    "a label that is too long": (CNAME, "('a'):rep(64) .. '.'", None),
    "an exchange and a comment": (MX, "'10 a.example. ; x'", None),
    "a negative number": (MX, "'-1 a.example.'", None),
    "a quote in text": (TXT, "'a\"'", None),
    "quotes in text": (TXT, "'a\" \"b'", ['"a" "b"']),
    "a comment behind text": (TXT, "'a\" ; c'", None),
    "a backslash at the end": (TXT, "'a' .. ('').char(92)", None),
    "a line end in text": (TXT, "'a\\nb'", ['"a\\010b"']),
}  # fmt: skip


@pytest.mark.parametrize("case", INJECTED.values(), ids=INJECTED)
def test_a_result_is_one_content(case: tuple[int, str, list[str] | None]) -> None:
    covered, code, expected = case
    run = Runner()
    try:
        texts = [text.encode("latin-1") for text in run(code)]
        found = [wire_rdata.to_text(covered, rdata) for rdata in rdatas_of(covered, texts, LATEST)]
    except LuaFailure:
        assert expected is None
    else:
        assert sorted(found) == expected


def test_large_results_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(covered: int, texts: Sequence[bytes], version: Version) -> list[bytes]:
        read.append(len(texts[0]))
        return rdatas_of(covered, texts, version)

    monkeypatch.setattr(lua_answer, "rdatas_of", counted)
    for text in (b"\\120" * 15_000, b"not asked for before"):
        assert lua_rrs(TXT, 60, [text], LATEST) == lua_rrs(TXT, 60, [text], LATEST)
    assert read == [60_000, 60_000, 20]


def test_blanks_around_an_address_are_not_kept() -> None:
    address.cache_clear()
    for number in range(20):
        text = b"192.0.2.1" + b" " * (1000 + number)
        assert rdatas_of(A, [text], LATEST) == [b"\xc0\0\2\1"]
    assert address.cache_info().currsize == 1
    with pytest.raises(LuaFailure):
        rdatas_of(A, [b"192.0.2.1" + b" " * 1000 + b"x"], LATEST)


def test_signatures_of_large_rrsets_are_not_kept() -> None:
    cache = SignatureCache()
    cache.lasting.put(b"x" * MAX_RRSET, b"signature")
    assert len(cache) == 1
    cache.lasting.put(b"x" * MAX_RRSET + b"y", b"signature")
    assert len(cache) == 1


ZONE = """\
text LUA TXT ";return ('x'):rep(50000) .. pdnsrandom()"
list LUA TXT ";local t = {} for i = 1, 40 do t[i] = ('x'):rep(1000) .. pdnsrandom() end return t"
blanks LUA A ";return '192.0.2.1' .. (' '):rep(50000 + pdnsrandom(5000))"
fine LUA A "'192.0.2.7'"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    # Without a limit of time no record rests, however slow the machine.
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": ZONE}, signed=["example.org"])
    with LiveServer(project) as running:
        yield running


def test_results_that_are_never_the_same_fill_no_memory(server: LiveServer) -> None:
    pid = server.control("status")["workers"][0]["pid"]

    def ask(times: int) -> int:
        for _ in range(times):
            for name, kind in [("text", "TXT"), ("list", "TXT"), ("blanks", "A")]:
                query = dns.message.make_query(f"{name}.example.org", kind, want_dnssec=True)
                reply = dns.query.udp(query, "127.0.0.1", timeout=PATIENCE, port=server.port)
                assert reply.rcode() == dns.rcode.NOERROR
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096

    before = ask(30)
    assert ask(200) - before < 8 * 2**20
    assert server.answers("fine.example.org") == ["192.0.2.7"]


def test_records_at_a_name_are_charged_together() -> None:
    charged: list[tuple[bytes, bytes]] = []

    def meter(code: bytes, zone: bytes, work: Callable[[], T]) -> T:
        charged.append((code, zone))
        return work()

    class Echo:
        def evaluate(self, code: bytes, _query: object, _include: object) -> list[bytes]:
            return [code]

    zone = cast("ServedZone", SimpleNamespace(apex=b"\3org\0", zone_id=1, powerdns=LATEST))
    answers = lua_answer.LuaAnswers(Echo(), None, meter)
    asker = QueryContext(b"", b"", b"\x7f\0\0\1")
    for codes in [(b"one",), (b"two", b"three")]:
        snippets = lua_answer.Snippets(60, codes, 1)
        found = answers.rrset(zone, b"\3www\3org\0", TXT, snippets, asker)
        assert found is not None
        assert found.rdatas == tuple(rdatas_of(TXT, codes, LATEST))
    assert charged == [(b"two", b"\3org\0")]


WIDE = """\
wide LUA HTTPS ";local s, t = ('a,'):rep(500), {} for i = 1, 120 do t[i] = '1 ' .. i .. '. alpn=' .. s .. i end return t"
fine LUA A "'192.0.2.7'"
"""


def test_reading_large_results_is_time_of_the_record(tmp_path: Path) -> None:
    # What takes long of this one is not Lua: names and parameters are read from 120 KB of text.
    project = Project(tmp_path, "[lua]\nenable = true\n")
    project.build({"example.org": WIDE})
    with LiveServer(project) as server:
        # Code that did not run yet might have to wait where another took long.
        assert server.answers("fine.example.org") == ["192.0.2.7"]

        def rests() -> bool:
            server.ask("wide.example.org", "HTTPS")
            assert server.answers("fine.example.org") == ["192.0.2.7"]
            return bool(server.control("status")["totals"]["lua_quarantine"])

        server.wait_for(rests)
