"""Tells secondaries about new serials until they have them: the sockets and the timer for
`lzc.serve.notify.secondary`, which says when what is to be sent."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from lzc.config import SecondarySection
from lzc.serve.notify import message as messages
from lzc.serve.notify.secondary import NotifiedSecondary, NotifyTimes
from lzc.serve.notify.source import leaves_from, notify_source
from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary
from lzc.serve.observe.error_log import ErrorLog
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

log = logging.getLogger("lzc")

_READ_BURST: Final = 256


class Notifier:
    """All NOTIFYs of a server. ``sources`` are the addresses of ``notify-source``, ``listen`` the
    endpoints that the server is bound to. Needs a running event loop."""

    def __init__(
        self,
        sections: Iterable[SecondarySection],
        keys: Mapping[bytes, TsigKey],
        times: NotifyTimes | None = None,
        *,
        sources: Sequence[str] = (),
        listen: Sequence[str] = (),
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.secondaries = [
            NotifiedSecondary(section, _key(section, keys), times)
            for section in sections
            if section.notify
        ]
        self._sources = sources
        self._listen = listen
        self._sockets: dict[tuple[int, str], socket.socket] = {}
        self._by_id: dict[tuple[int, str, int], tuple[NotifiedSecondary, ZoneAtSecondary]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._errors = ErrorLog()

    def take_keys(self, keys: Mapping[bytes, TsigKey]) -> None:
        """Sign with these secrets from now on."""
        for secondary in self.secondaries:
            key = _key(secondary.section, keys)
            if key != secondary.key:
                secondary.key = key
                secondary.wake()
        self._go_on()

    def update(self, serials: Mapping[bytes, int]) -> None:
        """Take the zones and serials of a bundle; zones whose serial is new are told."""
        for secondary in self.secondaries:
            for zone in secondary.update(serials):
                self._forget(secondary, zone)
        self._go_on()

    def transferred(self, name: str, apex: bytes, serial: int) -> None:
        """The secondary of this name was sent a zone."""
        for secondary in self.secondaries:
            if secondary.name == name:
                secondary.transferred(apex, serial, self._loop.time())
        self._go_on()

    def remind(self) -> None:
        """A worker was lost, and with it questions of secondaries: tell those that are behind."""
        for secondary in self.secondaries:
            secondary.remind()
        self._go_on()

    def status(self) -> list[dict[str, Any]]:
        """The state of every secondary."""
        now = self._loop.time()
        return [secondary.status(now) for secondary in self.secondaries]

    def close(self) -> None:
        """Stop."""
        if self._timer is not None:
            self._timer.cancel()
        for sock in self._sockets.values():
            self._loop.remove_reader(sock)
            sock.close()
        self._sockets.clear()

    def _go_on(self) -> None:
        """Send what is to be sent now, log what there is to say, and set the timer."""
        now = self._loop.time()
        due = []
        for secondary in self.secondaries:
            for zone in secondary.orders(now):
                self._send(secondary, zone)
            for level, line in secondary.words.take():
                log.log(level, "%s", line)
            if (when := secondary.next_due()) is not None:
                due.append(when)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(min(due), self._go_on) if due else None

    def _send(self, secondary: NotifiedSecondary, zone: ZoneAtSecondary) -> None:
        """Send NOTIFY, or a query for the SOA."""
        self._forget(secondary, zone)
        if secondary.key is None and secondary.section.tsig is not None:
            # Never unsigned: the secondary would refuse it, or worse, take it.
            why = f"the secret of TSIG key {secondary.section.tsig} cannot be used"
            secondary.unusable(zone, why, self._loop.time())
            return
        make = messages.ask_serial if zone.polls else messages.notify
        host, port = secondary.address
        message_id = random.getrandbits(16)
        while (message_id, host, port) in self._by_id:
            message_id = (message_id + 1) & 0xFFFF
        zone.request = make(message_id, zone.apex, secondary.key, time.time())
        self._by_id[message_id, host, port] = secondary, zone
        source = notify_source(host, self._sources, self._listen)
        secondary.source = source or leaves_from(host)
        try:
            self._socket(host, source).sendto(zone.request.wire, (host, port))
        except OSError as error:
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
                if request is not None and messages.belongs(reply, request):
                    self._forget(secondary, zone)
                    said = messages.read(reply, request, zone.apex, time.time())
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


def _key(section: SecondarySection, keys: Mapping[bytes, TsigKey]) -> TsigKey | None:
    if section.tsig is None:
        return None
    return keys.get(wire_name.from_text(section.tsig, wire_name.ROOT).lower())
