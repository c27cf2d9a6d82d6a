"""What answers to NOTIFY and to queries for the SOA mean, in plain words."""

from __future__ import annotations

import time

import dns.message
import dns.opcode
import dns.tsig
import pytest

from lzc.serve.notify.message import (
    NO_ZONE,
    REFUSES_NOTIFY,
    Reply,
    Request,
    refusal_explained,
)
from lzc.wire import message, tsig
from lzc.wire.compose import compose
from lzc.wire.message import parse_query
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey

KEY = TsigKey(from_text("transfer.example."), "hmac-sha256", b"0123456789abcdef0123456789abcdef")
OTHER = TsigKey(KEY.name, "hmac-sha256", bytes(32))
APEX = from_text("example.org.")
NOW = 1_800_000_000.0


def answer(
    request: Request, rcode: int, keys: dict[bytes, TsigKey] | None, ahead: float = 0.0
) -> Reply:
    """What is read from the answer of a secondary with these TSIG keys, whose clock is ``ahead``;
    `None`: it does not sign."""
    asked = parse_query(request.wire)
    checked = tsig.verify_request(asked, keys or {}, NOW + ahead)
    wrong = keys is not None and not checked.ok
    flags = message.QR | asked.opcode << 11 | (checked.rcode if wrong else rcode)
    wire = compose(asked.id, flags, asked.question)
    if keys is not None:
        wire = tsig.sign_response(wire, checked, NOW + ahead)
    return request.read(wire, NOW)


def told(software: str = "knot") -> Request:
    return Request(1, APEX, KEY, NOW, polls=False, software=software)


def asked(software: str = "knot") -> Request:
    return Request(1, APEX, KEY, NOW, polls=True, software=software)


@pytest.mark.parametrize("rcode", [message.NXDOMAIN, message.NOTAUTH])
def test_that_there_is_no_such_zone_is_told_also_where_the_answer_is_not_signed(rcode: int) -> None:
    """NSD says NXDOMAIN and Knot DNS NOTAUTH, without TSIG; BIND signs its NOTAUTH."""
    unsigned = answer(told(), rcode, None)
    # Knot DNS says the same to who is not in its acl.
    or_else = ", or another address as its primary" if rcode == message.NOTAUTH else ""
    assert unsigned.problem.endswith(f"unsigned, to NOTIFY: it has no such zone{or_else}")
    assert (unsigned.kind == REFUSES_NOTIFY) == bool(or_else)
    signed = answer(told(), rcode, {KEY.name: KEY})
    assert signed.problem.endswith("to NOTIFY: it has no such zone")
    for reply in (unsigned, signed):
        assert "clock" not in reply.problem
        assert "key" not in reply.problem


def test_notauth_of_powerdns_without_tsig_is_about_the_key() -> None:
    """It signs that it has no such zone; of other software it may be either."""
    secret = "it has another secret for key transfer.example., or "
    for request in (told("powerdns-5.1"), asked("powerdns-4.7")):
        reply = answer(request, message.NOTAUTH, None)
        assert reply.kind == "TSIG secret"
        assert f"{secret}its clock is off: set both alike" in reply.problem
        assert "no such zone" not in reply.problem
    generic = answer(told("generic"), message.NOTAUTH, None)
    assert generic.kind == REFUSES_NOTIFY
    assert generic.problem.endswith(
        f"{secret}it has no such zone, or another address as its primary"
    )
    why = refusal_explained(generic, answer(asked("generic"), message.REFUSED, {KEY.name: KEY}))
    assert f", and REFUSED to the query for the SOA: {secret}it has no such zone" in why.problem


def test_refused_notify_has_two_reasons() -> None:
    reply = answer(told(), message.REFUSED, {KEY.name: KEY})
    assert reply.kind == REFUSES_NOTIFY
    assert "no such zone, or another address as its primary" in reply.problem


