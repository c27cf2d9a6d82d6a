"""The folder of a project's private keys, in BIND's files.

Whoever reads a private key can forge the zone, so the folder is made for its owner alone, files
open to others are refused rather than used, and a key is never overwritten. What changes it is in
`lzc.dnssec.keystore.changes`.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from lzc.config import Config
from lzc.dnssec import algorithms
from lzc.dnssec.algorithms import PrivateKey
from lzc.dnssec.key import (
    KSK_FLAGS,
    REVOKE,
    ZSK_FLAGS,
    ForeignKey,
    SigningKey,
    key_tag,
    tags_of,
)
from lzc.dnssec.keystore import bindfile, changes, exporting, importing, key_files
from lzc.dnssec.keystore.changes import Change, Overlay, changing
from lzc.dnssec.keystore.sealed_files import Seal, secret_of
from lzc.dnssec.keystore.sealing import Secret, is_sealed
from lzc.dnssec.keystore.state_file import KeyState
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.library import Pin
from lzc.dnssec.token.sessions import Tokens
from lzc.dnssec.token.uri import TokenUri
from lzc.dnssec.token.waiting import PATIENCE, Waiting
from lzc.faults import Fault, InputError
from lzc.wire import name as wire_name

FLAGS: Final[dict[str, tuple[int, ...]]] = {
    "csk": (KSK_FLAGS,),
    "ksk-zsk": (KSK_FLAGS, ZSK_FLAGS),
}
"""Policy -> flags of the keys that a zone gets. A CSK has the flags of a KSK (RFC 6781 §3.1)."""
KINDS: Final = ("key", "private", "state")
"""The files that a key may have, by their suffix."""

SYNC: Final = ".+foreign.sync"
"""How the name of a file with CDS and CDNSKEY records of other operators ends."""

_ATTEMPTS: Final = 64
_TRIES: Final = 8
"""Times that a zone's keys are read again, as they were changed meanwhile."""
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which a folder's modification time has moved on every file system."""

_Read = TypeVar("_Read")
Index = dict[bytes, dict[str, set[str]]]
"""The base names of each zone's keys, and the kinds of files that there are."""


