"""Who was sent which zone, and who was turned away: counts for status, lines for the log.

Workers tell; here it is known which secondary is meant. Whoever sends packets can fill none of
this: tables have bounds, and so has what strangers make the log say.
"""

from __future__ import annotations

import ipaddress
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from lzc.answer.refusal import Reason
from lzc.answer.transfer_access import Grant, grant_of
from lzc.answer.transfer_kinds import Kind
from lzc.config import SecondarySection
from lzc.foreign_text import shown
from lzc.powerdns_versions import LUA_UPDATES, parse_version
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import QUIET, LineLimit, Quiet
from lzc.serve.observe.transfer_counts import TransferCounts
from lzc.serve.observe.transfer_report import ASKED, BROKEN_OFF, DONE, Event, events_of
from lzc.serve.observe.zone_transfers import AGAIN, HOUR, MOST, Measure, ZoneTable, ZoneTransfers
from lzc.wire import name as wire_name
from lzc.wire import rrtype

WORDS: Final = {
    DONE: "done",
    BROKEN_OFF: "given up by the secondary before the end",
    Reason.ADDRESS.value: "address not listed",
    Reason.NO_KEY.value: "without TSIG",
    Reason.CLEAR.value: "not over TLS",
    Reason.CERTIFICATE.value: "certificate",
    Reason.UNKNOWN_KEY.value: "unknown key",
    Reason.BAD_SIGNATURE.value: "wrong signature",
    Reason.BAD_TIME.value: "clock",
    Reason.MALFORMED_TSIG.value: "malformed TSIG",
    Reason.NOT_ITS_ZONE.value: "zone not for it",
    Reason.NO_ZONE.value: "no such zone here",
    Reason.NO_ROOM.value: "no room",
    Reason.LUA.value: "LUA records",
    Reason.UNPUBLISHED.value: "not made yet",
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
        Reason.NO_KEY.value: "it asked without TSIG, which tsig-required in [serve] wants;"
        " PowerDNS does for zones that a catalog brought, until its powerdns.sh is run again",
        Reason.CLEAR.value: f"{key}; it asked in the clear, and its [[secondary]] wants TLS: have"
        " it transfer from an address of tls-listen",
        Reason.CERTIFICATE.value: f"{key}; {event.detail}",
        Reason.UNKNOWN_KEY.value: f"{key} is not in lzc.toml, or has another algorithm there",
        Reason.BAD_SIGNATURE.value: f"the signature is wrong: {key} has another secret there; give"
        " it the one of lzc.toml, or this server that of it",
        Reason.BAD_TIME.value: f"{key}; its clock is {abs(event.ahead)} s {ahead} ours, and 300 s"
        " are allowed: set both by NTP",
        Reason.MALFORMED_TSIG.value: f"its TSIG record is malformed or cut ({key})",
        Reason.NOT_ITS_ZONE.value: f"{key}; zones of its [[secondary]] does not list {apex}",
        Reason.NO_ZONE.value: f"{key}; there is no zone {apex} here",
        Reason.NO_ROOM.value: "too many transfers at once: it is to ask again",
        Reason.LUA.value: f"{key}; {apex} has LUA records, which go to nobody but a [[secondary]]"
        ' whose software is powerdns-*; form = "flattened" of another gets answers in their place',
        Reason.UNPUBLISHED.value: f"{key}; the form of {apex} that it gets is not made yet, or"
        " [serve] publish is false here: it is to ask again",
    }[event.what]


def what(event: Event) -> str:
    """What was asked for."""
    soa = event.asked == rrtype.SOA
    kind = "query for the SOA" if soa else rrtype.to_text(event.asked)
    return f"{kind} of {shown(wire_name.to_text(event.apex))}"


def not_kept(section: SecondarySection, event: Event) -> str:
    """The setting for want of which a secondary may not keep a zone that it was sent; empty where
    there is none."""
    version = parse_version(section.software)
    updates = "enable-lua-record-updates=yes in its pdns.conf"
    if event.lua and version is not None and version >= LUA_UPDATES:
        return f"the zone has LUA records, for which it needs {updates}"
    if event.lua and section.software == "generic":
        return f"the zone has LUA records: PowerDNS from 5.1 on needs {updates}; else its log says"
    return ""


log = logging.getLogger("lzc")

STRANGERS: Final = 100
"""Addresses without a section of their own that are remembered."""
_LOOK_THERE: Final = "its log says why it does not keep it"
_LOG: Final = {
    "bind": f"{_LOOK_THERE}; too many records there means more than 100 records in an RRset, or 100"
    " types at a name: max-records-per-type 0 and max-types-per-name 0 in its options take them"
}
_UNPROVEN: Final = frozenset(
    one.value
    for one in (
        Reason.NO_KEY,
        Reason.UNKNOWN_KEY,
        Reason.BAD_SIGNATURE,
        Reason.BAD_TIME,
        Reason.MALFORMED_TSIG,
    )
)
"""What is said without a key that was verified."""


