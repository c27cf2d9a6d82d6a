"""Published zones as transfers take them (`lzc.answer.publication`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lzc.answer.incremental import CONDENSED
from lzc.answer.transfer_access import Handed
from lzc.bundle.delta_file import in_blocks
from lzc.bundle.zone_info import ZoneInfo
from lzc.forms.entry import HEAD, head, rrs_of
from lzc.forms.store import DAMAGE, FormStore, files
from lzc.forms.where import Wanted, folder_of
from lzc.image.delta import condensed, rr_end

_LARGE: Final = 16384
"""Octets of an entry from which on it is handed out in pieces."""
_OPEN: Final = 256
"""Stores that are open at most beside those that somebody transfers from."""


class Shared:
    """An open store; the last who lets go of it closes it."""

    __slots__ = ("store", "users")

    def __init__(self, path: Path) -> None:
        self.store = FormStore(path)
        self.users = 1

    def let_go(self) -> None:
        """One uses it no more."""
        self.users -= 1
        if not self.users:
            self.store.close()


class StoredPublication:
    """A zone in a form, as it was when this was made; close it. Raises `lzc.forms.store.DAMAGE`."""

    def __init__(self, apex: bytes, shared: Shared) -> None:
        self.apex = apex
        self._shared = shared
        shared.users += 1
        self._transaction: Any = shared.store.reading()
        try:
            state = shared.store.state(self._transaction)
            self.serial = state.serial
            self.transfer_length = state.octets
            self.soa, self._signed = shared.store.soa(self._transaction)
        except DAMAGE:
            self.close()
            raise

    @property
    def soa_signatures(self) -> tuple[bytes, ...]:
        """RDATA of the RRSIGs over the SOA."""
        found = []
        position = 0
        while position < len(self._signed):
            end = rr_end(self._signed, position)
            found.append(self._signed[position + 12 : end])
            position = end
        return tuple(found)

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """All RRs but the SOA."""
        if self._signed:
            yield len(self.soa_signatures), self._signed
        for entry in self._shared.store.entries(self._transaction):
            if len(entry) > _LARGE:
                for one in rrs_of(entry):
                    yield 1, one
            else:
                yield head(entry)[1], entry[HEAD:]

    def increments(self, serial: int) -> StoredIncrements | None:
        """The way from an older serial; `None` where it is not known, or no shorter."""
        try:
            way = self._shared.store.way(self._transaction, serial, self.serial)
        except DAMAGE:
            return None
        if not way:
            return None
        octets = sum(map(len, way))
        if len(way) > 1 and octets <= CONDENSED:
            way = [condensed(way).blocks()]
            octets = len(way[0])
        return StoredIncrements(way, octets) if octets < self.transfer_length else None

    def close(self) -> None:
        """Let go of the store."""
        if self._transaction is not None:
            self._transaction.abort()
            self._transaction = None
            self._shared.let_go()


class StoredIncrements:
    """Difference sequences, which were hashed."""

    def __init__(self, way: list[bytes], octets: int) -> None:
        self.octets = octets
        self.made = way[0] if len(way) == 1 else None
        self._way = way

    def verified(self) -> Iterator[None]:
        """Nothing is left to be hashed."""
        return iter(())

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """The sequences."""
        for one in self._way:
            yield from in_blocks(one)

    def close(self) -> None:
        """Nothing is open."""


_opened: Final[OrderedDict[Path, Shared]] = OrderedDict()
"""By folder, of the whole process: LMDB must not open a file twice in one."""


class PublishedForms:
    """What was published beside the bundles in ``output``. Not for several threads, nor for a
    process that is forked later."""

    def __init__(self, output: Path) -> None:
        self._output = output

    def find(self, zone: ZoneInfo, what: Handed) -> StoredPublication | None:
        """A zone in a form; `None` where it is not made yet, or cannot be read."""
        folder = folder_of(self._output, Wanted(zone.apex, what))
        paths = files(folder)
        shared = _opened.get(folder)
        if shared is not None and (not paths or shared.store.path != paths[-1]):
            _opened.pop(folder).let_go()
            shared = None
        if not paths:
            return None
        try:
            if shared is None:
                shared = _opened[folder] = Shared(paths[-1])
                if len(_opened) > _OPEN:
                    _opened.popitem(last=False)[1].let_go()
            return StoredPublication(zone.apex, shared)
        except DAMAGE:
            if folder in _opened:
                _opened.pop(folder).let_go()
            return None

    @staticmethod
    def close() -> None:
        """Let go of all that nobody transfers from."""
        while _opened:
            _opened.popitem()[1].let_go()
