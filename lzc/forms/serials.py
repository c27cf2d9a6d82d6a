"""The last serials of all forms of zones, in files of the same form as those of the zones
themselves (`lzc.bundle.serial_store`), which the publisher alone writes."""

from __future__ import annotations

from pathlib import Path

from lzc.bundle import serial_store
from lzc.bundle.serial_store import LastSerial
from lzc.forms.where import SERIALS, Wanted
from lzc.zone.serial import MODULUS, compare


class FormSerials:
    """Those beside the bundles in ``output``."""

    def __init__(self, output: Path) -> None:
        self._folder = output / SERIALS
        self._store = serial_store.load(self._folder)

    @property
    def problems(self) -> list[str]:
        """What is wrong with the files."""
        return [f"{path}: {problem}" for path, problem in self._store.problems]

    def last(self, wanted: Wanted) -> int | None:
        """The last serial that a form was given."""
        found = self._store.get(wanted.apex, wanted.form)
        return None if found is None else found.serial

    def next(self, wanted: Wanted, zone: int) -> int:
        """Give a form a serial that no secondary has had: one more than the last, or that of the
        ``zone``, where secondaries take it for later. On disk when this returns. Raises `OSError`.
        """
        last = self.last(wanted)
        serial = zone
        if last is not None and compare(zone, last) != 1:
            # RFC 1982 has no order of serials that are half of all apart.
            serial = (last + 1) % MODULUS or 1
        self._folder.mkdir(parents=True, exist_ok=True)
        self._store.put(wanted.apex, LastSerial(serial, "", None), wanted.form)
        self._store.save(self._folder)
        return serial
