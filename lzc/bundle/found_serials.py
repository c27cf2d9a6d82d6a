"""The serials in a bundle of any format, whole or damaged.

A file whose hash stands in the manifest is as it was written, whatever else is damaged, and every
format so far had the same two kinds of files: zones in LMDB, with JSON about each, and their
transfers, which begin with the SOA record. Either tells the serials.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.bundle.manifest import ID, MANIFEST, BundleError
from lzc.bundle.serial_store import LastSerial, SerialStore, later
from lzc.bundle.verification import sha256_of
from lzc.wire import name as wire_name
from lzc.zone.serial import MODULUS

_SHA256: Final = re.compile(rb"[0-9a-f]{64}")
_ZONES: Final = re.compile(r"zones(-[0-9]{2})?\.lmdb")
_NAMED: Final = re.compile(rb'"(zones(?:-[0-9]{2})?\.lmdb)"')
_HEADER: Final = 12


def gather(output: Path, store: SerialStore) -> bool:
    """Have a store know the serials of all bundles in a folder that it does not cover yet, from the
    oldest to the newest; whether that is all there is to know of them."""
    try:
        entries = [one for one in os.scandir(output) if ID.fullmatch(one.name) and one.is_dir()]
        covered = set(store.bundles)
        unknown = [one for one in entries if one.name not in covered or not store.whole]
        unknown.sort(key=lambda one: (one.stat().st_mtime_ns, one.name))
    except OSError:
        return not output.exists()
    complete = True
    last = store.bundles[-1:]
    for entry in unknown:
        zones, whole = _read(Path(entry.path))
        for apex, serial in zones.items():
            # Where the store had the bundle, what is left of that is at least as new.
            if entry.name not in covered or store.get(apex) is None:
                store.meet(apex, serial)
        if whole:
            store.cover(entry.name)
        complete = complete and whole
    for bundle in last:
        store.cover(bundle)
    return complete


def _read(folder: Path) -> tuple[dict[bytes, LastSerial], bool]:
    """The serials in the bundle in a folder, as far as it can be read; and whether no zone may be
    missing, and none of them be damaged."""
    found: dict[bytes, LastSerial] = {}
    try:
        manifest = (folder / MANIFEST).read_bytes()
    except OSError:
        manifest = b""
    hashes = {text.decode() for text in _SHA256.findall(manifest)}
    names = {name.decode() for name in _NAMED.findall(manifest)}
    try:
        names.update(filter(_ZONES.fullmatch, os.listdir(folder)))  # noqa: PTH208
    except OSError:
        names.clear()
    complete = bool(names)
    for name in sorted(names):
        transfers = name.replace("zones", "transfers").replace(".lmdb", ".bin")
        zones = _from_zones(folder / name, hashes)
        if zones is None:
            zones, whole = _from_transfers(folder / transfers, hashes)
            complete = complete and whole
        for apex, serial in zones.items():
            found[apex] = later(found.get(apex), serial)
    return found, complete


def _from_zones(path: Path, hashes: set[str]) -> dict[bytes, LastSerial] | None:
    """None where the file is damaged: to read a damaged file may end the process."""
    # Mostly no bundle is read here, and who builds need not wait for what reads one.
    import lmdb

    from lzc.bundle.shard import close_store, open_store

    try:
        if sha256_of(path) not in hashes:
            return None
        environment, handle = open_store(path, path.stat().st_size)
    except (BundleError, OSError, lmdb.Error):
        return None
    try:
        database = environment.open_db(b"zones", create=False)
        with environment.begin(db=database) as transaction, transaction.cursor() as cursor:
            return {bytes(apex): _from_json(foreign_json.parse(text)) for apex, text in cursor}
    except (lmdb.Error, ValueError, KeyError, TypeError):
        return None
    finally:
        close_store(handle)


def _from_json(values: dict[str, Any]) -> LastSerial:
    digest, source = str(values["digest"]), values.get("source_serial")
    if not _SHA256.fullmatch(digest.encode()):
        digest = ""
    return LastSerial(
        _serial(values["serial"]), digest, None if source is None else _serial(source)
    )


def _serial(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < MODULUS:
        raise ValueError(f"no serial: {value!r}")
    return value


def _from_transfers(path: Path, hashes: set[str]) -> tuple[dict[bytes, LastSerial], bool]:
    """What the transfers say, and whether their file is as it was written."""
    try:
        octets = path.read_bytes()
    except OSError:
        return {}, False
    zones: dict[bytes, LastSerial] = {}
    for message in _messages(octets):
        try:
            apex, serial = _first_soa(message)
        except (ValueError, IndexError):
            continue
        if apex:
            zones[apex] = later(zones.get(apex), LastSerial(serial, "", None))
    return zones, hashlib.sha256(octets).hexdigest() in hashes


def _messages(octets: bytes) -> Iterator[bytes]:
    position = 0
    while position + 2 <= len(octets):
        end = position + 2 + int.from_bytes(octets[position : position + 2], "big")
        yield octets[position + 2 : end]
        position = end


def _first_soa(message: bytes) -> tuple[bytes, int]:
    """The apex and serial of a message of a transfer that begins with the SOA record; no apex for
    the others. Raises `ValueError` or `IndexError` for what is no such message."""
    from lzc.wire import rrtype as rr
    from lzc.wire.message import skip_name

    end = skip_name(message, _HEADER)
    apex = message[_HEADER:end]
    wire_name.labels_of(apex)
    owner = end + 4
    fixed = skip_name(message, owner)
    if message[fixed : fixed + 2] != rr.SOA.to_bytes(2, "big"):
        return b"", 0
    serial = skip_name(message, skip_name(message, fixed + 10))
    if serial + 20 > len(message):
        raise ValueError("cut short")
    return apex, int.from_bytes(message[serial : serial + 4], "big")
