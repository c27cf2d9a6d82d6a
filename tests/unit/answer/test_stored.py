"""What LUA records get from ``dblookup``: stored records, whichever zone of the bundle has them."""

from __future__ import annotations

from pathlib import Path

from lzc.answer.stored import stored_contents
from lzc.health_check import Check
from lzc.rehearse.assumed import AssumedHealth, Target
from lzc.wire import rrtype as rr
from tests.unit.compiling import open_bundle, wire, write_bundle


def test_records_are_found_as_they_are_stored(tmp_path: Path) -> None:
    write_bundle(
        tmp_path,
        {
            "example.org": 'a A 192.0.2.1\na A 192.0.2.2\nm MX 10 Mail\nt TXT "a b" "c\\"d"\n'
            "c CNAME a\n* A 192.0.2.9\nl LUA A \"'192.0.2.3'\"\n"
            "sub NS ns.sub\nns.sub A 192.0.2.5\n",
            "example.net": "a A 192.0.2.4\n",
        },
    )
    lookup = stored_contents(open_bundle(tmp_path))
    assert lookup(wire("a.example.org"), rr.A) == [b"192.0.2.1", b"192.0.2.2"]
    assert lookup(wire("m.example.org"), rr.MX) == [b"10 Mail.example.org."]
    assert lookup(wire("t.example.org"), rr.TXT) == [b'"a b" "c\\"d"']
    assert lookup(wire("c.example.org"), rr.CNAME) == [b"a.example.org."]
    assert lookup(wire("a.example.net"), rr.A) == [b"192.0.2.4"]
    assert lookup(wire("ns.sub.example.org"), rr.A) == [b"192.0.2.5"]
    assert lookup(wire("l.example.org"), rr.LUA) == [b"A \"'192.0.2.3'\""]
    for name, code in (
        ("c.example.org", rr.A),
        ("b.example.org", rr.A),
        ("l.example.org", rr.A),
        ("a.example.org", rr.AAAA),
        ("a.example.com", rr.A),
        ("a.example.org", 70000),
    ):
        assert lookup(wire(name), code) == [], (name, code)


def test_what_is_assumed_of_an_address_counts_for_urls_with_it() -> None:
    health = AssumedHealth({Target.parse("192.0.2.8"): False})
    assert health.status(Check("", url="http://192.0.2.8/x")) is False
    assert health.status(Check("", url="http://name.example/")) is True
    assert (
        AssumedHealth({Target(None): False}).status(Check("", url="http://name.example/")) is False
    )
