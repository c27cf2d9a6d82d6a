"""What became of transfers, in plain words."""

from __future__ import annotations

from typing import Final

from lzc.answer.refusal import Reason
from lzc.config import SecondarySection
from lzc.foreign_text import shown
from lzc.lua.definition.versions import parse_version
from lzc.serve.observe.transfer_report import BROKEN_OFF, DONE, Event
from lzc.wire import name as wire_name
from lzc.wire import rrtype

LUA_UPDATES: Final = (5, 1)
"""Since this version PowerDNS refuses zones with LUA records where no setting allows them."""

WORDS: Final = {
    DONE: "done",
    BROKEN_OFF: "given up by the secondary before the end",
    Reason.ADDRESS.value: "address not listed",
    Reason.NO_KEY.value: "without TSIG",
    Reason.UNKNOWN_KEY.value: "unknown key",
    Reason.BAD_SIGNATURE.value: "wrong signature",
    Reason.BAD_TIME.value: "clock",
    Reason.MALFORMED_TSIG.value: "malformed TSIG",
    Reason.NOT_ITS_ZONE.value: "zone not for it",
    Reason.NO_ZONE.value: "no such zone here",
    Reason.NO_ROOM.value: "no room",
}
"""For counts; the order is that of status."""


def why(event: Event) -> str:
    """Why there was no transfer, and what to do."""
    key = f"key {shown(wire_name.to_text(event.key))}" if event.key else "no TSIG key"
    apex = shown(wire_name.to_text(event.apex))
    ahead = "ahead of" if event.ahead > 0 else "behind"
    return {
        BROKEN_OFF: f"serial {event.serial} was given up before its end: its log says why",
        Reason.ADDRESS.value: f"{key}, but no [[secondary]] with it has this address in address or"
        " allow-from",
        Reason.NO_KEY.value: "it asked without TSIG, which tsig-required in [serve] wants",
        Reason.UNKNOWN_KEY.value: f"{key} is not in lzc.toml, or has another algorithm there",
        Reason.BAD_SIGNATURE.value: f"the signature is wrong: {key} has another secret there",
        Reason.BAD_TIME.value: f"{key}; its clock is {abs(event.ahead)} s {ahead} ours",
        Reason.MALFORMED_TSIG.value: f"its TSIG record is malformed or cut ({key})",
        Reason.NOT_ITS_ZONE.value: f"{key}; zones of its [[secondary]] does not list {apex}",
        Reason.NO_ZONE.value: f"{key}; there is no zone {apex} here",
        Reason.NO_ROOM.value: "too many transfers at once: it is to ask again",
    }[event.what]


def what(event: Event) -> str:
    """What was asked for."""
    asked = rrtype.to_text(event.asked)
    kind = "query for the SOA" if event.asked == rrtype.SOA else f"{asked}"
    return f"{kind} of {shown(wire_name.to_text(event.apex))}"


def repeated(section: SecondarySection, event: Event) -> str:
    """Why a secondary may take the same serial again and again."""
    version = parse_version(section.software)
    updates = "enable-lua-record-updates=yes in its pdns.conf"
    if event.lua and version is not None and version >= LUA_UPDATES:
        return f"the zone has LUA records, for which it needs {updates}"
    if event.lua and section.software == "generic":
        return f"the zone has LUA records: PowerDNS from 5.1 on needs {updates}; else its log says"
    return "its log says why it does not keep it"
