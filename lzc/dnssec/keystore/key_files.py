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

from lzc.dnssec.algorithms import PrivateKey
from lzc.dnssec.key import FLAGS, REVOKE, ForeignKey, SigningKey, key_tag
from lzc.dnssec.keystore import bindfile, foreign_records
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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(unwritable(folder, error)) from error
    check_folder(folder)


def read_private(file: Path, path: Path | None = None) -> str:
    """The text of a ``.private`` file, or of another that holds a private key, read from ``path``.
    Raises `InputError` where others can read it."""
    try:
        with (path or file).open("rb") as opened:
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


def read_public(file: Path, zone: bytes, path: Path | None = None) -> tuple[bytes, str]:
    """The DNSKEY RDATA in a ``.key`` file of the zone, and the file's text. Raises `InputError`."""
    try:
        text = (path or file).read_text("utf-8", "replace")
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
        return parse_state((path or file).read_text("utf-8", "replace"))
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
    dnskey, _ = read_public(public, zone, located(public))
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
    dnskey, text = read_public(file, zone, located(file))
    try:
        timing = bindfile.parse_public_times(text)
    except InvalidKeyFile as error:
        raise InputError(damaged(file, zone, error)) from error
    return ForeignKey.make(zone, dnskey, timing)


def read_sync(file: Path, zone: bytes, path: Path) -> dict[int, tuple[bytes, ...]]:
    """The CDS and CDNSKEY records of other operators, by type; none where there is no file. Raises
    `InputError`."""
    try:
        text = path.read_text("utf-8", "replace")
    except FileNotFoundError:
        return {}
    except OSError as error:
        problem = f"CDS and CDNSKEY records cannot be read: {error.strerror}"
        fix = "run as the keystore's owner, or correct its mode and owner"
        raise InputError.at(file, "key-sync-unreadable", problem, fix=fix) from error
    try:
        return foreign_records.parse(text, zone).sync
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