def test_refused_soa_is_another_matter() -> None:
    reply = answer(asked(), message.REFUSED, {KEY.name: KEY})
    assert reply.kind != REFUSES_NOTIFY
    assert reply.problem == "answered REFUSED, to the query for the SOA: it does not serve the zone"


def test_what_is_wrong_with_tsig_is_told() -> None:
    assert answer(asked(), 0, {}).problem == (
        "TSIG: it does not know key transfer.example. (hmac-sha256)"
    )
    unknown = answer(told(), 0, {})
    assert unknown.problem == (
        "TSIG: it does not know key transfer.example. (hmac-sha256), or takes NOTIFY with it from"
        " another address only"
    )
    assert unknown.kind == REFUSES_NOTIFY
    assert answer(told(), 0, {KEY.name: OTHER}).problem == (
        "TSIG: it has another secret for key transfer.example.: give both the same"
    )
    assert answer(told(), 0, {KEY.name: KEY}, 1000).problem == (
        "TSIG: its clock is 1000 s ahead of ours: set both by NTP"
    )
    assert answer(told(), 0, {KEY.name: KEY}, -1000).problem == (
        "TSIG: its clock is 1000 s behind ours: set both by NTP"
    )
    assert answer(told(), 0, None).problem == "its answer has no TSIG of key transfer.example."


def test_a_good_answer_is_no_problem() -> None:
    assert answer(told(), 0, {KEY.name: KEY}) == Reply()


def soa(serial: int) -> tuple[int, bytes]:
    numbers = (serial, 7200, 900, 1209600, 300)
    return 3600, APEX + APEX + b"".join(number.to_bytes(4, "big") for number in numbers)


def test_notify_has_the_new_soa() -> None:
    """So that who has that serial need not ask (RFC 1996 §3.7)."""
    now = time.time()
    made = Request(1, APEX, KEY, now, polls=False, soa=soa(4294967295))
    found = dns.message.from_wire(
        made.wire,
        keyring=dns.tsig.Key("transfer.example.", KEY.secret, "hmac-sha256"),
        request_mac=b"",
    )
    assert found.opcode() == dns.opcode.NOTIFY
    [rrset] = found.answer
    assert (rrset.ttl, rrset[0].serial, rrset.name.to_text()) == (3600, 4294967295, "example.org.")
    assert not dns.message.from_wire(
        Request(1, APEX, None, NOW, polls=True, soa=soa(7)).wire
    ).answer, "a query has none"


@pytest.mark.parametrize(
    ("refused", "asked_for_soa", "kind", "told_why"),
    [
        ("REFUSED", Reply(serial=7), REFUSES_NOTIFY, ", though it has the zone (serial 7): it"),
        ("REFUSED", "REFUSED", NO_ZONE, ", and REFUSED to the query for the SOA: it has no such"),
        ("NOTAUTH", "REFUSED", NO_ZONE, ", and REFUSED to the query for the SOA: it has no such"),
        ("NOTAUTH", "SERVFAIL", REFUSES_NOTIFY, ", and has no data of the zone: it takes NOTIFY"),
        ("BADKEY", Reply(serial=7), REFUSES_NOTIFY, ", though it has the zone (serial 7): it"),
    ],
)
def test_why_notify_was_refused_is_known_from_its_answer_to_a_query(
    refused: str, asked_for_soa: str | Reply, kind: str, told_why: str
) -> None:
    if refused == "BADKEY":
        first = answer(told(), 0, {})
    else:
        first = answer(
            told(), getattr(message, refused), None if refused == "NOTAUTH" else {KEY.name: KEY}
        )
    assert first.kind == REFUSES_NOTIFY
    second = asked_for_soa
    if isinstance(second, str):
        second = answer(asked(), getattr(message, second), {KEY.name: KEY})
    why = refusal_explained(first, second)
    assert (why.kind, why.serial) == (kind, second.serial)
    assert why.problem.startswith(f"answered {refused}")
    assert told_why in why.problem
