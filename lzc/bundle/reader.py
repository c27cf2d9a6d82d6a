"""Read access to a bundle, the same few memory-mapped pages for every process that opens it.

Nothing here grows with the size of a zone: opening maps the files, a lookup is one descent in an
ordered tree, and the caches are bounded. An open bundle keeps its files, so it stays whole when the
next build takes its place, or even removes it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from heapq import merge
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from lzc.bundle import check_list, shards, signatures, verification
from lzc.bundle import manifest as manifests
from lzc.bundle.delta_store import DeltaStore
from lzc.bundle.manifest import BundleError, Manifest
from lzc.bundle.shard import Shard
from lzc.bundle.zone_info import ZoneInfo

__all__ = ["Bundle", "BundleError", "ZoneInfo", "ZoneView"]

ALL_VIEWS: Final = 4096
"""Up to so many zones, all are in memory from the start and a miss needs no lookup."""
MAX_VIEWS: Final = 65536
"""Zones kept in memory at most, when there are more than `ALL_VIEWS`."""

_prefix = struct.Struct(">I").pack


class ZoneView:
    """One zone of an open bundle. Cheap to keep, valid until the bundle is closed."""

    __slots__ = ("_get", "_hashes", "_prefix", "_shard", "apex", "bundle", "info")

    def __init__(self, bundle: Bundle, info: ZoneInfo) -> None:
        self.bundle = bundle
        self.info = info
        self.apex = info.apex
        self._prefix = _prefix(info.zone_id)
        self._shard = bundle._shard(info)
        self._get = self._shard.transaction.get
        self._hashes = self._shard.hashes

    def node(self, key: bytes) -> bytes | None:
        """The node with this key (`lzc.wire.name.key_of`), or ``None``: the name does not exist.

        A key of over 507 octets, which no name has, is an `lmdb.Error`."""
        found: bytes | None = self._get(self._prefix + key)
        return found

    def signatures(self, key: bytes, rrtype: int) -> tuple[bytes, ...]:
        """RDATA of the RRSIGs over an RRset of a presigned zone, by the node key of its owner, as
        its source has them."""
        found: bytes | None = self._get(self._prefix + key, db=self._shard.signatures)
        return () if found is None else signatures.over(found, rrtype)

    def predecessor(self, key: bytes) -> tuple[bytes, bytes]:
        """The last node, ``(key, node)``, that sorts before a key; before the apex stands the last
        name of the zone, as the NSEC chain is a ring (RFC 4034 §4.1.1). ENTs and occluded names
        are nodes too: step on until one has an NSEC."""
        prefix = self._prefix
        cursor = self._shard.cursor
        if not key:
            before = cursor.set_range(_prefix(self.info.zone_id + 1))
        else:
            before = cursor.set_range(prefix + key)
        if before:
            cursor.prev()
        else:
            cursor.last()
        stored, node = cursor.item()
        if stored[:4] != prefix:
            raise BundleError(f"{self._shard.path}: zone {self.info.zone_id} has no nodes")
        return stored[4:], node

    def hashed(self, digest: bytes) -> bytes | None:
        """What the NSEC3 RR at a hash says, if the zone's chain has one there: the next hash, and
        the Type Bit Maps field."""
        found: bytes | None = self._get(self._prefix + digest, db=self._hashes)
        return found

    def hashed_before(self, digest: bytes) -> tuple[bytes, bytes]:
        """The last hash of the zone's chain, with what its NSEC3 RR says, that comes before another
        one; before the first stands the last, as the chain is a ring (RFC 5155 §3.1.7)."""
        cursor = self._shard.hash_cursor
        prefix = self._prefix
        before = cursor.set_range(prefix + digest)
        if before:
            before = cursor.prev()
        else:
            before = cursor.last()
        stored, content = cursor.item()
        if not before or stored[:4] != prefix:
            after = cursor.set_range(_prefix(self.info.zone_id + 1))
            if after:
                cursor.prev()
            else:
                cursor.last()
            stored, content = cursor.item()
            if stored[:4] != prefix:
                raise BundleError(f"{self._shard.path}: zone {self.info.zone_id} has no hashes")
        return stored[4:], content

    def nodes(self) -> Iterator[tuple[bytes, bytes]]:
        """All nodes, ``(key, node)``, in canonical order, the apex first."""
        return self.nodes_from(b"")

    def nodes_from(self, first: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The nodes from a key on, ``(key, node)``, in canonical order."""
        found = self._shard.items(self._prefix, first)
        return ((key[4:], node) for key, node in found)


