"""Keys as files for other servers: BIND's, and PEM."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lzc.dnssec.key import SigningKey
from lzc.dnssec.keystore import bindfile, changes, importing
from lzc.dnssec.keystore.changes import unwritable
from lzc.faults import InputError
from lzc.wire import name as wire_name


def write(key: SigningKey, folder: Path, state: str = "") -> Path:
    """Write BIND's files of a key into a folder; ``state`` is the text of its ``.state`` file, if
    it has one. Gives the ``.private`` path. Raises `InputError` where that exists."""
    texts = {"key": bindfile.format_public(key)}
    texts |= {"state": state} if state else {}
    # It comes last: a pair counts from then on.
    return _write_set(key, folder, texts | {"private": bindfile.format_private(key)}, "private")


def write_pem(key: SigningKey, folder: Path) -> Path:
    """Write a private key into a folder in PEM, its DNSKEY beside it; gives the ``.pem`` path.
    Raises `InputError` where that exists."""
    texts = {"key": bindfile.format_public(key), "pem": importing.pem(key)}
    return _write_set(key, folder, texts, "pem")


def taken(file: Path, zone: bytes, tag: int) -> InputError:
    """What is raised where a zone has a key with this tag."""
    return InputError.at(
        file,
        "key-exists",
        f"{wire_name.to_text(zone)} already has a key with tag {tag}",
        why="keys are never overwritten, and equal tags make resolvers try each key",
        fix="it may be the same key; otherwise generate another one",
    )


def stays(key: SigningKey) -> InputError:
    """What is raised where the private key itself would be written, and it lies in a token."""
    name = wire_name.to_text(key.zone)
    return InputError.at(
        str(key.token),
        "key-in-token",
        f"the private key of {name} {key.tag} lies in a token, and stays there",
        why="a key that could be taken out would not need one",
        fix="export --format bind writes files that name it, for who reaches the token",
    )


def _write_set(key: SigningKey, folder: Path, texts: Mapping[str, str], main: str) -> Path:
    """Write the files of a key, by their suffixes, all or none; ``main`` is the one that nobody
    may have written before. Gives its path."""
    base = bindfile.base_name(key.zone, key.algorithm, key.tag)
    if (folder / f"{base}.{main}").exists():
        raise taken(folder / f"{base}.{main}", key.zone, key.tag)
    written: list[Path] = []
    for kind, text in texts.items():
        file = folder / f"{base}.{kind}"
        try:
            if kind != main:
                file.unlink(missing_ok=True)
            _write_new(file, text)
            written.append(file)
        except OSError as error:
            for one in written:
                with suppress(OSError):
                    one.unlink()
            raise InputError(unwritable(file, error)) from error
    return folder / f"{base}.{main}"


def _write_new(file: Path, text: str) -> None:
    """Write a new file, readable by its owner only and on the disk on return; nothing is left of it
    where that fails. Raises `OSError`."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        file.unlink(missing_ok=True)
        raise
    changes.sync(file.parent)
