"""The messages of NOTIFY (RFC 1996) and of asking a secondary for its serial."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
_NO_SOA: Final = {
    REFUSED: ": it does not serve the zone",
    NOTAUTH: ": it has no such zone",
    NXDOMAIN: ": it has no such zone",
    SERVFAIL: ": it has no data of the zone, or cannot sign it",
}
REFUSES_NOTIFY: Final = "refuses NOTIFY"
NO_ZONE: Final = "no such zone"
_KEY: Final = "TSIG key"
REFUSES_SOA: Final = f"SOA {REFUSED}"
_SOA_IN: Final = rrtype.SOA.to_bytes(2, "big") + b"\0\1"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a secondary answered: its ``serial`` where it told one, else `None`; ``problem`` is
    empty when the answer is a good one, and else says what is wrong and why that may be, ``kind``
    in a few words of ours, of which there are not many. ``said`` is what of it stands in the
    answer, without a reason, and ``rcode`` its RCODE, where there is one to go by; ``why_key`` says
    what may be with the key."""

    problem: str = ""
    serial: int | None = None
    kind: str = ""
    said: str = ""
    rcode: int | None = None
    why_key: str = ""


class Request:
    """A request on its way: NOTIFY of a change of the zone's SOA, or a query for that. NOTIFY has
    the new SOA record (RFC 1996 §3.7) where its RDATA and TTL, ``soa``, are given: who has that
    serial already need not ask. ``wire`` is as sent at ``now``, seconds since the epoch.
    ``software`` is what answers, as `lzc.config.SecondarySection` has it: what is meant depends on
    it."""

    __slots__ = ("_apex", "_key", "_mac", "_polls", "_software", "wire")

    def __init__(
        self,
        message_id: int,
        apex: bytes,
        key: TsigKey | None,
        now: float,
        *,
        polls: bool,
        soa: tuple[int, bytes] | None = None,
        software: str = "generic",
    ) -> None:
        flags = QUERY << 11 if polls else NOTIFY << 11 | AA
        question = apex + _SOA_IN
        counts, answer = b"\0\1\0\0\0\0\0\0", b""
        if soa is not None and not polls:
            ttl, rdata = soa
            counts = b"\0\1\0\1\0\0\0\0"
            size = len(rdata).to_bytes(2, "big")
            answer = b"\xc0\x0c" + _SOA_IN + ttl.to_bytes(4, "big") + size + rdata
        head = message_id << 16 | flags
        self.wire = head.to_bytes(4, "big") + counts + question + answer
        self._apex = apex
        self._key = key
        self._polls = polls
        self._software = software
        self._mac = b""
        if key is not None:
            self.wire, self._mac = tsig.sign(self.wire, key, now)

    def is_answered_by(self, reply: bytes) -> bool:
        """True when a datagram can be the answer: same ID, opcode and question."""
        sent = self.wire
        end = question_end(sent)
        return (
            len(reply) >= 12
            and reply[:2] == sent[:2]
            and reply[2] & 0x80 != 0
            and reply[2] & 0x78 == sent[2] & 0x78
            and (reply[4:6] == b"\0\0" or reply[12:end].lower() == sent[12:end])
        )

    def read(self, reply: bytes, now: float) -> Reply:
        """What an answer says, once its TSIG is checked (RFC 8945 §5.4). Never raises."""
        if self._key is not None:
            checked = tsig.verify_response(reply, self._key, self._mac, now)
            rcode = reply[3] & 15
            if not checked.ok and (checked.rr is not None or not rcode):
                return self._tsig_problem(checked, self._key, now)
            if checked.rr is None:
                # NSD and Knot DNS do not sign that they do not have a zone.
                return self._error(rcode, ", unsigned")
        try:
            message = parse_message(reply)
        except FormatError as error:
            return Reply(f"malformed answer: {error}", kind="malformed answer")
        if message.rcode:
            return self._error(message.rcode)
        for rr in message.answer:
            if rr.rrtype == rrtype.SOA and rr.owner.lower() == self._apex and len(rr.rdata) >= 22:
                return Reply(serial=soa_serial(rr.rdata))
        return Reply()

    def _error(self, rcode: int, more: str = "") -> Reply:
        said = f"answered {RCODES.get(rcode, rcode)}{more}"
        secret = ""
        if more and rcode == NOTAUTH and self._key is not None:
            # So does PowerDNS where it does not take the TSIG, and signs that it has no zone.
            secret = f"it has another secret for key {wire_name.to_text(self._key.name)}"
            if self._software.startswith("powerdns"):
                what = f"{said}: {secret}, or its clock is off: set both alike"
                return Reply(f"TSIG: {what}", kind="TSIG secret")
            if self._software != "generic":
                secret = ""
        if self._polls:
            why = _NO_SOA.get(rcode, "")
            said = f"{said}, to the query for the SOA"
            return Reply(f"{said}{why}", kind=f"SOA {rcode}", said=said, rcode=rcode)
        said = f"{said}, to NOTIFY"
        # Knot DNS says NOTAUTH, or up to 3.3 BADKEY, where its acl has another address. Who signs
        # it has let the sender in.
        if rcode == REFUSED or (rcode == NOTAUTH and (self._key is None or more)):
            why = "it has no such zone, or another address as its primary"
            why = f"{secret}, or {why}" if secret else why
            return Reply(
                f"{said}: {why}", kind=REFUSES_NOTIFY, said=said, rcode=rcode, why_key=secret
            )
        if rcode in (NXDOMAIN, NOTAUTH):
            return Reply(f"{said}: it has no such zone", kind=NO_ZONE, said=said, rcode=rcode)
        return Reply(said, kind=f"NOTIFY {rcode}", said=said, rcode=rcode)

    def _tsig_problem(self, checked: TsigResult, key: TsigKey, now: float) -> Reply:
        """Why an answer cannot be believed; the other side may say so itself (RFC 8945 §5.2)."""
        name, rr = wire_name.to_text(key.name), checked.rr
        if rr is None:
            return Reply(f"its answer has no TSIG of key {name}", kind="TSIG missing")
        told = bool(rr.error)
        if checked.error == tsig.BADKEY:
            what = f"it does not know key {name} ({key.algorithm})"
            if told and not self._polls:
                what += ", or takes NOTIFY with it from another address only"
                return Reply(
                    f"TSIG: {what}", kind=REFUSES_NOTIFY, said="answered BADKEY, to NOTIFY"
                )
            if not told:
                what = f"its answer has another key than {name} ({key.algorithm})"
            return Reply(f"TSIG: {what}", kind=_KEY)
        if checked.error == tsig.BADTIME:
            theirs = rr.time_signed
            if told and len(rr.other) == 6:
                theirs = int.from_bytes(rr.other, "big")
            ahead = theirs - int(now)
            where = "ahead of" if ahead > 0 else "behind"
            what = f"its clock is {abs(ahead)} s {where} ours: set both by NTP"
            return Reply(f"TSIG: {what}", kind="TSIG time")
        if checked.error == tsig.BADSIG:
            what = f"it has another secret for key {name}: give both the same"
            return Reply(f"TSIG: {what}", kind="TSIG secret")
        return Reply(f"TSIG of the answer is malformed or cut (key {name})", kind="TSIG malformed")


