"""Lines of the log about transfers, written some times a second with the time at which each began.

A line takes as long as the answer to an IXFR request: whoever waits for that, or comes next, does
not wait for lines as well.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from lzc.serve.observe.log_format import about
from lzc.wire import name as wire_name

log = logging.getLogger("lzc")

MOST: Final = 1000
"""Lines that wait at most."""


class _Begun(NamedTuple):
    apex: bytes
    serial: int
    client: bytes
    key: bytes
    kind: str
    transport: str


class TransferLog:
    """Of a worker. ``clock`` gives seconds since the epoch. Of transfers that are the same and
    begin at almost the same time, one line says how many they are."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._begun: dict[_Begun, tuple[float, int]] = {}

    def note(
        self, apex: bytes, serial: int, client: bytes, key: bytes, kind: str, transport: str
    ) -> None:
        """A transfer begins now: ``key`` is the name of its TSIG key, or empty, ``kind`` what is
        sent, ``transport`` is ``tcp`` or ``tls``."""
        one = _Begun(apex, serial, client, key, kind, transport)
        at, times = self._begun.get(one) or (self._clock(), 0)
        self._begun[one] = at, times + 1
        if len(self._begun) >= MOST:
            self.write()

    def write(self) -> None:
        """Write the lines that wait."""
        begun, self._begun = self._begun, {}
        if not begun or not log.isEnabledFor(logging.INFO):
            return
        for one, (at, times) in begun.items():
            record = _record(one, times)
            record.created = at
            record.msecs = at % 1 * 1000
            log.handle(record)


def _record(one: _Begun, times: int) -> logging.LogRecord:
    zone, peer = wire_name.to_text(one.apex), ipaddress.ip_address(one.client)
    over = " over TLS" if one.transport == "tls" else ""
    often = f", {times} times" if times > 1 else ""
    return log.makeRecord(
        log.name,
        logging.INFO,
        __file__,
        0,
        "transfer: %s serial %d to %s%s, %s%s",
        (zone, one.serial, peer, over, one.kind, often),
        None,
        extra=about(
            zone=zone,
            serial=one.serial,
            peer=peer,
            key=wire_name.to_text(one.key) if one.key else None,
            kind=one.kind,
            transport=one.transport,
            times=times if times > 1 else None,
        ),
    )
