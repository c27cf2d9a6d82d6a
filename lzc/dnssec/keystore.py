"""The folder of a project's private keys, in BIND's files.

Whoever reads a private key can forge the zone, so the folder is made for its owner alone, files
open to others are refused rather than used, and a key is never overwritten.
"""

from __future__ import annotations

import os
import secrets
import shlex
import stat
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from lzc.dnssec import algorithms, bindfile
from lzc.dnssec.bindfile import InvalidKeyFile
from lzc.dnssec.key import KSK_FLAGS, ZSK_FLAGS, SigningKey, key_tag
from lzc.dnssec.timing import Timing
from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over
from lzc.wire import name as wire_name

FLAGS: Final[dict[str, tuple[int, ...]]] = {
    "csk": (KSK_FLAGS,),
    "ksk-zsk": (KSK_FLAGS, ZSK_FLAGS),
}
"""Policy -> flags of the keys that a zone gets. A CSK has the flags of a KSK (RFC 6781 §3.1)."""

_ATTEMPTS: Final = 32
_SETTLED: Final = 2_000_000_000
"""Nanoseconds after which a folder's modification time has moved on every file system."""


class Keystore:
    """The keys in one folder. Zones are wire names in any case. What another process wrote is seen
    at the next call. A folder that does not exist holds no keys; of one that cannot be read every
    method raises `InputError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] = ()
        self._files: dict[bytes, list[Path]] = {}

    def zones(self) -> list[bytes]:
        """The zones that have private keys here, lower-case wire names in canonical order."""
        return sorted(self._index(), key=lambda zone: wire_name.key_of(zone, wire_name.ROOT))

    def _index(self) -> dict[bytes, list[Path]]:
        """The private files of each zone. Ten thousand zones ask one after the other, so the list
        is kept while the folder's modification time stands still, once that lies far enough back
        for any later change to show."""
        try:
            status = self.path.stat()
            seen = (status.st_dev, status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                names = sorted(os.listdir(self.path))  # noqa: PTH208 - pathlib hides errors
                settled = time.time_ns() - status.st_mtime_ns > _SETTLED
                self._files = _by_zone(self.path, names)
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
        return self._files

    def files(self, zone: bytes) -> list[Path]:
        """The files of a zone's keys, private and public; some may be missing."""
        private = self._index().get(zone.lower(), [])
        return [file for one in private for file in (one, one.with_suffix(".key"))]

    def load(self, zone: bytes) -> list[SigningKey]:
        """All keys of a zone, whatever their state, ordered by algorithm and tag.

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
        files = self._index().get(zone.lower(), [])
        faults: dict[Path, tuple[Fault, ...]] = {}
        keys: list[SigningKey] = []
        try:
            if files:
                _check_folder(self.path)
        except InputError as error:
            faults[self.path] = error.faults
        for file in files:
            try:
                keys.append(_read_pair(file, zone.lower()))
            except InputError as error:
                faults[file] = error.faults
        return sorted(keys, key=lambda key: (key.algorithm, key.tag, key.dnskey)), faults

    def published(self, zone: bytes, now: float) -> list[SigningKey]:
        """The keys whose DNSKEY belongs in the zone at ``now``. Raises as `load` does."""
        return [key for key in self.load(zone) if key.timing.is_published(now)]

    def generate(
        self,
        zone: bytes,
        algorithm: int,
        flags: Iterable[int],
        now: float,
        *,
        bits: int = algorithms.RSA_BITS,
    ) -> list[SigningKey]:
        """Make and store a key for each of ``flags`` (256 or 257; see `FLAGS`), published and
        active from ``now`` on. Tags are unlike those of the zone's other keys. Where one cannot
        be written, none is, and `InputError` is raised."""
        moment = int(now)
        timing = Timing(created=moment, publish=moment, activate=moment)
        taken = {key.tag for key in self.load(zone)}
        made: list[SigningKey] = []
        for flag in flags:
            for _ in range(_ATTEMPTS):
                private = algorithms.generate(algorithm, bits)
                key = SigningKey.make(zone, algorithm, flag, private, timing)
                if key.tag not in taken:
                    break
            taken.add(key.tag)
            made.append(key)
        _make_folder(self.path)
        written: list[Path] = []
        try:
            for key in made:
                written.append(_write_pair(key, self.path))
        except InputError:
            # A KSK alone would sign the zone, and its ZSK be made by nobody.
            for private_file in written:
                private_file.unlink(missing_ok=True)
                private_file.with_suffix(".key").unlink(missing_ok=True)
            raise
        return made

    def add(self, key: SigningKey) -> Path:
        """Store a key and return the path of its ``.private`` file.

        Raises `InputError` when the zone has a key with its algorithm and tag already.
        """
        return self.export([key], self.path)[0]

    def import_file(
        self, zone: bytes, file: Path, now: float, *, flags: int | None = None
    ) -> SigningKey:
        """Store a copy of the key in a ``.private`` file of BIND or PowerDNS.

        The role is that of the ``.key`` file beside it, where there is one; ``flags`` (256 or 257)
        says it otherwise. Timing metadata is kept; a key without any is active from ``now`` on.
        Raises `InputError`.
        """
        text = _read_private(file)
        try:
            algorithm, private, timing = bindfile.parse_private(text)
        except InvalidKeyFile as error:
            raise InputError(_damaged(file, zone, error)) from error
        public, dnskey = file.with_suffix(".key"), b""
        if file.suffix == ".private" and public.exists():
            dnskey = _read_dnskey(public, zone.lower())
            flags = flags or int.from_bytes(dnskey[:2], "big")
        if flags is None:
            raise InputError.at(
                file,
                "key-role-unknown",
                "the file does not say whether the key is a KSK or a ZSK",
                why="only the DNSKEY holds the flags, and there is no .key file beside it",
                fix="add --ksk (also for a CSK) or --zsk",
            )
        if timing == Timing():
            timing = Timing(created=int(now), publish=int(now), activate=int(now))
        key = SigningKey.make(zone, algorithm, flags, private, timing)
        if dnskey:
            _check_match(public, dnskey, key)
        self.add(key)
        return key

    def export(self, keys: Iterable[SigningKey], folder: Path) -> list[Path]:
        """Write the files of keys into another folder, made where it does not exist; returns the
        ``.private`` paths. Raises `InputError` when a file exists already."""
        _make_folder(folder)
        return [_write_pair(key, folder) for key in keys]


def base_name(key: SigningKey) -> str:
    """The name of a key's files without suffix."""
    return bindfile.base_name(key.zone, key.algorithm, key.tag)


