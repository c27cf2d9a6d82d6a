"""In which form a zone leaves: LUA records go to PowerDNS, and to nobody else, however asked."""

from __future__ import annotations

import itertools
from ipaddress import ip_network
from pathlib import Path

import dns.message
import dns.rrset
import pytest

from lzc.answer.refusal import Reason, Refusal
from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer import open_transfer
from lzc.answer.transfer_access import Grant, Handed, TransferAccess, handed
from lzc.bundle.zone_info import ZoneInfo
from lzc.config import Form, View
from lzc.config.forms import choose
from lzc.wire.message import parse_message
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey, sign
from tests.unit.answer.test_incremental import HERE, NOW, World

FORMS = ("auto", "live", "presigned", "flattened")
SOFTWARE = ("powerdns-4.7", "powerdns-5.1", "bind", "nsd", "knot", "generic")
KEY = TsigKey(from_text("k.example."), "hmac-sha256", bytes(32))
OTHER = TsigKey(from_text("o.example."), "hmac-sha256", bytes(32))
KEYS = {key.name: key for key in (KEY, OTHER)}
LOOPBACK = ip_network("127.0.0.0/8")
LUA = b"\xff\x7a\x00\x01"


def info(lua: int, *, signed: bool = False) -> ZoneInfo:
    return ZoneInfo(b"\x01a\x00", 0, 1, signed, True, "", 60, 60, 3, lua_records=lua)


def grant(software: str, form: str = "auto", key: TsigKey | None = KEY) -> Grant:
    name = None if key is None else key.name
    return Grant(name, (LOOPBACK,), ("*",), software=software, form=form)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("software", SOFTWARE)
def test_a_zone_with_lua_records_is_live_at_powerdns_alone(
    software: str, form: str, signed: bool
) -> None:
    found = choose(form, software, lua=True, signed=signed).form
    assert found is not Form.LIVE or software.startswith("powerdns-")
    assert found is not Form.PRESIGNED
    assert choose(form, software, lua=False, signed=False).form is Form.LIVE


@pytest.mark.parametrize(
    ("form", "software", "lua", "signed", "expected"),
    [
        ("auto", "powerdns-5.1", True, True, Form.LIVE),
        ("auto", "bind", True, False, Form.FLATTENED),
        ("auto", "knot", False, True, Form.PRESIGNED),
        ("live", "nsd", False, True, Form.LIVE),
        ("live", "nsd", True, False, None),
        ("presigned", "nsd", True, True, None),
        ("presigned", "powerdns-4.9", False, True, Form.PRESIGNED),
        ("flattened", "powerdns-4.9", True, True, Form.FLATTENED),
        ("flattened", "generic", False, True, Form.PRESIGNED),
    ],
)
def test_what_is_chosen(
    form: str, software: str, lua: bool, signed: bool, expected: Form | None
) -> None:
    assert choose(form, software, lua=lua, signed=signed).form is expected


@pytest.mark.parametrize("lua", [1, -1])
def test_of_several_who_one_may_be_each_has_to_be_powerdns(lua: int) -> None:
    """-1: how many there are is not known."""
    for some in itertools.product(SOFTWARE, FORMS, SOFTWARE):
        first, form, second = some
        found = handed([grant(first, form), grant(second)], info(lua))
        both = first.startswith("powerdns-") and second.startswith("powerdns-")
        assert both or found is None or found.form is not Form.LIVE, some
    assert handed([], info(lua)) is None
    assert handed([], info(0)) == Handed(Form.LIVE)


def test_a_flattened_zone_is_that_of_a_view() -> None:
    one = Grant(None, (), ("*",), software="bind", view=View("192.0.2.7", "all-up"))
    assert handed([one], info(1)) == Handed(Form.FLATTENED, View("192.0.2.7", "all-up"))
    assert handed([one], info(0, signed=True)) == Handed(Form.PRESIGNED)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Had a LUA record, has one, and had it."""
    return World(tmp_path)


ONCE = "www LUA A \"'192.0.2.1'\"\n"


class Asked:
    """What a client got: ``octets`` of all messages, and the reasons of refusals."""

    def __init__(
        self, world: World, access: TransferAccess, key: TsigKey | None, kind: str, serial: int = 1
    ) -> None:
        query = dns.message.make_query("example.org", kind, use_edns=False)
        if kind == "IXFR":
            text = f"ns1. h. {serial} 1 1 1 1"
            query.authority.append(dns.rrset.from_text("example.org.", 0, "IN", "SOA", text))
        wire = query.to_wire()
        if key is not None:
            wire, _ = sign(wire, key, NOW)
        self.told: list[Refusal] = []
        with world.opened() as bundle:
            opened = open_transfer(bundle, access, KEYS, wire, HERE, NOW, report=self.told.append)
            self.octets = b""
            if isinstance(opened, bytes):
                self.octets = opened
            elif opened is not None:
                self.octets = b"".join(opened.messages())
                opened.close()
            settings = ResponderSettings(tsig_keys=KEYS, access=access)
            responder = Responder(bundle, settings, {}, None)
            found = responder.respond(wire, HERE, NOW, tcp=False)
            self.over_udp = b"" if found is None else found.wire

    @property
    def rcode(self) -> int:
        return self.octets[3] & 15


@pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
@pytest.mark.parametrize("key", [None, KEY, OTHER])
@pytest.mark.parametrize("software", SOFTWARE)
@pytest.mark.parametrize("now_there", [True, False])
def test_no_octet_of_a_lua_record_leaves_for_others(
    world: World, now_there: bool, software: str, key: TsigKey | None, kind: str
) -> None:
    """Neither one that is there, nor one that is gone, which IXFR would tell of."""
    world.build(ONCE + ("" if now_there else "www TXT a\n"))
    before = world.serial()
    world.build((ONCE if now_there else "") + "www TXT b\n")
    access = TransferAccess((grant(software),), (LOOPBACK,), False)
    got = Asked(world, access, key, kind, before)
    powerdns = software.startswith("powerdns-") and key is KEY
    if powerdns and (now_there or kind == "IXFR"):
        if kind == "AXFR" or not now_there:
            assert LUA in got.octets
        return
    assert LUA not in got.octets
    assert LUA not in got.over_udp
    if not now_there:
        assert not got.told
        assert len(parse_message(got.octets[2:]).answer) > 3
    elif key is KEY:
        assert got.rcode == 2
        assert {one.reason for one in got.told} == {Reason.UNPUBLISHED}
    else:
        assert got.rcode == 5
        assert {one.reason for one in got.told} == {Reason.LUA}


def test_the_soa_of_a_zone_is_not_that_of_a_form_that_is_not_made(world: World) -> None:
    """Its serial would be taken for that of the form."""
    world.build(ONCE)
    access = TransferAccess((grant("bind"),), (LOOPBACK,), True)
    got = Asked(world, access, KEY, "SOA")
    assert got.over_udp[3] & 15 == 2
    assert Asked(world, access, None, "SOA").over_udp[3] & 15 == 0
