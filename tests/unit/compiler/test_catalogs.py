"""Catalogs: zones that are made at build of the names of others (RFC 9432)."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.rcode
import pytest

from lzc import config
from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.bundle import current
from lzc.faults import InputError
from lzc.forms.catalog import member_id
from tests.unit.compiling import wire
from tests.unit.several_zones import SeveralZones

CATALOG = "catalog.invalid"
MORE = f"""\
catalog-group = "one"
[catalog."{CATALOG}."]
[tsig."k."]
secret = "AAAA"
[[secondary]]
name = "ns2"
address = "192.0.2.7:53"
tsig = "k."
"""


@pytest.fixture
def project(tmp_path: Path) -> SeveralZones:
    return SeveralZones(tmp_path / "project", more=MORE)


def contents(project: SeveralZones) -> dict[str, list[str]]:
    """The records of the catalog but for the SOA, by name and type."""
    with current.open_live(project.output) as bundle:
        view = bundle.zone(wire(CATALOG))
        assert view is not None and view.info.catalog
        message = dns.message.from_wire(bytes(bundle.transfer(view))[2:])
    return {
        f"{rrset.name.relativize(message.question[0].name)} {rrset.rdtype.name}": sorted(
            map(str, rrset)
        )
        for rrset in message.answer
        if rrset.rdtype.name != "SOA"
    }


def test_it_has_each_zone_under_an_id_of_its_name(project: SeveralZones) -> None:
    project.build()
    found = contents(project)
    plain, lua, signed = (
        member_id(wire(name)).decode()
        for name in ("plain.example", "lua.example", "signed.example")
    )
    assert found == {
        "@ NS": ["invalid."],
        "version TXT": ['"2"'],
        f"{plain}.zones PTR": ["plain.example."],
        f"{lua}.zones PTR": ["lua.example."],
        f"{signed}.zones PTR": ["signed.example."],
        f"group.{signed}.zones TXT": ['"one"'],
    }


def test_its_serial_goes_on_with_its_members_alone(project: SeveralZones) -> None:
    project.build()
    first = project.serial(CATALOG)
    project.write("plain.example", "www A 192.0.2.9\n")
    project.build()
    assert project.serial(CATALOG) == first
    project.write("new.example", "www A 192.0.2.9\n")
    project.build()
    assert project.serial(CATALOG) == first + 1
    project.build()
    project.forget()
    project.build()
    assert project.serial(CATALOG) == first + 1
    project.file("new.example").unlink()
    project.build()
    assert project.serial(CATALOG) == first + 2
    project.path.write_text(project.path.read_text().replace('"one"', '"two"'))
    project.build()
    assert project.serial(CATALOG) == first + 3


def test_a_zone_that_is_left_out_is_no_member(project: SeveralZones) -> None:
    project.write("bad.example", "broken A 192.0.2.3.4\n")
    project.build()
    assert not any("bad.example." in one for one in contents(project).values())


def test_it_stays_when_one_zone_is_built(project: SeveralZones) -> None:
    project.build()
    before = contents(project)
    project.write("plain.example", "www A 192.0.2.9\n")
    project.build("plain.example")
    assert contents(project) == before
    project.forget()
    project.write("plain.example", "www A 192.0.2.10\n")
    project.build("plain.example")
    assert contents(project) == before


def test_it_goes_with_its_table(project: SeveralZones) -> None:
    project.build()
    text = project.path.read_text()
    project.path.write_text(
        text.replace(f'[catalog."{CATALOG}."]\n', "").replace('catalog-group = "one"\n', "")
    )
    project.build()
    assert wire(CATALOG).decode() not in project.states()


@pytest.mark.parametrize(
    ("client", "name", "kind", "rcode"),
    [
        ("192.0.2.7", CATALOG, "SOA", dns.rcode.NOERROR),
        ("192.0.2.8", CATALOG, "SOA", dns.rcode.REFUSED),
        ("192.0.2.8", f"version.{CATALOG}", "TXT", dns.rcode.REFUSED),
        ("192.0.2.8", f"nothing.{CATALOG}", "A", dns.rcode.REFUSED),
        ("192.0.2.8", CATALOG, "ANY", dns.rcode.REFUSED),
        ("192.0.2.8", CATALOG, "IXFR", dns.rcode.REFUSED),
        ("192.0.2.7", f"version.{CATALOG}", "TXT", dns.rcode.NOERROR),
    ],
)
@pytest.mark.parametrize("dnssec", [False, True])
def test_it_is_for_who_may_transfer_it(
    project: SeveralZones, client: str, name: str, kind: str, rcode: int, dnssec: bool
) -> None:
    project.build()
    settings = ResponderSettings.from_config(config.load(project.path))
    query = dns.message.make_query(name, kind, want_dnssec=dnssec).to_wire()
    packed = bytes(map(int, client.split(".")))
    with current.open_live(project.output) as bundle:
        responder = Responder(bundle, settings, {}, None)
        for _ in range(2):
            found = responder.respond(query, packed, 1.0, tcp=False)
            assert found is not None and not found.cacheable
            answer = dns.message.from_wire(found.wire)
            assert answer.rcode() == rcode
            assert bool(answer.answer or answer.authority) is (rcode == dns.rcode.NOERROR)


def test_an_alias_into_it_ends_there(project: SeveralZones) -> None:
    project.write("plain.example", f"into CNAME version.{CATALOG}.\n")
    project.build()
    settings = ResponderSettings.from_config(config.load(project.path))
    query = dns.message.make_query("into.plain.example", "TXT").to_wire()
    with current.open_live(project.output) as bundle:
        found = Responder(bundle, settings, {}, None).respond(query, bytes(4), 1.0, tcp=False)
        assert found is not None
        answer = dns.message.from_wire(found.wire)
    assert answer.rcode() == dns.rcode.NOERROR
    assert [rrset.rdtype.name for rrset in answer.answer] == ["CNAME"]


@pytest.mark.parametrize(
    ("before", "after", "rules"),
    [
        (
            f'"{CATALOG}."]',
            f'"{CATALOG}."]\nzones = ["none.example"]',
            {"catalog-empty", "catalog-group-unused"},
        ),
        ('tsig = "k."', 'tsig = "k."\nzones = ["*.example"]', {"catalog-untaken"}),
        (
            'tsig = "k."',
            f'tsig = "k."\nzones = ["l*", "s*", "{CATALOG}"]',
            {"catalog-member-refused"},
        ),
    ],
)
def test_what_leads_nowhere_is_told(
    project: SeveralZones, before: str, after: str, rules: set[str]
) -> None:
    project.path.write_text(project.path.read_text().replace(before, after))
    told = [fault for fault in project.build().warnings if fault.rule.startswith("catalog")]
    assert {fault.rule for fault in told} == rules
    assert all(fault.place.line > 1 for fault in told)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('[catalog."plain.example"]\n', "catalog-is-a-zone"),
        (f'[catalog."{CATALOG.upper()}"]\n', "catalog-twice"),
    ],
)
def test_two_zones_of_one_name_are_a_fault(project: SeveralZones, text: str, rule: str) -> None:
    with project.path.open("a") as file:
        file.write(text)
    with pytest.raises(InputError) as caught:
        project.build()
    assert rule in {fault.rule for fault in caught.value.faults}


def test_ids_are_those_of_all_time() -> None:
    # Another id would be another zone to all who follow it, and its keys lost at PowerDNS.
    assert member_id(wire("plain.example")) == b"f5koo1o0rdkgp6bc8oi40uo1db"
