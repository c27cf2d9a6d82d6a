"""The manifest: which files make a bundle, and what each must hash to.

The id of a bundle is the start of the SHA-256 of its manifest, and the manifest names the SHA-256
of every other file: whoever knows the id knows every octet.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.bundle import shards

FORMAT: Final = 5
"""Version of the bundle's layout; a reader refuses any other."""

DATABASES: Final = 5
"""Databases of an LMDB file: zones, nodes, hashes, signatures and plans."""

MANIFEST: Final = "manifest.json"
CHECKS: Final = "checks.json"

KEPT: Final = "kept"
"""Among the inputs: the zones whose sources failed, each ``zone``, ``why``, and the ``serial`` that
it kept, or null where it was left out. Not there where none did."""
ROLLBACK: Final = "rollback"
"""Among the inputs: the id of the bundle whose content was made live again."""

ID: Final = re.compile(r"[0-9a-f]{32}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


def zones_file(shard: int) -> str:
    """The LMDB file with the zones, nodes, NSEC3 chains and plans of a shard
    (`lzc.bundle.shards`)."""
    return f"zones-{shard:02}.lmdb"


def transfers_file(shard: int) -> str:
    """The file with the transfers of a shard's zones, concatenated."""
    return f"transfers-{shard:02}.bin"


def shard_files(*shards: int) -> list[str]:
    """Both files of each shard."""
    return [name for shard in shards for name in (zones_file(shard), transfers_file(shard))]


_KNOWN: Final = frozenset((CHECKS, *shard_files(*range(shards.MOST))))


class BundleError(Exception):
    """A bundle that is damaged, incomplete, or not a bundle: the message names the file and what
    is wrong with it. Such a bundle must not be served; build it again, or copy it again."""


class NoBundle(BundleError):
    """There is no bundle at all where one was looked for."""


class OtherFormat(BundleError):
    """A bundle of another format, written by an older or a newer lzc. ``number`` is that format;
    0 where it is no number."""

    number = 0


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its size in octets and its SHA-256 in hex."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """``files`` by name; ``lzc`` is the version that built; ``inputs`` says from what."""

    files: Mapping[str, FileEntry]
    lzc: str
    inputs: Mapping[str, Any]

    @property
    def shards(self) -> int:
        """The number of shards: two files each, beside the list of checks."""
        return len(self.files) // 2

    def encode(self) -> bytes:
        """Canonical JSON, one line."""
        document = {
            "format": FORMAT,
            "lzc": self.lzc,
            "files": {name: asdict(entry) for name, entry in self.files.items()},
            "inputs": self.inputs,
        }
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return text.encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Base:
    """The live bundle, verified, and what of it the next bundle has unchanged: the numbers of its
    shards, and whether its list of checks."""

    folder: Path
    manifest: Manifest
    shards: frozenset[int]
    checks: bool

    def files(self) -> list[str]:
        """The names of the files that are taken over."""
        names = shard_files(*sorted(self.shards))
        return [CHECKS, *names] if self.checks else names


def _other_format(path: Path, number: object) -> OtherFormat:
    error = OtherFormat(
        f"{path}: bundle format {number}; this lzc reads format {FORMAT}:"
        " build again with this version"
    )
    if isinstance(number, int):
        error.number = number
    return error


def bundle_id(encoded: bytes) -> str:
    """The id of the bundle with this manifest: 32 hexadecimal digits."""
    return hashlib.sha256(encoded).hexdigest()[:32]


def read(folder: Path) -> tuple[Manifest, str]:
    """The manifest of a bundle and the bundle's id. Raises `BundleError` when the folder is not
    named by the id, or the manifest is missing, damaged or of another format."""
    path = folder / MANIFEST
    try:
        encoded = path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    identity = bundle_id(encoded)
    if identity != folder.name:
        raise BundleError(
            f"{path}: hashes to {identity}, but the folder is {folder.name!r}: the manifest is"
            " damaged, or the folder was renamed (a bundle's folder is named by its id)"
        )
    try:
        document = foreign_json.parse(encoded)
        if document["format"] != FORMAT:
            raise _other_format(path, document["format"])
        files = {}
        for name, entry in document["files"].items():
            if name not in _KNOWN:
                raise ValueError(f"unexpected file {name!r}")
            if not _SHA256.fullmatch(entry["sha256"]):
                raise ValueError(f"no SHA-256: {entry['sha256']!r}")
            files[name] = FileEntry(int(entry["size"]), entry["sha256"])
        manifest = Manifest(files, str(document["lzc"]), dict(document["inputs"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: not a manifest: {error}") from error
    for name in (CHECKS, *shard_files(*range(manifest.shards))):
        if name not in files:
            raise BundleError(f"{path}: names no {name}")
    if manifest.shards.bit_count() != 1:
        raise BundleError(f"{path}: {manifest.shards} shards are no power of two")
    return manifest, identity
