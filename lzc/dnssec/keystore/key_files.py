"""What is read from the files of a key, and what is wrong with them.

Whoever reads a private key can forge the zone, so files that others can read, or that are theirs,
are refused rather than used.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from lzc.dnssec.algorithms import PrivateKey
from lzc.dnssec.key import FLAGS, REVOKE, ForeignKey, SigningKey, key_tag
from lzc.dnssec.keystore import bindfile, changes, foreign_records
from lzc.dnssec.keystore.bindfile import InvalidKeyFile
from lzc.dnssec.keystore.changes import unwritable
from lzc.dnssec.keystore.state_file import KeyState, parse_state
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.sessions import Tokens
from lzc.dnssec.token.uri import TokenUri
from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over
from lzc.wire import name as wire_name

Located = Callable[[Path], Path]
"""Where a file of the keystore can be read now."""
_LARGEST: Final = 65536
"""Octets that are read of a file of a key at most."""
_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
"""Who writes a DNSKEY of another operator makes a key that the zone trusts. Of a key whose private
half is here, its file can be made useless, and dnssec-keygen gives it to the group where the umask
says so."""


def check_folder(folder: Path) -> None:
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


def make_folder(folder: Path) -> None:
    """Make a folder for keys, if there is none. Raises `InputError`."""
    try:
        for parent in reversed(folder.parents):
            # Whoever can write into one of them can put another keystore in the place of this.
            if not parent.exists():
                parent.mkdir(0o755, exist_ok=True)
        _make(folder)
    except OSError as error:
        raise InputError(unwritable(folder, error)) from error
    check_folder(folder)


def _make(folder: Path) -> None:
    try:
        changes.make_folder(folder)
    except FileExistsError:
        if not folder.is_dir():
            raise


def _read(path: Path) -> tuple[str, os.stat_result]:
    """The text of a file, and what there is to know of it. Raises `OSError`, and `InvalidKeyFile`
    for one that is far too large for a key."""
    with path.open("rb") as opened:
        # The mode of what was opened, not of what the name may point to a moment later.
        status = os.fstat(opened.fileno())
        raw = opened.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise InvalidKeyFile(f"it has more than {_LARGEST} octets, which no file of a key has")
    return raw.decode("utf-8", "replace"), status


def _check_written(file: Path, status: os.stat_result, mask: int, what: str) -> None:
    """Raises `InputError` where a stranger, or who ``mask`` says, can write a public file."""
    owner = stranger(status, file)
    if owner:
        raise InputError.at(
            file,
            "key-owner",
            f"{what} belongs to another user ({owner})",
            why="whoever owns it can put another key here",
            fix=take_over(file),
        )
    if status.st_mode & mask:
        raise InputError.at(
            file,
            "key-writable",
            f"other users can write {what} (mode {stat.S_IMODE(status.st_mode):04o})",
            why="whoever puts a key of his own there can forge the zone",
            fix=f"chmod 644 {shlex.quote(str(file))}, when you have seen that it is as it was",
        )


def read_private(file: Path, path: Path | None = None) -> str:
    """The text of a ``.private`` file, or of another that holds a private key, read from ``path``.
    Raises `InputError` where others can read it."""
    try:
        text, status = _read(path or file)
    except InvalidKeyFile as error:
        zone = bindfile.zone_of(file.stem) or wire_name.ROOT
        raise InputError(damaged(file, zone, error)) from error
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
    return text


def read_public(
    file: Path, zone: bytes, path: Path | None = None, *, mask: int = 0
) -> tuple[bytes, str]:
    """The DNSKEY RDATA in a ``.key`` file of the zone, and the file's text. Raises `InputError`,
    also where those can write it whose bits of the mode ``mask`` has."""
    try:
        text, status = _read(path or file)
        if mask:
            _check_written(file, status, mask, "the DNSKEY")
        owner, dnskey = bindfile.parse_public(text)
    except OSError as error:
        raise InputError.at(
            file,
            "key-without-dnskey",
            f"the DNSKEY of a private key cannot be read: {error.strerror}",
            why="it holds the key's role",
            fix="put the .key file back, or import the .private file with --ksk or --zsk",
        ) from error
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error
    message = ""
    if owner != zone:
        message = f"the key is for {wire_name.to_text(owner)}, not for {wire_name.to_text(zone)}"
    elif int.from_bytes(dnskey[:2], "big") not in FLAGS:
        message = f"DNSKEY flags {int.from_bytes(dnskey[:2], 'big')}; expected 256 or 257"
    if message:
        raise InputError.at(file, "key-unusable", message, fix=_again(zone))
    return dnskey, text


def read_state(file: Path, zone: bytes, path: Path | None = None) -> KeyState | None:
    """What BIND says of a key in its ``.state`` file; `None` where it says nothing. Raises
    `InputError`."""
    try:
        text, status = _read(path or file)
        _check_written(file, status, stat.S_IWOTH, "the state of a key")
        return parse_state(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError.at(
            file,
            "key-state-unreadable",
            f"the state of a key cannot be read: {error.strerror}",
            why="BIND goes by it, so whether the key signs is not known",
            fix="run as the keystore's owner, or correct its mode and owner",
        ) from error
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error


def read_key(
    file: Path,
    zone: bytes,
    located: Located,
    unseal: Callable[[Path, str], str],
    tokens: Tokens,
    *,
    has_state: bool = True,
) -> SigningKey:
    """The key in a ``.private`` file of the keystore, with the files beside it: its DNSKEY, and
    what BIND says of its state, by which it goes. One in a token is not looked for there. Raises
    `InputError`."""
    public, state_file = file.with_suffix(".key"), file.with_suffix(".state")
    text = unseal(file, read_private(file, located(file)))
    dnskey, _ = read_public(public, zone, located(public), mask=stat.S_IWOTH)
    try:
        found = bindfile.parse_whole(text, known=True)
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error
    state = read_state(state_file, zone, located(state_file)) if has_state else None
    timing = found.timing if state is None else state.timing()
    flags = int.from_bytes(dnskey[:2], "big")
    if flags & REVOKE and timing.revoke is None:
        timing = replace(timing, revoke=timing.created or 0)
    private: PrivateKey | TokenKey
    if isinstance(found.private, TokenUri):
        private = TokenKey(found.private, found.algorithm, dnskey[4:], tokens)
    else:
        private = found.private
    key = SigningKey.make(zone, found.algorithm, flags, private, timing)
    check_match(public, dnskey, key)
    if state is None and found.predecessor is found.successor is None:
        return key
    is_managed = state is not None
    before, after = found.predecessor, found.successor
    return replace(key, predecessor=before, successor=after, managed=is_managed)


def read_foreign(file: Path, zone: bytes, located: Located) -> ForeignKey:
    """The DNSKEY in a ``.key`` file without a private key beside it. Raises `InputError`."""
    dnskey, text = read_public(file, zone, located(file), mask=_OTHERS)
    try:
        timing = bindfile.parse_public_times(text)
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error
    return ForeignKey.make(zone, dnskey, timing)


def read_sync(file: Path, zone: bytes, path: Path) -> dict[int, tuple[bytes, ...]]:
    """The CDS and CDNSKEY records of other operators, by type; none where there is no file. Raises
    `InputError`."""
    try:
        text, status = _read(path)
        _check_written(file, status, _OTHERS, "CDS and CDNSKEY records")
        return foreign_records.parse(text, zone).sync
    except FileNotFoundError:
        return {}
    except OSError as error:
        problem = f"CDS and CDNSKEY records cannot be read: {error.strerror}"
        fix = "run as the keystore's owner, or correct its mode and owner"
        raise InputError.at(file, "key-sync-unreadable", problem, fix=fix) from error
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error


def check_match(public: Path, dnskey: bytes, key: SigningKey) -> None:
    """Raise `InputError` where the DNSKEY beside a key is of another; the flags may differ."""
    if dnskey[2:] != key.dnskey[2:]:
        raise InputError.at(
            public,
            "key-mismatch",
            f"DNSKEY {key_tag(dnskey)} is not of the private key beside it ({key.tag})",
            why="signatures would not verify",
            fix="put the .key and .private files of one key together",
        )


def damaged(file: Path, zone: bytes, error: InvalidKeyFile) -> Fault:
    """The fault of a file that is not what it should be."""
    place = Place(str(file), error.line, 1 if error.line else 0)
    return Fault(place, "key-file-damaged", str(error), fix=_again(zone))


def _again(zone: bytes) -> str:
    name = shlex.quote(wire_name.to_text(zone).rstrip(".") or ".")
    return (
        "bring back the key's two files as they were; where they are lost, remove what is left of"
        f" them, run lzc keys generate {name} and then lzc build, and give the parent the new DS"
    )