@dataclass(slots=True)
class Peer:
    """A secondary, or a stranger's address. Times are seconds since the epoch. ``kinds`` counts
    what it was sent, ``last`` is the last transfer, ``refusal`` the last time it was turned away;
    ``serials`` by zone and address: the serial sent last, how often in a row, and since when."""

    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    last: dict[str, Any] | None = None
    refusal: dict[str, Any] | None = None
    serials: dict[tuple[bytes, bytes], tuple[int, int, float]] = field(default_factory=dict)
    table: ZoneTable = field(default_factory=ZoneTable)
    hint: str = ""
    hint_at: float = 0.0

    def status(self, now: float) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        counts = dict(self.counts)
        return {
            "done": counts.pop(DONE, 0),
            "kinds": dict(self.kinds),
            "refused": counts,
            "last": self.last,
            "last_refusal": self.refusal,
            "hint": self.hint if now - self.hint_at < HOUR else "",
            "repeating": len(self.table.repeating(now)),
        }


class TransferWatch:
    """Of a server. ``sent`` is told of each whole transfer: name of the secondary, zone, serial,
    the setting for want of which it may not keep it, or nothing, and whether it can have been no
    other secondary; ``clock`` gives seconds since the epoch. ``told`` counts what workers told."""

    def __init__(
        self,
        sections: Sequence[SecondarySection],
        sent: Callable[[str, bytes, int, str, bool], None],
        clock: Callable[[], float],
    ) -> None:
        self._known: list[tuple[SecondarySection, Grant, Peer]] = [
            (section, grant_of(section), Peer()) for section in sections
        ]
        self._sent = sent
        self._clock = clock
        self._strangers: dict[bytes, Peer] = {}
        self._quiet = Quiet(most=10 * STRANGERS)
        self._lines = LineLimit("refused: %d more strangers", seconds=QUIET)
        self.counts = TransferCounts()
        self.told = 0

    def follow(self, sections: Sequence[SecondarySection]) -> None:
        """These are the secondaries from now on; what is known of those that stay, by name and
        address, is kept."""
        peers = {(one.name, one.address): peer for one, _, peer in self._known}
        self._known = [
            (section, grant_of(section), peers.get((section.name, section.address)) or Peer())
            for section in sections
        ]

    def take(self, message: dict[str, Any]) -> None:
        """A worker tells."""
        events = events_of(message)
        # What is kept for the next start is none the other for a query.
        self.told += any(event.what != ASKED for event, _, _ in events)
        for event, measure, count in events:
            self._take(event, measure, count)

    def status_of(self, section: SecondarySection) -> dict[str, Any]:
        """What is known of a secondary."""
        peer = next(peer for one, _, peer in self._known if one is section)
        return peer.status(self._clock())

    def strangers(self) -> list[dict[str, Any]]:
        """Who is no secondary and was turned away, the latest first."""
        now = self._clock()
        return [
            {"address": _text(client), **peer.status(now)}
            for client, peer in reversed(self._strangers.items())
        ]

    def last_transfers(self) -> dict[tuple[str, str], float]:
        """When each secondary, by name and address, was sent a zone last, in seconds since the
        epoch; without those that never were."""
        return {
            (section.name, section.address): peer.last["at"]
            for section, _, peer in self._known
            if peer.last is not None
        }

    def table_of(self, section: SecondarySection) -> ZoneTable:
        """What is known of the transfers of its zones."""
        return next(peer.table for one, _, peer in self._known if one is section)

    def kept_of(
        self, section: SecondarySection
    ) -> tuple[dict[str, Any] | None, dict[str, Any] | None, ZoneTable]:
        """What is kept of a secondary for the next start: the last transfer, the last refusal, and
        its zones."""
        peer = next(peer for one, _, peer in self._known if one is section)
        return peer.last, peer.refusal, peer.table

    def restore(
        self,
        section: SecondarySection,
        last: dict[str, Any] | None,
        refusal: dict[str, Any] | None,
        zones: Mapping[bytes, ZoneTransfers],
    ) -> None:
        """Begin with what was kept of a secondary."""
        peer = next(peer for one, _, peer in self._known if one is section)
        peer.last, peer.refusal = last, refusal
        peer.table.zones.update(islice(zones.items(), MOST))

    def _take(self, event: Event, measure: Measure | None, count: int) -> None:
        meant = self._meant(event)
        if event.what in (ASKED, DONE):
            for _, _, peer in meant:
                peer.table.ask(event.apex, self._clock())
        if event.what == ASKED:
            return
        self.counts.note([section.name for section, _, _ in meant], event, count)
        if measure is not None and event.what == DONE:
            self.counts.note_measure([section.name for section, _, _ in meant], measure, count)
        names = ", ".join(shown(section.name) for section, _, _ in meant)
        peers = [peer for _, _, peer in meant] or [self._stranger(event.client)]
        for peer in peers:
            if event.what == DONE and event.kind:
                peer.kinds[event.kind] += count
            if event.kind != Kind.UP_TO_DATE:
                self._note(peer, event, count)
        if event.kind == Kind.UP_TO_DATE:
            return
        for _, _, peer in meant:
            self._note_zone(peer, event, measure)
        if event.what != DONE:
            self._say(names, event, count)
            return
        for section, _, peer in meant:
            self._look_for_repeats(section, peer, event, len(meant), count)
            hint = not_kept(section, event)
            self._sent(section.name, event.apex, event.serial, hint, len(meant) == 1)

    def _meant(self, event: Event) -> list[tuple[SecondarySection, Grant, Peer]]:
        """The secondaries that an event is about: by address and key, by address alone, or by a key
        that was verified. Of several, those that list the zone; who shares all of it is counted
        with the others."""
        address = ipaddress.ip_address(event.client)
        address = getattr(address, "ipv4_mapped", None) or address
        key = event.key or None
        near = [one for one in self._known if one[1].holds(address)]
        meant = [one for one in near if one[1].key == key] or near
        if not meant and key is not None and event.what not in _UNPROVEN:
            meant = [one for one in self._known if one[1].key == key]
        return [one for one in meant if one[1].names(event.apex)] or meant

    def _stranger(self, client: bytes) -> Peer:
        peer = self._strangers.pop(client, None) or Peer()
        if len(self._strangers) >= STRANGERS:
            del self._strangers[next(iter(self._strangers))]
        self._strangers[client] = peer
        return peer

    def _note(self, peer: Peer, event: Event, count: int) -> None:
        peer.counts[event.what] += count
        about = {"zone": wire_name.to_text(event.apex), "at": self._clock()}
        if event.what == DONE:
            peer.last = {**about, "serial": event.serial, "kind": event.kind}
        else:
            peer.refusal = {**about, "reason": event.what, "why": why(event)}

    def _note_zone(self, peer: Peer, event: Event, measure: Measure | None) -> None:
        zone = peer.table.touch(event.apex)
        if event.what != DONE:
            zone.error, zone.error_at = why(event), self._clock()
            return
        zone.serial, zone.measure, zone.at = event.serial, measure, self._clock()
        zone.kind = event.kind or rrtype.to_text(event.asked)

    def _look_for_repeats(
        self, section: SecondarySection, peer: Peer, event: Event, shared: int, count: int
    ) -> None:
        now = self._clock()
        place = event.apex, event.client
        serial, times, since = peer.serials.pop(place, (-1, 0, now))
        if serial != event.serial or now - since > HOUR:
            times, since = 0, now
        times += count
        if len(peer.serials) >= MOST:
            del peer.serials[next(iter(peer.serials))]
        peer.serials[place] = event.serial, times, since
        kept = peer.table.touch(event.apex)
        kept.times, kept.since, kept.hint = times, since, ""
        if times < AGAIN * shared:
            return
        zone = wire_name.to_text(event.apex)
        kept.hint = not_kept(section, event) or _LOG.get(section.software, _LOOK_THERE)
        hint = f"takes {zone} serial {event.serial} again and again: {kept.hint}"
        if hint != peer.hint or now - peer.hint_at >= HOUR:
            log.warning(
                "secondary %s (%s): %s (%d times in %d s)",
                shown(section.name),
                section.address,
                hint,
                times,
                now - since,
                extra=about(**_about(event), secondary=section.name, address=section.address),
            )
        peer.hint, peer.hint_at = hint, now

    def _say(self, names: str, event: Event, count: int) -> None:
        now = self._clock()
        address = _text(event.client)
        kind = names or address, event.what
        if self._quiet.keeps(kind, now, count) or not (names or self._lines.admits(now)):
            return
        who = f"secondary {names} ({address})" if names else address
        again = self._quiet.begin(kind, now)
        log.warning(
            "refused: %s to %s: %s%s",
            *(what(event), who, why(event), again),
            extra=about(**_about(event), secondary=names),
        )

    def look(self, now: float) -> None:
        """Tell of what was kept out of the log, once its time is over; ``now`` is the clock's."""
        self._lines.look(now)
        for kind, more in self._quiet.over(now):
            who, reason = kind if isinstance(kind, tuple) else ("others", "")
            log.warning(
                "refused: %s: %s, %d more times",
                *(who, WORDS.get(reason, "various reasons"), more),
                extra=about(peer=who, reason=reason, more=more),
            )


def _about(event: Event) -> dict[str, object]:
    """What a line about it is about."""
    return {
        "zone": wire_name.to_text(event.apex),
        "peer": _text(event.client),
        "key": wire_name.to_text(event.key) if event.key else None,
        "reason": event.what,
        "serial": event.serial or None,
    }


def _text(client: bytes) -> str:
    return str(ipaddress.ip_address(client))