class Bundle:
    """An open bundle; close it, or use it in a ``with`` statement. Not for several threads.
    ``deltas`` are those beside it, which lead to what its zones are."""

    def __init__(self, path: Path, manifest: Manifest, identity: str) -> None:
        """Use `Bundle.open`, which verifies first."""
        self.path = path
        self.id = identity
        self.manifest = manifest
        self.deltas = DeltaStore(path.parent)
        listed = _read_checks(path / manifests.CHECKS)
        self.checks = listed.checks
        self.constants = listed.constants
        self._views: dict[bytes, ZoneView] = {}
        self._shards: list[Shard] = []
        try:
            for number in range(manifest.shards):
                self._shards.append(Shard(path, number, manifest))
        except BundleError:
            self.close()
            raise
        self._mask = manifest.shards - 1
        self._count = sum(shard.count for shard in self._shards)
        self._complete = self._count <= ALL_VIEWS
        if self._complete:
            self._views = {info.apex: ZoneView(self, info) for info in self.zones()}

    @classmethod
    def open(cls, path: Path, *, verified_dir: Path | None = None) -> Bundle:
        """Verify and open the bundle in a folder (or behind a link such as ``current``).

        With ``verified_dir``, usually ``<output>/.verified``, a bundle that was verified before
        and did not change since opens without being read (`lzc.bundle.verification`). Raises
        `BundleError` for any damage, naming the file.
        """
        try:
            folder = Path(path).resolve(strict=True)
        except OSError as error:
            raise BundleError(f"{path}: no bundle here: {error.strerror}") from error
        except RuntimeError as error:
            raise BundleError(f"{path}: no bundle here: its links lead in a circle") from error
        manifest, identity = verification.verify(folder, verified_dir)
        return cls(folder, manifest, identity)

    def close(self) -> None:
        """Let go of the files. Views, and buffers that `transfer` gave out, must not be used on."""
        self._views.clear()
        for shard in self._shards:
            shard.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        """The number of zones."""
        return self._count

    def all_views(self) -> Mapping[bytes, ZoneView] | None:
        """Every zone by its apex, or `None` for a bundle of so many that few are in memory."""
        return self._views if self._complete else None

    def zone(self, apex: bytes) -> ZoneView | None:
        """The zone with exactly this apex (lower-case wire name)."""
        view = self._views.get(apex)
        if view is not None or self._complete:
            return view
        return self._load(apex)

    def find_zone(self, qname: bytes) -> ZoneView | None:
        """The zone that a lower-case wire name belongs to: the longest apex that it is at or
        below."""
        views = self._views
        position = 0
        while True:
            apex = qname[position:]
            view = views.get(apex)
            if view is None and not self._complete:
                view = self._load(apex)
            if view is not None:
                return view
            if not qname[position]:
                return None
            position += 1 + qname[position]

    def find_parent_zone(self, qname: bytes) -> ZoneView | None:
        """The zone that a name strictly below its apex belongs to: where the DS of a child zone's
        apex is looked for (RFC 4035 §3.1.4.1)."""
        return self.find_zone(qname[1 + qname[0] :]) if qname[0] else None

    def zones(self) -> Iterator[ZoneInfo]:
        """All zones, ordered by the octets of their apex."""
        for _, text in merge(*[shard.zones() for shard in self._shards]):
            yield self._decode(text)

    def transfer(self, zone: ZoneView | ZoneInfo) -> memoryview:
        """The zone's AXFR, ready for TCP: messages with a 16-bit length in front, ID 0, QR and AA
        set, the question being ``apex IN AXFR``. SOA first and last, without DNSSEC records."""
        info = zone if isinstance(zone, ZoneInfo) else zone.info
        start = info.transfer_offset
        return self._shard(info).transfers[start : start + info.transfer_length]

    def plan(self, key: bytes) -> bytes | None:
        """The plan of a LUA record by `lzc.lua.plan.plan_key`, or `None`: it has to be run."""
        # Asked once for each code that a process comes across, so the shards are just gone through.
        for shard in self._shards:
            found: bytes | None = shard.transaction.get(key, db=shard.plans)
            if found is not None:
                return found
        return None

    def _load(self, apex: bytes) -> ZoneView | None:
        if len(apex) > 255:
            return None
        text = self._shards[crc32(apex) & self._mask].zone(apex)
        if text is None:
            return None
        view = ZoneView(self, self._decode(text))
        if len(self._views) >= MAX_VIEWS:
            self._views.pop(next(iter(self._views)))
        self._views[apex] = view
        return view

    def _decode(self, text: bytes) -> ZoneInfo:
        try:
            return ZoneInfo.from_json(text)
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(f"{self.path}: what it says of a zone is damaged: {error}") from error

    def _shard(self, info: ZoneInfo) -> Shard:
        try:
            return self._shards[shards.of_zone_id(info.zone_id)]
        except IndexError as error:
            raise BundleError(f"{self.path}: there is no shard of zone {info.zone_id}") from error


def _read_checks(path: Path) -> check_list.CheckList:
    try:
        return check_list.read(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"{path}: no list of checks: {error}") from error