def _by_zone(folder: Path, names: Iterable[str]) -> dict[bytes, list[Path]]:
    found: dict[bytes, list[Path]] = {}
    for name in names:
        if name.startswith("K") and name.endswith(".private"):
            file = folder / name
            zone = bindfile.zone_of(file.stem)
            if zone is not None:
                found.setdefault(zone, []).append(file)
    return found


def _check_folder(folder: Path) -> None:
    """Raises `InputError` for the owner or the mode of the keystore."""
    status = folder.stat()
    owner = stranger(status, folder)
    if owner:
        raise InputError.at(
            folder,
            "keystore-owner",
            f"the keystore belongs to another user ({owner})",
            why="whoever owns it can put a key there that signs your zones",
            fix=f"{take_over(folder)}, or correct keystore in [dnssec] of lzc.toml",
        )
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError.at(
            folder,
            "keystore-writable",
            "other users can write into the keystore",
            why="whoever can put a key there can have it sign your zones",
            fix=f"chmod 700 {shlex.quote(str(folder))}",
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(_unwritable(folder, error)) from error
    _check_folder(folder)


def _read_private(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            # The mode of what was opened, not of what the name may point to a moment later.
            status = os.fstat(opened.fileno())
            raw = opened.read()
    except OSError as error:
        raise InputError.at(
            file,
            "key-unreadable",
            f"the private key cannot be read: {error.strerror}",
            fix="run as the keystore's owner, or correct its mode and owner",
        ) from error
    owner = stranger(status, file)
    if owner:
        raise InputError.at(
            file,
            "key-owner",
            f"the private key belongs to another user ({owner})",
            why="whoever owns it can read it, forge the zone, and put another key here",
            fix=f"{take_over(file)}; if it is not yours, roll the key",
        )
    mode = status.st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputError.at(
            file,
            "key-exposed",
            f"the private key is open to other users (mode {stat.S_IMODE(mode):04o})",
            why="whoever reads it can forge the zone",
            fix=f"chmod 600 {shlex.quote(str(file))}; if others may have read it, roll the key",
        )
    return raw.decode("utf-8", "replace")


def _read_dnskey(file: Path, zone: bytes) -> bytes:
    """The DNSKEY RDATA in a ``.key`` file of the zone."""
    try:
        owner, dnskey = bindfile.parse_public(file.read_text("utf-8", "replace"))
    except OSError as error:
        raise InputError.at(
            file,
            "key-without-dnskey",
            f"the DNSKEY of a private key cannot be read: {error.strerror}",
            why="it holds the key's role",
            fix="put the .key file back, or import the .private file with --ksk or --zsk",
        ) from error
    except InvalidKeyFile as error:
        raise InputError(_damaged(file, zone, error)) from error
    message = ""
    if owner != zone:
        message = f"the key is for {wire_name.to_text(owner)}, not for {wire_name.to_text(zone)}"
    elif int.from_bytes(dnskey[:2], "big") not in (KSK_FLAGS, ZSK_FLAGS):
        message = f"DNSKEY flags {int.from_bytes(dnskey[:2], 'big')}; expected 256 or 257"
    if message:
        raise InputError.at(file, "key-unusable", message, fix=_again(zone))
    return dnskey


def _read_pair(file: Path, zone: bytes) -> SigningKey:
    public = file.with_suffix(".key")
    text = _read_private(file)
    dnskey = _read_dnskey(public, zone)
    try:
        algorithm, private, timing = bindfile.parse_private(text, known=True)
    except InvalidKeyFile as error:
        raise InputError(_damaged(file, zone, error)) from error
    key = SigningKey.make(zone, algorithm, int.from_bytes(dnskey[:2], "big"), private, timing)
    _check_match(public, dnskey, key)
    return key


def _check_match(public: Path, dnskey: bytes, key: SigningKey) -> None:
    """Raise `InputError` where the DNSKEY beside a key is of another; the flags may differ."""
    if dnskey[2:] != key.dnskey[2:]:
        raise InputError.at(
            public,
            "key-mismatch",
            f"DNSKEY {key_tag(dnskey)} is not of the private key beside it ({key.tag})",
            why="signatures would not verify",
            fix="put the .key and .private files of one key together",
        )


def _again(zone: bytes) -> str:
    name = shlex.quote(wire_name.to_text(zone).rstrip(".") or ".")
    return (
        "bring back the key's two files as they were; where they are lost, remove what is left of"
        f" them, run lzc keys generate {name} and then lzc build, and give the parent the new DS"
    )


def _damaged(file: Path, zone: bytes, error: InvalidKeyFile) -> Fault:
    place = Place(str(file), error.line, 1 if error.line else 0)
    return Fault(place, "key-file-damaged", str(error), fix=_again(zone))


def _taken(file: Path, key: SigningKey) -> InputError:
    return InputError.at(
        file,
        "key-exists",
        f"{wire_name.to_text(key.zone)} already has a key with tag {key.tag}",
        why="keys are never overwritten, and equal tags make resolvers try each key",
        fix="it may be the same key; otherwise generate another one",
    )


def _write_pair(key: SigningKey, folder: Path) -> Path:
    """The ``.private`` file comes last: a pair counts from then on."""
    base = base_name(key)
    private = folder / f"{base}.private"
    if private.exists():
        raise _taken(private, key)
    public = folder / f"{base}.key"
    was_there = public.exists()
    file = public
    try:
        _write(public, bindfile.format_public(key), replace=True)
        file = private
        _write(private, bindfile.format_private(key), replace=False)
    except FileExistsError as error:
        raise _taken(private, key) from error
    except OSError as error:
        if not was_there:
            with suppress(OSError):
                public.unlink()
        raise InputError(_unwritable(file, error)) from error
    return private


def _unwritable(file: Path, error: OSError) -> Fault:
    return Fault(
        Place(str(file)),
        "key-unwritable",
        f"cannot be written: {error.strerror}",
        fix="correct keystore in [dnssec] of lzc.toml, the folder's permissions, or free space;"
        " nothing of the key was kept",
    )


def _write(file: Path, text: str, *, replace: bool) -> None:
    """Write a whole file or none of it, readable by its owner only and on the disk on return.

    Raises `FileExistsError` for an existing file that is not to be replaced.
    """
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        if replace:
            temporary.replace(file)
        else:
            file.hardlink_to(temporary)  # fails where rename would overwrite
    finally:
        temporary.unlink(missing_ok=True)
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
