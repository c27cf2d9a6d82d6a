"""The secondaries of a server: NOTIFY until they have each new serial, and what became of their
transfers. Here are the sockets and the timer; `lzc.serve.notify.secondary` says when what is to be
sent."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from lzc.config import SecondarySection, parse_endpoint
from lzc.serve.notify.forms_told import FormsTold
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.observe.transfer_watch import TransferWatch
from lzc.serve.transport.sockets import is_own, leaves_from
from lzc.wire.tsig import TsigKey

if TYPE_CHECKING:
    from lzc.serve.notify.secondary import NotifiedSecondary, NotifyTimes
    from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary

log = logging.getLogger("lzc")

_READ_BURST: Final = 256
FORMS: Final = 200
"""Zones of a secondary whose forms its status lists."""


class Secondaries:
    """Those of these ``sections``; ``notified`` are the ones that get NOTIFY, from `start` on, and
    ``transfers`` is told what workers tell of these. ``counts`` has requests by name of the
    secondary, ``notify`` or ``soa``, and what became of them: ``sent``, ``unsent``, ``answered`` or
    ``refused``, which is every answer that is none to rely on. ``unsaved`` says why what is known
    cannot be saved for the next start, where that is so."""

    def __init__(self, sections: Sequence[SecondarySection]) -> None:
        self.sections = sections
        self.forms = FormsTold(sections)
        self._serials: Mapping[bytes, int] = {}
        self._soas: Mapping[bytes, tuple[int, bytes]] | None = None
        self.transfers = TransferWatch(sections, self._transferred, clock=time.time)
        self.notified: list[NotifiedSecondary] = []
        self._sockets: dict[tuple[int, str], socket.socket] = {}
        self._by_id: dict[tuple[int, str, int], tuple[NotifiedSecondary, ZoneAtSecondary]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._errors = ErrorLog()
        self._notify: Callable[[SecondarySection, Mapping[bytes, TsigKey]], NotifiedSecondary]
        self.counts: Counter[tuple[str, str, str]] = Counter()
        self.unsaved = ""

    def start(
        self,
        keys: Mapping[bytes, TsigKey],
        times: NotifyTimes | None = None,
        *,
        sources: Sequence[str] = (),
        listen: Sequence[str] = (),
    ) -> None:
        """Send NOTIFY from now on, signed with these keys. ``sources`` are the addresses of
        ``notify-source``, ``listen`` the endpoints that the server is bound to. Needs a running
        event loop."""
        # Here, as no answer waits for it.
        from lzc.serve.notify.secondary import NotifiedSecondary

        self._loop = asyncio.get_running_loop()
        self._sources = sources
        self._listen = listen
        self._notify = lambda section, keys: NotifiedSecondary(section, keys, times, random.random)
        self.notified = [self._notify(section, keys) for section in self.sections if section.notify]

    def follow(
        self,
        sections: Sequence[SecondarySection],
        keys: Mapping[bytes, TsigKey],
        sources: Sequence[str],
    ) -> None:
        """These are the secondaries, secrets and sources from now on; those that are as they were
        go on with what is known of them, and all others begin anew with `update`."""
        known = {(one.section.name, one.section.address): one for one in self.notified}
        self.notified = []
        for section in sections:
            before = known.get((section.name, section.address))
            if before is not None and before.section == section:
                del known[section.name, section.address]
                # Status looks them up by the very section.
                before.section = section
                self.notified.append(before)
            elif section.notify:
                self.notified.append(self._notify(section, keys))
        for gone in known.values():
            for zone in gone.zones.values():
                self._forget(gone, zone)
        self.sections = sections
        self.transfers.follow(sections)
        self.forms.follow(sections)
        if list(sources) != list(self._sources):
            # What is under way is asked again, from where it is to come from.
            self._close_sockets()
            self._sources = sources
        self.take_keys(keys)

    def take_keys(self, keys: Mapping[bytes, TsigKey]) -> None:
        """Sign with these secrets from now on."""
        for secondary in self.notified:
            secondary.take_keys(keys)
        self._go_on()

    def update(
        self, serials: Mapping[bytes, int], soas: Mapping[bytes, tuple[int, bytes]] | None = None
    ) -> None:
        """Take the zones and serials of a bundle; zones whose serial is new are told. ``soas`` are
        TTL and RDATA of their SOA records, as far as they are known."""
        self._serials, self._soas = serials, soas
        self.tell_forms()

    def tell_forms(self) -> None:
        """Tell who gets zones in forms of their own, of which some are new."""
        soas = self._soas
        for secondary in self.notified:
            serials = self.forms.serials(secondary.section, self._serials)
            told = soas
            if soas is not None and serials is not self._serials:
                told = {
                    apex: soa
                    for apex, soa in soas.items()
                    if serials.get(apex) == self._serials.get(apex)
                }
            for zone in secondary.update(serials, self._loop.time(), told):
                self._forget(secondary, zone)
        self._go_on()

    def remind(self) -> None:
        """A worker was lost, and with it questions of secondaries: tell those that are behind."""
        for secondary in self.notified:
            secondary.remind()
        self._go_on()

    def mark(self) -> tuple[int, int]:
        """Another one than before where something was heard or sent since."""
        return sum(self.counts.values()), self.transfers.told

    def status(self) -> list[dict[str, Any]]:
        """What is known of each, whether or not it gets NOTIFY."""
        told = {
            (one.section.name, one.section.address): one.status(self._loop.time())
            for one in self.notified
        }
        return [
            {
                "name": section.name,
                "address": section.address,
                **told.get((section.name, section.address), {}),
                "notify": section.notify,
                "forms": self.forms.forms_of(section)[:FORMS],
                "transfers": self.transfers.status_of(section),
            }
            for section in self.sections
        ]

    def close(self) -> None:
        """Send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self._close_sockets()

    def _close_sockets(self) -> None:
        for sock in self._sockets.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def look(self) -> None:
        """Tell of what was kept out of the log, once its time is over."""
        for secondary in self.notified:
            secondary.look(self._loop.time())
            self._log_words(secondary)
        self._errors.look(time.monotonic())
        self.transfers.look(time.time())

    def _transferred(self, name: str, apex: bytes, serial: int, hint: str, alone: bool) -> None:
        """The secondary of this name was sent a zone; ``hint`` says why it may not keep it. Not
        ``alone``: it or another of the same address and key."""
        for secondary in self.notified:
            if secondary.section.name == name:
                secondary.transferred(apex, serial, self._loop.time(), hint, alone)
        self._go_on()

    def _go_on(self) -> None:
        """Send what is to be sent now, log what there is to say, and set the timer."""
        due = []
        for secondary in self.notified:
            for zone in secondary.orders(self._loop.time()):
                self._send(secondary, zone)
            self._log_words(secondary)
            if (when := secondary.next_due()) is not None:
                due.append(when)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(min(due), self._go_on) if due else None

    def _log_words(self, secondary: NotifiedSecondary) -> None:
        section = secondary.section
        for level, line, fields in secondary.words.take():
            extra = about(secondary=section.name, peer=section.address, **fields)
            log.log(level, "%s", line, extra=extra)

    def _send(self, secondary: NotifiedSecondary, zone: ZoneAtSecondary) -> None:
        """Send NOTIFY, or a query for the SOA."""
        self._forget(secondary, zone)
        if secondary.key is None and secondary.section.tsig is not None:
            # Never unsigned: the secondary would refuse it, or worse, take it.
            why = f"the secret of TSIG key {secondary.section.tsig} cannot be used"
            secondary.unusable(zone, why, self._loop.time())
            return
        host, port = secondary.address
        message_id = random.getrandbits(16)
        while (message_id, host, port) in self._by_id:
            message_id = (message_id + 1) & 0xFFFF
        request = secondary.request(zone, message_id, time.time())
        self._by_id[message_id, host, port] = secondary, zone
        source = notify_source(host, self._sources, self._listen)
        secondary.source = source or leaves_from(host)
        counted = secondary.section.name, "soa" if zone.polls else "notify"
        try:
            self._socket(host, source).sendto(request.wire, (host, port))
            self.counts[(*counted, "sent")] += 1
        except OSError as error:
            self.counts[(*counted, "unsent")] += 1
            origin = f" from {source}" if source else ""
            zone.unsent = f"cannot be sent{origin}: {error.strerror}"

    def _received(self, sock: socket.socket) -> None:
        try:
            for _ in range(_READ_BURST):
                reply, source = sock.recvfrom(4096)
                found = self._by_id.get((int.from_bytes(reply[:2], "big"), source[0], source[1]))
                if found is None:
                    continue
                secondary, zone = found
                request = zone.request
                if request is not None and request.is_answered_by(reply):
                    self._forget(secondary, zone)
                    said = request.read(reply, time.time())
                    kind = "soa" if zone.polls else "notify"
                    result = "refused" if said.problem else "answered"
                    self.counts[secondary.section.name, kind, result] += 1
                    secondary.answered(zone, said, self._loop.time())
        except BlockingIOError:
            pass
        except OSError as error:
            self._errors.note("reading answers to NOTIFY", error)
        self._go_on()

    def _forget(self, secondary: NotifiedSecondary, zone: ZoneAtSecondary) -> None:
        if zone.request is not None:
            message_id = int.from_bytes(zone.request.wire[:2], "big")
            self._by_id.pop((message_id, *secondary.address), None)
            zone.request = None

    def _socket(self, host: str, source: str) -> socket.socket:
        """The socket towards a host, from an address or from where the kernel likes."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = self._sockets.get((family, source))
        if sock is None:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            try:
                sock.bind((source, 0))
            except OSError:
                sock.close()
                raise
            self._sockets[family, source] = sock
            self._loop.add_reader(sock, self._received, sock)
        return sock


def notify_source(
    target: str,
    sources: Sequence[str],
    listen: Sequence[str],
    own: Callable[[str], bool] = is_own,
) -> str:
    """The address to send to ``target`` from, which secondaries know as the primary's; empty where
    the kernel is to choose.

    An address of the same family in ``sources`` (``notify-source``) counts first, then the first of
    the ``listen`` endpoints that can reach the target: a secondary transfers from there. Wildcards
    say nothing, and from loopback only this machine is reached.
    """
    to = ipaddress.ip_address(target)
    for text in sources:
        if ipaddress.ip_address(text).version == to.version:
            return text
    hosts = [ipaddress.ip_address(parse_endpoint(one)[0]) for one in listen]
    hosts = [one for one in hosts if one.version == to.version]
    if any(one.is_unspecified for one in hosts):
        return ""
    for one in hosts:
        if one.is_loopback == to.is_loopback:
            return str(one)
    if not hosts or not (to.is_loopback or own(target)):
        return ""
    return str(hosts[0])
