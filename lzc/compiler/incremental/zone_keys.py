"""The keys that zones are signed with: from the keystore, or as they were when its files were read
and did not change since."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import astuple
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from lzc.compiler.incremental.memory import ApexRecords, BuiltZone, Keys
from lzc.compiler.inputs.sources import ConfigFile, ZoneSource
from lzc.config import Config
from lzc.faults import Fault, InputError, Place, Severity
from lzc.source.inputs import Files, Plain, look

if TYPE_CHECKING:
    from lzc.bundle.zone_info import ZoneKey
    from lzc.dnssec.key import ForeignKey, SigningKey
    from lzc.dnssec.keystore.keystore import Keystore
    from lzc.dnssec.life.outlook import DatedKey, Outlook
    from lzc.dnssec.life.timing import Timing


_DNSKEY: Final = 48


class KeysOfZone(NamedTuple):
    """What there is of the keys of a zone: those that are ``published``, what to remember of all,
    CDS and CDNSKEY records that are made of them, the records of other operators, and what is wrong
    with them."""

    published: tuple[ZoneKey, ...] = ()
    remembered: Keys = ()
    asked: ApexRecords = ()
    foreign: ApexRecords = ()
    faults: list[Fault] = []  # noqa: RUF012 - nobody changes it


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

    def of(self, source: ZoneSource, last: BuiltZone | None) -> KeysOfZone:
        """The keys of a zone, and what is wrong with them."""
        keys: Keys = last.keys if last is not None and self._is_remembered else ()
        if not keys or not self._files.untouched(keys[0]):
            try:
                keys = self._load(source.apex)
            except InputError as error:
                return KeysOfZone(faults=list(error.faults))
        if not keys:
            return KeysOfZone(faults=[self._missing(source)])
        from lzc.dnssec.life.outlook import SOON, DatedKey, outlook

        now = self._now
        own = [_dated(*plain, now) for plain in keys[1]]
        published = [key for key, timing in own if timing.is_published(now)]
        dated: tuple[list[DatedKey], list[DatedKey]] = ([], [])
        for key, timing in own:
            is_published = timing.is_published(now)
            dated[not is_published].append(DatedKey(key.tag, key.is_sep, timing))
        found = outlook(*dated, now)
        if found is not None and found.at <= now:
            faults = [self._inactive(source, [*dated[0], *dated[1]])]
            return KeysOfZone(remembered=keys, faults=faults)
        others = [_dated(*plain, now) for plain in keys[2]]
        result = KeysOfZone(
            tuple(published),
            keys,
            self._asked(source, [*own, *others]),
            self._foreign(source.apex, others, keys[3]),
        )
        if found is None or found.at - now > SOON:
            return result
        return result._replace(faults=[self._ending(source, dated[0], found)])

    def _asked(self, source: ZoneSource, keys: Iterable[tuple[ZoneKey, Timing]]) -> ApexRecords:
        """The CDS and CDNSKEY records that ask the parent for DS records of keys."""
        wanted = self._config.sync_records(source.name)
        if not (wanted.digests or wanted.cdnskey):
            return ()
        # Cryptography takes a while to be imported.
        from lzc.dnssec import sync_records

        named = [key.dnskey for key, at in keys if key.is_sep and at.asks_for_ds(self._now)]
        asked = sync_records.asked(
            source.apex, named, wanted.digests, cdnskey=wanted.cdnskey, delete=wanted.delete
        )
        return tuple(sorted(asked.items()))

    def _foreign(
        self, apex: bytes, keys: Sequence[tuple[ZoneKey, Timing]], records: ApexRecords
    ) -> ApexRecords:
        """The records of other operators that are in the zone now. None asks for a DS of a key that
        was removed."""
        others = sorted(key.dnskey for key, at in keys if at.is_published(self._now))
        gone = [key.dnskey for key, at in keys if at.delete is not None and at.delete <= self._now]
        if gone and records:
            from lzc.dnssec import sync_records

            records = tuple(sync_records.without(apex, dict(records), gone).items())
        return (*(((_DNSKEY, tuple(others)),) if others else ()), *records)

    def _load(self, apex: bytes) -> Keys:
        if self._keystore is None:
            from lzc.dnssec.keystore.keystore import Keystore

            self._keystore = Keystore.of(self._config)
        paths = [os.fspath(path) for path in self._keystore.files(apex)]
        files = tuple(map(_look, paths))
        keys = self._keystore.load(apex)
        if not keys:
            return ()
        foreign = self._keystore.foreign(apex)
        return (
            files,
            tuple(map(_plain, keys)),
            tuple(map(_plain, foreign)),
            tuple(self._keystore.foreign_records(apex).items()),
        )

    def _missing(self, source: ZoneSource) -> Fault:
        return Fault(
            self._place(source),
            "keys-missing",
            f"zone {source.name} is to be signed, but has no keys in"
            f" {self._config.dnssec.keystore}",
            why="below a DS of other keys, new ones are bogus",
            fix="where it is signed already, take its keys along:"
            f" {self._command('import', source)} FILE; or else: {self._generate(source)}",
        )

    def _inactive(self, source: ZoneSource, keys: Sequence[DatedKey]) -> Fault:
        from lzc.dnssec.life.outlook import state_of

        states = "; ".join(state_of(key, self._now) for key in keys)
        return Fault(
            self._place(source),
            "keys-inactive",
            f"zone {source.name} is to be signed, but has no active key: {states}",
            why="its answers would carry no signatures, which is bogus below a DS",
            fix=f"{self._generate(source)}; or have one sign again:"
            f" {self._command('activate', source, *_usable(keys, self._now))}",
        )

    def _ending(self, source: ZoneSource, keys: Sequence[DatedKey], found: Outlook) -> Fault:
        from lzc.dnssec.life.outlook import when

        if found.build is not None:
            fix = f"build again between {when(found.build)} and {when(found.at)}"
        else:
            fix = (
                f"{self._generate(source)} --add, and give the parent its DS"
                f" ({self._command('ds', source)}); or let these go on:"
                f" {self._command('retire', source, *_ending(keys, self._now), '--at', 'never')}"
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

    def _command(self, what: str, source: ZoneSource, *more: str) -> str:
        name = source.name.rstrip(".") or "."
        return shlex.join(["lzc", "keys", what, "-c", self._file.shown_as, name, *more])


def _usable(keys: Sequence[DatedKey], now: float) -> list[str]:
    """The tags of keys that may sign again."""
    return [str(key.tag) for key in keys if not key.timing.is_revoked(now)]


def _ending(keys: Sequence[DatedKey], now: float) -> list[str]:
    """The tags of keys that sign now and retire some time."""
    return [
        str(key.tag)
        for key in keys
        if key.timing.is_active(now) and key.timing.inactive is not None
    ]


def _plain(key: SigningKey | ForeignKey) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return (key.tag, key.algorithm, key.flags, key.dnskey), astuple(key.timing)


def _dated(plain: tuple[Any, ...], times: tuple[Any, ...], now: float) -> tuple[ZoneKey, Timing]:
    """A key as its DNSKEY is now, with its dates."""
    from lzc.bundle.zone_info import ZoneKey
    from lzc.dnssec.life.timing import Timing

    key, timing = ZoneKey(*plain), Timing(*times)
    if timing.is_revoked(now):
        from lzc.dnssec.key import revoked

        tag, flags, dnskey = revoked(key.dnskey)
        key = ZoneKey(tag, key.algorithm, flags, dnskey)
    return key, timing


def _look(path: str) -> Plain:
    try:
        return look(path)
    except OSError:
        # Whoever reads it says what is wrong with it.
        return path, path, b"", ()
