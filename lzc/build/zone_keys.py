"""The keys that zones are signed with: from the keystore, or as they were when its files were read
and did not change since."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import astuple
from typing import TYPE_CHECKING

from lzc.build.memory import Entry, Keys
from lzc.build.sources import ConfigFile, ZoneSource
from lzc.bundle.zone_info import ZoneKey
from lzc.config import Config
from lzc.source.inputs import Files, Plain, look
from lzc.zone.place import Fault, InputError

if TYPE_CHECKING:
    from lzc.dnssec.keystore import Keystore


class ZoneKeys:
    """The keys of a project's zones at a moment, ``now``. ``mark`` is that of the keystore's folder
    before it was looked at; keys are as remembered only while it is ``remembered``."""

    def __init__(
        self,
        config: Config,
        file: ConfigFile,
        now: float,
        remembered: tuple[int, ...],
        files: Files,
    ) -> None:
        self._config = config
        self._file = file
        self._now = now
        self._files = files
        self._keystore: Keystore | None = None
        self.mark: tuple[int, ...] = ()
        # Without a keystore there are no keys, and zones that need them are at fault.
        with suppress(OSError):
            self.mark = look(str(config.keystore))[-1]
        self._is_remembered = bool(self.mark) and self.mark == remembered

    def of(
        self, source: ZoneSource, entry: Entry | None
    ) -> tuple[tuple[ZoneKey, ...], Keys, list[Fault]]:
        """The keys that are published, what to remember of all, and what is wrong with them."""
        keys: Keys = entry.keys if entry is not None and self._is_remembered else ()
        if not keys or not self._files.untouched(keys[0]):
            try:
                keys = self._load(source.apex)
            except InputError as error:
                return (), (), list(error.faults)
        if not keys:
            return (), (), [self._fault(source, "keys-missing", 0)]
        # Cryptography takes a while to be imported.
        from lzc.dnssec.key import Timing

        timed = [(ZoneKey(*key), Timing(*timing)) for key, timing in keys[1]]
        if not any(timing.is_active(self._now) for _, timing in timed):
            return (), keys, [self._fault(source, "keys-inactive", len(timed))]
        return tuple(key for key, timing in timed if timing.is_published(self._now)), keys, []

    def _load(self, apex: bytes) -> Keys:
        if self._keystore is None:
            from lzc.dnssec.keystore import Keystore

            self._keystore = Keystore(self._config.keystore)
        paths = [os.fspath(path) for path in self._keystore.files(apex)]
        files = tuple(map(_look, paths))
        keys = self._keystore.load(apex)
        if not keys:
            return ()
        return files, tuple(
            ((key.tag, key.algorithm, key.flags, key.dnskey), astuple(key.timing)) for key in keys
        )

    def _fault(self, source: ZoneSource, rule: str, keys: int) -> Fault:
        name = source.name.rstrip(".") or "."
        place = self._file.place(f'[zone."{name}"]', name)
        command = shlex.join(["lzc", "keys", "generate", "-c", self._file.shown_as, name])
        if not keys:
            return Fault(
                place,
                rule,
                f"zone {name} is to be signed, but has no keys in {self._config.dnssec.keystore}",
                fix=command,
            )
        return Fault(
            place,
            rule,
            f"zone {name} is to be signed, but none of its {keys} key(s) is active now",
            why="its answers would carry no signatures, which is bogus below a DS",
            fix=f"{command}, or correct the keys' times",
        )


def _look(path: str) -> Plain:
    try:
        return look(path)
    except OSError:
        # Whoever reads it says what is wrong with it.
        return path, path, b"", ()
