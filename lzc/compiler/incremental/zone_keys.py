"""The keys that zones are signed with: from the keystore, or as they were when its files were read
and did not change since."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple
from typing import TYPE_CHECKING

from lzc.compiler.incremental.memory import BuiltZone, Keys
from lzc.compiler.inputs.sources import ConfigFile, ZoneSource
from lzc.config import Config
from lzc.faults import Fault, InputError, Place, Severity
from lzc.source.inputs import Files, Plain, look

if TYPE_CHECKING:
    from lzc.bundle.zone_info import ZoneKey
    from lzc.dnssec.keystore import Keystore
    from lzc.dnssec.outlook import DatedKey, Outlook


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
        self, source: ZoneSource, last: BuiltZone | None
    ) -> tuple[tuple[ZoneKey, ...], Keys, list[Fault]]:
        """The keys that are published, what to remember of all, and what is wrong with them."""
        keys: Keys = last.keys if last is not None and self._is_remembered else ()
        if not keys or not self._files.untouched(keys[0]):
            try:
                keys = self._load(source.apex)
            except InputError as error:
                return (), (), list(error.faults)
        if not keys:
            return (), (), [self._missing(source)]
        from lzc.bundle.zone_info import ZoneKey
        from lzc.dnssec.outlook import SOON, DatedKey, outlook
        from lzc.dnssec.timing import Timing

        now = self._now
        published: list[ZoneKey] = []
        dated: tuple[list[DatedKey], list[DatedKey]] = ([], [])
        for plain, times in keys[1]:
            key, timing = ZoneKey(*plain), Timing(*times)
            is_published = timing.is_published(now)
            dated[not is_published].append(DatedKey(key.tag, key.is_sep, timing))
            if is_published:
                published.append(key)
        found = outlook(*dated, now)
        if found is None or found.at - now > SOON:
            return tuple(published), keys, []
        if found.at <= now:
            return (), keys, [self._inactive(source, [*dated[0], *dated[1]])]
        return tuple(published), keys, [self._ending(source, found)]

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

    def _missing(self, source: ZoneSource) -> Fault:
        return Fault(
            self._place(source),
            "keys-missing",
            f"zone {source.name} is to be signed, but has no keys in"
            f" {self._config.dnssec.keystore}",
            fix=self._generate(source),
        )

    def _inactive(self, source: ZoneSource, keys: Sequence[DatedKey]) -> Fault:
        from lzc.dnssec.outlook import state_of

        states = "; ".join(state_of(key, self._now) for key in keys)
        return Fault(
            self._place(source),
            "keys-inactive",
            f"zone {source.name} is to be signed, but has no active key: {states}",
            why="its answers would carry no signatures, which is bogus below a DS",
            fix=f"{self._generate(source)}, or correct the keys' times with dnssec-settime",
        )

    def _ending(self, source: ZoneSource, found: Outlook) -> Fault:
        from lzc.dnssec.outlook import when

        if found.build is not None:
            fix = f"build again between {when(found.build)} and {when(found.at)}"
        else:
            fix = (
                f"{self._generate(source)} --add, and give the parent its DS"
                f" ({self._command('ds', source)});"
                " or give the keys later dates with dnssec-settime"
            )
        return Fault(
            self._place(source),
            "keys-end",
            f"zone {source.name} {found.why}",
            why="from then on none of its answers validates below a DS",
            fix=fix,
            severity=Severity.WARNING,
        )

    def _place(self, source: ZoneSource) -> Place:
        name = source.name.rstrip(".") or "."
        return self._file.place(f'[zone."{name}"]', name)

    def _generate(self, source: ZoneSource) -> str:
        return self._command("generate", source)

    def _command(self, what: str, source: ZoneSource) -> str:
        name = source.name.rstrip(".") or "."
        return shlex.join(["lzc", "keys", what, "-c", self._file.shown_as, name])


def _look(path: str) -> Plain:
    try:
        return look(path)
    except OSError:
        # Whoever reads it says what is wrong with it.
        return path, path, b"", ()
