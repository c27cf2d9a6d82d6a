"""The messages of NOTIFY (RFC 1996) and of asking a secondary for its serial."""

from __future__ import annotations

from dataclasses import dataclass

from lzc.wire import rrtype, tsig
from lzc.wire.message import AA, NOTIFY, QUERY, FormatError, parse_message
from lzc.wire.tsig import TsigKey

RCODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}


@dataclass(frozen=True, slots=True)
class Request:
    """A request on its way: ``wire`` as sent, and the MAC that its answer's TSIG covers."""

    wire: bytes
    mac: bytes
    key: TsigKey | None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a secondary answered: its ``serial`` where it told one, else `None`; ``problem`` is
    empty when the answer is a good one."""

    problem: str = ""
    serial: int | None = None


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
    end = _question_end(sent)
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
        if not checked.ok:
            rcode = reply[3] & 15
            refused = f", the answer says {RCODES.get(rcode, rcode)}" if rcode else ""
            return Reply(f"TSIG of the answer does not verify{refused}: check key and clocks")
    try:
        message = parse_message(reply)
    except FormatError as error:
        return Reply(f"malformed answer: {error}")
    if message.rcode:
        return Reply(f"answered {RCODES.get(message.rcode, message.rcode)}")
    for rr in message.answer:
        if rr.rrtype == rrtype.SOA and rr.owner.lower() == apex and len(rr.rdata) >= 22:
            return Reply(serial=int.from_bytes(rr.rdata[-20:-16], "big"))
    return Reply()


def _question_end(wire: bytes) -> int:
    position = 12
    while wire[position]:
        position += 1 + wire[position]
    return position + 5


def is_current(theirs: int, ours: int) -> bool:
    """True when a secondary's serial is ours or a later one (RFC 1982 §3.2)."""
    return (theirs - ours) & 0xFFFFFFFF < 0x80000000