class Keystore:
    """The keys in one folder. Zones are wire names in any case. What another process wrote is seen
    at the next call, a change of `lzc.dnssec.keystore.changes` as a whole. A folder that does not
    exist holds no keys; of one that cannot be read every method raises `InputError`."""

    def __init__(
        self,
        path: Path,
        secret: Callable[[], Secret | None] = lambda: None,
        tokens: Tokens | None = None,
    ) -> None:
        """The keys in a folder. ``secret`` gives what seals private files, and opens those that are
        sealed, once it is needed; it may raise `InputError`. ``tokens`` is where those keys are
        whose files say that they lie in one."""
        self.path = path
        self.tokens = tokens or Tokens()
        self._seal = Seal(secret)
        self._seen: tuple[int, ...] = ()
        self._index: Index = {}
        self._sync: list[str] = []
        self._overlay = Overlay(path, {}, frozenset())

    @classmethod
    def of(cls, config: Config, waiting: Waiting = PATIENCE) -> Keystore:
        """The keystore of a project; ``waiting`` does what is done with tokens."""
        module = config.pkcs11_module
        path = config.keystore
        pin = Pin(config.pkcs11_pin, path)
        tokens = Tokens(None if module is None else str(module), pin, waiting)
        return cls(path, lambda: secret_of(config), tokens)

    def secret(self) -> Secret | None:
        """What seals private files; `None` where nothing does. Raises `InputError`."""
        return self._seal.secret()

    def zones(self) -> list[bytes]:
        """The zones that have keys here, lower-case wire names in canonical order."""
        index = self._look()
        zones = [
            zone for zone, bases in index.items() if any(_is_key(kinds) for kinds in bases.values())
        ]
        return sorted(zones, key=lambda zone: wire_name.key_of(zone, wire_name.ROOT))

    def _look(self) -> Index:
        """The keys of each zone. Ten thousand zones ask one after the other, so the list is kept
        while the folder's modification time stands still, once that lies far enough back for any
        later change to show."""
        try:
            status = self.path.stat()
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._overlay = Overlay.of(self.path)
                names = self._overlay.names()
                settled = time.time_ns() - status.st_mtime_ns > _SETTLED
                self._index = _by_zone(names)
                self._sync = [name for name in names if name.endswith(SYNC)]
                self._seen = seen if settled else ()
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise InputError.at(
                self.path,
                "keystore-unreadable",
                f"the keystore cannot be read: {error.strerror}",
                why="no zone can be signed without its keys",
                fix="run as its owner, correct its mode and owner (a folder, 0700), or correct"
                " keystore in [dnssec] of lzc.toml",
            ) from error
        return self._index

    def _whole(self, read: Callable[[], _Read]) -> _Read:
        """What ``read`` reads, or raises, as it is between two changes."""
        for _ in range(_TRIES - 1):
            before = changes.token(self.path)
            try:
                found = read()
            except InputError:
                # A file may have moved to its place between two looks at it.
                if changes.token(self.path) == before:
                    raise
            else:
                if changes.token(self.path) == before:
                    return found
            self._seen = ()
        return read()

    def files(self, zone: bytes) -> list[Path]:
        """The files of a zone's keys, private and public; some may be missing."""
        bases = self._look().get(zone.lower(), {})
        found = []
        for base, kinds in bases.items():
            wanted = KINDS if "private" in kinds else ("key",)
            found += [self.path / f"{base}.{kind}" for kind in wanted if kind in {*kinds, "key"}]
        return found + [self.path / name for name in self._sync if name == sync_file(zone)]

    def files_of(self, key: SigningKey | ForeignKey) -> list[Path]:
        """The files that a key has. Raises `InputError`."""
        base = self._base_of(key)
        kinds = self._look().get(key.zone, {}).get(base, set())
        return [self.path / f"{base}.{kind}" for kind in KINDS if kind in kinds]

    def _base_of(self, key: SigningKey | ForeignKey) -> str:
        """The name of a key's files: one that is revoked by its date has the name that it had."""
        base = base_name(key)
        if base in self._look().get(key.zone, {}):
            return base
        before = key_tag((key.flags & ~REVOKE).to_bytes(2, "big") + key.dnskey[2:])
        return bindfile.base_name(key.zone, key.algorithm, before)

    def load(self, zone: bytes) -> list[SigningKey]:
        """All keys of a zone whose private keys are here, whatever their state, ordered by
        algorithm and tag.

        Raises `InputError` with a fault for each file that is open to others, damaged, or does not
        fit its DNSKEY.
        """
        keys, faults = self.sift(zone)
        if faults:
            raise InputError([fault for found in faults.values() for fault in found])
        return keys

    def sift(self, zone: bytes) -> tuple[list[SigningKey], dict[Path, tuple[Fault, ...]]]:
        """As `load`, but gives what is wrong with the others beside the keys that are usable: by
        ``.private`` file, or by the folder where all are concerned."""
        return self._whole(lambda: self._sift(zone.lower()))

    def _sift(self, zone: bytes) -> tuple[list[SigningKey], dict[Path, tuple[Fault, ...]]]:
        index = self._look().get(zone, {})
        bases = {base: kinds for base, kinds in index.items() if "private" in kinds}
        faults: dict[Path, tuple[Fault, ...]] = {}
        keys: list[SigningKey] = []
        try:
            if bases:
                key_files.check_folder(self.path)
        except InputError as error:
            faults[self.path] = error.faults
        located, unseal = self._overlay.path, self._seal.open
        for base, kinds in bases.items():
            file = self.path / f"{base}.private"
            try:
                has_state = "state" in kinds
                key = key_files.read_key(
                    file, zone, located, unseal, self.tokens, has_state=has_state
                )
                keys.append(key)
            except InputError as error:
                faults[file] = error.faults
        return sorted(keys, key=lambda key: (key.algorithm, key.tag, key.dnskey)), faults

    def is_sealed(self, key: SigningKey) -> bool:
        """Whether the private file of a key is sealed. Raises `InputError`."""
        file = self.path / f"{self._base_of(key)}.private"
        return is_sealed(key_files.read_private(file, self._overlay.path(file)))

    def seal(self, change: Change, zone: bytes, *, sealed: bool) -> list[int]:
        """Have a change seal the private files of a zone that are not sealed, or open those that
        are; the tags of their keys. Raises `InputError`."""
        tags = []
        for base, kinds in self._look().get(zone.lower(), {}).items():
            number = bindfile.number_of(base)
            if "private" not in kinds or number is None:
                continue
            file = self.path / f"{base}.private"
            text = key_files.read_private(file, self._overlay.path(file))
            if is_sealed(text) != sealed:
                clear = self._seal.open(file, text)
                change.put(file.name, self._seal.close(file.name, clear) if sealed else clear)
                tags.append(number[1])
        return tags

    def foreign(self, zone: bytes) -> list[ForeignKey]:
        """The DNSKEYs of other operators of a zone (RFC 8901): those whose private keys are not
        here. Raises `InputError`."""
        return self._whole(lambda: self._foreign(zone.lower()))

    def _foreign(self, zone: bytes) -> list[ForeignKey]:
        keys: list[ForeignKey] = []
        faults: list[Fault] = []
        for base, kinds in self._look().get(zone, {}).items():
            if "private" in kinds or "key" not in kinds:
                continue
            try:
                if not keys and not faults:
                    key_files.check_folder(self.path)
                file = self.path / f"{base}.key"
                keys.append(key_files.read_foreign(file, zone, self._overlay.path))
            except InputError as error:
                faults += error.faults
        if faults:
            raise InputError(faults)
        return sorted(keys, key=lambda key: (key.algorithm, key.tag, key.dnskey))

    def foreign_records(self, zone: bytes) -> dict[int, tuple[bytes, ...]]:
        """CDS and CDNSKEY records of other operators of a zone, by type. Raises `InputError`."""
        file = self.path / sync_file(zone)
        self._look()
        return self._whole(lambda: key_files.read_sync(file, zone, self._overlay.path(file)))

    def published(self, zone: bytes, now: float) -> list[SigningKey]:
        """The keys whose DNSKEY belongs in the zone at ``now``, as it is then. Raises as `load`
        does."""
        return [key.at(now) for key in self.load(zone) if key.timing.is_published(now)]

    def state(self, key: SigningKey) -> KeyState | None:
        """What BIND says of a key that its ``dnssec-policy`` looks after. Raises `InputError`."""
        if not key.managed:
            return None
        file = self.path / f"{self._base_of(key)}.state"
        return self._whole(lambda: key_files.read_state(file, key.zone, self._overlay.path(file)))

    def told_until(self) -> int:
        """Where the audit log ends now, in octets."""
        return changes.end_of_log(self.path)

    def changed_zones(self, since: int) -> tuple[set[bytes], int]:
        """The zones whose keys were changed after the audit log ended at ``since``, and where it
        ends now. Changes by other programs than lzc are not among them."""
        names, until = changes.zones_told(self.path, since)
        found = set()
        for name in names:
            with suppress(wire_name.InvalidName):
                found.add(wire_name.from_text(name, wire_name.ROOT).lower())
        return found, until

    @contextmanager
    def changing(self, now: float, command: str) -> Iterator[Change]:
        """A change of this keystore, which is made where there is none: see `changes.changing`.
        ``now`` is in seconds since the epoch, ``command`` what is told in the audit log."""
        key_files.make_folder(self.path)
        with changing(self.path, now, command) as change:
            self._seen = ()
            yield change
        self._seen = ()

    def tags(self, zone: bytes) -> set[int]:
        """The key tags that no new key of a zone is to have: those of its keys, as they are and as
        they are once they are revoked. Files that cannot be read have theirs in their names."""
        keys, _ = self.sift(zone)
        found = {tag for key in keys for tag in tags_of(key.dnskey)}
        with suppress(InputError):
            found |= {tag for other in self.foreign(zone) for tag in tags_of(other.dnskey)}
        numbers = map(bindfile.number_of, self._look().get(zone.lower(), {}))
        return found | {number[1] for number in numbers if number is not None}

    def generate(
        self,
        zone: bytes,
        algorithm: int,
        flags: Iterable[int],
        now: float,
        *,
        bits: int = algorithms.RSA_BITS,
        command: str = "generate",
        taken: Iterable[int] = (),
        unless: Callable[[], None] = lambda: None,
        token: TokenUri | None = None,
    ) -> list[SigningKey]:
        """Make and store a key for each of ``flags`` (256 or 257; see `FLAGS`), published and
        active from ``now`` on. Tags, also those that keys have once they are revoked, are unlike
        those of the zone's other keys, and of ``taken``. Where one cannot be written, none is, and
        `InputError` is raised. ``unless`` raises what speaks against it, by what is there when
        nobody else changes it. With ``token`` their private keys are made in that token,
        with labels of their own, and stay there."""
        moment = int(now)
        timing = Timing(created=moment, publish=moment, activate=moment)
        made: list[SigningKey] = []
        with self.changing(now, command) as change:
            unless()
            avoided = self.tags(zone) | set(taken)
            for flag in flags:
                for _ in range(_ATTEMPTS):
                    private: PrivateKey | TokenKey
                    if token is None:
                        private = algorithms.generate(algorithm, bits)
                    else:
                        label = f"{wire_name.to_text(zone)} {flag} {secrets.token_hex(8)}"
                        private = self._make_in_token(token.of_object(label), algorithm, bits)
                    key = SigningKey.make(zone, algorithm, flag, private, timing)
                    if not tags_of(key.dnskey) & avoided:
                        break
                avoided |= tags_of(key.dnskey)
                made.append(key)
            for key in made:
                self.put(change, key)
            name = wire_name.to_text(zone)
            change.tell(name, [key.tag for key in made], "generated")
        return made

    def _make_in_token(self, uri: TokenUri, algorithm: int, bits: int) -> TokenKey:
        public = self.tokens.generate(uri, algorithm, bits)
        return TokenKey(uri, algorithm, public, self.tokens)

    def add(self, key: SigningKey, now: float = 0.0, command: str = "add") -> Path:
        """Store a key and return the path of its ``.private`` file.

        Raises `InputError` when the zone has a key with its algorithm and tag already.
        """
        with self.changing(now, command) as change:
            self.put(change, key)
            change.tell(wire_name.to_text(key.zone), [key.tag], "added")
        return self.path / f"{base_name(key)}.private"

    def put(self, change: Change, key: SigningKey, *, replaces: bool = False) -> None:
        """Have a change write a key's files; with ``replaces``, over those it has. Raises
        `InputError` when there are any otherwise."""
        base = base_name(key)
        if not replaces:
            self.check_free(key.zone, key.algorithm, key.tag)
        change.put(f"{base}.key", bindfile.format_public(key))
        name = f"{base}.private"
        change.put(name, self._seal.close(name, bindfile.format_private(key)))

    def check_free(self, zone: bytes, algorithm: int, tag: int) -> None:
        """Raises `InputError` when the zone has a key with this algorithm and tag."""
        base = bindfile.base_name(zone, algorithm, tag)
        if "private" in self._look().get(zone.lower(), {}).get(base, ()):
            raise exporting.taken(self.path / f"{base}.private", zone, tag)

    def import_file(
        self,
        zone: bytes,
        file: Path,
        now: float,
        *,
        flags: int | None = None,
        algorithm: int | None = None,
        command: str = "import",
    ) -> SigningKey:
        """Store a copy of the key in a file: see `importing.read`. Raises `InputError`."""
        found = importing.read(file, zone, now, flags, algorithm, self.tokens)
        self.add(found.key, now, command)
        return found.key

    def export(self, keys: Iterable[SigningKey], folder: Path) -> list[Path]:
        """Write the files of keys into another folder, made where it does not exist, in the clear,
        with what BIND says of their states; returns the ``.private`` paths. Those of a key in a
        token say where it lies. Raises `InputError` when a file exists already."""
        key_files.make_folder(folder)
        return [exporting.write(key, folder, self._state_text(key)) for key in keys]

    def _state_text(self, key: SigningKey) -> str:
        if not key.managed:
            return ""
        file = self.path / f"{self._base_of(key)}.state"
        return self._overlay.path(file).read_text("utf-8", "replace")

    def export_pem(self, keys: Iterable[SigningKey], folder: Path) -> list[Path]:
        """Write the private keys into another folder in PEM, their DNSKEYs beside them; returns the
        ``.pem`` paths. Raises as `export` does."""
        found = list(keys)
        for key in found:
            if key.token is not None:
                raise exporting.stays(key)
        key_files.make_folder(folder)
        return [exporting.write_pem(key, folder) for key in found]


def sync_file(zone: bytes) -> str:
    """The name of the file with CDS and CDNSKEY records of a zone's other operators."""
    return f"{bindfile.zone_part(zone)}{SYNC}"


def base_name(key: SigningKey | ForeignKey) -> str:
    """The name of a key's files without suffix."""
    return bindfile.base_name(key.zone, key.algorithm, key.tag)


def _is_key(kinds: set[str]) -> bool:
    return "private" in kinds or "key" in kinds


def _by_zone(names: Iterable[str]) -> Index:
    found: Index = {}
    for name in names:
        base, dot, kind = name.rpartition(".")
        if dot and kind in KINDS and name.startswith("K"):
            zone = bindfile.zone_of(base)
            if zone is not None:
                found.setdefault(zone, {}).setdefault(base, set()).add(kind)
    return found
