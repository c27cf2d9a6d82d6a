"""The messages of NOTIFY (RFC 1996) and of asking a secondary for its serial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lzc.wire import name as wire_name
from lzc.wire import rrtype, tsig
from lzc.wire.message import (
    AA,
    NOTAUTH,
    NOTIFY,
    NXDOMAIN,
    QUERY,
    REFUSED,
    SERVFAIL,
    FormatError,
    parse_message,
    question_end,
)
from lzc.wire.rdata import soa_serial
from lzc.wire.tsig import TsigKey, TsigResult

RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way: ``wire`` as sent, and the MAC that its answer's TSIG covers."""

    wire: bytes
    mac: bytes
    key: TsigKey | None


REFUSES_NOTIFY: Final = "refuses NOTIFY"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a secondary answered: its ``serial`` where it told one, else `None`; ``problem`` is
    empty when the answer is a good one, and else says what is wrong and why that may be, ``kind``
    in a few words of ours, of which there are not many."""

    problem: str = ""
    serial: int | None = None
    kind: str = ""


def notify(message_id: int, apex: bytes, key: TsigKey | None, now: float) -> Request:
    """NOTIFY of a change of the zone's SOA."""
    return _request(message_id, NOTIFY << 11 | AA, apex, key, now)


def ask_serial(message_id: int, apex: bytes, key: TsigKey | None, now: float) -> Request:
    """A query for the zone's SOA."""
    return _request(message_id, QUERY << 11, apex, key, now)


def _request(message_id: int, flags: int, apex: bytes, key: TsigKey | None, now: float) -> Request:
    wire = b"".join(
        (
            message_id.to_bytes(2, "big"),
            flags.to_bytes(2, "big"),
            b"\0\1\0\0\0\0\0\0",
            apex,
            rrtype.SOA.to_bytes(2, "big"),
            b"\0\1",
        )
    )
    if key is None:
        return Request(wire, b"", None)
    wire, mac = tsig.sign_request(wire, key, now)
    return Request(wire, mac, key)


def belongs(reply: bytes, request: Request) -> bool:
    """True when a datagram can be the answer to a request: same ID, opcode and question."""
    sent = request.wire
    end = question_end(sent)
    return (
        len(reply) >= 12
        and reply[:2] == sent[:2]
        and reply[2] & 0x80 != 0
        and reply[2] & 0x78 == sent[2] & 0x78
        and (reply[4:6] == b"\0\0" or reply[12:end].lower() == sent[12:end])
    )


def read(reply: bytes, request: Request, apex: bytes, now: float) -> Reply:
    """What an answer says, once its TSIG is checked (RFC 8945 §5.4). Never raises."""
    if request.key is not None:
        checked = tsig.verify_response(reply, request.key, request.mac, now)
        rcode = reply[3] & 15
        if not checked.ok and (checked.rr is not None or not rcode):
            return _tsig_problem(checked, request, request.key, now)
        if checked.rr is None:
            # NSD and Knot DNS do not sign that they do not have a zone.
            return _error(rcode, request, ", unsigned")
    try:
        message = parse_message(reply)
    except FormatError as error:
        return Reply(f"malformed answer: {error}", kind="malformed answer")
    if message.rcode:
        return _error(message.rcode, request)
    for rr in message.answer:
        if rr.rrtype == rrtype.SOA and rr.owner.lower() == apex and len(rr.rdata) >= 22:
            return Reply(serial=soa_serial(rr.rdata))
    return Reply()


def _error(rcode: int, request: Request, more: str = "") -> Reply:
    said = f"answered {RCODES.get(rcode, rcode)}{more}"
    if _is_notify(request):
        # Knot DNS says NOTAUTH, or up to 3.3 BADKEY, where its acl has another address. Who signs
        # it has let the sender in.
        if rcode == REFUSED or (rcode == NOTAUTH and (request.key is None or more)):
            why = "it has no such zone, or another address as its primary"
            return Reply(f"{said}, to NOTIFY: {why}", kind=REFUSES_NOTIFY)
        why = ": it has no such zone" if rcode in (NXDOMAIN, NOTAUTH) else ""
        return Reply(f"{said}, to NOTIFY{why}", kind=f"NOTIFY {rcode}")
    why = {
        REFUSED: ": it does not serve the zone",
        NOTAUTH: ": it has no such zone",
        NXDOMAIN: ": it has no such zone",
        SERVFAIL: ": it has no data of the zone, or cannot sign it",
    }.get(rcode, "")
    return Reply(f"{said}, to the query for the SOA{why}", kind=f"SOA {rcode}")


def _is_notify(request: Request) -> bool:
    return request.wire[2] & 0x78 == NOTIFY << 3


def _tsig_problem(checked: TsigResult, request: Request, key: TsigKey, now: float) -> Reply:
    """Why an answer cannot be believed; the other side may say so itself (RFC 8945 §5.2)."""
    name, rr = wire_name.to_text(key.name), checked.rr
    if rr is None:
        return Reply(f"its answer has no TSIG of key {name}", kind="TSIG missing")
    told = bool(rr.error)
    if checked.error == tsig.BADKEY:
        what = f"it does not know key {name} ({key.algorithm})"
        if told and _is_notify(request):
            what += ", or takes NOTIFY with it from another address only"
            return Reply(f"TSIG: {what}", kind=REFUSES_NOTIFY)
        if not told:
            what = f"its answer has another key than {name} ({key.algorithm})"
        return Reply(f"TSIG: {what}", kind="TSIG key")
    if checked.error == tsig.BADTIME:
        theirs = rr.time_signed
        if told and len(rr.other) == 6:
            theirs = int.from_bytes(rr.other, "big")
        ahead = theirs - int(now)
        where = "ahead of" if ahead > 0 else "behind"
        return Reply(f"TSIG: its clock is {abs(ahead)} s {where} ours", kind="TSIG time")
    if checked.error == tsig.BADSIG:
        return Reply(f"TSIG: it has another secret for key {name}", kind="TSIG secret")
    return Reply(f"TSIG of the answer is malformed or cut (key {name})", kind="TSIG malformed")


def is_current(theirs: int, ours: int) -> bool:
    """True when a secondary's serial is ours or a later one (RFC 1982 §3.2)."""
    return (theirs - ours) & 0xFFFFFFFF < 0x80000000
