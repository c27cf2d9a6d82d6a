"""The secondaries of a server: NOTIFY to them, and what became of their transfers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lzc.config import Config
from lzc.serve.observe.transfer_watch import TransferWatch
from lzc.wire.tsig import TsigKey

if TYPE_CHECKING:
    from lzc.serve.notify.notifier import Notifier
    from lzc.serve.notify.secondary import NotifyTimes


class Secondaries:
    """All of a server. Nothing is sent before `start`."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._notifier: Notifier | None = None
        self._transfers = TransferWatch(config.secondary, self._transferred, clock=time.time)

    def start(
        self, keys: Mapping[bytes, TsigKey], times: NotifyTimes | None, listen: Sequence[str]
    ) -> None:
        """Send NOTIFY from now on, signed with these keys; ``listen`` are our endpoints. Needs a
        running event loop."""
        # Here, as no answer waits for it.
        from lzc.serve.notify.notifier import Notifier

        config = self._config
        sources = config.serve.notify_source
        self._notifier = Notifier(config.secondary, keys, times, sources=sources, listen=listen)

    @property
    def notified(self) -> bool:
        """Whether there are any that get NOTIFY."""
        return self._notifier is not None and bool(self._notifier.secondaries)

    def heard(self, message: dict[str, Any]) -> None:
        """A worker told of transfers."""
        self._transfers.take(message)

    def take_keys(self, keys: Mapping[bytes, TsigKey]) -> None:
        """Sign with these from now on."""
        if self._notifier is not None:
            self._notifier.take_keys(keys)

    def update(self, serials: Mapping[bytes, int]) -> None:
        """Take the serials of the zones of a bundle."""
        if self._notifier is not None:
            self._notifier.update(serials)

    def remind(self) -> None:
        """A worker was lost, and with it questions of secondaries."""
        if self._notifier is not None:
            self._notifier.remind()

    def close(self) -> None:
        """Send nothing more."""
        if self._notifier is not None:
            self._notifier.close()

    def status(self) -> list[dict[str, Any]]:
        """What is known of each, whether or not it gets NOTIFY."""
        told = self._notifier.status() if self._notifier is not None else []
        found = {(one["name"], one["address"]): one for one in told}
        return [
            {
                "name": section.name,
                "address": section.address,
                **found.get((section.name, section.address), {}),
                "notify": section.notify,
                "transfers": self._transfers.status_of(section),
            }
            for section in self._config.secondary
        ]

    def strangers(self) -> list[dict[str, Any]]:
        """Who is no secondary and was turned away, the latest first."""
        return self._transfers.strangers()

    def _transferred(self, name: str, apex: bytes, serial: int) -> None:
        if self._notifier is not None:
            self._notifier.transferred(name, apex, serial)