def is_about_the_key(asked: Reply) -> bool:
    """Whether an answer to a query for the SOA says that the key is not taken, or not from here."""
    return asked.kind == _KEY or asked.rcode == NOTAUTH


def refusal_explained(refused: Reply, asked: Reply) -> Reply:
    """What a secondary means that ``refused`` NOTIFY, once it was ``asked`` for the SOA: whether it
    has no such zone, or takes NOTIFY for it from another address only."""
    key = f"{refused.why_key}, or " if refused.why_key else ""
    if asked.serial is not None:
        why = (
            f"{refused.said}, though it has the zone (serial {asked.serial}): {key}it takes NOTIFY"
            " for it from another address only"
        )
        return replace(refused, problem=why, serial=asked.serial, kind=REFUSES_NOTIFY)
    if asked.rcode == SERVFAIL:
        why = (
            f"{refused.said}, and has no data of the zone: {key}it takes NOTIFY for it from another"
            " address only, and transfers from there"
        )
        return replace(refused, problem=why, kind=REFUSES_NOTIFY)
    if asked.rcode in (REFUSED, NOTAUTH, NXDOMAIN):
        rcode = RCODES[asked.rcode]
        why = f"{refused.said}, and {rcode} to the query for the SOA: {key}it has no such zone"
        return replace(refused, problem=why, kind=NO_ZONE)
    # Of a key that it does not know, say.
    return asked if asked.problem else refused


def is_current(theirs: int, ours: int) -> bool:
    """True when a secondary's serial is ours or a later one (RFC 1982 §3.2)."""
    return (theirs - ours) & 0xFFFFFFFF < 0x80000000
